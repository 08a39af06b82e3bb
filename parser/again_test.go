package parser

import (
	"net/netip"
	"strings"
	"testing"
)

// TestAgainAgreesWithParse judges what a parse left by other rules: the result
// is what those make of the line itself, and judging it once more changes nothing.
func TestAgainAgreesWithParse(t *testing.T) {
	const at = "1700000000.042"
	line := func(site, page, addr, agent, referer string) []byte {
		return []byte(strings.Join([]string{"v1", at, "0", addr, "h", "GET", "200", "/event.png?site=" + site + "&page=" + page, referer, agent, "-", "-", "-", "0.000", "43", "end"}, "\t"))
	}
	lines := [][]byte{
		line("a.example", "/x/index.html", "203.0.113.7", "Firefox", "-"),
		line("b.example", "/x/", "203.0.113.8", "Firefox", "https://b.example/"),
		line("b.example", "/y", "2001:db8::7", "Mobile Own/1", "https://c.example/"),
		line("c.example", "/secret/z", "198.51.100.1", "Googlebot", "-"),
		line("c.example", "/"+strings.Repeat("z", 600), "198.51.100.9", "Firefox", "-"),
	}
	old := newTestParser(t, Config{})
	for _, c := range []Config{
		{}, {RefererCheck: true}, {Sites: []string{"a.example"}}, {Aliases: map[string]string{"b.example": "a.example"}}, {BotAgents: []string{"Own/"}},
		{Page: PageRules{StripIndex: true, Slash: SlashStrip}}, {Page: PageRules{Slash: SlashAdd}}, {BlockedPaths: []string{"/secret/*"}},
		{Blocked: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/29"), netip.MustParsePrefix("2001:db8::/32")}, Self: []netip.Prefix{netip.MustParsePrefix("198.51.100.1/32")}},
	} {
		now := newTestParser(t, c)
		for _, text := range lines {
			var was, want, got, twice Hit
			old.Parse(text, &was)
			k := keptOf(&was)
			now.Parse(text, &want)
			doubt := now.Again(k, &got)
			if doubt == DoubtPage && len(text) > MaxPage && c.Page != (PageRules{}) {
				continue
			}
			if doubt != 0 {
				t.Errorf("%+v: %.90s: doubt %b", c, text, doubt)
			}
			same := func(a, b *Hit) bool {
				return a.Kind == b.Kind && a.Reason == b.Reason && a.Site == b.Site && string(a.Page) == string(b.Page) && a.Visitor == b.Visitor &&
					a.Bot == b.Bot && a.Device == b.Device && a.Referrer == b.Referrer && a.Day == b.Day
			}
			if got.Kind == Skipped && want.Kind == Skipped {
				continue
			}
			if !same(&got, &want) {
				t.Errorf("%+v: %.90s:\ngot  %+v\nwant %+v", c, text, got, want)
			}
			if doubt := now.Again(keptOf(&got), &twice); doubt != 0 || !same(&got, &twice) {
				t.Errorf("%+v: %.90s: judged twice (doubt %b):\n%+v\n%+v", c, text, doubt, got, twice)
			}
		}
	}
}

func newTestParser(t *testing.T, c Config) *Parser {
	t.Helper()
	c.Secret = []byte("secret")
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// keptOf is what a raw row keeps of a hit, as copies.
func keptOf(h *Hit) *Kept {
	return &Kept{Event: h.Kind == Event, Beacon: true, Time: h.Time, Site: h.Site, Page: append([]byte(nil), h.Page...), Visitor: h.Visitor, Bot: h.Bot, Device: h.Device,
		Addr: h.Addr, AddrBits: h.Addr.BitLen(), UserAgent: append([]byte(nil), h.UserAgent...), Referer: append([]byte(nil), h.Referer...), Referrer: h.Referrer}
}

func TestAgainDoubts(t *testing.T) {
	f := func(want Doubt, kind Kind, c Config, change func(*Kept)) {
		t.Helper()
		k := &Kept{Beacon: true, Time: 1_700_000_000_000, Site: "a.example", Page: []byte("/x"), Visitor: Visitor{1}, Bot: true,
			Addr: netip.MustParseAddr("203.0.113.0"), AddrBits: 24, UserAgent: []byte("Firefox")}
		change(k)
		var h Hit
		if got := newTestParser(t, c).Again(k, &h); got != want || h.Kind != kind {
			t.Errorf("doubt %b, %v, want %b, %v", got, h.Kind, want, kind)
		}
		if want == DoubtVisitor && h.Visitor != k.Visitor || want == DoubtAgent && !h.Bot {
			t.Errorf("what cannot be told did not stay: %+v", h)
		}
	}
	same := func(*Kept) {}
	blocked := func(nets ...string) (c Config) {
		for _, n := range nets {
			c.Blocked = append(c.Blocked, netip.MustParsePrefix(n))
		}
		return c
	}
	f(0, Pageview, Config{}, same)
	f(0, Skipped, blocked("203.0.0.0/16", "203.0.113.9/32"), same)
	f(DoubtAddress, Pageview, blocked("203.0.113.9/32"), same)
	f(0, Pageview, blocked("203.0.112.9/32", "2001:db8::/32"), same)
	f(DoubtAddress, Pageview, blocked("1.2.3.4/32"), func(k *Kept) { k.Addr, k.AddrBits = netip.Addr{}, 0 })
	f(DoubtAgent, Pageview, Config{}, func(k *Kept) { k.AgentCut = true })
	f(DoubtVisitor, Pageview, Config{Aliases: map[string]string{"a.example": "b.example"}}, same)
	f(0, Pageview, Config{Aliases: map[string]string{"a.example": "b.example"}}, func(k *Kept) { k.Visitor = Visitor{} })
	f(DoubtSite, Pageview, Config{Aliases: map[string]string{"a.example": "b.example", "c.example": "a.example"}}, same)
	f(DoubtPage, Pageview, Config{}, func(k *Kept) { k.Page = []byte("/x?y") })
	f(0, Pageview, Config{Page: PageRules{KeepQuery: true}}, func(k *Kept) { k.Page = []byte("/x?y") })
	f(0, Skipped, Config{RefererCheck: true}, func(k *Kept) { k.Referer = []byte("https://b.example/") })
	f(0, Pageview, Config{RefererCheck: true}, func(k *Kept) { k.Referer, k.Beacon = []byte("https://b.example/"), false })
}
