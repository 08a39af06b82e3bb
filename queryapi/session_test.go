package queryapi

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// loginServer has the token "secret" and a clock that the test sets.
func loginServer(t *testing.T, change func(*Config)) (*testServer, *time.Time) {
	t.Helper()
	now := time.Date(2026, 11, 22, 20, 0, 0, 0, time.UTC)
	return newTestServer(t, newBackend(), func(c *Config) {
		c.AdminToken, c.Now = "secret", func() time.Time { return now }
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		c.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ddkk_lines 1") })
		if change != nil {
			change(c)
		}
	}), &now
}

func tryLogin(s *testServer, peer net.Addr, token string, headers ...string) *fasthttp.RequestCtx {
	return ask(s, peer, "POST", "/api/admin/login", fmt.Sprintf(`{"token":%q}`, token), headers...)
}

// mustLogin is the Cookie header of a session.
func mustLogin(t *testing.T, s *testServer) string {
	t.Helper()
	ctx := tryLogin(s, testPeer, "secret")
	if ctx.Response.StatusCode() != 204 {
		t.Fatalf("login: %d %s", ctx.Response.StatusCode(), ctx.Response.Body())
	}
	value, _, _ := strings.Cut(header(ctx, "Set-Cookie"), ";")
	return "Cookie: " + value
}

func TestLogin(t *testing.T) {
	s, now := loginServer(t, nil)
	f := func(want int, method, path string, headers ...string) {
		t.Helper()
		if ctx := ask(s, testPeer, method, path, "", headers...); ctx.Response.StatusCode() != want {
			t.Errorf("%s %s %q: %d, want %d: %s", method, path, headers, ctx.Response.StatusCode(), want, ctx.Response.Body())
		}
	}
	cookie := mustLogin(t, s)
	if strings.Contains(cookie, "secret") {
		t.Error("the cookie holds the token")
	}
	other := mustLogin(t, s)
	if cookie == other {
		t.Error("two sessions are the same")
	}
	f(200, "GET", "/metrics", cookie)
	f(200, "GET", "/metrics", "Cookie: a=b; "+strings.TrimPrefix(cookie, "Cookie: "))
	f(401, "GET", "/metrics")
	f(401, "GET", "/metrics", "Cookie: ddkk_admin=secret")
	f(401, "GET", "/metrics", "Cookie: ddkk_admin=")
	for i := len("Cookie: ddkk_admin="); i < len(cookie)-1; i += 7 { // the last letter has bits that mean nothing
		changed := []byte(cookie)
		changed[i] ^= 1
		if changed[i] == '"' || changed[i] == ';' {
			continue
		}
		f(401, "GET", "/metrics", string(changed))
	}
	// A wrong token is wrong whatever cookie comes with it.
	f(401, "GET", "/metrics", cookie, "Authorization: Bearer wrong")

	f(403, "POST", "/api/admin/logout", cookie)
	f(200, "GET", "/metrics", cookie)
	f(204, "POST", "/api/admin/logout", cookie, "Sec-Fetch-Site: same-origin")
	f(401, "GET", "/metrics", cookie)
	f(200, "GET", "/metrics", other)
	f(204, "POST", "/api/admin/logout")
	*now = now.Add(sessionLife)
	f(401, "GET", "/metrics", other)

	// It survives a restart and ends with its token.
	before, _ := loginServer(t, nil)
	kept := mustLogin(t, before)
	again, _ := loginServer(t, func(c *Config) { c.AdminToken = "another" })
	if ctx := ask(again, testPeer, "GET", "/metrics", "", kept); ctx.Response.StatusCode() != 401 {
		t.Error("a session outlived its token")
	}
	again, _ = loginServer(t, nil)
	if ctx := ask(again, testPeer, "GET", "/metrics", "", kept); ctx.Response.StatusCode() != 200 {
		t.Errorf("after a restart: %d", ctx.Response.StatusCode())
	}
}

func TestLoginCookie(t *testing.T) {
	s, _ := loginServer(t, nil)
	proxy := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}
	f := func(secure bool, peer net.Addr, headers ...string) {
		t.Helper()
		cookie := header(tryLogin(s, peer, "secret", headers...), "Set-Cookie")
		for _, part := range []string{"ddkk_admin=", "; HttpOnly", "; SameSite=Strict", "; Path=/", "; Max-Age=604800"} {
			if !strings.Contains(cookie, part) {
				t.Errorf("%q lacks %q", cookie, part)
			}
		}
		if strings.Contains(cookie, "; Secure") != secure {
			t.Errorf("%q %q, want secure %t", cookie, headers, secure)
		}
	}
	f(false, testPeer)
	f(false, testPeer, "X-Forwarded-Proto: https") // anybody may say so
	f(true, proxy, "X-Forwarded-Proto: https")
	f(false, proxy, "X-Forwarded-Proto: http")
	f(true, testPeer, "Origin: https://stat.ddkk.com")
	f(false, testPeer, "Origin: http://stat.ddkk.com")
}

