package counter

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// While the site's version stays the same what was read of it stays current, of
// all its pages; when it moves on everything is asked for anew.
func TestReadWhileTheVersionStays(t *testing.T) {
	m, clock := miniredis.RunT(t), readMoment()
	readSeed(t, m, clock.Now())
	ckpt := NewKeys(DefaultPrefix, false).Checkpoint(readSite)
	m.HSet(ckpt, "epoch", "e1", "done", "1")
	rdb := readClient(t, m.Addr())
	n := watchTrips(t, rdb)
	r := newTestReader(t, rdb, clock, func(o *ReaderOptions) { o.FreshFor = 5 * time.Millisecond })
	read := func(page string, pv int64, trips int) {
		t.Helper()
		before := n.count()
		var a Answer
		q := Query{Site: readSite, Page: page, Fields: FieldSitePV | FieldPagePV | FieldHotWeek, Pages: []string{page}}
		if err := r.Read(t.Context(), &q, &a); err != nil || a.Stale || a.PagePV != pv || a.Pages[0] != pv || a.SitePV != 100 || len(a.Hot[Week]) != 3 {
			t.Errorf("%s: %+v, %v", page, a, err)
		}
		if d := n.count() - before; d != trips {
			t.Errorf("%s: %d round trips, want %d", page, d, trips)
		}
	}
	read("/a", 7, 1)
	read("/b", 5, 1)
	for range 4 {
		clock.Add(25 * time.Millisecond)
		read("/a", 7, 1) // looks at the version, too
		read("/b", 5, 0)
	}
	if err := m.Set("ddkk:page:pv:ddkk.com:/b", "6"); err != nil {
		t.Fatal(err)
	}
	m.HSet(ckpt, "done", "2")
	clock.Add(25 * time.Millisecond)
	read("/a", 7, 1)
	read("/b", 6, 1)
	clock.Add(keepFor)
	read("/a", 7, 1)
	clock.Add(time.Millisecond)
	read("/b", 6, 1) // nothing is kept for longer, whatever the version says

	m.HDel(ckpt, "epoch")
	clock.Add(25 * time.Millisecond)
	read("/a", 7, 1)
	read("/b", 6, 1) // a site without a checkpoint has no version
	clock.Add(25 * time.Millisecond)
	read("/a", 7, 1)
	read("/b", 6, 1)
}

// A read that was under way when another one saw a newer version cannot bring
// the older one back.
func TestReadOvertakenIsKeptWithoutVersion(t *testing.T) {
	m, clock := miniredis.RunT(t), readMoment()
	readSeed(t, m, clock.Now())
	ckpt := NewKeys(DefaultPrefix, false).Checkpoint(readSite)
	m.HSet(ckpt, "epoch", "e1", "done", "1")
	rdb := readClient(t, m.Addr())
	r := newTestReader(t, rdb, clock, func(o *ReaderOptions) { o.FreshFor = time.Millisecond })
	find := func() *asked {
		t.Helper()
		x := &asked{q: &Query{Site: readSite, Fields: FieldSitePV}, a: &Answer{}, now: clock.Now()}
		pipe := rdb.Pipeline()
		r.queue(t.Context(), pipe, x, nil)
		if _, err := pipe.Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		return x
	}
	slow := find()
	m.HSet(ckpt, "done", "2")
	clock.Add(time.Millisecond)
	gen := r.learned(find())
	if gen == 0 || r.learned(slow) != 0 {
		t.Error("the older version was taken for the site's")
	}
	if now, _ := r.checked(readSite); now != gen {
		t.Errorf("generation %d, want %d", now, gen)
	}
}

// Reads that wait for the same lane go together, each gets its own answer, and
// one of a wrong type does not spoil those that travel with it.
func TestReadsTravelTogether(t *testing.T) {
	m, clock := miniredis.RunT(t), readMoment()
	readSeed(t, m, clock.Now())
	if err := m.Set("ddkk:online:bad.example", "x"); err != nil {
		t.Fatal(err)
	}
	const pages = 40
	for i := range pages {
		if err := m.Set(fmt.Sprintf("ddkk:page:pv:ddkk.com:/%d", i), fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	rdb := readClient(t, m.Addr())
	n := watchTrips(t, rdb)
	r := newTestReader(t, rdb, clock, nil)
	l := r.lane(readSite)
	l.mu.Lock()
	l.trips = maxTrips // all of them find the lane busy
	l.mu.Unlock()
	var wg sync.WaitGroup
	for i := range pages {
		wg.Go(func() {
			pv, stale, err := r.Pages(t.Context(), readSite, []string{fmt.Sprint("/", i), "/a"})
			if err != nil || stale || pv[0] != int64(i) || pv[1] != 7 {
				t.Errorf("page %d: %v %v %v", i, pv, stale, err)
			}
		})
	}
	wg.Go(func() {
		if s, err := r.Stats(t.Context(), "bad.example", "", FieldSiteOnline); err != nil || !s.Stale {
			t.Errorf("bad site: %+v, %v", s, err)
		}
	})
	waiting := func() int { l.mu.Lock(); defer l.mu.Unlock(); return len(l.queue) }
	for waiting() < pages+1 {
		if err := rdb.Ping(t.Context()).Err(); err != nil { // lets the others run
			t.Fatal(err)
		}
	}
	before := n.count()
	l.handOn() // one of the trips under way is over
	wg.Wait()
	if d := n.count() - before; d != 1 {
		t.Errorf("%d reads took %d round trips", pages+1, d)
	}
	if l.trips != maxTrips-1 || waiting() != 0 {
		t.Errorf("%d trips are under way and %d reads wait at the end", l.trips, waiting())
	}
}
