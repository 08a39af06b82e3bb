package counter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/parser"
)

// healer makes sites known and keeps them well: it adopts them from their checkpoints,
// and rebuilds those whose keys are lost or damaged. The loop owns it.
type healer struct {
	counts  *aggregate
	places  *places
	holders *holders
	wards   *wards
	folds   *folds
	load    *loader
	layouts *migrator
	roll    *registry
	doubts  doubts
	behind  sync.WaitGroup // rebuilds, and questions to the archive
	rebuilt chan rebuilt
	given   []string  // sites that gave their places back and may be on the list of all
	scanned time.Time // from when on the sources know their segments

	rdb       redis.UniversalClient
	keys      Keys
	archive   Archive // nil: there is none
	committed func(site, epoch string, scripts int64)
	went      func(who asker, try int, err error) // is told how a rebuild's exchanges with Redis go
	now       func() time.Time
	log       *slog.Logger
	meter     *meter
}

// loadSites makes sites known that were not known yet, but for those over the
// limit.
func (h *healer) loadSites(ctx context.Context, names []string) error {
	cs, err := h.load.readCheckpoints(ctx, names)
	if err != nil {
		return err
	}
	kept, members := names[:0:0], []any{}
	for i, name := range names {
		if cs[i].epoch == "" && !h.place(name, len(h.counts.sites)+len(kept)) {
			continue
		}
		cs[len(kept)] = cs[i]
		kept, members = append(kept, name), append(members, name)
	}
	clear(h.counts.siteRoom.asks)
	if len(kept) == 0 {
		return nil
	}
	if err := h.roll.list(ctx, members); err != nil {
		return err
	}
	if err := h.adoptAll(ctx, kept, cs); err != nil {
		return err
	}
	for i, name := range kept {
		if cs[i].epoch != "" {
			h.doubts.add(false, name)
		}
	}
	return nil
}

// adopt builds the state of a site from its checkpoint and returns what stands
// for the site now: when its keys are damaged, or somebody is rebuilding them,
// that is a parked site.
func (h *healer) adopt(ctx context.Context, name string, c checkpoint) (*site, error) {
	err := h.adoptAll(ctx, []string{name}, []checkpoint{c})
	return h.counts.sites[name], err
}

