package counter

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Rebuilder makes the keys of sites anew: it fences off every writer, deletes
// what was counted, has the archive written back where there is one, and opens
// the site with a checkpoint that names the archived segments. The daemons
// then count the rest of the log. It may be killed anywhere and run again.
type Rebuilder struct {
	Redis  redis.UniversalClient
	Keys   Keys
	Logger *slog.Logger
	// Restore writes back what the archive has of a site and returns the
	// segments that it covers, with their sizes; nil: there is no archive.
	Restore func(ctx context.Context, site string) (map[string]int64, error)
	// Expect are the epochs at which sites were judged to need a rebuild: one
	// that has another epoch by now was rebuilt, or begun, by another daemon and
	// is left alone. Sites that are not in it are rebuilt whatever they have.
	Expect map[string]string

	tell func(ok bool)
}

func (r *Rebuilder) patience() *patience {
	p := &patience{log: r.Logger, tell: r.tell}
	if p.tell == nil {
		p.tell = func(bool) {}
	}
	return p
}

// Locks of a rebuild live this long without being renewed.
const lockTTL = 15 * time.Second

// Rebuild rebuilds sites and returns, for each, the segments that came from
// the archive. A site that another daemon is rebuilding is waited for.
func (r *Rebuilder) Rebuild(ctx context.Context, sites []string) ([]map[string]int64, error) {
	done := make([]map[string]int64, len(sites))
	var mine []string
	var at []int
	for i, name := range sites {
		ok, err := r.lockOrAwait(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("lock %s: %w", name, err)
		}
		if ok {
			mine, at = append(mine, name), append(at, i)
		}
	}
	ctx, stop := r.keepLocks(ctx, mine)
	defer stop()
	mine, at, err := r.fence(ctx, mine, at)
	if len(mine) == 0 || err != nil {
		return done, err
	}
	restored, err := r.remake(ctx, mine)
	for j := range restored {
		done[at[j]] = restored[j]
	}
	return done, err
}

// lockOrAwait takes a site's lock, or waits until another daemon has finished
// with it; false: there is nothing left to do.
func (r *Rebuilder) lockOrAwait(ctx context.Context, name string) (bool, error) {
	for {
		var got bool
		err := r.patience().retry(ctx, "lock rebuild", func() (err error) {
			got, err = r.Redis.SetNX(ctx, r.Keys.Rebuild(name), "1", lockTTL).Result()
			return err
		})
		if err != nil || got {
			return got, err
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(lockTTL / 30):
		}
		var epoch string
		err = r.patience().retry(ctx, "read epoch", func() (err error) {
			epoch, err = r.Redis.HGet(ctx, r.Keys.Checkpoint(name), fieldEpoch).Result()
			if isNil(err) {
				err = nil
			}
			return err
		})
		if err != nil || (epoch != "" && !strings.HasPrefix(epoch, rebuilding)) {
			return false, err
		}
	}
}

// keepLocks renews the locks until stop is called.
func (r *Rebuilder) keepLocks(ctx context.Context, names []string) (held context.Context, stop func()) {
	held, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		t := time.NewTicker(lockTTL / 3)
		defer t.Stop()
		for {
			select {
			case <-held.Done():
				return
			case <-t.C:
				r.renew(held, names)
			}
		}
	}()
	return held, func() { cancel(); <-done }
}

func (r *Rebuilder) renew(ctx context.Context, names []string) {
	pipe := r.Redis.Pipeline()
	for _, n := range names {
		pipe.Expire(ctx, r.Keys.Rebuild(n), lockTTL)
	}
	if _, err := pipe.Exec(ctx); err != nil && ctx.Err() == nil {
		r.Logger.Warn("lock of a rebuild is not renewed", "err", err)
	}
}

