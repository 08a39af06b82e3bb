package parser

import (
	"bytes"
	"net/netip"
)

// Kept is what is left of a line that counted, when the line itself is gone: a
// raw row of the archive.
type Kept struct {
	Event   bool   // else a page view
	Key     []byte // of an event, with all its levels
	Beacon  bool   // else a page of a site's own log, whose Referer may be anybody's
	Time    int64  // ms since the Unix epoch
	Site    string // as it was counted
	Page    []byte // as it was counted
	Visitor Visitor
	Terms   [NumTerms]Visitor // see Hit
	Bot     bool
	Device  Device

	Addr      netip.Addr
	AddrBits  int // leading bits of Addr that are the client's; 0: nothing is known of it
	UserAgent []byte
	AgentCut  bool // UserAgent is only the beginning
	Referer   []byte
	Referrer  string // see Hit
	Facets    [Hour]KeptName
}

// KeptName is the name of a facet that a raw row has. Known is false where the facet was
// not looked at, or there was none of it yet.
type KeptName struct {
	Name  []byte
	Known bool
}

// Doubt tells what Again could not decide: it stays as it was.
type Doubt uint8

const (
	DoubtSite    Doubt = 1 << iota // the site is an alias and the target of one: it was mapped, perhaps
	DoubtPage                      // its "?" or "#" may be its own or begin what the rules drop now, or it was cut
	DoubtAddress                   // too little of the address is kept to tell whether it is blocked or the owner's
	DoubtAgent                     // too little of the user agent is kept to tell bots and devices
	DoubtVisitor                   // the visitor's hash for another site cannot be made
)

// Again decides anew, by the rules of now, what becomes of a line that counted.
// h gets what can be told; what cannot stays as k has it and is told. It ends as
// Pageview or Event, or as Skipped. Applying it to its own result changes
// nothing. What the line held beyond k (view id, levels of an event) is not in h.
func (p *Parser) Again(k *Kept, h *Hit) (doubt Doubt) {
	span := p.days.of(k.Time)
	*h = Hit{RequestTime: -1, Kind: Pageview, Time: k.Time, Day: span.day, Site: k.Site, Visitor: k.Visitor, Bot: k.Bot, Device: k.Device,
		Addr: k.Addr, UserAgent: k.UserAgent, Referer: k.Referer}
	if k.Event {
		h.Kind = Event
	}
	s := p.siteOf([]byte(k.Site))
	if s.name != k.Site && p.isTarget(k.Site) {
		s, doubt = &site{name: k.Site, counts: p.allowed == nil || p.allowed[k.Site], rules: s.rules, page: p.pageRules(k.Site)}, DoubtSite
	}
	if !s.counts {
		p.skip(h, SkipSite)
		return doubt
	}
	h.Site = s.name
	p.cameFrom(h, p.siteNamed(p.referrerAgain(k, s.name)), landed{})
	if k.Beacon && p.refCheck && len(k.Referer) > 0 {
		if from, _ := p.refererSite(k.Referer); from.name != s.name {
			p.skip(h, SkipReferer)
			return doubt
		}
	}
	var unsure Doubt
	h.Page, unsure = p.pageAgain(k.Page, s.page)
	doubt |= unsure
	reason, unsure := p.addressAgain(k)
	if doubt |= unsure; reason == ReasonNone && p.pages.has(h.Page) {
		reason = SkipBlocked
	}
	if reason != ReasonNone {
		p.skip(h, reason)
		return doubt
	}
	doubt |= p.whoAgain(k, h, span)
	p.facetsAgain(k, h)
	if s.rules != nil {
		var a *agent
		if !k.AgentCut {
			a = p.agentOf(k.UserAgent)
		}
		reason, unsure = s.rules.takesKept(k, h, span, a)
		if doubt |= unsure; reason != ReasonNone {
			p.skip(h, reason)
			return doubt
		}
	}
	return doubt
}

// Takes tells whether a rule takes a raw row out of the numbers, and nothing else of what
// it would be by the rules of now.
func (p *Parser) Takes(k *Kept) Reason {
	s := p.siteOf([]byte(k.Site))
	if s.rules == nil {
		return ReasonNone
	}
	h := Hit{Kind: Pageview, Time: k.Time, Site: k.Site, Page: k.Page, Addr: k.Addr, UserAgent: k.UserAgent, Referrer: k.Referrer}
	if k.Event {
		h.Kind = Event
	}
	h.Bot, h.Device = k.Bot, k.Device
	for f := range Hour {
		if f != Referrer {
			h.Facets[f] = p.keptValue(k, f)
		}
	}
	var a *agent
	if !k.AgentCut {
		a = p.agentOf(k.UserAgent)
	}
	reason, _ := s.rules.takesKept(k, &h, p.days.of(k.Time), a)
	return reason
}

