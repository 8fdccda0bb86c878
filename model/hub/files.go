package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
)

// Files of a checkpoint in the layout of the transformers library. These two
// hold the weights, or name the files that do.
const (
	weightsFile = "model.safetensors"
	indexFile   = weightsFile + ".index.json"
)

const configFile = "config.json"

// settings change what the model is given. A repository need not have them,
// but one that has them is not understood without.
var settings = []string{"preprocessor_config.json", "processor_config.json", "tokenizer_config.json", "special_tokens_map.json"}

// vocabularies are the forms that a tokenizer is stored in; one is enough.
var vocabularies = [][]string{{"tokenizer.json"}, {"spiece.model"}, {"tokenizer.model"}, {"vocab.json", "merges.txt"}}

// choose picks the files that are needed out of all that a commit has, small
// ones first.
func (s *session) choose(ctx context.Context, has map[string]bool) ([]string, error) {
	if !has[configFile] {
		return nil, errors.New("it has no config.json, so it is no model in the layout of the transformers library")
	}
	chosen := []string{configFile}
	for _, name := range slices.Concat(settings, slices.Concat(vocabularies...)) {
		if has[name] {
			chosen = append(chosen, name)
		}
	}
	if !hasVocabulary(func(name string) bool { return has[name] }) {
		return nil, fmt.Errorf("it has no tokenizer (%s)", vocabularyNames())
	}
	switch {
	case has[weightsFile]:
		return append(chosen, weightsFile), nil
	case has[indexFile]:
		return append(chosen, indexFile), nil
	}
	return nil, s.noWeights(ctx, has)
}

// noWeights says why the weights of a repository cannot be used, and where
// there may be some that can.
func (s *session) noWeights(ctx context.Context, has map[string]bool) error {
	of := func(exts ...string) (names []string) {
		for _, name := range slices.Sorted(maps.Keys(has)) {
			if !strings.Contains(name, "/") && slices.Contains(exts, path.Ext(name)) && safeText.MatchString(name) {
				names = append(names, name)
			}
		}
		return names
	}
	if other := of(".safetensors"); other != nil {
		return fmt.Errorf("its weights are in another layout (%s): only that of the transformers library, with %s, is read", list(other), weightsFile)
	}
	pickles := of(".bin", ".pt", ".pth", ".ckpt")
	if pickles == nil {
		return fmt.Errorf("it has no %s, the only form of weights that is read", weightsFile)
	}
	why := fmt.Sprintf("its weights are pickled (%s) and there is no %s; a pickle can run any program when it is opened, so it is not used", list(pickles), weightsFile)
	if rev := s.converted(ctx); rev != "" {
		return fmt.Errorf("%s. The hub's own converter offers them as safetensors: sigla pull %s@%s", why, s.repo.id(), rev)
	}
	return fmt.Errorf("%s. Have it converted at %s/spaces/safetensors/convert and pull %s@refs/pr/NUMBER, or save it again with the transformers library and name that folder", why, DefaultEndpoint, s.repo.id())
}

func hasVocabulary(has func(string) bool) bool {
	return slices.ContainsFunc(vocabularies, func(form []string) bool {
		return !slices.ContainsFunc(form, func(name string) bool { return !has(name) })
	})
}

func vocabularyNames() string {
	var forms []string
	for _, form := range vocabularies {
		forms = append(forms, strings.Join(form, " with "))
	}
	return strings.Join(forms, ", ")
}

const (
	maxIndex  = 64 << 20 // bytes; that of giant-opt has 101 kB
	maxShards = 1000
)

// readIndex returns the names of the files that hold the weights, in order.
func readIndex(file string) ([]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxIndex+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxIndex {
		return nil, fmt.Errorf("%s is larger than any index: over %s", file, size(maxIndex))
	}
	var index struct {
		Files map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(data, &index); err != nil {
		return nil, fmt.Errorf("%s is no index: %w", file, err)
	}
	shards := slices.Compact(slices.Sorted(maps.Values(index.Files)))
	if len(shards) == 0 || len(shards) > maxShards {
		return nil, fmt.Errorf("%s names %d files with weights", file, len(shards))
	}
	for _, name := range shards {
		if !shardName.MatchString(name) {
			return nil, fmt.Errorf("%s names %.100q, which is no plain file name", file, name)
		}
	}
	return shards, nil
}

// list joins names as a sentence has them.
func list(names []string) string { return strings.Join(names, ", ") }

// size prints a number of bytes for a reader: "1.50 GB".
func size(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.2f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%d bytes", n)
}
