package tailer

import (
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestLineLengths(t *testing.T) {
	const maxLine = 100
	line := func(n int) string { return strings.Repeat("x", n) + "\n" }
	for _, blockSize := range []int{1, 101, 128, 4096} {
		path := logPath(t)
		content := "a 0\n" + line(99) + line(100) + line(101) + line(5) + line(1000) + line(250) + line(100) + "\n"
		write(t, path+".1", content+strings.Repeat("y", 300))
		write(t, path, "b 0\n")
		opt := testOptions(path)
		opt.MaxLine, opt.BlockSize = maxLine, blockSize
		r := read(t, opt)
		r.until("closed", func() bool { return r.closed["a"] == 1 })
		if r.oversize["a"] != 3 || r.handed["a"] != 6 {
			t.Errorf("block size %d: %d oversize, %d lines", blockSize, r.oversize["a"], r.handed["a"])
		}
		if r.torn["a"] != strings.Repeat("y", maxLine) {
			t.Errorf("block size %d: torn %q", blockSize, r.torn["a"])
		}
	}
}

// 64 MB without a newline are one oversize line and no memory.
func TestEndlessLine(t *testing.T) {
	path := logPath(t)
	w := create(t, path)
	put(t, w, "a 0\n")
	r := read(t, testOptions(path))
	r.until("read", r.has("a", "a 0\n"))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	chunk := make([]byte, 1<<20)
	for range 64 {
		_, err := w.Write(chunk)
		must(t, err)
		r.during(5 * time.Millisecond)
	}
	r.during(50 * time.Millisecond)
	if r.oversize["a"] != 0 {
		t.Error("handed out before its end")
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 8<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
	if total := after.TotalAlloc - before.TotalAlloc; total > 32<<20 {
		t.Errorf("%d bytes were allocated", total)
	}
	put(t, w, "\na 1\n")
	r.until("one oversize line", func() bool { return r.oversize["a"] == 1 })
	r.until("and the next", func() bool { return r.handed["a"] == 2 })
	put(t, w, "a 2\n")
	r.until("and on", func() bool { return r.handed["a"] == 3 })
}

// Written as fast as it goes, in pieces, at the end of a log that is followed.
func TestEndlessLineWhileFollowed(t *testing.T) {
	const size = 64 << 20
	path := logPath(t)
	w := create(t, path)
	put(t, w, "a 0\n")
	r := read(t, testOptions(path))
	r.until("read", r.has("a", "a 0\n"))
	r.during(30 * time.Millisecond)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	done := make(chan error, 1)
	go func() { done <- writeEndless(w, size) }()
	r.until("it is passed over", func() bool { return r.all[0].rd.seen == size+4 })
	must(t, <-done)
	runtime.ReadMemStats(&after)
	// The race detector makes a pool lose a quarter of what it is given.
	if total := after.TotalAlloc - before.TotalAlloc; total > size {
		t.Errorf("%d bytes were allocated for a line of %d", total, size)
	}
	put(t, w, "\na 1\n")
	r.until("the next line is read", func() bool { return r.oversize["a"] == 1 && r.handed["a"] == 2 })
}

func writeEndless(w *os.File, size int) error {
	piece := make([]byte, 64<<10)
	for range size / len(piece) {
		if _, err := w.Write(piece); err != nil {
			return err
		}
	}
	return nil
}

func TestEndlessLineIsTornAtTheEnd(t *testing.T) {
	path := logPath(t)
	write(t, path+".1", "a 0\n"+strings.Repeat("z", 1<<20))
	write(t, path, "b 0\n")
	r := read(t, testOptions(path))
	r.until("closed", func() bool { return r.closed["a"] == 1 })
	if len(r.torn["a"]) != DefaultMaxLine || r.oversize["a"] != 0 {
		t.Errorf("torn %d bytes, oversize %d", len(r.torn["a"]), r.oversize["a"])
	}
	if n := len(r.image["a"]); n != 4+1<<20 {
		t.Errorf("%d bytes accounted for", n)
	}
}

// A first line without an end is a segment all the same, and the same one
// whenever it is looked at.
func TestEndlessFirstLine(t *testing.T) {
	path := logPath(t)
	w := create(t, path)
	put(t, w, "a "+strings.Repeat("q", headWithin-3))
	r := read(t, testOptions(path))
	r.during(40 * time.Millisecond)
	if len(r.Segments()) != 0 {
		t.Fatal("identified before 64 KiB")
	}
	put(t, w, strings.Repeat("q", 2<<20))
	r.until("found", func() bool {
		return len(r.Segments()) == 1
	})
	put(t, w, "\nnext\n")
	r.until("read", func() bool { return r.oversize["a"] == 1 && r.handed["a"] == 1 })
	must(t, os.Rename(path, path+".1"))
	write(t, path, "b 0\n")
	r.until("closed", func() bool { return r.closed["a"] == 1 })
	if len(r.Segments()) != 2 {
		t.Errorf("segments %+v", r.Segments())
	}
}

func TestBinaryContent(t *testing.T) {
	path := logPath(t)
	junk := make([]byte, 4096)
	w := create(t, path)
	put(t, w, "a 0\n"+string(junk)+"\n\xef\xbb\xbf\x00\xff\xfe\n")
	want := "a 0\n" + string(junk) + "\n\xef\xbb\xbf\x00\xff\xfe\n"
	r := read(t, testOptions(path))
	r.until("read", r.has("a", want))
	r.during(50 * time.Millisecond)
	put(t, w, string(junk)+"\n")
	r.until("followed", r.has("a", want+string(junk)+"\n"))
	r.once()
}
