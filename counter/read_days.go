package counter

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/parser"
)

// DayCount is one day of a site, or of one of its pages.
type DayCount struct {
	Day    parser.Day
	PV, UV int64
}

// Span tells what Redis' answer about some days is worth. Since is the first day that
// it knows all about: a day from there on that is not in the answer has nothing.
// Earlier days are the archive's. When Stale is set, Redis could not be asked
// (or the site is being rebuilt or counted again) and the answer is empty: all days are
// the archive's. Behind says that the answer lacks what came just now: counting waits for
// Redis, or page changes wait to be spread over the pages' keys.
type Span struct {
	Since         parser.Day
	Stale, Behind bool
}

// Old tells that whoever is answered by it must be told that it is.
func (s Span) Old() bool { return s.Stale || s.Behind }

// Series is what Redis has of a span of days.
type Series struct {
	Span
	Days []DayCount // in order, without the days that have nothing
}

// Days reads the views and visitors of a site on the days from..to.
func (r *dayReads) Days(ctx context.Context, site string, from, to parser.Day) Series {
	s := Series{Span: r.spanSince(DayKeysTTL)}
	days := r.span(from, to, s.Since)
	s.Span = r.tripSpan(ctx, s.Span, site, len(days) == 0, func(ctx context.Context, pipe redis.Pipeliner) error {
		keys := make([]string, 0, 2*len(days))
		for _, d := range days {
			keys = append(keys, r.keys.SitePVDay(site, d), r.keys.SiteUVDay(site, d))
		}
		values := pipe.MGet(ctx, keys...)
		_, err := pipe.Exec(ctx)
		if err == nil {
			s.Days, err = dayCounts(days, values.Val())
		}
		return err
	})
	if s.Stale {
		s.Days = nil
	}
	return s
}

// dayCounts takes the replies of an MGET of two keys a day.
func dayCounts(days []parser.Day, values []any) ([]DayCount, error) {
	counts := make([]DayCount, 0, len(days))
	for i, d := range days {
		pv, err := replyCount(values[2*i])
		if err != nil {
			return nil, fmt.Errorf("read day %d: %w", d, err)
		}
		uv, err := replyCount(values[2*i+1])
		if err != nil {
			return nil, fmt.Errorf("read day %d: %w", d, err)
		}
		if pv != 0 || uv != 0 {
			counts = append(counts, DayCount{Day: d, PV: pv, UV: uv})
		}
	}
	return counts, nil
}

// PageDays reads the views of a page on the days from..to out of the days'
// ranked lists, which live for two days. Redis has no visitors of a page and
// day: UV is 0.
func (r *dayReads) PageDays(ctx context.Context, site, page string, from, to parser.Day) Series {
	s := Series{Span: r.spanSince(HotDayTTL)}
	days := r.span(from, to, s.Since)
	lag, ok := r.lagTrip(ctx, site, len(days) == 0, func(ctx context.Context, pipe redis.Pipeliner) error {
		s.Days = nil
		scores := make([]*redis.FloatCmd, len(days))
		for i, d := range days {
			scores[i] = pipe.ZScore(ctx, r.keys.HotDay(site, d), page)
		}
		if _, err := pipe.Exec(ctx); err != nil && !isNil(err) {
			return err
		}
		for i, c := range scores {
			pv, err := c.Result()
			if err != nil && !isNil(err) {
				return err
			}
			if pv != 0 {
				s.Days = append(s.Days, DayCount{Day: days[i], PV: int64(pv)})
			}
		}
		return nil
	})
	if s.Stale, s.Behind = !ok, lag&lagPages != 0; s.Stale {
		s.Days = nil
	}
	return s
}

// trip asks Redis for something of a site, unless it failed a moment ago or the
// site's numbers are not whole. nothing says that there is nothing to ask. How the
// site is waits in the pipeline that ask gets, which is for its first questions.
func (r *asking) trip(ctx context.Context, site string, nothing bool, ask tripAsk) bool {
	_, ok := r.lagTrip(ctx, site, nothing, ask)
	return ok
}

