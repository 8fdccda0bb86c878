//go:build !purego

#include "textflag.h"

// Masks for VPSHUFB; 0x80 gives a zero byte. Each lane of 16 bytes is shuffled
// on its own.

// Four pixels of RGB to words (r0 r1) (g0 g1) (b0 b1) (0 0), and the same of
// pixels 2 and 3 in the upper lane.
DATA pairs<>+0(SB)/8, $0x8004800180038000
DATA pairs<>+8(SB)/8, $0x8080808080058002
DATA pairs<>+16(SB)/8, $0x800a800780098006
DATA pairs<>+24(SB)/8, $0x80808080800b8008
GLOBL pairs<>(SB), RODATA|NOPTR, $32

// Luma bytes y to doublewords y·0x010101: pixels 0 … 3, and 8 … 11 in the
// upper lane; then 4 … 7 and 12 … 15.
DATA lumaLow<>+0(SB)/8, $0x8001010180000000
DATA lumaLow<>+8(SB)/8, $0x8003030380020202
DATA lumaLow<>+16(SB)/8, $0x8009090980080808
DATA lumaLow<>+24(SB)/8, $0x800b0b0b800a0a0a
GLOBL lumaLow<>(SB), RODATA|NOPTR, $32
DATA lumaHigh<>+0(SB)/8, $0x8005050580040404
DATA lumaHigh<>+8(SB)/8, $0x8007070780060606
DATA lumaHigh<>+16(SB)/8, $0x800d0d0d800c0c0c
DATA lumaHigh<>+24(SB)/8, $0x800f0f0f800e0e0e
GLOBL lumaHigh<>(SB), RODATA|NOPTR, $32

// From eight reds and eight greens, bytes 0 … 15 and 16 … 23 of RGB, with gaps
// for the blues; and the blues into the gaps. The same in both lanes.
DATA redGreen<>+0(SB)/8, $0x0a02800901800800
DATA redGreen<>+8(SB)/8, $0x05800c04800b0380
GLOBL redGreen<>(SB), RODATA|NOPTR, $16
DATA redGreenTail<>+0(SB)/8, $0x800f07800e06800d
DATA redGreenTail<>+8(SB)/8, $0x8080808080808080
GLOBL redGreenTail<>(SB), RODATA|NOPTR, $16
DATA blue<>+0(SB)/8, $0x8080018080008080
DATA blue<>+8(SB)/8, $0x8004808003808002
GLOBL blue<>(SB), RODATA|NOPTR, $16
DATA blueTail<>+0(SB)/8, $0x0780800680800580
DATA blueTail<>+8(SB)/8, $0x8080808080808080
GLOBL blueTail<>(SB), RODATA|NOPTR, $16

// Four pixels of RGBA to twelve bytes of RGB, and four that do not count. The
// same in both lanes.
DATA noAlpha<>+0(SB)/8, $0x0908060504020100
DATA noAlpha<>+8(SB)/8, $0x808080800e0d0c0a
GLOBL noAlpha<>(SB), RODATA|NOPTR, $16

// The constants of color.YCbCrToRGB, and one half before the shift by point.
DATA factors<>+0(SB)/4, $91881
DATA factors<>+4(SB)/4, $-22554
DATA factors<>+8(SB)/4, $-46802
DATA factors<>+12(SB)/4, $116130
DATA factors<>+16(SB)/4, $128
DATA factors<>+20(SB)/4, $0x200000
GLOBL factors<>(SB), RODATA|NOPTR, $24

// func acrossAVX2(dst, src []uint8, reaches []reach, weights []int16)
//
// DI output, SI row, R8 reach, R9 reaches left, BX weights, CX groups left,
// R10 pixels; Y4 and Y5 sums for the low and high parts of the weights.
TEXT ·acrossAVX2(SB), NOSPLIT, $0-96
	MOVQ         dst_base+0(FP), DI
	MOVQ         src_base+24(FP), SI
	MOVQ         reaches_base+48(FP), R8
	MOVQ         reaches_len+56(FP), R9
	MOVQ         weights_base+72(FP), BX
	VMOVDQU      pairs<>(SB), Y15
	VPBROADCASTD factors<>+20(SB), X14
	TESTQ        R9, R9
	JZ           done

output:
	MOVLQZX (R8), R10
	MOVLQZX 4(R8), CX
	ADDQ    SI, R10
	VPXOR   Y4, Y4, Y4
	VPXOR   Y5, Y5, Y5

group:
	VBROADCASTI128 (R10), Y1
	VPSHUFB        Y15, Y1, Y1
	VPMADDWD       (BX), Y1, Y2
	VPMADDWD       32(BX), Y1, Y3
	VPADDD         Y2, Y4, Y4
	VPADDD         Y3, Y5, Y5
	ADDQ           $12, R10
	ADDQ           $64, BX
	DECL           CX
	JNZ            group

	VPSLLD       $15, Y5, Y5
	VPADDD       Y5, Y4, Y4
	VEXTRACTI128 $1, Y4, X5
	VPADDD       X5, X4, X4
	VPADDD       X14, X4, X4
	VPSRAD       $22, X4, X4
	VPACKSSDW    X4, X4, X4
	VPACKUSWB    X4, X4, X4
	VMOVD        X4, AX
	MOVW         AX, (DI)
	SHRL         $16, AX
	MOVB         AX, 2(DI)
	ADDQ         $3, DI
	ADDQ         $8, R8
	DECQ         R9
	JNZ          output

