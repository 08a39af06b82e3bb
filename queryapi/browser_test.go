package queryapi

import (
	"context"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"ddkk-stats/counter"
	"ddkk-stats/static"
)

// browse starts a headless Chromium and a server with the real widget; both
// are gone when the test ends.
func browse(t *testing.T, b *backend, change func(*Config)) (ctx context.Context, base string) {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is missing: run `make deps`")
	}
	s := newTestServer(t, b, func(c *Config) {
		c.Static, c.CountWait, c.ViewWait = static.Files, time.Second, DefaultViewWait
		if change != nil {
			change(c)
		}
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		stop, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.Shutdown(stop); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	ctx, cancelAll := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancelAll)
	ctx, cancelAllocator := chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancelAllocator)
	ctx, cancelTab := chromedp.NewContext(ctx)
	t.Cleanup(cancelTab)
	return ctx, "http://" + ln.Addr().String()
}

func run(t *testing.T, ctx context.Context, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, actions...); err != nil {
		t.Fatal(err)
	}
}

// becomes waits until a JavaScript expression is true.
func becomes(t *testing.T, ctx context.Context, expression string) {
	t.Helper()
	for tick, end := time.NewTicker(20*time.Millisecond), time.After(8*time.Second); ; {
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression))
		if err != nil {
			t.Fatalf("%s: %v", expression, err)
		}
		if ok {
			return
		}
		select {
		case <-tick.C:
		case <-end:
			body, err := chromedp.Run(ctx, chromedp.Text("body"))
			t.Fatalf("%s: not true; the page says (%v):\n%s", expression, err, body)
		}
	}
}

// shows is an expression that is true when the element holds the text.
func shows(id, text string) string {
	return `document.getElementById("` + id + `").textContent == ` + strconv.Quote(text)
}

// viewsOf counts the logged page views of a page.
func viewsOf(b *backend, page string) (n int) {
	for _, r := range b.logged() {
		if strings.Contains(r, "page="+strings.ReplaceAll(page, "/", "%2F")+"&") && !strings.Contains(r, "category=") {
			n++
		}
	}
	return n
}

const evilPage = `/<img src=x onerror=document.title="owned">`

