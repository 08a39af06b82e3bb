package counter

import (
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// A name that the list of all sites lost is back although no line of the site
// comes: one of them, the whole list, and a list that is none. Numbers stay.
func TestAuditListsSitesAgain(t *testing.T) {
	t.Parallel()
	s := startReadServer(t)
	r := newRig(t, readClient(t, s.addr()))
	hits := randomHits(rand.New(rand.NewPCG(21, 22)), 600, 30)
	r.start()
	r.log.write("a", lines(hits)...)
	r.await()
	want := slices.Sorted(slices.Values(r.rdb.SMembers(t.Context(), "ddkk:sites").Val()))
	if len(want) < 2 {
		t.Fatalf("sites %q", want)
	}
	back := func(after string) {
		t.Helper()
		have := func() []string { return slices.Sorted(slices.Values(r.rdb.SMembers(t.Context(), "ddkk:sites").Val())) }
		eventually(t, func() bool { return slices.Equal(have(), want) }, func() { t.Fatalf("after %s: sites %q, want %q", after, have(), want) })
	}
	r.rdb.SRem(t.Context(), "ddkk:sites", want[0])
	back("a name was lost")
	r.rdb.Del(t.Context(), "ddkk:sites")
	back("all were lost")
	r.rdb.Del(t.Context(), "ddkk:sites")
	r.rdb.RPush(t.Context(), "ddkk:sites", "x")
	back("it was made a list")
	r.stop()

	r.rdb.Del(t.Context(), "ddkk:sites")
	r.rdb.Set(t.Context(), "ddkk:sites", "x", 0)
	r.start()
	back("it was overwritten while nobody counted")
	eventually(t, func() bool { return maps.Equal(tallyUp(hits), dump(t, r.rdb)) }, func() { r.check(hits) })
	r.stop()
	if n := r.in.Stats().Rebuilds; n != 0 {
		t.Errorf("%d sites were rebuilt for it", n)
	}
}

// A rebuild by somebody else, and a Redis that was emptied, are noticed without
// a new line and long before the next audit.
func TestAuditFollowsRebuilds(t *testing.T) {
	t.Parallel()
	s := startReadServer(t)
	r := newRig(t, readClient(t, s.addr()))
	r.opt.Audit = time.Hour
	hits := randomHits(rand.New(rand.NewPCG(23, 24)), 600, 30)
	r.start()
	r.log.write("a", lines(hits)...)
	r.await()
	exact := func(after string) {
		t.Helper()
		eventually(t, func() bool { return maps.Equal(tallyUp(hits), dump(t, r.rdb)) }, func() { t.Errorf("after %s:", after); r.check(hits) })
	}
	exact("counting")
	if r.rdb.Set(t.Context(), "ddkk:rebuilds", "seen", 0).Err() != nil {
		t.Fatal("no Redis")
	}
	sites := r.rdb.SMembers(t.Context(), "ddkk:sites").Val()
	other := &Rebuilder{Redis: r.rdb, Keys: r.opt.Keys, Logger: slog.New(slog.DiscardHandler)}
	if _, err := other.Rebuild(t.Context(), sites); err != nil {
		t.Fatal(err)
	}
	exact("a rebuild")
	r.rdb.FlushAll(t.Context())
	exact("a flush")
	r.rdb.Del(t.Context(), "ddkk:rebuilds")
	r.rdb.RPush(t.Context(), "ddkk:rebuilds", "x")
	if _, err := other.Rebuild(t.Context(), sites); err != nil {
		t.Fatal(err)
	}
	exact("a rebuild over a list")
	r.stop()
}
