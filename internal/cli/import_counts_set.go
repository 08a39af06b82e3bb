package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
	"ddkk-stats/internal/importer"
)

// shownChanges is how many changes are printed one by one.
const shownChanges = 20

// set keeps the counts in the archive, all or none, and shows them in Redis.
func (c *countsRun) set(ctx context.Context, opt countsOptions, counts []importer.Count) error {
	all, sites := make([]archive.Baseline, 0, len(counts)), []string(nil)
	for _, n := range counts {
		all = append(all, archive.Baseline{Source: opt.source, Site: n.Site, Page: n.Page, PV: n.PV, UV: n.UV})
		if len(sites) == 0 || sites[len(sites)-1] != n.Site {
			sites = append(sites, n.Site)
		}
	}
	was, err := c.known(ctx, opt)
	if err != nil {
		return err
	}
	if err := printChanges(c.cmd.OutOrStdout(), was, all); err != nil {
		return err
	}
	if opt.dryRun {
		_, err := fmt.Fprintln(c.cmd.OutOrStdout(), "dry run: nothing was changed")
		return err
	}
	a, err := c.v.Open(ctx)
	if err != nil {
		return err
	}
	if err := a.SetBaselines(ctx, all); err != nil {
		return err
	}
	return c.show(ctx, sites, all)
}

// show writes the values into Redis, also where one is gone from the archive.
func (c *countsRun) show(ctx context.Context, sites []string, all []archive.Baseline) error {
	if c.v.Rdb == nil {
		_, err := fmt.Fprintln(c.cmd.OutOrStdout(), "REDIS_ADDR is not set: a daemon with the embedded store shows this after its next start")
		return err
	}
	for _, site := range sites {
		var gone []counter.Base
		for _, b := range all {
			if b.Site == site && b.PV == 0 && b.UV == 0 {
				gone = append(gone, counter.Base{Page: b.Page})
			}
		}
		err := c.v.SetBase(ctx, site, gone)
		if err == nil {
			err = c.v.RestoreBase(ctx, site)
		}
		if err != nil {
			return fmt.Errorf("%w; the counts are kept: run the same command again", err)
		}
		if err := c.v.Rdb.SAdd(ctx, c.v.Keys.Sites(), site).Err(); err != nil {
			return fmt.Errorf("note site: %w", err)
		}
	}
	return nil
}

type baseKey struct{ site, page string }

// known is what the source has set so far. A dry run makes no archive.
func (c *countsRun) known(ctx context.Context, opt countsOptions) (map[baseKey]archive.Baseline, error) {
	was := map[baseKey]archive.Baseline{}
	if opt.dryRun && c.v.Cfg().MySQLDSN == "" {
		if _, err := os.Stat(filepath.Join(c.v.Cfg().DataDir, "archive.db")); errors.Is(err, os.ErrNotExist) {
			return was, nil
		}
	}
	a, err := c.v.Open(ctx)
	if err != nil {
		return nil, err
	}
	for b, err := range a.Baselines(ctx, "") {
		if err != nil {
			return nil, err
		}
		if b.Source == opt.source {
			was[baseKey{b.Site, b.Page}] = b
		}
	}
	return was, nil
}

func printChanges(w io.Writer, was map[baseKey]archive.Baseline, all []archive.Baseline) error {
	var b strings.Builder
	changed := 0
	for _, n := range all {
		old := was[baseKey{n.Site, n.Page}]
		if old.PV == n.PV && old.UV == n.UV {
			continue
		}
		if changed++; changed > shownChanges {
			continue
		}
		what := n.Site + ", the whole site"
		if n.Page != "" {
			what = fmt.Sprintf("%s %q", n.Site, n.Page)
		}
		fmt.Fprintf(&b, "%s: pv %s, uv %s\n", what, change(old.PV, n.PV), change(old.UV, n.UV))
	}
	if changed > shownChanges {
		fmt.Fprintf(&b, "... and %d more\n", changed-shownChanges)
	}
	fmt.Fprintf(&b, "%d values, %d of them new or changed\n", len(all), changed)
	_, err := fmt.Fprint(w, b.String())
	return err
}

// soxftRedis reads the Redis of a soxft/busuanzi.
type soxftRedis struct{ rdb redis.UniversalClient }

// Number implements importer.SoxftStore.
func (s soxftRedis) Number(ctx context.Context, key string) (int64, bool, error) {
	n, err := s.rdb.Get(ctx, key).Int64()
	if errors.Is(err, redis.Nil) {
		return 0, false, nil
	}
	return n, err == nil, err
}

// Scores implements importer.SoxftStore.
func (s soxftRedis) Scores(ctx context.Context, key string, members []string) ([]int64, error) {
	pipe := s.rdb.Pipeline()
	replies := make([]*redis.FloatCmd, len(members))
	for i, m := range members {
		replies[i] = pipe.ZScore(ctx, key, m)
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	out := make([]int64, len(members))
	for i, r := range replies {
		score, err := r.Result()
		switch {
		case errors.Is(err, redis.Nil):
			out[i] = -1
		case err != nil:
			return nil, fmt.Errorf("read %s: %w", key, err)
		default:
			out[i] = int64(score)
		}
	}
	return out, nil
}

// Card implements importer.SoxftStore.
func (s soxftRedis) Card(ctx context.Context, key string) (int64, error) {
	return s.rdb.ZCard(ctx, key).Result()
}

// Visitors implements importer.SoxftStore.
func (s soxftRedis) Visitors(ctx context.Context, keys []string) ([]int64, error) {
	pipe := s.rdb.Pipeline()
	types := make([]*redis.StatusCmd, len(keys))
	for i, k := range keys {
		types[i] = pipe.Type(ctx, k)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, fmt.Errorf("read visitors: %w", err)
	}
	sizes := make([]*redis.IntCmd, len(keys))
	for i, k := range keys {
		switch types[i].Val() {
		case "set":
			sizes[i] = pipe.SCard(ctx, k)
		case "string":
			sizes[i] = pipe.PFCount(ctx, k)
		}
	}
	if pipe.Len() > 0 {
		if _, err := pipe.Exec(ctx); err != nil {
			return nil, fmt.Errorf("read visitors: %w", err)
		}
	}
	out := make([]int64, len(keys))
	for i, r := range sizes {
		if r != nil {
			out[i] = r.Val()
		}
	}
	return out, nil
}
