package catalog

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
)

// A Hash is the identity of a photo: the SHA-256 of its file's content. The
// zero Hash stands for none.
type Hash [sha256.Size]byte

// HashOf reads r to its end.
func HashOf(r io.Reader) (Hash, error) {
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return Hash{}, err
	}
	return Hash(h.Sum(nil)), nil
}

// String returns the hash as 64 hexadecimal digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText returns the same.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (h *Hash) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(h)) {
		return fmt.Errorf("a hash of %d digits, not %d", len(text), hex.EncodedLen(len(h)))
	}
	_, err := hex.Decode(h[:], text)
	return err
}

// column is the hash as a value of the database: nil for the zero Hash.
func (h Hash) column() any {
	if h == (Hash{}) {
		return nil
	}
	return h[:]
}

// hashOf reads a column; anything but a whole hash is the zero Hash.
func hashOf(column []byte) Hash {
	if len(column) != len(Hash{}) {
		return Hash{}
	}
	return Hash(column)
}
