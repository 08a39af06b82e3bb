package counter

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// A name that the list of all sites lost is back although no line of the site
// comes: one of them, the whole list, and a list that is none. Numbers stay.
func TestAuditListsSitesAgain(t *testing.T) {
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
