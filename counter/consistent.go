package counter

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/parser"
)

// Keys that are deleted while a daemon runs are missed by its commits. What was
// deleted while none ran is found here, when a site and its current day are
// read: their numbers must agree with each other.

// shrunk tells whether a site's totals are less than the progress file says,
// though its checkpoints are not: then a key was lost, and Redis as a whole did
// not go back in time.
func (p *progress) shrunk(s *site) bool {
	before, ok := p.Sites[s.name]
	if !ok || before.Epoch != s.epoch {
		return false
	}
	for id, n := range before.Offsets {
		if o := s.offsets[id]; o == nil || o.stored < n {
			return false
		}
	}
	return s.pv < before.PV || s.uv < before.UV
}

// daySums are numbers of a day that depend on each other.
type daySums struct {
	pv, uv, visitors, devices, pending int64
}

// sumsAsked are the answers that daySums come from.
type sumsAsked struct {
	pv, uv, pc, mobile *redis.StringCmd
	visitors, pending  *redis.IntCmd
}

func (ld *loader) askSums(ctx context.Context, pipe redis.Pipeliner, name string, d parser.Day) sumsAsked {
	k := ld.keys
	return sumsAsked{
		pv: pipe.Get(ctx, k.SitePVDay(name, d)), uv: pipe.Get(ctx, k.SiteUVDay(name, d)), visitors: pipe.SCard(ctx, k.Visitors(name, d)),
		pc: pipe.HGet(ctx, k.Books(name, d), "pc"), mobile: pipe.HGet(ctx, k.Books(name, d), "mobile"), pending: pipe.LLen(ctx, k.Pending(name)),
	}
}

func (a *sumsAsked) sums() (daySums, error) {
	s := daySums{visitors: a.visitors.Val(), pending: a.pending.Val()}
	if err := errors.Join(a.visitors.Err(), a.pending.Err()); err != nil {
		return s, err
	}
	for _, x := range [...]struct {
		cmd *redis.StringCmd
		to  *int64
	}{{a.pv, &s.pv}, {a.uv, &s.uv}, {a.pc, &s.devices}, {a.mobile, &s.devices}} {
		n, err := x.cmd.Int64()
		if err != nil && !isNil(err) {
			return s, err
		}
		*x.to += n
	}
	return s, nil
}

// checkDay compares the sums of the current day. Days that are over are left
// alone, as some of their keys may have died; and so is a day that another
// daemon counted into while it was read. whole tells that the ranked list was
// read in one piece, between the two looks at the sums.
func (ld *loader) checkDay(ctx context.Context, l *dayLoad, ranked int64, whole bool) error {
	if l.day.day != parser.DayOf(ld.now().In(ld.loc)) {
		return nil
	}
	before, err := l.before.sums()
	if err != nil {
		return err
	}
	after := l.after
	if !whole {
		pipe := ld.rdb.Pipeline()
		after = ld.askSums(ctx, pipe, l.site.name, l.day.day)
		if _, err := pipe.Exec(ctx); err != nil && !isNil(err) {
			return err
		}
	}
	now, err := after.sums()
	if err != nil || now != before || now.pending > 0 {
		return err
	}
	if now.pv == ranked && now.pv == now.devices && now.uv == now.visitors {
		return nil
	}
	return &damagedError{l.site.name, fmt.Sprintf(
		"its numbers of %d do not agree: %d views, %d in the ranked list, %d by device; %d visitors, %d remembered",
		l.day.day, now.pv, ranked, now.devices, now.uv, now.visitors)}
}

// checksPerTrip is how many commands for the totals of some pages go into one
// pipeline.
const checksPerTrip = 4

// pageCheck looks for the totals of some pages of a day.
type pageCheck struct {
	load   *dayLoad
	keys   []string
	totals *redis.SliceCmd
}

// checkPages makes sure that pages which are ranked have their totals.
func (ld *loader) checkPages(ctx context.Context, loads []dayLoad) error {
	var checks []pageCheck
	for i := range loads {
		l := &loads[i]
		if l.err != nil {
			continue
		}
		for names := range slices.Chunk(slices.Collect(maps.Keys(l.day.pages)), chunk) {
			keys := make([]string, len(names))
			for i, page := range names {
				keys[i] = ld.keys.PagePV(l.site.name, page)
			}
			if checks = append(checks, pageCheck{load: l, keys: keys}); len(checks) == checksPerTrip {
				if err := ld.checkSome(ctx, checks); err != nil {
					return err
				}
				checks = checks[:0]
			}
		}
	}
	return ld.checkSome(ctx, checks)
}

func (ld *loader) checkSome(ctx context.Context, checks []pageCheck) error {
	if len(checks) == 0 {
		return nil
	}
	err := ld.wire.ask(ctx, "read totals of pages", func(pipe redis.Pipeliner) {
		for i := range checks {
			checks[i].totals = pipe.MGet(ctx, checks[i].keys...)
		}
	})
	if err != nil {
		return err
	}
	for _, c := range checks {
		totals, err := c.totals.Result()
		if err != nil {
			c.load.err = err
		}
		for i, v := range totals {
			if v == nil {
				c.load.err = &damagedError{c.load.site.name, c.keys[i] + " is gone"}
			}
		}
	}
	return nil
}
