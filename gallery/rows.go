package gallery

// slabRows is how many vectors are allocated together: 384 KiB of 384 values.
const slabRows = 256

// rows holds the vectors of the ready photos, in the order they became ready.
// A row is never changed once it is there, so what blocks returns can be read
// without a lock while further rows are added.
type rows struct {
	dim   int // values of a vector; 0 until there is one
	ids   []int
	slabs [][]float32 // [slabRows, dim] each
}

// A block is some rows that lie together: vectors is [len(ids), dim].
type block struct {
	ids     []int
	vectors []float32
}

// add copies v, of dim values, and returns the copy.
func (r *rows) add(id int, v []float32) []float32 {
	at := len(r.ids) % slabRows
	if at == 0 {
		r.slabs = append(r.slabs, make([]float32, slabRows*r.dim))
	}
	r.ids = append(r.ids, id)
	row := r.slabs[len(r.slabs)-1][at*r.dim:][:r.dim:r.dim]
	copy(row, v)
	return row
}

// blocks returns all rows from number start on.
func (r *rows) blocks(start int) []block {
	var list []block
	for start < len(r.ids) {
		end := min(len(r.ids), (start/slabRows+1)*slabRows)
		slab := r.slabs[start/slabRows]
		at := start % slabRows
		list = append(list, block{
			ids:     r.ids[start:end:end],
			vectors: slab[at*r.dim : (at+end-start)*r.dim],
		})
		start = end
	}
	return list
}
