package finetune

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

func TestEvents(t *testing.T) {
	want := []Event{
		{Step: 1, Steps: 2, Loss: 3.5, LogScale: 2.5, Temperature: 12.182493960703473, Bias: -10, LR: 1e-3, GradNorm: 0.5, PairsPerSecond: 1e6, Seconds: 0.25},
		{Step: 2, Loss: 3, Validation: &Validation{Loss: 3.25, AveragePrecision: 0.5, Photos: 7, Labels: 3}},
	}
	var log bytes.Buffer
	for _, e := range want {
		if err := WriteEvent(&log, e); err != nil {
			t.Fatal(err)
		}
	}
	for _, cut := range []string{"", `{"step":3,"lo`} { // a killed run
		got, err := ReadEvents(strings.NewReader(log.String() + cut))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("with %q at the end: %+v, %v", cut, got, err)
		}
	}
	if got, err := ReadEvents(strings.NewReader("{}\nno event\n{}\n")); err == nil || !strings.HasPrefix(err.Error(), "line 2: ") || len(got) != 1 {
		t.Errorf("a damaged line: %v, %v", got, err)
	}
}
