package counter

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/counter/keys"
	"ddkk-stats/parser"
)

// hostileHits are views whose sites and pages are made to look like parts of
// other sites' keys.
func hostileHits(rng *rand.Rand, n int) []testHit {
	now := time.Now().UTC().Truncate(time.Second)
	today := now.Format("20060102")
	sites := []string{"set", "pv", "uv", "all", "victim.com", today, "[::1]", "bot"}
	pages := []string{"victim.com:" + today, "set:victim.com:" + today, ":" + today, "/" + today, "[::1]:" + today, "uv:set:victim.com:" + today,
		"all", "day:" + today, "/a:b", "{victim.com}:" + today, "pv:" + today}
	hits := make([]testHit, n)
	for i := range hits {
		hits[i] = testHit{at: now, site: sites[rng.IntN(len(sites))], page: pages[rng.IntN(len(pages))], ref: "r.example",
			agent: fmt.Sprintf("Mozilla/5.0 (X11; Linux x86_64; rv:%d.0) Gecko/20100101 Firefox/140.0", rng.IntN(n/20+2))}
	}
	return hits
}

func TestIngestNamesThatLookLikeKeys(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, r *ingestRig) {
		hits := hostileHits(rand.New(rand.NewPCG(1, 2)), 2000)
		for i := 0; i < len(hits); i += 500 { // each start reads the days anew
			r.log.write("a", lines(hits[i:i+500])...)
			r.start()
			r.counted(hits[:i+500])
			if n := r.in.Stats().Rebuilds; n > 0 {
				t.Errorf("%d rebuilds", n)
			}
			r.stop()
		}
	})
}

// Keys that an older version wrote get their present names, whatever was done
// of it before, and nothing is counted again that they remember.
func TestIngestKeysOfAnOlderVersion(t *testing.T) {
	t.Parallel()
	older, err := parser.ParseFacets([]string{"referrer", "hour"})
	if err != nil {
		t.Fatal(err)
	}
	eachStore(t, func(t *testing.T, r *ingestRig) {
		r.off = older
		hits := append(randomHits(rand.New(rand.NewPCG(3, 4)), 1500, 30), hostileHits(rand.New(rand.NewPCG(5, 6)), 1500)...)
		hits = slices.DeleteFunc(hits, func(h testHit) bool { return h.site == "set" }) // an older version cannot count that
		hits = append(hits, hits...)                                                    // all of them come again
		half := len(hits) / 2
		r.log.write("a", lines(hits[:half])...)
		r.start()
		r.counted(hits[:half])
		r.stop()
		r.foldAllFacets()
		old := r.age()
		if len(old) < 10 {
			t.Fatalf("only %d keys have former names", len(old))
		}
		// One site was migrated before the migration was killed, another was made
		// anew by an older daemon after it, the third has the layout before this one.
		r.must(r.rdb.HSet(t.Context(), r.opt.Keys.Checkpoint("s0.example"), fieldLayout, layout).Err())
		r.must(r.rdb.HSet(t.Context(), r.opt.Keys.Checkpoint("s2.example"), fieldLayout, namedPairs).Err())
		r.must(r.rdb.RPush(t.Context(), r.opt.Keys.FacetsPending("s1.example"), "of another life").Err())
		for _, n := range old {
			switch n.Site {
			case "s0.example", "s2.example":
				r.must(r.rdb.Rename(t.Context(), r.opt.Keys.FormerPairs(n.Site, n.Rest), r.opt.Keys.Key(n)).Err())
			case "s1.example":
				r.must(r.rdb.Set(t.Context(), r.opt.Keys.Key(n), "12345678", time.Hour).Err())
				r.must(r.rdb.Set(t.Context(), r.opt.Keys.Key(keys.Name{Family: keys.Pairs, Site: n.Site, Rest: "20200101"}), "12345678", time.Hour).Err())
			}
		}
		r.log.write("a", lines(hits[half:])...)
		r.start()
		r.counted(hits)
		if n := r.in.Stats().Rebuilds; n > 0 {
			t.Errorf("%d rebuilds", n)
		}
		r.stop()
		for _, n := range old {
			r.check1(n, r.opt.Keys.FormerPairs(n.Site, n.Rest))
		}
		if n := r.rdb.Exists(t.Context(), r.opt.Keys.Key(keys.Name{Family: keys.Pairs, Site: "s1.example", Rest: "20200101"})).Val(); n != 0 {
			t.Error("what another life of the site left is still there")
		}
	})
}

// An older version counted another site's page into the pairs of a site: both
// are counted again from the log.
func TestIngestSpoiledPairs(t *testing.T) {
	t.Parallel()
	s := startReadServer(t)
	r := newRig(t, readClient(t, s.addr()))
	var err error
	r.off, err = parser.ParseFacets([]string{"referrer", "hour"}) // an older version had no others
	r.must(err)
	hits := hostileHits(rand.New(rand.NewPCG(7, 8)), 1000)
	r.log.write("a", lines(hits)...)
	r.start()
	r.counted(hits)
	r.stop()
	r.foldAllFacets() // nor had it a list of them
	r.age()
	spoiled := r.opt.Keys.FormerPairs("victim.com", time.Now().UTC().Format("20060102"))
	r.must(r.rdb.Set(t.Context(), spoiled, "1"+strings.Repeat("\x01pairs\xff\x00", 9), 0).Err())
	r.log.write("a", lines(hits)...)
	r.start()
	r.counted(append(hits, hits...))
	if r.in.Stats().Rebuilds == 0 {
		t.Error("nothing was rebuilt")
	}
	r.stop()
	if v := r.rdb.Get(t.Context(), spoiled).Val(); v == "" || len(v) > 8 {
		t.Errorf("the other site's page has %q", v)
	}
}

