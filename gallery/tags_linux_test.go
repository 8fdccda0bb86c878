package gallery

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// A sidecar that may not be read is told, its photo has the tags of the others,
// and when it may be read it is, although it is the same.
func TestTagsWithoutPermission(t *testing.T) {
	dir := photoFolder(t, 1)
	locked := filepath.Join(dir, "0.png.xmp")
	writeFile(t, locked, xmp("owl"))
	writeFile(t, filepath.Join(dir, "0.xmp"), xmp("dusk"))
	if err := errors.Join(os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(locked, 0)); err != nil {
		t.Fatal(err)
	}
	g := New()
	scan(t, g, dir)
	var opened error
	asNobody(func() {
		_, opened = os.ReadFile(locked)
		r := &tagRun{g: g, ctx: context.Background()}
		jobs := r.take()
		jobs[0].read()
		r.deliver(jobs)
	})
	if !errors.Is(opened, fs.ErrPermission) {
		t.Skip("permissions do not bind this process")
	}
	problems := g.TagProblems()
	if len(problems) != 1 || problems[0].Err.Error() != "read tags of "+locked+": permission denied" {
		t.Errorf("problems %v", problems)
	}
	if names := g.TagNames(); len(names) != 1 || names[0].Name != "dusk" || g.Photo(0).State == Failed {
		t.Errorf("names %v", names)
	}
	if err := os.Chmod(locked, 0o644); err != nil {
		t.Fatal(err)
	}
	scan(t, g, dir)
	if err := g.ReadTags(context.Background()); err != nil {
		t.Fatal(err)
	}
	checkTags(t, g)
	if len(g.TagProblems()) > 0 || g.Progress().Tagged != 1 || len(g.TagNames()) != 2 {
		t.Errorf("problems %v, names %v", g.TagProblems(), g.TagNames())
	}
}
