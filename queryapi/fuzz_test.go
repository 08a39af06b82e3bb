package queryapi

import (
	"net"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/valyala/fasthttp"
)

// exchange is one request through the handler, as ask does it, for fuzz targets,
// whose failures belong to the input.
func exchange(s *Server, peer net.Addr, method, path, query string, body []byte, headers map[string]string) *fasthttp.RequestCtx {
	var req fasthttp.Request
	req.Header.SetMethod(method)
	req.SetRequestURI(path)
	req.URI().SetQueryString(query)
	req.Header.SetHost("stat.ddkk.com")
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	req.SetBody(body)
	ctx := &fasthttp.RequestCtx{}
	ctx.Init(&req, peer, nil)
	s.handle(ctx)
	return ctx
}

// FuzzQuery asks the routes that read a query string: whatever it is, the answer
// is one of openapi.yaml, and not our fault.
func FuzzQuery(f *testing.F) {
	paths := []string{"/api/hot", "/api/history", "/api/events", "/event.png", "/api/v2/log", "/api/count", "/counter", "/busuanzi"}
	for i, seed := range []string{
		"site=ddkk.com&period=week&limit=10", "site=ddkk.com&from=2026-01-01&to=2026-02-01&interval=week&page=%2Fa", "site=ddkk.com&category=a&action=b",
		"site=ddkk.com&page=%E6%96%87&id=1", "url=https%3A%2F%2Fddkk.com%2F", "site=ddkk.com&page=/&callback=cb", "host=ddkk.com", "jsonpCallback=x", "site=ddkk.com&from=0000-00-00", "site=%00&site=%ff",
		"limit=%31%30&site=ddkk.com", "site=ddkk.com&limit=1e1", "site=ddkk.com&from=2026-11-01&from=", "callback=a.b$&site=ddkk.com", "=&&==&site", "site=ddkk.com&interval=da%79",
	} {
		f.Add(byte(i), seed)
	}
	s := pastServer(f, &past{})
	d := mustDocument(f)
	f.Fuzz(func(t *testing.T, which byte, query string) {
		path := paths[int(which)%len(paths)]
		ctx := exchange(s.Server, testPeer, "GET", path, query, nil, nil)
		if err := d.checkAnswer(ctx); err != nil || ctx.Response.StatusCode() == 500 {
			t.Fatalf("%s?%q: %d %s: %v", path, query, ctx.Response.StatusCode(), ctx.Response.Body(), err)
		}
	})
}

// FuzzBody does the same for the routes that read a body, those of the admin too.
func FuzzBody(f *testing.F) {
	type target struct{ method, path string }
	targets := []target{
		{"POST", "/api/stats"}, {"POST", "/api/batch"}, {"POST", "/api/restore"}, {"POST", "/api.php"}, {"POST", "/api/v2/log"}, {"POST", "/api/admin/verify"},
		{"PUT", "/api/admin/baselines"}, {"DELETE", "/api/admin/baselines"}, {"POST", "/api/admin/login"},
	}
	for i, seed := range []string{
		`{"site":"ddkk.com","page":"/a","fields":["site_pv","hot_pages_all"],"action":"count","limit":10,"view":"x1","batch_pages":["/a"]}`, `{"site":"ddkk.com","pages":["/a","/b"]}`,
		`{"source":"mysql","site":"ddkk.com","options":{"restore_site_stats":true,"days_back":3}}`, `{"url":"https://ddkk.com/"}`, `{"url":"//ddkk.com","x":[{}]}`,
		`{"site":"ddkk.com","days":7}`, `{"site":"ddkk.com","page":"","pv":1,"uv":1}`, `{"site":"ddkk.com","page":"/a"}`, `{"token":"t"}`, "{\"site\":\"\xff\"}", `{"site":"ddkk.com","pv":-1}`, `[[[[`, `{"a":{"b":`,
	} {
		f.Add(byte(i), []byte(seed))
	}
	s := newTestServer(f, newBackend(), fullConfig(f))
	d := mustDocument(f)
	local := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}
	f.Fuzz(func(t *testing.T, which byte, body []byte) {
		at := targets[int(which)%len(targets)]
		ctx := exchange(s.Server, local, at.method, at.path, "", body, map[string]string{"Host": "127.0.0.1"})
		if ctx.Response.StatusCode() == 404 {
			return // not in this build
		}
		if !utf8.Valid(body) {
			// What is no JSON by the letter may be taken as bytes of a page.
			if ctx.Response.StatusCode() == 500 {
				t.Fatalf("%s %q: %s", at.path, body, ctx.Response.Body())
			}
			return
		}
		if err := d.checkAnswer(ctx); err != nil || ctx.Response.StatusCode() == 500 {
			t.Fatalf("%s %q: %d %s: %v", at.path, body, ctx.Response.StatusCode(), ctx.Response.Body(), err)
		}
	})
}

