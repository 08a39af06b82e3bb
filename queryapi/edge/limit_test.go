package edge

import (
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"time"
)

func TestLimiter(t *testing.T) {
	l := NewLimiter(Limit{Rate: 10, Burst: 3})
	now := time.Unix(1_700_000_000, 0)
	a, b := netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("203.0.113.2")
	f := func(client netip.Addr, want time.Duration) {
		t.Helper()
		wait, ok := l.Allow(client, now)
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
	if n := l.Refused.Load(); n != 4 {
		t.Errorf("%d refused", n)
	}

	// All of a /64 is one client, and an IPv4 address is one however written.
	for i := range 3 {
		f(netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 15: byte(i)}), 0)
	}
	f(netip.MustParseAddr("2001:db8::ffff:1"), 100*time.Millisecond)
	f(netip.MustParseAddr("2001:db8:0:1::1"), 0)
	f(netip.MustParseAddr("::ffff:203.0.113.1"), 100*time.Millisecond)

	l.Set(Limit{Rate: 1, Burst: 1})
	f(netip.MustParseAddr("203.0.113.9"), 0)
	f(netip.MustParseAddr("203.0.113.9"), time.Second)
	l.Set(Limit{})
	f(netip.MustParseAddr("203.0.113.9"), 0)
}

// A flood of addresses costs no memory beyond what was there, and does not free
// a client that asks all the time from its limit.
func TestLimiterUnderAFloodOfAddresses(t *testing.T) {
	l := NewLimiter(Limit{Rate: 1, Burst: 5})
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
		l.Allow(netip.AddrFrom16(a), now)
		if i%100 == 0 {
			if _, ok := l.Allow(client, now); ok {
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
	if n := testing.AllocsPerRun(1000, func() { l.Allow(client, now) }); n != 0 {
		t.Errorf("%v allocations a request", n)
	}
}

func TestLimiterConcurrent(t *testing.T) {
	l := NewLimiter(Limit{Rate: 1, Burst: 100})
	now := time.Unix(1_700_000_000, 0)
	var mu sync.Mutex
	var wg sync.WaitGroup
	allowed := 0
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if _, ok := l.Allow(netip.MustParseAddr("203.0.113.1"), now); ok {
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
