package preprocess

import (
	"image"
	"image/color"
)

// converter returns the function that writes row y of img, counted from the
// upper edge of its bounds, as RGB. The rules are those of RGB.
func converter(img image.Image) func(dst []uint8, y int) {
	r := img.Bounds()
	switch m := img.(type) {
	case *image.YCbCr:
		return fromYCbCr(m)
	case *image.NYCbCrA:
		return fromYCbCr(&m.YCbCr)
	case *image.Gray:
		return samples(m.Pix, m.PixOffset(r.Min.X, r.Min.Y), m.Stride, 1, 0, 0, 0)
	case *image.Gray16:
		return samples(m.Pix, m.PixOffset(r.Min.X, r.Min.Y), m.Stride, 2, 0, 0, 0)
	case *image.NRGBA:
		return samples(m.Pix, m.PixOffset(r.Min.X, r.Min.Y), m.Stride, 4, 0, 1, 2)
	case *image.NRGBA64:
		return samples(m.Pix, m.PixOffset(r.Min.X, r.Min.Y), m.Stride, 8, 0, 2, 4)
	case *image.RGBA:
		return fromRGBA(m)
	case *image.RGBA64:
		if m.Opaque() {
			return samples(m.Pix, m.PixOffset(r.Min.X, r.Min.Y), m.Stride, 8, 0, 2, 4)
		}
	case *image.Paletted:
		return fromPaletted(m)
	case *image.CMYK:
		return fromCMYK(m)
	}
	return func(dst []uint8, y int) {
		for x := 0; len(dst) >= 3; x++ {
			dst[0], dst[1], dst[2] = straight(img.At(r.Min.X+x, r.Min.Y+y))
			dst = dst[3:]
		}
	}
}

// samples converts pixels of size bytes each, the first at offset at, whose
// red, green and blue high bytes lie at r, g and b inside the pixel.
func samples(pix []uint8, at, stride, size, r, g, b int) func([]uint8, int) {
	return func(dst []uint8, y int) {
		src := pix[at+y*stride:]
		for len(dst) >= 3 && len(src) >= size {
			dst[0], dst[1], dst[2] = src[r], src[g], src[b]
			dst, src = dst[3:], src[size:]
		}
	}
}

// fromRGBA is for libjpeg-turbo's pictures, which are opaque, and for others of
// that kind, where the alpha is divided out.
func fromRGBA(m *image.RGBA) func([]uint8, int) {
	at := m.PixOffset(m.Rect.Min.X, m.Rect.Min.Y)
	return func(dst []uint8, y int) {
		src := m.Pix[at+y*m.Stride:][:4*m.Rect.Dx()]
		if n := len(src) &^ 31; n > 0 && machine.pack != nil && machine.pack(dst[:n/4*3], src[:n]) {
			dst, src = dst[n/4*3:], src[n:]
		}
		for ; len(dst) >= 3 && len(src) >= 4; dst, src = dst[3:], src[4:] {
			if src[3] == 255 {
				dst[0], dst[1], dst[2] = src[0], src[1], src[2]
			} else {
				dst[0], dst[1], dst[2] = straight(color.RGBA{src[0], src[1], src[2], src[3]})
			}
		}
	}
}

// straight returns the colour under the alpha of c: stored as such where the
// kind keeps it apart, divided out where it is premultiplied.
func straight(c color.Color) (r, g, b uint8) {
	switch c := c.(type) {
	case color.NRGBA:
		return c.R, c.G, c.B
	case color.NRGBA64:
		return uint8(c.R >> 8), uint8(c.G >> 8), uint8(c.B >> 8)
	}
	n := color.NRGBA64Model.Convert(c).(color.NRGBA64)
	return uint8(n.R >> 8), uint8(n.G >> 8), uint8(n.B >> 8)
}

func fromPaletted(m *image.Paletted) func([]uint8, int) {
	// Indices beyond the palette are possible in broken files; they are black.
	var palette [256][3]uint8
	for i, c := range m.Palette[:min(len(m.Palette), 256)] {
		palette[i][0], palette[i][1], palette[i][2] = straight(c)
	}
	at := m.PixOffset(m.Rect.Min.X, m.Rect.Min.Y)
	return func(dst []uint8, y int) {
		src := m.Pix[at+y*m.Stride:]
		for len(dst) >= 3 && len(src) > 0 {
			*(*[3]uint8)(dst) = palette[src[0]]
			dst, src = dst[3:], src[1:]
		}
	}
}

