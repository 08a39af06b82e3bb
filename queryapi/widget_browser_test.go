package queryapi

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"ddkk-stats/counter"
)

// One browser serves all tests; each has its own counter, blog and tab.
func TestInBrowser(t *testing.T) {
	t.Parallel()
	b := browser(t)
	for _, c := range []struct {
		name string
		test func(*testing.T, context.Context)
	}{
		{"elements", testElements}, {"list", testList}, {"demo", testDemo}, {"demo of no site", testDemoOfNoSite}, {"titles", testTitles}, {"history", testHistory},
		{"frameworks", testFrameworks}, {"hidden tab", testHiddenTab}, {"back and forth", testBackForward},
		{"two tabs", testTwoTabs}, {"blocked beacon", testBlockedBeacon}, {"no server", testNoServer},
		{"slow server", testSlowServer}, {"exclusions", testExclusions}, {"options", testOptions},
		{"canonical", testCanonical}, {"events", testEvents}, {"themes", testThemes}, {"pjax", testPjax},
		{"icarus", testIcarus}, {"swup", testSwup}, {"module", testModule}, {"wire", testWire},
		{"slow page", testSlowPage}, {"late elements", testLateElements}, {"hydration", testHydration}, {"loaders", testLoaders},
		{"replaceState", testReplaceState}, {"Navigation API", testNavigationAPI}, {"canonical and router", testCanonicalRouter},
		{"routes", testRoutes}, {"frames", testFrames}, {"ignore typed", testIgnoreTyped}, {"told", testTold},
		{"middle click", testMiddleClick}, {"hot links", testHotLinks},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, b) })
	}
}

// evil are pages that a visitor made up.
var evil = []counter.PageCount{
	{Page: `/<img src=x onerror=document.title="owned">`, PV: 1234567}, {Page: "//evil.example/", PV: 8}, {Page: "/\t/evil.example", PV: 7},
	{Page: "/\\evil.example", PV: 7}, {Page: "/文#x", PV: 6}, {Page: "javascript:alert(1)", PV: 5}, {Page: "data:text/html,<script>", PV: 4},
	{Page: `/"><svg/onload=alert(1)>`, PV: 3}, {Page: "/__proto__", PV: 2}, {Page: "/&lt;b&gt;", PV: 1},
}

func testElements(t *testing.T, b context.Context) {
	r := newRig(t, b, nil)
	r.csp = "default-src 'none'; style-src 'self'; script-src " + r.count + "; img-src " + r.count + "; connect-src " + r.count
	r.b.views["/elements"], r.b.views["/other"] = 1233, 5
	r.b.hot = evil
	r.open(t, "/elements")
	becomes(t, r.ctx, shows("#ddkk_value_site_pv, #ddkk_value_site_pv_today", "1,239"))
	becomes(t, r.ctx, shows(".ddkk_value_page_pv, #ddkk_value_page_pv, .busuanzi_value_page_pv, #busuanzi_page_pv, #vercount_value_page_pv, #eo_count_page_pv, .finicount_views", "1,234"))
	becomes(t, r.ctx, shows("#ddkk_value_site_uv", "2"), shows("#ddkk_value_site_uv_today, #ddkk_value_page_uv", "1"), shows("#ddkk_value_site_online", "3"))
	becomes(t, r.ctx, shows("#ddkk_value_page_pvx, .xddkk_value_page_pv, #ddkk_value_page_pv_today", "—"))

	// A page's name is text, and a link only if it stays on this host.
	becomes(t, r.ctx, `['today', 'week', 'month', 'all'].map(p => document.querySelectorAll('.ddkk_hot_pages_'+p+' li').length).join() == '5,2,1,10'`)
	becomes(t, r.ctx, `document.querySelectorAll('li img, li svg, li script, li b').length == 0 && document.title == '<img src=x onerror=alert(1)>'`)
	for i, hot := range evil {
		item := fmt.Sprintf(`document.querySelectorAll('.ddkk_hot_pages_all li')[%d]`, i)
		becomes(t, r.ctx, item+`.textContent == `+strconv.Quote(hot.Page)+` + ' ' + Number(`+fmt.Sprint(hot.PV)+`).toLocaleString('en')`)
	}
	becomes(t, r.ctx, `[...document.querySelectorAll('li a')].every(a => a.origin == location.origin)`)
	becomes(t, r.ctx, `[...document.querySelectorAll('.ddkk_hot_pages_all a')].map(a => a.getAttribute('href')).join(' ') == '/%3Cimg%20src=x%20onerror=document.title=%22owned%22%3E /%E6%96%87%23x /%22%3E%3Csvg/onload=alert(1)%3E /__proto__ /&lt;b&gt;'`)
	r.calm(t)
	r.counted(t, "/elements")
	if n := r.reads(); n != 1 {
		t.Errorf("%d reads", n)
	}
}