// A site whose keys a newer version wrote waits, others are counted.
func TestIngestKeysOfANewerVersion(t *testing.T) {
	s := startReadServer(t)
	r := newRig(t, readClient(t, s.addr()))
	hits := []testHit{{at: time.Now(), site: "old.example", page: "/", agent: "Mozilla/5.0"}, {at: time.Now(), site: "new.example", page: "/", agent: "Mozilla/5.0"}}
	r.log.write("a", lines(hits)...)
	r.start()
	r.counted(hits)
	r.stop()
	r.must(r.rdb.HSet(t.Context(), r.opt.Keys.Checkpoint("new.example"), fieldLayout, layout+1).Err())
	r.log.write("a", lines(hits)...)
	r.start()
	r.counted(append(hits, hits[0]))
	stats := func() IngestStats { return r.in.Stats() }
	eventually(t, func() bool { return stats().Parked == 1 }, func() { t.Errorf("%d sites parked", stats().Parked) })
	if n := stats().Rebuilds; n != 0 {
		t.Errorf("%d rebuilds", n)
	}
	r.stop()
	r.must(r.rdb.HSet(t.Context(), r.opt.Keys.Checkpoint("new.example"), fieldLayout, layout).Err())
	r.start()
	r.counted(append(hits, hits...))
	r.stop()
}

// age gives keys the names that they had in layout 1 and returns the pairs.
func (r *ingestRig) age() []keys.Name {
	r.t.Helper()
	ctx := context.Background()
	all, err := r.rdb.Keys(ctx, "*").Result()
	r.must(err)
	var pairs []keys.Name
	for _, key := range all {
		switch n, _ := r.opt.Keys.Parse(key); n.Family {
		case keys.Pairs:
			// Where a page's total is in the way the older version was in trouble.
			former := r.opt.Keys.FormerPairs(n.Site, n.Rest)
			if r.rdb.Exists(ctx, former).Val() == 0 {
				r.must(r.rdb.Rename(ctx, key, former).Err())
				pairs = append(pairs, n)
			} else {
				r.must(r.rdb.Del(ctx, key).Err())
				r.must(r.rdb.Append(ctx, former, "\x01pairs\xff\x00").Err())
			}
		case keys.Checkpoint:
			r.must(r.rdb.HDel(ctx, key, fieldLayout, fieldFacets).Err())
		case keys.Facets:
			if n.Site != "s0.example" {
				r.ageFacets(key, n)
			}
		}
	}
	return pairs
}

// ageFacets gives a day's facets the names that they had in layout 2, where there were
// no others.
func (r *ingestRig) ageFacets(key string, n keys.Name) {
	r.t.Helper()
	ctx := context.Background()
	books := r.opt.Keys.Key(keys.Name{Family: keys.Books, Site: n.Site, Rest: n.Rest})
	for field, v := range r.rdb.HGetAll(ctx, key).Val() {
		switch f, name, bots, _ := parser.FieldOf(field); f {
		case parser.Referrer:
			r.must(r.rdb.HSet(ctx, r.opt.Keys.FormerReferrers(n.Site, n.Rest), name, v).Err())
			r.must(r.rdb.Expire(ctx, r.opt.Keys.FormerReferrers(n.Site, n.Rest), time.Hour).Err())
		case parser.Hour:
			r.must(r.rdb.HSet(ctx, books, keys.FormerHour(name, bots), v).Err())
		}
	}
	r.must(r.rdb.Del(ctx, key).Err())
}

func (r *ingestRig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// check1 makes sure that nothing lies under a former name but what a page of a
// site "set" has there.
func (r *ingestRig) check1(n keys.Name, former string) {
	r.t.Helper()
	if text := r.rdb.Get(r.t.Context(), former).Val(); text != "" && !isCount(text) {
		r.t.Errorf("%s still has the pairs of %s", former, n.Site)
	}
}

func (r *ingestRig) counted(hits []testHit) {
	r.t.Helper()
	r.awaitExactly(hits)
	r.check(hits)
}

// eachStore runs a test with one server and with a cluster.
func eachStore(t *testing.T, f func(*testing.T, *ingestRig)) {
	t.Run("one server", func(t *testing.T) {
		f(t, newRig(t, readClient(t, startReadServer(t).addr())))
	})
	t.Run("cluster", func(t *testing.T) {
		s := startReadServer(t, "--cluster-enabled", "yes")
		one := readClient(t, s.addr())
		if err := one.ClusterAddSlotsRange(t.Context(), 0, 16383).Err(); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() bool { return strings.Contains(one.ClusterInfo(t.Context()).Val(), "cluster_state:ok") },
			func() { t.Fatal("the cluster does not come up") })
		rdb := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{s.addr()}})
		t.Cleanup(func() { rdb.Close() })
		r := newRig(t, rdb)
		r.opt.Keys = NewKeys(DefaultPrefix, true)
		f(t, r)
	})
}

// foldAllFacets spreads what a stop left in the lists.
func (r *ingestRig) foldAllFacets() {
	r.t.Helper()
	ctx := context.Background()
	for _, name := range r.rdb.SMembers(ctx, r.opt.Keys.Sites()).Val() {
		if _, err := r.in.commit.spread.foldOnce(ctx, pendingFacets, name, r.rdb.HGet(ctx, r.opt.Keys.Checkpoint(name), fieldEpoch).Val()); err != nil {
			r.t.Fatal(err)
		}
	}
}
