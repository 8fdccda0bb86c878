//go:build !turbo

package photo

import (
	"errors"
	"image"
)

// HasTurbo says whether this build uses libjpeg-turbo where it is installed.
const HasTurbo = false

// Turbo returns version and file of the libjpeg-turbo that decodes JPEGs, or
// why Go's decoder does.
func Turbo() (string, error) { return "", errors.New("built without libjpeg-turbo") }

// reduced returns nil: no decoder of this build makes smaller pictures.
func (f found) reduced(Enough) image.Image { return nil }

func (f *found) measureTurbo(bool) {}