// reads is how many times the API was asked.
func (r *rig) reads() (n int) {
	r.b.set(func() { n = len(r.b.queries) })
	return n
}

// The numbers of 45 pages are read together, each once.
func testList(t *testing.T, b context.Context) {
	r := newRig(t, b, nil)
	r.b.views["/p0"], r.b.views["/p43"], r.b.views[`/<b>"' &`] = 3, 4, 5
	r.open(t, "/list")
	becomes(t, r.ctx, shows(`[data-page-id="/p0"]`, "3"), shows(`[data-page-id="/p43"]`, "4"), shows(`[data-page-id="/p20"]`, "0"))
	becomes(t, r.ctx, shows(`li:last-child b`, "5"), shows("#ddkk_value_page_pv", "1"))
	r.b.set(func() {
		if n := len(r.b.queries); n != 1 || len(r.b.queries[0].Pages) != 45 {
			t.Errorf("%d reads, %d pages", n, len(r.b.last().Pages))
		}
	})
	r.calm(t)
}

func testDemo(t *testing.T, b context.Context) {
	r := newRig(t, b, nil)
	r.b.views["/demo"], r.b.views["/demo/post-2"] = 41, 6
	r.b.hot = evil
	run(t, r.ctx, chromedp.Navigate(r.count+"/demo"))
	becomes(t, r.ctx, shows("#ddkk_value_page_pv, .ddkk_value_page_pv, #busuanzi_page_pv", "42"))
	becomes(t, r.ctx, `[...document.querySelectorAll('[id^=ddkk_value_],[class^=ddkk_value_],[data-page-id],[id*=_value_]')].every(e => /^\d+$/.test(e.textContent))`)
	becomes(t, r.ctx, `['today','week','month','all'].every(p => document.querySelectorAll('.ddkk_hot_pages_'+p+' > li').length == 5)`)
	r.calm(t)
	becomes(t, r.ctx, `document.querySelector('.only') === null`)
	// The lines have the real host, and the hash, before they are copied.
	becomes(t, r.ctx, `document.body.textContent.includes('sha384-') && !document.body.textContent.includes('YOUR-HOST') && document.querySelector('pre').textContent.includes(location.origin + '/ddkk-stats.js')`)
	becomes(t, r.ctx, `document.querySelector('link[rel=icon]').href.endsWith('/demo/icon.svg') && ['/admin/', '/demo/widget.md', '/openapi.yaml'].every(href => document.querySelector('.links [href="' + href + '"]') !== null)`, access)

	eval(t, r.ctx, `document.querySelector('[href="/demo/post-2"]').click()`)
	becomes(t, r.ctx, shows("#ddkk_value_page_pv", "7"), shows("#demo_path", "/demo/post-2"))
	becomes(t, r.ctx, shows("#title", "Rotation without losing a line"))
	eval(t, r.ctx, `document.getElementById('demo_refresh').click(); `+settle)
	eval(t, r.ctx, `document.querySelectorAll('#events .buttons button').forEach(e => e.click())`)
	eval(t, r.ctx, `history.back()`)
	becomes(t, r.ctx, shows("#ddkk_value_page_pv", "43"))
	run(t, r.ctx, chromedp.Navigate(r.count+"/demo/post-45?lang=zh-CN"))
	becomes(t, r.ctx, shows("#ddkk_value_page_pv", "1"), shows("#title", "从不蒜子迁移（第 3 部分）"), `document.documentElement.lang === 'zh-CN'`)
	r.counted(t, "/demo", "/demo/post-2", "/demo", "/demo/post-45")
	if r.b.events != 2 {
		t.Errorf("%d events", r.b.events)
	}
	becomes(t, r.ctx, `seen.bad.length === 0 || seen.bad.join()`)
}

