package hub

import "testing"

// count is the number of parameters that the shapes make, tensor by tensor.
func count(c Checkpoint) int64 {
	block := func(s Shape) int {
		d, m := s.Width, s.MLP
		return s.Layers * (4*d*d + 4*d + 2*d*m + m + d + 4*d)
	}
	d, e, t := c.Vision.Width, c.Dim, c.Text.Width
	grid := c.Image / c.Patch
	vision := 3*c.Patch*c.Patch*d + grid*grid*d + block(c.Vision) + 2*d
	text := c.Vocab*t + c.Tokens*t + block(c.Text) + 2*t
	if c.Kind == clip {
		vision += 2*d + 2*d + d*e // class token with its position, first norm, projection
		text += t * e
		return int64(vision + text + 1)
	}
	m := c.Vision.MLP
	vision += d                                                   // bias of the patches
	vision += d + 3*d*d + 3*d + d*d + d + 2*d + d*m + m + m*d + d // pooling head
	if c.Name != "google/siglip-so400m-patch16-256-i18n" {        // published without its head
		text += t*e + e
	}
	return int64(vision + text + 2)
}

func TestKnownAddsUp(t *testing.T) {
	names := map[string]bool{}
	for _, c := range Known() {
		if !IsName(c.Name) || names[c.Name] {
			t.Errorf("%s is no name, or twice there", c.Name)
		}
		names[c.Name] = true
		if got := count(c); got != c.Params {
			t.Errorf("%s: the shapes make %d parameters, the table says %d", c.Name, got, c.Params)
		}
		if c.Size != 4*c.Params || c.Input == "" || c.License == "" || c.Kind == "" {
			t.Errorf("%s: incomplete: %+v", c.Name, c)
		}
		for _, s := range []Shape{c.Vision, c.Text} {
			if s.Width%s.Heads != 0 {
				t.Errorf("%s: width %d, %d heads", c.Name, s.Width, s.Heads)
			}
		}
	}
	if len(names) != 27+7 {
		t.Errorf("%d rows, want 27 of SigLIP and 7 of CLIP", len(names))
	}
	Known()[0].Name = "changed"
	if Known()[0].Name == "changed" {
		t.Error("callers share one table")
	}
}
