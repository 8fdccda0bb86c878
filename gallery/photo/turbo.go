//go:build turbo

package photo

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/ebitengine/purego"
)

// turboJPEG is the TurboJPEG library of libjpeg-turbo. These functions came
// with version 2 and are the same in version 3.
type turboJPEG struct {
	path, version string
	free          struct {
		sync.Mutex
		handles []uintptr // decoders that no goroutine uses
	}

	initDecompress func() uintptr
	destroy        func(handle uintptr) int32
	// header writes width, height, layout of the chroma samples and colours.
	header     func(handle uintptr, file *byte, size uintptr, width, height, subsampling, colours *int32) int32
	decompress func(handle uintptr, file *byte, size uintptr, pixels *byte, width, pitch, height, format, flags int32) int32
}

// Constants of turbojpeg.h.
const (
	formatGray, formatRGBA                      = 6, 7
	coloursRGB, coloursYCbCr, coloursGray       = 0, 1, 2
	flagStopOnWarning, flagLimitScans           = 1 << 13, 1 << 15
	maxTurboFile                          int64 = 1 << 28 // bytes; the library takes a whole file
)

// turbo is the library, or why it is not here; a variable for tests.
var turbo = sync.OnceValues(func() (*turboJPEG, error) { return findTurbo(os.Getenv("SIGLA_TURBOJPEG")) })

// findTurbo loads the library: the file that is asked for, "off" for none, ""
// for where it is usually.
func findTurbo(asked string) (*turboJPEG, error) {
	switch asked {
	case "":
		return openTurbo(turboNames()...)
	case "off":
		return nil, errors.New("SIGLA_TURBOJPEG is off")
	}
	return openTurbo(asked)
}

// turboNames are where the library is found, by system. Names without a folder
// are looked for where the system has its libraries.
func turboNames() []string {
	switch runtime.GOOS {
	case "windows":
		return []string{"turbojpeg.dll", "libturbojpeg.dll", `C:\libjpeg-turbo64\bin\turbojpeg.dll`}
	case "darwin":
		return []string{"libturbojpeg.0.dylib", "libturbojpeg.dylib", "/opt/homebrew/opt/jpeg-turbo/lib/libturbojpeg.dylib",
			"/usr/local/opt/jpeg-turbo/lib/libturbojpeg.dylib", "/opt/local/lib/libturbojpeg.dylib", "/opt/libjpeg-turbo/lib/libturbojpeg.dylib"}
	}
	return []string{"libturbojpeg.so.0", "libturbojpeg.so.1", "libturbojpeg.so", "/opt/libjpeg-turbo/lib64/libturbojpeg.so"}
}

// openTurbo loads the first of the names that is there.
func openTurbo(names ...string) (*turboJPEG, error) {
	var errs []error
	for _, name := range names {
		lib, err := loadLibrary(name)
		if err == nil {
			t := &turboJPEG{}
			if err = t.bind(lib); err == nil {
				return t, nil
			}
		}
		errs = append(errs, fmt.Errorf("load %s: %w", name, err))
	}
	return nil, errors.Join(errs...)
}

// bind finds the functions.
func (t *turboJPEG) bind(lib uintptr) error {
	var at uintptr
	for _, f := range []struct {
		name string
		into any
	}{{"tjInitDecompress", &t.initDecompress}, {"tjDestroy", &t.destroy}, {"tjDecompressHeader3", &t.header}, {"tjDecompress2", &t.decompress}} {
		var err error
		if at, err = symbol(lib, f.name); err != nil {
			return err
		}
		purego.RegisterFunc(f.into, at)
	}
	t.path = libraryPath(lib, at)
	t.version = "2"
	if _, err := symbol(lib, "tj3Init"); err == nil {
		t.version = "3"
	}
	if data, err := os.ReadFile(t.path); err == nil { // no function tells it
		if _, after, ok := bytes.Cut(data, []byte("libjpeg-turbo version ")); ok {
			t.version, _, _ = strings.Cut(string(after[:min(32, len(after))]), " ")
		}
	}
	return nil
}

// HasTurbo says whether this build uses libjpeg-turbo where it is installed.
const HasTurbo = true