// A page that asks for titles tells its own, and lists show them as text; others
// neither tell nor show any.
func testTitles(t *testing.T, b context.Context) {
	r := newRig(t, b, func(c *Config) {
		c.Title = func(_ context.Context, _, page string) string {
			return map[string]string{"/a": `<img src=x onerror="seen.bad.push('owned')">`}[page]
		}
	})
	r.b.hot = []counter.PageCount{{Page: "/a", PV: 2}, {Page: "/b", PV: 1}}
	page := func(attributes string) string {
		return `<!doctype html><title>Of the document</title><script defer src="COUNT/ddkk-stats.js" ` + attributes + `></script><ol class="ddkk_hot_pages_week"></ol>`
	}
	r.pages = map[string]string{"/own": page(`data-title="My page"`), "/document": page("data-title"), "/none": page("")}
	for _, c := range []struct{ path, told, shown string }{
		{"/own", "title=My+page", `<img src=x onerror="seen.bad.push('owned')">|/b`},
		{"/document", "title=Of+the+document", `<img src=x onerror="seen.bad.push('owned')">|/b`},
		{"/none", "", "/a|/b"},
	} {
		r.open(t, c.path)
		becomes(t, r.ctx, fmt.Sprintf(`(list => list === %q || list)([...document.querySelectorAll('li a')].map(a => a.textContent).join('|'))`, c.shown), `document.querySelector('li a').pathname === '/a' && document.images.length === 0`)
		log := r.b.logged()
		if last := log[len(log)-1]; !strings.Contains(last, c.told) || strings.Contains(last, "title=") != (c.told != "") {
			t.Errorf("%s told %s", c.path, last)
		}
		becomes(t, r.ctx, `seen.bad.length === 0 || seen.bad.join()`)
	}
}

