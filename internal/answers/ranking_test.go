package answers

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
	"ddkk-stats/internal/config"
	"ddkk-stats/internal/config/configtest"
	"ddkk-stats/internal/vault"
	"ddkk-stats/queryapi"
)

// rankRig is a ranking over an empty archive, with a clock that a test moves.
type rankRig struct {
	*Ranking
	t     testing.TB
	a     *archive.Archive
	clock time.Time
	seq   int64
}

const rankSite = "a.example"

func newRankRig(t testing.TB) *rankRig {
	t.Helper()
	cfg, err := config.Load("", configtest.Lookup(map[string]string{"DATA_DIR": t.TempDir()}))
	if err != nil {
		t.Fatal(err)
	}
	v := vault.New(config.NewLive(cfg), nil, counter.NewKeys("ddkk", false), slog.New(slog.DiscardHandler))
	r := &rankRig{t: t, clock: time.Now()}
	r.Ranking = NewRanking(v, func() time.Time { return r.clock })
	t.Cleanup(func() {
		r.Close()
		r.must(v.Close())
	})
	r.a, err = v.Open(t.Context())
	r.must(err)
	r.must(r.a.BeginLife(t.Context(), rankSite, "l"))
	return r
}

func (r *rankRig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// flush adds views as a mirror does.
func (r *rankRig) flush(changes ...archive.PageChange) {
	r.t.Helper()
	r.seq++
	_, err := r.a.ApplyFlush(r.t.Context(), &archive.Flush{Site: rankSite, Life: "l", Seq: r.seq, Nonce: fmt.Sprint(r.seq), Slot: int(r.seq % 3), Changes: changes})
	r.must(err)
}

func (r *rankRig) ask(q queryapi.RankQuery) string {
	r.t.Helper()
	q.Site = rankSite
	if q.Limit == 0 {
		q.Limit = 100
	}
	all, err := r.Ranked(r.t.Context(), &q)
	r.must(err)
	return fmt.Sprint(all)
}

// TestRankedAsInSQL goes through lists of any kind, page by page, and compares
// each answer with that of the database.
func TestRankedAsInSQL(t *testing.T) {
	r := newRankRig(t)
	dice := rand.New(rand.NewPCG(1, 2))
	for range 4 {
		var changes []archive.PageChange
		for i := range 60 {
			c := archive.PageChange{Page: fmt.Sprintf("/%02d", i), Bots: dice.IntN(3) == 0, By: dice.Int64N(5) - 1}
			if c.By != 0 {
				changes = append(changes, c)
			}
		}
		r.flush(changes...)
		r.must(r.a.SetBaselines(t.Context(), []archive.Baseline{{Source: "csv", Site: rankSite, Page: fmt.Sprintf("/%02d", dice.IntN(70)), PV: dice.Int64N(9) + 1}}))
		for kind := range 4 {
			for _, limit := range []int{1, 3, 7, 100} {
				q := queryapi.RankQuery{Site: rankSite, Bots: kind&1 != 0, Asc: kind&2 != 0, Limit: limit}
				for range 100 {
					got, err := r.Ranked(t.Context(), &q)
					r.must(err)
					want, err := r.fromSQL(t.Context(), r.a, &q)
					r.must(err)
					if !slices.Equal(got, want) {
						t.Fatalf("%+v after %v:\n%v, want\n%v", q, q.After, got, want)
					}
					if len(got) == 0 {
						break
					}
					last := got[len(got)-1]
					if dice.IntN(4) == 0 {
						last.Page, last.PV = last.Page+"x", last.PV+dice.Int64N(3)-1 // it is not there any more
						if q.After != nil && *q.After == last {
							break
						}
					}
					q.After = &last
				}
			}
		}
	}
}

// TestRankedFollows: an answer is from memory until page_counts changes, and then
// from what it has; a cursor stays good. Bases change it as well.
func TestRankedFollows(t *testing.T) {
	r := newRankRig(t)
	want := func(list string, q queryapi.RankQuery) {
		t.Helper()
		if got := r.ask(q); got != list {
			t.Errorf("%s, want %s", got, list)
		}
	}
	want("[]", queryapi.RankQuery{})
	r.flush(archive.PageChange{Page: "/a", By: 3}, archive.PageChange{Page: "/b", By: 2}, archive.PageChange{Page: "/c", By: 1})
	r.clock = r.clock.Add(rankedBehind) // what is read takes as long as it takes
	want("[{/a 3} {/b 2}]", queryapi.RankQuery{Limit: 2})
	list := r.lists[rankSite].list
	want("[{/c 1}]", queryapi.RankQuery{After: &queryapi.RankedPage{Page: "/b", PV: 2}})
	if r.lists[rankSite].list != list {
		t.Error("the list was read again")
	}
	r.flush(archive.PageChange{Page: "/a", By: 5}, archive.PageChange{Page: "/d", By: 1})
	r.clock = r.clock.Add(rankedBehind)
	want("[{/c 1} {/d 1}]", queryapi.RankQuery{After: &queryapi.RankedPage{Page: "/b", PV: 2}})
	r.must(r.a.SetBaselines(t.Context(), []archive.Baseline{{Source: "csv", Site: rankSite, Page: "/d", PV: 90}}))
	r.clock = r.clock.Add(rankedBehind)
	want("[{/d 91} {/a 8}]", queryapi.RankQuery{Limit: 2})
	r.must(r.a.BeginLife(t.Context(), rankSite, "l")) // the same life again forgets flushes
	r.clock = r.clock.Add(rankedBehind)
	want("[{/d 91} {/a 8}]", queryapi.RankQuery{Limit: 2})
	if r.lists[rankSite].list == list {
		t.Error("the list was not read again")
	}
}

// TestRankedBehind: while a list is read, the one before it is answered for some
// seconds; a refresh brings it up to date and is no use of it.
func TestRankedBehind(t *testing.T) {
	r := newRankRig(t)
	r.flush(archive.PageChange{Page: "/a", By: 3})
	if got := r.ask(queryapi.RankQuery{}); got != "[{/a 3}]" {
		t.Error(got)
	}
	r.flush(archive.PageChange{Page: "/a", By: 1})
	r.turn <- struct{}{} // another list is being read
	if got := r.ask(queryapi.RankQuery{}); got != "[{/a 3}]" {
		t.Errorf("%s, want what was known", got)
	}
	r.clock = r.clock.Add(rankedBehind)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if all, err := r.Ranked(ctx, &queryapi.RankQuery{Site: rankSite, Limit: 9}); err == nil {
		t.Errorf("%v after too long", all)
	}
	<-r.turn
	r.must(r.Refresh(t.Context()))
	if list := r.lists[rankSite].list; fmt.Sprint(list.people) != "[{/a 4}]" {
		t.Errorf("refreshed: %v", list.people)
	}
	r.clock = r.clock.Add(rankedIdle)
	r.must(r.Refresh(t.Context()))
	r.clock = r.clock.Add(time.Second)
	r.must(r.Refresh(t.Context()))
	if len(r.lists) != 0 {
		t.Errorf("%d lists are kept that nobody asks for", len(r.lists))
	}
}

// TestRankedLimits: a list that is too long is asked for in SQL; of many sites
// only the last ones are kept.
func TestRankedLimits(t *testing.T) {
	r := newRankRig(t)
	r.limit = 2
	r.flush(archive.PageChange{Page: "/a", By: 3}, archive.PageChange{Page: "/b", By: 2}, archive.PageChange{Page: "/c", By: 1})
	for range 2 {
		if got := r.ask(queryapi.RankQuery{Limit: 2}); got != "[{/a 3} {/b 2}]" || r.lists[rankSite].list != nil {
			t.Error(got)
		}
	}
	for i := range 3 * rankedSites / 2 {
		r.clock = r.clock.Add(time.Millisecond)
		_, err := r.Ranked(t.Context(), &queryapi.RankQuery{Site: fmt.Sprintf("s%d.example", i), Limit: 2})
		r.must(err)
	}
	if n := len(r.lists); n > rankedSites {
		t.Errorf("%d lists", n)
	}
}

// BenchmarkRanked asks for lists of 100,000 pages.
func BenchmarkRanked(b *testing.B) {
	r := newRankRig(b)
	for i := range 10 {
		var changes []archive.PageChange
		for n := i * 10_000; n < (i+1)*10_000; n++ {
			changes = append(changes, archive.PageChange{Page: "/posts/" + strings.Repeat("an-article-", 3) + fmt.Sprint(n), By: int64(1 + n*7919%100_000)})
		}
		r.flush(changes...)
	}
	for _, asc := range []bool{false, true} {
		b.Run(fmt.Sprint("asc ", asc), func(b *testing.B) {
			for b.Loop() {
				r.ask(queryapi.RankQuery{Limit: 1000, Asc: asc, After: &queryapi.RankedPage{Page: "/posts", PV: 50_000}})
			}
		})
	}
}
