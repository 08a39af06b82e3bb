package counter

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// A base is what an earlier counter had counted. It is kept in keys of its
// own, added by reads, and touched neither by counting nor by a rebuild: what
// was counted stays a function of the log. Hot lists and days are without it.

// Base is the base of a page, or of the whole site where Page is "".
type Base struct {
	Page   string
	PV, UV int64
}

// SetBase sets the base of pages of a site, and of the site itself; zero
// deletes. Values are absolute: it may be killed and run again.
func SetBase(ctx context.Context, rdb redis.UniversalClient, keys Keys, site string, all []Base) error {
	set, gone := make([]any, 0, 2*chunk), make([]string, 0, chunk)
	send := func() error {
		pipe := rdb.Pipeline()
		if len(set) > 0 {
			pipe.MSet(ctx, set...)
		}
		if len(gone) > 0 {
			pipe.Unlink(ctx, gone...)
		}
		set, gone = set[:0], gone[:0]
		if pipe.Len() == 0 {
			return nil
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return fmt.Errorf("write base of %s: %w", site, err)
		}
		return nil
	}
	put := func(key string, n int64) {
		if n == 0 {
			gone = append(gone, key)
		} else {
			set = append(set, key, n)
		}
	}
	for _, b := range all {
		if b.Page == "" {
			put(keys.BasePV(site), b.PV)
			put(keys.BaseUV(site), b.UV)
		} else {
			put(keys.BasePagePV(site, b.Page), b.PV)
			put(keys.BasePageUV(site, b.Page), b.UV)
		}
		if len(set)/2+len(gone) >= chunk {
			if err := send(); err != nil {
				return err
			}
		}
	}
	return send()
}
