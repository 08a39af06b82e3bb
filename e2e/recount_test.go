package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// newRules are settings that change what becomes of a third of the traffic.
var newRules = map[string]string{
	"SITE_ALIASES": "docs.ddkk.com=ddkk.com", "PAGE_INDEX": "strip", "PAGE_SLASH": "strip",
	"PAGE_ALIASES": "/posts/:id -> /p/:id, /🎉/* -> /fun, example.org/文章/* -> /wen/*",
	"BOT_AGENTS":   "Android 14", "BLOCK_PATHS": "/a b/*", "BLOCK_IPS": "192.0.2.77",
}

// byNewRules is what newRules make of a beacon.
func byNewRules(b Beacon) (Beacon, bool) {
	if b.Site == "docs.ddkk.com" {
		b.Site = "ddkk.com"
	}
	if b.Ref == "docs.ddkk.com" {
		b.Ref = "ddkk.com"
	}
	b.Page = strings.TrimSuffix(b.Page, "index.html")
	if len(b.Page) > 1 {
		b.Page = strings.TrimSuffix(b.Page, "/")
	}
	if id, ok := strings.CutPrefix(b.Page, "/posts/"); ok {
		b.Page = "/p/" + id
	}
	if strings.HasPrefix(b.Page, "/🎉/") {
		b.Page = "/fun"
	}
	if rest, ok := strings.CutPrefix(b.Page, "/文章/"); ok && b.Site == "example.org" {
		b.Page = "/wen/" + rest
	}
	b.Bot = b.Bot || strings.Contains(b.UA, "Android 14")
	return b, !strings.HasPrefix(b.Page, "/a b/") && b.IP != "192.0.2.77"
}

// recountRig counts three days by the old rules, two of them archived, and
// restarts the daemon with the new ones. Its ledger is that of the new rules.
func recountRig(r *rig) {
	r.t.Helper()
	ruled := NewLedger(r.ledger.loc)
	r.ledger.Follow(ruled, byNewRules)
	r.daemon.Start()
	noon := time.Now().In(r.ledger.loc).Truncate(24 * time.Hour).Add(-36 * time.Hour)
	blocked := NewTraffic(r.rand.Uint64(), "192.0.2.77", 20)
	for day := range 2 {
		for i := range 600 {
			x := r.traffic.Next()
			if i%10 == 0 {
				x = blocked.Next()
			}
			x.Time = noon.AddDate(0, 0, day).Add(time.Duration(i) * time.Second)
			r.writer.Write(0, x)
		}
		r.exact()
		r.archive()
	}
	r.write(400)
	r.exact()
	r.daemon.Terminate()
	for name, value := range newRules {
		r.daemon.Env[name] = value
	}
	r.daemon.Start()
	r.ledger = ruled
}

// TestRecountLive changes the rules and counts again while views come in, from
// logs of which one is compressed. A second time changes nothing.
func TestRecountLive(t *testing.T) {
	eachArchive(t, rigOptions{}, func(r *rig) {
		recountRig(r)
		r.compress(r.segments()[0])
		if out := r.command("recount", "--days", "3", "--dry-run"); !strings.Contains(out, "nothing was changed") {
			r.t.Errorf("dry run:\n%s", out)
		}
		stop := r.feed()
		r.more(200)
		out := r.command("recount", "--days", "3")
		r.more(200)
		stop()
		r.verified()
		if strings.Contains(out, "raw rows is gone") || !strings.Contains(out, "docs.ddkk.com") || strings.Contains(out, "does it run") {
			r.t.Errorf("recount said:\n%s", out)
		}
		r.t.Log(out)
		r.command("recount", "--days", "3")
		r.verified()
		// A page that is asked for by an old name is the new one, also among many.
		for old, now := range map[string]string{"/🎉/4.html": "/fun", "/posts/6/": "/p/6"} {
			pv := r.ledger.PagePV("ddkk.com", now)
			if pv == 0 {
				r.t.Fatalf("nobody read %s", now)
			}
			for route, ask := range map[string][2]string{
				"/api/stats": {fmt.Sprintf(`{"site":"ddkk.com","page":%q,"fields":["page_pv"]}`, old), fmt.Sprintf(`"page_pv":%d`, pv)},
				"/api/batch": {fmt.Sprintf(`{"site":"ddkk.com","pages":[%q,%q]}`, old, now), fmt.Sprintf(`%q:{"pv":%d}`, old, pv)},
			} {
				if body, err := r.daemon.Post(route, ask[0]); err != nil || !strings.Contains(string(body), ask[1]) {
					r.t.Errorf("%s: %s, %v: want %s", route, body, err, ask[1])
				}
			}
		}
	})
}

// TestRecountRows counts again when the archived segments are deleted.
func TestRecountRows(t *testing.T) {
	eachArchive(t, rigOptions{}, func(r *rig) {
		recountRig(r)
		r.deleteSegments()
		out := r.command("recount", "--days", "3")
		if !strings.Contains(out, "raw rows") {
			r.t.Errorf("recount said:\n%s", out)
		}
		r.verified()
	})
}

// TestRecountKilled kills recounts at random points and repeats them.
func TestRecountKilled(t *testing.T) {
	eachArchive(t, rigOptions{}, func(r *rig) {
		recountRig(r)
		killed := 0
		for range 6 {
			if r.killed(400*time.Millisecond, "recount", "--days", "3") {
				killed++
			}
			r.unlock()
			must(r.t, r.client.Del(r.t.Context(), prefix+"rebuild:docs.ddkk.com").Err())
		}
		r.t.Logf("%d of 6 recounts were killed before they ended", killed)
		r.command("recount", "--days", "3")
		r.verified()
	})
}

// compress gzips a rotated file, as logrotate does.
func (r *rig) compress(name string) {
	r.t.Helper()
	fi, err := os.Stat(name)
	must(r.t, err)
	text, err := os.ReadFile(name)
	must(r.t, err)
	writeFile(r.t, name+".gz", gzipped(r.t, string(text)))
	must(r.t, os.Chtimes(name+".gz", fi.ModTime(), fi.ModTime()))
	must(r.t, os.Remove(name))
}
