package queryapi

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"
)

// facts answer what the admin asks of the numbers of sites.
type facts struct{ *answering }

// Facts answers what the dashboard shows of sites. Dates are as in Series; the
// methods wait for SQL at times, but no longer than ctx. Stale says that Redis
// could not be asked and the newest views may be missing. Errors wrap
// ErrArchiveAway where SQL is needed and does not answer.
type Facts interface {
	// Sites are all that ever counted.
	Sites(ctx context.Context) (all []SiteFacts, stale bool, err error)
	// SitesPast are the views of sites on so many days before today, oldest first, a row
	// a site; nil: they are not known.
	SitesPast(ctx context.Context, sites []string, days int) (rows [][]int64, stale bool, err error)
	// Sums adds up the days from..to.
	Sums(ctx context.Context, site string, from, to time.Time) (sums Sums, stale bool, err error)
	// Online are the visitors of the last minutes.
	Online(ctx context.Context, site string) (n int64, stale bool, err error)
	// Pages ranks the pages of some days.
	Pages(ctx context.Context, q *PagesQuery) (list PageList, stale bool, err error)
	// Hours are the hours of the days from..to that have views, in order.
	Hours(ctx context.Context, site string, from, to time.Time) (hours []HourFacts, stale bool, err error)
	// Minutes are the last n minutes, oldest first; the last is still running.
	Minutes(ctx context.Context, site string, n int) (minutes []MinuteFacts, stale bool)
	// FacetNames are those of what views are counted by beside their pages.
	FacetNames() []string
	// Facet adds up the names of a facet over the days from..to, in any order.
	Facet(ctx context.Context, site, facet string, from, to time.Time) (all []FacetFacts, stale bool, err error)
	// UniquePeriods are those of week and month whose visitors are counted.
	UniquePeriods() []string
	// Uniques are the weeks or months that the days from..to are in, of a page or, where
	// it is empty, of the site, in order.
	Uniques(ctx context.Context, site, page, period string, from, to time.Time) (all []UniqueFacts, stale bool, err error)
}

// HourFacts are the views of people and of bots in an hour of a day, by the
// clocks of the server's zone.
type HourFacts struct {
	Date    time.Time
	Hour    int
	PV, Bot int64
}

// MinuteFacts are the views of the minute that begins at Time.
type MinuteFacts struct {
	Time time.Time `json:"time"`
	PV   int64     `json:"pv"`
	Bot  int64     `json:"bot"`
}

// FacetFacts are the figures of a name of a facet; "" is none, or not known. UV is nil
// where the visitors are not known (yet).
type FacetFacts struct {
	Name text   `json:"name"`
	PV   int64  `json:"pv"`
	UV   *int64 `json:"uv"`
}

// SiteFacts are the figures of one site.
type SiteFacts struct {
	Site    string `json:"site"`
	PV      int64  `json:"pv"`
	UV      int64  `json:"uv"`
	PVToday int64  `json:"pv_today"`
	UVToday int64  `json:"uv_today"`
	Online  int64  `json:"online"`
}

// Sums are the figures of a span of days. PV and UV are of people's page views,
// Bot of others', Events of people; UV is the sum of the days' visitors.
type Sums struct {
	PV     int64 `json:"pv"`
	UV     int64 `json:"uv"`
	Bot    int64 `json:"bot"`
	PC     int64 `json:"pc"`
	Mobile int64 `json:"mobile"`
	Events int64 `json:"events"`
	Dedup  int64 `json:"dedup"`
}

// PagesQuery asks for the most viewed pages of the days From..To.
type PagesQuery struct {
	Site     string
	From, To time.Time
	Match    string // only pages that hold this text
	Limit    int
}

// PageList are the pages of some days, the most viewed first, and how many
// there are without the limit.
type PageList struct {
	Pages []PageFacts `json:"pages"`
	Total int         `json:"total"`
}

// PageFacts are the figures of one page. UV is nil where the visitors are not
// known (yet).
type PageFacts struct {
	Page text   `json:"page"`
	PV   int64  `json:"pv"`
	UV   *int64 `json:"uv"`
	// Title is what its readers' browsers call it, empty where none told.
	Title text `json:"title,omitempty"`
}

// Limits of the dashboard's lists.
const (
	defaultListed = 20
	// MaxListed is how many rows one list may have.
	MaxListed = 1000
)

// text is a string in JSON that may hold what visitors chose; see appendString.
type text string

// MarshalJSON implements json.Marshaler.
func (t text) MarshalJSON() ([]byte, error) { return appendString(nil, string(t)), nil }

// calendarDate is a date in JSON.
type calendarDate time.Time

// MarshalJSON implements json.Marshaler.
func (d calendarDate) MarshalJSON() ([]byte, error) { return appendDate(nil, time.Time(d)), nil }

