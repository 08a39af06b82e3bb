package counter

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/parser"
)

// HourCount are the views of people and of bots in one hour of a day, or in
// one minute.
type HourCount struct{ PV, Bot int64 }

// MinuteCount are the views of the minute that begins at Time.
type MinuteCount struct {
	Time    time.Time
	PV, Bot int64
}

// Minutes reads the views of the last n minutes, oldest first; the last one is
// still running. Where the clocks are set back, the minutes that come twice have
// the views of both. stale says that Redis could not be asked: then all are 0.
func (r *Reader) Minutes(ctx context.Context, site string, n int) (all []MinuteCount, stale bool) {
	now := r.opt.Now().In(r.opt.Location).Truncate(time.Minute)
	all = make([]MinuteCount, n)
	fields := map[parser.Day][]string{}
	place := map[parser.Day][]int{}
	for i := range all {
		at := now.Add(time.Duration(i-n+1) * time.Minute)
		all[i].Time = at
		d, minute := parser.DayOf(at), 60*at.Hour()+at.Minute()
		fields[d] = append(fields[d], MinuteField(minute, false), MinuteField(minute, true))
		place[d] = append(place[d], i)
	}
	ok := r.trip(ctx, site, false, func(ctx context.Context, pipe redis.Pipeliner) error {
		replies := map[parser.Day]*redis.SliceCmd{}
		for d, f := range fields {
			replies[d] = pipe.HMGet(ctx, r.keys.Minutes(site, d), f...)
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return fmt.Errorf("read minutes of %s: %w", site, err)
		}
		for d, reply := range replies {
			for j, i := range place[d] {
				var err error
				if all[i].PV, err = replyCount(reply.Val()[2*j]); err != nil {
					return err
				}
				if all[i].Bot, err = replyCount(reply.Val()[2*j+1]); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return all, !ok
}

// ReferrerSums are the views that hosts led to over some days. Since and Stale
// as in Series.
type ReferrerSums struct {
	PV    map[string]int64 // by host, "" for none
	Since parser.Day
	Stale bool
}

// Referrers adds up the days from..to.
func (r *Reader) Referrers(ctx context.Context, site string, from, to parser.Day) ReferrerSums {
	s := ReferrerSums{Since: r.since(DayKeysTTL), PV: map[string]int64{}}
	days := r.span(from, to, s.Since)
	s.Stale = !r.trip(ctx, site, len(days) == 0, func(ctx context.Context, pipe redis.Pipeliner) error {
		replies := make([]*redis.MapStringStringCmd, len(days))
		for i, d := range days {
			replies[i] = pipe.HGetAll(ctx, r.keys.Referrers(site, d))
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return fmt.Errorf("read referrers of %s: %w", site, err)
		}
		for _, reply := range replies {
			for host, text := range reply.Val() {
				n, err := strconv.ParseInt(text, 10, 64)
				if err != nil {
					return fmt.Errorf("read referrers of %s: %w", site, err)
				}
				s.PV[host] += n
			}
		}
		return nil
	})
	if s.Stale {
		s.PV = nil
	}
	return s
}
