package queryapi

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func TestPixel(t *testing.T) {
	b := newBackend()
	s := newTestServer(t, b, nil)
	ctx := ask(s, testPeer, "GET", "/event.png?site=ddkk.com&page=%2Fa&id=1", "", "Referer: https://ddkk.com/a", "User-Agent: UA")
	if ctx.Response.StatusCode() != 200 || len(ctx.Response.Body()) != 43 || header(ctx, "Access-Control-Allow-Origin") != "*" || header(ctx, "Content-Type") != "image/gif" {
		t.Errorf("%s %q", ctx.Response.Header.String(), ctx.Response.Body())
	}
	for name, want := range map[string]string{"Cache-Control": "no-store, max-age=0", "Cross-Origin-Resource-Policy": "cross-origin", "X-Robots-Tag": "noindex", "X-Content-Type-Options": "nosniff"} {
		if got := header(ctx, name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := b.logged(); len(got) != 1 || got[0] != "192.0.2.9|GET|/event.png?site=ddkk.com&page=%2Fa&id=1|https://ddkk.com/a|UA" {
		t.Errorf("log %q", got)
	}
	for _, method := range []string{"HEAD", "POST", "PUT"} {
		if ctx := ask(s, testPeer, method, "/event.png", ""); ctx.Response.StatusCode() != 405 {
			t.Errorf("%s: %d", method, ctx.Response.StatusCode())
		}
	}
	b.set(func() { b.full = true })
	if ctx := ask(s, testPeer, "GET", "/event.png", ""); ctx.Response.StatusCode() != 503 || header(ctx, "Retry-After") == "" {
		t.Errorf("full log: %s", ctx.Response.Header.String())
	}
}

func TestRouting(t *testing.T) {
	s := newTestServer(t, newBackend(), nil)
	f := func(method, path string, status int, body string) {
		t.Helper()
		ctx := ask(s, testPeer, method, path, "")
		if ctx.Response.StatusCode() != status || !strings.Contains(string(ctx.Response.Body()), body) {
			t.Errorf("%s %s: %d %s", method, path, ctx.Response.StatusCode(), ctx.Response.Body())
		}
	}
	f("GET", "/nothing", 404, `{"error":{"code":"not_found"`)
	f("GET", "/metrics", 404, `"not_found"`) // none are configured
	f("GET", "/api/stats", 405, `"method_not_allowed"`)
	f("DELETE", "/api/hot", 405, `"method_not_allowed"`)
	f("GET", "/ddkk-stats.js", 200, "content of ddkk-stats.js")
	f("GET", "/demo", 200, "content of demo/index.html")
	f("GET", "/demo/demo.css", 200, "content of demo/demo.css")
	f("GET", "/demo/../../etc/passwd", 404, "not_found")
	f("GET", "/healthz", 200, `{"status":"ok"}`)
	f("GET", "/readyz", 200, `{"status":"ok"}`)
	if got := header(ask(s, testPeer, "PUT", "/api/stats", ""), "Allow"); got != "OPTIONS, POST" {
		t.Errorf("Allow: %q", got)
	}
	ctx := ask(s, testPeer, "HEAD", "/demo", "")
	if ctx.Response.StatusCode() != 200 || !ctx.Response.SkipBody {
		t.Errorf("HEAD: %d", ctx.Response.StatusCode())
	}
}

func TestWidgetIsCached(t *testing.T) {
	s := newTestServer(t, newBackend(), nil)
	ctx := ask(s, testPeer, "GET", "/ddkk-stats.js", "", "Accept-Encoding: gzip, br")
	if header(ctx, "Content-Encoding") != "gzip" || header(ctx, "Access-Control-Allow-Origin") != "*" || !strings.Contains(header(ctx, "Cache-Control"), "max-age=86400") {
		t.Errorf("%s", ctx.Response.Header.String())
	}
	tag := header(ctx, "ETag")
	ctx = ask(s, testPeer, "GET", "/ddkk-stats.js", "", "Accept-Encoding: gzip", "If-None-Match: "+tag)
	if ctx.Response.StatusCode() != 304 || len(ctx.Response.Body()) != 0 {
		t.Errorf("%d", ctx.Response.StatusCode())
	}
	if got := header(ask(s, testPeer, "GET", "/demo", ""), "Content-Security-Policy"); !strings.Contains(got, "default-src 'none'") || strings.Contains(got, "unsafe") {
		t.Errorf("CSP %q", got)
	}
}

func TestHealth(t *testing.T) {
	s := newTestServer(t, newBackend(), func(c *Config) {
		c.Ready = func(context.Context) ([]string, error) { return nil, errors.New("redis-down: Redis does not answer") }
	})
	ctx := ask(s, testPeer, "GET", "/readyz", "")
	if ctx.Response.StatusCode() != 503 || string(ctx.Response.Body()) != `{"error":{"code":"unavailable","message":"redis-down: Redis does not answer"}}` {
		t.Errorf("%d %s", ctx.Response.StatusCode(), ctx.Response.Body())
	}
	s = newTestServer(t, newBackend(), func(c *Config) {
		c.Ready = func(context.Context) ([]string, error) { return []string{"archive-away", "rebuilding"}, nil }
	})
	ctx = ask(s, testPeer, "GET", "/readyz", "")
	if ctx.Response.StatusCode() != 200 || string(ctx.Response.Body()) != `{"status":"ok","states":["archive-away","rebuilding"]}` {
		t.Errorf("%d %s", ctx.Response.StatusCode(), ctx.Response.Body())
	}
}

// Stale numbers say why: of their site, or of the daemon where a view is not counted in time.
func TestStaleReason(t *testing.T) {
	b := newBackend()
	s := newTestServer(t, b, func(c *Config) {
		c.StaleReason = func(site string) string {
			if site == "" {
				return "catching-up"
			}
			return "rebuilding"
		}
	})
	ask := func(method, target, body string) string {
		return string(ask(s, testPeer, method, target, body).Response.Body())
	}
	if got := ask("POST", "/api/stats", `{"site":"ddkk.com","fields":["site_uv"]}`); got != `{"site":"ddkk.com","site_uv":2}` {
		t.Error(got)
	}
	b.set(func() { b.stale = true })
	if got := ask("POST", "/api/stats", `{"site":"ddkk.com","fields":["site_uv"]}`); got != `{"site":"ddkk.com","site_uv":2,"stale":true,"stale_reason":"rebuilding"}` {
		t.Error(got)
	}
	if got := ask("GET", "/api/hot?site=ddkk.com", ""); !strings.HasSuffix(got, `"stale":true,"stale_reason":"rebuilding"}`) {
		t.Error(got)
	}
}

func TestCORS(t *testing.T) {
	exact := func(c *Config) { c.CORSOrigins = []string{"https://ddkk.com", "http://localhost:3000"} }
	f := func(change func(*Config), origin string, status int, allow, vary string) {
		t.Helper()
		s := newTestServer(t, newBackend(), change)
		var headers []string
		if origin != "" {
			headers = []string{"Origin: " + origin}
		}
		for _, method := range []string{"POST", "OPTIONS"} {
			ctx := ask(s, testPeer, method, "/api/stats", `{"site":"ddkk.com"}`, headers...)
			want := status
			if method == "OPTIONS" && status == 200 {
				want = 204
				if header(ctx, "Access-Control-Max-Age") != "86400" || header(ctx, "Access-Control-Allow-Methods") != "OPTIONS, POST" || header(ctx, "Access-Control-Allow-Headers") != "Content-Type" {
					t.Errorf("preflight: %s", ctx.Response.Header.String())
				}
			}
			if got := ctx.Response.StatusCode(); got != want {
				t.Errorf("%s from %q: status %d, want %d", method, origin, got, want)
			}
			if status == 401 && !strings.Contains(string(ctx.Response.Body()), `{"error":{"code":"40010"`) {
				t.Errorf("%s from %q: %s", method, origin, ctx.Response.Body())
			}
			if got := header(ctx, "Access-Control-Allow-Origin"); got != allow {
				t.Errorf("%s from %q: allowed %q, want %q", method, origin, got, allow)
			}
			if got := header(ctx, "Vary"); got != vary {
				t.Errorf("%s from %q: vary %q", method, origin, got)
			}
			if header(ctx, "Access-Control-Allow-Credentials") != "" {
				t.Error("credentials allowed")
			}
		}
	}
	f(nil, "https://anybody.example", 200, "*", "")
	f(func(c *Config) { c.CORSOrigins = []string{"*"} }, "null", 200, "*", "")
	f(exact, "", 200, "", "Origin")
	f(exact, "https://ddkk.com", 200, "https://ddkk.com", "Origin")
	f(exact, "http://localhost:3000", 200, "http://localhost:3000", "Origin")
	f(exact, "https://stat.ddkk.com", 200, "", "Origin") // the server's own host
	for _, origin := range []string{
		"null", "http://ddkk.com", "https://ddkk.com:8443", "https://ddkk.com.evil.example", "https://evilddkk.com",
		"https://ddkk.com@evil.example", "https://DDKK.com.", "https://ddkk.com/", "x", "://", "https://ddkk.com https://evil.example",
	} {
		f(exact, origin, 401, "", "Origin")
	}
	for _, bad := range []string{"ddkk.com", "https://", "https://ddkk.com/x", "null", "https://u@ddkk.com"} {
		c := testConfig(newBackend())
		c.CORSOrigins = []string{bad}
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), "CORS_ORIGINS") {
			t.Errorf("origin %q: error %v", bad, err)
		}
	}
}

