package tailer

import (
	"os"
	"testing"
	"time"
)

func TestCutIsAnAlarmAndNotAStart(t *testing.T) {
	path := logPath(t)
	w := create(t, path)
	put(t, w, lines("a", 0, 100))
	r := read(t, testOptions(path))
	r.until("read", r.has("a", lines("a", 0, 100)))
	must(t, os.Truncate(path, int64(len(lines("a", 0, 50)))))
	r.during(100 * time.Millisecond)
	put(t, w, lines("a", 50, 200)) // even when it outgrows what was read
	r.during(200 * time.Millisecond)
	if s := r.segment("a"); !s.Frozen || s.Alarm == "" || r.handed["a"] != 100 {
		t.Errorf("%d lines, segment %+v", r.handed["a"], s)
	}
	if n := r.log.count("level=ERROR"); n != 1 {
		t.Errorf("%d errors logged", n)
	}
	// A rotation ends it.
	must(t, os.Rename(path, path+".1"))
	write(t, path, lines("b", 0, 3))
	r.until("the new log is read", r.has("b", lines("b", 0, 3)))
	r.once()
	// And the operator may decide to read it again.
	must(t, r.Rewind("a", 0))
	r.until("read again", r.has("a", lines("a", 0, 250)))
	if s := r.segment("a"); s.Frozen || s.Alarm != "" || s.Gen != 1 {
		t.Errorf("segment %+v", s)
	}
}

func TestCopytruncate(t *testing.T) {
	path := logPath(t)
	w := create(t, path)
	put(t, w, lines("a", 0, 100))
	r := read(t, testOptions(path))
	r.until("read", r.has("a", lines("a", 0, 100)))
	// Lines between our last read and the copy are in the copy only.
	put(t, w, lines("a", 100, 10))
	content, err := os.ReadFile(path)
	must(t, err)
	write(t, path+".1", string(content))
	must(t, os.Truncate(path, 0))
	put(t, w, lines("b", 0, 10))
	r.until("the new content is read", r.has("b", lines("b", 0, 10)))
	r.until("the rest is read in the copy", r.has("a", lines("a", 0, 110)))
	r.once()
	if s := r.segment("a"); s.Alarm == "" || s.Frozen || s.Name != path+".1" {
		t.Errorf("segment %+v", s)
	}
	if n := r.log.count("level=ERROR"); n != 1 {
		t.Errorf("%d errors logged", n)
	}
}

// Rewritten in place faster than anybody looks: as large, but another log.
func TestOverwritten(t *testing.T) {
	path := logPath(t)
	write(t, path, lines("a", 0, 10))
	r := read(t, testOptions(path))
	r.until("read", r.has("a", lines("a", 0, 10)))
	write(t, path, lines("b", 0, 10))
	r.until("read as another segment", r.has("b", lines("b", 0, 10)))
	if s := r.segment("a"); !s.Frozen {
		t.Errorf("segment %+v", s)
	}
	r.once()
}

func TestEditedByAReplacingEditor(t *testing.T) {
	path := logPath(t)
	write(t, path, lines("a", 0, 10))
	r := read(t, testOptions(path))
	r.until("read", r.has("a", lines("a", 0, 10)))
	// The same content in a new inode, and the writer goes on there.
	write(t, path+".tmp", lines("a", 0, 10))
	must(t, os.Rename(path+".tmp", path))
	put(t, create(t, path), lines("a", 10, 5))
	r.until("goes on", r.has("a", lines("a", 0, 15)))
	put(t, create(t, path), lines("a", 15, 5))
	r.until("and on", r.has("a", lines("a", 0, 20)))
	r.once()
}
