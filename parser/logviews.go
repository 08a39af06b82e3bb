package parser

import (
	"errors"
	"fmt"
)

// LogView is a site whose views are those of its own access log, for a while: lines of
// the log whose time is in it count, and the beacon's views of that time do not. So each
// line counts by itself in just one of the two, whenever it is read.
type LogView struct {
	Site     string
	From, To int64 // milliseconds since the Unix epoch, from <= t < to; zeros: no bound
}

func (v *LogView) holds(t int64) bool { return t >= v.From && (v.To == 0 || t < v.To) }

// logViews are those of a site.
type logViews map[string][]LogView

// counts tells whether a site's views at a time are those of its log.
func (l logViews) counts(site string, t int64) bool {
	views := l[site]
	for i := range views {
		if views[i].holds(t) {
			return true
		}
	}
	return false
}

// newLogViews reads those of a configuration.
func newLogViews(c *Config, aliases map[string]string) (all logViews, _ error) {
	var errs []error
	for _, v := range c.LogViews {
		name, ok := NormalizeSite(v.Site)
		if !ok {
			errs = append(errs, fmt.Errorf("site %q of LOG_VIEWS is no host name", v.Site))
			continue
		}
		if to, ok := aliases[name]; ok {
			name = to
		}
		if all == nil {
			all = logViews{}
		}
		v.Site = name
		all[name] = append(all[name], v)
	}
	if c.Views && c.Calls == nil {
		errs = append(errs, errors.New("views of a site's own log need its rules"))
	}
	return all, errors.Join(errs...)
}

// view makes a line of a site's own log the view of a page. The order of checks is the
// order of reasons.
func (r *requestRules) view(h *Hit) Reason {
	p := r.p
	if !isRequest(h.Method, h.URI) {
		return BadRequest
	}
	if _, beacon := p.beaconQuery(h.URI); beacon {
		return SkipPath
	}
	if string(h.Method) != "GET" {
		return SkipMethod
	}
	s, reason := p.calledSite()
	if reason != ReasonNone {
		return reason
	}
	if !p.logViews.counts(s.name, h.Time) {
		return SkipLog
	}
	if h.Status != 200 && h.Status != 304 {
		return SkipStatus
	}
	path, query := splitURI(h.URI)
	p.endpoint(h, path)
	kind := kindOf(h, r.askedFor(path))
	h.Endpoint, h.Routed = nil, false
	switch {
	case kind != RequestPage:
		return SkipPath
	case speculative(p.extra.purpose):
		return SkipPrefetch
	}
	h.Kind, h.Site = Pageview, s.name
	p.extra.rules, p.naming.now = s.rules, s.page
	from, _ := p.refererSite(h.Referer) // of the page itself, unlike a beacon's
	p.cameFrom(h, from, p.landedBy(query))
	p.setPage(h, pathOfURL(h.URI))
	s.rules.notesOld(p.naming.now, pathOfURL(h.URI))
	return p.complete(h)
}