func TestAdminRule(t *testing.T) {
	metrics := func(token string) func(*Config) {
		return func(c *Config) {
			c.AdminToken = token
			c.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if _, err := io.WriteString(w, "ddkk_lines_total 1\n"); err != nil {
					t.Error(err)
				}
			})
		}
	}
	local := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}
	local6 := &net.TCPAddr{IP: net.IPv6loopback, Port: 1}
	f := func(token string, peer net.Addr, want int, headers ...string) {
		t.Helper()
		ctx := ask(newTestServer(t, newBackend(), metrics(token)), peer, "GET", "/metrics", "", headers...)
		if got := ctx.Response.StatusCode(); got != want {
			t.Errorf("token %q, %v, %q: %d, want %d", token, peer, headers, got, want)
		}
		if open := strings.Contains(string(ctx.Response.Body()), "ddkk_lines"); open != (want == 200) {
			t.Errorf("body %s", ctx.Response.Body())
		}
	}
	f("", local, 200, "Host: 127.0.0.1:8360")
	f("", local6, 200, "Host: [::1]:8360")
	f("", local, 200, "Host: localhost", "Origin: http://localhost")
	f("", &net.UnixAddr{Name: "/run/x"}, 200, "Host: localhost")
	f("", local, 401, "Host: localhost", "X-Forwarded-For: 127.0.0.1")
	f("", local, 401, "Host: localhost", "X-Real-IP: 127.0.0.1")
	f("", local, 401, "Host: localhost", "Forwarded: for=127.0.0.1")
	f("", local, 401, "Host: localhost", "X-Real-IP: ")
	for _, name := range []string{"x-forwarded-proto", "X-Forwarded-Host", "Via", "CF-Connecting-IP", "true-client-ip", "X-Client-IP"} {
		f("", local, 401, "Host: localhost", name+": 127.0.0.1")
	}
	f("", local, 401, "Host: rebound.example:8360")
	f("", local, 401, "Host: localhost", "Origin: https://evil.example")
	f("", testPeer, 401, "Host: localhost")
	f("secret", local, 401, "Host: localhost")
	f("secret", testPeer, 401, "Authorization: Bearer wrong")
	f("secret", testPeer, 401, "Authorization: Basic secret")
	f("secret", testPeer, 401, "Authorization: Bearer ")
	f("secret", testPeer, 200, "Authorization: Bearer secret")
	f("secret", testPeer, 200, "Authorization: bearer secret", "X-Forwarded-For: 192.0.2.1")
}