// referrerAgain maps the referrer by the aliases of now. Of what the Referer told,
// the site itself is none.
func (p *Parser) referrerAgain(k *Kept, name string) string {
	if k.Referrer == "" || p.isTarget(k.Referrer) {
		return k.Referrer
	}
	to := p.siteOf([]byte(k.Referrer)).name
	if !k.Beacon || to != name || k.Referrer == k.Site {
		return to
	}
	host, _, ok := refererParts(k.Referer)
	if from, valid := NormalizeSite(string(host)); ok && valid && from == k.Referrer {
		return ""
	}
	return to
}

// siteNamed is a site by its own name.
func (p *Parser) siteNamed(name string) *site {
	if name == "" {
		return &p.noSite
	}
	return &site{name: name, from: p.referrerValue(name), channel: p.values.named(Channel, p.channels.channelOf(name))}
}

// isTarget tells whether a host's views count for name.
func (p *Parser) isTarget(name string) bool {
	for from, to := range p.aliases {
		if to == name && from != name {
			return true
		}
	}
	return false
}

// addressAgain tells whether the client is the owner's or blocked.
func (p *Parser) addressAgain(k *Kept) (Reason, Doubt) {
	mine, sure := p.self.tells(k.Addr, k.AddrBits)
	if mine {
		return SkipSelf, 0
	}
	bad, sureToo := p.blocked.tells(k.Addr, k.AddrBits)
	switch {
	case bad:
		return SkipBlocked, 0
	case !sure || !sureToo:
		return ReasonNone, DoubtAddress
	}
	return ReasonNone, 0
}

// whoAgain completes bot, device and visitor.
func (p *Parser) whoAgain(k *Kept, h *Hit, span *daySpan) (doubt Doubt) {
	var a *agent
	if k.AgentCut {
		doubt = DoubtAgent
	} else {
		a = p.agentOf(k.UserAgent)
		h.Bot, h.Device = a.bot, a.device
		h.Facets[Browser], h.Facets[OS], h.Facets[DeviceType] = a.with.browser, a.with.os, a.with.kind
	}
	if k.Visitor.IsZero() {
		return doubt
	}
	bits := 32
	if k.Addr.Is6() {
		bits = 64 // what a visitor's hash has of it
	}
	view := h.Kind == Pageview && !h.Bot
	if k.AgentCut || k.AddrBits < bits {
		if h.Site != k.Site {
			return doubt | DoubtVisitor
		}
		if view {
			p.days.keepTerms(k, h)
		}
		return doubt
	}
	if h.Site != k.Site {
		h.Visitor = span.visitors.hash(k.Addr, &a.digest, h.Site)
	}
	if view {
		p.days.tellTerms(h, span, a)
	}
	return doubt
}

// keeps tells whether the rules would keep what follows a page's path as it is.
func (r PageRules) keeps(suffix []byte) bool {
	query, fragment := suffix, []byte(nil)
	if i := bytes.IndexByte(suffix, '#'); i >= 0 {
		query, fragment = suffix[:i], suffix[i:]
	}
	switch {
	case len(fragment) > 0 && !r.KeepFragment:
		return false
	case len(query) == 0:
		return true
	case r.Query == nil:
		return r.KeepQuery
	}
	return bytes.Equal(r.Query.append(nil, query[1:]), query)
}

// isCutPage tells whether a page looks like what cutPage leaves.
func isCutPage(page []byte) bool {
	i := len(page) - 1 - pageHashDigits
	if i < MaxPage-1-pageHashDigits-8 || page[i] != '~' {
		return false
	}
	for _, c := range page[i+1:] {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// tells says whether an address of which only the leading bits are known is in
// the set, and whether that can be told.
func (s *prefixSet) tells(addr netip.Addr, bits int) (in, sure bool) {
	if len(s.prefixes) == 0 {
		return false, true
	}
	if bits <= 0 || !addr.IsValid() {
		return false, false
	}
	known, err := addr.WithZone("").Prefix(min(bits, addr.BitLen()))
	if err != nil {
		return false, false
	}
	sure = true
	for prefix := range s.prefixes {
		if prefix.Addr().Is4() != addr.Is4() || !prefix.Overlaps(known) {
			continue
		}
		if prefix.Bits() <= known.Bits() {
			return true, true
		}
		sure = false
	}
	return false, sure
}
