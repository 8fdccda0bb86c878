package gallery

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

// Rules that cannot be read are said to be so, and the photos are there.
func TestIgnoreWithoutPermission(t *testing.T) {
	dir := tree(t, "a.jpg", "sub/b.jpg")
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "sub", ignoreName)
	writeFile(t, file, []byte("*\n"))
	if err := os.Chmod(file, 0); err != nil {
		t.Fatal(err)
	}
	g := New()
	var opened, err error
	asNobody(func() {
		_, opened = os.ReadFile(file)
		err = g.Scan(context.Background(), dir)
	})
	if opened == nil {
		t.Skip("permissions do not bind this process")
	}
	if err != nil {
		t.Error(err)
	}
	checkHere(t, g, "a.jpg", "sub/b.jpg")
	checkSkipped(t, g, map[string]string{file: "permission denied"})
}