func TestClientAddr(t *testing.T) {
	b := newBackend()
	s := newTestServer(t, b, func(c *Config) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("fd00::/8")}
	})
	f := func(want string, peer net.Addr, headers ...string) {
		t.Helper()
		ask(s, peer, "GET", "/event.png?page=/", "", headers...)
		log := b.logged()
		if got, _, _ := strings.Cut(log[len(log)-1], "|"); got != want {
			t.Errorf("%q: %s, want %s", headers, got, want)
		}
	}
	stranger := &net.TCPAddr{IP: net.IPv4(203, 0, 113, 5), Port: 1}
	f("192.0.2.9", testPeer)
	f("198.51.100.1", testPeer, "X-Real-IP: 198.51.100.1", "X-Forwarded-For: 198.51.100.2")
	f("198.51.100.2", testPeer, "X-Forwarded-For: 1.1.1.1, 198.51.100.2")
	f("198.51.100.2", testPeer, "X-Forwarded-For: 1.1.1.1, 198.51.100.2, 192.0.2.7")
	f("198.51.100.3", testPeer, "X-Forwarded-For: 1.1.1.1", "X-Forwarded-For: 198.51.100.3")
	f("198.51.100.2", testPeer, "X-Real-IP: unknown", "X-Forwarded-For: ::ffff:198.51.100.2")
	f("192.0.2.9", testPeer, "X-Forwarded-For: spoofed")
	f("192.0.2.7", testPeer, "X-Forwarded-For: 192.0.2.7")
	f("2001:db8::1", &net.TCPAddr{IP: net.ParseIP("fd00::2"), Port: 1}, "X-Real-IP: 2001:db8::1")
	f("203.0.113.5", stranger, "X-Real-IP: 198.51.100.1", "X-Forwarded-For: 198.51.100.2")

	// As balancers and gateways write them: with a port, in brackets, in quotes.
	for text, want := range map[string]string{
		"198.51.100.4:51234": "198.51.100.4", `"198.51.100.4:51234"`: "198.51.100.4", `"198.51.100.4"`: "198.51.100.4", " 198.51.100.4 ": "198.51.100.4",
		"[2001:db8::4]:51234": "2001:db8::4", "[2001:db8::4]": "2001:db8::4", `"[2001:db8::4]:51234"`: "2001:db8::4", `"2001:db8::4"`: "2001:db8::4",
		"[::ffff:198.51.100.4]:1": "198.51.100.4", "[fe80::1%eth0]:1": "fe80::1",
		"[2001:db8::4": "192.0.2.9", "2001:db8::4]": "192.0.2.9", "198.51.100.4:": "192.0.2.9", "198.51.100.4:99999": "192.0.2.9", ":80": "192.0.2.9",
		`"`: "192.0.2.9", `""`: "192.0.2.9", "unknown": "192.0.2.9", "198.51.100.4 198.51.100.5": "192.0.2.9",
	} {
		f(want, testPeer, "X-Real-IP: "+text)
		f(want, testPeer, "X-Forwarded-For: "+text)
		f(want, testPeer, "X-Forwarded-For: 1.1.1.1, "+text)
	}
	f("198.51.100.4", testPeer, `X-Forwarded-For: 198.51.100.4:1, "192.0.2.7:443", 192.0.2.8:80`)
}

