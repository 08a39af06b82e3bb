package counter

import (
	"context"
	"fmt"

	"ddkk-stats/counter/keys"
)

// closeSite deletes what a removal leaves to the last: checkpoint, lock, and what was made. ARGV:
// the epoch that fences the site. Returns 0 when another rebuild has fenced it meanwhile.
const closeSite = `
local epoch = redis.pcall('HGET', KEYS[1], 'epoch')
if epoch and epoch ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
return 1`

// Remove deletes all that Redis has of a site, its bases too, and takes its name off the
// list of all sites. Daemons must have forgotten it before (Rules.Forget), or they make it
// anew; what they count of it since is counted again from the log.
func (r *Rebuilder) Remove(ctx context.Context, site string) error {
	all := *r
	all.bases = true
	removed, err := all.removeAll(ctx, []string{site})
	if err == nil && len(removed) == 0 {
		err = fmt.Errorf("remove %s: %w", site, errLockLost)
	}
	return err
}

// GiveBack deletes what was counted of sites, but no bases, and takes them off the list of all. A
// daemon that knows one forgets it if the archive has all of it, and makes it anew if not. It
// tells which were deleted: one that somebody rebuilds is left alone.
func (r *Rebuilder) GiveBack(ctx context.Context, sites []string) ([]string, error) {
	return r.removeAll(ctx, sites)
}

func (r *Rebuilder) removeAll(ctx context.Context, sites []string) (removed []string, err error) {
	life := newEpoch()
	for _, site := range sites {
		for got := false; !got; {
			if got, err = r.lockOrAwait(ctx, site, life); err != nil {
				return nil, fmt.Errorf("lock %s: %w", site, err)
			}
		}
	}
	held := r.hold(life, sites...)
	ctx, stop := held.keep(ctx)
	defer stop()
	names, _, err := r.fence(ctx, sites, make([]int, len(sites)), held)
	if err != nil || len(names) == 0 {
		return nil, err
	}
	if err := r.patience().retry(ctx, "purge sites", func() error { return r.purge(ctx, names) }); err != nil {
		return nil, err
	}
	for _, site := range names {
		if err := r.close(ctx, site, life, held); err != nil {
			return removed, err
		}
		removed = append(removed, site)
	}
	return removed, r.patience().retry(ctx, "tell of removed sites", func() error {
		return r.Redis.Set(ctx, r.Keys.Rebuilds(), newEpoch(), 0).Err()
	})
}

// close deletes the last keys of a site that is removed.
func (r *Rebuilder) close(ctx context.Context, site, life string, held *locks) error {
	held.drop(site)
	var ok int
	err := r.patience().retry(ctx, "close site", func() (err error) {
		ok, err = r.Redis.Eval(ctx, closeSite, []string{r.Keys.Checkpoint(site), r.Keys.Rebuild(site), r.Keys.Made(site)}, rebuilding+life).Int()
		return err
	})
	if err == nil && ok == 0 {
		err = errLockLost
	}
	if err != nil {
		return fmt.Errorf("remove %s: %w", site, err)
	}
	return r.patience().retry(ctx, "take site off the list", func() error { return r.Redis.SRem(ctx, r.Keys.Sites(), site).Err() })
}

// purges tells whether a key goes with the sites.
func (r *Rebuilder) purges(key string, sites map[string]bool) bool {
	if s, ok := r.Keys.SiteOf(key); ok {
		return sites[s]
	}
	if !r.bases {
		return false
	}
	n, ok := r.Keys.Parse(key)
	if !ok || !sites[n.Site] {
		return false
	}
	switch n.Family {
	case keys.BasePV, keys.BaseUV, keys.BasePagePV, keys.BasePageUV:
		return true
	}
	return false
}

// forgetSites drops the state of sites that were deleted. One that is being rebuilt stays
// until somebody removes it again.
func (in *Ingester) forgetSites(names []string) {
	for _, name := range names {
		delete(in.places.known.Sites, name)
		in.opt.Committed(name, "", 0) // readers miss nothing of it
		s := in.sites[name]
		if s == nil {
			continue
		}
		if s.health == remaking {
			in.log.Warn("a site that was deleted is being rebuilt; delete it again if it comes back", "site", name)
			continue
		}
		in.heal.forget(s)
		in.heal.doubts.drop(name)
		in.wards.stale(name, false)
		delete(in.wards.recounts, name)
		delete(in.wards.cares, name)
		in.log.Info("a site that was deleted is forgotten; what comes of it is counted as of a new one", "site", name)
	}
}
