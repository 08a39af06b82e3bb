package e2e

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// What TestDelete has deleted.
const (
	goneSite    = "docs.ddkk.com"
	gonePage    = "/posts/6"
	goneVisitor = "192.0.2.77"
)

// TestDelete deletes a site, a page and a visitor while views come in: they are gone from
// Redis, SQL and the logs, what comes later counts, and nothing brings them back: not a
// Redis that lost all, and not a rebuild from the logs alone.
func TestDelete(t *testing.T) {
	eachArchive(t, rigOptions{env: map[string]string{"FLUSH_CRON": "* * * * * *"}}, func(r *rig) {
		var deleted atomic.Bool
		left := NewLedger(r.ledger.loc)
		r.ledger.Follow(left, func(b Beacon) (Beacon, bool) {
			return b, deleted.Load() || b.Site != goneSite && (b.Site != "ddkk.com" || b.Page != gonePage) && b.IP != goneVisitor
		})
		r.daemon.Start()
		visitor := NewTraffic(r.rand.Uint64(), goneVisitor, 5)
		noon := time.Now().In(r.ledger.loc).Truncate(24 * time.Hour).Add(-36 * time.Hour)
		for day := range 2 {
			for i := range 300 {
				x := r.traffic.Next()
				if i%6 == 0 {
					x = visitor.Next()
				}
				x.Time = noon.AddDate(0, 0, day).Add(time.Duration(i) * time.Second)
				r.writer.Write(0, x)
			}
			r.archive()
		}
		r.compress(r.segments()[0])
		r.rotate() // a segment that is not archived
		r.quieten()
		for i := range 200 {
			if i%10 == 0 {
				r.writer.Write(0, visitor.Next())
			}
			r.write(1)
		}
		r.exact()

		for _, what := range [][]string{{"--site", goneSite}, {"--site", "ddkk.com", "--page", gonePage}, {"--visitor", goneVisitor}} {
			out := r.command(append([]string{"delete", "--dry-run"}, what...)...)
			if !strings.Contains(out, "nothing was changed") {
				r.t.Errorf("dry run of %q:\n%s", what, out)
			}
		}
		r.exact() // nothing was
		if body, err := r.daemon.Post("/api/stats", fmt.Sprintf(`{"site":%q,"fields":["site_pv"]}`, goneSite)); err != nil || strings.Contains(string(body), `"site_pv":0`) {
			r.t.Errorf("before: %s, %v", body, err)
		}
		for _, what := range [][]string{{"--site", goneSite}, {"--site", "ddkk.com", "--page", gonePage}, {"--visitor", goneVisitor}} {
			if out, err := Run(r.t, r.daemon.Env, append([]string{"delete"}, what...)...); err == nil || !strings.Contains(out, "--yes-delete") {
				r.t.Errorf("delete without a word: %v\n%s", err, out)
			}
			out := r.command(append([]string{"delete", "--yes-delete", what[len(what)-1]}, what...)...)
			if !strings.Contains(out, "Lines are still in the logs of") { // the live one
				r.t.Errorf("delete %q said:\n%s", what, out)
			}
		}
		r.ledger = left
		r.exact()
		r.noKeysOf(goneSite)
		if body, err := r.daemon.Post("/api/stats", fmt.Sprintf(`{"site":%q,"fields":["site_pv"]}`, goneSite)); err != nil || !strings.Contains(string(body), `"site_pv":0`) || strings.Contains(string(body), "stale") {
			r.t.Errorf("%s, %v", body, err)
		}
		r.verified()

		r.forget()
		r.verified()
		r.noKeysOf(goneSite)
		r.daemon.Kill()
		r.forget()
		r.daemon.Start()
		r.verified()
		r.noKeysOf(goneSite)

		// The rest of the lines goes when the log is rotated.
		r.archive()
		out := r.command("delete", "--list")
		if strings.Count(out, "; done") != 3 {
			r.t.Errorf("delete --list:\n%s", out)
		}
		r.noLines()
		r.verified()

		// What comes later counts.
		deleted.Store(true)
		for range 30 {
			r.writer.Write(0, visitor.Next())
		}
		r.write(100)
		r.verified()
		r.archive()
		r.verified()
		if left.PV(goneSite) == 0 {
			r.t.Error("no view of the deleted site came since")
		}

		// From nothing but the logs: without an archive, which has the rules.
		if r.daemon.Env["MYSQL_DSN"] == "" {
			r.daemon.Terminate()
			r.forget()
			for _, name := range []string{"archive.db", "archive.db-wal", "archive.db-shm", "rules.json", "progress.json"} {
				if err := os.Remove(filepath.Join(r.daemon.Dir, name)); err != nil && !os.IsNotExist(err) {
					r.t.Fatal(err)
				}
			}
			r.daemon.Start()
			r.exact()
		}
	})
}

