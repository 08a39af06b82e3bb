package counter

import (
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ddkk-stats/counter/keys"
	"ddkk-stats/parser"
)

// Nobody knows any more of a key that was lost between two runs; the commit that makes it
// anew finds it noted. (Facets are made by folds: TestScrubFindsEveryLoss has them.)
func TestLossThatNobodyKnowsOf(t *testing.T) {
	t.Parallel()
	for _, family := range []keys.Family{keys.Books, keys.Minutes, keys.Pairs, keys.Visitors, keys.HotMonth, keys.SeenID, keys.SeenWindow, keys.SiteUVDay} {
		t.Run(keys.Table[family].Pattern, func(t *testing.T) {
			r := newRig(t, readClient(t, startReadServer(t).addr()))
			r.opt.Scrub = -1 // only commits tell
			r.opt.DedupeWindow = func(string) time.Duration { return 2 * leastNoted }
			now := time.Now().UTC().Truncate(time.Second)
			h := testHit{at: now, site: "s.example", page: "/x", agent: "Mozilla/5.0 (X11; Linux x86_64; rv:1.0) Firefox/140.0", id: "0123456789abcdef", addr: "203.0.113.5"}
			r.start()
			r.log.write("a", h.line())
			r.await()
			r.stop()

			rest := keys.Day(parser.DayOf(now))
			switch family {
			case keys.HotMonth:
				rest = rest[:6]
			case keys.SeenID:
				rest = strconv.FormatInt(h.at.UnixMilli()/DefaultIDWindow.Milliseconds(), 10)
			case keys.SeenWindow:
				rest = strconv.FormatInt(h.at.UnixMilli()/(2*leastNoted).Milliseconds(), 10)
			}
			if n := r.rdb.Del(t.Context(), r.opt.Keys.Key(keys.Name{Family: family, Site: h.site, Rest: rest})).Val(); n != 1 {
				t.Fatal("it is not there")
			}
			other := h
			other.id, other.addr = "fedcba9876543210", "203.0.113.77"
			r.start()
			r.log.write("a", other.line())
			hits := []testHit{h, other}
			eventually(t, func() bool { return r.in.Stats().Rebuilds > 0 && maps.Equal(tallyUp(hits), dump(t, r.rdb)) }, func() {
				t.Errorf("%d rebuilds", r.in.Stats().Rebuilds)
				r.check(hits)
			})
			r.stop()
		})
	}
}

// Where the notes of what was made are lost, whatever only they told of may be lost as well:
// the site is rebuilt. A life that an earlier version began had none.
func TestNotesAreLost(t *testing.T) {
	t.Parallel()
	for _, old := range []bool{false, true} {
		t.Run(fmt.Sprintf("an old life: %v", old), func(t *testing.T) {
			r := newRig(t, readClient(t, startReadServer(t).addr()))
			r.opt.Scrub, r.opt.Audit = 50*time.Millisecond, 100*time.Millisecond
			hits := randomHits(rand.New(rand.NewPCG(75, 76)), 60, 3)
			r.start()
			r.log.write("a", lines(hits)...)
			r.await()
			eventually(t, func() bool { return maps.Equal(tallyUp(hits), dump(t, r.rdb)) }, func() { r.check(hits) })
			r.stop()
			k, site := r.opt.Keys, hits[0].site
			lost := []string{k.Made(site)}
			if old {
				r.rdb.HSet(t.Context(), k.Checkpoint(site), fieldEpoch, "0123456789abcdef")
			} else {
				lost = append(lost, r.rdb.Keys(t.Context(), k.PageUV(site, "*")).Val()[0])
			}
			if n := r.rdb.Del(t.Context(), lost...).Val(); n != int64(len(lost)) {
				t.Fatalf("%d of %q were there", n, lost)
			}
			r.start()
			eventually(t, func() bool {
				return r.rdb.Exists(t.Context(), k.Made(site)).Val() == 1 && maps.Equal(tallyUp(hits), dump(t, r.rdb))
			}, func() { r.check(hits) })
			if n := r.in.Stats().Rebuilds; (n > 0) == old {
				t.Errorf("%d rebuilds", n)
			}
			r.stop()
		})
	}
}

