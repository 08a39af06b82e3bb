package counter

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"ddkk-stats/parser"
)

// TestFacetsAreNeverBehind: what a commit left in the list is read together with
// what is spread already, however much of it is, and counts once.
func TestFacetsAreNeverBehind(t *testing.T) {
	r := newRig(t, readClient(t, startReadServer(t).addr()))
	reader, err := NewReader(r.rdb, r.opt.Keys, ReaderOptions{Location: time.UTC, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	const site = "s0.example"
	hits := randomHits(rand.New(rand.NewPCG(61, 62)), 2_000, 20)
	want := tallyUp(hits)
	today := parser.DayOf(time.Now().UTC())
	compare := func(when string) {
		t.Helper()
		got := expected{}
		for f := range parser.NumFacets {
			s := reader.Facet(t.Context(), site, f, parser.DayOf(today.Date(time.UTC).AddDate(0, 0, -3)), today)
			if s.Stale {
				t.Fatalf("%s: stale", when)
			}
			for _, d := range s.Days {
				for name, n := range d.Names {
					for i := 0; i < len(appendFacet(nil, f.Field(name), n.PV, n.Bot)); i += 2 {
						x := appendFacet(nil, f.Field(name), n.PV, n.Bot)[i:]
						got[fmt.Sprintf("facet:%s:%d %s", site, d.Day, x[0])] = strconv.FormatInt(x[1].(int64), 10)
					}
				}
			}
		}
		n := 0
		for key, v := range want {
			if len(key) > len("facet:"+site) && key[:len("facet:"+site)] == "facet:"+site {
				if n++; got[key] != v {
					t.Errorf("%s: %s is %q, want %q", when, key, got[key], v)
				}
			}
		}
		if n < 10 || n != len(got) {
			t.Errorf("%s: %d names, want %d", when, len(got), n)
		}
	}
	r.start()
	for i := 0; i < len(hits); i += 500 {
		r.log.write("a", lines(hits[i:i+500])...)
		r.await()
	}
	r.stop()
	waiting := r.rdb.LLen(t.Context(), r.opt.Keys.FacetsPending(site)).Val()
	compare(fmt.Sprint(waiting, " elements wait"))
	r.foldAllFacets()
	if n := r.rdb.LLen(t.Context(), r.opt.Keys.FacetsPending(site)).Val(); n != 0 {
		t.Fatalf("%d elements are left", n)
	}
	compare("all is spread")
}

// TestFacetsFoldAtQuiet: a source tells of the live edge all the time; that nothing
// comes is told by lines.
func TestFacetsFoldAtQuiet(t *testing.T) {
	r := newRig(t, readClient(t, startReadServer(t).addr()))
	r.start()
	r.log.write("a", testHit{at: time.Now(), site: "s0.example", page: "/", agent: "Mozilla/5.0 Firefox/140.0"}.line())
	r.await()
	waiting := func() int64 { return r.rdb.LLen(t.Context(), r.opt.Keys.FacetsPending("s0.example")).Val() }
	eventually(t, func() bool { return waiting() == 0 }, func() { t.Errorf("%d elements wait", waiting()) })
	r.stop()
}

// TestFacetsOfOldDays: the archive answers for them, so Redis has none.
func TestFacetsOfOldDays(t *testing.T) {
	r := newRig(t, readClient(t, startReadServer(t).addr()))
	old := testHit{at: time.Now().Add(-10 * 24 * time.Hour), site: "s0.example", page: "/", agent: "Mozilla/5.0 Firefox/140.0"}
	r.log.write("a", old.line())
	r.start()
	r.await()
	r.stop()
	if n := r.rdb.Exists(t.Context(), r.opt.Keys.FacetsPending(old.site), r.opt.Keys.Facets(old.site, parser.DayOf(old.at.UTC()))).Val(); n != 0 {
		t.Error("there are facets of a day ten days ago")
	}
}
