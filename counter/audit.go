package counter

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// audit compares every checkpoint with what we committed: a Redis that went
// back in time is seen although no new line of the site comes. So is a name that the
// list of all sites lost.
func (h *healer) audit(ctx context.Context) error {
	names := make([]string, 0, len(h.counts.sites))
	for name, s := range h.counts.sites {
		if s.epoch != "" && (!s.health.aside() || s.health == parked) {
			names = append(names, name)
		}
	}
	cs, err := h.load.readCheckpoints(ctx, names)
	if err != nil {
		return err
	}
	for i, name := range names {
		s := h.counts.sites[name]
		if s == nil {
			continue
		}
		if err := h.compare(ctx, s, cs[i]); err != nil {
			return err
		}
	}
	if err := h.roll.unlist(ctx, h.given); err != nil {
		return err
	}
	h.given = nil
	var listed []string
	for name, s := range h.counts.sites {
		if s.epoch != "" || s.health.aside() {
			listed = append(listed, name)
		}
	}
	return h.roll.relist(ctx, listed)
}

// audits is when the checkpoints are looked at. The loop owns it, but for lossFound.
type audits struct {
	wire      *wire
	rdb       redis.UniversalClient
	keys      Keys
	budget    *budget
	clock     *redisClock // is told the time
	holders   *holders
	now       func() time.Time
	log       *slog.Logger
	due       bool // at once
	at        time.Time
	took      time.Duration
	lookedAt  time.Time   // for signs of a rebuild
	signs     string      // that were found
	lossFound atomic.Bool // the scrub has noted a loss: audit at once
}

// Between two audits one small question tells whether somebody rebuilt a site or
// emptied Redis; an audit that follows from it takes no more than a share of the
// loop's time.
const (
	lookEvery  = time.Second
	auditShare = 20
)

// look asks for signs that the checkpoints are not what they were, and has them
// audited at once if there are any.
func (a *audits) look(ctx context.Context, now time.Time) error {
	if now.Sub(a.lookedAt) < max(lookEvery, auditShare*a.took) {
		return nil
	}
	a.lookedAt = now
	if a.lossFound.Swap(false) {
		a.due = true
	}
	var signs string
	err := a.wire.retry(ctx, "look for rebuilds", func() error {
		begin := a.now()
		pipe := a.rdb.Pipeline()
		rebuilds, listed, clock := pipe.Get(ctx, a.keys.Rebuilds()), pipe.Exists(ctx, a.keys.Sites()), pipe.Time(ctx)
		told := a.holders.tell(ctx, pipe, now)
		_, _ = pipe.Exec(ctx) // each has its error
		for _, cmd := range told {
			if well, err := cmd.Int(); err == nil && well == 0 {
				a.log.Error("a key is of another type: somebody wrote into it; it is deleted and made anew", "key", a.keys.Held(), "want", "hash")
			}
		}
		for _, err := range []error{rebuilds.Err(), listed.Err()} {
			if passing(err) {
				return err // any other is a key of a wrong type: as if there were none
			}
		}
		a.clock.tell(clock.Val())
		a.budget.answered(a.now().Sub(begin))
		signs = fmt.Sprint(rebuilds.Val(), " ", listed.Val())
		return nil
	})
	if err != nil {
		return fmt.Errorf("look for rebuilds: %w", err)
	}
	if a.signs != "" && signs != a.signs {
		a.due = true
	}
	a.signs = signs
	return nil
}

func (h *healer) compare(ctx context.Context, s *site, c checkpoint) error {
	if s.health == parked {
		if c.epoch == s.epoch || c.epoch == "" || strings.HasPrefix(c.epoch, rebuilding) {
			return nil
		}
		h.log.Info("a parked site was rebuilt; it is counted again", "site", s.name)
		return h.replay(ctx, []string{s.name})
	}
	if c.part {
		return h.rebuild(ctx, s, "a commit was applied in part")
	}
	if c.epoch != s.epoch {
		return h.reload(ctx, s, c)
	}
	cause, err := h.lostCause(ctx, s, c)
	if err != nil {
		return err
	}
	if cause != "" {
		return h.rebuild(ctx, s, cause)
	}
	if id, lost := s.lostIn(c); lost {
		h.log.Warn("Redis went back in time; what it lost is counted again from the log",
			"site", s.name, "segment", id, "stored", c.offsets[id], "committed", s.offsets[id].stored)
		h.wards.recount(s.name)
		return h.reload(ctx, s, c)
	}
	for l, v := range c.lists {
		if s.lists[l] != v { // somebody else folded, or a fold is all that Redis lost
			s.lists[l] = v
			h.folds.turns[l].sites[s] = struct{}{}
		}
	}
	return nil
}

// lostCause tells why a site needs a rebuild whose checkpoint says that keys were
// lost: who found that may not have lived to see its own answer. A loss that could
// not be made good can be as soon as the archive, or a daemon that is alive, has what was
// lacking.
func (h *healer) lostCause(ctx context.Context, s *site, c checkpoint) (string, error) {
	switch {
	case c.lost > h.wards.knownLost(s.name):
		return fmt.Sprintf("%d of its keys were found lost", c.lost), nil
	case c.lost > 0 && s.health == wounded:
		if lacking, err := h.holders.lacking(ctx, c); err != nil || len(lacking) > 0 {
			return "", err
		}
		return "what it lost can be made good now", nil
	}
	return "", nil
}
