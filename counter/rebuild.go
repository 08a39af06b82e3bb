package counter

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"ddkk-stats/parser"
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
	if s.rebuilding {
		return nil
	}
	if in.opt.Now().Before(in.loop.scanned) {
		in.postpone(s, cause)
		return nil
	}
	cs, err := in.readCheckpoints(ctx, []string{s.name})
	if err != nil {
		return err
	}
	if open := cs[0].epoch; open != "" && open != s.epoch && !strings.HasPrefix(open, rebuilding) {
		return in.replay(ctx, []string{s.name}) // another daemon has rebuilt it meanwhile
	}
	if lacking := in.lacking(cs[0]); len(lacking) > 0 {
		return in.keep(ctx, s, cs[0], cause, lacking)
	}
	in.startRebuild(ctx, map[string]string{s.name: cs[0].epoch}, cause)
	return nil
}

// rebuildAgain is how long a rebuild that failed is put off.
const rebuildAgain = 5 * time.Second

// postpone parks a site whose rebuild has to wait: it failed, or the sources
// have not looked for their segments yet and what the log lacks cannot be told.
func (in *Ingester) postpone(s *site, cause string) {
	s.parked, s.rebuilding = true, true
	in.postponed[s.name] = cause
	in.opt.Stale(s.name, true)
}

// rebuildPostponed deals with the sites whose rebuild was put off.
func (in *Ingester) rebuildPostponed(ctx context.Context, now time.Time) error {
	if now.Before(in.loop.scanned) {
		return nil
	}
	for name, cause := range in.postponed {
		delete(in.postponed, name)
		s := in.sites[name]
		s.parked, s.rebuilding = false, false
		if err := in.rebuild(ctx, s, cause); err != nil {
			return err
		}
	}
	return nil
}

// lacking names the counted segments that are no longer to be had.
func (in *Ingester) lacking(c checkpoint) []string {
	there := in.onDisk()
	var gone []string
	for id := range c.offsets {
		if !there[id] && !in.archived(id) {
			gone = append(gone, id)
		}
	}
	return gone
}

// onDisk are the segments that can be read again.
func (in *Ingester) onDisk() map[string]bool {
	there := map[string]bool{}
	for _, i := range in.inputs {
		for _, s := range i.Source.Segments() {
			there[s.ID] = true
		}
	}
	return there
}

func (in *Ingester) archived(segment string) bool {
	return in.opt.Archive != nil && in.opt.Archive.Covers(segment)
}

// keep goes on with a site that cannot be rebuilt without loss.
func (in *Ingester) keep(ctx context.Context, s *site, c checkpoint, cause string, lacking []string) error {
	in.log.Error("a site's keys are damaged and its log is not complete: run restore-from-mysql, or verify --repair",
		"site", s.name, "cause", cause, "segments_lacking", len(lacking))
	in.forget(s)
	fresh := in.newSite(s.name, c)
	in.sites[s.name] = fresh
	errs, err := in.readSites(ctx, []*site{fresh})
	if err != nil {
		return err
	}
	if err := in.foldPending(ctx, fresh, errs[0]); err == nil && s.tries < maxKeep {
		fresh.tries = s.tries + 1
		for id, old := range s.offsets {
			if err := in.rewindTo(id, old, c); err != nil {
				return err
			}
		}
		return nil
	}
	fresh.parked = true
	in.opt.Stale(s.name, true)
	in.meter.update(func(st *IngestStats) { st.Parked++ })
	return nil
}

// maxKeep is how often a damaged site is tried again before it is parked.
const maxKeep = 3

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
		in.opt.Stale(name, true)
		if s := in.sites[name]; s != nil {
			in.forget(s)
		}
		s := in.newSite(name, checkpoint{})
		s.parked, s.rebuilding = true, true
		in.sites[name] = s
	}
	start := in.opt.Now()
	in.behind.Go(func() {
		r := Rebuilder{Redis: in.rdb, Keys: in.keys, Logger: in.log, Expect: judged, tell: in.redisWent}
		if in.opt.Archive != nil {
			r.Restore = in.opt.Archive.Restore
		}
		done, err := r.Rebuild(ctx, names)
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
		in.log.Error("sites are not rebuilt; trying again", "sites", r.names, "in", rebuildAgain, "err", r.err)
		for _, name := range r.names {
			in.postpone(in.sites[name], r.cause)
		}
		in.loop.scanned = in.opt.Now().Add(rebuildAgain)
		return nil
	}
	for i, name := range r.names {
		in.log.Info("rebuilt a site; its log is being counted again", "site", name, "cause", r.cause,
			"segments_from_archive", len(r.done[i]), "took", in.opt.Now().Sub(r.start))
		in.meter.update(func(s *IngestStats) { s.Rebuilds++ })
	}
	return in.replay(ctx, r.names)
}

// replay adopts rebuilt sites and reads all segments again for them.
func (in *Ingester) replay(ctx context.Context, names []string) error {
	cs, err := in.readCheckpoints(ctx, names)
	if err != nil {
		return err
	}
	old := make([]*site, len(names))
	for i, name := range names {
		old[i] = in.sites[name]
		in.forget(old[i])
	}
	if err := in.adoptAll(ctx, names, cs); err != nil {
		return err
	}
	in.doubts.drop(names...)
	for i, name := range names {
		in.sites[name].assumed = old[i].assumed
		in.healing[name] = struct{}{}
	}
	in.resume.restart()
	for _, input := range in.inputs {
		for _, info := range input.Source.Segments() {
			if in.segs[info.ID] == nil {
				in.reopen(info.ID)
			}
		}
	}
	there := in.onDisk()
	for id, seg := range in.segs {
		switch {
		case there[id]:
			if err := in.rewind(seg, 0); err != nil {
				return err
			}
		case !in.archived(id):
			in.log.Error("gap: a segment that was counted is neither in the log folder nor archived; rebuilt sites lack its lines",
				"segment", id, "file", seg.name, "bytes", seg.size, "sites", names)
			in.meter.update(func(s *IngestStats) { s.Missing++; s.MissingBytes += seg.size })
		}
	}
	return nil
}

// healed ends the replay of rebuilt sites once reading has caught up.
func (in *Ingester) healed() {
	if len(in.healing) == 0 || in.flight != nil || !in.open.empty() {
		return
	}
	for _, input := range in.inputs {
		for _, info := range input.Source.Segments() {
			s := in.segs[info.ID]
			if s == nil && info.Read >= info.Size {
				continue // nothing of it is to be read
			}
			if s == nil || s.awaited > 0 || s.floor < info.Read || info.Size-info.Read > parser.MaxLine {
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
