package counter

import (
	"context"
	"errors"
	"slices"
	"strings"

	"ddkk-stats/parser"
)

// loadSites makes sites known that were not known yet, but for those over the
// limit.
func (in *Ingester) loadSites(ctx context.Context, names []string) error {
	cs, err := in.load.readCheckpoints(ctx, names)
	if err != nil {
		return err
	}
	room := in.opt.MaxSites - len(in.sites)
	kept, members := names[:0:0], []any{}
	for i, name := range names {
		if cs[i].epoch == "" && room <= len(kept) {
			in.refuse(name)
			continue
		}
		cs[len(kept)] = cs[i]
		kept, members = append(kept, name), append(members, name)
	}
	if len(kept) == 0 {
		return nil
	}
	if err := in.roll.list(ctx, members); err != nil {
		return err
	}
	if err := in.adoptAll(ctx, kept, cs); err != nil {
		return err
	}
	for i, name := range kept {
		if cs[i].epoch != "" {
			in.doubts.add(false, name)
		}
	}
	return nil
}

// maxRefused bounds the memory of names over the limit of sites.
const maxRefused = 100_000

// refuse remembers a site over the limit, so that a flood of made-up names
// does not ask Redis for each line.
func (in *Ingester) refuse(name string) {
	if len(in.refused) >= maxRefused {
		clear(in.refused)
	}
	in.refused[strings.Clone(name)] = struct{}{}
	in.crowds.note(crowdOfSites, "", 0)
}

// adopt builds the state of a site from its checkpoint and returns what stands
// for the site now: when its keys are damaged, or somebody is rebuilding them,
// that is a parked site.
func (in *Ingester) adopt(ctx context.Context, name string, c checkpoint) (*site, error) {
	err := in.adoptAll(ctx, []string{name}, []checkpoint{c})
	return in.sites[name], err
}

// adoptAll adopts many sites in few round trips. cs has a checkpoint for each
// name, and may have more.
func (in *Ingester) adoptAll(ctx context.Context, names []string, cs []checkpoint) error {
	spoiled, err := in.layouts.migrate(ctx, names, cs)
	if err != nil {
		return err
	}
	there := make([]*site, 0, len(names))
	for i, name := range names {
		s := in.newSite(name, cs[i])
		in.sites[s.name] = s
		in.opt.Committed(s.name, cs[i].epoch, cs[i].done)
		if cs[i].behind {
			in.wards.recount(s.name)
		}
		cause := in.lostCause(s, cs[i])
		switch {
		case cs[i].rebuilding():
			cause = "a rebuild was not finished"
		case spoiled[name]:
			cause = "another site's page was counted into its keys"
		case cs[i].layout > layout:
			in.park(s)
			in.log.Error("cannot count a site: a newer version wrote its keys; its lines wait in the log; start that version again, or run restore-from-mysql",
				"site", name, "layout", cs[i].layout, "known", layout)
			continue
		}
		if cause == "" {
			there = append(there, s)
			continue
		}
		if err := in.rebuild(ctx, s, cause); err != nil {
			return err
		}
	}
	for some := range slices.Chunk(there, adoptedPerTrip) {
		errs, err := in.load.readSites(ctx, some)
		if err != nil {
			return err
		}
		in.folds.pending(some...)
		for i, s := range some {
			if err := in.adopted(ctx, s, errs[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// adopted deals with how reading a site went.
func (in *Ingester) adopted(ctx context.Context, s *site, err error) error {
	switch err = in.foldPending(ctx, s, err); {
	case err == nil:
		return nil
	case errors.Is(err, errOpened):
		cs, err := in.load.readCheckpoints(ctx, []string{s.name})
		if err != nil {
			return err
		}
		return in.adoptAll(ctx, []string{s.name}, cs)
	}
	return in.damage(ctx, s, err)
}

// foldPending folds what an earlier run left pending of a site that was read.
func (in *Ingester) foldPending(ctx context.Context, s *site, err error) error {
	if err != nil || s.waits[pendingPages].n == 0 {
		return err
	}
	return in.folds.foldAll(ctx, s)
}

func (in *Ingester) newSite(name string, c checkpoint) *site {
	s := &site{name: strings.Clone(name), epoch: c.epoch, first: newEpoch(),
		offsets: map[string]*offsets{}, days: map[parser.Day]*dayState{}}
	if c := in.wards.cares[name]; c != nil {
		s.health = c.health
	}
	s.ids = newRecent(RuleID, in.opt.IDWindow)
	s.keepWindow(in.opt.DedupeWindow(name))
	for id, n := range c.offsets {
		s.offsets[id] = &offsets{stored: n, sent: n, open: n}
	}
	return s
}

// errOpened says that another host began to count a site that was new to us.
var errOpened = errors.New("another host has opened the site")

// adoptedPerTrip bounds what one pipeline asks of sites, so that other clients
// wait for no more than a few milliseconds.
const adoptedPerTrip = 100

// damage deals with an error that will not pass by itself while a site's keys
// are read: the site is rebuilt where that is possible without loss.
func (in *Ingester) damage(ctx context.Context, s *site, err error) error {
	in.countViews()
	if ctx.Err() != nil || passing(err) {
		return err
	}
	return in.rebuild(ctx, s, err.Error())
}

// Memory that days may take before those go that no batch in hand uses.
const maxDayWeight = 64 << 20

// trim forgets days and buckets that no batch in hand uses.
func (in *Ingester) trim() {
	in.weight = 0
	for _, s := range in.sites {
		for _, d := range s.days {
			in.weight += d.weight()
		}
	}
	keep := in.number - 1 // the batch in flight and the open one
	if in.flight == nil {
		keep = in.number
	}
	for _, s := range in.sites {
		s.ids.forget(keep)
		in.trimCalls(s, keep)
		if s.window != nil {
			s.window.forget(keep)
		}
		for n, d := range s.days {
			old := in.opt.Now().Sub(d.touched) > idleDay
			if d.used < keep && (old || in.weight > maxDayWeight) {
				in.weight -= d.weight()
				delete(s.days, n)
			}
		}
	}
}
