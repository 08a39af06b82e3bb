package tailer

import (
	"os"
	"testing"
	"time"
)

func TestResume(t *testing.T) {
	path := logPath(t)
	all := lines("a", 0, 100)
	write(t, path, all)
	off := len(lines("a", 0, 40))
	for _, c := range []struct {
		name string
		from int
		want int // lines handed out
	}{
		{"from the start", 0, 100},
		{"from between lines", off, 60},
		{"from inside a line", off + 3, 60},
		{"from the end", len(all), 0},
		{"from a nonsensical offset", -5, 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			opt := testOptions(path)
			opt.Resume = func(string) int64 { return int64(c.from) }
			r := read(t, opt)
			r.image["a"] = []byte(all[:max(0, c.from)])
			if c.want > 0 {
				r.until("read", func() bool { return r.handed["a"] >= c.want })
			}
			r.during(30 * time.Millisecond)
			if r.handed["a"] != c.want || !r.has("a", all)() {
				t.Errorf("%d lines, want %d", r.handed["a"], c.want)
			}
		})
	}
}

func TestShorterThanItsCheckpoint(t *testing.T) {
	path := logPath(t)
	w := create(t, path)
	put(t, w, lines("a", 0, 10))
	opt := testOptions(path)
	opt.Resume = func(string) int64 { return 5000 }
	r := read(t, opt)
	r.during(50 * time.Millisecond)
	put(t, w, lines("a", 10, 200)) // beyond the checkpoint: still not to be trusted
	r.during(100 * time.Millisecond)
	if s := r.segment("a"); !s.Frozen || s.Alarm == "" || r.handed["a"] != 0 {
		t.Errorf("%d lines, segment %+v", r.handed["a"], s)
	}
	if n := r.log.count("level=ERROR"); n != 1 {
		t.Errorf("%d errors logged", n)
	}
	must(t, r.Rewind("a", 0))
	r.until("read after a rewind", r.has("a", lines("a", 0, 210)))
}

// A segment that is whole somewhere is read there.
func TestShortFileButAWholeCopy(t *testing.T) {
	path := logPath(t)
	all := lines("a", 0, 100)
	off := len(lines("a", 0, 60))
	write(t, path, lines("a", 0, 10))
	write(t, path+".1", all)
	opt := testOptions(path)
	opt.Resume = func(string) int64 { return int64(off) }
	r := read(t, opt)
	r.image["a"] = []byte(all[:off])
	r.until("read", r.has("a", all))
	if r.handed["a"] != 40 {
		t.Errorf("%d lines handed out", r.handed["a"])
	}
}

// A reused inode and a reused name are another segment when the content is.
func TestInodeAndNameReuse(t *testing.T) {
	path := logPath(t)
	write(t, path, lines("a", 0, 10))
	opt := testOptions(path)
	asked := map[string]int{}
	opt.Resume = func(id string) int64 { asked[id]++; return 0 }
	r := read(t, opt)
	r.until("read", r.has("a", lines("a", 0, 10)))
	must(t, os.Remove(path))
	r.until("closed, since it is gone and quiet", func() bool { return r.closed["a"] == 1 })
	write(t, path, lines("b", 0, 10)) // ext4 gives the same inode again
	r.until("read", r.has("b", lines("b", 0, 10)))
	r.once()
	if asked["a"] != 1 || asked["b"] != 1 {
		t.Errorf("Resume was asked %v", asked)
	}
}
