package counter

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/parser"
)

// PageSums are the views of pages over some days.
type PageSums struct {
	Span
	PV map[string]int64
}

// PageSums adds up the ranked lists of the days from..to that Redis still has:
// those of the last days. A list is scanned in pieces, so that nobody waits for
// it; a page that is counted meanwhile has its older or its newer number.
func (r *dayReads) PageSums(ctx context.Context, site string, from, to parser.Day) PageSums {
	s := PageSums{Span: r.spanSince(HotDayTTL), PV: map[string]int64{}}
	for _, d := range r.span(from, to, s.Since) {
		pages := map[string]int64{} // a scan may show a page twice
		for cursor, begun := uint64(0), false; !begun || cursor != 0; begun = true {
			lag, ok := r.lagTrip(ctx, site, false, func(ctx context.Context, pipe redis.Pipeliner) error {
				scan := pipe.ZScan(ctx, r.keys.HotDay(site, d), cursor, "", pieceMembers)
				if _, err := pipe.Exec(ctx); err != nil {
					return err
				}
				piece, next := scan.Val()
				for i := 0; i+1 < len(piece); i += 2 {
					score, err := strconv.ParseFloat(piece[i+1], 64)
					if err != nil {
						return fmt.Errorf("read views of %q: %w", piece[i], err)
					}
					pages[piece[i]] = int64(score)
				}
				cursor = next
				return nil
			})
			if !ok {
				return PageSums{Span: Span{Since: s.Since, Stale: true}}
			}
			s.Behind = s.Behind || lag&lagPages != 0
		}
		for page, pv := range pages {
			s.PV[page] += pv
		}
	}
	if s.Stale = r.markedStale(site); s.Stale {
		s.PV = nil
	}
	return s
}

// PageVisitors are the total visitors of pages, without what an earlier counter
// had, and the views that their site had before the day Since.
type PageVisitors struct {
	UV     []int64 // in the order of the pages
	Before int64
	Since  parser.Day
}

// PageVisitors reads the visitors of pages. Since is the day from, or the first
// one that Redis knows all about, if that is later. Together with the archive's
// sums the numbers tell the visitors of pages since a day. ok is false where
// Redis cannot be asked, or has page changes that are not spread yet.
func (r *dayReads) PageVisitors(ctx context.Context, site string, from parser.Day, pages []string) (v PageVisitors, ok bool) {
	v.Since = max(from, r.since(DayKeysTTL))
	days := r.span(v.Since, 99991231, v.Since)
	keys := make([]string, 0, 1+len(days)+len(pages))
	keys = append(keys, r.keys.SitePV(site))
	for _, d := range days {
		keys = append(keys, r.keys.SitePVDay(site, d))
	}
	for _, p := range pages {
		keys = append(keys, r.keys.PageUV(site, p))
	}
	lag, ok := r.lagTrip(ctx, site, false, func(ctx context.Context, pipe redis.Pipeliner) error {
		values := pipe.MGet(ctx, keys...)
		_, err := pipe.Exec(ctx)
		if err != nil {
			return err
		}
		numbers := make([]int64, len(keys))
		for i, x := range values.Val() {
			if numbers[i], err = replyCount(x); err != nil {
				return fmt.Errorf("read visitors of pages of %s: %w", site, err)
			}
		}
		v.Before, v.UV = numbers[0], numbers[1+len(days):]
		for _, n := range numbers[1 : 1+len(days)] {
			v.Before -= n
		}
		return nil
	})
	return v, ok && lag&lagPages == 0
}

// Today is the day in the reader's zone.
func (r *asking) Today() parser.Day { return parser.DayOf(r.opt.Now().In(r.opt.Location)) }
