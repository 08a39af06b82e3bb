package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// reader is somebody with a browser of his own.
func (r *callRig) reader(n int, uri string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, "http://"+r.nginx.Addr+uri, nil)
	must(r.t, err)
	req.Header.Set("User-Agent", fmt.Sprintf("Mozilla/5.0 (X11; Linux x86_64; rv:%d.0) Gecko/20100101 Firefox/140.0", n))
	resp, err := http.DefaultClient.Do(req)
	must(r.t, err)
	_, err = io.Copy(io.Discard, resp.Body)
	must(r.t, err)
	must(r.t, resp.Body.Close())
}

// reads is a page that readers from..to fetch, of whom the first so many send a beacon.
func (r *callRig) reads(page string, from, to, beacons int) {
	for n := from; n < to; n++ {
		r.reader(n, page)
		if n < from+beacons {
			r.reader(n, "/event.png?site="+callSite+"&page="+page)
		}
	}
}

func (r *callRig) api(path string, into any) {
	r.t.Helper()
	body, err := r.daemon.Get(path)
	must(r.t, err)
	if err := json.Unmarshal(body, into); err != nil {
		r.t.Fatalf("%s: %v in %s", path, err, body)
	}
}

// views waits until the site and a page have so many.
func (r *callRig) views(site int64, pages map[string]int64) {
	r.t.Helper()
	Eventually(r.t, settleLimit, "views are exact", func() error {
		for key, want := range map[string]int64{"site:pv:" + callSite: site} {
			if got, err := r.client.Get(r.t.Context(), prefix+key).Int64(); err != nil || got != want {
				return fmt.Errorf("%s is %d (%v), want %d", key, got, err, want)
			}
		}
		for page, want := range pages {
			if got, err := r.client.Get(r.t.Context(), prefix+"page:pv:"+callSite+":"+page).Int64(); err != nil || got != want {
				return fmt.Errorf("%s has %d (%v), want %d", page, got, err, want)
			}
		}
		return nil
	})
	checkBooks(r.t, r.daemon)
}

// logViews writes the setting into the daemon's file.
func (r *callRig) logViews(text string) {
	r.t.Helper()
	file := filepath.Join(filepath.Dir(r.log), "settings.yaml")
	must(r.t, os.WriteFile(file+".new", []byte("log_views: \""+text+"\"\n"), 0o600))
	must(r.t, os.Rename(file+".new", file))
	r.daemon.Env["CONFIG"] = file
}

// logged waits until the daemon's log has a text.
func (r *callRig) logged(text string) {
	r.t.Helper()
	Eventually(r.t, settleLimit, "the daemon's log", func() error {
		if !strings.Contains(r.daemon.Log(), text) {
			return fmt.Errorf("it has no %q", text)
		}
		return nil
	})
}

// switchAt has the daemon start, or go on, with LOG_VIEWS whose last time is a moment from
// now, and waits for that.
func (r *callRig) switchAt(before string) string {
	r.t.Helper()
	at := time.Now().UTC().Truncate(time.Second).Add(3 * time.Second)
	views := before + at.Format("2006-01-02T15:04:05")
	delete(r.daemon.Env, "LOG_VIEWS")
	r.logViews(callSite + views)
	if r.daemon.running() {
		r.daemon.HangUp()
		r.logged("new rules apply to lines from here on")
	} else {
		r.daemon.Start()
	}
	time.Sleep(time.Until(at) + 50*time.Millisecond) // the clock is what is tested
	return views
}