func fromCMYK(m *image.CMYK) func([]uint8, int) {
	at := m.PixOffset(m.Rect.Min.X, m.Rect.Min.Y)
	return func(dst []uint8, y int) {
		src := m.Pix[at+y*m.Stride:]
		for len(dst) >= 3 && len(src) >= 4 {
			// +127 rounds to the nearest: a product of bytes over 255 is never
			// halfway between two integers.
			k := 255 - uint32(src[3])
			dst[0] = uint8(((255-uint32(src[0]))*k + 127) / 255)
			dst[1] = uint8(((255-uint32(src[1]))*k + 127) / 255)
			dst[2] = uint8(((255-uint32(src[2]))*k + 127) / 255)
			dst, src = dst[3:], src[4:]
		}
	}
}

// fromYCbCr converts JPEG and WebP planes. Two neighbours that share a chroma
// sample share its part of the conversion.
func fromYCbCr(m *image.YCbCr) func([]uint8, int) {
	r := m.Rect
	// log2 of the pixels across one chroma sample.
	shift := map[image.YCbCrSubsampleRatio]uint{
		image.YCbCrSubsampleRatio422: 1, image.YCbCrSubsampleRatio420: 1,
		image.YCbCrSubsampleRatio411: 2, image.YCbCrSubsampleRatio410: 2,
	}[m.SubsampleRatio]
	if r.Min.X < 0 || r.Min.Y < 0 { // x/2 rounds the other way there
		return func(dst []uint8, y int) {
			for x := 0; len(dst) >= 3; x++ {
				c := m.YCbCrAt(r.Min.X+x, r.Min.Y+y)
				dst[0], dst[1], dst[2] = color.YCbCrToRGB(c.Y, c.Cb, c.Cr)
				dst = dst[3:]
			}
		}
	}
	across := 1 << shift
	return func(dst []uint8, y int) {
		at := m.COffset(r.Min.X, r.Min.Y+y)
		luma, cb, cr := m.Y[m.YOffset(r.Min.X, r.Min.Y+y):][:r.Dx()], m.Cb[at:], m.Cr[at:]
		// The first sample covers fewer pixels where the picture was cut out.
		if n := r.Min.X % across; n > 0 {
			n = min(across-n, len(luma))
			chroma(dst, luma[:n], cb, cr, shift)
			dst, luma, cb, cr = dst[3*n:], luma[n:], cb[1:], cr[1:]
		}
		if across == 2 {
			n := len(luma) &^ 1
			chromaPairs(dst, luma[:n], cb, cr)
			dst, luma, cb, cr = dst[3*n:], luma[n:], cb[n/2:], cr[n/2:]
		}
		chroma(dst, luma, cb, cr, shift)
	}
}

// chroma converts pixels of which every 1<<shift share a chroma sample, with
// the constants of color.YCbCrToRGB, 16 bits behind the point.
func chroma(dst, luma, cb, cr []uint8, shift uint) {
	for i, l := range luma {
		b, r, y := int32(cb[i>>shift])-128, int32(cr[i>>shift])-128, int32(l)*0x10101
		p := dst[3*i:][:3:3]
		p[0], p[1], p[2] = held(y+91881*r), held(y-22554*b-46802*r), held(y+116130*b)
	}
}

// chromaPairs is chroma for two pixels a sample, as most JPEGs have: 1.7 ns a
// pixel instead of 3.
func chromaPairs(dst, luma, cb, cr []uint8) {
	if n := len(luma) &^ 15; n > 0 && machine.chromaPairs != nil {
		machine.chromaPairs(dst[:3*n], luma[:n], cb[:n/2], cr[:n/2])
		dst, luma, cb, cr = dst[3*n:], luma[n:], cb[n/2:], cr[n/2:]
	}
	n := len(luma) / 2
	dst, luma, cb, cr = dst[:6*n], luma[:2*n], cb[:n], cr[:n]
	for i, v := range cb {
		b, r := int32(v)-128, int32(cr[i])-128
		red, green, blue := 91881*r, -22554*b-46802*r, 116130*b
		l, p := luma[2*i:][:2:2], dst[6*i:][:6:6]
		y := int32(l[0]) * 0x10101
		p[0], p[1], p[2] = held(y+red), held(y+green), held(y+blue)
		y = int32(l[1]) * 0x10101
		p[3], p[4], p[5] = held(y+red), held(y+green), held(y+blue)
	}
}

// held returns v >> 16, which lies in −227 … 480, held to 0 … 255; without a
// branch, since saturated colours come and go.
func held(v int32) uint8 { return saturated[uint32(v)>>16%uint32(len(saturated))] }

var saturated = func() (t [1024]uint8) {
	for i := range t[:512] { // the upper half stands for negative values
		t[i] = uint8(min(i, 255))
	}
	return t
}()