// routes are the routes of the dashboard's figures.
func (f *facts) routes() []route {
	if f.cfg.Facts == nil {
		return nil
	}
	rs := []route{
		{method: "GET", path: "/api/admin/sites", handle: f.adminSites, admin: true, open: toViewers},
		{method: "GET", path: "/api/admin/summary", handle: f.adminSummary, admin: true, open: toViewers},
		{method: "GET", path: "/api/admin/pages", handle: f.adminPages, admin: true, open: toViewers},
		{method: "GET", path: "/api/admin/hours", handle: f.adminHours, admin: true, open: toViewers},
		{method: "GET", path: "/api/admin/minutes", handle: f.adminMinutes, admin: true, open: toViewers},
		{method: "GET", path: "/api/admin/referrers", handle: f.adminReferrers, admin: true, open: toViewers},
		{method: "GET", path: "/api/admin/facets", handle: f.adminFacets, admin: true, open: toViewers},
		{method: "GET", path: "/api/admin/uniques", handle: f.adminUniques, admin: true, open: toViewers},
	}
	if f.cfg.Explorer != nil {
		rs = append(rs, route{method: "GET", path: "/api/admin/explore", handle: f.explore, admin: true, open: toViewers})
	}
	return rs
}

// adminSummary answers GET /api/admin/summary: the figures of a span and of the
// equally long one before it.
func (f *facts) adminSummary(ctx *fasthttp.RequestCtx) error {
	q, err := f.spanQuery(ctx, MaxSeriesDays)
	if err != nil {
		return err
	}
	type previous struct {
		From calendarDate `json:"from"`
		To   calendarDate `json:"to"`
		Sums
	}
	days := int(q.to.Sub(q.from)/(24*time.Hour)) + 1
	out := struct {
		Site        string       `json:"site"`
		From        calendarDate `json:"from"`
		To          calendarDate `json:"to"`
		Current     Sums         `json:"current"`
		Previous    previous     `json:"previous"`
		Online      int64        `json:"online"`
		Stale       bool         `json:"stale,omitempty"`
		StaleReason string       `json:"stale_reason,omitempty"`
	}{Site: q.site, From: calendarDate(q.from), To: calendarDate(q.to)}
	before := q.from.AddDate(0, 0, -days)
	out.Previous.From, out.Previous.To = calendarDate(before), calendarDate(q.from.AddDate(0, 0, -1))
	err = f.series(ctx, q.site, func(ctx context.Context) error {
		var stale [3]bool
		var errs [3]error
		out.Current, stale[0], errs[0] = f.cfg.Facts.Sums(ctx, q.site, q.from, q.to)
		out.Previous.Sums, stale[1], errs[1] = f.cfg.Facts.Sums(ctx, q.site, before, q.from.AddDate(0, 0, -1))
		out.Online, stale[2], errs[2] = f.cfg.Facts.Online(ctx, q.site)
		out.Stale = stale[0] || stale[1] || stale[2]
		return errors.Join(errs[:]...)
	})
	if err != nil {
		return err
	}
	out.StaleReason = f.reason(q.site, out.Stale)
	return writeValue(ctx, &out)
}

// adminPages answers GET /api/admin/pages: the most viewed pages of a span.
func (f *facts) adminPages(ctx *fasthttp.RequestCtx) error {
	q, err := f.spanQuery(ctx, MaxSeriesDays, "limit", "q")
	if err != nil {
		return err
	}
	limit, err := intArg(ctx.QueryArgs(), "limit", defaultListed, 1, MaxListed)
	if err != nil {
		return err
	}
	var out struct {
		PageList
		Stale       bool   `json:"stale,omitempty"`
		StaleReason string `json:"stale_reason,omitempty"`
	}
	ask := PagesQuery{Site: q.site, From: q.from, To: q.to, Match: string(ctx.QueryArgs().Peek("q")), Limit: limit}
	err = f.series(ctx, q.site, func(ctx context.Context) (err error) {
		out.PageList, out.Stale, err = f.cfg.Facts.Pages(ctx, &ask)
		return err
	})
	if err != nil {
		return err
	}
	if out.Pages == nil {
		out.Pages = []PageFacts{}
	}
	title := f.titles(q.site)
	for i := range out.Pages {
		out.Pages[i].Title = text(title(string(out.Pages[i].Page)))
	}
	out.StaleReason = f.reason(q.site, out.Stale)
	return writeValue(ctx, &out)
}

// siteSpan is a site and a span of days, both included.
type siteSpan struct {
	site     string
	from, to time.Time
}

// spanQuery reads site, from and to; more names the route's other parameters.
func (a *answering) spanQuery(ctx *fasthttp.RequestCtx, maxDays int, more ...string) (q siteSpan, err error) {
	args := ctx.QueryArgs()
	if err := knownArgs(args, append([]string{"site", "from", "to"}, more...)...); err != nil {
		return q, err
	}
	if q.from, q.to, err = a.span(args); err != nil {
		return q, err
	}
	if q.to.Sub(q.from) >= time.Duration(maxDays)*24*time.Hour {
		return q, badValue("from", "must be less than %d days before to", maxDays)
	}
	q.site, err = a.site(ctx, args.Peek("site"))
	return q, err
}

// intArg reads a whole number within lo and hi.
func intArg(args *fasthttp.Args, name string, absent, lo, hi int) (int, error) {
	if !args.Has(name) {
		return absent, nil
	}
	n, err := strconv.Atoi(string(args.Peek(name)))
	if err != nil || n < lo || n > hi {
		return 0, badValue(name, "must be within %d and %d", lo, hi)
	}
	return n, nil
}

// NewPageFacts are the figures of a page.
func NewPageFacts(page string, pv int64, uv *int64) PageFacts {
	return PageFacts{Page: text(page), PV: pv, UV: uv}
}