// tripSpan is trip for an answer about some days.
func (r *asking) tripSpan(ctx context.Context, s Span, site string, nothing bool, ask tripAsk) Span {
	s.Stale = !r.trip(ctx, site, nothing, ask)
	s.Behind = !s.Stale && !nothing && r.waits.Load()
	return s
}

type tripAsk func(ctx context.Context, pipe redis.Pipeliner) error

// lagTrip is trip, and tells what lags. A site "" is none in particular.
func (r *asking) lagTrip(ctx context.Context, site string, nothing bool, ask tripAsk) (lag uint64, ok bool) {
	if nothing {
		return 0, true
	}
	if r.markedStale(site) {
		return 0, false
	}
	b, ok := r.askSlowly(site)
	if !ok {
		return 0, false
	}
	rctx, cancel := context.WithTimeout(ctx, r.opt.Timeout)
	defer cancel()
	pipe, state := r.rdb.Pipeline(), (*stateAsked)(nil)
	if site != "" {
		state = r.askState(rctx, pipe, site)
	}
	err := ask(rctx, pipe)
	if err == nil && pipe.Len() > 0 { // it had questions of another kind only
		_, err = pipe.Exec(rctx)
	}
	b.leave(r.opt.Now(), r.opt.RetryAfter, err, ctx.Err() != nil)
	if err != nil || state == nil {
		return 0, err == nil
	}
	r.noteWhy(site, state)
	lag = state.lag()
	if r.waits.Load() {
		lag |= lagPages
	}
	return lag, state.whole()
}

func (r *asking) spanSince(ttl time.Duration) Span { return Span{Since: r.since(ttl)} }

// since is the first day whose keys, which die ttl after its end, will be there
// for another day at least: none can vanish while it is read.
func (r *asking) since(ttl time.Duration) parser.Day {
	return parser.DayOf(r.opt.Now().In(r.opt.Location).Add(-ttl)).Next()
}

// span lists the days from..to from since on. Tomorrow is the last day that can
// have anything: another host's clock may be ahead.
func (r *asking) span(from, to, since parser.Day) []parser.Day {
	last := min(to, parser.DayOf(r.opt.Now().In(r.opt.Location)).Next())
	var days []parser.Day
	for d := max(from, since); d <= last; d = d.Next() {
		days = append(days, d)
	}
	return slices.Clip(days)
}

// SitesDays reads the views of many sites on the days from..to, which must be days that
// Redis still has. A row is a site's days in order; nil: they could not be read.
func (r *dayReads) SitesDays(ctx context.Context, sites []string, from, to parser.Day) ([][]int64, error) {
	days := r.span(from, to, from)
	rows := make([][]int64, len(sites))
	eachTrip(sites, func(first int, trip []string) {
		read := rows[first : first+len(trip)]
		ok := r.trip(ctx, "", false, func(ctx context.Context, pipe redis.Pipeliner) error {
			return r.readSitesDays(ctx, pipe, trip, days, read)
		})
		if !ok {
			clear(read)
		}
	})
	return rows, ctx.Err()
}

func (r *dayReads) readSitesDays(ctx context.Context, pipe redis.Pipeliner, sites []string, days []parser.Day, rows [][]int64) error {
	answers := make([]*redis.SliceCmd, len(sites))
	keys := make([]string, len(days))
	for i, site := range sites {
		for j, d := range days {
			keys[j] = r.keys.SitePVDay(site, d)
		}
		answers[i] = pipe.MGet(ctx, keys...)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("read days of sites: %w", err)
	}
	for i, site := range sites {
		row := make([]int64, len(days))
		for j, v := range answers[i].Val() {
			n, err := replyCount(v)
			if err != nil {
				return fmt.Errorf("read day %d of %s: %w", days[j], site, err)
			}
			row[j] = n
		}
		rows[i] = row
	}
	return nil
}
