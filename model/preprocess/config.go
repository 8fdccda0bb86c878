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
	// Patch and Budget are set for towers that take pictures of any aspect
	// (NaFlex): the side of a patch and the most patches a picture may have.
	// Width and Height are 0 then.
	Patch, Budget int
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
	Patch         *int           `json:"patch_size"`
	Budget        *int           `json:"max_num_patches"`
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

// ParseConfig reads a preprocessor_config.json, or a processor_config.json
// with the same fields under "image_processor". Fields that are not there get
// the defaults of the processor's class; nil gives those of the first SigLIP:
// 224×224, bicubic, (v/255 − 0.5)/0.5.
func ParseConfig(data []byte) (Config, error) {
	p := &processor{}
	if data != nil {
		if err := json.Unmarshal(data, p); err != nil {
			return Config{}, err
		}
	}
	if p.Nested != nil {
		p = p.Nested
	}
	kind := p.Type + p.OldType
	clip := strings.Contains(kind, "CLIP")
	flexible := strings.HasPrefix(kind, "Siglip2")
	c := Config{Rescale: 1.0 / 255, Mean: [3]float32{0.5, 0.5, 0.5}, Std: [3]float32{0.5, 0.5, 0.5}, Filter: Bicubic}
	if clip {
		c.Mean = [3]float32{0.48145466, 0.4578275, 0.40821073}
		c.Std = [3]float32{0.26862954, 0.26130258, 0.27577711}
	}
	if flexible {
		c.Filter = Bilinear
	}
	if err := p.normalisation(&c); err != nil {
		return Config{}, err
	}
	var err error
	if flexible {
		err = p.flexible(&c)
	} else {
		err = p.sizes(&c, clip)
	}
	if err != nil {
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

// sizes sets the size of a fixed input. A bare number is a square, but the
// shorter side where the middle is cut out.
func (p *processor) sizes(c *Config, clip bool) error {
	if !or(p.Resize, true) {
		return errors.New("do_resize false is not supported: the tower takes one size")
	}
	crop := or(p.CenterCrop, clip)
	size := processorSize{Number: 224}
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
		cut := processorSize{Number: 224}
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

// flexible sets the patch size and budget of a NaFlex input.
func (p *processor) flexible(c *Config) error {
	c.Patch, c.Budget = 16, 256
	if p.Patch != nil {
		c.Patch = *p.Patch
	}
	if p.Budget != nil {
		c.Budget = *p.Budget
	}
	if c.Patch < 1 || c.Patch > maxSide || c.Budget < 1 || c.Budget > maxSide*maxSide/(c.Patch*c.Patch) {
		return fmt.Errorf("budget of %d patches of %d pixels is out of range", c.Budget, c.Patch)
	}
	return nil
}

func or(b *bool, otherwise bool) bool {
	if b == nil {
		return otherwise
	}
	return *b
}
