//go:build unix

package ui

import (
	"context"
	"errors"
	"syscall"
	"testing"
)

// TestSignals sends the test's own process the signals that end programs.
func TestSignals(t *testing.T) {
	for _, c := range []struct {
		signal syscall.Signal
		want   error
	}{
		{syscall.SIGHUP, ErrHangUp},
		{syscall.SIGINT, context.Canceled},
		{syscall.SIGTERM, nil},
	} {
		s := begin(t, context.Background(), true, nil)
		s.shows("6 embedded")
		if err := syscall.Kill(syscall.Getpid(), c.signal); err != nil {
			t.Fatal(err)
		}
		if err := s.end(); !errors.Is(err, c.want) {
			t.Errorf("after %v Run returned %v, want %v", c.signal, err, c.want)
		}
	}
}
