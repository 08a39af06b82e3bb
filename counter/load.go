package counter

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/parser"
)

// newEpoch names a life of a site's keys: it changes when they are rebuilt.
func newEpoch() string {
	var b [8]byte
	rand.Read(b[:]) // never fails, by its documentation
	return hex.EncodeToString(b[:])
}

// Fields of the checkpoint hash that are no segments.
const (
	fieldEpoch  = "epoch"
	fieldFold   = "fold"
	fieldFacets = "facets"
	fieldBegun  = "begun"
	fieldDone   = "done"
	fieldLost   = "lost"
	// fieldBehind is there from the end of a rebuild until a daemon has counted
	// what its log has beyond the archive: meanwhile the numbers are too small.
	fieldBehind = "behind"
	fieldLayout = "layout"
)

// rebuilding starts the epoch of a site while it is being rebuilt.
const rebuilding = "rebuild:"

// checkpoint is a site's checkpoint hash.
type checkpoint struct {
	epoch   string
	offsets map[string]int64
	layout  int
	part    bool  // a script was applied in part (see prelude.lua)
	lost    int64 // keys that scripts found gone
	behind  bool  // the log is not counted again since a rebuild
	done    int64 // scripts that have run
}

func (c *checkpoint) rebuilding() bool { return strings.HasPrefix(c.epoch, rebuilding) }

func parseCheckpoint(fields map[string]string) (checkpoint, error) {
	c := checkpoint{epoch: fields[fieldEpoch], offsets: map[string]int64{},
		part: fields[fieldBegun] != fields[fieldDone], behind: fields[fieldBehind] != ""}
	for f, v := range fields {
		switch f {
		case fieldEpoch, fieldFold, fieldFacets, fieldBegun, fieldDone, fieldLost, fieldBehind:
			continue
		}
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return c, fmt.Errorf("read checkpoint of segment %s: %w", f, err)
		}
		if f == fieldLayout {
			c.layout = int(n)
			continue
		}
		c.offsets[f] = n
	}
	if v, ok := fields[fieldDone]; ok {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return c, fmt.Errorf("read checkpoint, the scripts that have run: %w", err)
		}
		c.done = n
	}
	if v, ok := fields[fieldLost]; ok {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			n = 1 // somebody wrote into it
		}
		c.lost = n
	}
	return c, nil
}

// readCheckpoints reads the checkpoints of many sites, in as few round trips
// as is kind to Redis. One that is damaged comes back empty, as if gone: what
// it said is lost either way.
func (in *Ingester) readCheckpoints(ctx context.Context, sites []string) ([]checkpoint, error) {
	out := make([]checkpoint, 0, len(sites))
	for len(sites) > 0 {
		trip := sites[:min(len(sites), 500)]
		sites = sites[len(trip):]
		cmds := make([]*redis.MapStringStringCmd, len(trip))
		err := in.askMany(ctx, "read checkpoints", func(pipe redis.Pipeliner) {
			for i, s := range trip {
				cmds[i] = pipe.HGetAll(ctx, in.keys.Checkpoint(s))
			}
		})
		if err != nil {
			return nil, err
		}
		for i, cmd := range cmds {
			c, err := parseCheckpoint(cmd.Val())
			if err == nil {
				err = cmd.Err()
			}
			if err != nil {
				in.log.Error("a checkpoint is damaged; the site is rebuilt", "site", trip[i], "err", err)
				c = checkpoint{}
			}
			out = append(out, c)
		}
	}
	return out, nil
}

