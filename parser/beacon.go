package parser

import (
	"bytes"
	"encoding/binary"
	"unicode"
	"unicode/utf8"
)

// maxToken is the longest view id and application user in bytes.
const maxToken = 64

// params are the beacon's parameters as they stand in the query, encoded. Of a
// parameter that is given twice the first counts; an empty one is a missing one.
type params struct {
	site, page, ref, id, uid       []byte
	category, action, label, value []byte
	screen, campaign               []byte
	sig                            []byte
}

// beaconHit decides whether the request is a beacon that counts and completes
// it. The order of checks is the order of reasons: a line has the first that
// fits.
func (p *Parser) beaconHit(h *Hit) Reason {
	query, ok := p.beaconQuery(h.URI)
	switch {
	case (!ok || string(h.Method) != "GET") && !isRequest(h.Method, h.URI):
		return BadRequest
	case !ok:
		return SkipPath
	case string(h.Method) != "GET":
		return SkipMethod
	case h.Status != 200 && h.Status != 204 && h.Status != 304:
		return SkipStatus
	case speculative(p.extra.purpose):
		return SkipPrefetch
	}
	var q params
	p.params(query, &q)
	from, rest := p.refererSite(h.Referer)
	site, reason := p.place(h.Referer, from, &q)
	if reason != ReasonNone {
		return reason
	}
	h.Site = site
	came := p.referrer(q.ref, from, site)
	p.tokens(h, &q)
	p.levels(h, &q)
	if p.logViews != nil && h.Kind == Pageview && p.logViews.counts(site, h.Time) {
		return SkipLog // its log counts it; events are told by beacons alone
	}
	var l landed
	if len(q.page) == 0 {
		p.setPage(h, rest)
	} else {
		l = p.paramPage(h, q.page)
	}
	if p.extra.rules != nil {
		p.extra.rules.notesOld(p.naming.now, sent(p, &q, rest))
	}
	switch {
	case len(q.campaign) > 0:
		l = p.landedParam(q.campaign)
	case l == (landed{}) && from.name == site && came.name != site:
		l = p.landedBy(queryOf(rest))
	}
	p.cameFrom(h, came, l)
	if len(q.screen) > 0 {
		h.Facets[Screen] = p.screens.value(q.screen)
	}
	if p.signed != nil && !p.signed.good(q.sig, h.Site, h.Page) && !p.signed.goodOld(q.sig, h.Site, p.naming.now, sent(p, &q, rest)) {
		return SkipUnsigned
	}
	return p.complete(h)
}

// beaconQuery is the query of a request for the beacon. A request line may also
// hold a whole URL (RFC 9112, section 3.2.2).
func (p *Parser) beaconQuery(uri []byte) ([]byte, bool) {
	if len(uri) > 0 && uri[0] != '/' {
		uri = pathOfURL(uri)
	}
	n := len(p.beacon)
	if len(uri) < n || string(uri[:n]) != p.beacon {
		return nil, false
	}
	if len(uri) == n {
		return nil, true
	}
	return uri[n+1:], uri[n] == '?'
}

// speculative says whether Sec-Purpose tells of a page that nobody looks at
// yet: "prefetch", "prefetch;prerender".
func speculative(purpose []byte) bool {
	for i := range purpose {
		if hasPrefixFold(purpose[i:], "prefetch") || hasPrefixFold(purpose[i:], "prerender") {
			return true
		}
	}
	return false
}

// place tells the site from the parameter and the Referer, which must agree. A
// parameter that is no host is not replaced by the Referer's.
func (p *Parser) place(ref []byte, from *site, q *params) (name string, _ Reason) {
	s := from
	if len(q.site) > 0 {
		s = p.paramSite(q.site)
	}
	if !s.counts {
		return "", SkipSite
	}
	if p.refCheck && len(ref) > 0 && from.name != s.name {
		return "", SkipReferer
	}
	p.extra.rules, p.naming.now = s.rules, s.page
	return s.name, ReasonNone
}

// Names of parameters that come in nearly every query, as words.
const (
	wordSite = 's' | 'i'<<8 | 't'<<16 | 'e'<<24
	wordPage = 'p' | 'a'<<8 | 'g'<<16 | 'e'<<24
	wordID   = 'i' | 'd'<<8 | '='<<16
	wordRef  = 'r' | 'e'<<8 | 'f'<<16 | '='<<24
)

// params cuts the query. It mostly begins as the one before.
func (p *Parser) params(query []byte, q *params) {
	const site, page = "site=", "&page="
	if n := len(p.lastStart); n > 0 && len(query) > n && string(query[:n]) == string(p.lastStart) {
		q.site = query[len(site) : n-len(page)]
		q.page, query = cutValue(query[n:])
		if len(q.page) == 0 {
			q.page = nil
		}
		q.parse(query)
		return
	}
	q.parse(query)
	n := len(site) + len(q.site) + len(page)
	if len(q.site) > 0 && len(query) > n && string(query[:len(site)]) == site && string(query[n-len(page):n]) == page &&
		string(query[len(site):n-len(page)]) == string(q.site) {
		p.lastStart = append(p.lastStart[:0], query[:n]...)
	}
}

