//go:build linux

package cli

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// These benchmarks run the binary as it is released on a pseudo-terminal of
// 120×40 cells and measure what a person would: from outside.

// demoDone is the status line once the demo's photos are all embedded, and
// demoScored the sheet once they have labels.
var (
	demoDone   = regexp.MustCompile(`\b23(/23)? embedded`)
	demoScored = regexp.MustCompile(`(?s)flower.*tags: +[1-9]`)
)

// startup launches the demo b.N times and reports the mean time until ready.
func startup(b *testing.B, unit string, ready func(c *console) time.Time) {
	program() // built before the clock runs
	var sum time.Duration
	for range b.N {
		c := launch(b, 120, 40, "demo")
		sum += ready(c).Sub(c.start)
		c.press("q")
		c.exit()
	}
	b.ReportMetric(float64(sum.Microseconds())/1000/float64(b.N), unit)
	b.ReportMetric(0, "ns/op") // the process's whole life, which says nothing
}

// From the start of the process to the first frame; the model is not loaded
// then.
func BenchmarkFirstFrame(b *testing.B) {
	startup(b, "ms-to-first-frame", func(c *console) time.Time {
		c.shows("sigla")
		return time.Now()
	})
}

// From the start of the process to a screen with all demo photos scored; the
// most memory that was resident.
func BenchmarkDemoScored(b *testing.B) {
	var peak float64
	startup(b, "ms-to-scored", func(c *console) time.Time {
		c.await("all photos scored", func(screen string) bool {
			return demoDone.MatchString(screen) && demoScored.MatchString(screen)
		})
		at := time.Now()
		peak = max(peak, c.peakMiB())
		return at
	})
	b.ReportMetric(peak, "MiB-resident")
}

// From a key to the screen that shows its effect, while photos are embedded.
// The key moves the bias, which every bar, mark and count follows.
func BenchmarkKeyToPaint(b *testing.B) {
	folder := b.TempDir()
	copies(b, folder, 200)
	c := launch(b, 120, 40, folder)
	c.matches(`tags: +[1-9]`) // the first photos have their labels
	signs := []string{"+0.0", "+0.1"}
	keys := []string{"[", "]"}
	var took []time.Duration
	busy := 0
	b.ResetTimer()
	for i := range b.N {
		next := 1 - i%2
		began := time.Now()
		c.press(keys[next])
		c.await("the bias", func(screen string) bool { return strings.Contains(screen, "δ "+signs[next]) })
		took = append(took, time.Since(began))
		if strings.Contains(c.screen(), "left") {
			busy++
		}
		time.Sleep(20 * time.Millisecond) // a key held down repeats about as fast
	}
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(ms(took[len(took)/2]), "ms-p50")
	b.ReportMetric(ms(took[len(took)*99/100]), "ms-p99")
	b.ReportMetric(100*float64(busy)/float64(b.N), "%-while-embedding")
	b.ReportMetric(c.peakMiB(), "MiB-resident")
	b.ReportMetric(0, "ns/op")
	c.press("q")
	c.exit()
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// copies fills a folder with n copies of each demo photo.
func copies(b *testing.B, folder string, n int) {
	photos, err := filepath.Glob("../assets/demo/*.jpg")
	if err != nil || len(photos) == 0 {
		b.Fatalf("no demo photos: %v", err)
	}
	for _, path := range photos {
		photo, err := os.ReadFile(path)
		if err != nil {
			b.Fatal(err)
		}
		for i := range n {
			name := fmt.Sprintf("%03d-%s", i, filepath.Base(path))
			if err := os.WriteFile(filepath.Join(folder, name), photo, 0o644); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// What the explorer uses of a core while nobody does anything, beside a Bubble
// Tea program that does nothing, in the same ten seconds.
func BenchmarkIdle(b *testing.B) {
	empty := filepath.Join(b.TempDir(), "empty")
	if out, err := exec.Command("go", "build", "-o", empty, "./testdata/empty").CombinedOutput(); err != nil {
		b.Fatalf("build the empty program: %v\n%s", err, out)
	}
	c, e := launch(b, 120, 40, "demo"), launchBinary(b, empty, 120, 40)
	c.await("all photos scored", func(screen string) bool {
		return demoDone.MatchString(screen) && demoScored.MatchString(screen)
	})
	e.shows("empty")
	time.Sleep(time.Second) // the last frame, the last garbage collection
	const span = 10 * time.Second
	b.ResetTimer()
	var ours, theirs time.Duration
	for range b.N {
		ours0, theirs0 := c.cpuTime(), e.cpuTime()
		time.Sleep(span)
		ours += c.cpuTime() - ours0
		theirs += e.cpuTime() - theirs0
	}
	whole := float64(b.N) * span.Seconds() / 100
	b.ReportMetric(ours.Seconds()/whole, "%-of-a-core")
	b.ReportMetric(theirs.Seconds()/whole, "%-empty-program")
	b.ReportMetric(0, "ns/op")
	for _, c := range []*console{c, e} {
		io.WriteString(c.pty, "q")
		c.exit()
	}
}

// cpuTime is what the process has used of all cores so far, to the precision
// of the kernel's scheduler statistics.
func (c *console) cpuTime() time.Duration {
	c.tb.Helper()
	var sum time.Duration
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", c.cmd.Process.Pid))
	if err != nil {
		c.tb.Fatal(err)
	}
	for _, task := range tasks {
		data, err := os.ReadFile(task)
		if err != nil {
			continue // a thread that has ended
		}
		ns, err := strconv.ParseInt(strings.Fields(string(data))[0], 10, 64)
		if err != nil {
			c.tb.Fatal(err)
		}
		sum += time.Duration(ns)
	}
	return sum
}

// peakMiB is the most memory that the process has had resident.
func (c *console) peakMiB() float64 {
	c.tb.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	if err != nil {
		c.tb.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if kib, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(kib), "kB")), 64)
			if err != nil {
				c.tb.Fatal(err)
			}
			return n / 1024
		}
	}
	c.tb.Fatal("the kernel does not tell VmHWM")
	return 0
}
