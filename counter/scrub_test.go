package counter

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ddkk-stats/parser"
)

// newTestScrubber is a scrubber that goes round when it is told to, at full speed.
func newTestScrubber(t *testing.T, r *ingestRig) (*scrubber, *IngestStats) {
	t.Helper()
	in, err := New(r.opt)
	if err != nil {
		t.Fatal(err)
	}
	s, st := in.newScrubber(), &IngestStats{}
	s.pause = func(context.Context, time.Duration) {}
	s.update = func(f func(*IngestStats)) { f(st) }
	return s, st
}

// mixedHits are views, events and bots of three sites over the last hours, more pages
// and events than keep their names.
func mixedHits(r *ingestRig, n int) []testHit {
	r.opt.MaxPages, r.opt.MaxEvents, r.opt.FacetCaps[parser.Referrer] = 150, 4, 3
	return randomHits(rand.New(rand.NewPCG(51, 52)), n, 300)
}

// Whatever is counted, beside whatever the scrub does, there is nothing to be found.
func TestScrubFindsNothing(t *testing.T) {
	t.Parallel()
	s := startReadServer(t)
	r := newRig(t, readClient(t, s.addr()))
	r.opt.BatchSize = 300 // page changes are put off
	hits := mixedHits(r, 12_000)
	r.start()
	sc, st := newTestScrubber(t, r)
	for i := 0; i < len(hits); i += 1000 {
		r.log.write([]string{"a", "b"}[i/1000%2], lines(hits[i:i+1000])...)
		for range 3 {
			if err := sc.goRound(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	r.await()
	r.rdb.FlushAll(t.Context()) // and beside a rebuild
	rebuilt := func() bool { return r.in.Stats().Rebuilds >= 3 }
	for done := false; !done; {
		done = rebuilt()
		if err := sc.goRound(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	r.await()
	r.stop()
	for range 2 {
		if err := sc.goRound(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if st.ScrubDifferences != 0 || st.ScrubKeys < 1000 || r.in.Stats().Folds == 0 {
		t.Errorf("%d differences of %d keys: %v", st.ScrubDifferences, st.ScrubKeys, sc.sites)
	}
}

// Every key that holds what was counted is missed by the scrub alone when it is lost,
// but for the ones whose loss no other number shows.
func TestScrubFindsEveryLoss(t *testing.T) {
	t.Parallel()
	s := startReadServer(t)
	r := newRig(t, readClient(t, s.addr()))
	hits := randomHits(rand.New(rand.NewPCG(53, 54)), 3000, 40)
	now := time.Now().UTC().Truncate(time.Second)
	for i := range hits { // whatever the time of day, some of today
		if i%3 == 0 {
			hits[i].at = now.Add(-time.Duration(i%60) * time.Second)
		}
	}
	r.start()
	r.log.write("a", lines(hits)...)
	r.await()
	r.stop()
	// Of one site the facets are spread, of others they are in the list.
	if _, err := r.in.commit.spread.foldOnce(t.Context(), pendingFacets, "s1.example", r.rdb.HGet(t.Context(), r.opt.Keys.Checkpoint("s1.example"), fieldEpoch).Val()); err != nil {
		t.Fatal(err)
	}
	sc, st := newTestScrubber(t, r)
	round := func() int64 {
		t.Helper()
		before := st.ScrubDifferences
		if err := sc.goRound(t.Context()); err != nil {
			t.Fatal(err)
		}
		return st.ScrubDifferences - before
	}
	if n := round(); n != 0 {
		t.Fatalf("%d differences before anything is lost: %v", n, sc.sites["s1.example"].noted)
	}
	silent := []string{"online:", "made:", "ckpt:", "sites", "held", "rebuilds", "secret"}
	kinds := map[string]int{}
	keys := slices.Sorted(slices.Values(r.rdb.Keys(t.Context(), "ddkk:*").Val()))
	for _, key := range keys {
		rest := strings.TrimPrefix(key, "ddkk:")
		if rest == "uniques" || slices.ContainsFunc(silent, func(p string) bool { return strings.HasPrefix(rest, p) }) {
			continue
		}
		// The sets and hashes of a day before yesterday may have died.
		kind := rest[:strings.LastIndexByte(rest[:max(strings.Index(rest, ".example"), 1)], ':')]
		if kinds[kind]++; kinds[kind] > 12 {
			continue
		}
		ckpts := map[string]string{}
		for _, c := range r.rdb.Keys(t.Context(), "ddkk:ckpt:*").Val() {
			ckpts[c] = r.rdb.Dump(t.Context(), c).Val()
		}
		old := r.rdb.Dump(t.Context(), key).Val()
		ttl := max(r.rdb.PTTL(t.Context(), key).Val(), 0)
		r.rdb.Del(t.Context(), key)
		if n := round(); n == 0 {
			t.Errorf("nobody misses %s", key)
		}
		r.rdb.Restore(t.Context(), key, ttl, old)
		for c, d := range ckpts {
			r.rdb.RestoreReplace(t.Context(), c, 0, d)
		}
		if n := round(); n != 0 {
			t.Fatalf("%d differences after %s is back: %+v", n, key, sc.sites)
		}
	}
	for _, kind := range []string{"site:pv", "site:uv", "page:pv", "page:uv", "hot", "page:bot", "site:uv:set", "page:pairs", "site:books", "site:minutes", "event", "facet", "facets", "seen:id",
		"uniques:uv", "uniques:pairs"} {
		if kinds[kind] == 0 {
			t.Errorf("no key of %s was lost", kind)
		}
	}
}

// A page that nobody looks at is made whole by the running daemon, and a difference
// that a rebuild does not change is left alone, longer each time.
func TestScrubHeals(t *testing.T) {
	t.Parallel()
	s := startReadServer(t)
	r := newRig(t, readClient(t, s.addr()))
	r.opt.Scrub, r.opt.Audit = 50*time.Millisecond, time.Hour
	hits := randomHits(rand.New(rand.NewPCG(55, 56)), 600, 20)
	r.start()
	r.log.write("a", lines(hits)...)
	r.await()
	eventually(t, func() bool { return maps.Equal(tallyUp(hits), dump(t, r.rdb)) }, func() { r.check(hits) })
	var h testHit
	for _, x := range hits {
		if x.category == "" && !strings.Contains(x.agent, "bot") {
			h = x
		}
	}
	if n := r.rdb.Del(t.Context(), "ddkk:page:pv:"+h.site+":"+h.page).Val(); n != 1 {
		t.Fatalf("%s has no views", h.page)
	}
	eventually(t, func() bool { return r.in.Stats().Rebuilds == 1 }, func() { t.Fatalf("nobody misses the key: %+v", r.in.Stats()) })
	eventually(t, func() bool { return maps.Equal(tallyUp(hits), dump(t, r.rdb)) }, func() { r.check(hits) })
	rounds := r.in.Stats().ScrubRounds
	eventually(t, func() bool { return r.in.Stats().ScrubRounds > rounds+3 }, func() { t.Fatal("the scrub ended") })
	if st := r.in.Stats(); st.Rebuilds != 1 || st.ScrubEnded.IsZero() {
		t.Errorf("%+v", st)
	}
	r.stop()
}

func TestScrubGivesUpOnWhatStays(t *testing.T) {
	s := startReadServer(t)
	r := newRig(t, readClient(t, s.addr()))
	k, site := r.opt.Keys, "s.example"
	sc, _ := newTestScrubber(t, r)
	found := atomic.Int64{}
	sc.found = func() { found.Add(1) }
	r.rdb.SAdd(t.Context(), k.Sites(), site)
	today := parser.DayOf(time.Now().UTC())
	marks := ""
	for i := range 20 {
		r.rdb.Del(t.Context(), k.Checkpoint(site)) // as a rebuild does
		r.rdb.HSet(t.Context(), k.Checkpoint(site), fieldEpoch, "life"+string(rune('a'+i)))
		r.rdb.Set(t.Context(), k.SitePVDay(site, today), 5, 0) // and it does not help
		before := found.Load()
		if err := sc.goRound(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := found.Load() - before; n > 0 {
			marks += "x"
			if v := r.rdb.HGet(t.Context(), k.Checkpoint(site), fieldLost).Val(); v == "" {
				t.Error("nothing is noted")
			}
		} else {
			marks += "."
		}
	}
	if want := "x.x...x.......x....."; marks != want {
		t.Errorf("noted in rounds %s, want %s", marks, want)
	}
	r.rdb.Del(t.Context(), k.SitePVDay(site, today))
	if err := sc.goRound(t.Context()); err != nil || sc.sites[site].strikes != 0 {
		t.Errorf("it is well: %v, %+v", err, sc.sites[site])
	}
}

// The calls of today by day, hour and minute must agree.
func TestScrubCalls(t *testing.T) {
	rdb := readClient(t, startReadServer(t).addr())
	r := newCallRig(t, rdb)
	calls := randomCalls(rand.New(rand.NewPCG(57, 58)), 300)
	now := time.Now().UTC()
	for i := range calls {
		calls[i].at = now
	}
	r.start()
	r.call("a", calls)
	r.await()
	r.stop()
	sc, st := newTestScrubber(t, r)
	for _, layout := range []string{"", callMinuteLayout, callHourLayout, callDayLayout} {
		key, old := "", ""
		if layout != "" {
			key = r.opt.Keys.Calls(calls[0].site, now.Format(layout))
			old = rdb.Dump(t.Context(), key).Val()
			if n := rdb.Del(t.Context(), key).Val(); n != 1 {
				t.Fatalf("%s is not there", key)
			}
		}
		before := st.ScrubDifferences
		if err := sc.goRound(t.Context()); err != nil {
			t.Fatal(err)
		}
		if found := st.ScrubDifferences > before; found != (layout != "") {
			t.Errorf("%q: %d differences: %+v", layout, st.ScrubDifferences-before, sc.sites)
		}
		if key != "" {
			rdb.Restore(t.Context(), key, 0, old)
		}
	}
}
