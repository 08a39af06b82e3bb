package tailer

import (
	"os"
	"testing"
	"time"
)

func TestPartialLineIsWaitedFor(t *testing.T) {
	path := logPath(t)
	w := create(t, path)
	put(t, w, "a 0\na 1 half")
	r := read(t, testOptions(path))
	r.until("the first line is read", r.has("a", "a 0\n"))
	r.during(200 * time.Millisecond) // longer than the follower is trusted for
	put(t, w, " and")
	r.during(100 * time.Millisecond)
	r.until("it is known that nothing is left but half a line", func() bool {
		s := r.segment("a")
		return s.Offset == int64(len("a 0\n")) && s.Looked == s.Size && s.Size == int64(len("a 0\na 1 half and"))
	})
	if !r.has("a", "a 0\n")() {
		t.Fatalf("half a line was handed out: %q", r.image["a"])
	}
	put(t, w, " whole\na 2\n")
	r.until("it is complete", r.has("a", "a 0\na 1 half and whole\na 2\n"))
	r.once()
	if s := r.segment("a"); s.Torn || s.Alarm != "" {
		t.Errorf("segment %+v", s)
	}
}

func TestNoFirstLineNoSegment(t *testing.T) {
	path := logPath(t)
	w := create(t, path)
	put(t, w, "a 0 unfin")
	r := read(t, testOptions(path))
	r.during(60 * time.Millisecond)
	if len(r.Segments()) != 0 {
		t.Errorf("segments %+v", r.Segments())
	}
	put(t, w, "ished\n")
	r.until("it is read", r.has("a", "a 0 unfinished\n"))
}

func TestUnfinishedLineOfARotatedSegmentIsTorn(t *testing.T) {
	path := logPath(t)
	write(t, path+".1", "a 0\na 1 torn")
	write(t, path, "b 0\nb 1 not yet")
	r := read(t, testOptions(path))
	r.until("closed", func() bool { return r.closed["a"] == 1 })
	r.during(50 * time.Millisecond)
	if r.torn["a"] != "a 1 torn" || len(r.torn) != 1 {
		t.Errorf("torn %q", r.torn)
	}
	if s := r.segment("a"); !s.Torn || s.Offset != s.Size {
		t.Errorf("segment %+v", s)
	}
	if r.closed["b"] != 0 {
		t.Error("the live log was closed")
	}
	r.once()
}

// After a restart the torn line is not handed out again, unless it has grown.
func TestTornLineAfterRestart(t *testing.T) {
	path := logPath(t)
	content := "a 0\na 1 torn"
	write(t, path+".1", content)
	write(t, path, "b 0\n")
	opt := testOptions(path)
	opt.Resume = func(id string) int64 { return map[string]int64{"a": int64(len(content))}[id] }
	r := read(t, opt)
	r.image["a"] = []byte(content)
	r.until("closed", func() bool { return r.closed["a"] == 1 })
	if len(r.torn) != 0 || r.handed["a"] != 0 {
		t.Errorf("handed out again: %q, %d lines", r.torn, r.handed["a"])
	}
	put(t, create(t, path+".1"), " no more\na 2\n")
	r.until("it is whole", r.has("a", "a 0\na 1 torn no more\na 2\n"))
	if r.handed["a"] != 2 {
		t.Errorf("%d lines", r.handed["a"])
	}
}

func TestRandomShortWrites(t *testing.T) {
	path := logPath(t)
	w := create(t, path)
	want := lines("a", 0, 400)
	r := read(t, testOptions(path))
	done := make(chan error, 1)
	go func() { done <- writeChunks(w, want, 7) }()
	r.until("all is read", r.has("a", want))
	must(t, <-done)
	r.once()
}

// writeChunks writes in pieces of odd sizes, as a writer with short writes does.
func writeChunks(w *os.File, s string, seed uint32) error {
	for len(s) > 0 {
		seed = seed*1664525 + 1013904223
		n := min(len(s), int(seed>>16)%300+1)
		if _, err := w.WriteString(s[:n]); err != nil {
			return err
		}
		s = s[n:]
	}
	return nil
}
