package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
	"ddkk-stats/internal/vault"
	"ddkk-stats/parser"
)

// givenAtOnce is how many sites one pass through all keys takes away.
const givenAtOnce = 1000

// GiveBack gives the places back, where all are taken, of sites that one visitor came to at
// most before this day: strangers may have made them up. Nothing is lost: the archive has all of
// such a site, and a view that comes has it made anew (docs/design/caps.md). It is the daemon's to
// do, which knows what the archive has; another makes such a site anew until it has learnt that.
func GiveBack(ctx context.Context, v *vault.Vault, now time.Time) error {
	a, err := v.Open(ctx)
	if err != nil {
		return err
	}
	cfg := v.Cfg()
	if v.Rdb == nil || len(cfg.Sites) > 0 {
		return nil
	}
	taken, err := v.Rdb.SMembers(ctx, v.Keys.Sites()).Result()
	if err != nil {
		return fmt.Errorf("read sites: %w", err)
	}
	if len(taken) < cfg.MaxSites {
		return nil
	}
	lonely, err := a.Read().LonelySites(ctx, parser.DayOf(now.In(cfg.Timezone)))
	if err != nil {
		return fmt.Errorf("look for sites without a second visitor: %w", err)
	}
	slices.Sort(taken)
	lonely = slices.DeleteFunc(lonely, func(s string) bool {
		_, there := slices.BinarySearch(taken, s)
		return !there
	})
	archived, err := a.ArchivedSegments(ctx)
	if err != nil {
		return err
	}
	given := 0
	for some := range slices.Chunk(lonely, givenAtOnce) {
		var all []string
		for _, site := range some {
			whole, err := inArchive(ctx, v, site, archived)
			if err != nil {
				return err
			}
			if whole {
				all = append(all, site)
			}
		}
		if len(all) == 0 {
			continue
		}
		done, err := v.GiveBack(ctx, all)
		if given += len(done); err != nil {
			return fmt.Errorf("give places of sites back: %w", err)
		}
	}
	if given > 0 {
		v.Log.Warn("all places of sites are taken: those that nobody came to a second time gave theirs back; the archive has their views, and a view that comes brings them back. List yours in SITES",
			"sites", given, "limit", cfg.MaxSites)
	}
	return nil
}

// inArchive tells whether the archive has all that was counted of a site, and Redis knows of no
// second visitor either.
func inArchive(ctx context.Context, v *vault.Vault, site string, archived map[string]archive.ArchivedSegment) (bool, error) {
	uv, err := v.Rdb.Get(ctx, v.Keys.SiteUV(site)).Int64()
	if errors.Is(err, redis.Nil) {
		err = nil
	}
	if err != nil || uv > 1 {
		return false, err
	}
	offsets, err := counter.Offsets(ctx, v.Rdb, v.Keys, site)
	if err != nil {
		return false, err
	}
	for id, n := range offsets {
		if whole, ok := archived[id]; n > 0 && (!ok || n > whole.End) {
			return false, nil
		}
	}
	return true, nil
}
