package queryapi

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"ddkk-stats/queryapi/edge"
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
	f(s, `{"passphrase":"x"}`, 400, CodeUnknownField)
	f(s, `token=secret`, 400, CodeBadJSON)
	open, _ := loginServer(t, func(c *Config) { c.AdminToken = "" })
	f(open, `{"token":"secret"}`, 409, CodeNoToken)
}

// TestGuessingIsSlowed: wrong tokens are answered later and later; the right one
// enters at once, from the address that guesses as well, and from any other.
func TestGuessingIsSlowed(t *testing.T) {
	s, now := loginServer(t, nil)
	var held time.Duration
	s.door.pause = func(d time.Duration) { held += d }
	f := func(peer net.Addr, token string, want int, hold time.Duration) {
		t.Helper()
		held = 0
		ctx := tryLogin(s, peer, token)
		if ctx.Response.StatusCode() != want || held != hold {
			t.Errorf("%v %s: %d after %v, want %d after %v", peer, token, ctx.Response.StatusCode(), held, want, hold)
		}
		if wait := header(ctx, "Retry-After"); (wait != "") != (want == 429) {
			t.Errorf("Retry-After %q with %d", wait, want)
		}
	}
	guess := func(peer net.Addr) {
		t.Helper()
		for range edge.MaxClientAttempts {
			f(peer, "wrong", 401, 0)
		}
		for _, ms := range []int{100, 200, 400, 800, 1000, 1000} {
			f(peer, "wrong", 429, time.Duration(ms)*time.Millisecond)
		}
	}
	guess(testPeer)
	// The same goes for tokens in headers.
	held = 0
	if ctx := ask(s, testPeer, "GET", "/metrics", "", "Authorization: Bearer guess"); ctx.Response.StatusCode() != 429 || held != edge.MaxHold {
		t.Errorf("a header: %d after %v", ctx.Response.StatusCode(), held)
	}
	if ctx := ask(s, testPeer, "GET", "/api/admin/session", ""); ctx.Response.StatusCode() != 200 {
		t.Errorf("without a token: %d", ctx.Response.StatusCode())
	}
	f(&net.TCPAddr{IP: net.IPv4(192, 0, 2, 10)}, "wrong", 401, 0)
	if ctx := ask(s, testPeer, "GET", "/metrics", "", "Authorization: Bearer secret"); ctx.Response.StatusCode() != 200 {
		t.Errorf("the right token in a header: %d", ctx.Response.StatusCode())
	}
	guess(testPeer)
	f(testPeer, "secret", 204, 0)
	guess(testPeer)
	*now = now.Add(edge.AttemptWindow)
	guess(testPeer)

	// A /64 is one client.
	for i := range edge.MaxClientAttempts {
		f(&net.TCPAddr{IP: net.ParseIP(fmt.Sprintf("2001:db8::%x", i+1))}, "wrong", 401, 0)
	}
	f(&net.TCPAddr{IP: net.ParseIP("2001:db8::ffff")}, "wrong", 429, edge.MinHold)
	f(&net.TCPAddr{IP: net.ParseIP("2001:db8::ffff")}, "secret", 204, 0)
	f(&net.TCPAddr{IP: net.ParseIP("2001:db8:0:1::1")}, "wrong", 401, 0)
}

// TestGuessingFromEverywhere: many addresses together are slowed as well, and lock
// nobody out who has the token, whether known before or not.
func TestGuessingFromEverywhere(t *testing.T) {
	s, _ := loginServer(t, nil)
	var held time.Duration
	s.door.pause = func(d time.Duration) { held += d }
	peer := func(i int) net.Addr { return &net.TCPAddr{IP: net.IPv4(10, 0, byte(i>>8), byte(i))} }
	for i := range edge.MaxAttempts {
		if code := tryLogin(s, peer(i), "wrong").Response.StatusCode(); code != 401 {
			t.Fatalf("attempt %d: %d", i, code)
		}
	}
	if code := tryLogin(s, peer(edge.MaxAttempts), "wrong").Response.StatusCode(); code != 429 || held != edge.MinHoldAll {
		t.Errorf("after %d wrong tokens: %d after %v", edge.MaxAttempts, code, held)
	}
	held = 0
	for i := range 300 {
		if ctx := ask(s, peer(i+150), "GET", "/metrics", "", "Authorization: Bearer secret"); ctx.Response.StatusCode() != 200 || held > 0 {
			t.Fatalf("the right token: %d after %v", ctx.Response.StatusCode(), held)
		}
	}
}

// TestTheAdminPassesTheLimit: an address that is over its limit of requests, such as
// that of an office in which somebody guesses, still lets the admin in.
func TestTheAdminPassesTheLimit(t *testing.T) {
	s, _ := loginServer(t, func(c *Config) { c.APILimit = edge.Limit{Rate: 1, Burst: 3} })
	s.door.pause = func(time.Duration) {}
	cookie := mustLogin(t, s)
	f := func(want int, path string, headers ...string) {
		t.Helper()
		if ctx := ask(s, testPeer, "GET", path, "", headers...); ctx.Response.StatusCode() != want {
			t.Errorf("%s %q: %d, want %d", path, headers, ctx.Response.StatusCode(), want)
		}
	}
	f(401, "/metrics", "Authorization: Bearer wrong") // takes all that there is, and more
	f(429, "/metrics", "Authorization: Bearer wrong")
	f(429, "/metrics")
	f(429, "/api/hot?site=ddkk.com", cookie)
	for range 10 {
		f(200, "/metrics", cookie)
		f(200, "/metrics", "Authorization: Bearer secret")
	}
	if code := tryLogin(s, testPeer, "secret").Response.StatusCode(); code != 204 {
		t.Errorf("login: %d", code)
	}
}

