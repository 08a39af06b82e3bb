package tailer

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"
)

func TestFollowsTheLiveLog(t *testing.T) {
	path := logPath(t)
	w := create(t, path)
	r := read(t, testOptions(path))
	want := ""
	for i := range 50 {
		line := lines("a", i, 1)
		put(t, w, line)
		want += line
		r.until("the line is read", r.has("a", want))
	}
	r.once()
	if s := r.segment("a"); !s.Live || s.Closed || s.Offset != int64(len(want)) || s.Size != s.Offset {
		t.Errorf("segment %+v", s)
	}
}

func TestEmptyLinesAndCarriageReturnsAreKept(t *testing.T) {
	path := logPath(t)
	want := "a 0\r\n\n\n\r\na 1\x00\xff\n"
	write(t, path, want)
	r := read(t, testOptions(path))
	r.until("all is read", r.has("a", want))
	more := "\n\r\n\na 2\n\n"
	put(t, create(t, path), more)
	r.until("more is read", r.has("a", want+more))
	r.once()
}

// A worker that has not reopened its log yet keeps writing to the renamed file.
func TestRotationWithALateWriter(t *testing.T) {
	for _, late := range []time.Duration{0, 5 * time.Millisecond, 100 * time.Millisecond, 400 * time.Millisecond} {
		t.Run(late.String(), func(t *testing.T) {
			path := logPath(t)
			old := create(t, path)
			put(t, old, lines("a", 0, 100))
			opt := testOptions(path)
			opt.Quiet = 250 * time.Millisecond
			r := read(t, opt)
			r.until("caught up", r.has("a", lines("a", 0, 100)))
			must(t, os.Rename(path, path+".1"))
			fresh := create(t, path)
			end := time.Now().Add(late)
			na, nb := 100, 0
			for nb == 0 || time.Now().Before(end) {
				put(t, old, lines("a", na, 3))
				put(t, fresh, lines("b", nb, 2))
				na, nb = na+3, nb+2
				r.during(2 * time.Millisecond)
			}
			r.until("the old one is closed", func() bool { return r.closed["a"] == 1 })
			r.until("the new one is read", r.has("b", lines("b", 0, nb)))
			if !r.has("a", lines("a", 0, na))() {
				t.Errorf("%d bytes of the old one, not %d", len(r.image["a"]), len(lines("a", 0, na)))
			}
			r.once()
		})
	}
}

func TestRenamedAndNothingInItsPlace(t *testing.T) {
	path := logPath(t)
	w := create(t, path)
	put(t, w, lines("a", 0, 5))
	r := read(t, testOptions(path))
	r.until("caught up", r.has("a", lines("a", 0, 5)))
	must(t, os.Rename(path, path+".1"))
	r.during(300 * time.Millisecond)
	if r.closed["a"] != 0 {
		t.Error("closed although its writer has nowhere else to write")
	}
	put(t, w, lines("a", 5, 5))
	r.until("late lines are read", r.has("a", lines("a", 0, 10)))
	write(t, path, lines("b", 0, 1))
	r.until("the new log is read", r.has("b", lines("b", 0, 1)))
	r.until("the old one is closed", func() bool { return r.closed["a"] == 1 })
	r.once()
	if n := r.log.count("there is no log yet"); n != 1 {
		t.Errorf("the missing log was reported %d times", n)
	}
}

