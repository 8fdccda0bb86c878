package photo

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/draw"
	"io"
	"math"

	"golang.org/x/image/webp"
)

var errWebPFrame = errors.New("broken file: WebP animation")

// decodeWebP decodes a WebP, of an animation the first frame: x/image knows
// still pictures only.
func decodeWebP(r io.Reader) (image.Image, error) {
	const animated = 1 << 1 // flag of VP8X
	file := bufio.NewReader(r)
	head, err := file.Peek(30)
	if err != nil || string(head[12:16]) != "VP8X" || head[20]&animated == 0 {
		return decodeStill(file)
	}
	canvas := image.Rect(0, 0, uint24(head[24:])+1, uint24(head[27:])+1)
	frame, place, err := firstWebPFrame(file)
	if err != nil {
		return nil, err
	}
	if !place.In(canvas) { // canvases are of the size that is allowed
		return nil, errWebPFrame
	}
	img, err := decodeStill(frame)
	if err != nil || place == canvas {
		return img, err
	}
	whole := image.NewNRGBA(canvas)
	draw.Draw(whole, place, img, image.Point{}, draw.Src)
	return whole, nil
}

// firstWebPFrame returns the first frame of an animation as a file of its own,
// and its place on the canvas.
func firstWebPFrame(file *bufio.Reader) (io.Reader, image.Rectangle, error) {
	if _, err := file.Discard(12); err != nil {
		return nil, image.Rectangle{}, err
	}
	var head [24]byte // name and length of the chunk; x/2, y/2, width−1, height−1 of 3 bytes, 4 more
	for range maxSegments {
		if _, err := io.ReadFull(file, head[:8]); err != nil {
			return nil, image.Rectangle{}, err
		}
		n := int64(binary.LittleEndian.Uint32(head[4:]))
		if string(head[:4]) != "ANMF" {
			if _, err := io.CopyN(io.Discard, file, n+n&1); err != nil {
				return nil, image.Rectangle{}, err
			}
			continue
		}
		if n < 16 {
			return nil, image.Rectangle{}, errWebPFrame
		}
		if _, err := io.ReadFull(file, head[8:]); err != nil {
			return nil, image.Rectangle{}, err
		}
		still := []byte("RIFF....WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00WWWHHH")
		binary.LittleEndian.PutUint32(still[4:], uint32(n-16+22))
		if next, err := file.Peek(4); err == nil && string(next) == "ALPH" {
			still[20] = 1 << 4 // flag: alpha
		}
		copy(still[24:], head[14:20])
		place := image.Rect(0, 0, uint24(head[14:])+1, uint24(head[17:])+1).Add(image.Pt(2*uint24(head[8:]), 2*uint24(head[11:])))
		return io.MultiReader(bytes.NewReader(still), io.LimitReader(file, n-16)), place, nil
	}
	return nil, image.Rectangle{}, errWebPFrame
}

func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }

// decodeStill decodes one picture and stretches the planes of a lossy one: VP8
// stores video levels (luma 16 … 235, chroma 16 … 240), which x/image returns
// as they are in a type that means full range (golang.org/issue/40173).
func decodeStill(r io.Reader) (image.Image, error) {
	img, err := webp.Decode(r)
	switch m := img.(type) {
	case *image.YCbCr:
		stretch(m)
	case *image.NYCbCrA:
		stretch(&m.YCbCr)
	}
	return img, err
}

func stretch(m *image.YCbCr) {
	var luma, chroma [256]uint8
	for v := range 256 {
		luma[v] = uint8(max(0, min(255, math.Round(float64(v-16)*255/219))))
		chroma[v] = uint8(max(0, min(255, math.Round(float64(v-128)*255/224)+128)))
	}
	for i, v := range m.Y {
		m.Y[i] = luma[v]
	}
	for i, v := range m.Cb {
		m.Cb[i] = chroma[v]
	}
	for i, v := range m.Cr {
		m.Cr[i] = chroma[v]
	}
}
