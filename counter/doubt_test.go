package counter

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"
)

// shelf is an archive that has one segment, which is gone from the log; it may
// be away for some questions.
type shelf struct {
	segment string
	end     int64

	mu       sync.Mutex
	away     int
	asked    int
	restored []string
	stale    map[string]string // site -> what it was told to be, in order
}

func (*shelf) Sites() []string              { return nil }
func (*shelf) Knows(string) bool            { return false }
func (*shelf) Visitors(string) int64        { return 0 }
func (s *shelf) Covers(segment string) bool { return segment == s.segment }

func (s *shelf) Reachable(context.Context) error { return nil }

func (s *shelf) Lacking(_ context.Context, stands []Stand, here map[string]bool) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if s.away > 0 {
		s.away--
		return nil, errAway
	}
	var all []string
	for _, x := range stands {
		if !here[s.segment] && x.Offsets[s.segment] < s.end {
			all = append(all, x.Site)
		}
	}
	return all, nil
}

func (s *shelf) Restore(_ context.Context, site string) (map[string]int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.restored = append(s.restored, site)
	return map[string]int64{s.segment: s.end}, nil
}

func (s *shelf) markStale(site string, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stale[site] += fmt.Sprint(on, " ")
}

func (s *shelf) has(f func() bool) func() bool {
	return func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return f()
	}
}

// TestAsksTheArchive has Redis come back, under the daemon and while it was
// stopped, without what a segment counted that is archived and gone. The site is
// rebuilt once, one that is whole never is, and while the archive is away the
// numbers of a site that went back are stale.
func TestAsksTheArchive(t *testing.T) {
	t.Parallel()
	for _, running := range []bool{true, false} {
		t.Run(fmt.Sprint("running=", running), func(t *testing.T) {
			r := newRig(t, readClient(t, startReadServer(t).addr()))
			// Every site ends at the same place, as the archive says of all.
			archive := &shelf{segment: "old", end: 1, stale: map[string]string{}}
			r.opt.Archive, r.opt.Stale = archive, archive.markStale
			hits := randomHits(rand.New(rand.NewPCG(7, 8)), 200, 20)
			never := func() {
				t.Fatalf("%+v; asked %d times, restored %v, stale %v", r.in.Stats(), archive.asked, archive.restored, archive.stale)
			}
			r.log.write("old", lines(hits[:100])...)
			r.log.write("new", lines(hits[100:])...)
			r.start()
			r.await()
			if !running {
				r.stop()
			}
			r.log.mu.Lock()
			r.log.order = []string{"new"}
			r.log.mu.Unlock()
			archive.mu.Lock()
			archive.away = 1
			archive.mu.Unlock()
			if err := r.rdb.HSet(t.Context(), r.opt.Keys.Checkpoint("s1.example"), "old", 0).Err(); err != nil {
				t.Fatal(err)
			}
			if !running {
				r.start()
			}
			eventually(t, func() bool { return r.in.Stats().Rebuilds == 1 }, never)
			eventually(t, archive.has(func() bool { return archive.away == 0 && len(archive.restored) > 0 }), never)
			r.await()
			at, err := r.rdb.HGet(t.Context(), r.opt.Keys.Checkpoint("s1.example"), "old").Int64()
			if err != nil || at != archive.end {
				t.Errorf("after the rebuild the segment is at %d, %v", at, err)
			}
			want := "true false " // while it is rebuilt
			if running {
				want = "true false true false " // and before that, until the archive answers
			}
			eventually(t, archive.has(func() bool { return archive.stale["s1.example"] == want }), never)
			r.stop()
			if len(archive.restored) != 1 || archive.restored[0] != "s1.example" {
				t.Errorf("restored: %v", archive.restored)
			}
			if s := archive.stale["s2.example"]; s != "" {
				t.Errorf("a site that is whole was said to be stale: %s", s)
			}
		})
	}
}

// goneLog is a log nothing of which can be read again.
type goneLog struct{ listedLog }

func (goneLog) Rewind(string, int64) error { return errAway }

// A segment is archived and deleted before it is read again, as after a commit whose answer
// was lost: the archive is asked about the sites that are not counted to its end.
func TestArchiveIsAskedForWhatCannotBeReadAgain(t *testing.T) {
	seg := &segment{id: "s", pos: 300, floor: 100, size: 300}
	pl := &places{inputs: []Input{{Source: goneLog{listedLog{all: []SegmentInfo{{ID: "s", Size: 300, Read: 300}}}}}}, segs: map[string]*segment{"s": seg}, meter: &meter{}, log: slog.New(slog.DiscardHandler)}
	h := &healer{counts: &aggregate{sites: map[string]*site{}}, places: pl, doubts: newDoubts()}
	for name, stored := range map[string]map[string]int64{"behind.example": {"s": 100}, "new.example": {"s": none}, "whole.example": {"s": 300}, "other.example": {"x": 1}, "wholly.example": {"s": 400}} {
		s := &site{name: name, offsets: map[string]*offsets{}}
		for id, n := range stored {
			s.offsets[id] = &offsets{stored: n}
		}
		h.counts.sites[name] = s
	}
	if err := pl.rewind(seg, 100); err != nil {
		t.Fatal(err)
	}
	h.doubtUnread()
	if want := map[string]bool{"behind.example": true, "new.example": true, "other.example": true}; !maps.Equal(h.doubts.sites, want) {
		t.Errorf("in doubt are %v, want %v", h.doubts.sites, want)
	}
	if pl.onDisk()["s"] {
		t.Error("it can still be read again")
	}
	clear(h.doubts.sites)
	if h.doubtUnread(); len(h.doubts.sites) > 0 {
		t.Errorf("in doubt once more: %v", h.doubts.sites)
	}
}
