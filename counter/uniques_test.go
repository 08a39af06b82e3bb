package counter

import (
	"context"
	"maps"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/parser"
)

// readTerms reads visitors of this week and month; nil: not known.
func readTerms(t *testing.T, rdb redis.UniversalClient, u parser.Uniques, site, page string) [4]int64 {
	t.Helper()
	r, err := NewReader(rdb, NewKeys(DefaultPrefix, false), ReaderOptions{Location: time.UTC, Uniques: u})
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.Stats(t.Context(), site, page, TermFields)
	if err != nil || s.Stale {
		t.Fatalf("stale %v, %v", s.Stale, err)
	}
	return [4]int64{s.SiteUVWeek, s.SiteUVMonth, s.PageUVWeek, s.PageUVMonth}
}

// TestUniquesRead: visitors of this week and month are answered, of one that is not counted
// nothing is.
func TestUniquesRead(t *testing.T) {
	s := startReadServer(t)
	r := newRig(t, readClient(t, s.addr()))
	var hits []testHit
	now := time.Now().UTC()
	for i := range 30 {
		hits = append(hits, testHit{at: now, site: "a.example", page: "/p" + strconv.Itoa(i%2), agent: "Firefox", addr: "192.0.2." + strconv.Itoa(1+i%7)})
	}
	r.start()
	r.log.write("a", lines(hits)...)
	r.await()
	eventually(t, func() bool { return maps.Equal(tallyUp(hits), dump(t, r.rdb)) }, func() { r.check(hits) })
	r.stop()
	if got := readTerms(t, r.rdb, parser.UniquesMonth, "a.example", "/p1"); got != [4]int64{7, 7, 7, 7} {
		t.Errorf("%v", got)
	}
	if got := readTerms(t, r.rdb, parser.UniquesMonth, "a.example", "/none"); got != [4]int64{7, 7, 0, 0} {
		t.Errorf("%v", got)
	}
	if got := readTerms(t, r.rdb, parser.UniquesWeek, "a.example", "/p0"); got != [4]int64{7, NotKnown, 7, NotKnown} {
		t.Errorf("%v", got)
	}
	if got := readTerms(t, r.rdb, parser.UniquesDay, "a.example", "/p0"); got != [4]int64{NotKnown, NotKnown, NotKnown, NotKnown} {
		t.Errorf("%v", got)
	}
}

// TestUniquesBegin: a week that began before it was counted has no number, nor has one of
// which lines were counted while the setting was off; a site that is new has.
func TestUniquesBegin(t *testing.T) {
	s := startReadServer(t)
	r := newRig(t, readClient(t, s.addr()))
	at := time.Now().UTC()
	run := func(u parser.Uniques, hits ...testHit) {
		t.Helper()
		r.opt.Uniques = u
		r.start()
		r.log.write("a", lines(hits)...)
		r.await()
		r.stop()
	}
	view := func(site, addr string) testHit {
		return testHit{at: at, site: site, page: "/x", agent: "Firefox", addr: addr}
	}
	unknown, want := [4]int64{NotKnown, NotKnown, NotKnown, NotKnown}, func(site string, want [4]int64) {
		t.Helper()
		if got := readTerms(t, r.rdb, parser.UniquesMonth, site, "/x"); got != want {
			t.Errorf("%s: %v, want %v", site, got, want)
		}
	}
	run(parser.UniquesDay, view("old.example", "192.0.2.1"))
	run(parser.UniquesMonth, view("old.example", "192.0.2.1"), view("new.example", "192.0.2.1"), view("new.example", "192.0.2.2"))
	want("old.example", unknown)
	want("new.example", [4]int64{2, 2, 2, 2})
	run(parser.UniquesMonth, view("old.example", "192.0.2.2"), view("new.example", "192.0.2.2"))
	want("old.example", unknown)
	want("new.example", [4]int64{2, 2, 2, 2})
	run(parser.UniquesWeek, view("new.example", "192.0.2.3"))
	run(parser.UniquesMonth, view("new.example", "192.0.2.3"))
	want("new.example", [4]int64{3, NotKnown, 3, NotKnown})
	run(parser.UniquesDay)
	run(parser.UniquesMonth, view("new.example", "192.0.2.4"))
	want("new.example", unknown)
}

// TestUniquesHosts: two hosts count the same visitors at the same time, and each is one.
func TestUniquesHosts(t *testing.T) {
	s := startReadServer(t)
	rdb := readClient(t, s.addr())
	a, b := newRig(t, rdb), newRig(t, rdb)
	rng := rand.New(rand.NewPCG(77, 78))
	var hits []testHit
	for _, r := range []*ingestRig{a, b} {
		r.opt.BatchInterval = time.Millisecond
		r.start()
	}
	for i := range 40 {
		some := randomHits(rng, 60, 5)
		for j := range some {
			some[j].agent = "Mozilla/5.0 (X11; Linux x86_64; rv:" + strconv.Itoa(rng.IntN(9)) + ".0) Gecko/20100101 Firefox/140.0"
			some[j].id = ""
		}
		hits = append(hits, some...)
		r, segment := a, "a"
		if i%2 == 1 {
			r, segment = b, "b"
		}
		r.log.write(segment, lines(some)...)
	}
	a.await()
	b.await()
	eventually(t, func() bool { return maps.Equal(tallyUp(hits), dump(t, rdb)) }, func() { a.check(hits) })
	a.stop()
	b.stop()
}

// TestUniquesAreFolded: visitors of pages that are put off come into their week and month.
func TestUniquesAreFolded(t *testing.T) {
	s := startReadServer(t)
	r := newRig(t, readClient(t, s.addr()))
	r.opt.BatchSize = 50
	hits := randomHits(rand.New(rand.NewPCG(79, 80)), 3000, 400)
	r.log.write("a", lines(hits)...)
	r.start()
	r.await()
	eventually(t, func() bool { return maps.Equal(tallyUp(hits), dump(t, r.rdb)) }, func() { r.check(hits) })
	if r.in.Stats().Folds == 0 {
		t.Error("nothing was folded")
	}
	r.stop()
}

// TestUniquesDie: the keys of a term are there for as long as late lines are counted in
// it, and no longer.
func TestUniquesDie(t *testing.T) {
	s := startReadServer(t)
	r := newRig(t, readClient(t, s.addr()))
	now := time.Now().UTC()
	old := now.AddDate(0, 0, -50)
	hits := []testHit{{at: now, site: "a.example", page: "/x", agent: "Firefox"}, {at: old, site: "a.example", page: "/x", agent: "Firefox"}}
	r.start()
	r.log.write("a", lines(hits)...)
	r.await()
	r.stop()
	for k := range parser.NumTerms {
		today := parser.DayOf(now)
		for _, key := range []string{r.opt.Keys.TermVisitors("a.example", k.Name(today)), r.opt.Keys.TermPairs("a.example", k.Name(today))} {
			end := k.End(today).Date(time.UTC).Add(72 * time.Hour)
			if at := time.Now().Add(r.rdb.PTTL(context.Background(), key).Val()); at.Sub(end).Abs() > time.Minute {
				t.Errorf("%s dies at %s, want %s", key, at, end)
			}
		}
		if key := r.opt.Keys.TermPairs("a.example", k.Name(parser.DayOf(old))); r.rdb.Exists(t.Context(), key).Val() != 0 {
			t.Errorf("%s is there", key)
		}
	}
}
