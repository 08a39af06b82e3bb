package parser

import (
	"bytes"
	"errors"
	"fmt"
)

// naming gives pages their names.
type naming struct {
	all     PageRules
	sites   map[string]*PageRules // that have their own
	now     *PageRules            // of the line's site
	pageBuf []byte
	known   knownPages
}

// setPage makes what raw names the hit's page.
func (n *naming) setPage(h *Hit, raw []byte) {
	if n.now.clean(raw) {
		h.Page = raw
		return
	}
	n.pageBuf = n.now.Normalize(n.pageBuf[:0], raw)
	h.Page = n.pageBuf
}

// pageRules are those of a site.
func (n *naming) pageRules(site string) *PageRules {
	if r := n.sites[site]; r != nil {
		return r
	}
	return &n.all
}

func (n *naming) set(sites map[string]PageRules) error {
	var errs []error
	n.sites = make(map[string]*PageRules, len(sites))
	for s, rules := range sites {
		name, ok := NormalizeSite(s)
		if !ok {
			errs = append(errs, fmt.Errorf("site %q of page rules is no host name", s))
			continue
		}
		n.sites[name] = &rules
	}
	return errors.Join(errs...)
}

// PageNow is the name that a page which was counted has by the rules of now, and whether
// that can be told.
func (n *naming) PageNow(site, page string) (string, bool) {
	if page == OtherPage {
		return page, true
	}
	now, doubt := n.pageAgain([]byte(page), n.pageRules(site))
	return string(now), doubt == 0
}

// pageAgain applies the rules to a page that was normalised by others: nothing
// is decoded a second time, and what those dropped does not come back.
func (n *naming) pageAgain(page []byte, r *PageRules) ([]byte, Doubt) {
	if isCutPage(page) && (r.StripIndex || r.Slash != SlashKeep || r.Aliases != nil) {
		return page, DoubtPage // its hash is of the whole
	}
	path, rest := page, []byte(nil)
	if i := bytes.IndexAny(page, "?#"); i >= 0 {
		if !r.keeps(page[i:]) {
			return page, DoubtPage
		}
		path, rest = page[:i], page[i:]
	}
	b := append(n.pageBuf[:0], path...)
	b = r.name(b, 0)
	b = append(b, rest...)
	if len(b) > MaxPage {
		b = cutPage(b, 0)
	}
	n.pageBuf = b
	return b, 0
}
