package counter

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/parser"
)

// rebuild makes a site's keys anew: from the archive where there is one, and
// from the log for the rest. It is the answer to keys that are gone or
// damaged. Meanwhile the epoch fences off every other writer, and reads answer
// the last known values.
//
// When the checkpoint still names segments that neither the log folder nor the
// archive has, rebuilding would lose what they counted: then a site with keys
// of the wrong kind is parked until an operator comes, and one that lost keys
// goes on from what is left.
func (in *Ingester) rebuild(ctx context.Context, s *site, cause string) error {
	cs, err := in.readCheckpoints(ctx, []string{s.name})
	if err != nil {
		var de *damagedError
		if !errors.As(err, &de) {
			return err
		}
		cs = []checkpoint{{}} // the checkpoint itself is damaged: gone for us
	}
	if lacking := in.lacking(cs[0]); len(lacking) > 0 {
		return in.keep(ctx, s, cs[0], cause, lacking)
	}
	in.forget(s)
	return in.rebuildGone(ctx, []string{s.name}, cause)
}

// lacking names the counted segments that are no longer to be had.
func (in *Ingester) lacking(c checkpoint) []string {
	there := map[string]bool{}
	for _, i := range in.inputs {
		for _, s := range i.Source.Segments() {
			there[s.ID] = true
		}
	}
	var gone []string
	for id := range c.offsets {
		if !there[id] && (in.opt.Archived == nil || !in.opt.Archived(id)) {
			gone = append(gone, id)
		}
	}
	return gone
}

// keep goes on with a site that cannot be rebuilt without loss.
func (in *Ingester) keep(ctx context.Context, s *site, c checkpoint, cause string, lacking []string) error {
	in.log.Error("a site's keys are damaged and its log is not complete: run restore-from-mysql, or verify --repair",
		"site", s.name, "cause", cause, "segments_lacking", len(lacking))
	in.forget(s)
	fresh := in.newSite(s.name, c)
	if err := in.readSite(ctx, fresh); err == nil && s.tries < maxKeep {
		fresh.tries = s.tries + 1
		in.sites[s.name] = fresh
		for id, old := range s.offsets {
			if err := in.rewindTo(id, old, c); err != nil {
				return err
			}
		}
		return nil
	}
	fresh.parked = true
	in.sites[s.name] = fresh
	in.opt.Stale(s.name, true)
	in.meter.update(func(st *IngestStats) { st.Parked++ })
	return nil
}

// maxKeep is how often a damaged site is tried again before it is parked.
const maxKeep = 3

// rebuildGone rebuilds sites whose keys are worth nothing.
func (in *Ingester) rebuildGone(ctx context.Context, names []string, cause ...string) error {
	if len(names) == 0 {
		return nil
	}
	start := in.opt.Now()
	for _, name := range names {
		in.opt.Stale(name, true)
	}
	var mine []string
	for _, name := range names {
		ok, err := in.lockRebuild(ctx, name)
		if err != nil {
			return err
		}
		if ok {
			mine = append(mine, name)
			continue
		}
		if err := in.awaitRebuild(ctx, name); err != nil {
			return err
		}
	}
	done, err := in.withLocks(ctx, mine, func(ctx context.Context) ([]map[string]int64, error) {
		return in.remake(ctx, mine)
	})
	if err != nil {
		return fmt.Errorf("rebuild %d sites: %w", len(mine), err)
	}
	for i, name := range mine {
		why := "its keys are gone"
		if len(cause) > 0 {
			why = cause[0]
		}
		in.log.Info("rebuilt a site; its log is being counted again", "site", name, "cause", why,
			"segments_from_archive", len(done[i]), "took", in.opt.Now().Sub(start))
		in.meter.update(func(s *IngestStats) { s.Rebuilds++ })
	}
	return in.replay(ctx, names)
}

// remake purges and restores sites whose locks are held.
func (in *Ingester) remake(ctx context.Context, names []string) ([]map[string]int64, error) {
	for _, name := range names {
		err := in.retry(ctx, "fence site", func() error {
			_, err := in.rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
				p.Del(ctx, in.keys.Checkpoint(name))
				p.HSet(ctx, in.keys.Checkpoint(name), fieldEpoch, rebuilding+newEpoch())
				return nil
			})
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	if err := in.retry(ctx, "purge site", func() error { return in.purge(ctx, names) }); err != nil {
		return nil, err
	}
	done := make([]map[string]int64, len(names))
	for i, name := range names {
		if in.opt.Restore != nil {
			var err error
			if done[i], err = in.opt.Restore(ctx, name); err != nil {
				return nil, fmt.Errorf("restore %s: %w", name, err)
			}
		}
		if err := in.release(ctx, name, done[i]); err != nil {
			return nil, err
		}
	}
	return done, nil
}

// release opens a rebuilt site for counting.
func (in *Ingester) release(ctx context.Context, name string, done map[string]int64) error {
	fields := []any{fieldEpoch, newEpoch()}
	for id, size := range done {
		fields = append(fields, id, size)
	}
	return in.retry(ctx, "open site", func() error {
		_, err := in.rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.Del(ctx, in.keys.Checkpoint(name))
			p.HSet(ctx, in.keys.Checkpoint(name), fields...)
			p.Del(ctx, in.keys.Rebuild(name))
			return nil
		})
		if err != nil {
			return err
		}
		return in.rdb.SAdd(ctx, in.keys.Sites(), name).Err()
	})
}

