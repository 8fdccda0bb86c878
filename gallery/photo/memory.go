package photo

import (
	"image/color"
	"io"
)

// measure sets how many bytes it takes to decode the picture, whose colours are
// of the given model, and to turn it.
func (f *found) measure(model color.Model) {
	size := f.pixels() * pixelSize(model)
	f.memory, f.turning = size, size
	switch f.name {
	case "JPEG":
		planes, coefficients := f.planes()
		f.memory = planes + coefficients
		switch {
		case model == color.RGBAModel || model == color.CMYKModel:
			f.memory += size // interleaved from the planes
		case model == color.YCbCrModel && (f.width%4 > 0 || f.height%2 > 0):
			f.turning += size // chroma samples at the edge are spread first
		default:
			f.turning = planes
		}
		f.measureTurbo(model == color.GrayModel)
	case "PNG":
		var interlaced [1]byte
		if _, err := f.r.ReadAt(interlaced[:], 28); err == nil && interlaced[0] != 0 {
			f.memory += size // every pass is a picture of its own
		}
	case "TIFF":
		f.memory += 4 * size // a strip may be the whole, unpacked into a slice that grows
	case "HEIC":
		f.memory += 3*size + 64<<20 // inside WebAssembly, whose memory the picture keeps
	case "GIF", "WebP":
		f.memory += size // a frame inside a screen; transforms
	}
}

// pixelSize returns the bytes of a pixel in the picture a decoder makes.
func pixelSize(model color.Model) int64 {
	switch model {
	case color.GrayModel:
		return 1
	case color.Gray16Model:
		return 2
	case color.YCbCrModel, color.NYCbCrAModel:
		return 3
	case color.RGBA64Model, color.NRGBA64Model:
		return 8
	}
	if _, ok := model.(color.Palette); ok {
		return 1
	}
	return 4
}

// planes returns the bytes that image/jpeg takes for the planes of a JPEG, each
// padded to whole units of all, and for the coefficients it keeps between the
// scans of a progressive one, four bytes a sample. If the walk through the
// segments fails where the decoder's did not, it is the most that can be.
func (f *found) planes() (planes, coefficients int64) {
	planes, coefficients = 3*f.pixels(), 4*3*f.pixels()
	segments(f.r, func(marker byte, body *io.SectionReader) bool {
		if marker < 0xc0 || marker > 0xc2 { // start of frame: baseline, extended, progressive
			return true
		}
		head := make([]byte, 6+3*4) // bits, height, width, count; by component: id, sampling, table
		n, _ := body.ReadAt(head, 0)
		var across, down, samples int64
		for c := head[6:max(6, n)]; len(c) >= 3; c = c[3:] {
			h, v := int64(c[1]>>4), int64(c[1]&15)
			across, down, samples = max(across, h), max(down, v), samples+h*v
		}
		if across == 0 || down == 0 {
			return false
		}
		units := ((int64(f.width) + 8*across - 1) / (8 * across)) * ((int64(f.height) + 8*down - 1) / (8 * down))
		planes, coefficients = units*64*samples, 0
		if marker == 0xc2 {
			coefficients = 4 * planes
		}
		return false
	})
	return planes, coefficients
}
