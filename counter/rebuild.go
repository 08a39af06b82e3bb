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
// archive nor another daemon has, rebuilding would lose what they counted: then a site with keys
// of the wrong kind is parked until an operator comes, and one that lost keys
// goes on from what is left.
func (h *healer) rebuild(ctx context.Context, s *site, cause string) error {
	now, c := h.now(), h.wards.careOf(s.name)
	p := patient{health: s.health, wait: max(h.scanned.Sub(now), 0)}
	if p.wait == 0 {
		p.wait = c.wait(now)
	}
	var at checkpoint
	if treat(p) == remake {
		cs, err := h.load.readCheckpoints(ctx, []string{s.name})
		if err != nil {
			return err
		}
		at = cs[0]
		if at.epoch == "" && h.givenBack(s) {
			h.giveUp(s)
			return nil
		}
		p.other = at.epoch != "" && at.epoch != s.epoch && !strings.HasPrefix(at.epoch, rebuilding)
		lacking, err := h.holders.lacking(ctx, at)
		if err != nil {
			return err
		}
		p.lacking = len(lacking)
	}
	switch treat(p) {
	case postpone:
		h.postpone(s, cause, now.Add(p.wait))
	case adopt:
		return h.replay(ctx, []string{s.name})
	case goOn:
		return h.keep(ctx, s, at, cause, p.lacking)
	case remake:
		h.startRebuild(ctx, map[string]string{s.name: at.epoch}, cause)
	case leave:
	}
	return nil
}

// postpone puts a site aside whose rebuild has to wait: the last ones did not help,
// or the sources have not looked for their segments yet and what the log lacks
// cannot be told. Its keys stay as they are meanwhile.
func (h *healer) postpone(s *site, cause string, until time.Time) {
	h.wards.turn(s, postponed)
	c := h.wards.careOf(s.name)
	c.cause, c.until = cause, until
	h.wards.stale(s.name, true)
	if c.rebuilds > 0 {
		h.meter.update(func(st *IngestStats) { st.Unhelped++ })
		h.log.Error("the last rebuild of a site did not help; its lines wait in the log and its numbers are stale until the next one. Look for who changes its keys",
			"site", s.name, "cause", cause, "rebuilds", c.rebuilds, "next_in", until.Sub(h.now()).Round(time.Millisecond))
	}
}

// rebuildPostponed deals with the sites whose rebuild was put off, and forgets
// those that have been well for a while.
func (h *healer) rebuildPostponed(ctx context.Context, now time.Time) error {
	if now.Before(h.scanned) {
		return nil
	}
	for name, c := range h.wards.cares {
		s := h.counts.sites[name]
		switch {
		case c.over(now):
			delete(h.wards.cares, name)
		case s == nil || c.health != postponed || now.Before(c.until):
		default:
			h.wards.turn(s, whole)
			if err := h.rebuild(ctx, s, c.cause); err != nil {
				return err
			}
		}
	}
	return nil
}

// keep goes on with a site that cannot be rebuilt without loss. That its numbers
// are not complete is noted in its checkpoint, so that every start says so again,
// and the rebuild comes when what is lacking is there.
func (h *healer) keep(ctx context.Context, s *site, at checkpoint, cause string, lacking int) error {
	c := h.wards.careOf(s.name)
	h.log.Error("a site's keys are damaged and its log is not complete: run restore-from-mysql, or verify --repair",
		"site", s.name, "cause", cause, "segments_lacking", lacking)
	at, err := h.layouts.renameLeft(ctx, s.name, at)
	if err != nil {
		return err
	}
	h.forget(s)
	h.committed(s.name, at.epoch, at.done)
	delete(h.places.known.Sites, s.name) // what its totals were is not to be had again
	c.health = wounded
	fresh := h.newSite(s.name, at)
	fresh.assumed, fresh.known = s.assumed, s.known
	h.counts.sites[s.name] = fresh
	errs, err := h.load.readSites(ctx, []*site{fresh})
	if err != nil {
		return err
	}
	h.folds.pending(fresh)
	if c.lost = max(at.lost, 1); at.lost == 0 && at.epoch != "" {
		if err := h.roll.noteLost(ctx, s.name); err != nil {
			return err
		}
	}
	if err := h.foldPending(ctx, fresh, errs[0]); err == nil && c.keepOn(h.now()) {
		return h.places.catchUpWith(s, at)
	}
	h.park(fresh)
	return nil
}

