package preprocess

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
)

// Config says how a picture becomes the input of an image tower.
type Config struct {
	Width, Height int // of the input
	// Edge is the length given to the picture's shorter side, the aspect kept,
	// before Width×Height is cut from its middle (CLIP). 0 means that the
	// picture is resized to Width×Height whatever its aspect (SigLIP).
	Edge    int
	Filter  Filter
	Rescale float64    // factor for the 8-bit values
	Mean    [3]float32 // subtracted after it, for R, G, B
	Std     [3]float32 // and divided by
}

// maxSide bounds input sizes, so that a broken file cannot ask for gigabytes;
// the largest published tower takes 512.
const maxSide = 1 << 13

// processor is the content of preprocessor_config.json.
type processor struct {
	Nested        *processor     `json:"image_processor"` // processor_config.json
	Type          string         `json:"image_processor_type"`
	OldType       string         `json:"feature_extractor_type"`
	Resize        *bool          `json:"do_resize"`
	RescalePixels *bool          `json:"do_rescale"`
	Normalize     *bool          `json:"do_normalize"`
	CenterCrop    *bool          `json:"do_center_crop"`
	Size          *processorSize `json:"size"`
	CropSize      *processorSize `json:"crop_size"`
	Resample      *int           `json:"resample"`
	RescaleFactor *float64       `json:"rescale_factor"`
	Mean          []float32      `json:"image_mean"`
	Std           []float32      `json:"image_std"`
}

// processorSize is a size in its three spellings: 224,
// {"height": 224, "width": 224} and {"shortest_edge": 224}.
type processorSize struct {
	Height int `json:"height"`
	Width  int `json:"width"`
	Edge   int `json:"shortest_edge"`
	Number int `json:"-"`
}

func (s *processorSize) UnmarshalJSON(data []byte) error {
	if json.Unmarshal(data, &s.Number) == nil {
		return nil
	}
	type plain processorSize
	return json.Unmarshal(data, (*plain)(s))
}

// Family names the checkpoints whose image processors have the same defaults.
type Family uint8

const (
	SigLIP  Family = iota // bicubic
	SigLIP2               // bilinear; those of a fixed size
	CLIP                  // bicubic, the middle cut out, values by the statistics of its training set
)

// Default returns what a family does when no file says otherwise, for an input
// of size×size pixels.
func Default(f Family, size int) Config {
	c := Config{
		Width: size, Height: size, Filter: Bicubic, Rescale: 1.0 / 255,
		Mean: [3]float32{0.5, 0.5, 0.5}, Std: [3]float32{0.5, 0.5, 0.5},
	}
	switch f {
	case SigLIP2:
		c.Filter = Bilinear
	case CLIP:
		c.Edge = size
		c.Mean = [3]float32{0.48145466, 0.4578275, 0.40821073}
		c.Std = [3]float32{0.26862954, 0.26130258, 0.27577711}
	}
	return c
}

// defaultSize is the input of a processor whose file gives no size.
const defaultSize = 224

// ParseConfig reads a preprocessor_config.json, or a processor_config.json
// with the same fields under "image_processor". Fields that are not there get
// the defaults of the processor's class, as in the reference: those of CLIP, or
// else of the first SigLIP, whose class SigLIP 2 uses for its fixed sizes. Where
// a checkpoint has no such file, Default says what holds.
func ParseConfig(data []byte) (Config, error) {
	p := &processor{}
	if err := json.Unmarshal(data, p); err != nil {
		return Config{}, err
	}
	if p.Nested != nil {
		p = p.Nested
	}
	kind := p.Type + p.OldType
	if strings.HasPrefix(kind, "Siglip2") {
		return Config{}, fmt.Errorf("a processor of kind %s makes inputs of any shape (NaFlex), which is not supported", kind)
	}
	family := SigLIP
	if strings.Contains(kind, "CLIP") {
		family = CLIP
	}
	c := Default(family, defaultSize)
	if err := p.normalisation(&c); err != nil {
		return Config{}, err
	}
	if err := p.sizes(&c, family == CLIP); err != nil {
		return Config{}, err
	}
	return c, nil
}

// normalisation sets the filter, the factor, mean and deviation.
func (p *processor) normalisation(c *Config) error {
	if p.Resample != nil {
		if *p.Resample < 0 || *p.Resample >= len(kernels) {
			return fmt.Errorf("resample %d is unknown (0 to %d)", *p.Resample, len(kernels)-1)
		}
		c.Filter = Filter(*p.Resample)
	}
	if p.RescaleFactor != nil {
		c.Rescale = *p.RescaleFactor
	}
	if !or(p.RescalePixels, true) {
		c.Rescale = 1
	}
	for _, v := range []struct {
		name string
		from []float32
		to   *[3]float32
	}{{"image_mean", p.Mean, &c.Mean}, {"image_std", p.Std, &c.Std}} {
		if v.from == nil {
			continue
		}
		if len(v.from) != 3 {
			return fmt.Errorf("%s has %d numbers, expected 3", v.name, len(v.from))
		}
		*v.to = [3]float32(v.from)
	}
	if !or(p.Normalize, true) {
		c.Mean, c.Std = [3]float32{}, [3]float32{1, 1, 1}
	}
	for _, s := range c.Std {
		if !(s > 0) || !(math.Abs(c.Rescale) > 0) {
			return fmt.Errorf("cannot normalise with rescale_factor %v and image_std %v", c.Rescale, c.Std)
		}
	}
	return nil
}

// sizes sets the size of the input; crop says whether the middle is cut out
// where the file does not. A bare number is a square, but the shorter side where
// the middle is cut out.
func (p *processor) sizes(c *Config, crop bool) error {
	if !or(p.Resize, true) {
		return errors.New("do_resize false is not supported: the tower takes one size")
	}
	crop = or(p.CenterCrop, crop)
	c.Edge = 0
	size := processorSize{Number: defaultSize}
	if p.Size != nil {
		size = *p.Size
	}
	switch {
	case size.Edge != 0:
		c.Edge = size.Edge
	case size.Number != 0 && crop:
		c.Edge = size.Number
	case size.Number != 0:
		c.Width, c.Height = size.Number, size.Number
	default:
		c.Width, c.Height = size.Width, size.Height
	}
	if crop {
		cut := processorSize{Number: defaultSize}
		if p.CropSize != nil {
			cut = *p.CropSize
		}
		if cut.Number != 0 {
			cut.Width, cut.Height = cut.Number, cut.Number
		}
		if c.Edge == 0 && (cut.Width != c.Width || cut.Height != c.Height) {
			return fmt.Errorf("crop_size %d×%d of size %d×%d is not supported: the crop must be the whole, or size a shortest_edge",
				cut.Width, cut.Height, c.Width, c.Height)
		}
		c.Width, c.Height = cut.Width, cut.Height
	} else if c.Edge != 0 {
		return errors.New("size shortest_edge without do_center_crop is not supported: the tower takes one size")
	}
	if c.Width < 1 || c.Height < 1 || c.Edge < 0 || max(c.Width, c.Height, c.Edge) > maxSide {
		return fmt.Errorf("input of %d×%d pixels, shortest edge %d (1 to %d expected)", c.Width, c.Height, c.Edge, maxSide)
	}
	return nil
}

func or(b *bool, otherwise bool) bool {
	if b == nil {
		return otherwise
	}
	return *b
}