// With CLIENT_IP_HEADER that header alone is believed, of trusted proxies alone.
func TestClientHeader(t *testing.T) {
	f := func(name, want string, peer net.Addr, headers ...string) {
		t.Helper()
		b := newBackend()
		s := newTestServer(t, b, func(c *Config) {
			c.TrustedProxies, c.ClientHeader = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, name
		})
		ask(s, peer, "GET", "/event.png?page=/", "", headers...)
		log := b.logged()
		if got, _, _ := strings.Cut(log[len(log)-1], "|"); got != want {
			t.Errorf("%s %q: %s, want %s", name, headers, got, want)
		}
	}
	f("CF-Connecting-IP", "198.51.100.1", testPeer, "CF-Connecting-IP: 198.51.100.1", "X-Real-IP: 1.1.1.1", "X-Forwarded-For: 2.2.2.2")
	f("cf-connecting-ip", "2001:db8::1", testPeer, "CF-Connecting-IP: 2001:db8::1")
	f("CF-Connecting-IP", "192.0.2.9", testPeer, "X-Real-IP: 1.1.1.1", "X-Forwarded-For: 2.2.2.2")
	f("CF-Connecting-IP", "203.0.113.5", &net.TCPAddr{IP: net.IPv4(203, 0, 113, 5), Port: 1}, "CF-Connecting-IP: 198.51.100.1")
	f("X-Forwarded-For", "198.51.100.2", testPeer, "X-Real-IP: 1.1.1.1", "X-Forwarded-For: 9.9.9.9, 198.51.100.2:77, 192.0.2.7")
	f("True-Client-IP", "198.51.100.1", testPeer, `True-Client-IP: "198.51.100.1:80"`)
	for text, want := range map[string]string{
		"for=198.51.100.1": "198.51.100.1", `For="[2001:db8::1]:4711"`: "2001:db8::1", "for=198.51.100.1;proto=https;by=203.0.113.43": "198.51.100.1",
		`proto=http; for="198.51.100.1:80"`: "198.51.100.1", "for=9.9.9.9, for=198.51.100.1": "198.51.100.1", "for=198.51.100.1, for=192.0.2.7": "198.51.100.1",
		`for="_a,b", for=192.0.2.7`: "192.0.2.7", "for=unknown": "192.0.2.9", "for=_hidden": "192.0.2.9", "198.51.100.1": "192.0.2.9", "": "192.0.2.9", `for="`: "192.0.2.9",
	} {
		f("Forwarded", want, testPeer, "Forwarded: "+text, "X-Real-IP: 1.1.1.1")
	}
}

