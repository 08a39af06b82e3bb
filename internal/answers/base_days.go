package answers

import (
	"context"

	"ddkk-stats/parser"
	"ddkk-stats/queryapi"
)

// withBases adds to counted days, which are in order, what earlier counters had. Few sites
// have any: of the others SQL is asked nothing. lacks tells that SQL did not answer, and the
// days are told without it.
func (s *Series) withBases(ctx context.Context, q *queryapi.DaysQuery, days []queryapi.DayCount) (all []queryapi.DayCount, lacks bool) {
	from := parser.DayOf(q.From)
	if s.until == nil || s.until(q.Site) < from {
		return days, false
	}
	r, err := s.read()
	if err != nil {
		return days, true
	}
	bases, err := r.BaseDays(ctx, q.Site, q.Page, from, parser.DayOf(q.To))
	if err != nil {
		return days, true
	}
	for _, b := range bases {
		at := dateOf(b.Day)
		for len(days) > 0 && days[0].Date.Before(at) {
			all, days = append(all, days[0]), days[1:]
		}
		x := queryapi.DayCount{Date: at}
		if len(days) > 0 && days[0].Date.Equal(at) {
			x, days = days[0], days[1:]
		}
		x.BasePV, x.BaseUV = b.PV, b.UV
		all = append(all, x)
	}
	return append(all, days...), false
}