// noKeysOf makes sure that Redis has nothing of a site.
func (r *rig) noKeysOf(site string) {
	r.t.Helper()
	keys, err := r.client.Keys(r.t.Context(), "*"+site+"*").Result()
	must(r.t, err)
	listed, err := r.client.SIsMember(r.t.Context(), prefix+"sites", site).Result()
	must(r.t, err)
	if len(keys) > 0 || listed {
		r.t.Errorf("Redis has %q of %s; listed: %v", keys, site, listed)
	}
}

// noLines makes sure that no rotated log has anything of what was deleted.
func (r *rig) noLines() {
	r.t.Helper()
	for _, name := range r.segments() {
		b, err := os.ReadFile(name)
		must(r.t, err)
		if strings.HasSuffix(name, ".gz") {
			zr, err := gzip.NewReader(bytes.NewReader(b))
			must(r.t, err)
			b, err = io.ReadAll(zr)
			must(r.t, err)
		}
		text := string(b)
		for _, word := range []string{goneVisitor + "\t", "site=docs.ddkk.com", "Docs.ddkk.com"} {
			if i := strings.Index(text, word); i >= 0 {
				r.t.Errorf("%s still has %q: %s", name, word, text[max(0, i-100):min(len(text), i+200)])
			}
		}
	}
}

// TestDeleteKilled kills deletions at random points and repeats them.
func TestDeleteKilled(t *testing.T) {
	eachArchive(t, rigOptions{}, func(r *rig) {
		left := NewLedger(r.ledger.loc)
		r.ledger.Follow(left, func(b Beacon) (Beacon, bool) { return b, b.Site != goneSite && b.IP != goneVisitor })
		r.daemon.Start()
		visitor := NewTraffic(r.rand.Uint64(), goneVisitor, 5)
		for range 2 {
			for range 200 {
				r.writer.Write(0, visitor.Next())
				r.write(2)
			}
			r.archive()
		}
		r.write(100)
		r.exact()
		killed := 0
		for _, args := range [][]string{{"delete", "--site", goneSite, "--yes-delete", goneSite}, {"delete", "--visitor", goneVisitor, "--yes-delete", goneVisitor}} {
			for range 4 {
				if r.killed(2*time.Second, args...) {
					killed++
				}
				r.unlock()
			}
			keys, err := r.client.Keys(r.t.Context(), prefix+"rebuild:*").Result()
			must(r.t, err)
			if len(keys) > 0 {
				must(r.t, r.client.Del(r.t.Context(), keys...).Err())
			}
			r.command(args...)
		}
		r.t.Logf("%d of 8 deletions were killed before they ended", killed)
		r.ledger = left
		r.verified()
		r.noKeysOf(goneSite)
		r.archive()
		r.noLines()
		r.verified()
	})
}

