//go:build unix

package finetune

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sigla/backend/ref"
	"sigla/model"
)

func init() { roles["keep"] = keepOnFullDisk }

// keepOnFullDisk keeps, merges and exports what takes more than a file can have.
func keepOnFullDisk(dir string) error {
	signal.Ignore(syscall.SIGXFSZ)
	src, err := model.Dir(bicubic)
	if err != nil {
		return err
	}
	m, err := model.Load(ref.New(), src)
	if err != nil {
		return err
	}
	n := 64
	big := adapters()[DepthLoRA]
	big.LowRank[0] = model.LowRank{Name: query, Out: n, In: n, Rank: n, Alpha: 4, A: make([]float32, n*n), B: make([]float32, n*n)}
	limit := unix.Rlimit{Cur: 8 << 10, Max: 8 << 10}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	for what, err := range map[string]error{
		"keep":   Kept(dir).Add("big", big),
		"export": WritePEFT(filepath.Join(dir, "peft"), big),
		"merge":  m.Export(filepath.Join(dir, "merged"), src, ""),
	} {
		if !errors.Is(err, syscall.EFBIG) {
			return fmt.Errorf("%s: %v", what, err)
		}
		fmt.Println(err)
	}
	return Kept(dir).Add("small", adapters()[DepthHead])
}

// A full disk costs what was to be written, and leaves nothing of it.
func TestKeepOnFullDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "adapters")
	if err := Kept(dir).Add("before", adapters()[DepthLoRA]); err != nil {
		t.Fatal(err)
	}
	c := child(t, "keep", dir)
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s, %v", out, err)
	}
	for _, part := range []string{"write adapter", "export adapter to", "export model to", "file too large"} {
		if !strings.Contains(string(out), part) {
			t.Errorf("%q is not said in\n%s", part, out)
		}
	}
	list, err := os.ReadDir(dir)
	if err != nil || len(list) != 3 { // the adapters, and the lock of the folder
		t.Errorf("left in the folder: %v, %v", list, err)
	}
	for _, name := range []string{"before", "small"} {
		if _, err := ReadAdapter(Kept(dir).Path(name)); err != nil {
			t.Error(err)
		}
	}
}
