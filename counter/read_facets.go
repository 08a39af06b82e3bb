package counter

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/parser"
)

// MinuteCount are the views of the minute that begins at Time.
type MinuteCount struct {
	Time    time.Time
	PV, Bot int64
}

// Minutes reads the views of the last n minutes, oldest first; the last one is
// still running. Where the clocks are set back, the minutes that come twice have
// the views of both. stale says that Redis could not be asked: then all are 0, or that counting
// waits for it.
func (r *dayReads) Minutes(ctx context.Context, site string, n int) (all []MinuteCount, stale bool) {
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
	return all, !ok || r.waits.Load()
}

// FacetCount are the views of a name of a facet, of people and of bots.
type FacetCount struct{ PV, Bot int64 }

// FacetDay is what Redis has of a facet on one day, by name.
type FacetDay struct {
	Day   parser.Day
	Names map[string]FacetCount
}

// FacetSeries is what Redis has of a facet on the days that were asked for.
type FacetSeries struct {
	Span
	Days []FacetDay // in order, without those that have nothing
}

// Facet reads the names of a facet on the days from..to: those in the days' hashes
// and those that are not spread yet, of one moment.
func (r *dayReads) Facet(ctx context.Context, site string, f parser.Facet, from, to parser.Day) FacetSeries {
	s := FacetSeries{Span: r.spanSince(FacetTTL)}
	days := r.span(from, to, s.Since)
	s.Span = r.tripSpan(ctx, s.Span, site, len(days) == 0, func(ctx context.Context, _ redis.Pipeliner) (err error) {
		s.Days, err = r.readFacet(ctx, site, f, days)
		return err
	})
	if s.Stale {
		s.Days = nil
	}
	return s
}

func (r *dayReads) readFacet(ctx context.Context, site string, f parser.Facet, days []parser.Day) ([]FacetDay, error) {
	hashes := make([]*redis.MapStringStringCmd, len(days))
	var waiting *redis.StringSliceCmd
	_, err := r.rdb.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, d := range days {
			hashes[i] = pipe.HGetAll(ctx, r.keys.Facets(site, d))
		}
		waiting = pipe.LRange(ctx, r.keys.FacetsPending(site), 0, -1)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read facets of %s: %w", site, err)
	}
	all := map[parser.Day]map[string]FacetCount{}
	for i, d := range days {
		all[d] = map[string]FacetCount{}
		for field, text := range hashes[i].Val() {
			of, name, bots, ok := parser.FieldOf(field)
			if !ok || of != f {
				continue
			}
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return nil, fmt.Errorf("read facets of %s: %w", site, err)
			}
			c := all[d][name]
			if bots {
				c.Bot += n
			} else {
				c.PV += n
			}
			all[d][name] = c
		}
	}
	for _, e := range waiting.Val() {
		err := readPending(e, func(p pendingPage) {
			of, name, _, ok := parser.FieldOf(p.name)
			if names := all[p.day]; ok && of == f && names != nil {
				c := names[name]
				names[name] = FacetCount{c.PV + p.pv, c.Bot + p.uv}
			}
		})
		if err != nil {
			return nil, fmt.Errorf("read facets of %s: %w", site, err)
		}
	}
	var out []FacetDay
	for _, d := range days {
		if len(all[d]) > 0 {
			out = append(out, FacetDay{d, all[d]})
		}
	}
	return out, nil
}
