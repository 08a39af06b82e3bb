package counter

import (
	"log/slog"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"
)

// TestRebuiltIsStaleUntilCounted: after somebody else has rebuilt a site, with the
// daemon running and with it stopped meanwhile, no read answers numbers as current
// that lack a line of the log.
func TestRebuiltIsStaleUntilCounted(t *testing.T) {
	t.Parallel()
	s := startReadServer(t)
	r := newRig(t, readClient(t, s.addr()))
	r.opt.Audit = time.Hour
	reader, err := NewReader(r.rdb, r.opt.Keys, ReaderOptions{Location: time.UTC, Timeout: 10 * time.Second, FreshFor: 2 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	r.opt.Stale = reader.MarkStale
	hits := randomHits(rand.New(rand.NewPCG(31, 32)), 4000, 300)
	const site = "s0.example"
	want := tallyUp(hits)["site:pv:"+site]
	r.log.write("a", lines(hits)...)
	r.log.write("b", `torn`) // a last line that is nobody's
	read := func() (string, bool) {
		st, err := reader.Stats(t.Context(), site, "", FieldSitePV)
		if err != nil {
			t.Fatal(err)
		}
		return text(st.SitePV), st.Stale
	}
	current := func(after string) {
		t.Helper()
		eventually(t, func() bool {
			pv, stale := read()
			if !stale && pv != want {
				t.Fatalf("after %s: %s views are answered as current, want %s", after, pv, want)
			}
			return !stale
		}, func() { t.Fatalf("after %s: stale for ever", after) })
	}
	r.start()
	r.await()
	current("counting")
	other := &Rebuilder{Redis: r.rdb, Keys: r.opt.Keys, Logger: slog.New(slog.DiscardHandler)}
	for _, running := range []bool{true, false} {
		if !running {
			r.stop()
		}
		if _, err := other.Rebuild(t.Context(), []string{site}); err != nil {
			t.Fatal(err)
		}
		if pv, stale := read(); !stale {
			t.Errorf("running %v: %s views, not stale, right after a rebuild", running, pv)
		}
		if !running {
			r.start()
		}
		current("a rebuild")
	}
	r.stop()
	if left := r.rdb.HExists(t.Context(), r.opt.Keys.Checkpoint(site), fieldBehind).Val(); left {
		t.Error("the mark of a rebuild was left")
	}
}

func text(n int64) string { return strconv.FormatInt(n, 10) }