// loadSites makes sites known that were not known yet, but for those over the
// limit.
func (in *Ingester) loadSites(ctx context.Context, names []string) error {
	cs, err := in.readCheckpoints(ctx, names)
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
	err = in.retry(ctx, "note sites", func() error { return listSites(ctx, in.rdb, in.keys, in.log, members...) })
	if err != nil {
		return fmt.Errorf("note sites: %w", err)
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
	spoiled, err := in.migrate(ctx, names, cs)
	if err != nil {
		return err
	}
	there := make([]*site, 0, len(names))
	for i, name := range names {
		s := in.newSite(name, cs[i])
		in.sites[s.name] = s
		in.opt.Committed(s.name, cs[i].epoch, cs[i].done)
		if cs[i].behind {
			in.recount(s.name)
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
		errs, err := in.readSites(ctx, some)
		if err != nil {
			return err
		}
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
		cs, err := in.readCheckpoints(ctx, []string{s.name})
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
	return in.foldAll(ctx, s)
}

func (in *Ingester) newSite(name string, c checkpoint) *site {
	s := &site{name: strings.Clone(name), epoch: c.epoch, first: newEpoch(),
		offsets: map[string]*offsets{}, days: map[parser.Day]*dayState{}}
	if c := in.cares[name]; c != nil {
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

// siteTotals are the answers that readSites asks for.
type siteTotals struct {
	pv, uv *redis.StringCmd
	lists  [pendingKinds]*redis.IntCmd
	opened *redis.BoolCmd
}

// readSites reads what is remembered of sites beside their checkpoints. Each
// has an error of its own; the last one says that Redis did not answer.
func (in *Ingester) readSites(ctx context.Context, sites []*site) ([]error, error) {
	asked := make([]siteTotals, len(sites))
	err := in.askMany(ctx, "read sites", func(pipe redis.Pipeliner) {
		for i, s := range sites {
			a := &asked[i]
			a.pv, a.uv = pipe.Get(ctx, in.keys.SitePV(s.name)), pipe.Get(ctx, in.keys.SiteUV(s.name))
			for l := range pendingKinds {
				a.lists[l] = pipe.LLen(ctx, l.key(in.keys, s.name))
			}
			a.opened = pipe.HExists(ctx, in.keys.Checkpoint(s.name), fieldEpoch)
		}
	})
	if err != nil {
		return nil, err
	}
	errs := make([]error, len(sites))
	for i, s := range sites {
		errs[i] = in.learn(s, &asked[i])
	}
	return errs, nil
}

// askMany runs a pipeline until no command of it fails for a reason that
// passes. Other errors are the commands' own.
func (in *Ingester) askMany(ctx context.Context, what string, queue func(redis.Pipeliner)) error {
	return in.retry(ctx, what, func() error {
		pipe := in.rdb.Pipeline()
		queue(pipe)
		cmds, err := pipe.Exec(ctx)
		if passing(err) {
			return err
		}
		for _, cmd := range cmds {
			if err := cmd.Err(); passing(err) {
				return err
			}
		}
		return nil
	})
}

// learn takes what Redis said of a site.
func (in *Ingester) learn(s *site, a *siteTotals) error {
	for _, x := range [...]struct {
		cmd *redis.StringCmd
		to  *int64
	}{{a.pv, &s.pv}, {a.uv, &s.uv}} {
		n, err := x.cmd.Int64()
		if err != nil && !isNil(err) {
			return err
		}
		*x.to = n
	}
	if in.shrunk(s) {
		return &damagedError{s.name, "its totals are less than they were"}
	}
	if s.epoch == "" {
		opened, err := a.opened.Result()
		if err != nil {
			return err
		}
		if opened {
			return errOpened
		}
		if s.pv > 0 || in.opt.Archive != nil && in.opt.Archive.Knows(s.name) {
			return &damagedError{s.name, "there are counts but no checkpoint"}
		}
	}
	for l, cmd := range a.lists {
		n, err := cmd.Result()
		if err != nil {
			return err
		}
		if s.waits[l].n = int(n); n > 0 {
			in.folds[l].sites[s] = struct{}{}
		}
	}
	return nil
}

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

// Segments are the segments that a site's checkpoint names.
func Segments(ctx context.Context, rdb redis.UniversalClient, k Keys, site string) ([]string, error) {
	fields, err := rdb.HGetAll(ctx, k.Checkpoint(site)).Result()
	if err != nil {
		return nil, fmt.Errorf("read checkpoint of %s: %w", site, err)
	}
	c, err := parseCheckpoint(fields)
	return slices.Collect(maps.Keys(c.offsets)), err
}
