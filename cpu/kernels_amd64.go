//go:build !purego

package cpu

import "golang.org/x/sys/cpu"

//go:generate go run -C _asm . -kernels matmul -out ../matmul_amd64.s -stubs ../matmul_amd64.go -pkg cpu
//go:generate go run -C _asm . -kernels bf16 -out ../bf16_amd64.s -stubs ../bf16_amd64.go -pkg cpu
//go:generate go run -C _asm . -kernels vector -out ../vector_amd64.s -stubs ../vector_amd64.go -pkg cpu
//go:generate go run -C _asm . -kernels conv -out ../conv_amd64.s -stubs ../conv_amd64.go -pkg cpu
//go:generate go run -C _asm . -kernels scan -out ../scan_amd64.s -stubs ../scan_amd64.go -pkg cpu

// levels returns what this processor can run, best first.
func levels() []*kernels {
	var l []*kernels
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL {
		if fastBF16() {
			avx512.bf16 = &bf16Kernels{tile{14, 32, gemm14x32BF16}, roundBF16, pairsBF16}
		}
		l = append(l, &avx512)
	}
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA && cpu.X86.HasF16C {
		l = append(l, &avx2)
	}
	return append(l, &generic)
}

// fastBF16 reports whether the processor multiplies bfloat16 numbers faster
// than float32. AMD's do twice as many; of Intel's, those with the instruction
// do at most as many. It goes by the name and not by a measurement, so that the
// same machine always gives the same numbers.
func fastBF16() bool {
	const auth = 'A' | 'u'<<8 | 't'<<16 | 'h'<<24
	return cpu.X86.HasAVX512BF16 && vendor() == auth
}

var avx512 = kernels{
	level: "avx512",
	tiles: []tile{
		{4, 16, gemm4x16AVX512}, {4, 32, gemm4x32AVX512},
		{8, 16, gemm8x16AVX512}, {8, 32, gemm8x32AVX512},
		{14, 16, gemm14x16AVX512}, {14, 32, gemm14x32AVX512},
	},
	blockM: 14 * 16, blockN: 384, blockK: 512,
	slice:     25e6,
	transpose: transposeAVX512,
	lanes:     16,
	gather:    gatherAVX512,

	add:   addAVX512,
	relu6: relu6AVX512,
	scale: scaleAVX512,
	blend: blendAVX512,

	gate:     gateAVX512,
	gateGrad: gateGradAVX512,

	dot:       dotAVX512,
	largest:   largestAVX512,
	expSum:    expSumAVX512,
	scoreGrad: scoreGradAVX512,

	layerNorm:     layerNormAVX512,
	layerNormGrad: layerNormGradAVX512,
	depthwise:     depthwiseAVX512,
	pairLoss:      pairLossAVX512,
	softmaxes:     softmaxesAVX512,
	adamW:         adamWAVX512,

	scan:     scanner[float32]{dotsAVX512, productsAVX512, 4},
	scanHalf: scanner[uint16]{dotsHalfAVX512, productsHalfAVX512, 4},
	touch:    touchAVX512,

	peak:     peakAVX512,
	peakAdds: 12 * 16,
}

var avx2 = kernels{
	level: "avx2",
	tiles: []tile{
		{2, 16, gemm2x16AVX2}, {6, 16, gemm6x16AVX2},
	},
	blockM: 6 * 24, blockN: 384, blockK: 512,
	slice:     12e6,
	transpose: transposeAVX2,
	lanes:     8,
	gather:    gatherAVX2,

	add:   addAVX2,
	relu6: relu6AVX2,
	scale: scaleAVX2,
	blend: blendAVX2,

	gate:     gateAVX2,
	gateGrad: gateGradAVX2,

	dot:       dotAVX2,
	largest:   largestAVX2,
	expSum:    expSumAVX2,
	scoreGrad: scoreGradAVX2,

	layerNorm:     layerNormAVX2,
	layerNormGrad: layerNormGradAVX2,
	depthwise:     depthwiseAVX2,
	pairLoss:      pairLossAVX2,
	softmaxes:     softmaxesAVX2,
	adamW:         adamWAVX2,

	scan:     scanner[float32]{dotsAVX2, productsAVX2, 2},
	scanHalf: scanner[uint16]{dotsHalfAVX2, productsHalfAVX2, 2},
	touch:    touchAVX2,

	peak:     peakAVX2,
	peakAdds: 12 * 8,
}