// A counter in production counts its sites, and its own host is none of them.
func testDemoOfNoSite(t *testing.T, b context.Context) {
	r := newRig(t, b, func(c *Config) {
		c.NormalizeSite = func(raw string) (string, bool) { return raw, raw == "blog.test" }
		c.AdminToken = "t"
	})
	if _, err := chromedp.Call(r.ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: 390, Height: 844, DeviceScaleFactor: 1}); err != nil {
		t.Fatal(err)
	}
	for _, lang := range []string{"en", "zh-CN"} {
		run(t, r.ctx, chromedp.Navigate(r.count+"/demo?lang="+lang))
		// It has counted this visit; else that would be counted after the reload.
		becomes(t, r.ctx, `(e => e !== null && Number(e.textContent) > 0)(document.querySelector('#ddkk_value_site_pv'))`)
		eval(t, r.ctx, `localStorage.removeItem('ddkk-demo')`)
		run(t, r.ctx, chromedp.Reload())
		becomes(t, r.ctx, `(e => e !== null && e.textContent.includes('SITES') && e.textContent.includes('count.test'))(document.querySelector('.only'))`)
		becomes(t, r.ctx, shows("#ddkk_value_page_pv, #busuanzi_page_pv, #ddkk_value_site_pv", "1"), shows(`[data-page-id="/demo/post-2"]`, "0"))
		eval(t, r.ctx, `document.querySelector('[href="/demo/post-2"]').click()`)
		becomes(t, r.ctx, shows("#ddkk_value_site_pv", "2"), shows(`[data-page-id="/demo/post-2"]`, "1"), `document.querySelectorAll('.ddkk_hot_pages_all li').length === 2`)
		// Short on a phone: some screens, and nothing at their sides.
		becomes(t, r.ctx, `document.documentElement.scrollHeight < 5 * 844 || document.documentElement.scrollHeight`, `document.documentElement.scrollWidth <= 390 || document.documentElement.scrollWidth`)
		r.calm(t)
		becomes(t, r.ctx, access)
		eval(t, r.ctx, `document.querySelector('.only button').click()`)
		becomes(t, r.ctx, `document.querySelector('.only').checkVisibility() === false`)
		if dir := os.Getenv(pictures); dir != "" {
			png, err := chromedp.Run(r.ctx, chromedp.FullScreenshot(100))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "demo-"+lang+".png"), png, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func testHistory(t *testing.T, b context.Context) {
	r := newRig(t, b, nil)
	r.open(t, "/elements")
	becomes(t, r.ctx, shows("#ddkk_value_page_pv", "1"))
	// Neither a query nor a fragment is another page, nor is the same path.
	eval(t, r.ctx, `history.replaceState(1, '', '?tab=2'); history.pushState(2, '', '#x'); history.pushState(3, '', '/elements'); `+settle)
	// Several steps at once end on one page: a router that redirects.
	eval(t, r.ctx, `history.pushState(4, '', '/elements/a'); history.replaceState(5, '', '/elements/b'); `+settle)
	becomes(t, r.ctx, shows("#ddkk_value_page_pv", "1"))
	eval(t, r.ctx, `history.back(); `+settle)
	becomes(t, r.ctx, shows("#ddkk_value_page_pv", "2"))
	// Running the script again is no view.
	eval(t, r.ctx, `new Promise(done => { const s = document.createElement('script'); s.src = document.scripts[0].src; s.onload = done; document.head.append(s) })`)
	eval(t, r.ctx, `document.getElementById('ddkk_value_page_pv').textContent = '?'; ddkk.refresh()`)
	becomes(t, r.ctx, shows("#ddkk_value_page_pv", "2"))
	eval(t, r.ctx, `ddkk.count({ page: '/virtual' })`)
	becomes(t, r.ctx, shows("#ddkk_value_page_pv", "1"))
	r.counted(t, "/elements", "/elements/b", "/elements", "/virtual")
}

// A framework's navigation is a change of the address and an event, before or
// after the new content is there.
func testFrameworks(t *testing.T, b context.Context) {
	r := newRig(t, b, nil)
	r.open(t, "/elements")
	becomes(t, r.ctx, shows("#ddkk_value_page_pv", "1"))
	want := []string{"/elements"}
	for i, event := range []string{"turbo:load", "turbolinks:load", "swup:page:view", "swup:pageView", "astro:page-load", "pjax:complete", "pjax:success"} {
		path := fmt.Sprintf("/elements/%d", i)
		eval(t, r.ctx, `history.pushState(0, '', '`+path+`');
			setTimeout(() => {
				document.body.innerHTML = '<b id="ddkk_value_page_pv">—</b><b id="new">`+path+`</b>';
				document.dispatchEvent(new Event('`+event+`', { bubbles: true }));
			}, 60)`)
		becomes(t, r.ctx, shows("#new", path), shows("#ddkk_value_page_pv", "1"))
		want = append(want, path)
	}
	r.counted(t, want...)
}

// A tab in the background and a prerendered page count when somebody looks.
func testHiddenTab(t *testing.T, b context.Context) {
	r := newRig(t, b, nil)
	before(t, r.ctx, hear+`window.away = window.early = true;
		Object.defineProperty(document, 'hidden', { get: () => window.away, configurable: true });
		Object.defineProperty(document, 'prerendering', { get: () => window.early, configurable: true })`)
	r.open(t, "/elements")
	eval(t, r.ctx, settle)
	r.counted(t)
	eval(t, r.ctx, `history.pushState(0, '', '/elements/x'); `+settle)
	becomes(t, r.ctx, heard("not counted: hidden"))
	// A page is seen a moment before it stops being a prerendered one.
	eval(t, r.ctx, `window.away = false; document.dispatchEvent(new Event('visibilitychange', { bubbles: true })); `+settle)
	r.counted(t)
	eval(t, r.ctx, `window.early = false`)
	becomes(t, r.ctx, shows("#ddkk_value_page_pv", "1"))
	eval(t, r.ctx, `document.dispatchEvent(new Event('visibilitychange', { bubbles: true })); `+settle)
	r.counted(t, "/elements/x")
}

// A page out of the back-forward cache is seen once more.
func testBackForward(t *testing.T, b context.Context) {
	r := newRig(t, b, nil)
	r.open(t, "/elements")
	becomes(t, r.ctx, shows("#ddkk_value_page_pv", "1"))
	eval(t, r.ctx, `dispatchEvent(new PageTransitionEvent('pageshow', { persisted: false })); `+settle)
	r.counted(t, "/elements")
	eval(t, r.ctx, `dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))`)
	becomes(t, r.ctx, shows("#ddkk_value_page_pv", "2"))
	r.counted(t, "/elements", "/elements")
}

func testTwoTabs(t *testing.T, b context.Context) {
	r := newRig(t, b, nil)
	r.open(t, "/elements")
	becomes(t, r.ctx, shows("#ddkk_value_page_pv", "1"))
	other := r.tab(t, b)
	run(t, other, chromedp.Navigate(r.blog+"/elements"))
	becomes(t, other, shows("#ddkk_value_page_pv", "2"))
	eval(t, r.ctx, `ddkk.refresh()`)
	becomes(t, r.ctx, shows("#ddkk_value_page_pv", "2"))
	r.counted(t, "/elements", "/elements")
}

// With a blocked beacon the numbers are shown, and nobody waits for the view.
func testBlockedBeacon(t *testing.T, b context.Context) {
	r := newRig(t, b, func(c *Config) { c.ViewWait = 20 * time.Second })
	r.b.views["/elements"] = 7
	r.csp = "img-src 'none'" // for the page the same as a blocker
	before(t, r.ctx, hear)
	r.open(t, "/elements")
	becomes(t, r.ctx, shows("#ddkk_value_page_pv", "7"), heard("not counted: blocked"))
	r.counted(t)
	becomes(t, r.ctx, `seen.shift === 0 || 'shift ' + seen.shift`)
}

// The placeholders stay when nothing answers, and nothing is hidden.
func testNoServer(t *testing.T, b context.Context) {
	r := newRig(t, b, func(c *Config) { c.NormalizeSite = func(string) (string, bool) { return "", false } })
	r.open(t, "/elements")
	becomes(t, r.ctx, `performance.getEntriesByType('resource').filter(e => /api/.test(e.name) && e.responseEnd > 0).length == 1`)
	eval(t, r.ctx, settle)
	becomes(t, r.ctx, shows(`#ddkk_value_page_pv, .ddkk_value_page_pv`, "—"), `document.querySelectorAll('li').length == 0`)
	becomes(t, r.ctx, `document.getElementById("ddkk_value_page_pv").checkVisibility()`)
	r.calm(t)
}

// A server that hangs delays nothing.
func testSlowServer(t *testing.T, b context.Context) {
	r := newRig(t, b, nil)
	release := make(chan struct{})
	defer close(release)
	r.b.set(func() { r.b.hang = release })
	before(t, r.ctx, `(ask => { window.fetch = (...a) => { window.asked = true; return ask(...a) } })(fetch)`)
	r.open(t, "/elements")
	becomes(t, r.ctx, `window.asked && document.readyState == 'complete'`, shows("#ddkk_value_page_pv", "—"))
	r.calm(t)
}

// Local pages do not count unless they say so, and the owner may opt out.
func testExclusions(t *testing.T, b context.Context) {
	r := newRig(t, b, nil)
	blog := r.blog
	r.blog = strings.Replace(blog, "blog.test", "127.0.0.1", 1)
	before(t, r.ctx, hear)
	r.open(t, "/elements")
	becomes(t, r.ctx, shows("#ddkk_value_page_pv", "0"))
	eval(t, r.ctx, `ddkk.count(); ddkk.event('a'); `+settle)
	becomes(t, r.ctx, heard("not counted: local"))
	r.counted(t)
	r.blog = blog
	r.open(t, "/elements#ddkk-ignore")
	becomes(t, r.ctx, `location.hash == ""`, notice("ignored"))
	becomes(t, r.ctx, shows("#ddkk_value_page_pv", "0"), heard("not counted: ignored"))
	run(t, r.ctx, chromedp.Navigate("about:blank"))
	r.open(t, "/elements#ddkk-ignore")
	becomes(t, r.ctx, `location.hash == ""`, notice("counted"))
	becomes(t, r.ctx, shows("#ddkk_value_page_pv", "1"))
	r.counted(t, "/elements")
	if r.b.events != 0 {
		t.Errorf("%d events", r.b.events)
	}
}

func testOptions(t *testing.T, b context.Context) {
	r := newRig(t, b, nil)
	r.b.views["/options"] = 1234
	r.open(t, "/options?a=1#b")
	becomes(t, r.ctx, shows("#bar_value_page_pv", "1.2K"), `document.getElementById('bar_value_page_pv').title == '1,234'`)
	becomes(t, r.ctx, shows("#ddkk_value_page_pv", "—"))
	r.counted(t) // data-auto="false"
	eval(t, r.ctx, `ddkk.count()`)
	becomes(t, r.ctx, shows("#bar_value_page_pv", "1.2K"), `document.getElementById('bar_value_page_pv').title == '1,235'`)
	r.counted(t, "/options?a=1#b")
	if log := r.b.logged(); len(log) != 1 || !strings.Contains(log[0], "site=count.test&") {
		t.Errorf("log %q", log)
	}
}

// The canonical link names the page, until a navigation leaves it behind.
func testCanonical(t *testing.T, b context.Context) {
	r := newRig(t, b, nil)
	r.open(t, "/canonical?x=1")
	becomes(t, r.ctx, shows("#ddkk_value_page_pv", "1"))
	// It is looked at for a second; a page that is left before that counts too.
	eval(t, r.ctx, `history.pushState(0, '', '/canonical/2'); `+settle)
	r.counted(t, "/right")
	eval(t, r.ctx, `history.pushState(0, '', '/canonical/2b')`)
	r.becomes(t, "/right", "/canonical/2", "/canonical/2b")
	// After that its router is known not to set it.
	eval(t, r.ctx, `history.pushState(0, '', '/canonical/2c'); `+settle)
	r.counted(t, "/right", "/canonical/2", "/canonical/2b", "/canonical/2c")
	eval(t, r.ctx, `document.querySelector('link').href = 'http://elsewhere.test/3'; history.pushState(0, '', '/canonical/3'); `+settle)
	eval(t, r.ctx, `document.querySelector('link').href = '/four'; history.pushState(0, '', '/canonical/4'); `+settle)
	becomes(t, r.ctx, shows("#ddkk_value_page_pv", "1"))
	r.becomes(t, "/right", "/canonical/2", "/canonical/2b", "/canonical/2c", "/canonical/3", "/four")
}

func testEvents(t *testing.T, b context.Context) {
	r := newRig(t, b, nil)
	r.open(t, "/elements")
	becomes(t, r.ctx, shows("#ddkk_value_page_pv", "1"))
	eval(t, r.ctx, `document.querySelector('#event span').click(); ddkk.event('c', null, 'x'); ddkk.event('c', 'a', 'l', 0); document.dispatchEvent(new Event('click')); `+settle)
	var got, ids []string
	for _, record := range r.b.logged() {
		q := beaconQuery(t, record)
		ids = append(ids, q.Get("id"))
		got = append(got, strings.Join([]string{q.Get("page"), q.Get("category"), q.Get("action"), q.Get("label"), q.Get("value")}, "|"))
	}
	slices.Sort(got) // requests overtake each other
	if want := "/elements|c|a|l|0 /elements|c||x| /elements|file|load|guide.pdf|a.b /elements||||"; strings.Join(got, " ") != want {
		t.Errorf("%q, want %q", got, want)
	}
	slices.Sort(ids)
	if len(slices.Compact(ids)) != len(got) || slices.ContainsFunc(ids, func(id string) bool { return len(id) < 12 || !validView([]byte(id)) }) {
		t.Errorf("ids %q: an event has its own", ids)
	}
	becomes(t, r.ctx, `seen.bad.length === 0 || seen.bad.join()`)
}

// What the demo says about its policy is true.
func TestDemoPolicy(t *testing.T) {
	s := newTestServer(t, newBackend(), nil)
	for _, path := range []string{"/demo", "/demo/post-1", "/demo/post-45"} {
		ctx := ask(s, testPeer, http.MethodGet, path, "")
		if got := header(ctx, "Content-Security-Policy"); ctx.Response.StatusCode() != 200 || !strings.Contains(got, "default-src 'none'") || strings.Contains(got, "unsafe") {
			t.Errorf("%s: %d, policy %q", path, ctx.Response.StatusCode(), got)
		}
	}
	for _, path := range []string{"/demo/post-0", "/demo/post-46", "/demo/post-01", "/demo/index.html", "/demo/"} {
		if got := ask(s, testPeer, http.MethodGet, path, "").Response.StatusCode(); got != 404 {
			t.Errorf("%s: %d", path, got)
		}
	}
}
