package parser

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// facetsOf parses a beacon with a query and a Referer, and lists the names that the view
// has, without those of its user agent.
func facetsOf(t *testing.T, p *Parser, query, referer string) string {
	t.Helper()
	line := strings.Join([]string{"v1", "1763769600.123", strings.Repeat("a", 32), "203.0.113.7", "count.example", "GET", "200",
		"/event.png?" + query, referer, "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0", "-", "-", "-", "0.000", "43", "end"}, "\t")
	var h Hit
	p.Parse([]byte(line), &h)
	if h.Kind != Pageview {
		t.Fatalf("%s: %s %s", query, h.Kind, h.Reason)
	}
	var all []string
	for f := range Hour {
		if v := h.Facets[f]; v != nil && f != Browser && f != OS && f != DeviceType {
			all = append(all, v.String())
		}
	}
	return strings.Join(all, ", ")
}

// TestChannels: links as mail programs, networks, assistants and advertisers write them.
func TestChannels(t *testing.T) {
	p, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	const own = "https://a.example/"
	for _, c := range []struct{ query, referer, want string }{
		{"site=a.example&page=/", "-", "referrer:, channel:direct"},
		{"site=a.example&page=/", own, "referrer:, channel:direct"},
		{"site=a.example&page=/&ref=a.example", own, "channel:internal"},
		{"site=a.example&page=/&ref=b.example", own, "referrer:b.example, channel:referral"},
		{"site=a.example&page=/", "https://www.google.com/", "referrer:google.com, channel:search"},
		{"site=a.example&page=/&ref=www.google.co.uk", own, "referrer:google.co.uk, channel:search"},
		{"site=a.example&page=/&ref=google.com.br", own, "referrer:google.com.br, channel:search"},
		{"site=a.example&page=/&ref=mail.google.com", own, "referrer:mail.google.com, channel:mail"},
		{"site=a.example&page=/&ref=gemini.google.com", own, "referrer:gemini.google.com, channel:ai"},
		{"site=a.example&page=/&ref=docs.google.com", own, "referrer:docs.google.com, channel:referral"},
		{"site=a.example&page=/&ref=notgoogle.com", own, "referrer:notgoogle.com, channel:referral"},
		{"site=a.example&page=/&ref=google.evil.example", own, "referrer:google.evil.example, channel:referral"},
		{"site=a.example&page=/&ref=m.baidu.com", own, "referrer:m.baidu.com, channel:search"},
		{"site=a.example&page=/&ref=tieba.baidu.com", own, "referrer:tieba.baidu.com, channel:social"},
		{"site=a.example&page=/&ref=l.facebook.com", own, "referrer:l.facebook.com, channel:social"},
		{"site=a.example&page=/&ref=old.reddit.com", own, "referrer:old.reddit.com, channel:social"},
		{"site=a.example&page=/&ref=t.co", own, "referrer:t.co, channel:social"},
		{"site=a.example&page=/&ref=at.co", own, "referrer:at.co, channel:referral"},
		{"site=a.example&page=/&ref=chatgpt.com", own, "referrer:chatgpt.com, channel:ai"},
		{"site=a.example&page=/&ref=www.perplexity.ai", own, "referrer:perplexity.ai, channel:ai"},
		{"site=a.example&page=/&ref=yandex.ru", own, "referrer:yandex.ru, channel:search"},
		{"site=a.example&page=/&ref=duckduckgo.com", own, "referrer:duckduckgo.com, channel:search"},

		// Campaigns: in "c", in the page's address, in the Referer.
		{"site=a.example&page=/&c=newsletter", own, "referrer:, channel:campaign, campaign:newsletter"},
		{"site=a.example&page=/&c=utm_source%3Dlist%26utm_medium%3Demail%26utm_campaign%3Dspring%2Bsale", own, "referrer:, channel:mail, campaign:list / email / spring sale"},
		{"site=a.example&page=%2Fa%3Futm_source%3Dchatgpt.com", own, "referrer:, channel:ai, campaign:chatgpt.com"},
		{"site=a.example&page=/a", own + "a?utm_campaign=spring&utm_medium=cpc", "referrer:, channel:ads, campaign:- / cpc / spring"},
		{"site=a.example", own + "a?utm_source=x#utm_medium=cpc", "referrer:, channel:campaign, campaign:x"},
		{"site=a.example&page=/a&ref=a.example", own + "a?utm_source=x", "channel:internal"},
		{"site=a.example&page=/a", "https://b.example/?utm_source=x", "referrer:b.example, channel:referral"},
		{"site=a.example&page=/a&ref=www.google.com", own + "a?gclid=Cj0KCQiA", "referrer:google.com, channel:ads, campaign:google / cpc"},
		{"site=a.example&page=/a", own + "a?fbclid=IwAR0", "referrer:, channel:social, campaign:facebook / social"},
		{"site=a.example&page=/a", own + "a?fbclid=IwAR0&utm_source=ig&utm_medium=Paid_Social", "referrer:, channel:ads, campaign:ig / Paid_Social"},
		{"site=a.example&page=/a", own + "a?ref=producthunt", "referrer:, channel:campaign, campaign:producthunt"},
		{"site=a.example&page=/a", own + "a?id=7&page=2", "referrer:, channel:direct"},
		{"site=a.example&page=/a&c=%20", own, "referrer:, channel:direct"},
		{"site=a.example&page=/a&c=a%0Ab%FF" + strings.Repeat("x", 200), own, "referrer:, channel:campaign, campaign:a b" + strings.Repeat("x", 77)},

		// Screens.
		{"site=a.example&page=/&w=390", own, "referrer:, screen:1-479, channel:direct"},
		{"site=a.example&page=/&w=1920x1080", own, "referrer:, screen:1920-2559, channel:direct"},
		{"site=a.example&page=/&w=5120", own, "referrer:, screen:2560+, channel:direct"},
		{"site=a.example&page=/&w=0", own, "referrer:, channel:direct"},
		{"site=a.example&page=/&w=9999999", own, "referrer:, channel:direct"},
		{"site=a.example&page=/&w=-1", own, "referrer:, channel:direct"},
	} {
		for range 3 { // a page is remembered from the second time on
			if got := facetsOf(t, p, c.query, c.referer); got != c.want {
				t.Errorf("%s from %s\n got %s\nwant %s", c.query, c.referer, got, c.want)
				break
			}
		}
	}
}