// park leaves a site until an operator comes.
func (h *healer) park(s *site) {
	h.wards.turn(s, parked)
	h.wards.countUnwell()
	h.wards.stale(s.name, true)
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
func (h *healer) startRebuild(ctx context.Context, judged map[string]string, cause string) {
	if len(judged) == 0 {
		return
	}
	names := slices.Sorted(maps.Keys(judged))
	for _, name := range names {
		h.wards.stale(name, true)
		h.wards.careOf(name).health = remaking
		s := h.newSite(name, checkpoint{})
		if old := h.counts.sites[name]; old != nil {
			s.assumed, s.known = old.assumed, old.known
			h.forget(old)
		}
		h.counts.sites[name] = s
	}
	start := h.now()
	h.behind.Go(func() {
		r := Rebuilder{Redis: h.rdb, Keys: h.keys, Logger: h.log, Expect: judged,
			tell: func(try int, err error) { h.went(byRebuild, try, err) }}
		if h.archive != nil {
			r.Restore, r.Ready = h.archive.Restore, h.archive.Reachable
		}
		done, err := r.Rebuild(ctx, names)
		h.went(byRebuild, 0, nil) // whatever it waited for, it waits no longer
		select {
		case h.rebuilt <- rebuilt{names, cause, start, done, err}:
		case <-ctx.Done():
		}
	})
}

// finishRebuild counts rebuilt sites again: all segments are read from the
// start, and what the archive covers is passed over by the checkpoints.
func (h *healer) finishRebuild(ctx context.Context, r rebuilt) error {
	if r.err != nil {
		if ctx.Err() != nil {
			return nil
		}
		h.meter.update(func(s *IngestStats) { s.Unrebuilt++ })
		h.log.Error("sites are not rebuilt; trying again", "sites", r.names, "err", r.err)
		for _, name := range r.names {
			h.wards.attempted(name)
			h.wards.turn(h.counts.sites[name], whole)
			if err := h.rebuild(ctx, h.counts.sites[name], r.cause); err != nil {
				return err
			}
		}
		return nil
	}
	for i, name := range r.names {
		h.wards.attempted(name)
		h.log.Info("rebuilt a site; its log is being counted again", "site", name, "cause", r.cause,
			"segments_from_archive", len(r.done[i]), "took", h.now().Sub(r.start))
		if r.cause != causePlaced {
			h.meter.update(func(s *IngestStats) { s.Rebuilds++ })
		}
	}
	return h.replay(ctx, r.names)
}

// replay adopts rebuilt sites and reads all segments again for them.
func (h *healer) replay(ctx context.Context, names []string) error {
	cs, err := h.load.readCheckpoints(ctx, names)
	if err != nil {
		return err
	}
	old := make([]*site, len(names))
	for i, name := range names {
		old[i] = h.counts.sites[name]
		h.forget(old[i])
		c := h.wards.careOf(name)
		c.health, c.lost = healing, 0
	}
	if err := h.adoptAll(ctx, names, cs); err != nil {
		return err
	}
	h.doubts.drop(names...)
	for i, name := range names {
		h.counts.sites[name].assumed, h.counts.sites[name].known = old[i].assumed, old[i].known
		h.wards.recount(name)
	}
	return h.places.again(names)
}

// healed ends the recount of sites once all is counted that the log had when it
// began: under load there is always something in hand, and always more to come.
func (h *healer) healed(ctx context.Context, now time.Time) error {
	if len(h.wards.recounts) == 0 || now.Before(h.scanned) {
		return nil
	}
	if h.wards.recountTo == nil {
		h.wards.recountTo = h.places.sizes()
	}
	if !h.places.reached(h.wards.recountTo) {
		return nil
	}
	return h.tellHealed(ctx)
}

// tellHealed lets the numbers of the sites that were counted again be read as
// current, here and elsewhere. Those that are aside by now, or of which it is not
// known whether the archive has more, go on to be stale.
func (h *healer) tellHealed(ctx context.Context) error {
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(h.wards.recounts)), func(name string) bool {
		s := h.counts.sites[name]
		return s == nil || s.health.aside()
	})
	sites := make([]*site, len(names))
	for i, name := range names {
		sites[i] = h.counts.sites[name]
	}
	for trip := range slices.Chunk(sites, adoptedPerTrip) {
		if err := h.roll.complete(ctx, trip); err != nil {
			return err
		}
	}
	clear(h.wards.recounts)
	for _, name := range names {
		if s := h.counts.sites[name]; s.health == healing {
			h.wards.turn(s, whole)
			h.wards.careOf(name).well = h.now()
		}
		if !h.doubts.wentBack(name) {
			h.wards.stale(name, false)
		}
		h.log.Info("counted again what the log has; the numbers are complete", "site", name)
	}
	return nil
}

// forget drops a site's state.
func (h *healer) forget(s *site) {
	h.counts.forget(s)
	h.folds.forget(s)
}