// A request that changes something and carries the cookie must be the
// dashboard's own.
func TestForeignPages(t *testing.T) {
	s, _ := loginServer(t, nil)
	cookie := mustLogin(t, s)
	f := func(want int, headers ...string) {
		t.Helper()
		if ctx := ask(s, testPeer, "POST", "/api/admin/logout", "", append(headers, cookie)...); ctx.Response.StatusCode() != want {
			t.Errorf("%q: %d, want %d", headers, ctx.Response.StatusCode(), want)
		}
		cookie = mustLogin(t, s)
	}
	f(403)
	f(403, "Sec-Fetch-Site: cross-site", "Origin: https://evil.example")
	f(403, "Sec-Fetch-Site: same-site", "Origin: https://blog.ddkk.com")
	f(403, "Sec-Fetch-Site: none")
	f(403, "Sec-Fetch-Site: cross-site", "X-Ddkk-Admin: 1")
	f(403, "Origin: https://evil.example", "X-Ddkk-Admin: 1")
	f(403, "Origin: null")
	f(204, "Sec-Fetch-Site: same-origin")
	f(204, "Origin: https://stat.ddkk.com")
	f(204, "X-Ddkk-Admin: 1")
	for _, headers := range [][]string{{"Origin: https://evil.example"}, {"Sec-Fetch-Site: same-site"}} {
		if ctx := tryLogin(s, testPeer, "secret", headers...); ctx.Response.StatusCode() != 403 {
			t.Errorf("login with %q: %d", headers, ctx.Response.StatusCode())
		}
	}
	ctx := ask(s, testPeer, "OPTIONS", "/api/admin/logout", "", "Origin: https://evil.example", "Access-Control-Request-Headers: x-ddkk-admin")
	if header(ctx, "Access-Control-Allow-Origin")+header(ctx, "Access-Control-Allow-Headers") != "" {
		t.Error("the preflight lets other origins send the header")
	}
}

func TestLoginErrors(t *testing.T) {
	s, _ := loginServer(t, nil)
	f := func(s *testServer, body string, want int, code string) {
		t.Helper()
		ctx := ask(s, testPeer, "POST", "/api/admin/login", body)
		if ctx.Response.StatusCode() != want || !strings.Contains(string(ctx.Response.Body()), `"code":"`+code+`"`) {
			t.Errorf("%s: %d %s", body, ctx.Response.StatusCode(), ctx.Response.Body())
		}
		if header(ctx, "Set-Cookie") != "" {
			t.Errorf("%s: a cookie", body)
		}
	}
	f(s, `{"token":"wrong"}`, 401, CodeAdminRequired)
	f(s, `{"token":""}`, 400, CodeMissingField)
	f(s, `{}`, 400, CodeMissingField)
	f(s, `{"token":1}`, 400, CodeBadValue)
	f(s, `{"password":"x"}`, 400, CodeUnknownField)
	f(s, `token=secret`, 400, CodeBadJSON)
	open, _ := loginServer(t, func(c *Config) { c.AdminToken = "" })
	f(open, `{"token":"secret"}`, 409, CodeNoToken)
}

func TestAttemptsAreLimited(t *testing.T) {
	s, now := loginServer(t, nil)
	f := func(peer net.Addr, token string, want int) {
		t.Helper()
		ctx := tryLogin(s, peer, token)
		if ctx.Response.StatusCode() != want {
			t.Errorf("%v %s: %d, want %d", peer, token, ctx.Response.StatusCode(), want)
		}
		if wait := header(ctx, "Retry-After"); (wait != "") != (want == 429) {
			t.Errorf("Retry-After %q with %d", wait, want)
		}
	}
	for range maxClientAttempts {
		f(testPeer, "wrong", 401)
	}
	f(testPeer, "secret", 429)
	*now = now.Add(attemptWindow - time.Second)
	if wait := header(tryLogin(s, testPeer, "secret"), "Retry-After"); wait != "1" {
		t.Errorf("Retry-After %q", wait)
	}
	// The same goes for tokens in headers, and for no one else.
	for path, want := range map[string]int{"/metrics": 429, "/api/admin/session": 429} {
		if ctx := ask(s, testPeer, "GET", path, "", "Authorization: Bearer secret"); ctx.Response.StatusCode() != want {
			t.Errorf("%s: %d", path, ctx.Response.StatusCode())
		}
	}
	if ctx := ask(s, testPeer, "GET", "/api/admin/session", ""); ctx.Response.StatusCode() != 200 {
		t.Errorf("without a token: %d", ctx.Response.StatusCode())
	}
	f(&net.TCPAddr{IP: net.IPv4(192, 0, 2, 10)}, "secret", 204)
	*now = now.Add(time.Second)
	f(testPeer, "secret", 204)

	// A /64 is one client.
	for i := range maxClientAttempts {
		f(&net.TCPAddr{IP: net.ParseIP(fmt.Sprintf("2001:db8::%x", i+1))}, "wrong", 401)
	}
	f(&net.TCPAddr{IP: net.ParseIP("2001:db8::ffff")}, "secret", 429)
	f(&net.TCPAddr{IP: net.ParseIP("2001:db8:0:1::1")}, "secret", 204)
}

