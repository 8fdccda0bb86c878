//go:build unix

package cli

import (
	"strings"
	"testing"
)

// On a terminal a download shows how far it is, in a line that goes away.
func TestPullShowsProgress(t *testing.T) {
	atHome(t)
	hold := make(chan struct{})
	t.Setenv("HF_ENDPOINT", hubServer(t, "siglip-bicubic", hold).URL)
	c := launch(t, 120, 40, "score", "--model", hubModel, "--labels", "cat,dog", "../assets/demo/cat.jpg")
	c.matches(`\.(json|model)  \d+\.\d MB of 0\.\d MB`)
	close(hold)
	c.matches(`(?s)cat\.jpg.*[●○] 0\.\d{4} .* dog`)
	if status := c.exit(); status != exitDone {
		t.Errorf("exit status %d", status)
	}
	if screen := c.screen(); strings.Contains(screen, "MB") {
		t.Errorf("the progress is still there:\n%s", screen)
	}
	c.restored()
}
