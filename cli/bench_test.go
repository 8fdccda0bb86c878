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
		peak = max(peak, c.statusMiB("VmHWM"))
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
	b.ResetTimer()
	busy := 0
	took := c.times(b.N, biasKeys, func(screen string) {
		if strings.Contains(screen, "left") {
			busy++
		}
	})
	b.StopTimer()
	report(b, "", took)
	b.ReportMetric(100*float64(busy)/float64(b.N), "%-while-embedding")
	b.ReportMetric(c.statusMiB("VmHWM"), "MiB-resident")
	b.ReportMetric(0, "ns/op")
	c.press("q")
	c.exit()
}

// biasKeys move the bias to and fro, pageKeys leaf to and fro; each with the
// pattern of a screen that shows it.
var (
	biasKeys = [2]keyEffect{{"]", regexp.MustCompile(`δ \+0\.1`)}, {"[", regexp.MustCompile(`δ \+0\.0`)}}
	pageKeys = [2]keyEffect{{" ", regexp.MustCompile(` [1-9]\d of 1?\d\d,`)}, {"\x02", regexp.MustCompile(` [1-9] of 1?\d\d,`)}}
)

type keyEffect struct {
	key   string
	shown *regexp.Regexp
}

// times presses the keys in turn, n in all, and returns how long each took to
// show, sorted.
func (c *console) times(n int, keys [2]keyEffect, seen func(screen string)) []time.Duration {
	c.tb.Helper()
	var took []time.Duration
	for i := range n {
		k := keys[i%2]
		began := time.Now()
		c.press(k.key)
		c.await(k.key, k.shown.MatchString)
		took = append(took, time.Since(began))
		seen(c.screen())
		time.Sleep(20 * time.Millisecond) // a key held down repeats about as fast
	}
	slices.Sort(took)
	return took
}

func report(b *testing.B, what string, took []time.Duration) {
	b.Helper()
	b.ReportMetric(ms(took[len(took)/2]), "ms-p50"+what)
	b.ReportMetric(ms(took[len(took)*99/100]), "ms-p99"+what)
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

// statusMiB reads a size of the process: VmHWM is the most memory that it has
// had resident, VmRSS what it has now.
func (c *console) statusMiB(what string) float64 {
	c.tb.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	if err != nil {
		c.tb.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if kib, ok := strings.CutPrefix(line, what+":"); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(kib), "kB")), 64)
			if err != nil {
				c.tb.Fatal(err)
			}
			return n / 1024
		}
	}
	c.tb.Fatalf("the kernel does not tell %s", what)
	return 0
}
