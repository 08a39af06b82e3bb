package queryapi

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

func beaconQuery(t *testing.T, record string) url.Values {
	t.Helper()
	u, err := url.Parse(strings.Split(record, "|")[2])
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

// Pages as the themes make them, with nothing changed but the script's host:
// every number is filled, containers are seen, and the view counts once.
func testThemes(t *testing.T, b context.Context) {
	f := func(theme string, values, containers string) {
		t.Run(theme, func(t *testing.T) {
			r := newRig(t, b, nil)
			r.b.views["/"+theme] = 41
			r.open(t, "/"+theme)
			for _, selector := range strings.Fields(values) {
				want := "42"
				if strings.Contains(selector, "uv") {
					want = map[bool]string{true: "2", false: "1"}[strings.Contains(selector, "site_uv")]
				}
				becomes(t, r.ctx, shows(selector, want))
			}
			for _, selector := range strings.Fields(containers) {
				becomes(t, r.ctx, `[...document.querySelectorAll('`+selector+`')].every(e => e.checkVisibility())`)
			}
			becomes(t, r.ctx, `document.querySelectorAll('.spinner').length == 0 && (seen.bad.length === 0 || seen.bad.join())`)
			eval(t, r.ctx, settle)
			r.counted(t, "/"+theme)
		})
	}
	f("next", "#busuanzi_value_site_pv #busuanzi_value_site_uv #busuanzi_value_page_pv", "#busuanzi_container_site_pv #busuanzi_container_site_uv #busuanzi_container_page_pv")
	f("butterfly", "#busuanzi_value_site_pv #busuanzi_value_site_uv #busuanzi_value_page_pv", "")
	f("fluid", "#busuanzi_value_site_pv #busuanzi_value_site_uv #busuanzi_value_page_pv", "#busuanzi_container_site_pv #busuanzi_container_page_pv")
	f("volantis", "#busuanzi_site_pv #busuanzi_site_uv #busuanzi_page_pv", "")
	f("fixit", "#busuanzi_value_site_pv #busuanzi_value_site_uv #busuanzi_value_page_pv", "#busuanzi_container_site_pv")
	f("notionnext", ".busuanzi_value_page_pv .busuanzi_value_site_pv .busuanzi_value_site_uv", ".busuanzi_container_page_pv .busuanzi_container_site_pv")
	f("soxft", "#blog_site_pv #blog_site_uv #blog_page_pv #blog_page_uv", "#blog_container_site_pv")
	f("busuanzicc", "#busuanzi_site_pv #busuanzi_site_uv #busuanzi_page_pv #busuanzi_today_pv", "")
	f("vercount", "#vercount_value_site_pv #vercount_value_page_pv #busuanzi_value_site_uv", "#vercount_container_page_pv")
}

// NexT and Butterfly with pjax: the script runs again after each navigation,
// beside the history hook and the event.
func testPjax(t *testing.T, b context.Context) {
	for _, theme := range []string{"next", "butterfly"} {
		r := newRig(t, b, nil)
		r.open(t, "/"+theme)
		becomes(t, r.ctx, shows("#busuanzi_value_page_pv", "1"))
		want := []string{"/" + theme}
		for _, path := range []string{"/a", "/b", "/a"} {
			eval(t, r.ctx, `pjax('/`+theme+path+`')`)
			times := fmt.Sprint(1 + strings.Count(strings.Join(want, " ")+" ", path+" "))
			becomes(t, r.ctx, shows("#busuanzi_value_page_pv", times), shows("#at", "/"+theme+path))
			eval(t, r.ctx, settle)
			want = append(want, "/"+theme+path)
		}
		becomes(t, r.ctx, `document.querySelectorAll('.spinner').length == 0 && document.getElementById('busuanzi_value_page_pv').checkVisibility()`)
		r.counted(t, want...)
		becomes(t, r.ctx, `seen.bad.length === 0 || seen.bad.join()`)
	}
}

// Icarus calls what the old script defined, with the old server's address.
func testIcarus(t *testing.T, b context.Context) {
	r := newRig(t, b, nil)
	r.open(t, "/icarus")
	becomes(t, r.ctx, shows("#busuanzi_value_page_pv", "1"))
	eval(t, r.ctx, `pjax('/icarus/a')`)
	becomes(t, r.ctx, shows("#busuanzi_value_page_pv", "1"), shows("#at", "/icarus/a"), shows("#busuanzi_value_site_pv", "2"))
	becomes(t, r.ctx, `window.told && told.page_pv === 1 && told.site_pv === 2 && told.site_uv === 2`)
	becomes(t, r.ctx, `getComputedStyle(document.getElementById('busuanzi_container_page_pv')).display == 'inline'`)
	eval(t, r.ctx, `bszTag.hides()`) // numbers that are there stay
	becomes(t, r.ctx, `document.getElementById('busuanzi_container_page_pv').checkVisibility() && bszTag.bszs.length == 3`)
	r.counted(t, "/icarus", "/icarus/a")
}

// Redefine with swup, which runs the script of the footer again.
func testSwup(t *testing.T, b context.Context) {
	r := newRig(t, b, nil)
	r.open(t, "/redefine")
	becomes(t, r.ctx, shows("#busuanzi_value_page_pv", "1"))
	eval(t, r.ctx, `swup('/redefine/a')`)
	becomes(t, r.ctx, shows("#busuanzi_value_page_pv", "1"), shows("#at", "/redefine/a"))
	eval(t, r.ctx, settle)
	r.counted(t, "/redefine", "/redefine/a")
}

// VitePress with the module in place of busuanzi.pure.js: bundled (the options
// come from <meta>) and loaded from the server.
func testModule(t *testing.T, b context.Context) {
	for _, path := range []string{"/vitepress", "/vitepress-remote"} {
		r := newRig(t, b, nil)
		r.open(t, path)
		becomes(t, r.ctx, shows("#busuanzi_value_page_pv", "1"))
		eval(t, r.ctx, `go('`+path+`/guide')`)
		becomes(t, r.ctx, shows("#busuanzi_value_page_pv", "1"), shows("#at", path+"/guide"))
		eval(t, r.ctx, `busuanzi.default.event('a', 'b'); busuanzi.refresh(); `+settle)
		r.counted(t, path, path+"/guide")
		if r.b.events != 1 {
			t.Errorf("%d events", r.b.events)
		}
		becomes(t, r.ctx, `seen.bad.length === 0 || seen.bad.join()`)
	}
}

// Clients of the old protocols, in a real browser: CORS, preflight and JSONP.
func testWire(t *testing.T, b context.Context) {
	r := newRig(t, b, nil)
	r.open(t, "/wire")
	f := func(call, want string) {
		t.Helper()
		got, err := chromedp.Run(r.ctx, chromedp.Evaluate[string](call+`.then(x => JSON.stringify(x), String)`, chromedp.EvalAwaitPromise))
		if err != nil || got != want {
			t.Errorf("%s: %s %v, want %s", call, got, err, want)
		}
	}
	f(`jsonp('/busuanzi?jsonpCallback=')`, `{"site_uv":2,"page_pv":1,"version":2.4,"site_pv":1}`)
	f(`jsonp('/jsonp?callback=')`, `{"site_pv":2,"site_uv":2,"page_pv":2,"page_uv":1}`)
	f(`soxft('POST')`, `{"success":true,"message":"ok","data":{"site_pv":3,"site_uv":2,"page_pv":3,"page_uv":1}}`)
	f(`soxft('GET')`, `{"success":true,"message":"ok","data":{"site_pv":3,"site_uv":2,"page_pv":3,"page_uv":1}}`)
	f(`soxft('PUT')`, `204`)
	f(`post('/api/v2/log')`, `{"status":"success","message":"ok","data":{"site_uv":2,"site_pv":5,"page_pv":5}}`)
	f(`post('/api/v1/log')`, `{"site_uv":2,"site_pv":6,"page_pv":6}`)
	f(`post('/api.php')`, `{"busuanzi_site_pv":7,"busuanzi_site_uv":2,"busuanzi_page_pv":7,"busuanzi_page_uv":1,"busuanzi_today_pv":7,"busuanzi_today_uv":1}`)
	for _, record := range r.b.logged() {
		if q := beaconQuery(t, record); q.Get("site") != "blog.test" || q.Get("page") != "/wire" {
			t.Errorf("%s", record)
		}
	}
}
