package tailer

import (
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"testing"
	"time"
)

func zipped(t testing.TB, content string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	put(t, w, content)
	must(t, w.Close())
	return b.String()
}

func TestGzipIsReadThrough(t *testing.T) {
	path := logPath(t)
	want := lines("a", 0, 5000)
	write(t, path+".2.gz", zipped(t, want+"a 5000 torn"))
	write(t, path, lines("b", 0, 10))
	opt := testOptions(path)
	opt.BlockSize, opt.MaxLine = 4096, 1000
	r := read(t, opt)
	r.until("closed", func() bool { return r.closed["a"] == 1 })
	if r.torn["a"] != "a 5000 torn" || !r.has("a", want+"a 5000 torn")() {
		t.Errorf("torn %q, %d bytes", r.torn["a"], len(r.image["a"]))
	}
	r.once()
	must(t, r.Sync("a", int64(len(want))))
	off := int64(len(lines("a", 0, 3000)))
	r.handed["a"] = 3000
	must(t, r.Rewind("a", off))
	r.until("read again", func() bool { return r.closed["a"] == 2 })
	r.once()
}

func TestGzipResumesAndMembers(t *testing.T) {
	path := logPath(t)
	all := lines("a", 0, 3000)
	cut := len(lines("a", 0, 1000)) + 17 // members need not end with a line
	write(t, path+".1.gz", zipped(t, all[:cut])+zipped(t, all[cut:]))
	write(t, path, lines("b", 0, 1))
	off := len(lines("a", 0, 2500))
	opt := testOptions(path)
	opt.Resume = func(id string) int64 { return map[string]int64{"a": int64(off)}[id] }
	r := read(t, opt)
	r.image["a"] = []byte(all[:off])
	r.until("closed", func() bool { return r.closed["a"] == 1 })
	if !r.has("a", all)() || r.handed["a"] != 500 {
		t.Errorf("%d lines", r.handed["a"])
	}
}

func TestGzipReadBeforeIsNotDecompressed(t *testing.T) {
	path := logPath(t)
	all := lines("a", 0, 3000)
	write(t, path+".1.gz", zipped(t, all))
	write(t, path, lines("b", 0, 1))
	opt := testOptions(path)
	opt.Resume = func(id string) int64 { return map[string]int64{"a": int64(len(all))}[id] }
	r := read(t, opt)
	r.image["a"] = []byte(all)
	r.until("closed", func() bool { return r.closed["a"] == 1 })
	if r.handed["a"] != 0 {
		t.Errorf("%d lines", r.handed["a"])
	}
}

// While a segment is being compressed both files are there, and then only the
// compressed one: it is one segment all the time.
func TestCompressedWhileReading(t *testing.T) {
	path := logPath(t)
	w := create(t, path)
	all := lines("a", 0, 2000)
	put(t, w, all)
	r := read(t, testOptions(path))
	r.until("read", r.has("a", all))
	must(t, os.Rename(path, path+".1"))
	write(t, path, lines("b", 0, 1))
	z := zipped(t, all)
	write(t, path+".1.gz", z[:len(z)/2])
	r.during(60 * time.Millisecond)
	write(t, path+".1.gz", z)
	must(t, os.Remove(path+".1"))
	r.until("closed", func() bool { return r.closed["a"] == 1 })
	r.during(100 * time.Millisecond)
	r.once()
	if s := r.segment("a"); !s.Closed || s.GrewAfterClose || s.Deleted || s.Name != path+".1.gz" || !s.Compressed {
		t.Errorf("segment %+v", s)
	}
	must(t, r.Rewind("a", 0))
	r.handed["a"] = 0
	r.until("read again", func() bool { return r.closed["a"] == 2 })
	r.once()
}

// A compressed file that ends too early is waited for and never passed over.
func TestGzipCutShort(t *testing.T) {
	path := logPath(t)
	all := lines("a", 0, 20000)
	z := zipped(t, all)
	write(t, path+".1.gz", z[:len(z)-20])
	write(t, path, lines("b", 0, 1))
	r := read(t, testOptions(path))
	r.until("the live log is read", r.has("b", lines("b", 0, 1)))
	r.until("the alarm is raised", func() bool {
		return r.segment("a").Alarm != ""
	})
	if r.segment("a").Closed {
		t.Error("closed although its end is missing")
	}
	write(t, path+".1.gz", z)
	r.until("closed", func() bool { return r.closed["a"] == 1 })
	r.once()
	if !r.has("a", all)() {
		t.Error("not complete")
	}
	if s := r.segment("a"); s.Alarm != "" {
		t.Errorf("segment %+v", s)
	}
}

func TestGzipShorterThanItsCheckpoint(t *testing.T) {
	path := logPath(t)
	write(t, path+".1.gz", zipped(t, lines("a", 0, 10)))
	write(t, path, lines("b", 0, 1))
	opt := testOptions(path)
	opt.Resume = func(id string) int64 { return map[string]int64{"a": 100000}[id] }
	r := read(t, opt)
	r.during(100 * time.Millisecond)
	if s := r.segment("a"); !s.Frozen || r.handed["a"] != 0 {
		t.Errorf("segment %+v", s)
	}
}

// Content tells what is compressed, not the name.
func TestCompressionIsToldByContent(t *testing.T) {
	path := logPath(t)
	write(t, path+".1.gz", lines("a", 0, 10))
	write(t, path+".2", zipped(t, lines("b", 0, 10)))
	write(t, path+".3.gz-2026112806.backup", zipped(t, lines("c", 0, 10)))
	write(t, path+".4", "BZh91AY&SY")
	write(t, path, lines("d", 0, 1))
	r := read(t, testOptions(path))
	r.until("all are closed", func() bool { return r.closed["a"] == 1 && r.closed["b"] == 1 && r.closed["c"] == 1 })
	r.once()
	for _, id := range []string{"a", "b", "c"} {
		if !r.has(id, lines(id, 0, 10))() {
			t.Errorf("%s: %q", id, r.image[id])
		}
	}
	r.during(100 * time.Millisecond)
	if n := r.log.count("compressed by bzip2"); n != 1 {
		t.Errorf("told %d times of what cannot be read", n)
	}
}

// A log that its writer compresses is refused, and told of when it becomes one.
func TestLiveLogCompressedByItsWriter(t *testing.T) {
	path := logPath(t)
	write(t, path, zipped(t, lines("a", 0, 10)))
	if _, err := Open(Options{Path: path}); !errors.Is(err, ErrCompressed) {
		t.Errorf("opened: %v", err)
	}
	must(t, os.Remove(path))
	r := read(t, testOptions(path))
	write(t, path, zipped(t, lines("a", 0, 10)))
	r.during(100 * time.Millisecond)
	if n := r.log.count("compressed by its writer"); n != 1 || len(r.image) != 0 {
		t.Errorf("told %d times, read %v", n, r.image)
	}
}