// Somebody gives keys another type, each family's of another site: the daemon goes on, and
// all numbers are right again.
func TestKeysOfAnotherType(t *testing.T) {
	t.Parallel()
	r := newRig(t, readClient(t, startReadServer(t).addr()))
	r.opt.Scrub, r.opt.Audit = 50*time.Millisecond, 100*time.Millisecond
	hits := randomHits(rand.New(rand.NewPCG(73, 74)), 900, 5)
	const sites = 12 // a site that is rebuilt again and again has to wait
	now := time.Now().UTC().Truncate(time.Second)
	for i := range hits {
		hits[i].at, hits[i].site = now.Add(-time.Duration(i%60)*time.Second), fmt.Sprintf("s%d.example", i%(sites+1))
	}
	r.start()
	r.log.write("a", lines(hits)...)
	r.await()
	eventually(t, func() bool { return maps.Equal(tallyUp(hits), dump(t, r.rdb)) }, func() { r.check(hits) })
	// The notes of what was made have a site of their own: without them the type of what
	// only they know of is found by the next commit that needs it.
	of := func(f keys.Family) string {
		if f == keys.Made {
			return fmt.Sprintf("s%d.example", sites)
		}
		return fmt.Sprintf("s%d.example", int(f)%sites)
	}
	apart := []keys.Family{keys.Secret, keys.Rebuilds, keys.Uniques} // looked at by a start alone, or by nobody
	families := map[keys.Family]string{}                             // a key of each
	for _, key := range r.rdb.Keys(t.Context(), "ddkk:*").Val() {
		n, ok := r.opt.Keys.Parse(key)
		if ok && (n.Site == "" || n.Site == of(n.Family)) && !slices.Contains(apart, n.Family) {
			families[n.Family] = key
		}
	}
	if len(families) < 20 {
		t.Errorf("only %d families of keys are tried", len(families))
	}
	types := map[string]string{}
	for f, key := range families {
		types[key] = f.RedisType()
		r.rdb.Del(t.Context(), key)
		if types[key] == "list" {
			r.rdb.Set(t.Context(), key, "x", 0)
		} else {
			r.rdb.LPush(t.Context(), key, "x")
		}
	}
	well := func() bool {
		for key, want := range types {
			// Who was online is forgotten, and a list of facets is spread.
			gone := strings.HasPrefix(key, "ddkk:online:") || strings.HasPrefix(key, "ddkk:facets:")
			if is := r.rdb.Type(t.Context(), key).Val(); is != want && (is != "none" || !gone) {
				return false
			}
		}
		return maps.Equal(tallyUp(hits), dump(t, r.rdb))
	}
	eventually(t, well, func() {
		for key, want := range types {
			t.Logf("%s is a %s, want a %s", key, r.rdb.Type(t.Context(), key).Val(), want)
		}
		r.check(hits)
		t.Error("a key has another type still")
	})
	r.stop()
}

// A lock that is no string is nobody's.
func TestLockOfAnotherType(t *testing.T) {
	rdb := readClient(t, startReadServer(t).addr())
	r := &Rebuilder{Redis: rdb, Keys: NewKeys(DefaultPrefix, false), Logger: slog.New(slog.DiscardHandler)}
	rdb.LPush(t.Context(), r.Keys.Rebuild("s.example"), "x")
	rdb.LPush(t.Context(), r.Keys.Sites(), "x")
	if _, err := r.Rebuild(t.Context(), []string{"s.example"}); err != nil {
		t.Fatal(err)
	}
	if epoch := rdb.HGet(t.Context(), r.Keys.Checkpoint("s.example"), fieldEpoch).Val(); epoch == "" || strings.HasPrefix(epoch, rebuilding) {
		t.Errorf("the site is not open: %q", epoch)
	}
	if all := rdb.SMembers(t.Context(), r.Keys.Sites()).Val(); len(all) != 1 {
		t.Errorf("the list of sites has %q", all)
	}
}

// A part that got no line does not move its checkpoint anywhere.
func TestPartWithoutALine(t *testing.T) {
	s := &site{name: "s.example", offsets: map[string]*offsets{}}
	b := newBatch(1, 1)
	b.part(s, "a")
	b.part(s, "b")
	s.at("b").open = 100
	b.seal()
	if len(b.parts) != 1 || b.parts[0].segment != "b" || b.parts[0].to != 100 {
		t.Errorf("%d parts are sent: %+v", len(b.parts), b.parts)
	}
}

// A site whose checkpoint and notes are both lost is a new one for whoever counts it, on top of
// what is there; and a Redis that applies the beginning of a script again may leave a key without a site. What
// was not made in this life is found, and the site rebuilt.
func TestKeysOfAnotherLife(t *testing.T) {
	for what, spoil := range map[string]func(r *ingestRig, site string){
		"checkpoint and notes are lost": func(r *ingestRig, site string) {
			r.rdb.Del(r.t.Context(), r.opt.Keys.Checkpoint(site), r.opt.Keys.Made(site))
		},
		"a key is all that is left": func(r *ingestRig, site string) {
			r.rdb.FlushDB(r.t.Context())
			r.rdb.HIncrBy(r.t.Context(), r.opt.Keys.Facets(site, parser.DayOf(time.Now().UTC())), "r", 1)
		},
	} {
		t.Run(what, func(t *testing.T) {
			r := newRig(t, readClient(t, startReadServer(t).addr()))
			r.opt.Scrub, r.opt.Audit = 50*time.Millisecond, 100*time.Millisecond
			h := testHit{at: time.Now(), site: "s.example", page: "/x", agent: "Mozilla/5.0 (X11; Linux x86_64; rv:1.0) Firefox/140.0", addr: "203.0.113.5"}
			r.start()
			r.log.write("a", h.line())
			r.await()
			r.stop()
			spoil(r, h.site)
			r.opt.Progress = filepath.Join(t.TempDir(), "progress.json") // another host's, which knows nothing
			r.start()
			hits := []testHit{h}
			eventually(t, func() bool { return r.in.Stats().Rebuilds > 0 && maps.Equal(tallyUp(hits), dump(t, r.rdb)) }, func() {
				t.Errorf("%d rebuilds", r.in.Stats().Rebuilds)
				r.check(hits)
			})
			r.stop()
		})
	}
}
