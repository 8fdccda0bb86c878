//go:build unix

package cli

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sigla/finetune"
)

// trainee is the program training in a home of its own.
type trainee struct {
	t    *testing.T
	home string
	set  string // folder of photos
}

func newTrainee(t *testing.T) *trainee {
	t.Helper()
	set := taggedFolder(t, map[string][]string{"cat": {"animal"}, "two-dogs": {"animal"}, "nuthatch": {"animal"}, "coffee-cup": {"thing"}, "wall-clock": {"thing"}, "drum-and-wine": {"thing"}})
	return &trainee{t, t.TempDir(), set}
}

func (u *trainee) command(args ...string) *exec.Cmd {
	u.t.Helper()
	path, err := program()
	if err != nil {
		u.t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), "HOME="+u.home, "XDG_CONFIG_HOME="+u.home, "XDG_DATA_HOME="+u.home, "XDG_CACHE_HOME="+u.home, "XDG_STATE_HOME="+u.home)
	return cmd
}

// run runs the program to its end.
func (u *trainee) run(args ...string) (status int, stdout, stderr string) {
	u.t.Helper()
	cmd := u.command(args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		u.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// holding is a training that stands still in the midst of its steps: nobody reads
// its events, of which there are more than a pipe holds.
func (u *trainee) holding(args ...string) (cmd *exec.Cmd, events *bufio.Reader, stderr *bytes.Buffer) {
	u.t.Helper()
	cmd = u.command(append([]string{"train", u.set, "--complete", "--depth", "calibrate", "--epochs", "3000"}, args...)...)
	stderr = new(bytes.Buffer)
	cmd.Stderr = stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		u.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		u.t.Fatal(err)
	}
	u.t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	events = bufio.NewReader(out)
	if line, err := events.ReadString('\n'); err != nil || !strings.HasPrefix(line, `{"step":1,"steps":3000,`) {
		u.t.Fatalf("the first event is %q, %v: %s", line, err, stderr)
	}
	return cmd, events, stderr
}

// runs are the folders of all runs.
func (u *trainee) runs() []string {
	u.t.Helper()
	found, err := filepath.Glob(filepath.Join(u.home, "sigla", "runs", "*", "run.json"))
	if err != nil {
		u.t.Fatal(err)
	}
	for i := range found {
		found[i] = filepath.Dir(found[i])
	}
	return found
}

// An interrupted training ends with status 130 and a checkpoint of its last step,
// and --resume takes the steps that are left.
func TestTrainInterrupted(t *testing.T) {
	u := newTrainee(t)
	cmd, events, stderr := u.holding()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, events); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if status := cmd.ProcessState.ExitCode(); status != 130 || !strings.Contains(stderr.String(), "with a checkpoint: sigla train --resume=") {
		t.Fatalf("status %d: %s", status, stderr)
	}
	runs := u.runs()
	if len(runs) != 1 {
		t.Fatalf("runs %q", runs)
	}
	_, told, err := readRun(runs[0])
	if err != nil || len(told) == 0 || len(told) >= 3000 {
		t.Fatalf("%d events, %v", len(told), err)
	}
	last := told[len(told)-1].Step
	// A step whose look at the photos was interrupted has its event when that is done.
	if steps, err := finetune.Checkpoints(runs[0]); err != nil || steps[len(steps)-1] != last && steps[len(steps)-1] != last+1 {
		t.Errorf("checkpoints %v, %v; it ended at step %d", steps, err, last)
	}
	status, out, errs := u.run("train", "--resume")
	if status != 0 || !strings.Contains(out, `{"result":`) {
		t.Fatalf("resumed with status %d: %s", status, errs)
	}
	_, told, err = readRun(runs[0])
	if err != nil || len(told) != 3000 || strings.Count(out, `{"step":`) != 3000-last {
		t.Errorf("%d events, %d of them after %d: %v", len(told), strings.Count(out, `{"step":`), last, err)
	}
	for i, e := range told {
		if e.Step != i+1 {
			t.Fatalf("event %d is of step %d", i, e.Step)
		}
	}
}

// Two trainings of one model at once would be two answers to one question.
func TestTrainTwice(t *testing.T) {
	u := newTrainee(t)
	cmd, _, _ := u.holding()
	status, _, errs := u.run("train", u.set, "--complete", "--depth", "calibrate")
	if status != 1 || !strings.Contains(errs, "is being trained by another sigla; wait for it, or stop it") {
		t.Errorf("a second training of the model: status %d: %s", status, errs)
	}
	status, _, errs = u.run("train", "--resume="+filepath.Base(u.runs()[0]))
	if status != 1 || !strings.Contains(errs, "is being trained by another sigla; wait for it, or stop it") {
		t.Errorf("a second training of the run: status %d: %s", status, errs)
	}
	if runs := u.runs(); len(runs) != 1 {
		t.Errorf("runs %q", runs)
	}
	cmd.Process.Signal(syscall.SIGTERM) // it is killed if it waits for its reader
}

// A person at a terminal is told of an adapter that is used without being named;
// nobody else is.
func TestDefaultAdapterIsTold(t *testing.T) {
	u := newTrainee(t)
	if status, _, errs := u.run("train", u.set, "--complete", "--depth", "calibrate", "--fit-threshold", "f1", "--name", "pets"); status != 0 {
		t.Fatal(errs)
	}
	if status, _, errs := u.run("adapters", "pets", "--use"); status != 0 {
		t.Fatal(errs)
	}
	photo := filepath.Join(u.set, "cat.jpg")
	const told = "is used with adapter pets"
	if status, out, errs := u.run("score", photo, "--labels", "animal,thing"); status != 0 || errs != "" || strings.Contains(out, told) {
		t.Errorf("through a pipe: status %d, %q %q", status, out, errs)
	}
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	c := launchWith(t, []string{"XDG_DATA_HOME=" + u.home}, path, 120, 24, "score", photo, "--labels", "animal,thing")
	c.shows("starter " + told + ", its default; --adapter none does without it")
	if status := c.exit(); status != 0 {
		t.Error(status)
	}
	c = launchWith(t, []string{"XDG_DATA_HOME=" + u.home}, path, 120, 24, "score", photo, "--labels", "animal,thing", "--adapter", "pets")
	if screen := c.shows("thing"); strings.Contains(screen, told) {
		t.Error("told of an adapter that was asked for")
	}
}
