package queryapi

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/valyala/fasthttp"
)

const (
	// MaxHourDays is the longest span of hours.
	MaxHourDays = 366
	// shownMinutes are those of /api/admin/minutes.
	shownMinutes = 30
)

// NewReferrerFacts are the views that a host led to.
func NewReferrerFacts(host string, pv int64) ReferrerFacts {
	return ReferrerFacts{Referrer: text(host), PV: pv}
}

// adminHours answers GET /api/admin/hours: 24 hours of each day of a span.
func (s *Server) adminHours(ctx *fasthttp.RequestCtx) error {
	q, err := s.spanQuery(ctx, MaxHourDays)
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
	err = s.series(ctx, q.site, func(ctx context.Context) error {
		all, stale, err := s.cfg.Facts.Hours(ctx, q.site, q.from, q.to)
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
	out.StaleReason = s.reason(q.site, out.Stale)
	return writeValue(ctx, &out)
}

// adminMinutes answers GET /api/admin/minutes.
func (s *Server) adminMinutes(ctx *fasthttp.RequestCtx) error {
	site, err := s.onlySite(ctx.QueryArgs())
	if err != nil {
		return err
	}
	var out struct {
		Minutes     []MinuteFacts `json:"minutes"`
		Stale       bool          `json:"stale,omitempty"`
		StaleReason string        `json:"stale_reason,omitempty"`
	}
	out.Minutes, out.Stale = s.cfg.Facts.Minutes(s.base, site, shownMinutes)
	for i := range out.Minutes {
		out.Minutes[i].Time = out.Minutes[i].Time.UTC()
	}
	out.StaleReason = s.reason(site, out.Stale)
	return writeValue(ctx, &out)
}

// adminReferrers answers GET /api/admin/referrers.
func (s *Server) adminReferrers(ctx *fasthttp.RequestCtx) error {
	q, err := s.spanQuery(ctx, MaxSeriesDays, "limit")
	if err != nil {
		return err
	}
	limit, err := intArg(ctx.QueryArgs(), "limit", defaultListed, 1, MaxListed)
	if err != nil {
		return err
	}
	var out struct {
		Referrers   []ReferrerFacts `json:"referrers"`
		Total       int             `json:"total"`
		Stale       bool            `json:"stale,omitempty"`
		StaleReason string          `json:"stale_reason,omitempty"`
	}
	err = s.series(ctx, q.site, func(ctx context.Context) (err error) {
		out.Referrers, out.Stale, err = s.cfg.Facts.Referrers(ctx, q.site, q.from, q.to)
		return err
	})
	if err != nil {
		return err
	}
	slices.SortFunc(out.Referrers, func(a, b ReferrerFacts) int {
		return cmp.Or(cmp.Compare(b.PV, a.PV), cmp.Compare(a.Referrer, b.Referrer))
	})
	out.Total = len(out.Referrers)
	out.Referrers = append([]ReferrerFacts{}, out.Referrers[:min(out.Total, limit)]...)
	out.StaleReason = s.reason(q.site, out.Stale)
	return writeValue(ctx, &out)
}
