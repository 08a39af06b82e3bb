package queryapi

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

const (
	// MaxHourDays is the longest span of hours.
	MaxHourDays = 366
	// shownMinutes are those of /api/admin/minutes.
	shownMinutes = 30
)

// defaultFacets is how many names /api/admin/facets lists.
const defaultFacets = 50

// NewFacetFacts are the figures of a name of a facet.
func NewFacetFacts(name string, pv int64, uv *int64) FacetFacts {
	return FacetFacts{Name: text(name), PV: pv, UV: uv}
}

// adminHours answers GET /api/admin/hours: 24 hours of each day of a span.
func (f *facts) adminHours(ctx *fasthttp.RequestCtx) error {
	q, err := f.spanQuery(ctx, MaxHourDays)
	if err != nil {
		return err
	}
	type hour struct {
		Date calendarDate `json:"date"`
		Hour int          `json:"hour"`
		PV   int64        `json:"pv"`
		Bot  int64        `json:"bot"`
	}
	var out struct {
		Hours       []hour `json:"hours"`
		Stale       bool   `json:"stale,omitempty"`
		StaleReason string `json:"stale_reason,omitempty"`
	}
	for d := q.from; !d.After(q.to); d = d.AddDate(0, 0, 1) {
		for h := range 24 {
			out.Hours = append(out.Hours, hour{Date: calendarDate(d), Hour: h})
		}
	}
	err = f.series(ctx, q.site, func(ctx context.Context) error {
		all, stale, err := f.cfg.Facts.Hours(ctx, q.site, q.from, q.to)
		for _, h := range all {
			if i := 24*int(h.Date.Sub(q.from)/(24*time.Hour)) + h.Hour; i >= 0 && i < len(out.Hours) {
				out.Hours[i].PV += h.PV
				out.Hours[i].Bot += h.Bot
			}
		}
		out.Stale = stale
		return err
	})
	if err != nil {
		return err
	}
	out.StaleReason = f.reason(q.site, out.Stale)
	return writeValue(ctx, &out)
}

// adminMinutes answers GET /api/admin/minutes.
func (f *facts) adminMinutes(ctx *fasthttp.RequestCtx) error {
	site, err := f.onlySite(ctx)
	if err != nil {
		return err
	}
	var out struct {
		Minutes     []MinuteFacts `json:"minutes"`
		Stale       bool          `json:"stale,omitempty"`
		StaleReason string        `json:"stale_reason,omitempty"`
	}
	out.Minutes, out.Stale = f.cfg.Facts.Minutes(f.base, site, shownMinutes)
	for i := range out.Minutes {
		out.Minutes[i].Time = out.Minutes[i].Time.UTC()
	}
	out.StaleReason = f.reason(site, out.Stale)
	return writeValue(ctx, &out)
}

// adminReferrers answers GET /api/admin/referrers: the facet of that name, under the
// names that its fields had before there were others.
func (f *facts) adminReferrers(ctx *fasthttp.RequestCtx) error {
	q, err := f.spanQuery(ctx, MaxSeriesDays, "limit")
	if err != nil {
		return err
	}
	limit, err := intArg(ctx.QueryArgs(), "limit", defaultListed, 1, MaxListed)
	if err != nil {
		return err
	}
	type referrer struct {
		Referrer text  `json:"referrer"`
		PV       int64 `json:"pv"`
	}
	out := struct {
		Referrers []referrer `json:"referrers"`
		Total     int        `json:"total"`
		Stale     bool       `json:"stale,omitempty"`

		StaleReason string `json:"stale_reason,omitempty"`
	}{Referrers: []referrer{}}
	all, stale, err := f.facet(ctx, &q, "referrer")
	if err != nil {
		return err
	}
	out.Total, out.Stale, out.StaleReason = len(all), stale, f.reason(q.site, stale)
	for _, r := range all[:min(len(all), limit)] {
		out.Referrers = append(out.Referrers, referrer{r.Name, r.PV})
	}
	return writeValue(ctx, &out)
}

// facet are the names of a facet, the most frequent first.
func (f *facts) facet(ctx *fasthttp.RequestCtx, q *siteSpan, name string) (all []FacetFacts, stale bool, err error) {
	err = f.series(ctx, q.site, func(ctx context.Context) (err error) {
		all, stale, err = f.cfg.Facts.Facet(ctx, q.site, name, q.from, q.to)
		return err
	})
	slices.SortFunc(all, func(a, b FacetFacts) int {
		return cmp.Or(cmp.Compare(b.PV, a.PV), cmp.Compare(a.Name, b.Name))
	})
	return all, stale, err
}

// adminFacets answers GET /api/admin/facets.
func (f *facts) adminFacets(ctx *fasthttp.RequestCtx) error {
	q, err := f.spanQuery(ctx, MaxSeriesDays, "facet", "limit", "format")
	if err != nil {
		return err
	}
	args := ctx.QueryArgs()
	limit, err := intArg(args, "limit", defaultFacets, 1, MaxListed)
	if err != nil {
		return err
	}
	format := string(args.Peek("format"))
	if format != "" && format != "json" && format != "csv" {
		return badValue("format", "must be json or csv")
	}
	out := struct {
		Site  string       `json:"site"`
		Facet string       `json:"facet"`
		From  calendarDate `json:"from"`
		To    calendarDate `json:"to"`
		Total int          `json:"total"`
		Rows  []FacetFacts `json:"rows"`
		Stale bool         `json:"stale,omitempty"`
	}{Site: q.site, Facet: string(args.Peek("facet")), From: calendarDate(q.from), To: calendarDate(q.to)}
	switch names := f.cfg.Facts.FacetNames(); {
	case out.Facet == "":
		return missing("facet")
	case !slices.Contains(names, out.Facet):
		return badValue("facet", "must be one of %s", strings.Join(names, ", "))
	}
	all, stale, err := f.facet(ctx, &q, out.Facet)
	if err != nil {
		return err
	}
	out.Total, out.Stale, out.Rows = len(all), stale, append([]FacetFacts{}, all[:min(len(all), limit)]...)
	if format == "csv" {
		return writeFacetTable(ctx, out.Facet, out.Rows)
	}
	return writeValue(ctx, &out)
}

// writeFacetTable answers the names of a facet as CSV (RFC 4180).
func writeFacetTable(ctx *fasthttp.RequestCtx, facet string, all []FacetFacts) error {
	rows := [][]string{{"name", "pv", "uv"}}
	for _, r := range all {
		uv := ""
		if r.UV != nil {
			uv = strconv.FormatInt(*r.UV, 10)
		}
		rows = append(rows, []string{Cell(string(r.Name)), strconv.FormatInt(r.PV, 10), uv})
	}
	return writeTable(ctx, facet+".csv", rows)
}
