package jobs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
)

// Figures are what is shown of a day's views.
type Figures struct{ PV, UV, Bot int64 }

// CallFigures are what is shown of a day's API calls.
type CallFigures struct{ Calls, Failed, Endpoints int64 }

// Shown is what Redis shows of days that are not wholly archived.
type Shown struct {
	Views map[archive.SiteDay]Figures
	Calls map[archive.SiteDay]CallFigures
}

// shown reads from Redis what it shows of days that are not wholly archived.
func (r *Recount) shown(ctx context.Context, sites []string) (all Shown, err error) {
	all = Shown{map[archive.SiteDay]Figures{}, map[archive.SiteDay]CallFigures{}}
	if r.V.Rdb == nil {
		return all, nil
	}
	for _, site := range sites {
		for day := range r.tails.Days {
			d := archive.SiteDay{Site: site, Day: day}
			if all.Views[d], err = r.shownViews(ctx, d); err != nil {
				return all, fmt.Errorf("read what is shown: %w", err)
			}
		}
		for day := range r.tails.Calls {
			d := archive.SiteDay{Site: site, Day: day}
			if all.Calls[d], err = r.shownCalls(ctx, d); err != nil {
				return all, fmt.Errorf("read what is shown: %w", err)
			}
		}
	}
	return all, nil
}

func (r *Recount) shownViews(ctx context.Context, d archive.SiteDay) (f Figures, err error) {
	k, rdb := r.V.Keys, r.V.Rdb
	for _, x := range []struct {
		into *int64
		cmd  *redis.StringCmd
	}{
		{&f.PV, rdb.Get(ctx, k.SitePVDay(d.Site, d.Day))}, {&f.UV, rdb.Get(ctx, k.SiteUVDay(d.Site, d.Day))},
		{&f.Bot, rdb.HGet(ctx, k.Books(d.Site, d.Day), "bot")},
	} {
		if *x.into, err = x.cmd.Int64(); err != nil && !errors.Is(err, redis.Nil) {
			return f, err
		}
	}
	return f, nil
}

func (r *Recount) shownCalls(ctx context.Context, d archive.SiteDay) (f CallFigures, err error) {
	key, rdb := r.V.Keys.Calls(d.Site, counter.CallDay(d.Day.Date(time.UTC))), r.V.Rdb
	for _, x := range []struct {
		into *int64
		cmd  *redis.StringCmd
	}{{&f.Calls, rdb.HGet(ctx, key, counter.CallTotal)}, {&f.Failed, rdb.HGet(ctx, key, counter.CallFailed)}} {
		if *x.into, err = x.cmd.Int64(); err != nil && !errors.Is(err, redis.Nil) {
			return f, err
		}
	}
	names, err := rdb.HKeys(ctx, key).Result()
	for _, name := range names {
		if strings.HasPrefix(name, counter.CallEndpoint) {
			f.Endpoints++
		}
	}
	return f, err
}