func TestSeveralRotationsWhileDown(t *testing.T) {
	path := logPath(t)
	base := time.Now().Add(-time.Hour)
	const n = 5
	for i := range n {
		name := fmt.Sprintf("%s.%d", path, n-i)
		write(t, name, lines(fmt.Sprint("s", i), 0, 50))
		must(t, os.Chtimes(name, time.Time{}, base.Add(time.Duration(i)*time.Minute)))
	}
	write(t, path, lines("live", 0, 50))
	opt := testOptions(path)
	opt.Resume = func(id string) int64 {
		switch id {
		case "s0": // read through before
			return int64(len(lines(id, 0, 50)))
		case "s1": // half read
			return int64(len(lines(id, 0, 20)))
		}
		return 0
	}
	r := read(t, opt)
	r.image["s0"] = []byte(lines("s0", 0, 50))
	r.image["s1"] = []byte(lines("s1", 0, 20))
	r.until("all is closed", func() bool { return len(r.closed) == n && len(r.image["live"]) > 0 })
	var rotated []string
	for _, id := range r.order {
		if id != "live" {
			rotated = append(rotated, id)
		}
	}
	for i := range n {
		id := fmt.Sprint("s", i)
		if !r.has(id, lines(id, 0, 50))() {
			t.Errorf("%s is not complete", id)
		}
		if got := r.handed[id]; got != []int{0, 30, 50, 50, 50}[i] {
			t.Errorf("%s: %d lines handed out", id, got)
		}
	}
	if r.handed["live"] != 50 {
		t.Errorf("live: %d lines", r.handed["live"])
	}
	// s0 has nothing to read and only closes, whenever that is.
	want := []string{"s1", "s2", "s3", "s4"}
	var got []string
	for _, id := range rotated {
		if id != "s0" {
			got = append(got, id)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("order %v", rotated)
	}
}

func TestDeletedWhileUnread(t *testing.T) {
	path := logPath(t)
	want := lines("a", 0, 3000)
	write(t, path, want)
	opt := testOptions(path)
	opt.BlockSize, opt.MaxLine = 4096, 1000
	r := read(t, opt)
	r.until("some is read", func() bool { return len(r.image["a"]) > 0 })
	must(t, os.Remove(path))
	write(t, path, lines("b", 0, 10))
	r.until("all is read", r.has("a", want))
	r.until("closed", func() bool { return r.closed["a"] == 1 })
	r.until("the new one", r.has("b", lines("b", 0, 10)))
	r.during(60 * time.Millisecond)
	if s := r.segment("a"); !s.Deleted || !s.Closed {
		t.Errorf("segment %+v", s)
	}
	must(t, r.Sync("a", int64(len(want))))
	r.once()
}

func TestGrowsAfterItWasClosed(t *testing.T) {
	path := logPath(t)
	old := create(t, path)
	put(t, old, lines("a", 0, 10)+"a 10 unfin")
	r := read(t, testOptions(path))
	r.until("caught up", r.has("a", lines("a", 0, 10)))
	must(t, os.Rename(path, path+".1"))
	write(t, path, lines("b", 0, 1))
	r.until("closed", func() bool { return r.closed["a"] == 1 })
	if r.torn["a"] != "a 10 unfin" || !r.segment("a").Torn {
		t.Errorf("torn %q", r.torn["a"])
	}
	put(t, old, "ished\n"+lines("a", 11, 3))
	want := lines("a", 0, 10) + "a 10 unfinished\n" + lines("a", 11, 3)
	r.until("the late lines are read", r.has("a", want))
	r.until("closed again", func() bool { return r.closed["a"] == 2 })
	s := r.segment("a")
	if !s.GrewAfterClose || s.Torn || s.Size != int64(len(want)) {
		t.Errorf("segment %+v", s)
	}
	if n := r.log.count("a closed log grew"); n != 1 {
		t.Errorf("warned %d times", n)
	}
	r.once()
}

// A copy beside the log, a hard link and the editor's leftovers are not more
// segments.
func TestCopiesAndOtherFiles(t *testing.T) {
	path := logPath(t)
	content := lines("a", 0, 20)
	write(t, path, content)
	write(t, path+".1", content)
	write(t, path+".bak", lines("junk", 0, 3))
	must(t, os.Link(path, path+"-20261128"))
	for _, ending := range []string{".pid", ".lock", ".swp", ".tmp", "~", ".1~"} {
		write(t, path+ending, lines("junk", 0, 3))
	}
	must(t, os.Mkdir(path+".d", 0o755))
	write(t, path+"x", lines("junk", 0, 3))
	write(t, path+".1.xz", "\xfd7zXZ\x00"+lines("junk", 0, 3))
	r := read(t, testOptions(path))
	r.until("read", r.has("a", content))
	r.during(100 * time.Millisecond)
	if n := len(r.Segments()); n != 1 {
		t.Errorf("%d segments: %+v", n, r.Segments())
	}
	r.once()
	// The copy does not take over after a rotation, nor does it hold it up.
	must(t, os.Rename(path, path+".2"))
	write(t, path, lines("b", 0, 1))
	r.until("closed", func() bool { return r.closed["a"] == 1 })
	r.once()
}

func TestOpenRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(Options{Path: dir}); err == nil {
		t.Error("a directory was accepted")
	}
	if _, err := Open(Options{}); err == nil {
		t.Error("no path was accepted")
	}
	if _, err := Open(Options{Path: "/dev/null"}); err == nil {
		t.Error("a device was accepted")
	}
}

// Segments that are rotated and deleted while their reader cannot take lines are held
// open by Watch, and read when it can.
func TestWatchHoldsWhatIsDeleted(t *testing.T) {
	path := logPath(t)
	write(t, path, lines("a", 0, 10))
	r := read(t, testOptions(path))
	r.until("a is read", r.has("a", lines("a", 0, 10)))
	for _, id := range []string{"b", "c"} {
		must(t, os.Rename(path, path+".1"))
		write(t, path, lines(id, 0, 100))
		end := time.Now().Add(patience)
		for !slices.ContainsFunc(r.Segments(), func(s Segment) bool { return s.ID == id }) {
			if time.Now().After(end) {
				t.Fatalf("%s is not found", id)
			}
			r.Watch()
		}
		must(t, os.Remove(path+".1"))
	}
	must(t, os.Remove(path))
	for _, id := range []string{"b", "c"} {
		r.until("it is read", r.has(id, lines(id, 0, 100)))
	}
	r.once()
}
