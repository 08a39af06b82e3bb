package counter

import (
	"context"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

// A base is what an earlier counter had counted. It is kept in keys of its
// own, added by reads, and touched neither by counting nor by a rebuild: what
// was counted stays a function of the log. Hot lists and days are without it.

// BasePV and BaseUV hold the base of a site's totals.
func (k Keys) BasePV(s string) string { return k.prefix + ":base:pv:" + k.site(s) } // String
func (k Keys) BaseUV(s string) string { return k.prefix + ":base:uv:" + k.site(s) } // String

// BasePagePV and BasePageUV hold the base of a page's totals.
func (k Keys) BasePagePV(s, page string) string { // String
	return k.prefix + ":base:page:pv:" + k.site(s) + ":" + page
}

func (k Keys) BasePageUV(s, page string) string { // String
	return k.prefix + ":base:page:uv:" + k.site(s) + ":" + page
}

// Base is the base of a page, or of the whole site where Page is "".
type Base struct {
	Page   string
	PV, UV int64
}

// SetBase makes all the base of a site: what is not among them has none after
// it. It sets absolute values and may be killed and run again.
func SetBase(ctx context.Context, rdb redis.UniversalClient, keys Keys, site string, all []Base) error {
	keep := make(map[string]bool, 2*len(all))
	set := make([]any, 0, 2*chunk)
	send := func() error {
		if len(set) == 0 {
			return nil
		}
		err := rdb.MSet(ctx, set...).Err()
		set = set[:0]
		return err
	}
	for _, b := range all {
		pv, uv := keys.BasePagePV(site, b.Page), keys.BasePageUV(site, b.Page)
		if b.Page == "" {
			pv, uv = keys.BasePV(site), keys.BaseUV(site)
		}
		if b.PV != 0 {
			set, keep[pv] = append(set, pv, b.PV), true
		}
		if b.UV != 0 {
			set, keep[uv] = append(set, uv, b.UV), true
		}
		if len(set) >= 2*chunk {
			if err := send(); err != nil {
				return fmt.Errorf("write base of %s: %w", site, err)
			}
		}
	}
	if err := send(); err != nil {
		return fmt.Errorf("write base of %s: %w", site, err)
	}
	if err := dropBase(ctx, rdb, keys, site, keep); err != nil {
		return fmt.Errorf("delete old base of %s: %w", site, err)
	}
	return nil
}

// dropBase deletes a site's base keys but those to keep.
func dropBase(ctx context.Context, rdb redis.UniversalClient, keys Keys, site string, keep map[string]bool) error {
	for _, k := range []string{keys.BasePV(site), keys.BaseUV(site)} {
		if keep[k] {
			continue
		}
		if err := rdb.Unlink(ctx, k).Err(); err != nil {
			return err
		}
	}
	drop := func(ctx context.Context, node redis.Cmdable) error {
		for _, start := range []string{keys.BasePagePV(site, ""), keys.BasePageUV(site, "")} {
			if err := unlinkBut(ctx, rdb, node, start, keep); err != nil {
				return err
			}
		}
		return nil
	}
	if c, ok := rdb.(*redis.ClusterClient); ok {
		return c.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error { return drop(ctx, node) })
	}
	return drop(ctx, rdb)
}

// unlinkBut deletes the keys of a node that begin with start, but those to keep.
func unlinkBut(ctx context.Context, rdb redis.UniversalClient, node redis.Cmdable, start string, keep map[string]bool) error {
	for cursor := uint64(0); ; {
		found, next, err := node.Scan(ctx, cursor, globEscape(start)+"*", 2000).Result()
		if err != nil {
			return err
		}
		pipe := rdb.Pipeline()
		for _, k := range found {
			if strings.HasPrefix(k, start) && !keep[k] {
				pipe.Unlink(ctx, k)
			}
		}
		if pipe.Len() > 0 {
			if _, err := pipe.Exec(ctx); err != nil {
				return err
			}
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}