func TestChannelTable(t *testing.T) {
	for _, text := range []string{"search", "search a b", "search a.example\nai a.example"} {
		if _, err := newChannelTable(text); err == nil {
			t.Errorf("%q is taken for a table", text)
		}
	}
	table, err := channels()
	if err != nil {
		t.Fatal(err)
	}
	for _, hosts := range []map[string]channelLine{table.hosts, table.below, table.anyTLD} {
		for host, line := range hosts {
			if !slices.Contains([]string{channelSearch, channelSocial, channelAI, channelMail}, line.name) {
				t.Errorf("%s is %q", host, line.name)
			}
			if name, ok := NormalizeSite(host); !ok || name != host {
				t.Errorf("%q is not how a host is written", host)
			}
		}
	}
}

func TestLanguages(t *testing.T) {
	for accept, want := range map[string]string{
		"de-DE,de;q=0.9,en;q=0.8": "de", "en": "en", "zh-CN,zh;q=0.9": "zh", "EN-us": "en", "fil-PH": "fil", " pt-BR": "pt", "en_US": "en", "de;q=0.8": "de",
		"": "", "*": "", "x": "", "deutsch": "", "d3": "", "-": "", "de/at": "",
	} {
		if got := string(appendLanguage(nil, []byte(accept))); got != want {
			t.Errorf("%q is %q, want %q", accept, got, want)
		}
	}
}

// TestLanguageOfLines: a v2 line tells the language, and a v1 line has none, known or not.
func TestLanguageOfLines(t *testing.T) {
	p, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	var h Hit
	line := func(version, more string) string {
		return strings.Join([]string{version, "1763769600.123", strings.Repeat("a", 32), "203.0.113.7", "count.example", "GET", "200",
			"/event.png?site=a.example&page=/", "-", "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0", "-", "-", "-", "0.000", "43", more + "end"}, "\t")
	}
	for _, c := range []struct{ line, want string }{
		{line("v2", "de-DE,de;q=0.9\t"), "language:de"}, {line("v2", "en\t"), "language:en"}, {line("v1", ""), ""}, {line("v2", "-\t"), "language:"},
		{line("v2", "zh-CN\t"), "language:zh"}, {line("v1", ""), ""},
	} {
		got := ""
		if p.Parse([]byte(c.line), &h); h.Facets[Language] != nil {
			got = h.Facets[Language].String()
		}
		if h.Kind != Pageview || got != c.want {
			t.Errorf("%s: %s %q, want %q", c.line, h.Kind, got, c.want)
		}
	}
	named, err := New(Config{Format: `$remote_addr [$time_local] "$request" $status "$http_referer" "$http_user_agent" "$http_accept_language"`})
	if err != nil {
		t.Fatal(err)
	}
	named.Parse([]byte(`203.0.113.7 [22/Nov/2025:00:00:00 +0000] "GET /event.png?site=a.example&page=/ HTTP/1.1" 200 "-" "Mozilla/5.0 Firefox/133.0" "fr-FR,fr;q=0.8"`), &h)
	if h.Kind != Pageview || h.Facets[Language] == nil || h.Facets[Language].Name() != "fr" {
		t.Errorf("a format of somebody's: %s %v", h.Kind, h.Facets[Language])
	}
}

