// Package photo opens picture files: JPEG, PNG, GIF, WebP, TIFF and BMP, and
// camera raw files by their embedded JPEG. They are recognised by content,
// turned upright by their EXIF orientation, and checked before memory is taken
// for them. It also makes pictures of the size a screen wants. Files are only
// ever read.
//
// A broken file is an error in one line that names it; decoders that panic are
// broken files too. Colour profiles are not applied.
package photo

import (
	"errors"
	"fmt"
	"image"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Causes an error of Read and Stat may wrap, besides those of package fs.
var (
	ErrEmpty       = errors.New("empty file")
	ErrNotRegular  = errors.New("not a regular file")
	ErrNotPicture  = errors.New("not a picture")
	ErrUnsupported = errors.New("not supported")
	ErrTooLarge    = errors.New("too large")
	ErrTruncated   = errors.New("truncated")
)

// The largest picture that is opened. 200 megapixels of JPEG take 300 MB.
const (
	maxPixels = 200_000_000
	maxSide   = 50_000
)

// Info is what a file says about its picture.
type Info struct {
	// Format is "JPEG", "PNG", "GIF", "WebP", "TIFF", "BMP" or "HEIC"; of camera raw
	// files "CR2", "CR3", "NEF", "NRW", "ARW", "DNG", "ORF", "RW2", "RAF", "PEF",
	// "SRW", or "RAW" of another maker.
	Format        string
	Width, Height int // pixels, upright; of a raw file's preview
	Orientation   int // EXIF's 1 … 8 as the file has it; 1 is upright
	// Taken is EXIF's DateTimeOriginal, in the zone of OffsetTimeOriginal.
	// Without that it is the camera's clock, given as UTC. Zero if not known.
	Taken time.Time
	// Memory is about how many bytes Read takes while it decodes and turns the
	// picture; the picture itself is a part of them. A progressive JPEG takes
	// five times as much as another.
	Memory int64
}

// IsPhoto reports whether name has the extension of a format Read opens.
func IsPhoto(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".jpg", ".jpeg", ".jpe", ".png", ".gif", ".webp", ".tif", ".tiff", ".bmp":
		return true
	case ".heic", ".heif", ".hif":
		return HasHEIC
	}
	return IsRaw(name)
}

// Unreadable returns the format that the extension of name stands for if it is
// one of pictures or films that this build does not open, and else "".
func Unreadable(name string) string {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".heic", ".heif", ".hif":
		if HasHEIC {
			return ""
		}
		return "HEIC"
	case ".avif":
		return "AVIF"
	case ".jxl":
		return "JPEG XL"
	case ".jp2", ".j2k":
		return "JPEG 2000"
	case ".psd":
		return "Photoshop"
	case ".3fr", ".dcr", ".erf", ".fff", ".iiq", ".kdc", ".mef", ".mos", ".mrw", ".rwl", ".x3f":
		return "camera raw"
	case ".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".mts", ".3gp":
		return "video"
	}
	return ""
}

// Read returns the picture in the file at path, upright; of an animation the
// first frame, of a camera raw file the largest preview. It has at most 200
// megapixels and no side over 50,000 pixels. Its bounds begin at 0,0.
func Read(path string) (image.Image, Info, error) { return ReadFor(path, nil) }

// Stat returns what the file at path says about its picture without decoding
// it. It fails on what Read refuses unread.
func Stat(path string) (Info, error) {
	var info Info
	err := with(path, func(r *io.SectionReader) (err error) {
		_, info, err = header(r)
		return err
	})
	return info, err
}

// with opens the file at path for reading, calls read and names the file in
// the error.
func with(path string, read func(*io.SectionReader) error) error {
	f, size, err := open(path)
	if err == nil {
		defer f.Close()
		err = guard(read, io.NewSectionReader(f, 0, size))
	}
	if err == nil {
		return nil
	}
	if pathErr := (*fs.PathError)(nil); errors.As(err, &pathErr) {
		err = pathErr.Err // the path is named once
	}
	return fmt.Errorf("read photo %s: %w", path, err)
}

// open returns the file and its size. Opening a pipe or a device can block for
// ever, so what is not a regular file is refused unopened.
func open(path string) (*os.File, int64, error) {
	stat, err := os.Stat(path)
	if err != nil {
		return nil, 0, err
	}
	if stat.IsDir() {
		return nil, 0, errors.New("is a folder")
	}
	if !stat.Mode().IsRegular() {
		return nil, 0, ErrNotRegular
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	if stat, err = f.Stat(); err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, stat.Size(), nil
}

// guard calls read and returns a panic of a decoder as an error.
func guard(read func(*io.SectionReader) error, r *io.SectionReader) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("broken file: decoder: %v", p)
		}
	}()
	return read(r)
}
