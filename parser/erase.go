package parser

import "bytes"

// A line of a rotated log that somebody had deleted is erased where it stands: as many
// bytes take its place, so that what lies behind it, and every offset, stays as it is.
// One that may tell the log from others keeps its identity.

const (
	erasedMark = "#erased "
	eraseFill  = '#'
	// eraseRun are so many of eraseFill that no line of a log has them.
	eraseRun = "################################"
)

// Erase overwrites a line, without its newline. named keeps the line's SegmentID in it:
// of a line without a request id that is a hash of what it was.
func Erase(line []byte, named bool) {
	id := ""
	if named {
		id = SegmentID(line)
	}
	n := copy(line, erasedMark)
	n += copy(line[n:], id)
	for i := n; i < len(line); i++ {
		line[i] = eraseFill
	}
}

// IsErased tells whether a line was erased.
func IsErased(line []byte) bool { return bytes.HasPrefix(line, []byte(erasedMark)) }

// HasErased tells whether a part of a log has lines, or parts of lines, that were erased.
func HasErased(part []byte) bool {
	return bytes.Contains(part, []byte(eraseRun)) || bytes.HasPrefix(part, []byte(erasedMark)) || bytes.Contains(part, []byte("\n"+erasedMark))
}

// erasedID is the identity that an erased line was left; "" where it is none, or has none.
func erasedID(line []byte) string {
	id, ok := bytes.CutPrefix(line, []byte(erasedMark))
	if !ok || len(id) < 32 {
		return ""
	}
	for _, c := range id[:32] {
		if unhex(c) < 0 {
			return ""
		}
	}
	return string(bytes.ToLower(id[:32]))
}

// Deletable tells whether a line is to be erased, h being what Parse made of it. Beside
// what counted until then these are the lines of a deleted site, or client, that never
// counted: a page that was not found, a request with another method.
func (p *Parser) Deletable(h *Hit) bool {
	if h.Reason == SkipDeleted {
		return h.Time != 0 // else it is erased already
	}
	if h.Kind != Skipped || h.Reason == SkipComment {
		return false
	}
	was := *h
	s := meant(p, &was)
	if s.name == "" {
		s.rules = p.ruling.of("")
	}
	return s.rules.takes(&was) == SkipDeleted
}

// About is the site that a line is about, also one that did not count, h being what Parse
// made of it; "" where that cannot be told.
func (p *Parser) About(h *Hit) string {
	if h.Site != "" || h.Kind != Skipped {
		return h.Site
	}
	was := *h
	return meant(p, &was).name
}

// meant tells which site and page a skipped line was about, as well as that can be told.
func meant(p *Parser, h *Hit) *site {
	if p.calls != nil {
		s := p.calls.site
		if len(p.extra.host) > 0 {
			s = p.siteOf(p.extra.host)
		}
		if s.page != nil {
			p.naming.now = s.page
		}
		if p.asViews {
			p.setPage(h, pathOfURL(h.URI))
			s.rules.notesOld(p.naming.now, pathOfURL(h.URI))
		} else {
			h.Kind = APICall
		}
		return s
	}
	s, rest := p.refererSite(h.Referer)
	query, ok := p.beaconQuery(h.URI)
	if !ok {
		return s
	}
	var q params
	q.parse(query)
	if len(q.site) > 0 {
		s = p.siteOf(p.decode(q.site))
	}
	if s.page != nil {
		p.naming.now = s.page
	}
	if len(q.page) > 0 || len(rest) > 0 {
		p.setPage(h, sent(p, &q, rest))
		s.rules.notesOld(p.naming.now, sent(p, &q, rest))
	}
	return s
}
