package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
	"ddkk-stats/parser"
)

// figures are what is shown of a day's views.
type figures struct{ pv, uv, bot int64 }

// callFigures are what is shown of a day's API calls.
type callFigures struct{ calls, failed, endpoints int64 }

// shown is what Redis shows of days that are not wholly archived.
type shown struct {
	views map[archive.SiteDay]figures
	calls map[archive.SiteDay]callFigures
}

// shown reads from Redis what it shows of days that are not wholly archived.
func (r *recounting) shown(ctx context.Context, sites []string) (all shown, err error) {
	all = shown{map[archive.SiteDay]figures{}, map[archive.SiteDay]callFigures{}}
	if r.v.Rdb == nil {
		return all, nil
	}
	for _, site := range sites {
		for day := range r.tails.days {
			d := archive.SiteDay{Site: site, Day: day}
			if all.views[d], err = r.shownViews(ctx, d); err != nil {
				return all, fmt.Errorf("read what is shown: %w", err)
			}
		}
		for day := range r.tails.calls {
			d := archive.SiteDay{Site: site, Day: day}
			if all.calls[d], err = r.shownCalls(ctx, d); err != nil {
				return all, fmt.Errorf("read what is shown: %w", err)
			}
		}
	}
	return all, nil
}

func (r *recounting) shownViews(ctx context.Context, d archive.SiteDay) (f figures, err error) {
	k, rdb := r.v.Keys, r.v.Rdb
	for _, x := range []struct {
		into *int64
		cmd  *redis.StringCmd
	}{
		{&f.pv, rdb.Get(ctx, k.SitePVDay(d.Site, d.Day))}, {&f.uv, rdb.Get(ctx, k.SiteUVDay(d.Site, d.Day))},
		{&f.bot, rdb.HGet(ctx, k.Books(d.Site, d.Day), "bot")},
	} {
		if *x.into, err = x.cmd.Int64(); err != nil && !errors.Is(err, redis.Nil) {
			return f, err
		}
	}
	return f, nil
}

func (r *recounting) shownCalls(ctx context.Context, d archive.SiteDay) (f callFigures, err error) {
	key, rdb := r.v.Keys.Calls(d.Site, counter.CallDay(d.Day.Date(time.UTC))), r.v.Rdb
	for _, x := range []struct {
		into *int64
		cmd  *redis.StringCmd
	}{{&f.calls, rdb.HGet(ctx, key, counter.CallTotal)}, {&f.failed, rdb.HGet(ctx, key, counter.CallFailed)}} {
		if *x.into, err = x.cmd.Int64(); err != nil && !errors.Is(err, redis.Nil) {
			return f, err
		}
	}
	names, err := rdb.HKeys(ctx, key).Result()
	for _, name := range names {
		if strings.HasPrefix(name, counter.CallEndpoint) {
			f.endpoints++
		}
	}
	return f, err
}

func dayText(d parser.Day) string { return d.Date(time.UTC).Format(time.DateOnly) }
