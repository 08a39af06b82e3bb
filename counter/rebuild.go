package counter

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"
)

// rebuild starts to make a site's keys anew: from the archive where there is
// one, and from the log for the rest. It is the answer to keys that are gone
// or damaged. It goes on beside the counting of other sites; the site's lines
// are passed over meanwhile and read again afterwards, and its readers get the
// last known values.
//
// When the checkpoint still names segments that neither the log folder nor the
// archive has, rebuilding would lose what they counted: then a site with keys
// of the wrong kind is parked until an operator comes, and one that lost keys
// goes on from what is left.
func (in *Ingester) rebuild(ctx context.Context, s *site, cause string) error {
	now, c := in.opt.Now(), in.wards.careOf(s.name)
	p := patient{health: s.health, wait: max(in.loop.scanned.Sub(now), 0)}
	if p.wait == 0 {
		p.wait = c.wait(now)
	}
	var at checkpoint
	if treat(p) == remake {
		cs, err := in.load.readCheckpoints(ctx, []string{s.name})
		if err != nil {
			return err
		}
		at = cs[0]
		p.other = at.epoch != "" && at.epoch != s.epoch && !strings.HasPrefix(at.epoch, rebuilding)
		p.lacking = len(in.places.lacking(at))
	}
	switch treat(p) {
	case postpone:
		in.postpone(s, cause, now.Add(p.wait))
	case adopt:
		return in.replay(ctx, []string{s.name})
	case goOn:
		return in.keep(ctx, s, at, cause, p.lacking)
	case remake:
		in.startRebuild(ctx, map[string]string{s.name: at.epoch}, cause)
	case leave:
	}
	return nil
}

// postpone puts a site aside whose rebuild has to wait: the last ones did not help,
// or the sources have not looked for their segments yet and what the log lacks
// cannot be told. Its keys stay as they are meanwhile.
func (in *Ingester) postpone(s *site, cause string, until time.Time) {
	in.wards.turn(s, postponed)
	c := in.wards.careOf(s.name)
	c.cause, c.until = cause, until
	in.wards.stale(s.name, true)
	if c.rebuilds > 0 {
		in.meter.update(func(st *IngestStats) { st.Unhelped++ })
		in.log.Error("the last rebuild of a site did not help; its lines wait in the log and its numbers are stale until the next one. Look for who changes its keys",
			"site", s.name, "cause", cause, "rebuilds", c.rebuilds, "next_in", until.Sub(in.opt.Now()).Round(time.Millisecond))
	}
}

// rebuildPostponed deals with the sites whose rebuild was put off, and forgets
// those that have been well for a while.
func (in *Ingester) rebuildPostponed(ctx context.Context, now time.Time) error {
	if now.Before(in.loop.scanned) {
		return nil
	}
	for name, c := range in.wards.cares {
		s := in.sites[name]
		switch {
		case c.over(now):
			delete(in.wards.cares, name)
		case s == nil || c.health != postponed || now.Before(c.until):
		default:
			in.wards.turn(s, whole)
			if err := in.rebuild(ctx, s, c.cause); err != nil {
				return err
			}
		}
	}
	return nil
}

// keep goes on with a site that cannot be rebuilt without loss. That its numbers
// are not complete is noted in its checkpoint, so that every start says so again,
// and the rebuild comes when what is lacking is there.
func (in *Ingester) keep(ctx context.Context, s *site, at checkpoint, cause string, lacking int) error {
	c := in.wards.careOf(s.name)
	in.log.Error("a site's keys are damaged and its log is not complete: run restore-from-mysql, or verify --repair",
		"site", s.name, "cause", cause, "segments_lacking", lacking)
	at, err := in.layouts.renameLeft(ctx, s.name, at)
	if err != nil {
		return err
	}
	in.forget(s)
	in.opt.Committed(s.name, at.epoch, at.done)
	delete(in.places.known.Sites, s.name) // what its totals were is not to be had again
	c.health = wounded
	fresh := in.newSite(s.name, at)
	fresh.assumed, fresh.known = s.assumed, s.known
	in.sites[s.name] = fresh
	errs, err := in.load.readSites(ctx, []*site{fresh})
	if err != nil {
		return err
	}
	in.folds.pending(fresh)
	if c.lost = max(at.lost, 1); at.lost == 0 && at.epoch != "" {
		if err := in.roll.noteLost(ctx, s.name); err != nil {
			return err
		}
	}
	if err := in.foldPending(ctx, fresh, errs[0]); err == nil && c.keepOn(in.opt.Now()) {
		return in.places.catchUpWith(s, at)
	}
	in.park(fresh)
	return nil
}

// park leaves a site until an operator comes.
func (in *Ingester) park(s *site) {
	in.wards.turn(s, parked)
	in.wards.countUnwell()
	in.wards.stale(s.name, true)
}