// FuzzCallback: what is written into a script is a name, or refused.
func FuzzCallback(f *testing.F) {
	for _, seed := range []string{"cb", "a.b$", "alert(1)", "a\u2028b", "</script>", "a;b", strings.Repeat("a", 65), "1", ".", "a.", "a..b", "eval", "é"} {
		f.Add(seed)
	}
	s := newTestServer(f, newBackend(), nil)
	f.Fuzz(func(t *testing.T, name string) {
		ctx := exchange(s.Server, testPeer, "GET", "/jsonp", "callback="+url.QueryEscape(name), nil, nil)
		body := string(ctx.Response.Body())
		if ctx.Response.StatusCode() != 200 {
			if !strings.HasPrefix(body, `{"error":`) || strings.ContainsAny(body, "<>") {
				t.Fatalf("%q: %s", name, body)
			}
			return
		}
		rest, ok := strings.CutPrefix(body, "try{"+name+"({")
		if !ok || len(name) > 64 || strings.ContainsAny(name, " ;()<>[]{}'\"`/\\+-=\n\r\u2028\u2029") || !strings.HasSuffix(rest, "});}catch(e){}") {
			t.Fatalf("%q: %s", name, body)
		}
	})
}

// FuzzAddress: a page's address is of the host that net/url sees in it, or none.
func FuzzAddress(f *testing.F) {
	for _, seed := range []string{"https://ddkk.com/a?b#c", "//ddkk.com", "https://ddkk.com@evil.example/", `https://ddkk.com\evil`, "https://evil.example/https://ddkk.com/", "HTTP://WWW.ddkk.com:80", "javascript://ddkk.com/%0aalert(1)"} {
		f.Add(seed)
	}
	s := newTestServer(f, newBackend(), nil)
	f.Fuzz(func(t *testing.T, address string) {
		v := s.dropins.visitedURL([]byte(address))
		if v.site == "" {
			return
		}
		if len(v.page) == 0 || v.page[0] != '/' {
			t.Fatalf("%q: page %q", address, v.page)
		}
		// Browsers take a backslash for a slash.
		u, err := url.Parse(strings.ReplaceAll(address, `\`, "/"))
		if err == nil && strings.TrimPrefix(strings.ToLower(u.Host), "www.") != v.site {
			t.Fatalf("%q: site %q, host %q", address, v.site, u.Host)
		}
	})
}

// FuzzForwarded: a client's address is the peer's unless the peer is trusted, and
// never a trusted proxy's when the list names somebody else last.
func FuzzForwarded(f *testing.F) {
	for _, seed := range []string{"127.0.0.1", "1.1.1.1, 198.51.100.2", "::1", "fe80::1%eth0", ",,", "0177.0.0.1", "unknown", "::ffff:192.0.2.1", "[2001:db8::1]:80"} {
		f.Add(seed, seed)
	}
	stranger := &net.TCPAddr{IP: net.IPv4(203, 0, 113, 5), Port: 1}
	s := newTestServer(f, newBackend(), func(c *Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} })
	f.Fuzz(func(t *testing.T, real, list string) {
		headers := map[string]string{"X-Real-IP": real, "X-Forwarded-For": list}
		ctx := exchange(s.Server, stranger, "GET", "/healthz", "", nil, headers)
		if got := s.door.clientAddr(ctx); got != netip.MustParseAddr("203.0.113.5") {
			t.Fatalf("a stranger's %q, %q were believed: %s", real, list, got)
		}
		ctx = exchange(s.Server, testPeer, "GET", "/healthz", "", nil, headers)
		if got := s.door.clientAddr(ctx); !got.IsValid() || got.Zone() != "" || got.Is4In6() {
			t.Fatalf("%q, %q: %v", real, list, got)
		}
		local := exchange(s.Server, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}, "GET", "/metrics", "", nil, map[string]string{"Host": "localhost", "X-Forwarded-For": list})
		if localRequest(local) {
			t.Fatalf("%q: a forwarded request is taken for a local one", list)
		}
	})
}
