package queryapi

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/valyala/fasthttp"

	"ddkk-stats/counter"
)

// backend plays the log, the counters and the waiter: a view is counted when
// it is appended.
type backend struct {
	mu      sync.Mutex
	records []string // addr method uri referer agent
	views   map[string]int64
	ids     map[string]bool
	events  int
	queries []counter.Query
	hot     []counter.PageCount
	full    bool // the log cannot be written
	stuck   bool // nothing is counted any more
	stale   bool
	hang    chan struct{} // reads wait until it is closed
}

func newBackend() *backend {
	return &backend{views: map[string]int64{}, ids: map[string]bool{}}
}

func (b *backend) Read(_ context.Context, q *counter.Query, a *counter.Answer) error {
	b.mu.Lock()
	if hang := b.hang; hang != nil {
		b.mu.Unlock()
		<-hang
		b.mu.Lock()
	}
	defer b.mu.Unlock()
	kept := *q
	kept.Pages = append([]string(nil), q.Pages...)
	b.queries = append(b.queries, kept)
	*a = counter.Answer{Pages: a.Pages[:0]}
	var total int64
	for _, n := range b.views {
		total += n
	}
	a.SitePV, a.SiteUV, a.SitePVToday, a.SiteUVToday, a.SiteOnline = total, 2, total, 1, 3
	a.PagePV, a.PageUV, a.Stale = b.views[q.Page], 1, b.stale
	a.SiteUVWeek, a.SiteUVMonth, a.PageUVWeek, a.PageUVMonth = 20, counter.NotKnown, 0, counter.NotKnown
	for _, p := range q.Pages {
		a.Pages = append(a.Pages, b.views[p])
	}
	for p := range counter.NumPeriods {
		if q.Fields&p.Field() != 0 {
			a.Hot[p] = b.hot[:min(len(b.hot), max(q.Limit, 1))]
		}
	}
	return nil
}

func (b *backend) Append(_ context.Context, r *Record) (string, int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.full {
		return "", 0, errors.New("no space left on device")
	}
	b.records = append(b.records, strings.Join([]string{r.Addr.String(), r.Method, string(r.URI), string(r.Referer), string(r.UserAgent)}, "|"))
	u, err := url.ParseRequestURI(string(r.URI))
	if err != nil {
		return "", 0, err
	}
	args := u.Query()
	switch {
	case args.Get("category") != "":
		b.events++
	case !b.stuck:
		b.views[normalizePage([]byte(args.Get("page")))]++
		b.ids[args.Get("id")] = true
	}
	return "seg", int64(len(b.records)), nil
}

func (b *backend) WaitCounted(ctx context.Context, segment string, end int64) error {
	b.mu.Lock()
	stuck := b.stuck || segment != "seg" || end != int64(len(b.records))
	b.mu.Unlock()
	if stuck {
		<-ctx.Done()
	}
	return ctx.Err()
}

func (b *backend) WaitView(ctx context.Context, id string) error {
	b.mu.Lock()
	seen := b.ids[id]
	b.mu.Unlock()
	if !seen {
		<-ctx.Done()
	}
	return ctx.Err()
}

func (b *backend) last() counter.Query {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queries) == 0 {
		return counter.Query{}
	}
	return b.queries[len(b.queries)-1]
}

func (b *backend) logged() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.records...)
}

func (b *backend) set(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

// normalizePage does as much of the parser's work as these tests look at.
func normalizePage(raw []byte) string {
	page, _, _ := strings.Cut(string(raw), "?")
	if p, err := url.PathUnescape(page); err == nil {
		return p
	}
	return page
}

func normalizeSite(raw string) (string, bool) {
	site := strings.TrimPrefix(strings.ToLower(raw), "www.")
	return site, site == "ddkk.com" || site == "127.0.0.1"
}

func fakeFiles() fs.FS {
	files := fstest.MapFS{}
	for _, f := range demoFiles {
		files[f.file] = &fstest.MapFile{Data: []byte("content of " + f.file)}
	}
	for _, f := range dashboardFiles {
		files[f.file] = &fstest.MapFile{Data: []byte("content of " + f.file)}
	}
	for _, f := range scriptFiles {
		files[f.file] = &fstest.MapFile{Data: []byte("content of " + f.file)}
	}
	files["ddkk-stats.v1.js"] = &fstest.MapFile{Data: []byte("version 1")}
	return files
}

func testConfig(b *backend) Config {
	return Config{
		Reader: b, Beacon: b, Waiter: b, NormalizePage: func(_ string, raw []byte) string { return normalizePage(raw) }, NormalizeSite: normalizeSite,
		Static: fakeFiles(), Logger: slog.New(slog.DiscardHandler),
		CountWait: 20 * time.Millisecond, ViewWait: 20 * time.Millisecond,
	}
}

// testServer is a Server whose exchanges through ask are held against
// openapi.yaml.
type testServer struct {
	*Server
	t testing.TB
}

func newTestServer(t testing.TB, b *backend, change func(*Config)) *testServer {
	t.Helper()
	c := testConfig(b)
	if change != nil {
		change(&c)
	}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.cancel)
	return &testServer{s, t}
}

var testPeer = &net.TCPAddr{IP: net.IPv4(192, 0, 2, 9), Port: 4711}

// ask sends one request through the handler, without a connection, and holds
// it and its answer against openapi.yaml. Headers are "Name: value" lines.
func ask(s *testServer, peer net.Addr, method, target, body string, headers ...string) *fasthttp.RequestCtx {
	var req fasthttp.Request
	req.Header.SetMethod(method)
	req.SetRequestURI(target)
	req.Header.SetHost("stat.ddkk.com")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			req.Header.SetHost(value)
			continue
		}
		req.Header.Add(name, value)
	}
	req.SetBodyString(body)
	ctx := &fasthttp.RequestCtx{}
	ctx.Init(&req, peer, nil)
	s.handle(ctx)
	s.t.Helper()
	if err := mustDocument(s.t).check(ctx); err != nil {
		s.t.Errorf("%s %s: %v", method, target, err)
	}
	return ctx
}

// header is a header of the response.
func header(ctx *fasthttp.RequestCtx, name string) string {
	return string(ctx.Response.Header.Peek(name))
}
