package e2e

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

// repeated writes views of so many pages by one address, each page four times.
func (r *reloadRig) repeated(pages int) {
	r.t.Helper()
	for range 4 {
		for p := range pages {
			q := Request{URI: "/event.png?site=ddkk.com&page=" + url.QueryEscape(fmt.Sprintf("/p%d", p))}
			q.IP, q.UA, q.Time = "192.0.2.9", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", time.Now()
			r.writer.Raw(0, Line(q)+"\n")
		}
	}
}

// wantViews waits until the site has so many, and nothing is left to read.
func (r *reloadRig) wantViews(n int64) {
	r.t.Helper()
	Eventually(r.t, settleLimit, "views", func() error {
		have, err := r.client.Get(r.t.Context(), prefix+"site:pv:ddkk.com").Int64()
		if err == nil && have != n {
			err = fmt.Errorf("%d, want %d", have, n)
		}
		return err
	})
	checkBooks(r.t, r.daemon)
}

// TestReloadDedupeWindow turns DEDUPE_WINDOW on in a daemon that counts. It
// counts, archives, verifies and rebuilds by it from there on; what was archived
// before keeps its rule. What cannot be reloaded is named.
func TestReloadDedupeWindow(t *testing.T) {
	r := startReloadRig(t, "archive_cron: off\n")
	r.repeated(3)
	r.wantViews(12)
	r.archive()
	r.replace("dedupe_window: ddkk.com=1h\nmax_pages_per_site: 4\narchive_cron: '* * * * * *'\nuv_set_ttl: 96h\nmax_connections: 100\n")
	r.wantLogged("new rules apply to lines from here on")
	r.wantLogged(`need a restart; until then the old values stay in force" settings="UV_SET_TTL MAX_CONNECTIONS"`)
	r.wantLogged(`settings="MAX_PAGES_PER_SITE DEDUPE_WINDOW ARCHIVE_CRON"`)
	r.repeated(5)
	r.wantViews(17)
	if n, err := r.client.Get(t.Context(), prefix+"page:pv:ddkk.com:__other__").Int64(); err != nil || n != 1 {
		t.Errorf("%d views are over the cap of pages, want 1 (%v)", n, err)
	}

	r.rotate()
	r.quieten()
	r.wantLoggedTimes("msg=archived segments=1", 1) // by the daemon itself
	if out := r.command("verify"); !strings.Contains(out, " 0 differences, 0 problems") {
		t.Errorf("verify:\n%s", out)
	}
	r.forget()
	r.wantViews(17)
	r.repeated(5) // what the rule remembers was restored as well
	r.repeated(6)
	r.wantViews(18)
}
