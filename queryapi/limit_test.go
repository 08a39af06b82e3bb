package queryapi

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"ddkk-stats/queryapi/edge"
)

func TestLimitsOfClients(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	s := newTestServer(t, newBackend(), func(c *Config) {
		c.Now = func() time.Time { return now }
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("127.0.0.0/8")}
		c.APILimit, c.BeaconLimit = edge.Limit{Rate: 0.2, Burst: 2}, edge.Limit{Rate: 1, Burst: 1}
	})
	f := func(peer, method, path, body string, want int, headers ...string) {
		t.Helper()
		ctx := ask(s, &net.TCPAddr{IP: net.ParseIP(peer), Port: 1}, method, path, body, append(headers, "Content-Type: application/json")...)
		if got := ctx.Response.StatusCode(); got != want {
			t.Errorf("%s %s from %s: %d, want %d", method, path, peer, got, want)
		}
		if after := header(ctx, "Retry-After"); (after != "") != (want == 429) {
			t.Errorf("%s: Retry-After %q", path, after)
		} else if want == 429 && path == "/api/hot?site=ddkk.com" && after != "5" {
			t.Errorf("Retry-After %q, want 5", after)
		}
	}
	f("203.0.113.1", "GET", "/api/hot?site=ddkk.com", "", 200)
	f("203.0.113.1", "POST", "/api/batch", `{"site":"ddkk.com","pages":["/"]}`, 200)
	f("203.0.113.1", "GET", "/api/hot?site=ddkk.com", "", 429)
	f("203.0.113.1", "GET", "/event.png?page=/", "", 200) // a limit of its own
	f("203.0.113.1", "GET", "/event.png?page=/", "", 429)
	f("203.0.113.1", "GET", "/healthz", "", 200) // never
	f("203.0.113.1", "GET", "/healthz", "", 200)

	for range 5 { // whoever passes others on is not limited, nor is this machine
		f("10.0.0.1", "GET", "/api/hot?site=ddkk.com", "", 200)
		f("127.0.0.1", "GET", "/api/hot?site=ddkk.com", "", 200)
	}
	f("10.0.0.1", "GET", "/api/hot?site=ddkk.com", "", 429, "X-Real-IP: 203.0.113.1") // but whom they name is
	f("203.0.113.2", "GET", "/api/hot?site=ddkk.com", "", 200, "X-Real-IP: 10.0.0.1") // and nobody else is believed
	f("203.0.113.2", "GET", "/api/hot?site=ddkk.com", "", 200)
	f("203.0.113.2", "GET", "/api/hot?site=ddkk.com", "", 429)

	if l := s.Limits(); l.Refused["api_rate"] != 3 || l.Refused["beacon_rate"] != 1 {
		t.Errorf("refused: %v", l.Refused)
	}
	if err := s.SetAccess(edge.Access{}); err != nil {
		t.Fatal(err)
	}
	f("203.0.113.1", "GET", "/api/hot?site=ddkk.com", "", 200)
	if err := s.SetAccess(edge.Access{CORSOrigins: []string{"no origin"}}); err == nil {
		t.Error("a wrong origin was taken")
	}
}

func TestRoot(t *testing.T) {
	s := newTestServer(t, newBackend(), nil)
	if ctx := ask(s, testPeer, "GET", "/", "", "Accept: text/html,application/xhtml+xml"); ctx.Response.StatusCode() != 302 || header(ctx, "Location") != "/demo" {
		t.Errorf("a browser gets %d to %q", ctx.Response.StatusCode(), header(ctx, "Location"))
	}
	for _, accept := range []string{"Accept: */*", "Accept: application/json", "X: y"} {
		if ctx := ask(s, testPeer, "GET", "/", "", accept); ctx.Response.StatusCode() != 404 {
			t.Errorf("%s: %d", accept, ctx.Response.StatusCode())
		}
	}
}