func TestPanicBecomes500(t *testing.T) {
	var log strings.Builder
	s := newTestServer(t, newBackend(), func(c *Config) {
		c.Logger = slog.New(slog.NewTextHandler(&log, nil))
		c.NormalizePage = func(string, []byte) string { panic("boom") }
	})
	ctx := ask(s, testPeer, "POST", "/api/batch", `{"site":"ddkk.com","pages":["/a"]}`)
	if ctx.Response.StatusCode() != 500 || !strings.Contains(string(ctx.Response.Body()), CodeInternal) || strings.Contains(string(ctx.Response.Body()), "boom") {
		t.Errorf("%d %s", ctx.Response.StatusCode(), ctx.Response.Body())
	}
	if !strings.Contains(log.String(), "boom") || !strings.Contains(log.String(), "/api/batch") {
		t.Errorf("log %s", log.String())
	}
}

func TestNewNamesWhatIsMissing(t *testing.T) {
	_, err := New(Config{})
	for _, name := range []string{"Reader", "Beacon", "Waiter", "NormalizePage", "NormalizeSite", "Static", "Logger"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v does not name %s", err, name)
		}
	}
	c := testConfig(newBackend())
	c.Static = fstest.MapFS{}
	if _, err := New(c); err == nil || !strings.Contains(err.Error(), "ddkk-stats.js") {
		t.Errorf("no files: %v", err)
	}
}

