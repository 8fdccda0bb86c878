package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"sigla/backend/speed"
	"sigla/gpu"
)

// benchOperation is what one operation does. Rate or Bytes is 0: what computes
// is measured in the one, what moves memory in the other.
type benchOperation struct {
	Name  string  `json:"name"`
	Took  float64 `json:"ms"`
	Rate  float64 `json:"flops,omitempty"` // a second
	Share float64 `json:"share_of_peak,omitempty"`
	Bytes float64 `json:"bytes,omitempty"` // a second, read and written
}

// A launchCost is what it costs to give a device its work.
type launchCost struct {
	Each   float64 `json:"us"`         // of one that does nothing else
	Photos int     `json:"photos"`     // so many at a time
	Count  int     `json:"dispatches"` // have so many launches
	Share  float64 `json:"share"`      // of the time that the photos take, at most: a device that is busy hides them
}

// dispatcher is an engine that gives work to a device.
type dispatcher interface{ Dispatches() int }

// deviceMemory is what buffers have had of a device's memory at most; none if the
// processor computes.
type deviceMemory struct {
	Bytes  int  `json:"bytes"`
	Within bool `json:"within_program"` // the device is the processor: the program's memory has it
}

func memoryOn(e engine) deviceMemory {
	if d, ok := e.(gpu.Engine); ok {
		return deviceMemory{d.Memory(), d.Info().Software}
	}
	return deviceMemory{}
}

// text goes behind the memory of the program.
func (m deviceMemory) text() string {
	switch {
	case m.Bytes == 0:
		return ""
	case m.Within:
		return fmt.Sprintf(", %s of it in the device's buffers", megabytes(int64(m.Bytes)))
	}
	return fmt.Sprintf("; and %s of the device's", megabytes(int64(m.Bytes)))
}

// engine names what computes; threads are the processor's.
func (m deviceMemory) engine(name string, threads int) string {
	if m.Bytes > 0 {
		return name
	}
	return fmt.Sprintf("%s, %d threads", name, threads)
}

// inAMoment chooses how many photos at a time, up to 32, and losses of how many
// pairs, up to 16,384, a device does in a moment that multiplies at this rate.
func inAMoment(rate float64) (photos int, pairs []int) {
	photos = 1
	for product := speed.Operations(1)[0].FLOPs; photos < 32 && 2*float64(photos)*product < 0.1*rate; {
		photos *= 2
	}
	for n := 256; n <= 16384; n *= 4 {
		if n == 256 || speed.Losses(n)[0].FLOPs < rate {
			pairs = append(pairs, n)
		}
	}
	return photos, pairs
}

// operations measures what the engine can do, for so long each.
func (b *benchmark) operations(ctx context.Context, e engine, each time.Duration) error {
	product := speed.Operations(1)[0]
	stage := speed.NewStage(e)
	took, err := stage.Time(product, each)
	if err != nil {
		return err
	}
	photos, pairs := inAMoment(product.FLOPs / took.Seconds())
	b.AtOnce = photos
	all := speed.Operations(photos)
	for _, n := range pairs {
		all = append(all, speed.Losses(n)...)
	}
	return b.timed(ctx, e, stage, all, each)
}

// timed measures operations.
func (b *benchmark) timed(ctx context.Context, e engine, stage *speed.Stage, all []speed.Operation, each time.Duration) error {
	for i, o := range all {
		if err := ctx.Err(); err != nil {
			return err
		}
		if i%8 == 0 { // others may have the machine for a while
			b.Peak = max(b.Peak, e.Peak())
		}
		took, err := stage.Time(o, each)
		if err != nil {
			return err
		}
		b.Operations = append(b.Operations, benchOperation{Name: o.Name, Took: millis(took), Rate: o.FLOPs / took.Seconds(), Bytes: o.Bytes / took.Seconds()})
		if strings.HasPrefix(o.Name, "MatMul/") {
			b.Product = max(b.Product, o.FLOPs/took.Seconds())
		}
	}
	if _, ok := e.(dispatcher); ok {
		took, err := stage.Time(speed.Launch(), each)
		b.Launch.Each = float64(took.Nanoseconds()) / 1e3
		return err
	}
	b.Launch = nil
	return nil
}

// shares divides by what the device does at best, and by what it multiplies at.
func (b *benchmark) shares() {
	for i := range b.Runs {
		b.Runs[i].Share, b.Runs[i].OfProduct = b.Runs[i].Rate/b.Peak, b.Runs[i].Rate/b.Product
		if r := b.Runs[i]; b.Launch != nil && r.What == "photos" && r.Batch == b.Launch.Photos {
			b.Launch.Share = float64(b.Launch.Count) * b.Launch.Each / 1e3 / (r.Each * float64(r.Batch))
		}
	}
	for i := range b.Operations {
		b.Operations[i].Share = b.Operations[i].Rate / b.Peak
	}
}

// text is a line an operation.
func (b benchOperation) text() string {
	if b.Rate > 0 {
		return fmt.Sprintf("%-29s  %8.2f ms       %6.1f GFLOP/s  %5.1f %% of the peak\n", b.Name, b.Took, b.Rate/1e9, 100*b.Share)
	}
	return fmt.Sprintf("%-29s  %8.2f ms       %6.1f GB/s\n", b.Name, b.Took, b.Bytes/1e9)
}