func TestAttemptsAreBounded(t *testing.T) {
	var a edge.Attempts
	now := time.Unix(1e9, 0)
	for i := range edge.MaxClients + 100 {
		if _, held := a.Wrong(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), now); held != (i >= edge.MaxAttempts && i < edge.MaxAttempts+edge.MaxHeld) {
			t.Fatalf("%d: held is %v", i, held)
		}
	}
	if len(a.Clients) != edge.MaxClients {
		t.Errorf("%d clients", len(a.Clients))
	}
	a.Wrong(netip.MustParseAddr("192.0.2.1"), now.Add(edge.AttemptWindow))
	if len(a.Clients) != 1 {
		t.Errorf("%d clients after the window", len(a.Clients))
	}
}

func TestEndedSessionsAreBounded(t *testing.T) {
	e, err := openEnded(filepath.Join(t.TempDir(), "ended.json"))
	if err != nil {
		t.Fatal(err)
	}
	e.file, err = "", nil // the writing is another test's
	id := func(i int) sessionID { return sessionID{byte(i), byte(i >> 8)} }
	for i := range maxEnded + 10 {
		if err := e.add(id(i), int64(1000+i), 0); err != nil {
			t.Fatal(err)
		}
	}
	for i := range maxEnded + 10 {
		if !e.has(id(i), int64(1000+i)) {
			t.Fatalf("session %d came to life", i)
		}
	}
	if len(e.ids) != maxEnded || e.has(sessionID{9, 9, 9}, 2500) {
		t.Errorf("%d sessions", len(e.ids))
	}
	if err := e.add(sessionID{1, 1, 1}, 1e9, 1e8); err != nil || len(e.ids) != 1 {
		t.Errorf("%d sessions after their end, %v", len(e.ids), err)
	}
}

// TestLogoutOutlivesARestart: what somebody has copied of a session that was logged
// out is no good after a restart either; other sessions are.
func TestLogoutOutlivesARestart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ended.json")
	start := func() *testServer {
		s, _ := loginServer(t, func(c *Config) { c.EndedSessions = file })
		return s
	}
	f := func(s *testServer, cookie string, want int) {
		t.Helper()
		if ctx := ask(s, testPeer, "GET", "/metrics", "", cookie); ctx.Response.StatusCode() != want {
			t.Errorf("%d, want %d", ctx.Response.StatusCode(), want)
		}
	}
	s := start()
	over, other := mustLogin(t, s), mustLogin(t, s)
	if ctx := ask(s, testPeer, "POST", "/api/admin/logout", "", over, "Sec-Fetch-Site: same-origin"); ctx.Response.StatusCode() != 204 {
		t.Fatal(ctx.Response.StatusCode())
	}
	for range 3 {
		f(s, over, 401)
		f(s, other, 200)
		s = start()
	}
	if fi, err := os.Stat(file); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", fi, err)
	}
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openEnded(file); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a damaged file: %v", err)
	}
}

// TestCookiesOfTheSameName: a bad cookie hides no good one, in whatever order and
// however many headers they come; a logout ends all that are good.
func TestCookiesOfTheSameName(t *testing.T) {
	s, _ := loginServer(t, nil)
	good := mustLogin(t, s)
	value := strings.TrimPrefix(good, "Cookie: ")
	f := func(want int, headers ...string) {
		t.Helper()
		if ctx := ask(s, testPeer, "GET", "/metrics", "", headers...); ctx.Response.StatusCode() != want {
			t.Errorf("%q: %d, want %d", headers, ctx.Response.StatusCode(), want)
		}
	}
	bad := "ddkk_admin=" + strings.Repeat("A", len(value)-len("ddkk_admin="))
	f(401, "Cookie: "+bad)
	f(200, "Cookie: "+bad+"; "+value)
	f(200, "Cookie: "+value+"; "+bad)
	f(200, "Cookie: ddkk_admin=; a=b; "+bad+"; "+value)
	second := strings.TrimPrefix(mustLogin(t, s), "Cookie: ")
	both := "Cookie: " + bad + "; " + second + "; " + value
	if ctx := ask(s, testPeer, "POST", "/api/admin/logout", "", both, "Sec-Fetch-Site: same-origin"); ctx.Response.StatusCode() != 204 {
		t.Fatal(ctx.Response.StatusCode())
	}
	f(401, "Cookie: "+second)
	f(401, good)
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
	counts, _ := loginServer(t, func(c *Config) {
		c.Location, c.PublicSites, c.Facts = zone, []string{"ddkk.com"}, &figures{periods: []string{"week"}}
	})
	f(counts, testPeer, strings.TrimSuffix(admin, "}")+`,"facets":["referrer","hour"],"uniques":["week"]}`, "Authorization: Bearer secret")
	open, _ := loginServer(t, func(c *Config) { c.AdminToken = "" })
	f(open, testPeer, `{"admin":false,"login":false}`)
	local := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}
	f(open, local, `{"admin":true,"login":false,"today":"2026-11-22","timezone":"UTC","utc_offset":0,"now":"2026-11-22T20:00:00Z","public_sites":[]}`, "Host: localhost:8360")
}
