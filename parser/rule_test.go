package parser

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

var ruleTime = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// ruleLine is a view of a page of a site at some seconds after ruleTime.
func ruleLine(seconds int, site, page, addr, agent, ref string) []byte {
	at := ruleTime.Add(time.Duration(seconds) * time.Second)
	return fmt.Appendf(nil, "v1\t%d.000\t%032x\t%s\tstats.example\tGET\t200\t/event.png?site=%s&page=%s&ref=%s\t-\t%s\t-\t-\t-\t0.000\t43\tend",
		at.Unix(), seconds, addr, site, page, ref, agent)
}

func withRules(t *testing.T, rules ...Rule) *Parser {
	t.Helper()
	for i := range rules {
		rules[i].Num = int64(i + 1)
	}
	p, err := New(Config{Format: FormatV1, Secret: []byte("secret"), Aliases: map[string]string{"shop.example": "a.example"}, Rules: Rules{Version: 1, All: rules}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestRules: what rules make of a line, and of the raw row that it left.
func TestRules(t *testing.T) {
	const agent = "Mozilla/5.0 Firefox/140.0"
	at := ruleTime.UnixMilli()
	secret := []byte("secret")
	client := netip.MustParseAddr("203.0.113.7")
	for name, x := range map[string]struct {
		rules []Rule
		line  []byte
		want  string // site, or why it is skipped
	}{
		"none":                           {nil, ruleLine(0, "a.example", "/p", "203.0.113.7", agent, ""), "a.example"},
		"a site, before":                 {[]Rule{{Kind: RuleDelete, Site: "a.example", Until: at + 1000}}, ruleLine(0, "a.example", "/p", "203.0.113.7", agent, ""), "deleted"},
		"a site, at the moment":          {[]Rule{{Kind: RuleDelete, Site: "a.example", Until: at + 1000}}, ruleLine(1, "a.example", "/p", "203.0.113.7", agent, ""), "a.example"},
		"another site":                   {[]Rule{{Kind: RuleDelete, Site: "b.example", Until: at + 1000}}, ruleLine(0, "a.example", "/p", "203.0.113.7", agent, ""), "a.example"},
		"by an alias":                    {[]Rule{{Kind: RuleDelete, Site: "a.example", Until: at + 1000}}, ruleLine(0, "shop.example", "/p", "203.0.113.7", agent, ""), "deleted"},
		"a page":                         {[]Rule{{Kind: RuleDelete, Site: "a.example", Page: "/p", Until: at + 1000}}, ruleLine(0, "a.example", "/p", "203.0.113.7", agent, ""), "deleted"},
		"a page's name is no pattern":    {[]Rule{{Kind: RuleDelete, Site: "a.example", Page: "/*", Until: at + 1000}}, ruleLine(0, "a.example", "/p", "203.0.113.7", agent, ""), "a.example"},
		"a visitor of any site":          {[]Rule{{Kind: RuleDelete, Client: ClientHash(secret, client, nil), Addr: client, Until: at + 1000}}, ruleLine(0, "a.example", "/p", "203.0.113.7", agent, ""), "deleted"},
		"a visitor of another address":   {[]Rule{{Kind: RuleDelete, Client: ClientHash(secret, client, nil), Addr: client, Until: at + 1000}}, ruleLine(0, "a.example", "/p", "203.0.113.8", agent, ""), "a.example"},
		"a visitor with this agent":      {[]Rule{{Kind: RuleDelete, Client: ClientHash(secret, client, []byte(agent)), Agents: true, Addr: client, Until: at + 1000}}, ruleLine(0, "a.example", "/p", "203.0.113.7", agent, ""), "deleted"},
		"a visitor with another agent":   {[]Rule{{Kind: RuleDelete, Client: ClientHash(secret, client, []byte(agent)), Agents: true, Addr: client, Until: at + 1000}}, ruleLine(0, "a.example", "/p", "203.0.113.7", agent+"1", ""), "a.example"},
		"a household by its /64":         {[]Rule{{Kind: RuleDelete, Client: ClientHash(secret, netip.MustParseAddr("2001:db8::1"), nil), Addr: netip.MustParseAddr("2001:db8::1"), Until: at + 1000}}, ruleLine(0, "a.example", "/p", "2001:db8::99", agent, ""), "deleted"},
		"a wave: network":                {[]Rule{{Kind: RuleVoid, Site: "a.example", Net: netip.MustParsePrefix("203.0.113.0/24")}}, ruleLine(0, "a.example", "/p", "203.0.113.7", agent, ""), "void"},
		"a wave: another network":        {[]Rule{{Kind: RuleVoid, Site: "a.example", Net: netip.MustParsePrefix("203.0.113.0/28")}}, ruleLine(0, "a.example", "/p", "203.0.113.99", agent, ""), "a.example"},
		"a wave: agent":                  {[]Rule{{Kind: RuleVoid, Site: "a.example", Agent: "Firefox"}}, ruleLine(0, "a.example", "/p", "203.0.113.7", agent, ""), "void"},
		"a wave: referrer":               {[]Rule{{Kind: RuleVoid, Site: "a.example", Referrer: "spam.example"}}, ruleLine(0, "a.example", "/p", "203.0.113.7", agent, "spam.example"), "void"},
		"a wave: not that referrer":      {[]Rule{{Kind: RuleVoid, Site: "a.example", Referrer: "spam.example"}}, ruleLine(0, "a.example", "/p", "203.0.113.7", agent, "news.example"), "a.example"},
		"a wave: pattern":                {[]Rule{{Kind: RuleVoid, Site: "a.example", Page: "/x/*/end"}}, ruleLine(0, "a.example", "/x/1/2/end", "203.0.113.7", agent, ""), "void"},
		"a wave: not that pattern":       {[]Rule{{Kind: RuleVoid, Site: "a.example", Page: "/x/*/end"}}, ruleLine(0, "a.example", "/x/1/2/ends", "203.0.113.7", agent, ""), "a.example"},
		"a wave: all of it":              {[]Rule{{Kind: RuleVoid, Site: "a.example", Agent: "Firefox", Page: "/q*"}}, ruleLine(0, "a.example", "/p", "203.0.113.7", agent, ""), "a.example"},
		"a wave: its days":               {[]Rule{{Kind: RuleVoid, Site: "a.example", From: at + 1000, Until: at + 2000}}, ruleLine(0, "a.example", "/p", "203.0.113.7", agent, ""), "a.example"},
		"renamed":                        {[]Rule{{Kind: RuleRename, Site: "a.example", To: "n.example"}}, ruleLine(0, "a.example", "/p", "203.0.113.7", agent, ""), "n.example"},
		"renamed, by an alias":           {[]Rule{{Kind: RuleRename, Site: "a.example", To: "n.example"}}, ruleLine(0, "shop.example", "/p", "203.0.113.7", agent, ""), "n.example"},
		"renamed twice":                  {[]Rule{{Kind: RuleRename, Site: "a.example", To: "n.example"}, {Kind: RuleRename, Site: "n.example", To: "m.example"}}, ruleLine(0, "a.example", "/p", "203.0.113.7", agent, ""), "m.example"},
		"renamed and back":               {[]Rule{{Kind: RuleRename, Site: "a.example", To: "n.example"}, {Kind: RuleRename, Site: "n.example", To: "a.example"}}, ruleLine(0, "a.example", "/p", "203.0.113.7", agent, ""), "a.example"},
		"deleted, then renamed":          {[]Rule{{Kind: RuleDelete, Site: "a.example", Until: at + 1000}, {Kind: RuleRename, Site: "a.example", To: "n.example"}}, ruleLine(0, "a.example", "/p", "203.0.113.7", agent, ""), "deleted"},
		"not deleted, but its new name":  {[]Rule{{Kind: RuleDelete, Site: "n.example", Until: at + 1000}, {Kind: RuleRename, Site: "a.example", To: "n.example"}}, ruleLine(0, "a.example", "/p", "203.0.113.7", agent, ""), "n.example"},
		"renamed, then the new one goes": {[]Rule{{Kind: RuleRename, Site: "a.example", To: "n.example"}, {Kind: RuleDelete, Site: "n.example", Until: at + 1000}}, ruleLine(0, "a.example", "/p", "203.0.113.7", agent, ""), "deleted"},
	} {
		p := withRules(t, x.rules...)
		var h Hit
		got := func() string {
			if h.Kind == Skipped {
				return h.Reason.String()
			}
			return h.Site
		}
		if p.Parse(x.line, &h); got() != x.want {
			t.Errorf("%s: %s, want %s", name, got(), x.want)
		}
		if strings.HasPrefix(name, "renamed and") || strings.Contains(name, "renamed") {
			continue // a raw row has no name of before
		}
		plain := withRules(t)
		plain.Parse(x.line, &h)
		for _, kept := range []int{h.Addr.BitLen(), 0} { // with its address, and without
			k := Kept{Beacon: true, Time: h.Time, Site: h.Site, Page: []byte(string(h.Page)), Visitor: h.Visitor, Addr: h.Addr, AddrBits: kept,
				UserAgent: []byte(string(h.UserAgent)), Referrer: h.Referrer}
			var again Hit
			doubt := p.Again(&k, &again)
			was := h
			h = again
			if got() != x.want && (kept > 0 || doubt&DoubtAddress == 0) {
				t.Errorf("%s: the raw row with %d bits of its address: %s, want %s", name, kept, got(), x.want)
			}
			if strings.Contains(name, "a visitor") && doubt != 0 {
				t.Errorf("%s: a visitor is found by the hash: %v", name, doubt)
			}
			h = was
		}
	}
}

// TestErase: an erased line has the length and the identity of what it was, is skipped as
// what it was by the rule, and says nothing more.
func TestErase(t *testing.T) {
	p := withRules(t, Rule{Kind: RuleDelete, Site: "a.example", Until: ruleTime.UnixMilli() + 1000})
	var h Hit
	for _, line := range [][]byte{
		ruleLine(0, "a.example", "/secret", "203.0.113.7", "Agent", ""),
		[]byte(`203.0.113.7 - - [21/Nov/2026:12:00:00 +0000] "GET /secret HTTP/1.1" 200 5 "-" "Agent"`),
	} {
		id, n := SegmentID(line), len(line)
		if Erase(line, true); len(line) != n || SegmentID(line) != id || !IsErased(line) {
			t.Errorf("%q: %d bytes, identity %s, want %d, %s", line, len(line), SegmentID(line), n, id)
		}
		if strings.Contains(string(line), "203") && !strings.Contains(id, "203") || strings.Contains(string(line), "secret") {
			t.Errorf("%q", line)
		}
		if p.Parse(line, &h); h.Kind != Skipped || h.Reason != SkipDeleted || p.Deletable(&h) {
			t.Errorf("%q: %v, %v", line, h.Kind, h.Reason)
		}
	}
	other := ruleLine(0, "a.example", "/", "203.0.113.7", "Agent", "")
	if Erase(other, false); !HasErased(other[len(other)-100:]) || SegmentID(other) == fmt.Sprintf("%032x", 0) {
		t.Errorf("%q", other)
	}
}

// TestDeletable: lines of a deleted site go, too, that never counted.
func TestDeletable(t *testing.T) {
	client := netip.MustParseAddr("203.0.113.7")
	site := Rule{Kind: RuleDelete, Site: "a.example", Until: ruleTime.UnixMilli() + 1000}
	page := Rule{Kind: RuleDelete, Site: "a.example", Page: "/p", Until: ruleTime.UnixMilli() + 1000}
	visitor := Rule{Kind: RuleDelete, Client: ClientHash([]byte("secret"), client, nil), Until: ruleTime.UnixMilli() + 1000}
	post := func(line []byte) []byte { return []byte(strings.Replace(string(line), "\tGET\t200", "\tPOST\t405", 1)) }
	line := ruleLine(0, "a.example", "/p", "203.0.113.7", "Agent", "")
	stray := []byte(strings.Replace(string(line), "/event.png?site=a.example&page=/p&ref=", "/robots.txt", 1))
	for name, x := range map[string]struct {
		rule Rule
		line []byte
		want bool
	}{
		"counted":                    {site, line, true},
		"refused":                    {site, post(line), true},
		"of another site":            {site, post(ruleLine(0, "b.example", "/p", "203.0.113.7", "Agent", "")), false},
		"refused later":              {site, post(ruleLine(1, "a.example", "/p", "203.0.113.7", "Agent", "")), false},
		"refused, of the page":       {page, post(line), true},
		"refused, of another page":   {page, post(ruleLine(0, "a.example", "/q", "203.0.113.7", "Agent", "")), false},
		"refused, the visitor's":     {visitor, post(line), true},
		"no beacon, the visitor's":   {visitor, stray, true},
		"no beacon, somebody else's": {site, stray, false},
	} {
		p := withRules(t, x.rule)
		var h Hit
		if p.Parse(x.line, &h); p.Deletable(&h) != x.want {
			t.Errorf("%s: %v, want %v", name, !x.want, x.want)
		}
	}
}

// What a rule wants of views is asked of lines and of raw rows alike.
func TestRuleTerms(t *testing.T) {
	const agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	for text, want := range map[string]bool{
		"page:/p": true, "page:/x": false, "page:/*": true, "!page:/x*": true, "browser:Firefox*": true, "browser:Chrome*": false, "!browser:Firefox*": false,
		"device:pc": true, "bot:no": true, "bot:yes": false, "os:Linux device:mobile": false, "referrer:": true, "event:": true, "event:play*": false, "!event:": false,
	} {
		var terms []RuleTerm
		for word := range strings.FieldsSeq(text) {
			var term RuleTerm
			word, term.Not = strings.CutPrefix(word, "!")
			term.Name, term.Value, _ = strings.Cut(word, ":")
			term.Value, term.Prefix = strings.CutSuffix(term.Value, "*")
			terms = append(terms, term)
			if all := term.String(); !strings.Contains(text, all) {
				t.Errorf("%s is written %s", text, all)
			}
		}
		old, now := newTestParser(t, Config{}), newTestParser(t, Config{Rules: Rules{Version: 1, All: []Rule{{Kind: RuleVoid, Site: "a.example", Where: terms}}}})
		var was, h, again Hit
		line := []byte(ruleLine(0, "a.example", "/p", "203.0.113.7", agent, ""))
		old.Parse(line, &was)
		now.Parse(line, &h)
		k := keptOf(&was)
		for f := range Hour {
			name, known := was.FacetName(f)
			k.Facets[f] = KeptName{[]byte(name), known}
		}
		now.Again(k, &again)
		if got := h.Reason == SkipVoid; got != want || (again.Reason == SkipVoid) != want || (now.Takes(k) == SkipVoid) != want {
			t.Errorf("%s: line %v, row %v, carried %v, want %v", text, h.Reason, again.Reason, now.Takes(k), want)
		}
	}
}
