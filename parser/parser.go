package parser

import (
	"bytes"
	"cmp"
)

// Parse reads one line, without its newline (a "\r" at its end is ignored),
// into h. It never fails: h.Kind and h.Reason tell what became of the line. A
// malformed line leaves nothing else in h; a skipped one has all fields of the
// request. The byte slices in h are valid until the next call.
func (p *Parser) Parse(line []byte, h *Hit) {
	*h = Hit{}
	h.RequestTime = -1
	x := &p.extra
	p.buf, x.host, x.purpose, x.gpc, x.accept, x.tongue, x.asked, x.zoneless, x.rules = p.buf[:0], nil, nil, nil, nil, false, false, false, nil
	p.naming.now = &p.naming.all
	if reason := p.read(line, h); reason != ReasonNone {
		malformed(h, reason)
		if !reason.Malformed() {
			h.Kind = Skipped
		}
		return
	}
	x.span = p.days.of(h.Time)
	h.Day, h.Minute = x.span.day, int16((h.Time-x.span.midnight)/msPerMinute)
	reason := ReasonNone
	switch {
	case p.asViews:
		reason = p.calls.requests.view(h)
	case p.calls != nil:
		reason = p.callHit(h)
	default:
		reason = p.beaconHit(h)
	}
	if reason == ReasonNone && x.rules != nil {
		reason = x.rules.takes(h)
	}
	switch {
	case reason.Malformed():
		malformed(h, reason)
	case reason != ReasonNone:
		p.skip(h, reason)
	}
}

func malformed(h *Hit, reason Reason) { *h = Hit{Kind: Malformed, Reason: reason, RequestTime: -1} }

// skip marks h and takes back what must not be counted.
func (p *Parser) skip(h *Hit, reason Reason) {
	h.Kind, h.Reason = Skipped, reason
	h.Site, h.Page, h.Known, h.Referrer, h.Visitor = "", nil, nil, "", Visitor{}
	h.Terms = [NumTerms]Visitor{}
	h.Facets = [Hour]*Value{}
	h.Category, h.Action, h.Label, h.Value = nil, nil, nil, nil
	h.Request = nil
}

func (ln *lines) read(line []byte, h *Hit) Reason {
	if len(line) > MaxLine {
		return BadLength
	}
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	if ln.format != FormatV1 {
		line = bytes.TrimPrefix(line, []byte(byteOrderMark))
	}
	if len(line) == 0 {
		return BadEmpty
	}
	if line[0] == erasedMark[0] && IsErased(line) {
		return SkipDeleted
	}
	switch {
	case ln.format == FormatV1:
		return ln.readV1(line, h)
	case ln.format == FormatCombined:
		return ln.readCombined(line, h)
	case ln.layout == nil || ln.layout.JSON != nil:
		return ln.readJSON(line, h)
	}
	return ln.readLayout(line, h)
}

// Host is the host that the last parsed line was asked of ($host, or that of a
// whole URL that was asked for), as sent;
// empty where the format has none. It is valid until the next call of Parse.
func (ln *lines) Host() []byte { return ln.extra.host }

// Zoneless tells whether the last parsed line's time told no zone, so that it was
// taken to be of Config.LogLocation.
func (ln *lines) Zoneless() bool { return ln.extra.zoneless }

// PageOf completes h, the last hit that Parse filled, into a view of path on
// site, whatever its own request was: for import from a site's own access log,
// where the caller's rules have chosen the line. The path is as in the request,
// percent-encoded, with or without a query. h ends as Pageview, or as Skipped
// for a site that does not count, for blocked clients and pages, and by a rule. A
// malformed hit, a comment and what was deleted stay as they are.
func (p *Parser) PageOf(h *Hit, site string, path []byte) {
	if h.Kind == Malformed || h.Reason == SkipComment || h.Reason == SkipDeleted {
		return
	}
	h.Kind, h.Reason = Pageview, ReasonNone
	s := p.siteOf([]byte(site))
	if !s.counts {
		p.skip(h, SkipSite)
		return
	}
	from, _ := p.refererSite(h.Referer) // of the page itself, unlike a beacon's
	h.Site, p.naming.now = s.name, s.page
	p.cameFrom(h, from, p.landedBy(queryOf(path)))
	p.setPage(h, path)
	s.rules.notesOld(p.naming.now, path)
	reason := p.complete(h)
	if reason == ReasonNone {
		reason = s.rules.takes(h)
	}
	if reason != ReasonNone {
		p.skip(h, reason)
	}
}

// paramPage makes the "page" parameter, as it stands in the query, the hit's
// page, and tells what campaign it is of.
func (p *Parser) paramPage(h *Hit, encoded []byte) landed {
	var known *Known
	var pair *knownPair
	if !p.plainly {
		known, pair = p.naming.known.find(encoded, p.naming.now)
	}
	if known == nil {
		text := p.decode(encoded)
		p.setPage(h, text)
		l := p.landedBy(queryOf(text))
		if pair == nil {
			return l
		}
		known = p.naming.known.keep(pair, encoded, h.Page, p.naming.now, l)
	}
	h.Known, h.Page = known, known.page()
	return known.landed
}