done:
	VZEROUPPER
	RET

// func chromaPairsAVX2(dst, luma, cb, cr []uint8)
//
// DI output, SI luma, R8 Cb, R9 Cr, CX steps of 16 pixels left.
TEXT ·chromaPairsAVX2(SB), NOSPLIT, $0-96
	MOVQ           dst_base+0(FP), DI
	MOVQ           luma_base+24(FP), SI
	MOVQ           luma_len+32(FP), CX
	MOVQ           cb_base+48(FP), R8
	MOVQ           cr_base+72(FP), R9
	VPBROADCASTD   factors<>+16(SB), Y15
	VPBROADCASTD   factors<>+0(SB), Y14
	VPBROADCASTD   factors<>+4(SB), Y13
	VPBROADCASTD   factors<>+8(SB), Y12
	VPBROADCASTD   factors<>+12(SB), Y11
	VMOVDQU        lumaLow<>(SB), Y10
	VMOVDQU        lumaHigh<>(SB), Y9
	VBROADCASTI128 redGreen<>(SB), Y8
	VBROADCASTI128 blue<>(SB), Y7
	SHRQ           $4, CX
	JZ             done

step:
	// Y0 red, Y1 green, Y2 blue of eight chroma samples.
	VPMOVZXBD (R8), Y2
	VPMOVZXBD (R9), Y0
	VPSUBD    Y15, Y2, Y2
	VPSUBD    Y15, Y0, Y0
	VPMULLD   Y13, Y2, Y1
	VPMULLD   Y12, Y0, Y3
	VPADDD    Y3, Y1, Y1
	VPMULLD   Y14, Y0, Y0
	VPMULLD   Y11, Y2, Y2

	// Y3 and Y4 luma of sixteen pixels.
	VBROADCASTI128 (SI), Y4
	VPSHUFB        Y10, Y4, Y3
	VPSHUFB        Y9, Y4, Y4

	// Each chroma sample twice, plus luma, as sixteen words: 0 … 7, 8 … 15.
	VPUNPCKLDQ Y0, Y0, Y5
	VPUNPCKHDQ Y0, Y0, Y0
	VPADDD     Y3, Y5, Y5
	VPADDD     Y4, Y0, Y0
	VPSRAD     $16, Y5, Y5
	VPSRAD     $16, Y0, Y0
	VPACKSSDW  Y0, Y5, Y0
	VPUNPCKLDQ Y1, Y1, Y5
	VPUNPCKHDQ Y1, Y1, Y1
	VPADDD     Y3, Y5, Y5
	VPADDD     Y4, Y1, Y1
	VPSRAD     $16, Y5, Y5
	VPSRAD     $16, Y1, Y1
	VPACKSSDW  Y1, Y5, Y1
	VPUNPCKLDQ Y2, Y2, Y5
	VPUNPCKHDQ Y2, Y2, Y2
	VPADDD     Y3, Y5, Y5
	VPADDD     Y4, Y2, Y2
	VPSRAD     $16, Y5, Y5
	VPSRAD     $16, Y2, Y2
	VPACKSSDW  Y2, Y5, Y2

	// Held to bytes and interleaved.
	VPACKUSWB      Y1, Y0, Y0
	VPACKUSWB      Y2, Y2, Y2
	VPSHUFB        Y8, Y0, Y3
	VPSHUFB        Y7, Y2, Y4
	VPOR           Y4, Y3, Y3
	VBROADCASTI128 redGreenTail<>(SB), Y5
	VBROADCASTI128 blueTail<>(SB), Y6
	VPSHUFB        Y5, Y0, Y0
	VPSHUFB        Y6, Y2, Y2
	VPOR           Y2, Y0, Y0
	VEXTRACTI128   $1, Y3, X4
	VEXTRACTI128   $1, Y0, X1
	VMOVDQU        X3, (DI)
	VMOVQ          X0, 16(DI)
	VMOVDQU        X4, 24(DI)
	VMOVQ          X1, 40(DI)
	ADDQ           $48, DI
	ADDQ           $16, SI
	ADDQ           $8, R8
	ADDQ           $8, R9
	DECQ           CX
	JNZ            step

done:
	VZEROUPPER
	RET

// func packAVX2(dst, src []uint8) (opaque bool)
//
// DI output, SI input, CX steps of 8 pixels left, Y2 all alphas.
TEXT ·packAVX2(SB), NOSPLIT, $0-49
	MOVQ           dst_base+0(FP), DI
	MOVQ           src_base+24(FP), SI
	MOVQ           src_len+32(FP), CX
	VBROADCASTI128 noAlpha<>(SB), Y15
	VPCMPEQD       Y2, Y2, Y2
	SHRQ           $5, CX
	JZ             done

step:
	VMOVDQU      (SI), Y0
	VPAND        Y0, Y2, Y2
	VPSHUFB      Y15, Y0, Y0
	VEXTRACTI128 $1, Y0, X1
	VMOVDQU      X0, (DI)
	VMOVQ        X1, 12(DI)
	VPEXTRD      $2, X1, 20(DI)
	ADDQ         $32, SI
	ADDQ         $24, DI
	DECQ         CX
	JNZ          step

done:
	VPCMPEQD  Y3, Y3, Y3
	VPCMPEQB  Y3, Y2, Y2
	VPMOVMSKB Y2, AX
	ANDL      $0x88888888, AX
	CMPL      AX, $0x88888888
	SETEQ     opaque+48(FP)
	VZEROUPPER
	RET
