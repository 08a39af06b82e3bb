package tailer

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// following reports whether nxadm/tail watches a segment. Only the test's
// goroutine calls Next, so nothing else is at it meanwhile.
func (r *reading) following(id string) bool {
	for _, s := range r.all {
		if s.id == id {
			return s.fol != nil
		}
	}
	return false
}

func TestLiveEdgeIsFollowed(t *testing.T) {
	path := logPath(t)
	w := create(t, path)
	if _, ok := followPath(w); !ok {
		// Elsewhere than on Linux the block reader polls, tested by all others.
		return
	}
	put(t, w, lines("a", 0, 10))
	r := read(t, testOptions(path))
	r.until("followed", func() bool { return r.following("a") })
	put(t, w, lines("a", 10, 10))
	r.until("read", r.has("a", lines("a", 0, 20)))
	if !r.following("a") {
		t.Error("given up")
	}
	must(t, os.Rename(path, path+".1"))
	write(t, path, lines("b", 0, 1))
	r.until("the new one is followed", func() bool { return r.following("b") && !r.following("a") })
	r.once()
}

// Whatever goes wrong with the follower, the block reader goes on where the
// last handed-out line ended.
func TestFollowerIsNotTrusted(t *testing.T) {
	for name, spoil := range map[string]func(*reading, *segment){
		"it dies":                    func(_ *reading, s *segment) { s.fol.stop() },
		"it takes the file for gone": func(_ *reading, s *segment) { s.fol.changes.NotifyDeleted() },
		"it watches another file":    (*reading).stall,
	} {
		t.Run(name, func(t *testing.T) {
			path := logPath(t)
			w := create(t, path)
			if _, ok := followPath(w); !ok {
				return
			}
			put(t, w, lines("a", 0, 10))
			r := read(t, testOptions(path))
			r.until("followed", func() bool { return r.following("a") })
			put(t, w, lines("a", 10, 5))
			r.until("read", r.has("a", lines("a", 0, 15)))
			spoil(r, r.all[0])
			spoilt := r.all[0].fol
			put(t, w, lines("a", 15, 200))
			r.until("read all the same", r.has("a", lines("a", 0, 215)))
			// One that dies may have told of the lines before; not of these.
			n := 215
			r.until("followed again", func() bool {
				put(t, w, lines("a", n, 1))
				n++
				return r.following("a") && r.all[0].fol != spoilt
			})
			r.until("all is read", r.has("a", lines("a", 0, n)))
			r.once()
		})
	}
}

// stall puts a follower of an empty file in the place of the real one.
func (r *reading) stall(s *segment) {
	r.Helper()
	s.fol.stop()
	empty := create(r, filepath.Join(r.TempDir(), "empty"))
	f, err := follow(empty.Name(), 0, r.opt.Poll)
	must(r, err)
	s.fol = f
}

// The follower alone makes Next look: our own looks are put off here.
func TestFollowerWakes(t *testing.T) {
	path := logPath(t)
	w := create(t, path)
	if _, ok := followPath(w); !ok {
		return
	}
	put(t, w, lines("a", 0, 1))
	r := read(t, testOptions(path))
	r.until("followed", func() bool { return r.following("a") })
	r.checkAt = time.Now().Add(time.Hour)
	r.scanAt = r.checkAt
	for i := 1; i < 20; i++ {
		put(t, w, lines("a", i, 1))
		r.until("read", r.has("a", lines("a", 0, i+1)))
	}
	r.once()
	must(t, os.Truncate(path, 3))
	r.until("the cut is noticed", func() bool { return r.segment("a").Frozen })
}

// Word of what did not happen makes Next look, and nothing else.
func TestFollowersRumours(t *testing.T) {
	path := logPath(t)
	w := create(t, path)
	if _, ok := followPath(w); !ok {
		return
	}
	put(t, w, lines("a", 0, 10))
	r := read(t, testOptions(path))
	r.until("followed", func() bool { return r.following("a") })
	for range 5 {
		r.all[0].fol.changes.NotifyTruncated()
		r.all[0].fol.changes.NotifyModified()
		r.during(5 * time.Millisecond)
	}
	put(t, w, lines("a", 10, 5))
	r.until("read", r.has("a", lines("a", 0, 15)))
	r.once()
	if s := r.segment("a"); s.Alarm != "" || !r.following("a") {
		t.Errorf("segment %+v", s)
	}
}

func TestBurstWhileFollowed(t *testing.T) {
	path := logPath(t)
	w := create(t, path)
	put(t, w, "a 0\n")
	r := read(t, testOptions(path))
	r.until("read", r.has("a", "a 0\n"))
	burst := strings.Repeat(lines("a", 1, 100), 300) // about 3 MB
	put(t, w, burst)
	r.until("read", func() bool { return len(r.image["a"]) == 4+len(burst) })
	if !r.has("a", "a 0\n"+burst)() {
		t.Error("other content")
	}
	r.once()
}

// A consumer that holds blocks and reads slowly sees the same bytes later.
func TestBlocksAreKeptUntilReleased(t *testing.T) {
	path := logPath(t)
	w := create(t, path)
	put(t, w, lines("a", 0, 500))
	opt := testOptions(path)
	opt.BlockSize, opt.MaxLine = 4096, 1000
	r := read(t, opt)
	var held []Block
	var want []string
	add := func(b Block) {
		held, want = append(held, b), append(want, string(b.Data))
	}
	ctx := t.Context()
	for i := 0; i < 40; i++ {
		b, err := r.Next(ctx)
		must(t, err)
		add(b)
		put(t, w, lines("a", 500+i, 1))
	}
	for i := range held {
		if string(held[i].Data) != want[i] {
			t.Fatalf("block %d changed while it was held", i)
		}
		again := held[i]
		held[i].Release()
		again.Release() // of a copy: must not give the memory away twice
	}
	seen := map[*byte]bool{}
	for range 40 {
		put(t, w, lines("a", 0, 1))
		b, err := r.Next(ctx)
		must(t, err)
		if len(b.Data) == 0 || seen[&b.Data[0]] {
			t.Fatal("memory was handed out twice")
		}
		seen[&b.Data[0]] = true
	}
}

func TestLiveMarksTheEdge(t *testing.T) {
	path := logPath(t)
	write(t, path, lines("a", 0, 2000))
	opt := testOptions(path)
	opt.BlockSize, opt.MaxLine = 16<<10, 1000
	r := read(t, opt)
	for end := int64(len(lines("a", 0, 2000))); ; {
		b, err := r.Next(t.Context())
		must(t, err)
		if b.Live != (b.End == end) {
			t.Fatalf("block [%d,%d) of %d: Live is %v", b.Start, b.End, end, b.Live)
		}
		if b.End == end {
			return
		}
	}
}

func TestLatencyAtTheLiveEdge(t *testing.T) {
	path := logPath(t)
	w := create(t, path)
	put(t, w, lines("a", 0, 1))
	r := read(t, testOptions(path))
	r.until("read", r.has("a", lines("a", 0, 1)))
	var worst time.Duration
	for i := 1; i < 40; i++ {
		begin := time.Now()
		put(t, w, lines("a", i, 1))
		r.until("read", r.has("a", lines("a", 0, i+1)))
		worst = max(worst, time.Since(begin))
	}
	t.Logf("slowest of 39 lines: %v", worst)
	if worst > time.Second {
		t.Errorf("%v", worst)
	}
}
