package safetensors

import (
	"encoding/binary"
	"os"
	"testing"
)

// FuzzParse: any bytes give an error or tensors that tile the data exactly.
func FuzzParse(f *testing.F) {
	for _, c := range badFiles {
		if len(c.data) < 1<<10 {
			f.Add(c.data)
		}
	}
	for _, path := range golden(f) {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		n := 8 + int(binary.LittleEndian.Uint64(data))
		f.Add(data[:n])
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse("fuzz", data)
		if err != nil {
			return
		}
		body := data[8+int(binary.LittleEndian.Uint64(data)):]
		for _, name := range file.Names() {
			tensor, ok := file.Tensor(name)
			if !ok || tensor.Len()*tensor.Type.Size() != len(tensor.Data) {
				t.Fatalf("%q: %d elements in %d bytes", name, tensor.Len(), len(tensor.Data))
			}
			if len(tensor.Data) > len(body) || len(tensor.Data) > 0 && &tensor.Data[0] != &body[0] {
				t.Fatalf("%q does not begin where the tensor before it ends", name)
			}
			body = body[len(tensor.Data):]
			tensor.Floats(nil)
			if len(tensor.Shape) == 2 && tensor.Shape[0] > 0 && tensor.Shape[1] < 1<<20 {
				tensor.Row(make([]float32, tensor.Shape[1]), tensor.Shape[0]-1)
			}
		}
		if len(body) != 0 {
			t.Fatalf("%d bytes belong to no tensor", len(body))
		}
	})
}