// complete fills what a counted hit with its site and page needs beside them:
// bot, device, visitor.
func (p *Parser) complete(h *Hit) Reason {
	if p.picky {
		if p.self.has(h.Addr) {
			return SkipSelf
		}
		if p.blocked.has(h.Addr) || p.pages.has(h.Page) {
			return SkipBlocked
		}
	}
	a := p.agentOf(h.UserAgent)
	h.Bot, h.Device = a.bot, a.device
	h.Facets[Browser], h.Facets[OS], h.Facets[DeviceType] = a.with.browser, a.with.os, a.with.kind
	h.Facets[Country] = p.country(h.Addr)
	if p.extra.tongue {
		h.Facets[Language] = p.language(p.extra.accept)
	}
	if len(p.extra.gpc) == 1 && p.extra.gpc[0] == '1' && p.gpc != GPCOff {
		if p.gpc == GPCAll {
			return SkipBlocked
		}
		return ReasonNone
	}
	if !h.Addr.IsValid() {
		return ReasonNone // all of them would be one visitor
	}
	h.Visitor = p.extra.span.visitors.hash(h.Addr, &a.digest, h.Site)
	if p.days.uniques > UniquesDay && !h.Bot && h.Kind == Pageview {
		p.days.tellTerms(h, p.extra.span, a)
	}
	return ReasonNone
}

// site is what a host stands for. It is made once and shared: nobody changes it.
type site struct {
	name    string     // alias resolved; empty: no host
	counts  bool       // it is one of SITES
	from    *Value     // as a referrer; nil: no host, or not counted
	channel *Value     // as a referrer
	rules   *siteRules // about its lines; nil: none are
	page    *PageRules // of its pages
}

// lastSite remembers what one text was found to name: most lines name the same
// site as the one before.
type lastSite struct {
	text []byte
	site *site
}

func (l *lastSite) keep(text []byte, s *site) *site {
	l.text, l.site = append(l.text[:0], text...), s
	return s
}

// paramSite is the site of the "site" parameter, encoded as in the query.
func (p *Parser) paramSite(encoded []byte) *site {
	if bytes.Equal(encoded, p.lastParam.text) {
		return p.lastParam.site
	}
	return p.lastParam.keep(encoded, p.siteOf(p.decode(encoded)))
}

// maxReferrer is the longest "ref" parameter that is looked at, in bytes: a
// host, or an address of which the host is taken.
const maxReferrer = 1024

// referrer tells where the reader of a page came from. The widget says it in
// the parameter "ref"; the Referer of its request is the page itself. Where a
// request has another site's page as its Referer, that is it.
func (p *Parser) referrer(param []byte, referer *site, name string) *site {
	switch {
	case len(param) > maxReferrer:
		return &p.noSite
	case len(param) > 0 && bytes.Equal(param, p.lastReferrer.text):
		return p.lastReferrer.site
	case len(param) > 0:
		return p.lastReferrer.keep(param, p.hostOf(p.decode(param), &p.referrers))
	case referer.name != name:
		return referer
	}
	return &p.noSite
}

// cameFrom sets where the reader of h.Site came from, and by what link.
func (p *Parser) cameFrom(h *Hit, from *site, l landed) {
	h.Referrer = from.name
	channel := from.channel
	switch {
	case from.name == h.Site: // a way within the site
		channel = p.internal
	case from.name == "":
		h.Facets[Referrer], channel = p.nowhere, p.direct
	default:
		h.Facets[Referrer] = from.from
	}
	if p.values.off.Has(Referrer) {
		h.Referrer = h.Site
	}
	if l.channel != nil {
		channel = l.channel
	}
	h.Facets[Channel], h.Facets[Campaign] = channel, l.campaign
}

// refererSite is the site that a Referer is of, and what follows its host. The
// text remembered is all before the first slash of the path: a Referer that
// begins so, up to that slash, has the same host.
func (p *Parser) refererSite(ref []byte) (*site, []byte) {
	last := p.lastReferer.text
	if n := len(last); n > 0 && len(ref) > n && ref[n] == '/' && string(ref[:n]) == string(last) {
		return p.lastReferer.site, ref[n:]
	}
	host, rest, ok := refererParts(ref)
	if !ok {
		return &p.noSite, nil
	}
	s := p.siteOf(host)
	if len(rest) > 0 && rest[0] == '/' {
		p.lastReferer.keep(ref[:len(ref)-len(rest)], s)
	}
	return s, rest
}

// siteOf looks a host, as somebody wrote it, up.
func (p *Parser) siteOf(host []byte) *site { return p.hostOf(host, &p.sites) }

func (p *Parser) hostOf(host []byte, known *cache[*site]) *site {
	if s, ok := known.get(host); ok {
		return s
	}
	s := &p.noSite
	if name, ok := NormalizeSite(string(host)); ok {
		rules := p.ruling.of(cmp.Or(p.ruling.aliases[name], name))
		if to, ok := p.aliases[name]; ok {
			name = to
		}
		s = &site{rules: rules, page: p.pageRules(name), name: name, counts: p.allowed == nil || p.allowed[name], from: p.referrerValue(name), channel: p.values.named(Channel, p.channels.channelOf(name))}
	}
	known.put(host, s)
	return s
}

// referrerValue is a host as a referrer.
func (p *Parser) referrerValue(name string) *Value {
	if p.values.off.Has(Referrer) {
		return nil
	}
	return NewValue(Referrer, name)
}
