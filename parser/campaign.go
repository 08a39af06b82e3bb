package parser

import "bytes"

// A campaign is what a link says of itself: utm_source, utm_medium and utm_campaign, or
// one of the marks that mail and advertising programs add. Its name is these three,
// "newsletter / email / spring", with "-" for one that is missing before another.
//
// It stands in the beacon's parameter "c", as it stands in the page's address or as a
// name alone, else in the query of the page's address: in the parameter "page", or in
// the Referer where a browser sends all of it.

// campaign is what a view's link says.
type campaign struct {
	source, medium, name []byte // decoded
}

const maxCampaignPart = 80

type clickMark struct{ param, source, medium string }

// clickMarks are parameters whose value tells one click, and what they tell of all.
var clickMarks = [...]clickMark{
	{"gclid", "google", "cpc"}, {"wbraid", "google", "cpc"}, {"gbraid", "google", "cpc"}, {"dclid", "google", "display"},
	{"msclkid", "bing", "cpc"}, {"yclid", "yandex", "cpc"}, {"ttclid", "tiktok", "cpc"}, {"twclid", "x", "cpc"}, {"li_fat_id", "linkedin", "cpc"},
	{"bd_vid", "baidu", "cpc"}, {"qz_gdt", "qq", "cpc"}, {"rdt_cid", "reddit", "cpc"}, {"mc_cid", "mailchimp", "email"}, {"fbclid", "facebook", "social"}, {"igshid", "instagram", "social"},
}

// find reads the parameters of a query; a source that is named outweighs a click.
func (c *campaign) find(p *Parser, query []byte) {
	var click *clickMark
	for len(query) > 0 {
		var pair []byte
		pair, query = cutValue(query)
		eq := bytes.IndexByte(pair, '=')
		if eq <= 0 || eq+1 == len(pair) {
			continue
		}
		value := pair[eq+1:]
		switch name := pair[:eq]; string(name) {
		case "utm_source", "source", "ref":
			c.source = first(c.source, p.decode(value))
		case "utm_medium":
			c.medium = first(c.medium, p.decode(value))
		case "utm_campaign":
			c.name = first(c.name, p.decode(value))
		default:
			for i := range clickMarks {
				if m := &clickMarks[i]; click == nil && string(name) == m.param {
					click = m
				}
			}
		}
	}
	if len(c.source) == 0 && click != nil {
		c.source = p.text(click.source)
		if len(c.medium) == 0 {
			c.medium = p.text(click.medium)
		}
	}
}

// text is a text of ours in the line's buffer.
func (p *Parser) text(s string) []byte {
	from := len(p.buf)
	p.buf = append(p.buf, s...)
	return p.buf[from:len(p.buf):len(p.buf)]
}

func first(a, b []byte) []byte {
	if len(a) > 0 {
		return a
	}
	return b
}

// appendTo writes the campaign's name.
func (c *campaign) appendTo(b []byte) []byte {
	parts := [...][]byte{bytes.TrimSpace(c.source), bytes.TrimSpace(c.medium), bytes.TrimSpace(c.name)}
	n := len(parts)
	for n > 0 && len(parts[n-1]) == 0 {
		n--
	}
	for i, part := range parts[:n] {
		if i > 0 {
			b = append(b, " / "...)
		}
		if len(part) == 0 {
			part = []byte("-")
		}
		b = appendNamePart(b, part)
	}
	return b
}

// appendNamePart appends text that a stranger chose: without control characters, valid,
// and no longer than a part may be.
func appendNamePart(b, part []byte) []byte {
	part = bytes.ToValidUTF8(part, nil)
	if len(part) > maxCampaignPart {
		part = bytes.ToValidUTF8(part[:maxCampaignPart], nil)
	}
	for _, c := range part {
		if c < ' ' || c == 0x7F {
			c = ' '
		}
		b = append(b, c)
	}
	return b
}

// campaignMedia are media that tell a channel.
var campaignMedia = map[string]string{
	"email": channelMail, "e-mail": channelMail, "mail": channelMail, "newsletter": channelMail,
	"cpc": channelAds, "ppc": channelAds, "cpm": channelAds, "cpv": channelAds, "cpa": channelAds, "display": channelAds, "banner": channelAds, "ads": channelAds, "ad": channelAds,
	"paid": channelAds, "paidsearch": channelAds, "paid-search": channelAds, "paid_search": channelAds, "paidsocial": channelAds, "paid-social": channelAds, "paid_social": channelAds, "retargeting": channelAds, "affiliate": channelAds,
	"social": channelSocial, "social-media": channelSocial, "social_media": channelSocial, "sm": channelSocial, "social-network": channelSocial,
	"organic": channelSearch, "search": channelSearch, "referral": channelReferral, "ai": channelAI,
}

// channel is the campaign's: by its medium, else by its source where that is a host that
// the table has, as assistants write ("chatgpt.com").
func (c *campaign) channel(t *channelTable) string {
	var low [maxCampaignPart]byte
	lower := func(b []byte) []byte {
		n := copy(low[:], b)
		for i, x := range low[:n] {
			if 'A' <= x && x <= 'Z' {
				low[i] = x + 'a' - 'A'
			}
		}
		return low[:n]
	}
	if name, ok := campaignMedia[string(lower(c.medium))]; ok {
		return name
	}
	if source := lower(c.source); bytes.IndexByte(source, '.') > 0 {
		if name := t.of(string(source)); name != "" {
			return name
		}
	}
	return channelCampaign
}

// landed is what a view is told of by its link; nil: nothing.
type landed struct{ campaign, channel *Value }

// landedBy reads a query for a campaign. Most have none, which is told by a look at how
// names of parameters begin.
func (p *Parser) landedBy(query []byte) (l landed) {
	if p.values.off.Has(Campaign) && p.values.off.Has(Channel) || len(query) == 0 {
		return l
	}
	var c campaign
	c.find(p, query)
	return p.landedOf(&c)
}

// landedOf gives the campaign its names; one that says nothing is none.
func (p *Parser) landedOf(c *campaign) (l landed) {
	from := len(p.buf)
	p.buf = c.appendTo(p.buf)
	if len(p.buf) == from {
		return l
	}
	l.campaign = p.values.of(Campaign, p.buf[from:])
	l.channel = p.values.named(Channel, c.channel(p.channels))
	return l
}

// landedParam reads the parameter "c".
func (p *Parser) landedParam(encoded []byte) landed {
	text := p.decode(encoded)
	if bytes.IndexByte(text, '=') >= 0 {
		return p.landedBy(bytes.TrimLeft(text, "?#&"))
	}
	return p.landedOf(&campaign{source: text})
}

// queryOf is what stands behind the "?" of an address, up to its fragment.
func queryOf(address []byte) []byte {
	i := bytes.IndexByte(address, '?')
	if i < 0 {
		return nil
	}
	query := address[i+1:]
	if j := bytes.IndexByte(query, '#'); j >= 0 {
		query = query[:j]
	}
	return query
}
