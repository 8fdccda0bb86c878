package ui

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	tea "charm.land/bubbletea/v2"

	"sigla/gallery/label"
)

// large opens an explorer of n photos and 60 labels, all scored.
func large(b *testing.B, n int) *driver {
	b.Helper()
	dir := photos(b, 4)
	kinds, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		b.Fatal(err)
	}
	for i := len(kinds); i < n; i++ {
		// Hard links are photos of their own and cost no disk.
		if err := os.Link(kinds[i%len(kinds)], filepath.Join(dir, fmt.Sprintf("%06d.png", i))); err != nil {
			b.Fatal(err)
		}
	}
	set := names("red", "green", "blue")
	for i := len(set.Labels); i < 60; i++ {
		set.Labels = append(set.Labels, label.Label{Name: fmt.Sprintf("thing %d", i)})
	}
	return open(b, 120, 40, dir, func(o *Options) { o.Labels = set }).start()
}

// BenchmarkView draws the screen of 120 × 40 cells once.
func BenchmarkView(b *testing.B) {
	d := large(b, 10_000)
	for b.Loop() {
		d.m.view()
	}
}

// BenchmarkKey is a key's whole way through the explorer: Update and View.
// What follows, the renderer's comparison with the screen, is Bubble Tea's.
// It costs the same however many photos there are.
func BenchmarkKey(b *testing.B) {
	for _, n := range []int{1_000, 30_000} {
		d := large(b, n)
		for _, keys := range [][2]string{{"right", "left"}, {"pgdown", "pgup"}, {"]", "["}} {
			there, back := keyPress(keys[0]), keyPress(keys[1])
			b.Run(fmt.Sprintf("%d/%s", n, keys[0]), func(b *testing.B) {
				for i := 0; b.Loop(); i++ {
					msg := there
					if i%2 > 0 {
						msg = back
					}
					d.send(msg)
					d.drain()
				}
				b.StopTimer()
				d.rest()
			})
		}
		d.close()
	}
}

// BenchmarkEveryPhoto is what looks at every photo, beside the event loop: the
// counts after a step of the bias, an order, the folders.
func BenchmarkEveryPhoto(b *testing.B) {
	d := large(b, 30_000)
	m := d.m
	n, ctx := m.photos.len(), context.Background()
	at := m.desk()
	b.Run("count", func(b *testing.B) {
		for b.Loop() {
			m.labels.sides.count(ctx, m.o.Gallery, m.scores, &m.answers, n)
		}
	})
	for name, o := range map[string]order{"name": {by: byName}, "date": {by: byDate}, "label": {by: byLabel, label: "red"}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				at.list(ctx, wish{order: o})
			}
		})
	}
	b.Run("folders", func(b *testing.B) {
		for b.Loop() {
			survey{desk: at, sides: m.labels.sides, said: &m.answers, roots: 1, column: -1}.tree(ctx)
		}
	})
}

// BenchmarkFirstFrame is what the explorer adds to the time until the first
// frame: everything that is done before it is drawn.
func BenchmarkFirstFrame(b *testing.B) {
	dir := photos(b, 1)
	for b.Loop() {
		d := open(b, 120, 40, dir, nil)
		d.send(tea.WindowSizeMsg{Width: 120, Height: 40})
		b.StopTimer()
		d.close()
		b.StartTimer()
	}
}