// rebuilt is the end of a rebuild.
type rebuilt struct {
	names []string
	cause string
	start time.Time
	done  []map[string]int64
	err   error
}

// startRebuild rebuilds sites, given with the epochs at which they were judged,
// beside the loop, which is told on in.rebuilt.
func (in *Ingester) startRebuild(ctx context.Context, judged map[string]string, cause string) {
	if len(judged) == 0 {
		return
	}
	names := slices.Sorted(maps.Keys(judged))
	for _, name := range names {
		in.wards.stale(name, true)
		in.wards.careOf(name).health = remaking
		s := in.newSite(name, checkpoint{})
		if old := in.sites[name]; old != nil {
			s.assumed, s.known = old.assumed, old.known
			in.forget(old)
		}
		in.sites[name] = s
	}
	start := in.opt.Now()
	in.behind.Go(func() {
		r := Rebuilder{Redis: in.rdb, Keys: in.keys, Logger: in.log, Expect: judged,
			tell: func(try int, err error) { in.redisWent(byRebuild, try, err) }}
		if in.opt.Archive != nil {
			r.Restore, r.Ready = in.opt.Archive.Restore, in.opt.Archive.Reachable
		}
		done, err := r.Rebuild(ctx, names)
		in.redisWent(byRebuild, 0, nil) // whatever it waited for, it waits no longer
		select {
		case in.rebuilt <- rebuilt{names, cause, start, done, err}:
		case <-ctx.Done():
		}
	})
}

// finishRebuild counts rebuilt sites again: all segments are read from the
// start, and what the archive covers is passed over by the checkpoints.
func (in *Ingester) finishRebuild(ctx context.Context, r rebuilt) error {
	if r.err != nil {
		if ctx.Err() != nil {
			return nil
		}
		in.meter.update(func(s *IngestStats) { s.Unrebuilt++ })
		in.log.Error("sites are not rebuilt; trying again", "sites", r.names, "err", r.err)
		for _, name := range r.names {
			in.wards.attempted(name)
			in.wards.turn(in.sites[name], whole)
			if err := in.rebuild(ctx, in.sites[name], r.cause); err != nil {
				return err
			}
		}
		return nil
	}
	for i, name := range r.names {
		in.wards.attempted(name)
		in.log.Info("rebuilt a site; its log is being counted again", "site", name, "cause", r.cause,
			"segments_from_archive", len(r.done[i]), "took", in.opt.Now().Sub(r.start))
		in.meter.update(func(s *IngestStats) { s.Rebuilds++ })
	}
	return in.replay(ctx, r.names)
}

// replay adopts rebuilt sites and reads all segments again for them.
func (in *Ingester) replay(ctx context.Context, names []string) error {
	cs, err := in.load.readCheckpoints(ctx, names)
	if err != nil {
		return err
	}
	old := make([]*site, len(names))
	for i, name := range names {
		old[i] = in.sites[name]
		in.forget(old[i])
		c := in.wards.careOf(name)
		c.health, c.lost = healing, 0
	}
	if err := in.adoptAll(ctx, names, cs); err != nil {
		return err
	}
	in.doubts.drop(names...)
	for i, name := range names {
		in.sites[name].assumed, in.sites[name].known = old[i].assumed, old[i].known
		in.wards.recount(name)
	}
	return in.places.again(names)
}

// healed ends the recount of sites once all is counted that the log had when it
// began: under load there is always something in hand, and always more to come.
func (in *Ingester) healed(ctx context.Context, now time.Time) error {
	if len(in.wards.recounts) == 0 || now.Before(in.loop.scanned) {
		return nil
	}
	if in.wards.recountTo == nil {
		in.wards.recountTo = in.places.sizes()
	}
	if !in.places.reached(in.wards.recountTo) {
		return nil
	}
	return in.tellHealed(ctx)
}

// tellHealed lets the numbers of the sites that were counted again be read as
// current, here and elsewhere. Those that are aside by now, or of which it is not
// known whether the archive has more, go on to be stale.
func (in *Ingester) tellHealed(ctx context.Context) error {
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(in.wards.recounts)), func(name string) bool {
		s := in.sites[name]
		return s == nil || s.health.aside()
	})
	sites := make([]*site, len(names))
	for i, name := range names {
		sites[i] = in.sites[name]
	}
	for trip := range slices.Chunk(sites, adoptedPerTrip) {
		if err := in.roll.complete(ctx, trip); err != nil {
			return err
		}
	}
	clear(in.wards.recounts)
	for _, name := range names {
		if s := in.sites[name]; s.health == healing {
			in.wards.turn(s, whole)
			in.wards.careOf(name).well = in.opt.Now()
		}
		if !in.doubts.wentBack(name) {
			in.wards.stale(name, false)
		}
		in.log.Info("counted again what the log has; the numbers are complete", "site", name)
	}
	return nil
}
