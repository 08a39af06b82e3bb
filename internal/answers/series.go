package answers

import (
	"context"
	"fmt"
	"time"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
	"ddkk-stats/parser"
	"ddkk-stats/queryapi"
)

// Series answers past days. A day that Redis still has is exact there, today
// included; what is older is the archive's. While Redis cannot be asked, the
// archive stands in for the newer days as well, as far as it has them.
type Series struct {
	reader *counter.Reader
	// archive is what SQL has, without waiting for SQL to come.
	archive func() (*archive.Archive, error)
	// until is the last day of earlier counters that a site has; 0: none. nil: no site has any.
	until func(site string) parser.Day
}

// NewSeries answers about the past from what reader and the archive have.
func NewSeries(reader *counter.Reader, archive func() (*archive.Archive, error)) *Series {
	return &Series{reader: reader, archive: archive}
}

// WithBases has the days of earlier counters told as well; until says which sites have any,
// without asking SQL.
func (s *Series) WithBases(until func(site string) parser.Day) *Series {
	s.until = until
	return s
}

// read opens a reader of what the archive has now.
func (s *Series) read() (*archive.Reader, error) {
	a, err := s.archive()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", queryapi.ErrArchiveAway, err)
	}
	return a.Read(), nil
}

// Days implements queryapi.Series.
func (s *Series) Days(ctx context.Context, q *queryapi.DaysQuery) ([]queryapi.DayCount, bool, error) {
	days, stale, err := s.counted(ctx, q)
	if err != nil {
		return nil, stale, err
	}
	days, lacks := s.withBases(ctx, q, days)
	return days, stale || lacks, nil
}

// counted are the days as they were counted here.
func (s *Series) counted(ctx context.Context, q *queryapi.DaysQuery) ([]queryapi.DayCount, bool, error) {
	if q.Page != "" {
		return s.pageDays(ctx, q)
	}
	from, to := parser.DayOf(q.From), parser.DayOf(q.To)
	live := s.reader.Days(ctx, q.Site, from, to)
	var days []queryapi.DayCount
	if last := archived(to, live.Since, live.Stale); from <= last {
		old, err := s.points(ctx, q, from, last)
		if err != nil {
			return nil, live.Old(), err
		}
		for _, p := range old {
			days = append(days, queryapi.DayCount{Date: dateOf(p.Day), PV: p.PV, UV: p.UV})
		}
	}
	for _, d := range live.Days {
		days = append(days, queryapi.DayCount{Date: dateOf(d.Day), PV: d.PV, UV: d.UV})
	}
	return days, live.Old(), nil
}

// pageDays is Days of a page. Redis has its views of the last days only, and
// no visitors: those are known once all of the day's views are archived.
func (s *Series) pageDays(ctx context.Context, q *queryapi.DaysQuery) ([]queryapi.DayCount, bool, error) {
	from, to := parser.DayOf(q.From), parser.DayOf(q.To)
	live := s.reader.PageDays(ctx, q.Site, q.Page, from, to)
	last := archived(to, live.Since, live.Stale)
	old, err := s.points(ctx, q, from, to)
	if err != nil && from <= last {
		return nil, live.Old(), err
	}
	var days []queryapi.DayCount
	visitors := map[parser.Day]archive.Point{} // of the days that Redis has
	for _, p := range old {
		if p.Day <= last {
			days = append(days, queryapi.DayCount{Date: dateOf(p.Day), PV: p.PV, UV: p.UV})
			continue
		}
		visitors[p.Day] = p
	}
	for _, d := range live.Days {
		p := visitors[d.Day]
		day := queryapi.DayCount{Date: dateOf(d.Day), PV: d.PV, UV: p.UV}
		if day.NoUV = p.PV != d.PV; day.NoUV {
			day.UV = 0
		}
		days = append(days, day)
	}
	return days, live.Old(), nil
}

func (s *Series) points(ctx context.Context, q *queryapi.DaysQuery, from, to parser.Day) ([]archive.Point, error) {
	r, err := s.read()
	if err != nil {
		return nil, err
	}
	all, err := r.History(ctx, q.Site, q.Page, from, to)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", queryapi.ErrArchiveAway, err)
	}
	return all, nil
}

// Events implements queryapi.Series.
func (s *Series) Events(ctx context.Context, q *queryapi.EventsQuery) (queryapi.EventPage, error) {
	want := counter.EventsQuery{Site: q.Site, Key: q.Key, From: parser.DayOf(q.From), To: parser.DayOf(q.To), Limit: q.Limit, Bytes: q.Bytes}
	if q.After != nil {
		want.After = counter.EventCount{Day: parser.DayOf(q.After.Date), Key: q.After.Key}
		want.From = max(want.From, want.After.Day)
	}
	live := s.reader.Events(ctx, &want)
	page := queryapi.EventPage{Stale: live.Old()}
	var err error
	if page.Rows, err = s.oldEvents(ctx, &want, archived(want.To, live.Since, live.Stale)); err != nil {
		return page, err
	}
	for _, e := range live.Rows {
		page.Rows = append(page.Rows, queryapi.EventCount{Date: dateOf(e.Day), Key: e.Key, PV: e.PV, UV: e.UV})
	}
	return page, nil
}

// oldEvents are the archive's rows up to the day last, one more than the bounds
// allow at most.
func (s *Series) oldEvents(ctx context.Context, q *counter.EventsQuery, last parser.Day) ([]queryapi.EventCount, error) {
	if q.From > last {
		return nil, nil
	}
	r, err := s.read()
	if err != nil {
		return nil, err
	}
	var rows []queryapi.EventCount
	bytes := 0
	for e, err := range r.EventDays(ctx, q.Site, q.From, last) {
		if err != nil {
			return nil, fmt.Errorf("%w: %w", queryapi.ErrArchiveAway, err)
		}
		if !q.Related(e.Name) || e.Day == q.After.Day && e.Name <= q.After.Key {
			continue
		}
		rows = append(rows, queryapi.EventCount{Date: dateOf(e.Day), Key: e.Name, PV: e.PV, UV: e.UV})
		if bytes += len(e.Name); len(rows) > q.Limit || q.Bytes > 0 && bytes > q.Bytes {
			break
		}
	}
	return rows, nil
}

// archived is the last day up to to that the archive has to answer: the one
// before Redis' first.
func archived(to, since parser.Day, stale bool) parser.Day {
	if stale {
		return to
	}
	return min(to, parser.DayOf(since.Date(time.UTC).AddDate(0, 0, -1)))
}

// dateOf is a day as queryapi has it.
func dateOf(d parser.Day) time.Time { return d.Date(time.UTC) }
