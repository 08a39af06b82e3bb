package reports

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrStale says that the numbers are not those of now: a report waits until they are.
var ErrStale = errors.New("the numbers are stale")

// Source is asked for the figures of whole days. What it cannot tell exactly is an error.
type Source interface {
	Sites(ctx context.Context) ([]string, error)
	Sums(ctx context.Context, site string, from, to time.Time) (Sums, error)
	Days(ctx context.Context, site string, from, to time.Time) ([]Day, error)
	Pages(ctx context.Context, site string, from, to time.Time, limit int) ([]Row, error)
	// Facet are the names of a facet; none where it is not counted.
	Facet(ctx context.Context, site, facet string, from, to time.Time, limit int) ([]Row, error)
}

// Sums are views and visitors; visitors are those of each day, added up.
type Sums struct{ PV, UV int64 }

// Day is one day.
type Day struct {
	Date time.Time
	Sums
}

// Row is a name and its views, and visitors where they are known.
type Row struct {
	Name string
	PV   int64
	UV   *int64
}

// Line is a site in a report of all.
type Line struct {
	Site        string
	Now, Before Sums
}

// Site is how one site went.
type Site struct {
	Line
	Days                        []Day
	Pages, Referrers, Countries []Row
}

// Report is what one is told. Lines are only in a report of all sites, with the busiest
// first; Sites are those that are told of at length.
type Report struct {
	Site  string // empty: all
	Span  Span
	Made  time.Time
	Now   Sums // of all sites, or of the one
	Prior Sums
	Lines []Line
	Total int // of sites
	Sites []Site
}

// How much one report has.
const (
	maxRows  = 10
	maxLines = 50
	maxSites = 10
)

// Gather asks for the figures of a site, or of those that see lets through where site is
// empty.
func Gather(ctx context.Context, src Source, site string, span Span, now time.Time) (*Report, error) {
	r := &Report{Site: site, Span: span, Made: now}
	names := []string{site}
	if site == "" {
		var err error
		if names, err = src.Sites(ctx); err != nil {
			return nil, fmt.Errorf("gather a report: %w", err)
		}
	}
	var lines []Line
	for _, name := range names {
		l := Line{Site: name}
		var err error
		if l.Now, err = src.Sums(ctx, name, span.From, span.To); err != nil {
			return nil, fmt.Errorf("gather a report of %s: %w", name, err)
		}
		if l.Before, err = src.Sums(ctx, name, span.Before, span.Till); err != nil {
			return nil, fmt.Errorf("gather a report of %s: %w", name, err)
		}
		r.Now.PV, r.Now.UV = r.Now.PV+l.Now.PV, r.Now.UV+l.Now.UV
		r.Prior.PV, r.Prior.UV = r.Prior.PV+l.Before.PV, r.Prior.UV+l.Before.UV
		lines = append(lines, l)
	}
	slices.SortFunc(lines, func(a, b Line) int {
		return cmp.Or(cmp.Compare(b.Now.PV, a.Now.PV), cmp.Compare(b.Before.PV, a.Before.PV), cmp.Compare(a.Site, b.Site))
	})
	r.Total = len(lines)
	if site == "" {
		r.Lines = lines[:min(len(lines), maxLines)]
	}
	for _, l := range lines[:min(len(lines), maxSites)] {
		if site == "" && l.Now.PV == 0 {
			break
		}
		s, err := gatherSite(ctx, src, l, span)
		if err != nil {
			return nil, fmt.Errorf("gather a report of %s: %w", l.Site, err)
		}
		r.Sites = append(r.Sites, *s)
	}
	return r, nil
}

func gatherSite(ctx context.Context, src Source, l Line, span Span) (*Site, error) {
	s := &Site{Line: l}
	days, err := src.Days(ctx, l.Site, span.From, span.To)
	if err != nil {
		return nil, err
	}
	for d := span.From; !d.After(span.To); d = d.AddDate(0, 0, 1) {
		day := Day{Date: d}
		if len(days) > 0 && days[0].Date.Equal(d) {
			day, days = days[0], days[1:]
		}
		s.Days = append(s.Days, day)
	}
	if s.Pages, err = src.Pages(ctx, l.Site, span.From, span.To, maxRows); err != nil {
		return nil, err
	}
	for facet, to := range map[string]*[]Row{"referrer": &s.Referrers, "country": &s.Countries} {
		if *to, err = src.Facet(ctx, l.Site, facet, span.From, span.To, maxRows); err != nil {
			return nil, err
		}
	}
	return s, nil
}