// adoptAll adopts many sites in few round trips. cs has a checkpoint for each
// name, and may have more.
func (h *healer) adoptAll(ctx context.Context, names []string, cs []checkpoint) error {
	spoiled, err := h.layouts.migrate(ctx, names, cs)
	if err != nil {
		return err
	}
	there := make([]*site, 0, len(names))
	for i, name := range names {
		s := h.newSite(name, cs[i])
		h.counts.sites[s.name] = s
		h.committed(s.name, cs[i].epoch, cs[i].done)
		if cs[i].behind {
			h.wards.recount(s.name)
		}
		cause, err := h.lostCause(ctx, s, cs[i])
		if err != nil {
			return err
		}
		switch {
		case cs[i].rebuilding():
			cause = "a rebuild was not finished"
		case spoiled[name]:
			cause = "another site's page was counted into its keys"
		case cs[i].layout > layout:
			h.park(s)
			h.log.Error("cannot count a site: a newer version wrote its keys; its lines wait in the log; start that version again, or run restore-from-mysql",
				"site", name, "layout", cs[i].layout, "known", layout)
			continue
		}
		if cause == "" {
			there = append(there, s)
			continue
		}
		if err := h.rebuild(ctx, s, cause); err != nil {
			return err
		}
	}
	for some := range slices.Chunk(there, adoptedPerTrip) {
		errs, err := h.load.readSites(ctx, some)
		if err != nil {
			return err
		}
		h.folds.pending(some...)
		for i, s := range some {
			if err := h.adopted(ctx, s, errs[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// adopted deals with how reading a site went.
func (h *healer) adopted(ctx context.Context, s *site, err error) error {
	switch err = h.foldPending(ctx, s, err); {
	case err == nil:
		return nil
	case errors.Is(err, errOpened):
		cs, err := h.load.readCheckpoints(ctx, []string{s.name})
		if err != nil {
			return err
		}
		return h.adoptAll(ctx, []string{s.name}, cs)
	}
	return h.damage(ctx, s, err)
}

// foldPending folds what an earlier run left pending of a site that was read.
func (h *healer) foldPending(ctx context.Context, s *site, err error) error {
	if err != nil || s.waits[pendingPages].n == 0 {
		return err
	}
	return h.folds.foldAll(ctx, s)
}

// errOpened says that another host began to count a site that was new to us.
var errOpened = errors.New("another host has opened the site")

// adoptedPerTrip bounds what one pipeline asks of sites, so that other clients
// wait for no more than a few milliseconds.
const adoptedPerTrip = 100

// damage deals with an error that will not pass by itself while a site's keys
// are read: the site is rebuilt where that is possible without loss.
func (h *healer) damage(ctx context.Context, s *site, err error) error {
	h.counts.countViews()
	if ctx.Err() != nil || passing(err) {
		return err
	}
	return h.rebuild(ctx, s, err.Error())
}

func (h *healer) newSite(name string, c checkpoint) *site {
	s := &site{name: strings.Clone(name), epoch: c.epoch, first: newEpoch(), lists: c.lists,
		offsets: map[string]*offsets{}, days: map[parser.Day]*dayState{}}
	if c := h.wards.cares[name]; c != nil {
		s.health = c.health
	}
	s.ids = newRecent(RuleID, h.counts.caps.idWindow)
	s.keepWindow(h.counts.caps.window(name))
	for id, n := range c.offsets {
		s.offsets[id] = &offsets{stored: n, sent: n, open: n}
	}
	return s
}

// refresh drops what we remember of a site and learns it again from Redis.
func (h *healer) refresh(ctx context.Context, s *site) error {
	cs, err := h.load.readCheckpoints(ctx, []string{s.name})
	if err != nil {
		return h.damage(ctx, s, err)
	}
	return h.reload(ctx, s, cs[0])
}

// reload replaces a site's state by the checkpoint that Redis holds and reads
// again whatever was counted into the old state but is not in Redis.
func (h *healer) reload(ctx context.Context, s *site, c checkpoint) error {
	if c.epoch == "" && s.epoch != "" {
		return h.rebuild(ctx, s, "its checkpoint is gone")
	}
	h.forget(s)
	if care := h.wards.cares[s.name]; care != nil && c.epoch != s.epoch && care.health == wounded {
		care.health, care.lost = whole, 0 // somebody made good what it had lost
	}
	if s.epoch != "" && c.epoch != s.epoch {
		h.wards.recount(s.name)
	}
	fresh, err := h.adopt(ctx, s.name, c)
	if err != nil || fresh.health.aside() {
		return err // a rebuild reads everything again
	}
	if wentBack(s, c) {
		h.doubts.add(true, s.name)
	}
	if h.places.passed && s.epoch != "" && c.epoch != s.epoch {
		// It was rebuilt by the rules of now, as undoing one does: its lines may lie where none of it counted.
		return h.places.again([]string{s.name})
	}
	for id, old := range s.offsets {
		if err := h.places.rewindTo(id, old, c); err != nil {
			return err
		}
	}
	return nil
}

// wentBack tells whether a checkpoint is less than what we committed, or of
// another life.
func wentBack(s *site, c checkpoint) bool {
	if c.epoch != s.epoch {
		return true
	}
	_, lost := s.lostIn(c)
	return lost
}

// lostIn names a segment of which a checkpoint of the same life has less than what we
// committed.
func (s *site) lostIn(c checkpoint) (segment string, lost bool) {
	for id, o := range s.offsets {
		if have, ok := c.offsets[id]; o.stored != none && (!ok || have < o.stored) {
			return id, true
		}
	}
	return "", false
}

// adoptArchived makes the sites known that were archived since the start and of
// which no line came, as those that somebody imported: their keys are watched
// like all others.
func (h *healer) adoptArchived(ctx context.Context) error {
	if h.archive == nil {
		return nil
	}
	var fresh []string
	pressed := h.pressed()
	for _, name := range h.archive.Sites() {
		if _, refused := h.counts.refused[name]; !refused && h.counts.sites[name] == nil && !(pressed && h.slight(name)) {
			fresh = append(fresh, name)
		}
	}
	return h.loadSites(ctx, fresh)
}

// adoptRebuilt makes sites known that somebody has rebuilt and of which no line counted here by the
// rules of before: by those of now some may. Another host may have said that a site is complete
// before we looked, or a line of it have come since: so all is read again once somebody rebuilt anything.
func (h *healer) adoptRebuilt(ctx context.Context) error {
	if !h.places.passed {
		return nil
	}
	rebuilt := h.folds.audits.signs != h.places.signs
	h.places.signs = h.folds.audits.signs
	var listed []string
	err := h.load.wire.retry(ctx, "read sites", func() (err error) {
		listed, err = h.rdb.SMembers(ctx, h.keys.Sites()).Result()
		return err
	})
	if redis.HasErrorPrefix(err, "WRONGTYPE") {
		return nil // the audit makes it anew
	}
	if err != nil {
		return fmt.Errorf("read sites: %w", err)
	}
	fresh := slices.DeleteFunc(listed, func(name string) bool {
		_, refused := h.counts.refused[name]
		return refused || h.counts.sites[name] != nil
	})
	if err := h.loadSites(ctx, fresh); err != nil {
		return err
	}
	if !rebuilt && !slices.ContainsFunc(fresh, func(name string) bool { _, behind := h.wards.recounts[name]; return behind }) {
		return nil
	}
	return h.places.again(fresh)
}

// mend deals with an error in reading what is kept of a site, if it is still the
// one that is counted: another error may have replaced it.
func (h *healer) mend(ctx context.Context, s *site, err error) error {
	if err == nil || h.counts.sites[s.name] != s {
		return nil
	}
	return h.damage(ctx, s, err)
}
