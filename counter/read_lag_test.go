package counter

import (
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// lagRig reads a site, from memory where that will do.
type lagRig struct {
	*testing.T
	m     *miniredis.Miniredis
	clock *readClock
	r     *Reader
	ckpt  string
}

func newLagRig(t *testing.T) *lagRig {
	m, clock := miniredis.RunT(t), readMoment()
	readSeed(t, m, clock.Now())
	g := &lagRig{T: t, m: m, clock: clock, ckpt: NewKeys(DefaultPrefix, false).Checkpoint(readSite)}
	m.HSet(g.ckpt, fieldEpoch, "e1", fieldDone, "1")
	g.r = newTestReader(t, readClient(t, m.Addr()), clock, func(o *ReaderOptions) { o.FreshFor = 5 * time.Millisecond })
	return g
}

// read asks twice: the second answer comes from memory.
func (g *lagRig) read(what string, q Query, stale bool) {
	g.Helper()
	q.Site = readSite
	for _, where := range []string{"Redis", "memory"} {
		var a Answer
		if err := g.r.Read(g.Context(), &q, &a); err != nil || a.Stale != stale {
			g.Errorf("%s, from %s: stale is %v, want %v (%v)", what, where, a.Stale, stale, err)
		}
	}
}

var lagQueries = map[string]struct {
	Query
	pages bool
}{
	"totals":    {Query{Fields: FieldSitePV | FieldSiteUV | FieldSitePVToday | FieldSiteOnline}, false},
	"a page":    {Query{Page: "/a", Fields: FieldPagePV}, true},
	"all":       {Query{Page: "/a", Fields: ScalarFields}, true},
	"the batch": {Query{Pages: []string{"/b", "/a"}}, true},
	"hot":       {Query{Fields: FieldHotMonth}, true},
}

// TestReadSaysThatPagesLag: while page changes wait in the pending list totals are
// current, and what is of pages is stale, as long as they wait and no longer.
func TestReadSaysThatPagesLag(t *testing.T) {
	g := newLagRig(t)
	pending := g.r.keys.Pending(readSite)
	for round, step := range []struct {
		done string
		lag  bool
	}{{"1", false}, {"2", true}, {"3", true}, {"4", false}, {"5", true}} {
		g.m.Del(pending)
		if step.lag {
			if _, err := g.m.Push(pending, "x"); err != nil {
				t.Fatal(err)
			}
		}
		g.m.HSet(g.ckpt, fieldDone, step.done)
		g.clock.Add(25 * time.Millisecond)
		for name, q := range lagQueries {
			g.read(name, q.Query, step.lag && q.pages)
		}
		day := g.r.Today()
		if s := g.r.PageSums(t.Context(), readSite, day, day); s.Stale || s.Behind != step.lag || s.PV["/t"] != 1 {
			t.Errorf("round %d: pages of today: %+v", round, s)
		}
		if s := g.r.PageDays(t.Context(), readSite, "/t", day, day); s.Stale || s.Behind != step.lag || len(s.Days) != 1 {
			t.Errorf("round %d: days of a page: %+v", round, s)
		}
		if s := g.r.Days(t.Context(), readSite, day, day); s.Stale || s.Behind || len(s.Days) != 1 {
			t.Errorf("round %d: days: %+v", round, s)
		}
		if _, ok := g.r.PageVisitors(t.Context(), readSite, day, []string{"/a"}); ok == step.lag {
			t.Errorf("round %d: visitors of a page: %v", round, ok)
		}
	}
}

// TestReadSaysThatASiteIsBehind: from the moment when somebody begins to make a
// site anew until its log is counted again, nothing of it is answered as current.
func TestReadSaysThatASiteIsBehind(t *testing.T) {
	g := newLagRig(t)
	day := g.r.Today()
	all := func(when string, stale bool) {
		t.Helper()
		g.clock.Add(25 * time.Millisecond)
		for name, q := range lagQueries {
			g.read(when+": "+name, q.Query, stale)
		}
		sites, err := g.r.Overview(t.Context(), []string{readSite, "other.example"})
		if err != nil || sites[0].Stale != stale || sites[1].Stale || sites[0].SitePV != 100 {
			t.Errorf("%s: overview %+v, %v", when, sites, err)
		}
		if s := g.r.Days(t.Context(), readSite, day, day); s.Stale != stale {
			t.Errorf("%s: days %+v", when, s)
		}
		if s := g.r.PageSums(t.Context(), readSite, day, day); s.Stale != stale {
			t.Errorf("%s: pages %+v", when, s)
		}
	}
	all("before", false)
	totals := Query{Site: readSite, Fields: FieldSitePV}
	g.m.HSet(g.ckpt, fieldEpoch, rebuilding+"e2")
	if err := g.m.Set(g.r.keys.SitePV(readSite), "3"); err != nil {
		t.Fatal(err)
	}
	all("while it is made anew", true)
	var a Answer
	if err := g.r.Read(t.Context(), &totals, &a); err != nil || a.SitePV != 100 {
		t.Errorf("half of a site was read: %+v, %v", a, err)
	}
	g.m.HSet(g.ckpt, fieldEpoch, "e3", fieldBehind, "1")
	if err := g.m.Set(g.r.keys.SitePV(readSite), "100"); err != nil {
		t.Fatal(err)
	}
	all("before the log is counted", true)
	g.m.HDel(g.ckpt, fieldBehind) // nothing was counted: the number of scripts is the same
	all("after", false)
}