// Turbo returns version and file of the libjpeg-turbo that decodes JPEGs, or
// why Go's decoder does.
func Turbo() (string, error) {
	t, err := turbo()
	if err != nil {
		return "", fmt.Errorf("libjpeg-turbo is not here: %s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return fmt.Sprintf("libjpeg-turbo %s, %s", t.version, filepath.ToSlash(t.path)), nil
}

// reduced decodes the picture if it is a JPEG of a kind that the library
// takes, at the smallest scale that is enough. It returns nil for everything
// else, broken files too: Go's decoder has the last word on those.
func (f found) reduced(enough Enough) image.Image {
	t, err := turbo()
	if err != nil || f.format.name != "JPEG" || f.r.Size() > maxTurboFile { // its header was read: it is not empty
		return nil
	}
	file := make([]byte, f.r.Size())
	if _, err := f.r.ReadAt(file, 0); err != nil || bytes.Count(file, []byte(startOfScan)) > maxScans {
		return nil
	}
	img, err := t.decode(file, f.scale(enough))
	if err != nil {
		return nil // not an image.Image that holds nil
	}
	return img
}

// scale returns the smallest number of eighths of its sides that is enough of
// the picture: 1, 2, 4 or 8, for which decoders have fast transforms.
func (f found) scale(enough Enough) int {
	for scale := 1; scale < 8 && enough != nil; scale *= 2 {
		w, h := eighths(f.width, scale), eighths(f.height, scale)
		if f.exif.orientation >= 5 {
			w, h = h, w
		}
		if enough(w, h) {
			return scale
		}
	}
	return 8
}

// eighths returns n·scale/8, rounded up as decoders do.
func eighths(n, scale int) int { return (n*scale + 7) / 8 }

// measureTurbo raises what measure found to what the library takes: the file
// and a picture of one or four bytes a pixel.
func (f *found) measureTurbo(grey bool) {
	if _, err := turbo(); err != nil {
		return
	}
	size := f.pixels()
	if !grey {
		size *= 4
	}
	f.memory, f.turning = max(f.memory, size+f.r.Size()), max(f.turning, size)
}

// decode returns the picture at scale eighths of its size, rounded up.
func (t *turboJPEG) decode(file []byte, scale int) (image.Image, error) {
	handle := t.take()
	if handle == 0 {
		return nil, errRefused
	}
	img, err := t.decodeWith(handle, file, scale)
	t.give(handle, err)
	if err != nil {
		return nil, err
	}
	return img, nil
}

// errRefused says no more: Go's decoder finds out.
var errRefused = errors.New("refused by libjpeg-turbo")

func (t *turboJPEG) decodeWith(handle uintptr, file []byte, scale int) (image.Image, error) {
	first, size := &file[0], uintptr(len(file))
	var w, h, subsampling, colours int32
	if t.header(handle, first, size, &w, &h, &subsampling, &colours) != 0 ||
		w < 1 || h < 1 || w > maxSide || h > maxSide || int64(w)*int64(h) > maxPixels {
		return nil, errRefused
	}
	r := image.Rect(0, 0, eighths(int(w), scale), eighths(int(h), scale))
	decompress := func(pixels []byte, stride int, format int32) error {
		if t.decompress(handle, first, size, &pixels[0], int32(r.Dx()), int32(stride), int32(r.Dy()), format,
			flagStopOnWarning|flagLimitScans) != 0 {
			return errRefused
		}
		return nil
	}
	switch colours {
	case coloursGray:
		m := image.NewGray(r)
		return m, decompress(m.Pix, m.Stride, formatGray)
	case coloursRGB, coloursYCbCr:
		m := image.NewRGBA(r)
		return m, decompress(m.Pix, m.Stride, formatRGBA)
	}
	return nil, errRefused // CMYK
}

// take returns a decoder that is free, or a new one; 0 if there can be none.
func (t *turboJPEG) take() uintptr {
	t.free.Lock()
	defer t.free.Unlock()
	n := len(t.free.handles) - 1
	if n < 0 {
		return t.initDecompress()
	}
	handle := t.free.handles[n]
	t.free.handles = t.free.handles[:n]
	return handle
}

// give returns a decoder, of which there are never more than goroutines that
// decoded at once. One that failed is closed: libjpeg-turbo 2.1 leaves it
// inside the broken header, and it would refuse every file from then on.
func (t *turboJPEG) give(handle uintptr, err error) {
	if err != nil {
		t.destroy(handle)
		return
	}
	t.free.Lock()
	defer t.free.Unlock()
	t.free.handles = append(t.free.handles, handle)
}
