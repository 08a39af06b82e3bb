package counter

import (
	"ddkk-stats/parser"
)

// A page that the site had on an earlier day keeps its own name although a day has as
// many as the cap allows: else whoever sends enough junk first takes the names of the
// pages that there are. There is room for as many of them again, so memory stays
// bounded; only a day that is full asks for anything.

// sitePage is a page of a full day of which it is asked whether the site had it before.
type sitePage struct {
	site *site
	day  *dayState
	name string
}

// maxEarlier bounds what is remembered of names that were asked for.
const maxEarlier = 1 << 17

// unplaced tells whether it must be asked if a view's page had a name before.
func (a *aggregate) unplaced(s *site, d *dayState, h *parser.Hit) bool {
	if h.Bot || h.Kind != parser.Pageview || len(d.pages) < a.caps.pages || len(d.pages) >= 2*a.caps.pages || s.epoch == "" {
		return false
	}
	if d.pages[string(h.Page)] != nil {
		return false
	}
	_, asked := d.earlier[string(h.Page)]
	return !asked
}

// pagesCap is how many pages a day may have for this one to get its name.
func (a *aggregate) pagesCap(d *dayState, page []byte) int {
	if d.earlier[string(page)] {
		return 2 * a.caps.pages
	}
	return a.caps.pages
}

// hadBefore tells whether an earlier day in memory has a page.
func (s *site) hadBefore(day parser.Day, page string) bool {
	for _, d := range s.days {
		if d.day < day && d.pages[page] != nil {
			return true
		}
	}
	return false
}
