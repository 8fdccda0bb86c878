// Package backendtest holds every engine to the reference. Each operation runs
// on both with the same numbers, at sizes that fall off the edges of vectors
// and tiles, and the results must agree. Around every tensor lie guards that
// must survive; sources must be unchanged. Every gradient is compared with
// finite differences of the reference's forward operation, too.
//
// The idea is that of ggml's test-backend-ops. To add an operation, write its
// cases in the file of its theme, wrong shapes in shapes.go, its speed in
// bench.go, and a fault that must be caught in the package's own test.
package backendtest

import (
	"testing"

	"sigla/backend"
)

// A check tries one thing on an engine and says what is wrong.
type check func(e *arena) error

// A testCase is a check with a name such as "tb+bias/17x33x65".
type testCase struct {
	name string
	run  check
}

// An operation is a method of backend.Backend with all its cases.
type operation struct {
	name  string
	cases []testCase
}

// operations lists everything that is checked.
func operations() []operation {
	ops := []operation{
		{"Memory", memoryCases()},
		{"CopyRows", copyRowsCases()},
		{"Add", addCases()},
		{"SumRows", sumRowsCases()},
		{"MatMul", matMulCases()},
		{"GELU", geluCases()},
		{"GELUGrad", geluGradCases()},
		{"LayerNorm", layerNormCases()},
		{"LayerNormGrad", layerNormGradCases()},
		{"Attention", attentionCases()},
		{"AttentionGrad", attentionGradCases()},
		{"Normalize", normalizeCases()},
		{"NormalizeGrad", normalizeGradCases()},
		{"DepthwiseConv", depthwiseConvCases()},
		{"ReLU6", relu6Cases()},
		{"SigmoidLoss", sigmoidLossCases()},
		{"SoftmaxLoss", softmaxLossCases()},
		{"SumSquares", sumSquaresCases()},
		{"AdamW", adamWCases()},
	}
	for i, op := range ops {
		ops[i].cases = append(op.cases, shapeCases(op.name)...)
	}
	return ops
}

// Run tests the engines that open makes, one for each operation, and closes
// them. open may skip the test where there is no device.
func Run(t *testing.T, open func(t *testing.T) backend.Backend) {
	for _, op := range operations() {
		t.Run(op.name, func(t *testing.T) {
			e := &arena{Backend: open(t)}
			for _, c := range op.cases {
				t.Run(c.name, func(t *testing.T) {
					if err := c.run(e); err != nil {
						t.Error(err)
					}
				})
			}
			if err := e.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
}
