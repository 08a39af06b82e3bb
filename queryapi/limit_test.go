package queryapi

import (
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"
)

func TestLimiter(t *testing.T) {
	l := newLimiter(Limit{Rate: 10, Burst: 3})
	now := time.Unix(1_700_000_000, 0)
	a, b := netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("203.0.113.2")
	f := func(client netip.Addr, want time.Duration) {
		t.Helper()
		wait, ok := l.allow(client, now)
		if ok != (want == 0) || wait != want {
			t.Errorf("%v: %v, allowed %v; want to wait %v", client, wait, ok, want)
		}
	}
	for range 3 {
		f(a, 0)
	}
	f(a, 100*time.Millisecond)
	f(b, 0) // another bucket
	now = now.Add(40 * time.Millisecond)
	f(a, 60*time.Millisecond) // what was refused took nothing
	now = now.Add(60 * time.Millisecond)
	f(a, 0)
	f(a, 100*time.Millisecond)
	now = now.Add(time.Hour) // full again, and not fuller
	for range 3 {
		f(a, 0)
	}
	f(a, 100*time.Millisecond)
	if n := l.refused.Load(); n != 4 {
		t.Errorf("%d refused", n)
	}

	// All of a /64 is one client, and an IPv4 address is one however written.
	for i := range 3 {
		f(netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 15: byte(i)}), 0)
	}
	f(netip.MustParseAddr("2001:db8::ffff:1"), 100*time.Millisecond)
	f(netip.MustParseAddr("2001:db8:0:1::1"), 0)
	f(netip.MustParseAddr("::ffff:203.0.113.1"), 100*time.Millisecond)

	l.set(Limit{Rate: 1, Burst: 1})
	f(netip.MustParseAddr("203.0.113.9"), 0)
	f(netip.MustParseAddr("203.0.113.9"), time.Second)
	l.set(Limit{})
	f(netip.MustParseAddr("203.0.113.9"), 0)
}

// A flood of addresses costs no memory beyond what was there, and does not free
// a client that asks all the time from its limit.
func TestLimiterUnderAFloodOfAddresses(t *testing.T) {
	l := newLimiter(Limit{Rate: 1, Burst: 5})
	now := time.Unix(1_700_000_000, 0)
	client := netip.MustParseAddr("203.0.113.1")
	rng := rand.New(rand.NewPCG(1, 2))
	allowed := 0
	for i := range 300_000 {
		var a [16]byte
		a[0] = 0x20
		for j := 1; j < 8; j++ {
			a[j] = byte(rng.Uint32())
		}
		l.allow(netip.AddrFrom16(a), now)
		if i%100 == 0 {
			if _, ok := l.allow(client, now); ok {
				allowed++
			}
		}
	}
	if len(l.sets) != limitSets {
		t.Errorf("the table has grown to %d", len(l.sets))
	}
	if allowed > 50 {
		t.Errorf("%d of 3000 requests were allowed at one moment, with a burst of 5", allowed)
	}
	if n := testing.AllocsPerRun(1000, func() { l.allow(client, now) }); n != 0 {
		t.Errorf("%v allocations a request", n)
	}
}

func TestLimiterConcurrent(t *testing.T) {
	l := newLimiter(Limit{Rate: 1, Burst: 100})
	now := time.Unix(1_700_000_000, 0)
	var mu sync.Mutex
	var wg sync.WaitGroup
	allowed := 0
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if _, ok := l.allow(netip.MustParseAddr("203.0.113.1"), now); ok {
					mu.Lock()
					allowed++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if allowed != 100 {
		t.Errorf("%d were allowed, want 100", allowed)
	}
}

func TestLimitsOfClients(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	s := newTestServer(t, newBackend(), func(c *Config) {
		c.Now = func() time.Time { return now }
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("127.0.0.0/8")}
		c.APILimit, c.BeaconLimit = Limit{Rate: 0.2, Burst: 2}, Limit{Rate: 1, Burst: 1}
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
	if err := s.SetAccess(Access{}); err != nil {
		t.Fatal(err)
	}
	f("203.0.113.1", "GET", "/api/hot?site=ddkk.com", "", 200)
	if err := s.SetAccess(Access{CORSOrigins: []string{"no origin"}}); err == nil {
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