// Guessing from everywhere ends for all but those who had the token.
func TestAttemptsOfAll(t *testing.T) {
	s, now := loginServer(t, nil)
	peer := func(i int) net.Addr { return &net.TCPAddr{IP: net.IPv4(10, 0, byte(i>>8), byte(i))} }
	if code := tryLogin(s, testPeer, "secret").Response.StatusCode(); code != 204 {
		t.Fatal(code)
	}
	for i := range maxAttempts {
		if code := tryLogin(s, peer(i), "wrong").Response.StatusCode(); code != 401 {
			t.Fatalf("attempt %d: %d", i, code)
		}
	}
	if code := tryLogin(s, peer(maxAttempts), "secret").Response.StatusCode(); code != 429 {
		t.Errorf("after %d wrong tokens: %d", maxAttempts, code)
	}
	if code := tryLogin(s, testPeer, "secret").Response.StatusCode(); code != 204 {
		t.Errorf("the admin: %d", code)
	}
	*now = now.Add(attemptWindow)
	if code := tryLogin(s, peer(maxAttempts), "secret").Response.StatusCode(); code != 204 {
		t.Errorf("after the window: %d", code)
	}
}

func TestAttemptsAreBounded(t *testing.T) {
	var a attempts
	now := time.Unix(1e9, 0)
	wrong := func() bool { return false }
	for i := range maxClients + 100 {
		a.try(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), now, wrong)
		a.all = guesses{}
	}
	if len(a.clients) != maxClients {
		t.Errorf("%d clients", len(a.clients))
	}
	a.try(netip.MustParseAddr("192.0.2.1"), now.Add(attemptWindow), wrong)
	if len(a.clients) != 1 {
		t.Errorf("%d clients after the window", len(a.clients))
	}
}

func TestEndedSessionsAreBounded(t *testing.T) {
	var e ended
	for i := range maxEnded + 10 {
		e.add(sessionID{byte(i), byte(i >> 8)}, int64(1000+i), 0)
	}
	last := sessionID{(maxEnded + 9) & 255, (maxEnded + 9) >> 8}
	if len(e.ids) != maxEnded || e.has(sessionID{0, 0}) || !e.has(last) {
		t.Errorf("%d sessions", len(e.ids))
	}
	e.add(sessionID{1, 1, 1}, 1e9, 1e8)
	if len(e.ids) != 1 {
		t.Errorf("%d sessions after their end", len(e.ids))
	}
}

func TestSessionState(t *testing.T) {
	zone := time.FixedZone("Asia/Shanghai", 8*3600)
	s, _ := loginServer(t, func(c *Config) { c.Location, c.PublicSites = zone, []string{"ddkk.com"} })
	f := func(s *testServer, peer net.Addr, want string, headers ...string) {
		t.Helper()
		ctx := ask(s, peer, "GET", "/api/admin/session", "", headers...)
		if ctx.Response.StatusCode() != 200 || string(ctx.Response.Body()) != want || header(ctx, "WWW-Authenticate") != "" {
			t.Errorf("%d %s, want %s", ctx.Response.StatusCode(), ctx.Response.Body(), want)
		}
	}
	f(s, testPeer, `{"admin":false,"login":true}`)
	admin := `{"admin":true,"login":true,"today":"2026-11-23","timezone":"Asia/Shanghai","utc_offset":28800,"now":"2026-11-22T20:00:00Z","public_sites":["ddkk.com"]}`
	f(s, testPeer, admin, mustLogin(t, s))
	f(s, testPeer, admin, "Authorization: Bearer secret")
	open, _ := loginServer(t, func(c *Config) { c.AdminToken = "" })
	f(open, testPeer, `{"admin":false,"login":false}`)
	local := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}
	f(open, local, `{"admin":true,"login":false,"today":"2026-11-22","timezone":"UTC","utc_offset":0,"now":"2026-11-22T20:00:00Z","public_sites":[]}`, "Host: localhost:8360")
}
