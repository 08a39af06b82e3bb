package verify

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
)

const mirrorSite = "a.example"

// mirrorRig is a site with a mirror, whose totals a test moves.
type mirrorRig struct {
	t      *testing.T
	redis  *miniredis.Miniredis
	rdb    *redis.Client
	keys   counter.Keys
	db     *archive.Archive
	mirror *counter.Mirror
	state  counter.MirrorState
	before func() // called once before the next look
}

// Look lets something happen between the steps of a comparison.
func (r *mirrorRig) Look(ctx context.Context, site string, pages []string) (*counter.MirrorLook, error) {
	if do := r.before; do != nil {
		r.before = nil
		do()
	}
	return r.mirror.Look(ctx, site, pages)
}

func (r *mirrorRig) State(ctx context.Context, site string) (counter.MirrorState, error) {
	return r.mirror.State(ctx, site)
}

func (r *mirrorRig) Changes(ctx context.Context, site string, seq int64) ([]counter.PageChange, error) {
	return r.mirror.Changes(ctx, site, seq)
}

func (r *mirrorRig) Pages(ctx context.Context, site string, f func(page string) error) error {
	return r.mirror.Pages(ctx, site, f)
}

func (r *mirrorRig) Key(site string, bots bool) string { return r.mirror.Key(site, bots) }

func newMirrorRig(t *testing.T) *mirrorRig {
	t.Helper()
	r := &mirrorRig{t: t, redis: miniredis.RunT(t), keys: counter.NewKeys(counter.DefaultPrefix, false)}
	r.rdb = redis.NewClient(&redis.Options{Addr: r.redis.Addr()})
	t.Cleanup(func() { r.must(r.rdb.Close()) })
	var err error
	r.db, err = archive.Open(t.Context(), "", filepath.Join(t.TempDir(), "archive.db"), archive.Options{})
	r.must(err)
	t.Cleanup(func() { r.must(r.db.Close()) })
	r.mirror = counter.NewMirror(r.rdb, r.keys, "test", true)
	r.redis.HSet(r.keys.Checkpoint(mirrorSite), "epoch", "e1")
	return r
}

