package answers

import (
	"context"
	"fmt"
	"time"

	"ddkk-stats/counter"
	"ddkk-stats/parser"
	"ddkk-stats/queryapi"
)

// UniquePeriods implements queryapi.Facts: those whose visitors are counted.
func (f *Facts) UniquePeriods() (names []string) {
	for t := range parser.Term(f.cfg().Uniques) {
		names = append(names, t.String())
	}
	return names
}

// Uniques implements queryapi.Facts: weeks or months that Redis has not any more are the
// archive's, which counts them when they are over.
func (f *Facts) Uniques(ctx context.Context, site, page, period string, from, to time.Time) ([]queryapi.UniqueFacts, bool, error) {
	var t parser.Term
	for ; t < parser.NumTerms && t.String() != period; t++ {
	}
	today := f.reader.Today()
	var firsts []parser.Day
	for d := t.First(parser.DayOf(from)); d <= min(parser.DayOf(to), today); d = t.End(d) {
		firsts = append(firsts, d)
	}
	young := 0 // those that Redis may have
	for young < len(firsts) && t.End(firsts[len(firsts)-1-young]) > parser.DayOf(today.Date(time.UTC).AddDate(0, 0, -mayHaveTerms)) {
		young++
	}
	old := firsts[:len(firsts)-young]
	live, behind, ok := f.reader.Terms(ctx, site, page, t, firsts[len(old):])
	stale := !ok || behind
	archived := map[parser.Day]*int64{}
	if r, err := f.series.read(); err == nil && len(firsts) > 0 {
		for v, err := range r.Uniques(ctx, site, page, t, firsts[0], firsts[len(firsts)-1]) {
			if err != nil {
				return nil, stale, fmt.Errorf("%w: %w", queryapi.ErrArchiveAway, err)
			}
			archived[v.First] = v.UV
		}
	} else if err != nil && len(old) > 0 {
		return nil, stale, err
	}
	all := make([]queryapi.UniqueFacts, len(firsts))
	for i, d := range firsts {
		x := &all[i]
		*x = queryapi.UniqueFacts{Name: t.Name(d), From: dateOf(d), To: dateOf(t.End(d)).AddDate(0, 0, -1), Open: t.End(d) > today}
		x.UV = archived[d]
		if j := i - len(old); j >= 0 && ok && (live[j].There || x.Open) {
			if x.UV = nil; live[j].UV != counter.NotKnown {
				x.UV = &live[j].UV
			}
		}
	}
	return all, stale, nil
}

// mayHaveTerms is how many days after its end Redis may have a week or month: the longest
// UV_SET_TTL that is of use.
const mayHaveTerms = 15
