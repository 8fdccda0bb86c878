//go:build unix

package finetune

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sigla/internal/require"
)

// Faults need processes that can be killed: this test program, started again
// with a role.
const roleEnv = "FINETUNE_TEST_ROLE"

var roles = map[string]func(dir string) error{
	"train":    func(dir string) error { return trainOn(dir, faultOptions(5)) },
	"balanced": func(dir string) error { return trainOn(dir, balancedOptions()) },
	"full":     trainOnFullDisk,
}

func TestMain(m *testing.M) {
	role, ok := roles[os.Getenv(roleEnv)]
	if !ok {
		os.Exit(m.Run())
	}
	if err := role(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func child(t *testing.T, role, dir string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(exe, dir)
	c.Env = append(os.Environ(), roleEnv+"="+role)
	c.Stderr = os.Stderr
	return c
}

// faultOptions writes a checkpoint after every step, and has them thinned.
func faultOptions(seed uint64) Options {
	return Options{Steps: 60, Batch: 3, LR: 0.1, Warmup: 5, ValidateEvery: 4, Seed: seed, CheckpointEvery: time.Nanosecond, Checkpoints: 5}
}

// balancedOptions repeats photos.
func balancedOptions() Options {
	o := faultOptions(5)
	o.Balance = 0.3
	return o
}

// trainOn begins the run in a folder, or takes it up.
func trainOn(dir string, o Options) error {
	r, err := Open(dir, newLine())
	if _, none := os.Stat(filepath.Join(dir, recordFile)); errors.Is(none, os.ErrNotExist) {
		r, err = New(dir, newLine(), record(o))
	}
	if err != nil {
		return err
	}
	return errors.Join(r.Train(context.Background(), Watch{}), r.Close())
}

// A run that is killed at any moment goes on where it was: its log is that of
// a run that nobody killed, to the last bit.
func TestKill(t *testing.T) {
	want, _ := train(t, "", faultOptions(5))
	killRounds(t, require.Rounds(5, 20, 200), want, func(dir string) *exec.Cmd { return child(t, "train", dir) })
	want, _ = train(t, "", balancedOptions())
	killRounds(t, require.Rounds(2, 10, 100), want, func(dir string) *exec.Cmd { return child(t, "balanced", dir) })
}

// The towers of a model on the vector units go on so, too.
func TestKillTowers(t *testing.T) {
	r, err := New("", faultTowers(t), record(faultOptions(5)))
	if err != nil {
		t.Fatal(err)
	}
	var want []Event
	if err := r.Train(context.Background(), Watch{Event: func(e Event) { want = append(want, e) }}); err != nil {
		t.Fatal(err)
	}
	killRounds(t, require.Rounds(1, 3, 30), timeless(want), func(dir string) *exec.Cmd {
		c := child(t, "", dir)
		c.Args = []string{c.Path, "-test.run=^TestTrainTowersAsChild$"}
		c.Env = append(c.Env, childEnv+"="+dir)
		return c
	})
}

const childEnv = "FINETUNE_TEST_DIR"

func TestTrainTowersAsChild(t *testing.T) {
	dir := os.Getenv(childEnv)
	if dir == "" {
		t.Skip("another test starts it")
	}
	l := faultTowers(t)
	r, err := Open(dir, l)
	if _, none := os.Stat(filepath.Join(dir, recordFile)); errors.Is(none, os.ErrNotExist) {
		r, err = New(dir, l, record(faultOptions(5)))
	}
	if err == nil {
		err = errors.Join(r.Train(context.Background(), Watch{}), r.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func faultTowers(t *testing.T) *Towers {
	m, set, o := loadBicubic(t, cpuEngine(t))
	return towers(t, m, set, o)
}

// killRounds trains in processes that are killed at random until each run is at
// its end, and compares their logs.
func killRounds(t *testing.T, rounds int, want []Event, start func(dir string) *exec.Cmd) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	killed := 0
	for round := range rounds {
		dir := filepath.Join(t.TempDir(), "run")
		for {
			c := start(dir)
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() { done <- c.Wait() }()
			if killLater(c, dir, done, rng) {
				killed++
				continue
			}
			break
		}
		if got := logged(t, dir); !reflect.DeepEqual(got, want) {
			t.Fatalf("round %d: a run that was killed is another one", round)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "*", ".sigla-*")); len(left) > 0 {
			t.Errorf("round %d: left over: %q", round, left)
		}
	}
	t.Logf("%d processes were killed", killed)
	if killed == 0 {
		t.Error("no process was killed")
	}
}

// killLater kills a child when its log has grown by some lines, and some time
// after that, or reports that it came to its end.
func killLater(c *exec.Cmd, dir string, done chan error, rng *rand.Rand) bool {
	lines := func() int {
		data, _ := os.ReadFile(filepath.Join(dir, eventsFile))
		return strings.Count(string(data), "\n")
	}
	until := lines() + rng.IntN(40)
	for lines() < until {
		select {
		case <-done:
			return false
		case <-time.After(100 * time.Microsecond):
		}
	}
	time.Sleep(time.Duration(rng.IntN(5000)) * time.Microsecond)
	if c.Process.Kill() != nil {
		<-done
		return false
	}
	<-done
	return !c.ProcessState.Success()
}

// trainOnFullDisk trains while no file can grow, for a while.
func trainOnFullDisk(dir string) error {
	signal.Ignore(syscall.SIGXFSZ)
	limit := func(n uint64) {
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: n, Max: unix.RLIM_INFINITY}); err != nil {
			panic(err)
		}
	}
	r, err := New(dir, newLine(), record(faultOptions(5)))
	if err != nil {
		return err
	}
	warnings := 0
	err = r.Train(context.Background(), Watch{
		Event: func(e Event) {
			switch e.Step {
			case 20:
				limit(100)
			case 40:
				limit(unix.RLIM_INFINITY)
				steps, err := Checkpoints(dir)
				if fmt.Println("checkpoints", steps, err); warnings < 20 {
					fmt.Println("only", warnings, "warnings")
				}
			case 50:
				limit(100)
			}
		},
		Warn: func(err error) {
			if warnings++; warnings == 1 {
				fmt.Println("warning", err)
			}
		},
	})
	fmt.Println("error", err)
	limit(unix.RLIM_INFINITY)
	return r.Close()
}

// A full disk is told of and ends nothing: the old checkpoints stay, and the
// log is whole when there is room again. At the end it is an error.
func TestFullDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	out, err := child(t, "full", dir).Output()
	if err != nil {
		t.Fatal(err)
	}
	said := string(out)
	for _, want := range []string{
		"warning log step 21: ", "save checkpoint of step 21: ", "the one of step 20 stays",
		"checkpoints [0 ", " 19 20] <nil>",
		"error save checkpoint of step 60: ", "the one of step 50 stays",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("it did not say %q but\n%s", want, said)
		}
	}
	if strings.Contains(said, "only") {
		t.Error(said)
	}
	want, _ := train(t, "", faultOptions(5))
	if got := logged(t, dir); !reflect.DeepEqual(got, want) {
		t.Error("the log has gaps")
	}
	if r, err := Open(dir, newLine()); err != nil || r.Step() != 50 {
		t.Errorf("afterwards: %v", err)
	} else if err := errors.Join(r.Train(context.Background(), Watch{}), r.Close()); err != nil {
		t.Error(err)
	}
	if got := logged(t, dir); !reflect.DeepEqual(got, want) {
		t.Error("a run that had no room is another one")
	}
}
