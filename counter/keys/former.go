package keys

import "strings"

// Up to layout 1 the pairs of a day were called as the visitors of a page are
// called whose site is "set" and whose page is the site and the day.

const formerPairs = "page:uv:set:"

// FormerSite is the site whose pages they could be taken for.
const FormerSite = "set"

// FormerPairs is what Pairs was called.
func (k Keys) FormerPairs(site, day string) string {
	return k.prefix + ":" + formerPairs + k.site(site) + ":" + day
}

// ParseFormerPairs tells the pairs whose former name a key may be.
func (k Keys) ParseFormerPairs(key string) (n Name, ok bool) {
	n.Family = Pairs
	text, ok := strings.CutPrefix(key, k.prefix+":"+formerPairs)
	if !ok {
		return n, false
	}
	if n.Site, text, ok = k.cutSite(text); !ok {
		return n, false
	}
	n.Rest, ok = strings.CutPrefix(text, ":")
	return n, ok && forms[Pairs].fits(n.Rest)
}

// PairsPatterns are what SCAN must match to find all pairs, by either name.
func (k Keys) PairsPatterns() []string {
	return []string{GlobEscape(k.prefix) + ":" + formerPairs + "*", GlobEscape(k.prefix) + ":" + forms[Pairs].head + "*"}
}

// Up to layout 2 a day's referrers had a hash of their own, and its views by hour
// were fields of its books.

const formerReferrers = "referrer:"

// FormerReferrers is what the referrers of a day were called.
func (k Keys) FormerReferrers(site, day string) string {
	return k.prefix + ":" + formerReferrers + k.site(site) + ":" + day
}

// parseFormerReferrers tells the site of such a key.
func (k Keys) parseFormerReferrers(key string) (site string, ok bool) {
	text, ok := strings.CutPrefix(key, k.prefix+":"+formerReferrers)
	if !ok {
		return "", false
	}
	site, day, ok := k.cutSite(text)
	day, colon := strings.CutPrefix(day, ":")
	return site, ok && colon && forms[Facets].fits(day)
}

// FormerHour is the field of Books that had the views of an hour.
func FormerHour(hour string, bots bool) string {
	if bots {
		return "b" + hour
	}
	return "h" + hour
}