// TestLogViews: a real nginx's log takes over from the beacon and gives back, at a line.
// Nothing is lost or counted twice, live, from the archive and by verify. The readers who
// block scripts are as many as they are.
func TestLogViews(t *testing.T) {
	r := newCallRig(t)
	r.daemon.Start()
	r.reads("/post/1", 100, 105, 3) // two block scripts
	r.views(3, map[string]int64{"/post/1": 3})

	// Without a time the whole log would count on top of the beacons: that is refused.
	r.daemon.Terminate()
	r.daemon.Env["LOG_VIEWS"] = callSite
	if out, err := Run(t, r.daemon.Env, "server"); err == nil || !strings.Contains(out, "set LOG_VIEWS=127.0.0.1@20") {
		t.Errorf("LOG_VIEWS without a time: %v\n%s", err, out)
	}
	span := r.switchAt("@")
	r.reads("/post/2", 100, 104, 4) // whose beacons do not count
	r.views(7, map[string]int64{"/post/1": 3, "/post/2": 4})
	script, err := r.daemon.Get("/ddkk-stats.js")
	must(t, err)
	if !strings.Contains(string(script), `["127.0.0.1"`) || !strings.Contains(string(script), `dataset.auto="false"`) {
		t.Errorf("the widget sends beacons: it begins with %.200s", script)
	}

	// Views that are counted are not told otherwise by a reload; those to come are.
	r.logViews(callSite + "@2026-01-01T00:00")
	r.daemon.HangUp()
	r.logged("cannot change LOG_VIEWS of " + callSite)
	r.switchAt(span + "/")
	r.reads("/post/3", 104, 107, 2) // one more blocks scripts
	r.views(9, map[string]int64{"/post/1": 3, "/post/2": 4, "/post/3": 2})
	if script, err = r.daemon.Get("/ddkk-stats.js"); err != nil || strings.Contains(string(script), "127.0.0.1") {
		t.Errorf("the widget sends no beacons: %v", err)
	}

	var blocked struct {
		Days []struct{ Readers, Blocked int }
	}
	// 100 to 106 fetched pages. 100 to 102, 104 and 105 sent a beacon that counts, and 103's
	// view is the log's; 106 was seen by nothing else.
	today := time.Now().UTC().Format(time.DateOnly)
	r.api("/api/admin/blocked?site="+callSite+"&from="+today, &blocked)
	if len(blocked.Days) != 1 || blocked.Days[0].Readers != 7 || blocked.Days[0].Blocked != 1 {
		t.Errorf("blocked: %+v, want 7 readers and 1", blocked)
	}
	var pages struct {
		Rows []struct {
			Path             string
			Readers, Blocked int
		}
	}
	r.api("/api/admin/blockedpages?site="+callSite+"&from="+today, &pages)
	if got, want := fmt.Sprint(pages.Rows), "[{/post/1 5 0} {/post/2 4 0} {/post/3 3 1}]"; got != want {
		t.Errorf("blocked by page: %s, want %s", got, want)
	}
	var requests struct {
		Days []struct {
			Kinds map[string]struct{ People, Crawlers int }
		}
	}
	r.api("/api/admin/requests?site="+callSite+"&from="+today, &requests)
	if k := requests.Days[0].Kinds; k["page"].People != 12 || k["notfound"].Crawlers != 1 {
		t.Errorf("requests: %+v", requests)
	}

	must(t, os.Rename(r.nginx.Log, r.nginx.Log+".1"))
	r.rotate(".1")
	old := time.Now().Add(-time.Hour)
	for _, log := range []string{r.log, r.nginx.Log} {
		must(t, os.Chtimes(log+".1", old, old))
	}
	r.command("archive")
	must(t, r.client.FlushAll(t.Context()).Err())
	r.reads("/post/3", 107, 108, 1)
	r.views(10, map[string]int64{"/post/1": 3, "/post/2": 4, "/post/3": 3})
	if out := r.command("verify"); !strings.Contains(out, " 0 differences, 0 problems") {
		t.Errorf("verify:\n%s", out)
	}
	key := prefix + "requests:" + callSite + ":" + strings.ReplaceAll(today, "-", "")
	must(t, r.client.HIncrBy(t.Context(), key, "request:people:page", 1).Err())
	if out, err := Run(t, r.daemon.Env, "verify"); err == nil || !strings.Contains(out, key+" request:people:page") {
		t.Errorf("verify of a request too many: %v\n%s", err, out)
	}
}
