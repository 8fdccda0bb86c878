// Package assets holds what the program brings along, so that its first run
// needs no network: the starter model, photos to try it on, and label sets.
package assets

import (
	"embed"
	"io/fs"
)

// One variable a file: unlike an embed.FS, which copies a file for every
// reader, these bytes are used where the program image has them.
//
//go:embed starter/MODEL.md
var starterAbout []byte

//go:embed starter/config.json
var starterConfig []byte

//go:embed starter/model.safetensors
var starterWeights []byte

//go:embed starter/preprocessor_config.json
var starterPreprocessor []byte

//go:embed starter/tokenizer.json
var starterTokenizer []byte

//go:embed starter/tokenizer_config.json
var starterTokenizerConfig []byte

//go:embed labels/everyday.toml
var everyday []byte

//go:embed demo
var demo embed.FS

// Starter returns the files of the starter model by name: a checkpoint folder,
// and MODEL.md, which says what it was made from and under which licences. The
// bytes are shared and must not be changed.
func Starter() map[string][]byte {
	return map[string][]byte{
		"MODEL.md":                 starterAbout,
		"config.json":              starterConfig,
		"model.safetensors":        starterWeights,
		"preprocessor_config.json": starterPreprocessor,
		"tokenizer.json":           starterTokenizer,
		"tokenizer_config.json":    starterTokenizerConfig,
	}
}

// Demo returns a folder of photos and, in CREDITS.md, who took them and under
// which licences.
func Demo() fs.FS {
	photos, err := fs.Sub(demo, "demo")
	if err != nil {
		panic(err) // only a name that is no path
	}
	return photos
}

// Everyday returns the default label set, in TOML. The bytes are shared and
// must not be changed.
func Everyday() []byte {
	return everyday
}
