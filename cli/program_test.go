//go:build unix

package cli

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sigla/internal/require"
)

// Photos of 4 to 20 megapixels, from cameras and telephones, can all be read.
func TestLargePhotos(t *testing.T) {
	folder := require.Data(t, "large")
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	photos, err := filepath.Glob(filepath.Join(folder, "*.jpg"))
	if err != nil || len(photos) == 0 {
		t.Fatalf("%s has no photos: %v", folder, err)
	}
	cmd := exec.Command(path, "embed", folder, "--format", "json")
	cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+t.TempDir())
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		t.Errorf("embed: %v\n%s", err, stderr.String())
	}
	if n := strings.Count(string(out), `"embedding":[`); n != len(photos) {
		t.Errorf("%d of %d photos were embedded", n, len(photos))
	}
}

// A folder and a photo that the user may not read are named; the rest goes on.
// Root may read everything, so there the program runs as nobody.
func TestNoPermission(t *testing.T) {
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	secret := filepath.Join(dir, "photos", "secret")
	locked := filepath.Join(dir, "photos", "locked.jpg")
	if err := os.MkdirAll(secret, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"photos/dahlia.jpg", "photos/locked.jpg", "photos/secret/cat.jpg"} {
		photo, err := os.ReadFile("../assets/demo/dahlia.jpg")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), photo, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{secret, locked} {
		if err := os.Chmod(path, 0); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { os.Chmod(secret, 0o755) })

	cmd := exec.Command(path, "score", "--labels", "flower", "photos")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir)
	if os.Getuid() == 0 {
		const nobody = 65534
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		for _, folder := range []string{filepath.Dir(path), dir, filepath.Dir(dir)} {
			if err := os.Chmod(folder, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != exitSome {
		t.Errorf("score: %v, want exit status %d", err, exitSome)
	}
	if got := stdout.String(); strings.Count(got, ".jpg") != 1 || !strings.Contains(got, "photos/dahlia.jpg\n") {
		t.Errorf("standard output is\n%swant dahlia.jpg only", got)
	}
	for _, want := range []string{"sigla: scan photos/secret: permission denied\n", "sigla: read photo photos/locked.jpg: "} {
		if strings.Count(stderr.String(), want) != 1 {
			t.Errorf("standard error is\n%swant once %q", stderr.String(), want)
		}
	}
}