// replay adopts rebuilt sites and reads all segments again for them.
func (in *Ingester) replay(ctx context.Context, names []string) error {
	cs, err := in.readCheckpoints(ctx, names)
	if err != nil {
		return err
	}
	for i, name := range names {
		if _, err := in.adopt(ctx, name, cs[i]); err != nil {
			return err
		}
		in.healing[name] = struct{}{}
	}
	in.resume.restart()
	for _, seg := range in.segs {
		if err := in.rewind(seg, 0); err != nil {
			return err
		}
	}
	for _, input := range in.inputs {
		for _, info := range input.Source.Segments() {
			if in.segs[info.ID] != nil {
				continue
			}
			if seg := in.reopen(info.ID); seg != nil {
				if err := in.rewind(seg, 0); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// healed ends the replay of rebuilt sites once reading has caught up.
func (in *Ingester) healed() {
	if len(in.healing) == 0 || !in.loop.live || in.flight != nil || !in.open.empty() {
		return
	}
	for _, input := range in.inputs {
		for _, info := range input.Source.Segments() {
			if s := in.segs[info.ID]; s == nil || s.floor < info.Read || info.Size-info.Read > parser.MaxLine {
				return
			}
		}
	}
	for name := range in.healing {
		in.opt.Stale(name, false)
		in.log.Info("counted again what the log has; the numbers are complete", "site", name)
	}
	clear(in.healing)
}

// Locks of a rebuild live this long without being renewed.
const lockTTL = 15 * time.Second

func (in *Ingester) lockRebuild(ctx context.Context, name string) (ok bool, err error) {
	err = in.retry(ctx, "lock rebuild", func() error {
		ok, err = in.rdb.SetNX(ctx, in.keys.Rebuild(name), "1", lockTTL).Result()
		return err
	})
	return ok, err
}

// awaitRebuild waits until another daemon has rebuilt the site or died of it.
func (in *Ingester) awaitRebuild(ctx context.Context, name string) error {
	for {
		cs, err := in.readCheckpoints(ctx, []string{name})
		if err != nil {
			return err
		}
		if e := cs[0].epoch; e != "" && !strings.HasPrefix(e, rebuilding) {
			return nil
		}
		ok, err := in.lockRebuild(ctx, name)
		if err != nil {
			return err
		}
		if ok {
			_, err := in.withLocks(ctx, []string{name}, func(ctx context.Context) ([]map[string]int64, error) {
				return in.remake(ctx, []string{name})
			})
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lockTTL / 20):
		}
	}
}

// withLocks runs f while it renews the locks of names.
func (in *Ingester) withLocks(ctx context.Context, names []string, f func(context.Context) ([]map[string]int64, error)) ([]map[string]int64, error) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		t := time.NewTicker(lockTTL / 3)
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-t.C:
				in.renew(ctx, names)
			}
		}
	}()
	out, err := f(ctx)
	cancel()
	<-done
	return out, err
}

func (in *Ingester) renew(ctx context.Context, names []string) {
	pipe := in.rdb.Pipeline()
	for _, n := range names {
		pipe.Expire(ctx, in.keys.Rebuild(n), lockTTL)
	}
	if _, err := pipe.Exec(ctx); err != nil && ctx.Err() == nil {
		in.log.Warn("lock of a rebuild is not renewed", "err", err)
	}
}

// purge deletes every key of the sites but their checkpoints and locks.
func (in *Ingester) purge(ctx context.Context, names []string) error {
	sites := map[string]bool{}
	for _, n := range names {
		sites[n] = true
	}
	if c, ok := in.rdb.(*redis.ClusterClient); ok {
		return c.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
			return in.purgeNode(ctx, node, sites)
		})
	}
	return in.purgeNode(ctx, in.rdb, sites)
}

func (in *Ingester) purgeNode(ctx context.Context, node redis.Cmdable, sites map[string]bool) error {
	var cursor uint64
	for {
		keys, next, err := node.Scan(ctx, cursor, in.keys.prefix+":*", 2000).Result()
		if err != nil {
			return err
		}
		pipe := node.Pipeline()
		n := 0
		for _, k := range keys {
			if s, ok := in.keys.SiteOf(k); ok && sites[s] {
				pipe.Unlink(ctx, k)
				n++
			}
		}
		if n > 0 {
			if _, err := pipe.Exec(ctx); err != nil {
				return err
			}
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}
