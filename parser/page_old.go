package parser

// A page may have been called otherwise when a rule about it was made, or when a program
// signed its beacon: both are asked for the name that it has without PAGE_ALIASES, too.

// notesOld has rules about pages know what a line's page is called without aliases.
func (s *siteRules) notesOld(r *PageRules, raw []byte) {
	if s == nil {
		return
	}
	s.old = s.old[:0]
	if r.Aliases != nil {
		s.old = r.unaliased().Normalize(s.old, raw)
	}
}

// unaliased are the rules without aliases.
func (r PageRules) unaliased() PageRules {
	r.Aliases = nil
	return r
}

// goodOld tells whether one of the keys has signed the page by the name that it has without
// aliases.
func (s *signatures) goodOld(sig []byte, site string, r *PageRules, raw []byte) bool {
	return r.Aliases != nil && s.good(sig, site, r.unaliased().Normalize(nil, raw))
}

// sent is what a beacon named its page; rest is of the Referer.
func sent(p *Parser, q *params, rest []byte) []byte {
	if len(q.page) == 0 {
		return rest
	}
	return p.decode(q.page)
}
