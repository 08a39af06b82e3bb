package parser

// facetsAgain completes the facets of h, which has those by now that follow from its
// referrer and user agent. Of others the row's own name stays: what it was told by is
// gone. Where it has none, it gets one if that can be told.
func (p *Parser) facetsAgain(k *Kept, h *Hit) {
	for _, f := range [...]Facet{Language, Screen, Campaign} {
		h.Facets[f] = p.keptValue(k, f)
	}
	if k.AgentCut {
		for _, f := range [...]Facet{Browser, OS, DeviceType} {
			h.Facets[f] = p.keptValue(k, f)
		}
	}
	// A database of now says where addresses are now.
	if h.Facets[Country] = p.keptValue(k, Country); h.Facets[Country] == nil && k.Addr.IsValid() && k.AddrBits == k.Addr.BitLen() {
		h.Facets[Country] = p.country(k.Addr)
	}
	p.channelAgain(k, h)
}

// keptValue is the name that a row has; nil: it has none, or it is not counted any more.
func (p *Parser) keptValue(k *Kept, f Facet) *Value {
	if !k.Facets[f].Known {
		return nil
	}
	return p.values.of(f, k.Facets[f].Name)
}

// channelAgain tells the channel anew by the referrer, if the row knew of that, and of
// no campaign. A row that was written before there were campaigns may have one in its
// Referer.
func (p *Parser) channelAgain(k *Kept, h *Hit) {
	if !k.Facets[Campaign].Known && k.Beacon && !k.Facets[Channel].Known && k.Referrer != k.Site {
		if from, rest := p.refererSite(k.Referer); from.name == h.Site {
			if l := p.landedBy(queryOf(rest)); l != (landed{}) {
				h.Facets[Channel], h.Facets[Campaign] = l.channel, l.campaign
			}
		}
		return
	}
	if len(k.Facets[Campaign].Name) > 0 || k.Referrer == k.Site && k.Facets[Channel].Known {
		h.Facets[Channel] = p.keptValue(k, Channel)
	}
}
