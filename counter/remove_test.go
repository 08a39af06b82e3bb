package counter

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"ddkk-stats/parser"
)

// TestRemove: a site that was deleted has no key and no name any more, nobody makes it anew,
// and what comes of it later counts as of a new one. A daemon that has not forgotten it, and
// one that begins with an old progress file, end with the same numbers.
func TestRemove(t *testing.T) {
	t.Parallel()
	for name, forgets := range map[string]bool{"forgotten": true, "not forgotten": false} {
		t.Run(name, func(t *testing.T) {
			s := startReadServer(t)
			r := newRig(t, readClient(t, s.addr()))
			reader, err := NewReader(r.rdb, r.opt.Keys, ReaderOptions{Location: time.UTC, Timeout: 10 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			r.opt.Stale, r.opt.Committed = reader.MarkStale, reader.Committed
			read := func(what, want string) {
				t.Helper()
				st, err := reader.Stats(t.Context(), "gone.example", "", FieldSitePV)
				if err != nil || text(st.SitePV) != want || st.Stale {
					t.Errorf("%s: %s views, stale %v, %v; want %s", what, text(st.SitePV), st.Stale, err, want)
				}
			}
			r.start()
			at := time.Now().UTC()
			const gone, stays, agent = "gone.example", "stays.example", "Mozilla/5.0 Firefox/140.0"
			write := func(at time.Time, site string, n int) {
				for range n {
					r.log.write("s1", testHit{at: at, site: site, page: "/a", agent: agent}.line())
				}
			}
			write(at.Add(-time.Minute), gone, 50)
			write(at.Add(-time.Minute), stays, 50)
			r.await()
			read("counted", "50")
			if err := SetBase(t.Context(), r.rdb, r.opt.Keys, gone, []Base{{PV: 5, UV: 1}, {Page: "/a", PV: 3, UV: 1}}); err != nil {
				t.Fatal(err)
			}
			p, err := parser.New(parser.Config{Secret: []byte("0123456789abcdef"), Location: time.UTC, Rules: parser.Rules{Version: 1, All: []parser.Rule{
				{Num: 1, Kind: parser.RuleDelete, Site: gone, Until: at.UnixMilli(), Done: true}}}})
			if err != nil {
				t.Fatal(err)
			}
			applied := make(chan struct{})
			rules := Rules{Parsers: []*parser.Parser{p}, Applied: func() { close(applied) }}
			if forgets {
				rules.Forget = []string{gone}
			}
			if err := r.in.Apply(rules); err != nil {
				t.Fatal(err)
			}
			<-applied
			rebuilder := &Rebuilder{Redis: r.rdb, Keys: r.opt.Keys, Logger: slog.New(slog.DiscardHandler)}
			if err := rebuilder.Remove(t.Context(), gone); err != nil {
				t.Fatal(err)
			}
			nothing := func(after string) {
				t.Helper()
				keys, err := r.rdb.Keys(t.Context(), "*"+gone+"*").Result()
				if err != nil {
					t.Fatal(err)
				}
				listed, err := r.rdb.SIsMember(t.Context(), r.opt.Keys.Sites(), gone).Result()
				if len(keys) > 0 || listed || err != nil {
					t.Errorf("after %s: %q, listed %v, %v", after, keys, listed, err)
				}
			}
			if forgets {
				nothing("the removal")
				read("removed", "0")
				write(at, stays, 10)
				r.await()
				nothing("counting")
			}
			write(at.Add(time.Second), gone, 7)
			r.await()
			eventually(t, func() bool {
				pv, err := r.rdb.Get(t.Context(), r.opt.Keys.SitePV(gone)).Result()
				return err == nil && pv == "7"
			}, func() { t.Fatal("what came later does not count") })
			r.stop()
			if _, err := r.rdb.Get(t.Context(), r.opt.Keys.BasePV(gone)).Result(); !isNil(err) {
				t.Errorf("its base is there still: %v", err)
			}
			dump := strings.Join(dumpKeys(t, r), " ")
			if !strings.Contains(dump, stays) {
				t.Errorf("the other site went: %s", dump)
			}
		})
	}
}

func dumpKeys(t *testing.T, r *ingestRig) []string {
	t.Helper()
	keys, err := r.rdb.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// TestForgottenSites: what an earlier run knew of a site that was deleted since is nothing: it is not
// rebuilt at the start.
func TestForgottenSites(t *testing.T) {
	s := startReadServer(t)
	r := newRig(t, readClient(t, s.addr()))
	r.start()
	const gone = "gone.example"
	r.log.write("s1", testHit{at: time.Now().Add(-time.Minute), site: gone, page: "/a", agent: "Mozilla/5.0 Firefox/140.0"}.line())
	r.await()
	r.stop()
	rebuilder := &Rebuilder{Redis: r.rdb, Keys: r.opt.Keys, Logger: slog.New(slog.DiscardHandler)}
	if err := rebuilder.Remove(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	r.opt.Forgotten = []string{gone}
	r.log = newMemoryLog(2) // its lines are erased
	r.start()
	r.log.write("s2", testHit{at: time.Now(), site: "a.example", page: "/a", agent: "Mozilla/5.0 Firefox/140.0"}.line())
	r.await()
	r.stop()
	for _, key := range dumpKeys(t, r) {
		if strings.Contains(key, gone) {
			t.Errorf("Redis has %s", key)
		}
	}
}
