package gallery

import (
	"context"
	"image"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// one makes the order of decoding certain: it leaves one decode worker.
func one(t *testing.T) {
	before := runtime.GOMAXPROCS(1)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
}

func TestEmbedOrder(t *testing.T) {
	one(t)
	g := scanned(t, 40)
	g.Want([]int{30, 20, 30, -1, 40, 25})
	var decoded []int
	g.Decoded(func(id int, img image.Image) {
		if photoNumber(img) != id {
			t.Errorf("photo %d was decoded as %d", id, photoNumber(img))
		}
		decoded = append(decoded, id)
	})
	e := new(fake)
	embed(t, g, e)
	checkReady(t, g)
	want := []int{30, 20, 25}
	for id := range 40 {
		if !slices.Contains(want, id) {
			want = append(want, id)
		}
	}
	if !slices.Equal(decoded, want) {
		t.Errorf("decoded %v\nwant    %v", decoded, want)
	}
	if got := e.embedded()[:3]; !slices.Equal(got, want[:3]) {
		t.Errorf("first embedded %v, want %v", got, want[:3])
	}
}

// A new wish overtakes what is already prepared, and is prepared itself however
// far decoding is ahead; but no wish fills the memory.
func TestWantWhileEmbedding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 500
		g := scanned(t, n)
		enter, leave := make(chan []int), make(chan bool)
		e := &fake{onEmbed: func(_ context.Context, numbers []int) error {
			enter <- numbers
			<-leave
			return nil
		}}
		done := make(chan error)
		go func() { done <- g.Embed(context.Background(), e, nil) }()
		batch := <-enter
		checkAhead := func(want int) {
			t.Helper()
			synctest.Wait() // the workers have decoded all they may
			ahead := -len(batch) - g.Progress().Done
			for _, p := range g.Photos() {
				ahead += p.Info.Width
			}
			if ahead != want {
				t.Errorf("%d photos are decoded ahead, want %d", ahead, want)
			}
		}
		most := leastAhead + runtime.GOMAXPROCS(0)
		checkAhead(most)

		wish := []int{480, 490, 470}
		g.Want(wish)
		checkAhead(most + len(wish))
		var got []int
		for len(got) < len(wish) {
			leave <- true
			batch = <-enter
			got = append(got, batch...)
		}
		if !slices.Equal(got, wish) {
			t.Errorf("embedded %v after the wish %v", got, wish)
		}
		var large []int
		for id := n - 100; id > 100; id-- {
			large = append(large, id)
		}
		g.Want(large)
		checkAhead(2 * most)

		go func() {
			leave <- true
			for range enter {
				leave <- true
			}
		}()
		if err := <-done; err != nil {
			t.Error(err)
		}
		close(enter)
		checkReady(t, g)
	})
}

// While a photo on the screen is being decoded the Embedder is never busy with a
// large batch; then batches are as large as they get.
func TestSmallBatches(t *testing.T) {
	before := runtime.GOMAXPROCS(2) // one worker decodes the photo, one the rest
	defer runtime.GOMAXPROCS(before)
	synctest.Test(t, func(t *testing.T) {
		g := scanned(t, 200)
		g.Want([]int{150})
		decode, enter, leave := make(chan bool), make(chan []int), make(chan bool)
		e := &fake{
			onPrepare: func(n int) error {
				if n == 150 {
					<-decode
				}
				return nil
			},
			onEmbed: func(_ context.Context, numbers []int) error {
				enter <- numbers
				<-leave
				return nil
			},
		}
		done := make(chan error)
		go func() { done <- g.Embed(context.Background(), e, nil) }()
		next := func() int {
			numbers := <-enter
			synctest.Wait() // the workers have decoded all they may
			leave <- true
			return len(numbers)
		}
		var sizes []int
		for range 4 {
			sizes = append(sizes, next())
		}
		<-enter
		decode <- true
		synctest.Wait()
		leave <- true
		for range 3 {
			sizes = append(sizes, next())
		}
		if want := []int{1, 2, 2, 2, 1, 32, 32}; !slices.Equal(sizes, want) {
			t.Errorf("batches of %v photos, want %v", sizes, want)
		}
		go func() {
			for range enter {
				leave <- true
			}
		}()
		if err := <-done; err != nil {
			t.Error(err)
		}
		close(enter)
	})
}

func TestNextLimit(t *testing.T) {
	for _, test := range []struct {
		limit, n int
		took     time.Duration
		want     int
	}{
		{1, 1, 0, 2},
		{1, 1, time.Millisecond, 2},
		{8, 8, 8 * time.Millisecond, 16},
		{16, 16, 0, 32},
		{32, 32, 0, 32},
		{16, 16, 16 * 30 * time.Millisecond, 6},
		{16, 2, 4 * time.Second, 1},
	} {
		if got := nextLimit(test.limit, test.n, test.took); got != test.want {
			t.Errorf("after %d of %d photos in %v: %d, want %d", test.n, test.limit, test.took, got, test.want)
		}
	}
}