func TestServeAndShutdown(t *testing.T) {
	var routes []string
	seen := make(chan string, 10)
	s := newTestServer(t, newBackend(), func(c *Config) {
		c.Observe = func(route string, status int, took time.Duration) { seen <- route }
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ln) }()
	base := "http://" + ln.Addr().String()
	client := &http.Client{Timeout: 5 * time.Second}
	post := func(body io.Reader) (int, string) {
		t.Helper()
		r, err := client.Post(base+"/api/stats", "application/json", body)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r.Body)
		if err := errors.Join(err, r.Body.Close()); err != nil {
			t.Fatal(err)
		}
		return r.StatusCode, string(text)
	}
	if status, body := post(strings.NewReader(`{"site":"ddkk.com","fields":["site_uv"]}`)); status != 200 || body != `{"site":"ddkk.com","site_uv":2}` {
		t.Errorf("%d %s", status, body)
	}
	routes = append(routes, <-seen)
	if status, body := post(strings.NewReader(strings.Repeat("x", maxBody+1))); status != 413 || !strings.Contains(body, CodeTooLarge) {
		t.Errorf("64 KiB and one: %d %s", status, body)
	}
	routes = append(routes, <-seen)
	if routes[0] != "/api/stats" || routes[1] != "/api/stats" {
		t.Errorf("observed %q", routes)
	}
	rawRequests(t, ln.Addr().String())

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	client.CloseIdleConnections()
	if err := s.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Errorf("Serve: %v", err)
	}
	ln, err = net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(ln); !errors.Is(err, ErrClosed) {
		t.Errorf("Serve after Shutdown: %v", err)
	}
}

// rawRequests sends what no client library would.
func rawRequests(t *testing.T, addr string) {
	t.Helper()
	f := func(request string, status int, code string) {
		t.Helper()
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}()
		if _, err := io.WriteString(c, request); err != nil {
			t.Fatal(err)
		}
		r, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatalf("%.40q: %v", request, err)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil || r.StatusCode != status || !strings.Contains(string(body), code) {
			t.Errorf("%.40q: %d %s %v", request, r.StatusCode, body, err)
		}
	}
	f("POST /api/stats HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n", 413, CodeTooLarge)
	f("GET /api/hot HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("x", maxHeader)+"\r\n\r\n", 431, CodeHeadersTooLarge)
	f("nonsense\r\n\r\n", 400, CodeBadRequest)
	f("GET http://h/event.png?page=/x HTTP/1.1\r\nHost: h\r\n\r\n", 200, "GIF89a")

	// What says in two ways how long it is is answered, and nothing behind it.
	const body = `{"site":"ddkk.com","fields":["site_pv"]}`
	chunked := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)
	answers := func(headers, body string, want int) {
		t.Helper()
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}()
		one := "POST /api/stats HTTP/1.1\r\nHost: x\r\n" + headers
		if _, err := io.WriteString(c, one+"\r\n"+body+one+"Connection: close\r\n\r\n"+body); err != nil {
			t.Fatal(err)
		}
		all, err := io.ReadAll(c)
		if n := strings.Count(string(all), "HTTP/1.1 200 OK"); n != want {
			t.Errorf("%q: %d answers, want %d: %s (%v)", headers, n, want, all, err)
		}
	}
	answers("Transfer-Encoding: chunked\r\n", chunked, 2)
	answers(fmt.Sprintf("Content-Length: %d\r\n", len(body)), body, 2)
	answers("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", chunked, 1)
	answers("Transfer-Encoding: chunked\r\ncontent-length: 5\r\n", chunked, 1)
}

// Answers reuse memory: no request may see another's.
func TestWorkIsCleared(t *testing.T) {
	s := newTestServer(t, newBackend(), nil)
	w := s.borrow()
	if err := w.decodeStats([]byte(`{"site":"a","page":"/p","fields":["page_pv"],"action":"count","limit":3,"view":"v","batch_pages":["/x"]}`)); err != nil {
		t.Fatal(err)
	}
	s.give(w)
	for range 3 {
		w := s.borrow()
		if w.req.page != nil || w.req.count || w.req.hasFields || len(w.req.names) != 0 || w.req.view != nil || w.query.Fresh || w.req.hasNames {
			t.Fatalf("%+v", w.req)
		}
	}
}