// cutValue separates a parameter's value from what follows.
func cutValue(query []byte) (value, rest []byte) {
	if i := bytes.IndexByte(query, '&'); i >= 0 {
		return query[:i], query[i+1:]
	}
	return query, nil
}

func (q *params) parse(query []byte) {
	for len(query) > 0 {
		var to *[]byte
		eq := 4
		word := uint32(0)
		if len(query) > 4 {
			word = binary.LittleEndian.Uint32(query)
		}
		switch {
		case word == wordSite && query[4] == '=':
			to = &q.site
		case word == wordPage && query[4] == '=':
			to = &q.page
		case word&0xFFFFFF == wordID:
			to, eq = &q.id, 2
		case word == wordRef:
			to, eq = &q.ref, 3
		default:
			query = q.other(query)
			continue
		}
		var value []byte
		value, query = cutValue(query[eq+1:])
		if *to == nil && len(value) > 0 {
			*to = value
		}
	}
}

// other reads one parameter of any name and returns what follows.
func (q *params) other(query []byte) []byte {
	pair, rest := cutValue(query)
	eq := 0 // names are short: a call would cost more
	for eq < len(pair) && pair[eq] != '=' {
		eq++
	}
	if eq+1 < len(pair) {
		if to := q.slot(pair[:eq]); to != nil && *to == nil {
			*to = pair[eq+1:]
		}
	}
	return rest
}

func (q *params) slot(name []byte) *[]byte {
	switch string(name) {
	case "site":
		return &q.site
	case "page":
		return &q.page
	case "ref":
		return &q.ref
	case "id":
		return &q.id
	case "uid":
		return &q.uid
	case "category":
		return &q.category
	case "action":
		return &q.action
	case "label":
		return &q.label
	case "value":
		return &q.value
	case "sig":
		return &q.sig
	case "w":
		return &q.screen
	case "c":
		return &q.campaign
	}
	return nil
}

// decode undoes the query's encoding; it returns b itself if there is none.
func (p *Parser) decode(b []byte) []byte {
	for _, c := range b {
		if c == '%' || c == '+' {
			from := len(p.buf)
			p.buf = appendForm(p.buf, b)
			return p.buf[from:len(p.buf):len(p.buf)]
		}
	}
	return b
}

func (p *Parser) tokens(h *Hit, q *params) {
	if len(q.id) > 0 {
		h.ViewID = p.paramToken(q.id)
	}
	if len(q.uid) > 0 {
		h.UID = p.paramToken(q.uid)
	}
}

// paramToken is the token that a parameter's value holds.
func (p *Parser) paramToken(encoded []byte) []byte {
	if n := len(encoded); n >= 8 && n <= maxToken {
		// Eight bytes at a time, the last ones twice: none is a space, "%" or
		// "+", or not ASCII, or a control character.
		bad := oddInToken(binary.LittleEndian.Uint64(encoded[n-8:]))
		for i := 0; i+8 <= n; i += 8 {
			bad |= oddInToken(binary.LittleEndian.Uint64(encoded[i:]))
		}
		if bad == 0 {
			return encoded
		}
	}
	return p.token(p.decode(encoded))
}

// oddInToken is zero if all bytes of w are 0x21 to 0x7E and none is "%" or "+".
// It may be something else all the same.
func oddInToken(w uint64) uint64 {
	percent, plus := w^'%'*lowBits, w^'+'*lowBits
	low := w - '!'*lowBits
	return (w | low | (w + lowBits) | (percent-lowBits)&^percent | (plus-lowBits)&^plus) & highBits
}

// token keeps the printable characters of b, without spaces, up to maxToken
// bytes.
func (p *Parser) token(b []byte) []byte {
	if isPlainToken(b) {
		return b
	}
	from := len(p.buf)
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		plain := r > ' ' && unicode.IsPrint(r) && !(r == utf8.RuneError && size == 1)
		if plain {
			if len(p.buf)-from+size > maxToken {
				break
			}
			p.buf = append(p.buf, b[:size]...)
		}
		b = b[size:]
	}
	return p.buf[from:len(p.buf):len(p.buf)]
}

// isPlainToken says that token would keep b as it is, for ASCII.
func isPlainToken(b []byte) bool {
	if len(b) > maxToken {
		return false
	}
	for _, c := range b {
		if c <= ' ' || c >= 0x7F {
			return false
		}
	}
	return true
}

// levels makes the hit an event if it has a category.
func (p *Parser) levels(h *Hit, q *params) {
	if len(q.category) == 0 {
		return
	}
	h.Kind = Event
	from := [...][]byte{q.category, q.action, q.label, q.value}
	to := [...]*[]byte{&h.Category, &h.Action, &h.Label, &h.Value}
	for i := range from {
		if len(from[i]) == 0 {
			return
		}
		*to[i] = p.decode(from[i])
	}
}
