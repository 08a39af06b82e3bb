package tailer

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"
)

func TestRewindLiveSegment(t *testing.T) {
	path := logPath(t)
	all := lines("a", 0, 100)
	write(t, path, all)
	r := read(t, testOptions(path))
	r.until("read", r.has("a", all))
	must(t, r.Rewind("a", int64(len(lines("a", 0, 30)))))
	r.until("read again", func() bool { return r.handed["a"] == 170 })
	put(t, create(t, path), lines("a", 100, 5))
	r.until("and on", r.has("a", lines("a", 0, 105)))
	if r.handed["a"] != 175 || r.segment("a").Gen != 1 {
		t.Errorf("%d lines, segment %+v", r.handed["a"], r.segment("a"))
	}
}

func TestRewindClosedSegment(t *testing.T) {
	path := logPath(t)
	write(t, path+".1", lines("a", 0, 50))
	write(t, path, lines("b", 0, 1))
	r := read(t, testOptions(path))
	r.until("closed", func() bool { return r.closed["a"] == 1 })
	must(t, os.Rename(path+".1", path+"-20260101")) // and renamed since
	must(t, r.Rewind("a", 0))
	r.until("closed again", func() bool { return r.closed["a"] == 2 })
	if r.handed["a"] != 100 {
		t.Errorf("%d lines", r.handed["a"])
	}
}

func TestRewindErrors(t *testing.T) {
	path := logPath(t)
	write(t, path+".1", lines("a", 0, 50))
	write(t, path, lines("b", 0, 1))
	r := read(t, testOptions(path))
	r.until("closed", func() bool { return r.closed["a"] == 1 })
	for _, c := range []struct {
		segment string
		offset  int64
		want    error
	}{
		{"nobody", 0, ErrUnknownSegment}, {"a", -1, ErrBeyond}, {"a", 1 << 30, ErrBeyond}, {"b", 1 << 30, ErrBeyond},
	} {
		if err := r.Rewind(c.segment, c.offset); !errors.Is(err, c.want) {
			t.Errorf("Rewind(%s, %d) = %v, want %v", c.segment, c.offset, err, c.want)
		}
	}
	must(t, os.Remove(path+".1"))
	if err := r.Rewind("a", 0); !errors.Is(err, ErrGone) {
		t.Errorf("gone: %v", err)
	}
	must(t, r.Tailer.Close())
	if err := r.Rewind("b", 0); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if _, err := r.Next(context.Background()); !errors.Is(err, ErrClosed) {
		t.Errorf("Next after Close: %v", err)
	}
}

// Blocks that were on their way when Rewind was called are told by their Gen;
// dropping them leaves an unbroken row of lines from the offset on.
func TestGenTellsOldBlocks(t *testing.T) {
	path := logPath(t)
	all := lines("a", 0, 5000)
	write(t, path, all)
	opt := testOptions(path)
	opt.BlockSize, opt.MaxLine = 2048, 1000
	r := read(t, opt)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	blocks := make(chan Block, 4)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(blocks)
		for {
			b, err := r.Next(ctx)
			if err != nil {
				return
			}
			select {
			case blocks <- b:
			case <-ctx.Done():
				return
			}
		}
	})
	defer wg.Wait()
	defer cancel()
	random := rand.New(rand.NewPCG(1, 2))
	var gen uint64
	next := int64(0)
	for b := range blocks {
		if b.Gen < gen {
			b.Release()
			continue
		}
		if b.Start != next || !bytes.Equal(b.Data, []byte(all[b.Start:b.End])) {
			t.Fatalf("block [%d,%d) gen %d, expected %d", b.Start, b.End, b.Gen, next)
		}
		next = b.End
		b.Release()
		if gen < 60 && random.IntN(6) == 0 {
			next = startOfLine(all, random.Int64N(b.End))
			must(t, r.Rewind("a", next))
			gen++
		}
		if next == int64(len(all)) && gen >= 60 {
			return
		}
		if next == int64(len(all)) {
			next = 0
			must(t, r.Rewind("a", 0))
			gen++
		}
	}
	t.Fatalf("ended at %d, gen %d", next, gen)
}

func startOfLine(s string, off int64) int64 {
	for off > 0 && s[off-1] != '\n' {
		off--
	}
	return off
}

// Rewinds from another goroutine while the log grows and rotates.
func TestRandomRewindsWhileWriting(t *testing.T) {
	path := logPath(t)
	w := create(t, path)
	want := lines("a", 0, 2000)
	r := read(t, testOptions(path))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := writeChunks(w, want, 3); err != nil {
			t.Error(err)
		}
	})
	wg.Go(func() {
		random := rand.New(rand.NewPCG(3, 4))
		for n := 0; n < 40; {
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
			}
			var size int64
			for _, s := range r.Segments() {
				size = s.Offset
			}
			if size == 0 {
				continue
			}
			if err := r.Rewind("a", startOfLine(want, random.Int64N(size))); err != nil {
				t.Error(err)
			}
			n++
		}
	})
	finished := make(chan struct{})
	go func() { wg.Wait(); close(finished) }()
	r.until("all is written", func() bool {
		select {
		case <-finished:
			return true
		default:
			return false
		}
	})
	close(stop)
	r.until("all is read", func() bool {
		s := r.segment("a")
		return s.Offset == int64(len(want)) && r.has("a", want)()
	})
	must(t, os.Rename(path, path+".1"))
	write(t, path, "b 0\n")
	r.until("closed", func() bool { return r.closed["a"] == 1 })
}