// fenceSite gives a site an epoch that no daemon commits to, if it still has
// the one that is expected. KEYS[1] -> checkpoint; ARGV: the new epoch, 1 if
// one is expected, the expected one (” = none). Returns 1 if it did, now or
// in an earlier try whose answer was lost.
const fenceSite = `
local epoch = redis.pcall('HGET', KEYS[1], 'epoch') or ''
if type(epoch) == 'table' then epoch = '' end -- not a hash: as if gone
if epoch ~= ARGV[1] then
  if ARGV[2] == '1' and epoch ~= ARGV[3] then return 0 end
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'epoch', ARGV[1])
end
return 1`

// fence fences off every writer of sites whose locks are held, and returns
// those that are still to be rebuilt, with their places.
func (r *Rebuilder) fence(ctx context.Context, names []string, at []int) (mine []string, places []int, err error) {
	for i, name := range names {
		expect, expected := r.Expect[name]
		epoch := rebuilding + newEpoch()
		var ok int
		err := r.patience().retry(ctx, "fence site", func() (err error) {
			ok, err = r.Redis.Eval(ctx, fenceSite, []string{r.Keys.Checkpoint(name)}, epoch, flag(expected), expect).Int()
			return err
		})
		if err != nil {
			return nil, nil, fmt.Errorf("fence %s: %w", name, err)
		}
		if ok == 1 {
			mine, places = append(mine, name), append(places, at[i])
			continue
		}
		if err := r.Redis.Del(ctx, r.Keys.Rebuild(name)).Err(); err != nil {
			return nil, nil, fmt.Errorf("unlock %s: %w", name, err)
		}
	}
	return mine, places, nil
}

// remake rebuilds sites whose locks are held.
func (r *Rebuilder) remake(ctx context.Context, names []string) ([]map[string]int64, error) {
	if err := r.patience().retry(ctx, "purge sites", func() error { return r.purge(ctx, names) }); err != nil {
		return nil, err
	}
	done := make([]map[string]int64, len(names))
	for i, name := range names {
		if r.Restore != nil {
			err := r.patience().retry(ctx, "restore from the archive", func() (err error) {
				done[i], err = r.Restore(ctx, name)
				return err
			})
			if err != nil {
				return nil, fmt.Errorf("restore %s: %w", name, err)
			}
		}
		if err := r.release(ctx, name, done[i]); err != nil {
			return nil, err
		}
	}
	return done, nil
}

// release opens a rebuilt site for counting.
func (r *Rebuilder) release(ctx context.Context, name string, done map[string]int64) error {
	fields := []any{fieldEpoch, newEpoch()}
	for id, size := range done {
		fields = append(fields, id, size)
	}
	return r.patience().retry(ctx, "open site", func() error {
		_, err := r.Redis.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.Del(ctx, r.Keys.Checkpoint(name))
			p.HSet(ctx, r.Keys.Checkpoint(name), fields...)
			p.Del(ctx, r.Keys.Rebuild(name))
			return nil
		})
		if err != nil {
			return err
		}
		if err := r.Redis.SAdd(ctx, r.Keys.Sites(), name).Err(); err != nil {
			return err
		}
		return r.Redis.Set(ctx, r.Keys.Rebuilds(), newEpoch(), 0).Err()
	})
}

// purge deletes every key of the sites but their checkpoints and locks.
func (r *Rebuilder) purge(ctx context.Context, names []string) error {
	sites := map[string]bool{}
	for _, n := range names {
		sites[n] = true
	}
	if c, ok := r.Redis.(*redis.ClusterClient); ok {
		return c.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
			return r.purgeNode(ctx, node, sites)
		})
	}
	return r.purgeNode(ctx, r.Redis, sites)
}

func (r *Rebuilder) purgeNode(ctx context.Context, node redis.Cmdable, sites map[string]bool) error {
	var cursor uint64
	for {
		keys, next, err := node.Scan(ctx, cursor, r.Keys.Pattern(), 2000).Result()
		if err != nil {
			return err
		}
		pipe := node.Pipeline()
		for _, k := range keys {
			if s, ok := r.Keys.SiteOf(k); ok && sites[s] {
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