func (r *mirrorRig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// view counts views as a commit does.
func (r *mirrorRig) view(page string, people, bots int64) {
	r.t.Helper()
	r.uncounted(page, people, bots)
	_, err := r.redis.SetAdd(r.keys.MirrorDue(mirrorSite), page)
	r.must(err)
}

// uncounted moves totals of a page that nobody notes as due.
func (r *mirrorRig) uncounted(page string, people, bots int64) {
	r.t.Helper()
	r.must(r.rdb.ZIncrBy(r.t.Context(), r.keys.HotAll(mirrorSite), float64(people), page).Err())
	r.must(r.rdb.HIncrBy(r.t.Context(), r.keys.PageBots(mirrorSite), page, bots).Err())
}

func (r *mirrorRig) begin() {
	r.t.Helper()
	ctx := r.t.Context()
	life, v, err := r.mirror.Begin(ctx, mirrorSite, counter.AnyLife)
	r.verdict(v, err)
	r.must(r.db.BeginLife(ctx, mirrorSite, life))
	v, err = r.mirror.Open(ctx, mirrorSite, life)
	r.verdict(v, err)
	r.state, err = r.mirror.State(ctx, mirrorSite)
	r.must(err)
}

func (r *mirrorRig) verdict(v counter.Verdict, err error) {
	r.t.Helper()
	if err != nil || v != counter.MirrorOK {
		r.t.Fatalf("%s, %v", v, err)
	}
}

func (r *mirrorRig) take() (seq int64) {
	r.t.Helper()
	_, v, err := r.mirror.Take(r.t.Context(), mirrorSite, &r.state)
	r.verdict(v, err)
	return r.state.Seq
}

func (r *mirrorRig) apply(seq int64) {
	r.t.Helper()
	changes, err := r.mirror.Changes(r.t.Context(), mirrorSite, seq)
	r.must(err)
	f := &archive.Flush{Site: mirrorSite, Life: r.state.Life, Seq: seq, Nonce: r.state.Takes[seq], Slot: int(seq % 3)}
	for _, c := range changes {
		f.Changes = append(f.Changes, archive.PageChange(c))
	}
	_, err = r.db.ApplyFlush(r.t.Context(), f)
	r.must(err)
}

func (r *mirrorRig) done(seq int64) {
	r.t.Helper()
	r.must(r.mirror.Done(r.t.Context(), mirrorSite, r.state.Life, seq, r.state.Takes[seq], true))
}

// want compares, and names what must be found; a line that begins with ! is a
// note or a problem.
func (r *mirrorRig) want(what string, want ...string) {
	r.t.Helper()
	v := New(Options{Archive: r.db, Mirror: r, Keys: r.keys, Location: time.UTC})
	s := &SiteReport{Site: mirrorSite}
	r.must(v.mirror(r.t.Context(), s))
	var got []string
	for _, d := range s.Shown {
		got = append(got, fmt.Sprintf("%s is %s, want %s", d.Key, d.Have, d.Want))
	}
	for _, text := range append(s.Notes, s.Problems...) {
		got = append(got, "!"+text)
	}
	slices.Sort(got)
	if len(got) != len(want) || s.Mirror != s.Differences || s.Differences != len(s.Shown) {
		r.t.Fatalf("%s: found %q, want %q", what, got, want)
	}
	for i, w := range want {
		if !strings.HasPrefix(got[i], w) {
			r.t.Errorf("%s: found %q, want %q", what, got[i], w)
		}
	}
}

// TestMirrorOnItsWay finds nothing wrong at any moment between a view and SQL.
func TestMirrorOnItsWay(t *testing.T) {
	r := newMirrorRig(t)
	r.uncounted("/a", 3, 1)
	r.want("no mirror")
	r.begin()
	r.want("nothing taken")
	one := r.take()
	r.want("taken")
	r.apply(one)
	r.want("in SQL, and not yet known to be")
	r.done(one)
	r.want("done")
	r.view("/a", 2, 0)
	r.view("/\xff", 0, 4)
	r.want("due")
	two := r.take()
	r.view("/a", 1, 0)
	three := r.take()
	r.apply(three)
	r.done(three)
	r.want("the second of two takes is in SQL")
	r.view("/a", 1, 0)
	r.before = func() { r.apply(two); r.done(two) }
	r.want("a take ends meanwhile")
	r.before = func() { n := r.take(); r.apply(n); r.done(n) }
	r.want("a take comes and ends meanwhile")
	for i := range 3 * pagesPerTrip {
		r.view(fmt.Sprintf("/%d", i), 1, int64(i%2))
	}
	four := r.take()
	r.apply(four)
	r.want("many pages, some of them taken")
	r.redis.HSet(r.keys.MirrorState(mirrorSite), "phase", "fill")
	r.want("it is being filled", "!page_counts is not compared")
	r.redis.HSet(r.keys.MirrorState(mirrorSite), "phase", "open")
	r.redis.HSet(r.keys.Checkpoint(mirrorSite), "epoch", "e2")
	r.want("the site was rebuilt", "!page_counts is not compared")
}

// TestMirrorDiffers names what is wrong, on either side.
func TestMirrorDiffers(t *testing.T) {
	r := newMirrorRig(t)
	r.uncounted("/a", 3, 1)
	r.uncounted("/b", 5, 0)
	r.begin()
	n := r.take()
	r.apply(n)
	r.done(n)
	r.want("all is well")
	r.uncounted("/a", 1, 0)
	r.want("a change that was not noted", "ddkk:mirror:pv:a.example /a is 3, want 4")
	r.uncounted("/a", -1, 0)
	wrong := &archive.Flush{Site: mirrorSite, Life: r.state.Life, Seq: 7, Nonce: "x", Slot: 9, Changes: []archive.PageChange{
		{Page: "/a", By: 2}, {Page: "/b", Bots: true, By: 1}, {Page: "/gone", By: 6}}}
	_, err := r.db.ApplyFlush(t.Context(), wrong)
	r.must(err)
	differ := []string{"page_counts a.example /a is 5, want 3", "page_counts a.example /b bots is 1, want 0", "page_counts a.example /gone is 6, want 0"}
	r.want("somebody wrote into the table", differ...)
	r.view("/a", 10, 0)
	r.want("a page that is due is compared all the same", differ...)
	r.take()
	r.want("and one that is on its way", differ...)
	r.must(r.db.ForgetMirror(t.Context(), mirrorSite))
	r.want("SQL is lost", "page_counts a.example /a bots is 0, want 1", "page_counts a.example /a is 0, want 3", "page_counts a.example /b is 0, want 5")
	r.redis.HSet(r.keys.MirrorBots(mirrorSite), "/a", "many")
	r.redis.Del(r.keys.HotAll(mirrorSite))
	r.redis.HSet(r.keys.HotAll(mirrorSite), "/a", "1")
	r.want("a key of another type", "!page_counts: ")
}

// TestMirrorFlushedAllTheTime gives up on pages that are never left alone.
func TestMirrorFlushedAllTheTime(t *testing.T) {
	r := newMirrorRig(t)
	r.uncounted("/a", 1, 0)
	r.begin()
	var again func()
	again = func() {
		r.view("/a", 1, 0)
		r.take()
		r.before = again
	}
	again()
	r.want("takes come all the time", "!page_counts: 1 pages from \"/a\" on are flushed faster")
}