func TestDemoInBrowser(t *testing.T) {
	b := newBackend()
	b.views["/demo"], b.views["/demo/first"] = 41, 6
	b.hot = []counter.PageCount{{Page: evilPage, PV: 9}, {Page: "//evil.example/", PV: 8}, {Page: "/\t/evil.example", PV: 7}, {Page: "/文", PV: 6}, {Page: "javascript:alert(1)", PV: 5}}
	ctx, base := browse(t, b, nil)
	run(t, ctx, chromedp.Navigate(base+"/demo"))

	// Every element, with the reader's own view in the numbers.
	becomes(t, ctx, shows("ddkk_value_page_pv", "42"))
	becomes(t, ctx, shows("ddkk_value_site_pv", "48"))
	becomes(t, ctx, shows("ddkk_value_site_online", "3"))
	becomes(t, ctx, `[...document.querySelectorAll('[id^=ddkk_value_],[class^=ddkk_value_],[data-page-id]')].every(e => /^\d+$/.test(e.textContent))`)
	becomes(t, ctx, `document.querySelector('[data-page-id="/demo/first"]').textContent == "6"`)
	becomes(t, ctx, `document.querySelector('span.ddkk_value_page_pv').textContent == "42"`)
	becomes(t, ctx, `['today','week','month','all'].every(p => document.querySelectorAll('.ddkk_hot_pages_'+p+' > li').length == 5)`)

	// A page's name is text, and a link only if it stays on this host.
	becomes(t, ctx, `document.title == "ddkk-stats demo" && document.querySelectorAll('li img').length == 0`)
	becomes(t, ctx, `document.querySelector('.ddkk_hot_pages_week a').textContent == `+strconv.Quote(evilPage))
	becomes(t, ctx, `[...document.querySelectorAll('.ddkk_hot_pages_week a')].length == 2 && [...document.querySelectorAll('li a')].every(a => a.host == location.host)`)
	becomes(t, ctx, `document.querySelectorAll('.ddkk_hot_pages_all a')[1].getAttribute('href') == "/%E6%96%87"`)

	// A navigation inside the document is one view, and back again another.
	run(t, ctx, chromedp.Click(`[data-to="/demo/first"]`))
	becomes(t, ctx, shows("ddkk_value_page_pv", "7"))
	run(t, ctx, chromedp.Evaluate[chromedp.Void](`history.replaceState(1, '', '?tab=2'); history.pushState(2, '', '#x')`))
	run(t, ctx, chromedp.Click("#demo_event"))
	run(t, ctx, chromedp.Evaluate[chromedp.Void](`history.go(-2)`))
	becomes(t, ctx, shows("ddkk_value_page_pv", "43"))

	// Running the script twice, as pjax does, is no view.
	run(t, ctx, chromedp.Evaluate[chromedp.Void](`new Promise(done => { const s = document.createElement('script'); s.src = '/ddkk-stats.js'; s.onload = done; document.head.append(s) })`, chromedp.EvalAwaitPromise))
	run(t, ctx, chromedp.Evaluate[chromedp.Void](`document.getElementById('ddkk_value_page_pv').textContent = '?'`))
	run(t, ctx, chromedp.Click("#demo_refresh"))
	becomes(t, ctx, shows("ddkk_value_page_pv", "43"))

	if demo, first := viewsOf(b, "/demo"), viewsOf(b, "/demo/first"); demo != 2 || first != 1 || b.events != 1 {
		t.Errorf("%d views of /demo, %d of /demo/first, %d events in\n%s", demo, first, b.events, strings.Join(b.logged(), "\n"))
	}
}

// One request reads all numbers of the demo page, one more its list.
func TestWidgetReadsOnce(t *testing.T) {
	b := newBackend()
	ctx, base := browse(t, b, nil)
	run(t, ctx, chromedp.Navigate(base+"/demo"))
	becomes(t, ctx, shows("ddkk_value_page_pv", "1"))
	becomes(t, ctx, `document.querySelector('[data-page-id="/demo"]').textContent == "1"`)
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queries) != 2 {
		t.Errorf("%d queries: %+v", len(b.queries), b.queries)
	}
}

// The placeholders stay when nothing answers, and nothing is hidden.
func TestWidgetWithoutNumbers(t *testing.T) {
	b := newBackend()
	ctx, base := browse(t, b, func(c *Config) { c.NormalizeSite = func(string) (string, bool) { return "", false } })
	run(t, ctx, chromedp.Navigate(base+"/demo"))
	becomes(t, ctx, `performance.getEntriesByType('resource').filter(e => /api/.test(e.name) && e.responseEnd > 0).length == 2`)
	becomes(t, ctx, shows("ddkk_value_page_pv", "—"))
	becomes(t, ctx, `document.getElementById("ddkk_value_page_pv").checkVisibility()`)
}

// Local pages do not count unless they say so, and the owner may opt out.
func TestWidgetExclusions(t *testing.T) {
	b := newBackend()
	ctx, base := browse(t, b, nil)
	run(t, ctx, chromedp.Navigate(base+"/demo#ddkk-ignore"))
	becomes(t, ctx, `location.hash == ""`)
	becomes(t, ctx, shows("ddkk_value_page_pv", "0"))
	run(t, ctx, chromedp.Navigate("about:blank"), chromedp.Navigate(base+"/demo#ddkk-ignore"))
	becomes(t, ctx, `location.hash == ""`)
	becomes(t, ctx, shows("ddkk_value_page_pv", "1"))
	if n := viewsOf(b, "/demo"); n != 1 {
		t.Errorf("%d views", n)
	}
}
