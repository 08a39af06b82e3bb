package counter

import (
	"maps"
	"math/rand/v2"
	"testing"
)

// Two hosts count a site; Redis comes back without lines of the first one's segment that is
// archived and gone. What the second one has is not archived: the site is rebuilt as long as
// the second one lives and counts its own again, and not before.
func TestRebuildWhereAnotherHostHasTheRest(t *testing.T) {
	t.Parallel()
	s := startReadServer(t)
	rdb := readClient(t, s.addr())
	hits := randomHits(rand.New(rand.NewPCG(7, 8)), 300, 20)
	for i := range hits {
		hits[i].site = "s1.example"
	}
	archive := &shelf{segment: "old", end: 1, stale: map[string]string{}}
	first, second := newRig(t, rdb), newRig(t, rdb)
	first.opt.Archive = archive
	second.log = newMemoryLog(2)
	// The archive of the test restores nothing: what is left of the old segment are no lines.
	first.log.write("old", "x")
	first.log.write("new", lines(hits[:100])...)
	second.log.write("other", lines(hits[100:])...)
	first.start()
	second.start()
	first.await()
	second.await()
	first.awaitExactly(hits)
	second.stop()
	first.stop()

	// The first one starts alone, with a checkpoint before what is archived.
	ckpt := first.opt.Keys.Checkpoint("s1.example")
	rdb.Del(t.Context(), first.opt.Keys.Held())
	if err := rdb.HSet(t.Context(), ckpt, "old", 0).Err(); err != nil {
		t.Fatal(err)
	}
	first.log.mu.Lock()
	first.log.order = []string{"new"}
	first.log.mu.Unlock()
	first.start()
	eventually(t, func() bool { return first.in.Stats().Missing > 0 }, func() { t.Fatal("it does not say what is lacking") })
	asked := archive.asked
	eventually(t, archive.has(func() bool { return archive.asked > asked+3 }), func() { t.Fatal("it does not ask again") })
	if st := first.in.Stats(); st.Rebuilds != 0 || st.Missing != 1 {
		t.Fatalf("%+v", st)
	}
	first.check(hits)

	second.start()
	eventually(t, func() bool { return first.in.Stats().Rebuilds == 1 }, func() { t.Fatalf("it is not rebuilt: %+v", first.in.Stats()) })
	eventually(t, func() bool { return maps.Equal(tallyUp(hits), dump(t, rdb)) }, func() { first.check(hits) })
	if at := rdb.HGet(t.Context(), ckpt, "old").Val(); at != "1" {
		t.Errorf("the archived segment is at %s", at)
	}
	first.stop()
	second.stop()
}
