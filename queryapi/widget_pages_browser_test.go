package queryapi

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"ddkk-stats/counter"
)

// Pages from people's reports about counters on pages that are not the simple
// ones: what comes late, goes away, or changes its address.

// hear keeps what the widget tells the owner.
const hear = `window.told = []; (info => { console.info = (...a) => { told.push(a.join(' ')); info(...a) } })(console.info);`

// heard is true when exactly this was told, and once.
func heard(text string) string {
	return fmt.Sprintf(`told.join('|') == %q || told.join('|')`, "ddkk: "+text)
}

// notice is true when the page says so.
func notice(text string) string {
	return fmt.Sprintf(`document.querySelector('dialog')?.textContent == %q`, "Your views: "+text)
}

// becomes waits until these are the views.
func (r *rig) becomes(t *testing.T, pages ...string) {
	t.Helper()
	end := time.After(20 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for len(r.views()) < len(pages) {
		select {
		case <-tick.C:
		case <-end:
			r.counted(t, pages...)
			return
		}
	}
	eval(t, r.ctx, settle)
	r.counted(t, pages...)
}

// on opens a page that is made of the parts of html: each comes when the one
// before it has had its time.
func (r *rig) on(t *testing.T, path, head, body string) {
	t.Helper()
	if r.pages == nil {
		r.pages = map[string]string{}
	}
	r.pages[strings.Split(path, "?")[0]] = `<!doctype html><meta charset="utf-8"><title>A page</title><link rel="icon" href="data:,">` + head + `<body>` + body
	r.open(t, path)
}

const widget = `<script defer src="COUNT/ddkk-stats.js"></script>`

// The head comes with the script, and the rest of the page later.
func testSlowPage(t *testing.T, b context.Context) {
	for _, script := range []string{"busuanzi/2.3/busuanzi.pure.mini.js", "ddkk-stats.lite.js"} {
		r := newRig(t, b, nil)
		release := make(chan struct{})
		prefix := map[bool]string{true: "busuanzi", false: "ddkk"}[strings.HasPrefix(script, "b")]
		blog := http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprintf(w, `<!doctype html><script async src="%s/%s"></script><body>Long<b id="%s_value_site_uv">—</b>`, r.count, script, prefix)
			w.(http.Flusher).Flush()
			<-release
			fmt.Fprintf(w, `<footer><span id="%[1]s_container_site_pv" style="display:none">views <b id="%[1]s_value_site_pv"></b></span> <span id="%[1]s_value_page_pv">—</span></footer>`, prefix)
		})
		r.handler = blog
		eval(t, r.ctx, `location.href = `+fmt.Sprintf("%q", r.blog+"/slow")) // does not wait for its end
		becomes(t, r.ctx, `location.pathname == '/slow'`, shows("#"+prefix+"_value_site_uv", "2"))
		close(release)
		becomes(t, r.ctx, shows("#"+prefix+"_value_site_pv, #"+prefix+"_value_page_pv", "1"))
		if prefix == "busuanzi" {
			becomes(t, r.ctx, `document.getElementById('busuanzi_container_site_pv').checkVisibility()`)
		}
		r.counted(t, "/slow")
		r.calm(t)
	}
}

// Elements that come after the answer, and numbers that a framework wipes.
func testLateElements(t *testing.T, b context.Context) {
	r := newRig(t, b, nil)
	r.b.views["/row"] = 5
	r.on(t, "/late", widget, `<div id="c"></div><script>window.go = u => { history.pushState({}, '', u); c.innerHTML = 'loading' }</script>`)
	becomes(t, r.ctx, `!!window.ddkk`)
	r.becomes(t, "/late")
	place := `c.innerHTML = 'views <b class="ddkk_value_page_pv">—</b>'`
	eval(t, r.ctx, place)
	becomes(t, r.ctx, shows(".ddkk_value_page_pv", "1"))
	eval(t, r.ctx, `go('/late/2')`)
	r.becomes(t, "/late", "/late/2")
	eval(t, r.ctx, place)
	becomes(t, r.ctx, shows(".ddkk_value_page_pv", "1"))
	reads := r.reads()
	// The root is rendered again, the text put back, a row used for another page.
	eval(t, r.ctx, place)
	becomes(t, r.ctx, shows(".ddkk_value_page_pv", "1"))
	eval(t, r.ctx, `document.querySelector('.ddkk_value_page_pv').textContent = '—'`)
	becomes(t, r.ctx, shows(".ddkk_value_page_pv", "1"))
	eval(t, r.ctx, `document.querySelector('.ddkk_value_page_pv').textContent = '1 view'; `+settle) // the theme's own way to write it
	becomes(t, r.ctx, shows(".ddkk_value_page_pv", "1 view"))
	if n := r.reads(); n != reads {
		t.Errorf("%d reads after all was known", n-reads)
	}
	eval(t, r.ctx, `c.innerHTML = '<i data-page-id="/row">—</i><i data-page-id="/&#xD800;">—</i><u data-page-id="constructor">—</u>'; c.lastChild.previousSibling.dataset.pageId = '\ud800'`)
	becomes(t, r.ctx, shows(`[data-page-id="/row"]`, "5"), shows(`u`, "0"))
	eval(t, r.ctx, `document.querySelector('u').dataset.pageId = '/row'`)
	becomes(t, r.ctx, shows(`u`, "5"))
	if n := r.reads(); n != reads+1 {
		t.Errorf("%d reads of rows", n-reads)
	}
	// Nothing happens on a page where nothing happens.
	eval(t, r.ctx, `new Promise(done => { let n = 0; const o = new MutationObserver(l => n += l.length); o.observe(document, { subtree: true, childList: true, characterData: true, attributes: true }); setTimeout(() => { window.busy = n; done() }, 200) })`)
	becomes(t, r.ctx, `busy === 0 || 'changes ' + busy`)
	becomes(t, r.ctx, `seen.bad.length === 0 || seen.bad.join()`)
}

