package tailer

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// line300 is about what a beacon's line is.
var line300 = "a " + strings.Repeat("x", 297) + "\n"

// BenchmarkCatchUp reads a backlog from the page cache, block by block.
func BenchmarkCatchUp(b *testing.B) {
	const n = 200_000
	path := filepath.Join(b.TempDir(), "access.log")
	write(b, path, strings.Repeat(line300, n))
	size := int64(n * len(line300))
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		t, err := Open(Options{Path: path, Identify: firstWord})
		must(b, err)
		for got := int64(0); got < size; {
			blk, err := t.Next(context.Background())
			must(b, err)
			got = blk.End
			blk.Release()
		}
		must(b, t.Close())
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}

// BenchmarkCutLines is what the block reader itself costs.
func BenchmarkCutLines(b *testing.B) {
	data := []byte(strings.Repeat(line300, DefaultBlockSize/len(line300)))
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if cut, _ := cutLines(data, DefaultMaxLine); cut != len(data) {
			b.Fatal(cut)
		}
	}
}

// BenchmarkFollow is the way of one line at a time through the live edge,
// waiting for each: its time is the latency.
func BenchmarkFollow(b *testing.B) {
	path := filepath.Join(b.TempDir(), "access.log")
	w := create(b, path)
	t, err := Open(Options{Path: path, Identify: firstWord, Poll: 2 * time.Millisecond})
	must(b, err)
	b.SetBytes(int64(len(line300)))
	b.ReportAllocs()
	for b.Loop() {
		put(b, w, line300)
		blk, err := t.Next(context.Background())
		must(b, err)
		blk.Release()
	}
	must(b, t.Close())
}

// BenchmarkFollowStream has a writer that appends 1000 lines at a time to a log
// that is followed, one write each, as nginx does.
func BenchmarkFollowStream(b *testing.B) {
	const n = 1000
	path := filepath.Join(b.TempDir(), "access.log")
	w := create(b, path)
	t, err := Open(Options{Path: path, Identify: firstWord, Poll: 2 * time.Millisecond})
	must(b, err)
	b.SetBytes(int64(n * len(line300)))
	b.ReportAllocs()
	want := int64(0)
	for b.Loop() {
		want += int64(n * len(line300))
		written := make(chan error, 1)
		go func() { written <- writeLines(w, n) }()
		for end := int64(0); end < want; {
			blk, err := t.Next(context.Background())
			must(b, err)
			end = blk.End
			blk.Release()
		}
		must(b, <-written)
	}
	must(b, t.Close())
	b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}

func writeLines(w *os.File, n int) error {
	for range n {
		if _, err := w.WriteString(line300); err != nil {
			return err
		}
	}
	return nil
}