// TestDeleteTwoHosts deletes on one of two hosts: the other counts by the rule at once, and erases its own
// logs at its next archive cycle.
func TestDeleteTwoHosts(t *testing.T) {
	m := StartMariaDB(t)
	r := newRig(t, rigOptions{})
	r.daemon.Env["MYSQL_DSN"] = m.Create("stats")
	dir := TempDir(t)
	other := NewDaemon(t, map[string]string{"REDIS_ADDR": r.proxy.Addr, "ACCESS_LOG": filepath.Join(dir, "event.log"), "TIMEZONE": "UTC", "MYSQL_DSN": r.daemon.Env["MYSQL_DSN"]})
	writer := NewWriter(t, filepath.Join(dir, "event.log"), r.ledger, WriterOptions{})
	left := NewLedger(r.ledger.loc)
	r.ledger.Follow(left, func(b Beacon) (Beacon, bool) { return b, b.Site != goneSite && b.IP != goneVisitor })
	r.daemon.Start()
	other.Start()
	visitor := NewTraffic(r.rand.Uint64(), goneVisitor, 5)
	for range 200 {
		r.writer.Write(0, visitor.Next())
		writer.Write(0, visitor.Next())
		writer.Write(0, r.traffic.Next())
		r.write(1)
	}
	rotated := filepath.Join(dir, "event.log.20260101T000000Z-001")
	writer.Rotate(rotated)
	old := time.Now().Add(-time.Hour)
	writer.Settle()
	must(t, os.Chtimes(rotated, old, old))
	for range 100 {
		writer.Write(0, r.traffic.Next())
	}
	r.rotate()
	r.quieten()
	r.write(100)
	r.exact()
	r.command("delete", "--site", goneSite, "--yes-delete", goneSite)
	out := r.command("delete", "--visitor", goneVisitor, "--yes-delete", goneVisitor)
	if !strings.Contains(out, other.Dir) {
		t.Errorf("the other host still has lines: %s", out)
	}
	r.ledger = left
	r.exact()
	r.noKeysOf(goneSite)
	for n := 0; n < 50; { // new views of the site would count
		if x := r.traffic.Next(); x.Site != goneSite {
			writer.Write(0, x)
			n++
		}
	}
	lines := func() string {
		b, err := os.ReadFile(rotated)
		must(t, err)
		return string(b)
	}
	if !strings.Contains(lines(), goneVisitor) {
		t.Error("the other host's log was rewritten by this one")
	}
	writer.Rotate(filepath.Join(dir, "event.log.20260101T000000Z-002"))
	writer.Settle()
	must(t, os.Chtimes(filepath.Join(dir, "event.log.20260101T000000Z-002"), old, old))
	if out, err := Run(t, other.Env, "archive"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if strings.Contains(lines(), goneVisitor) {
		t.Error("the other host's log has the visitor still")
	}
	r.archive()
	if out := r.command("delete", "--list"); strings.Count(out, "; done") != 2 {
		t.Errorf("delete --list:\n%s", out)
	}
	r.forget()
	r.exact()
	r.noKeysOf(goneSite)
}

// TestDeleteEmbedded: without a Redis the daemon itself takes a deleted site out of its store.
func TestDeleteEmbedded(t *testing.T) {
	t.Parallel()
	d := StartDaemon(t, map[string]string{"TIMEZONE": "UTC"})
	view := func(site, page string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.URL("/event.png?site="+site+"&page="+page), nil)
		must(t, err)
		req.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
		resp, err := http.DefaultClient.Do(req)
		must(t, err)
		must(t, resp.Body.Close())
	}
	want := func(site string, pv int) {
		t.Helper()
		Eventually(t, settleLimit, "the API has what is left", func() error {
			body, err := d.Post("/api/stats", fmt.Sprintf(`{"site":%q,"fields":["site_pv"]}`, site))
			if err == nil && !strings.Contains(string(body), fmt.Sprintf(`"site_pv":%d`, pv)) {
				err = fmt.Errorf("%s, want %d", body, pv)
			}
			return err
		})
	}
	for range 3 {
		view(goneSite, "/a")
		view("a.example", "/a")
		view("a.example", "/b")
	}
	want(goneSite, 3)
	want("a.example", 6)
	for _, args := range [][]string{{"delete", "--site", goneSite, "--yes-delete", goneSite}, {"delete", "--site", "a.example", "--page", "/b", "--yes-delete", "/b"}} {
		if out, err := Run(t, d.Env, args...); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	want(goneSite, 0)
	want("a.example", 3)
	view(goneSite, "/a")
	want(goneSite, 1)
	d.Kill()
	d.Start()
	want(goneSite, 1)
	want("a.example", 3)
}
