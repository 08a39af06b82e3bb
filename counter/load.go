package counter

import (
	"context"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/parser"
)

// loader reads what is remembered of sites and days from Redis into memory. It decides
// nothing: what is damaged comes back as an error of its site or day.
type loader struct {
	wire     *wire
	rdb      redis.UniversalClient
	keys     Keys
	loc      *time.Location
	now      func() time.Time // Redis' clock: whose keys of today must be there
	log      *slog.Logger
	known    *progress // what an earlier run left
	archive  Archive   // nil: there is none
	newDay   func(parser.Day) *dayState
	newTerms func(*site, parser.Day) [parser.NumTerms]*term
}

// siteTotals are the answers that readSites asks for.
type siteTotals struct {
	pv, uv *redis.StringCmd
	lists  [pendingKinds]*redis.IntCmd
	opened *redis.BoolCmd
	pages  *redis.IntCmd
}

// readSites reads what is remembered of sites beside their checkpoints. Each
// has an error of its own; the last one says that Redis did not answer.
func (ld *loader) readSites(ctx context.Context, sites []*site) ([]error, error) {
	asked := make([]siteTotals, len(sites))
	err := ld.wire.ask(ctx, "read sites", func(pipe redis.Pipeliner) {
		for i, s := range sites {
			a := &asked[i]
			a.pv, a.uv = pipe.Get(ctx, ld.keys.SitePV(s.name)), pipe.Get(ctx, ld.keys.SiteUV(s.name))
			for l := range pendingKinds {
				a.lists[l] = pipe.LLen(ctx, l.key(ld.keys, s.name))
			}
			a.pages = pipe.ZCard(ctx, ld.keys.HotAll(s.name))
			a.opened = pipe.HExists(ctx, ld.keys.Checkpoint(s.name), fieldEpoch)
		}
	})
	if err != nil {
		return nil, err
	}
	errs := make([]error, len(sites))
	for i, s := range sites {
		errs[i] = ld.learn(s, &asked[i])
	}
	return errs, nil
}

// learn takes what Redis said of a site.
func (ld *loader) learn(s *site, a *siteTotals) error {
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
	pages, err := a.pages.Result()
	if err != nil {
		return err
	}
	s.ever = pages
	if ld.known.shrunk(s) {
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
		if s.pv > 0 || ld.archive != nil && ld.archive.Knows(s.name) {
			return &damagedError{s.name, "there are counts but no checkpoint"}
		}
	}
	for l, cmd := range a.lists {
		n, err := cmd.Result()
		if err != nil {
			return err
		}
		s.waits[l].n = int(n)
	}
	return nil
}
