package cli

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"

	"sigla/gallery"
)

// paths returns the paths that args name; - stands for those on standard input.
func (a *app) paths(args []string) ([]string, error) {
	var paths []string
	for _, arg := range args {
		if arg != "-" {
			paths = append(paths, arg)
			continue
		}
		listed, err := a.readPaths()
		if err != nil {
			return nil, fmt.Errorf("read paths from standard input: %w", err)
		}
		paths = append(paths, listed...)
	}
	return paths, nil
}

// readPaths reads paths that end with a new line or, with -0, with NUL.
func (a *app) readPaths() (paths []string, err error) {
	end := byte('\n')
	if a.settings.null {
		end = 0
	}
	r := bufio.NewReader(a.stdin)
	for {
		line, err := r.ReadBytes(end)
		if line = bytes.TrimSuffix(line, []byte{end}); len(line) > 0 {
			paths = append(paths, string(line))
		}
		if err == io.EOF {
			return paths, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// eachPhoto finds and embeds the photos under paths in a gallery that is empty
// and gives them to each in the order in which they were found, as soon as it is their turn. Whatever
// cannot be read is named and left out; eachPhoto itself fails if ctx ends, if
// the model does, or if each does.
func (a *app) eachPhoto(ctx context.Context, g *gallery.Gallery, paths []string, enc gallery.Embedder, each func(gallery.Photo) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer a.progress.clear()
	var scanErr error
	moved, ended := make(chan struct{}, 1), make(chan error, 1)
	notice := func() {
		select {
		case moved <- struct{}{}:
		default: // one is waiting already
		}
	}
	go func() {
		var scan sync.WaitGroup
		scan.Go(func() { scanErr = g.Scan(ctx, paths...) })
		err := g.Embed(ctx, enc, notice)
		scan.Wait()
		if err == nil {
			err = g.Embed(ctx, enc, notice) // the first may have ended before the scan began
		}
		ended <- err
	}()
	q := queue{a: a, g: g, each: each}
	for {
		select {
		case <-moved:
			if err := q.pass(); err != nil {
				cancel()
				<-ended
				return err
			}
			a.progress.draw(g.Progress())
		case err := <-ended:
			if err == nil {
				err = q.pass()
			}
			if err != nil {
				return err
			}
			a.failScan(g, scanErr)
			return nil
		}
	}
}

// queue passes on photos in the order in which they were found.
type queue struct {
	a    *app
	g    *gallery.Gallery
	each func(gallery.Photo) error
	next int
}

// pass passes on what is finished, up to the first photo that is not.
func (q *queue) pass() error {
	for ; q.next < q.g.Len(); q.next++ {
		switch photo := q.g.Photo(q.next); photo.State {
		case gallery.Waiting:
			return nil
		case gallery.Gone: // the catalog had it
		case gallery.Failed:
			q.a.fail(photo.Err)
		default:
			q.a.progress.clear()
			if err := q.each(photo); err != nil {
				return err
			}
		}
	}
	return nil
}

// failScan names the paths and folders that a scan could not read; err is the
// scan's own, of one path or of several joined.
func (a *app) failScan(g *gallery.Gallery, err error) {
	if err != nil {
		for _, err := range apart(err) {
			a.fail(err)
		}
	}
	for _, skip := range g.Skipped() {
		a.fail(skip.Err)
	}
}