// What a server rendered is left alone until its framework has taken over.
func testHydration(t *testing.T, b context.Context) {
	r := newRig(t, b, nil)
	wait := make(chan struct{})
	r.handler = http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/app.js" {
			<-wait
			w.Header().Set("Content-Type", "text/javascript")
			fmt.Fprint(w, `const root = document.getElementById('__next'), was = root.textContent; setTimeout(() => { window.mismatch = was != 'views —'; root.innerHTML = 'views <b id="ddkk_value_page_pv">—</b>' }, 20)`)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><script defer src="%s/ddkk-stats.js"></script><script async src="/app.js"></script><div id="__next">views <b id="ddkk_value_page_pv">—</b></div>`, r.count)
	})
	eval(t, r.ctx, `location.href = `+fmt.Sprintf("%q", r.blog+"/react"))
	r.becomes(t, "/react")
	close(wait)
	becomes(t, r.ctx, `window.mismatch === false`, shows("#ddkk_value_page_pv", "1"))
	r.calm(t)
}

// The script without document.currentScript.
func testLoaders(t *testing.T, b context.Context) {
	f := func(name, head string) {
		t.Helper()
		r := newRig(t, b, nil)
		r.on(t, "/"+name, head, `<b id="busuanzi_value_page_pv">—</b>`)
		becomes(t, r.ctx, shows("#busuanzi_value_page_pv", "1"))
		r.counted(t, "/"+name)
		r.calm(t)
	}
	f("module", `<script type="module" src="COUNT/js" data-x></script>`)
	f("import", `<script>import('COUNT/busuanzi/2.3/busuanzi.pure.mini.js')</script>`)
	f("cleared", `<script>Object.defineProperty(document, 'currentScript', { get: () => null })</script><script defer src="COUNT/busuanzi/3.6.9/busuanzi.min.js?v=3"></script>`)
	f("lazy", `<script>setTimeout(() => { const s = document.createElement('script'); s.src = 'COUNT/js/lite'; s.onload = () => s.remove(); document.head.append(s) }, 50)</script>`)
	f("options", `<script>Object.defineProperty(document, 'currentScript', { get: () => null })</script><script defer src="/no.js"></script><script async src="COUNT/js" data-site="blog.test" data-style="comma"></script>`)
}

// What replaces the address is no view.
func testReplaceState(t *testing.T, b context.Context) {
	r := newRig(t, b, nil)
	r.on(t, "/tidy", widget, `<b class="ddkk_value_page_pv">—</b>`)
	becomes(t, r.ctx, shows(".ddkk_value_page_pv", "1"))
	eval(t, r.ctx, `history.replaceState(history.state, '', location.pathname + '.html'); `+settle)
	eval(t, r.ctx, `(async () => { for (let i = 1; i <= 6; i++) { await new Promise(d => setTimeout(d, 30)); history.replaceState({}, '', '/tidy/' + i) } })()`)
	eval(t, r.ctx, `location.hash = 'part'; ddkk.refresh(); `+settle)
	becomes(t, r.ctx, shows(".ddkk_value_page_pv", "1"))
	r.counted(t, "/tidy")
	eval(t, r.ctx, `history.pushState({}, '', '/next')`)
	r.becomes(t, "/tidy", "/next")
	r.on(t, "/wanted", `<script defer src="COUNT/ddkk-stats.js" data-replace></script>`, "")
	r.becomes(t, "/tidy", "/next", "/wanted")
	eval(t, r.ctx, `history.replaceState({}, '', '/wanted/2')`)
	r.becomes(t, "/tidy", "/next", "/wanted", "/wanted/2")
	r.calm(t)
}

// navigation.navigate with intercept changes the address without pushState.
func testNavigationAPI(t *testing.T, b context.Context) {
	r := newRig(t, b, nil)
	r.on(t, "/nav", widget, `<nav id="navigation"></nav><b class="ddkk_value_page_pv">—</b><a href="/nav/2">2</a><script>
		navigation.addEventListener('navigate', e => e.canIntercept && !e.hashChange && e.intercept({ handler: async () => { document.querySelector('a').textContent = 'there' } }))</script>`)
	becomes(t, r.ctx, shows(".ddkk_value_page_pv", "1"))
	eval(t, r.ctx, `document.querySelector('a').click()`)
	r.becomes(t, "/nav", "/nav/2")
	eval(t, r.ctx, `navigation.navigate('/nav/3', { history: 'replace' }).finished`)
	eval(t, r.ctx, `navigation.back().finished`)
	becomes(t, r.ctx, shows(".ddkk_value_page_pv", "2"))
	r.becomes(t, "/nav", "/nav/2", "/nav")
	r.calm(t)
}

// A page has one name, by navigation and by reload.
func testCanonicalRouter(t *testing.T, b context.Context) {
	r := newRig(t, b, nil)
	page := `<a id="go" href="/guide/">guide</a> <b class="ddkk_value_page_pv">—</b><script>
		const c = document.querySelector('[rel=canonical]'), to = p => c.href = location.origin + p
		to(location.pathname.replace(/(.)\/$/, '$1'))
		window.go = p => { history.pushState({}, '', p); setTimeout(() => to(p.replace(/\/$/, '')), 60) }</script>`
	link := `<link rel="canonical" href="">` + widget
	r.on(t, "/guide/", link, page)
	becomes(t, r.ctx, shows(".ddkk_value_page_pv", "1"))
	r.on(t, "/start/", link, page)
	becomes(t, r.ctx, shows(".ddkk_value_page_pv", "1"))
	eval(t, r.ctx, `go('/guide/')`)
	becomes(t, r.ctx, shows(".ddkk_value_page_pv", "2"))
	eval(t, r.ctx, `go('/third/'); `+settle+`.then(() => go('/fourth/'))`)
	r.becomes(t, "/guide", "/start", "/guide", "/third", "/fourth")
	r.calm(t)

	r = newRig(t, b, nil)
	r.on(t, "/odd", `<link rel="canonical" href="https:///">`+widget, `<b class="ddkk_value_page_pv">—</b>`)
	becomes(t, r.ctx, shows(".ddkk_value_page_pv", "1"))
	r.counted(t, "/odd")
	r.calm(t)
}

// A router in the fragment, and parameters that belong to a page.
func testRoutes(t *testing.T, b context.Context) {
	r := newRig(t, b, nil)
	r.on(t, "/docs", `<script defer src="COUNT/ddkk-stats.js" data-hash></script>`, `<b class="ddkk_value_page_pv">—</b>`)
	r.becomes(t, "/docs")
	for _, hash := range []string{"/guide", "/guide?id=install", "/guide?id=use", "/more?id=a", "/more"} {
		eval(t, r.ctx, `location.hash = '`+hash+`'; `+settle)
	}
	r.becomes(t, "/docs", "/docs#/guide", "/docs#/more")

	r = newRig(t, b, nil)
	r.on(t, "/q?id=7&utm_source=x&a=&", `<script defer src="COUNT/ddkk-stats.js" data-query="p,id"></script>`, "")
	r.becomes(t, "/q?id=7")
	eval(t, r.ctx, `history.pushState(0, '', '?fbclid=1&id=7&'); `+settle+`.then(() => history.pushState(0, '', '?p=2&id=7&x'))`)
	r.becomes(t, "/q?id=7", "/q?id=7&p=2")
	r.on(t, "/q?b=1&&a=2&gclid=9", `<script defer src="COUNT/ddkk-stats.js" data-query></script>`, "")
	r.becomes(t, "/q?id=7", "/q?id=7&p=2", "/q?a=2&b=1")
	r.calm(t)
}

// Frames show what they want and are no readers, but those that ask.
func testFrames(t *testing.T, b context.Context) {
	r := newRig(t, b, nil)
	r.pages = map[string]string{
		"/inner": `<!doctype html>` + widget + `<b id="ddkk_value_page_pv">—</b>`,
		"/asks":  `<!doctype html><script defer src="COUNT/ddkk-stats.js" data-frame></script>`,
	}
	r.on(t, "/frames", widget, `<iframe src="/inner"></iframe><iframe srcdoc='<script src="COUNT/ddkk-stats.js"></script>'></iframe>`)
	becomes(t, r.ctx, `frames[0].document.querySelector('b')?.textContent == '0' && !!frames[1].ddkk`)
	r.becomes(t, "/frames")
	r.on(t, "/frames2", "", `<iframe src="/asks"></iframe>`)
	r.becomes(t, "/frames", "/asks")
}

// The owner leaves out the own views behind an open page, and comes back.
func testIgnoreTyped(t *testing.T, b context.Context) {
	r := newRig(t, b, nil)
	before(t, r.ctx, hear)
	r.on(t, "/own", widget, "")
	r.becomes(t, "/own")
	eval(t, r.ctx, `location.hash = 'ddkk-ignore'`)
	becomes(t, r.ctx, notice("ignored"), `localStorage.ddkkIgnore == '1' && location.hash == ''`)
	eval(t, r.ctx, `history.pushState(0, '', '/own/2'); `+settle)
	becomes(t, r.ctx, heard("not counted: ignored"))
	r.counted(t, "/own")
	becomes(t, r.ctx, `!document.querySelector('dialog')`)
	eval(t, r.ctx, `location.hash = 'ddkk-ignore'`)
	becomes(t, r.ctx, notice("counted"), `!localStorage.ddkkIgnore`)
	eval(t, r.ctx, `history.pushState(0, '', '/own/3')`)
	r.becomes(t, "/own", "/own/3")
	r.calm(t)
}

// What the server knows is told in the page's console.
func testTold(t *testing.T, b context.Context) {
	r := newRig(t, b, func(c *Config) { c.RefererCheck = func() bool { return true } })
	before(t, r.ctx, hear)
	r.blog = strings.Replace(r.blog, "blog.test", "docs.two.test", 1)
	r.on(t, "/x", `<script defer src="COUNT/ddkk-stats.js" data-site="blog.test"></script>`, `<b id="ddkk_value_page_pv">—</b>`)
	becomes(t, r.ctx, heard("not counted: docs.two.test is no host of site blog.test; the counter needs SITE_ALIASES=docs.two.test=blog.test"))
	r.on(t, "/y", widget, `<b id="ddkk_value_page_pv">—</b>`)
	becomes(t, r.ctx, heard(`site: "docs.two.test" is not counted here: see SITES`))
	r.blog = strings.Replace(r.blog, "docs.two.test", "blog.test", 1)
	r.on(t, "/z", `<script defer src="COUNT/ddkk-stats.js" data-debug></script>`, `<b id="ddkk_value_page_pv">—</b>`)
	becomes(t, r.ctx, shows("#ddkk_value_page_pv", "1"), `told.length == 2`)
}

// The middle button opens a link too.
func testMiddleClick(t *testing.T, b context.Context) {
	r := newRig(t, b, nil)
	r.on(t, "/click", widget, `<a style="position:fixed;width:100px;height:100px;left:0;top:0" href="#x" data-ddkk-event="out.link.mid">go</a>`)
	r.becomes(t, "/click")
	run(t, r.ctx, chromedp.MouseClickXY(30, 30, chromedp.ButtonMiddle), chromedp.MouseClickXY(30, 30, chromedp.ButtonRight), chromedp.MouseClickXY(30, 30))
	becomes(t, r.ctx, `location.hash == '#x'`)
	eval(t, r.ctx, settle)
	r.b.set(func() {
		if r.b.events != 2 {
			t.Errorf("%d events, want those of the middle and the left button", r.b.events)
		}
	})
}

// Links of hot lists lead to the page that was counted.
func testHotLinks(t *testing.T, b context.Context) {
	f := func(attributes, want string) {
		t.Helper()
		r := newRig(t, b, nil)
		r.b.hot = []counter.PageCount{{Page: "/wiki/What?", PV: 9}, {Page: "/wiki/\xc4\xe3\xba\xc3", PV: 8}, {Page: "/100%", PV: 7}, {Page: "/a%41?q=%20#b", PV: 6}}
		r.on(t, "/hot", `<script defer src="COUNT/ddkk-stats.js" `+attributes+`></script>`, `<ol class="ddkk_hot_pages_all"></ol>`)
		becomes(t, r.ctx, fmt.Sprintf(`(h => h == %q || h)([...document.querySelectorAll('li a')].map(a => a.getAttribute('href')).join(' '))`, want))
		r.calm(t)
	}
	f("", "/wiki/What%3F /wiki/%C4%E3%BA%C3 /100%25 /a%2541%3Fq=%2520%23b")
	f("data-query", "/wiki/What? /wiki/%C4%E3%BA%C3 /100%25 /a%2541?q=%20#b")
	f("data-hash", "/wiki/What%3F /wiki/%C4%E3%BA%C3 /100%25 /a%2541%3Fq=%2520#b")
}
