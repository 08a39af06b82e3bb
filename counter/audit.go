package counter

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// audit compares every checkpoint with what we committed: a Redis that went
// back in time is seen although no new line of the site comes. So is a name that the
// list of all sites lost.
func (in *Ingester) audit(ctx context.Context) error {
	names, listed := make([]string, 0, len(in.sites)), make([]string, 0, len(in.sites))
	for name, s := range in.sites {
		if s.epoch != "" && (!s.health.aside() || s.health == parked) {
			names = append(names, name)
		}
		if s.epoch != "" || s.health.aside() {
			listed = append(listed, name)
		}
	}
	if err := in.roll.relist(ctx, listed); err != nil {
		return err
	}
	cs, err := in.load.readCheckpoints(ctx, names)
	if err != nil {
		return err
	}
	for i, name := range names {
		s := in.sites[name]
		if s == nil {
			continue
		}
		if err := in.compare(ctx, s, cs[i]); err != nil {
			return err
		}
	}
	return nil
}

// audits is when the checkpoints are looked at. The loop owns it, but for lossFound.
type audits struct {
	wire      *wire
	rdb       redis.UniversalClient
	keys      Keys
	budget    *budget
	now       func() time.Time
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
		rebuilds, listed := pipe.Get(ctx, a.keys.Rebuilds()), pipe.Exists(ctx, a.keys.Sites())
		if _, err := pipe.Exec(ctx); err != nil && passing(err) {
			return err // any other is a key of a wrong type: as if there were none
		}
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

func (in *Ingester) compare(ctx context.Context, s *site, c checkpoint) error {
	if s.health == parked {
		if c.epoch == s.epoch || c.epoch == "" || strings.HasPrefix(c.epoch, rebuilding) {
			return nil
		}
		in.log.Info("a parked site was rebuilt; it is counted again", "site", s.name)
		return in.replay(ctx, []string{s.name})
	}
	if c.part {
		return in.rebuild(ctx, s, "a commit was applied in part")
	}
	if c.epoch != s.epoch {
		return in.reload(ctx, s, c)
	}
	if cause := in.lostCause(s, c); cause != "" {
		return in.rebuild(ctx, s, cause)
	}
	for id, o := range s.offsets {
		have, ok := c.offsets[id]
		if o.stored != none && (!ok || have < o.stored) {
			in.log.Warn("Redis went back in time; what it lost is counted again from the log",
				"site", s.name, "segment", id, "stored", have, "committed", o.stored)
			in.wards.recount(s.name)
			return in.reload(ctx, s, c)
		}
	}
	return nil
}

// lostCause tells why a site needs a rebuild whose checkpoint says that keys were
// lost: who found that may not have lived to see its own answer. A loss that could
// not be made good can be as soon as the archive has what was lacking.
func (in *Ingester) lostCause(s *site, c checkpoint) string {
	switch {
	case c.lost > in.wards.knownLost(s.name):
		return fmt.Sprintf("%d of its keys were found lost", c.lost)
	case c.lost > 0 && s.health == wounded && len(in.places.lacking(c)) == 0:
		return "what it lost can be made good now"
	}
	return ""
}
