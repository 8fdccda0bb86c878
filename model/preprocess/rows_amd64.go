//go:build !purego

package preprocess

import "golang.org/x/sys/cpu"

func init() {
	if cpu.X86.HasAVX2 {
		machine = loops{acrossAVX2, chromaPairsAVX2, packAVX2}
	}
}

//go:noescape
func acrossAVX2(dst, src []uint8, reaches []reach, weights []int16)

//go:noescape
func chromaPairsAVX2(dst, luma, cb, cr []uint8)

//go:noescape
func packAVX2(dst, src []uint8) (opaque bool)
