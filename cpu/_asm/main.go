// Command asm writes the assembly of package cpu, one file a run:
//
//	go run . -kernels matmul|bf16|vector|conv|scan -out x_amd64.s -stubs x_amd64.go -pkg cpu
//
// Every kernel is described once for a vector of any width (type isa) and
// written for AVX2 and for AVX-512, so the two levels differ in speed only.
package main

import (
	"flag"
	"log"

	. "github.com/mmcloughlin/avo/build"
)

func main() {
	kernels := flag.String("kernels", "", "which kernels to write: matmul, bf16, vector, conv or scan")
	flag.Parse()
	ConstraintExpr("!purego")
	switch *kernels {
	case "matmul":
		matmul()
	case "bf16":
		bf16()
	case "vector":
		for _, v := range []isa{avx2, avx512} {
			elementwise(v)
			rows(v)
			optimizer(v)
			loss(v)
			softmaxes(v)
		}
	case "conv":
		for _, v := range []isa{avx2, avx512} {
			depthwise(v)
		}
	case "scan":
		for _, v := range []isa{avx2, avx512} {
			scan(v)
		}
	default:
		log.Fatalf("unknown kernels %q", *kernels)
	}
	Generate()
	if *kernels == "bf16" {
		encodeBF16(flag.Lookup("out").Value.String())
	}
}
