package parser

import (
	"encoding/hex"
	"net/netip"
	"testing"
	"time"
)

// The vectors are those that the authors of SipHash publish with the reference
// implementation: key 00 01 .. 0f, message 00 01 .. of the given length.
func TestSipHashVectors(t *testing.T) {
	var b [64]byte
	for i := range b {
		b[i] = byte(i)
	}
	key := sipKeyOf(b[:16])
	f := func(n int, want64, want128 string) {
		t.Helper()
		var got64 [8]byte
		h := key.sip64(b[:n])
		for i := range got64 {
			got64[i] = byte(h >> (8 * i))
		}
		got128 := key.start128().end128(n, string(b[:n]))
		if hex.EncodeToString(got64[:]) != want64 || hex.EncodeToString(got128[:]) != want128 {
			t.Errorf("length %d: %x, %x, want %s, %s", n, got64, got128, want64, want128)
		}
	}
	f(0, "310e0edd47db6f72", "a3817f04ba25a8e66df67214c7550293")
	f(1, "fd67dc93c539f874", "da87c1d86b99af44347659119b22fc45")
	f(7, "37d1018bf50002ab", "a1f1ebbed8dbc153c0b84aa61ff08239")
	f(8, "6224939a79f5f593", "3b62a9ba6258f5610f83e264f31497b4")
	f(15, "e545be4961ca29a1", "5493e99933b0a8117e08ec0f97cfc3d9")
	f(16, "db9bc2577fcc2a3f", "6ee2a4ca67b054bbfd3315bf85230577")
	f(63, "724506eb4c328a95", "5150d1772f50834a503e069a973fbd7c")
}

// parseOne parses one beacon at a time, of an address, with a user agent.
func parseOne(t *testing.T, p *Parser, at time.Time, addr, site, agent string) Hit {
	t.Helper()
	var h Hit
	p.Parse(v1Line(at.UnixMilli(), 1, addr, "/event.png?page=/&site="+site, "-", agent), &h)
	if h.Kind != Pageview {
		t.Fatalf("%s %s %s: %s", addr, site, agent, describe(&h))
	}
	return h
}

func TestVisitor(t *testing.T) {
	p, err := New(Config{Secret: []byte("s1")})
	if err != nil {
		t.Fatal(err)
	}
	other, err := New(Config{Secret: []byte("s2")})
	if err != nil {
		t.Fatal(err)
	}
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	base := parseOne(t, p, noon, "203.0.113.7", "a.b", "Firefox").Visitor
	if base.IsZero() || len(base.String()) != 32 {
		t.Errorf("visitor is %s", base)
	}
	same := func(name string, v Visitor, want bool) {
		t.Helper()
		if (v == base) != want {
			t.Errorf("%s: same visitor %t, want %t", name, v == base, want)
		}
	}
	same("later that day", parseOne(t, p, noon.Add(11*time.Hour), "203.0.113.7", "a.b", "Firefox").Visitor, true)
	same("www and port", parseOne(t, p, noon, "203.0.113.7", "www.a.b:80", "Firefox").Visitor, true)
	same("v4-mapped", parseOne(t, p, noon, "::ffff:203.0.113.7", "a.b", "Firefox").Visitor, true)
	same("next day", parseOne(t, p, noon.Add(12*time.Hour), "203.0.113.7", "a.b", "Firefox").Visitor, false)
	same("other address", parseOne(t, p, noon, "203.0.113.8", "a.b", "Firefox").Visitor, false)
	same("other agent", parseOne(t, p, noon, "203.0.113.7", "a.b", "Firefoy").Visitor, false)
	same("other site", parseOne(t, p, noon, "203.0.113.7", "a.c", "Firefox").Visitor, false)
	same("other secret", parseOne(t, other, noon, "203.0.113.7", "a.b", "Firefox").Visitor, false)

	base = parseOne(t, p, noon, "2001:db8:1:2:3::4", "a.b", "Firefox").Visitor
	same("same /64", parseOne(t, p, noon, "2001:db8:1:2:ffff::", "a.b", "Firefox").Visitor, true)
	same("other /64", parseOne(t, p, noon, "2001:db8:1:3:3::4", "a.b", "Firefox").Visitor, false)
}

func TestGPC(t *testing.T) {
	line := []byte("v1\t1763769600.000\tid\t203.0.113.7\th\tGET\t200\t/event.png?site=a.b\t-\tFirefox\t-\t1\t-\t0\t43\tend")
	f := func(mode string, kind Kind, zero bool) {
		t.Helper()
		gpc, err := ParseGPCMode(mode)
		if err != nil {
			t.Fatal(err)
		}
		p, err := New(Config{GPC: gpc})
		if err != nil {
			t.Fatal(err)
		}
		var h Hit
		if p.Parse(line, &h); h.Kind != kind || h.Visitor.IsZero() != zero {
			t.Errorf("GPC mode %q: %s", mode, describe(&h))
		}
	}
	f("", Pageview, true)
	f("uv", Pageview, true)
	f("all", Skipped, true)
	f("off", Pageview, false)
	if _, err := ParseGPCMode("on"); err == nil {
		t.Error("GPC mode on is accepted")
	}
}

func TestHashesOfPairs(t *testing.T) {
	v, w := Visitor{1}, Visitor{2}
	if PairHash(v, []byte("/a")) == PairHash(w, []byte("/a")) || PairHash(v, []byte("/a")) == PairHash(v, []byte("/b")) {
		t.Error("pairs of different visitors or pages have one hash")
	}
	if PairHash(v, []byte("x")) == EventHash(v, []byte("x")) {
		t.Error("a page and an event of the same bytes have one hash")
	}
}

// TestDays compares the cached spans with the calendar, in zones that change
// their offset at midnight, by half an hour, and skip a whole day.
func TestDays(t *testing.T) {
	for _, name := range []string{"UTC", "Asia/Shanghai", "America/Sao_Paulo", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu", "America/Havana"} {
		loc, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		d := days{loc: loc}
		step := 17*time.Minute + 13*time.Second + 7*time.Millisecond
		for at := time.Date(2011, 12, 20, 0, 0, 0, 0, time.UTC); at.Year() < 2013; at = at.Add(step) {
			if got, want := d.of(at.UnixMilli()).day, DayOf(at.In(loc)); got != want {
				t.Fatalf("%s in %s is day %d, want %d", at, name, got, want)
			}
		}
	}
	// A line that is late does not disturb those that follow.
	d := days{loc: time.UTC}
	for _, ms := range []int64{1763769600000, 1763769599999, 1763769600000, 1763769599999, minTime, maxTime - 1} {
		if got, want := d.of(ms).day, DayOf(time.UnixMilli(ms).UTC()); got != want {
			t.Errorf("%d is day %d, want %d", ms, got, want)
		}
	}
}

func TestBlockedNetworks(t *testing.T) {
	s := newPrefixSet([]netip.Prefix{
		netip.MustParsePrefix("10.1.2.3/8"), netip.MustParsePrefix("203.0.113.7/32"), netip.MustParsePrefix("2001:db8::/32"), {},
	})
	for addr, want := range map[string]bool{"10.255.0.1": true, "11.0.0.1": false, "203.0.113.7": true, "203.0.113.8": false, "2001:db8:ffff::1": true, "2001:db9::": false} {
		if s.has(netip.MustParseAddr(addr)) != want {
			t.Errorf("%s is blocked: %t, want %t", addr, !want, want)
		}
	}
}
