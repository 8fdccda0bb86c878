//go:build !linux

package ui

// standBack does nothing where only a whole process has a priority.
func standBack() {}
