package queryapi

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"ddkk-stats/static"
)

// browser starts a headless Chromium, for which every name under .test is this
// machine. It ends with the test.
func browser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is missing: run `make deps`")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("host-resolver-rules", "MAP *.test 127.0.0.1"), chromedp.WindowSize(1000, 800))
	ctx, cancelAll := context.WithTimeout(context.Background(), 6*time.Minute)
	t.Cleanup(cancelAll)
	ctx, cancelAllocator := chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancelAllocator)
	ctx, cancelBrowser := chromedp.NewContext(ctx)
	t.Cleanup(cancelBrowser)
	run(t, ctx, chromedp.Navigate("about:blank"))
	return ctx
}

// rig is a counter, a blog that uses it, and a tab.
type rig struct {
	b       *backend
	ctx     context.Context   // the tab
	count   string            // origin of the counter
	blog    string            // origin of the blog: site blog.test
	csp     string            // of the blog's pages
	pages   map[string]string // more pages of the blog, by path
	handler http.Handler      // answers in place of all pages, if set
}

// watch collects what must not happen on a page: layout shifts, violations of
// the policy, uncaught errors.
const watch = `
	window.seen = { shift: 0, moved: [], bad: [] };
	new PerformanceObserver(l => l.getEntries().forEach(e => { seen.shift += e.value; e.sources.forEach(s => seen.moved.push((s.node?.outerHTML || '').slice(0, 60) + ' from ' + Math.round(s.previousRect.top) + ' to ' + Math.round(s.currentRect.top))) })).observe({ type: 'layout-shift', buffered: true });
	addEventListener('securitypolicyviolation', e => seen.bad.push(e.violatedDirective + ' ' + e.blockedURI), true);
	addEventListener('error', e => e.message && seen.bad.push(e.message));`

func newRig(t *testing.T, browser context.Context, change func(*Config)) *rig {
	t.Helper()
	r := &rig{b: newBackend()}
	s := newTestServer(t, r.b, func(c *Config) {
		c.Static, c.CountWait, c.ViewWait = static.Files, time.Second, DefaultViewWait
		c.NormalizeSite = func(raw string) (string, bool) {
			u, err := url.Parse("//" + strings.TrimPrefix(raw, "http://"))
			if err != nil {
				return "", false
			}
			return u.Hostname(), u.Hostname() == "blog.test" || u.Hostname() == "count.test" || u.Hostname() == "127.0.0.1"
		}
		if change != nil {
			change(c)
		}
	})
	r.count = "http://count.test:" + serve(t, s)
	blog := httptest.NewServer(http.HandlerFunc(r.page))
	t.Cleanup(blog.Close)
	r.blog = strings.Replace(blog.URL, "127.0.0.1", "blog.test", 1)
	r.ctx = r.tab(t, browser)
	return r
}

// serve runs s on a free port until the test ends.
func serve(t *testing.T, s *testServer) (port string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		stop, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if err := s.Shutdown(stop); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err) // a deadline: the browser keeps its connections open
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)
}

// page answers /NAME and everything under it with the page of that name.
func (r *rig) page(w http.ResponseWriter, q *http.Request) {
	if r.handler != nil {
		r.handler.ServeHTTP(w, q)
		return
	}
	if text, ok := r.pages[q.URL.Path]; ok {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, strings.ReplaceAll(text, "COUNT", r.count))
		return
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(q.URL.Path, "/"), "/")
	file := filepath.Base(name)
	if filepath.Ext(file) == "" {
		file += ".html"
	}
	text, err := os.ReadFile(filepath.Join("testdata", "pages", file))
	if file == "busuanzi.pure.mjs" { // what a bundler's alias puts in its place
		text, err = static.Files.ReadFile("ddkk-stats.mjs")
	}
	if err != nil {
		http.NotFound(w, q)
		return
	}
	switch filepath.Ext(file) {
	case ".js", ".mjs":
		w.Header().Set("Content-Type", "text/javascript")
	case ".css":
		w.Header().Set("Content-Type", "text/css")
	default:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
	}
	if r.csp != "" {
		w.Header().Set("Content-Security-Policy", r.csp)
	}
	fmt.Fprint(w, strings.ReplaceAll(string(text), "COUNT", r.count))
}

// tab opens a tab that reports what must not happen.
func (r *rig) tab(t *testing.T, browser context.Context) context.Context {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	t.Cleanup(cancel)
	run(t, ctx, chromedp.Navigate("about:blank"))
	before(t, ctx, watch)
	return ctx
}

// before runs a script in each document of the tab before its own scripts.
func before(t *testing.T, ctx context.Context, script string) {
	t.Helper()
	_, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script})
	if err != nil {
		t.Fatal(err)
	}
}

func (r *rig) open(t *testing.T, path string) {
	t.Helper()
	run(t, r.ctx, chromedp.Navigate(r.blog+path))
}

// calm checks that nothing moved and nothing was refused or thrown.
func (r *rig) calm(t *testing.T) {
	t.Helper()
	becomes(t, r.ctx, `seen.shift === 0 || 'shift ' + seen.shift`)
	becomes(t, r.ctx, `seen.bad.length === 0 || seen.bad.join()`)
}

func run(t *testing.T, ctx context.Context, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, actions...); err != nil {
		t.Fatal(err)
	}
}

func eval(t *testing.T, ctx context.Context, js string) {
	t.Helper()
	run(t, ctx, chromedp.Evaluate[chromedp.Void](js, chromedp.EvalAwaitPromise))
}

// becomes waits until JavaScript expressions are true, one after the other.
func becomes(t *testing.T, ctx context.Context, expressions ...string) {
	t.Helper()
	end := time.After(20 * time.Second) // of a machine that has much else to do
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for _, expression := range expressions {
		for !isTrue(t, ctx, expression) {
			select {
			case <-tick.C:
			case <-end:
				says, err := chromedp.Run(ctx, chromedp.Evaluate[string](`String(`+expression+`) + '\n' + document.body.innerText`))
				t.Fatalf("%s: %.2000s (%v)", expression, says, err)
			}
		}
	}
}

func isTrue(t *testing.T, ctx context.Context, expression string) bool {
	t.Helper()
	ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`(`+expression+`) === true`))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return ok
}

// shows is an expression that is true when all elements that the selector
// finds, and there is one, hold the text.
func shows(selector, text string) string {
	return fmt.Sprintf(`(l => l.length > 0 && l.every(e => e.textContent == %q) || l.map(e => e.textContent).join('|'))([...document.querySelectorAll(%q)])`, text, selector)
}

// views are the pages of the logged views, in their order.
func (r *rig) views() (pages []string) {
	for _, record := range r.b.logged() {
		u, err := url.Parse(strings.Split(record, "|")[2])
		if err != nil {
			pages = append(pages, err.Error())
		} else if q := u.Query(); q.Get("category") == "" {
			pages = append(pages, q.Get("page"))
		}
	}
	return pages
}

// counted checks which views there are. A view too many would come with the
// next sign of the widget, so the caller has looked at the page before.
func (r *rig) counted(t *testing.T, pages ...string) {
	t.Helper()
	if got := r.views(); strings.Join(got, " ") != strings.Join(pages, " ") {
		t.Errorf("views %q, want %q\n%s", got, pages, strings.Join(r.b.logged(), "\n"))
	}
}

// settle waits until the widget has had time for what it does after a sign.
const settle = `new Promise(done => setTimeout(done, 120))`