// TestCountries: each address is looked up once while it is remembered, and one that is
// not known has the empty name.
func TestCountries(t *testing.T) {
	asked := 0
	p, err := New(Config{Country: func(a netip.Addr) string {
		asked++
		if a == netip.MustParseAddr("203.0.113.7") {
			return "DE"
		}
		return ""
	}})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if got := facetsOf(t, p, "site=a.example&page=/", "-"); !strings.Contains(got, "country:DE") {
			t.Error(got)
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
	if v := p.country(netip.MustParseAddr("2001:db8::1")); v.Name() != "" {
		t.Errorf("%v", v)
	}
	if v := p.country(netip.Addr{}); v == nil || v.Name() != "" {
		t.Errorf("%v", v)
	}
}

// TestFacetsOff: what FACETS leaves out is neither counted nor kept.
func TestFacetsOff(t *testing.T) {
	off, err := ParseFacets([]string{"none"})
	if err != nil {
		t.Fatal(err)
	}
	p, err := New(Config{Off: off, Country: func(netip.Addr) string { return "DE" }})
	if err != nil {
		t.Fatal(err)
	}
	if got := facetsOf(t, p, "site=a.example&page=/&w=390&c=x&ref=b.example", "-"); got != "" {
		t.Error(got)
	}
	off, err = ParseFacets([]string{"browser", "referrer", "hour"})
	if err != nil || off.Has(Browser) || off.Has(Referrer) || off.Has(Hour) || !off.Has(Country) || !off.Has(Channel) {
		t.Errorf("%b, %v", off, err)
	}
	for _, all := range [][]string{nil, {"all"}} {
		if off, err := ParseFacets(all); off != 0 || err != nil {
			t.Errorf("%b, %v", off, err)
		}
	}
	if _, err := ParseFacets([]string{"colour"}); err == nil || !strings.Contains(err.Error(), "browser") {
		t.Error(err)
	}
}

// TestFacetTable: letters tell facets apart, and names fit.
func TestFacetTable(t *testing.T) {
	letters, names := map[byte]bool{}, map[string]bool{}
	for f := range NumFacets {
		s := f.Spec()
		if letters[s.Letter] || names[s.Name] || s.Letter < 'a' || s.Letter > 'z' || s.Cap <= 0 || s.Cap > 60000 || len(s.Name) > 16 || (s.Column == "") != (f == Hour) {
			t.Errorf("%+v", *s)
		}
		letters[s.Letter], names[s.Name] = true, true
	}
	if most := 3*maxCampaignPart + 6; most > Campaign.Spec().Width {
		t.Errorf("a campaign has up to %d bytes", most)
	}
}

// TestFacetsAgain: a raw row keeps what it was told, gets what can be told of it by now,
// and is the same the next time.
func TestFacetsAgain(t *testing.T) {
	country := func(netip.Addr) string { return "FR" }
	p, err := New(Config{Country: country})
	if err != nil {
		t.Fatal(err)
	}
	known := func(name string) KeptName { return KeptName{[]byte(name), true} }
	again := func(p *Parser, k Kept) string {
		t.Helper()
		var h Hit
		p.Again(&k, &h)
		var first []string
		for round := range 2 {
			var all []string
			for f := range Hour {
				name, known := h.FacetName(f)
				if known && f != Referrer {
					all = append(all, f.Spec().Name+":"+name)
				}
				k.Facets[f] = KeptName{[]byte(name), known}
			}
			if round == 1 && !slices.Equal(all, first) {
				t.Errorf("the second time %v, before %v", all, first)
			}
			first = all
			k.Referrer = h.Referrer
			p.Again(&k, &h)
		}
		return strings.Join(first, " ")
	}
	const phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1"
	old := Kept{Beacon: true, Time: 1763769600_000, Site: "a.example", Page: []byte("/"), Addr: netip.MustParseAddr("203.0.113.7"), AddrBits: 32,
		UserAgent: []byte(phone), Referer: []byte("https://a.example/?utm_source=x"), Referrer: ""}
	if got, want := again(p, old), "country:FR browser:Safari os:iOS device:phone channel:campaign campaign:x"; got != want {
		t.Errorf("a row of before\n got %s\nwant %s", got, want)
	}
	masked := old
	masked.AddrBits, masked.Referrer, masked.Referer = 24, "www.google.com", nil
	if got, want := again(p, masked), "browser:Safari os:iOS device:phone channel:search"; got != want {
		t.Errorf("a masked address\n got %s\nwant %s", got, want)
	}
	row := old
	row.Facets[Country], row.Facets[Language], row.Facets[Screen], row.Facets[Channel], row.Facets[Campaign] = known("DE"), known("de"), known("1-479"), known("mail"), known("list / email")
	if got, want := again(p, row), "country:DE browser:Safari os:iOS device:phone language:de screen:1-479 channel:mail campaign:list / email"; got != want {
		t.Errorf("a row that knows all\n got %s\nwant %s", got, want)
	}
	row.AgentCut = true
	row.Facets[Browser] = known("Opera")
	if got := again(p, row); !strings.Contains(got, "browser:Opera") {
		t.Errorf("a user agent that was cut: %s", got)
	}
	off, _ := ParseFacets([]string{"none"})
	none, err := New(Config{Off: off, Country: country})
	if err != nil {
		t.Fatal(err)
	}
	if got := again(none, row); got != "" {
		t.Errorf("without facets: %s", got)
	}
}
