package cli

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/adrg/xdg"

	"sigla/model"
)

// textCache keeps the embeddings of texts on disk, so that a label set costs
// its encoder run once per model and engine. A file holds records of a fixed
// size, [SHA-256 of the text, width float32, CRC-32C of both], little endian.
// Records are only appended, each batch by one write, so several processes may
// share a file; a torn or damaged record fails its check and is computed anew.
//
// Everything here is expendable: where the file cannot be read or written the
// texts are embedded as if it were empty.
type textCache struct {
	path  string
	width int

	mu    sync.Mutex
	known map[[sha256.Size]byte][]float32 // nil until the file was read
}

// newTextCache is the cache of a model on an engine: other engines round
// otherwise, and scores should not depend on who came first. The digest reads
// samples of large tensors, so a changed row of a token table can escape it;
// size and time of the weight files say that they are the same.
func newTextCache(info model.Info, device string, src model.Source) *textCache {
	h := sha256.New()
	io.WriteString(h, info.Digest)
	if f, ok := src.(folder); ok {
		for _, file := range f.weights() {
			fmt.Fprintf(h, "\n%s %d %d", file.Name(), file.Size(), file.ModTime().UnixNano())
		}
	}
	name := fmt.Sprintf("%.16x-%s", h.Sum(nil), fileName(device))
	return &textCache{path: filepath.Join(xdg.CacheHome, "sigla", "texts", name), width: info.Width}
}

// fileName keeps letters and digits.
func fileName(s string) string {
	out := []rune(s)
	for i, r := range out {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') {
			out[i] = '-'
		}
	}
	return string(out)
}

// embed returns the embeddings of texts, those that are not known from m.
func (c *textCache) embed(ctx context.Context, m *model.Model, texts []string) ([][]float32, error) {
	rows := make([][]float32, len(texts))
	var missing []string
	var at []int
	c.mu.Lock()
	if c.known == nil {
		c.read()
	}
	for i, text := range texts {
		if rows[i] = c.known[sha256.Sum256([]byte(text))]; rows[i] == nil {
			missing, at = append(missing, text), append(at, i)
		}
	}
	c.mu.Unlock()
	if len(missing) == 0 {
		return rows, nil
	}
	computed, err := m.EmbedTexts(ctx, missing)
	if err != nil {
		return nil, err
	}
	for i, row := range computed {
		rows[at[i]] = row
	}
	c.add(missing, computed)
	return rows, nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (c *textCache) recordSize() int { return sha256.Size + 4*c.width + 4 }

// read takes in the file. A record that fails its check is passed by.
func (c *textCache) read() {
	c.known = map[[sha256.Size]byte][]float32{}
	data, err := os.ReadFile(c.path)
	if err != nil {
		return
	}
	for size := c.recordSize(); len(data) >= size; data = data[size:] {
		body, sum := data[:size-4], binary.LittleEndian.Uint32(data[size-4:])
		if crc32.Checksum(body, castagnoli) != sum {
			continue
		}
		row := make([]float32, c.width)
		for i := range row {
			row[i] = math.Float32frombits(binary.LittleEndian.Uint32(body[sha256.Size+4*i:]))
		}
		c.known[[sha256.Size]byte(body)] = row
	}
}

// add remembers new embeddings and appends them to the file. One that is not
// finite is an error to be met each time, not a result to keep.
func (c *textCache) add(texts []string, rows [][]float32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var data []byte
	for i, text := range texts {
		if !finiteRow(rows[i]) {
			continue
		}
		key := sha256.Sum256([]byte(text))
		c.known[key] = rows[i]
		start := len(data)
		data = append(data, key[:]...)
		for _, v := range rows[i] {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
		}
		data = binary.LittleEndian.AppendUint32(data, crc32.Checksum(data[start:], castagnoli))
	}
	if len(data) == 0 || os.MkdirAll(filepath.Dir(c.path), 0o755) != nil {
		return
	}
	f, err := os.OpenFile(c.path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return
	}
	defer f.Close()
	// A torn end would shift every record behind it.
	if info, err := f.Stat(); err != nil || info.Size()%int64(c.recordSize()) != 0 && f.Truncate(info.Size()-info.Size()%int64(c.recordSize())) != nil {
		return
	}
	f.Write(data)
}

func finiteRow(row []float32) bool {
	return !slices.ContainsFunc(row, func(v float32) bool { return v-v != 0 })
}
