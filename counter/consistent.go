package counter

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/parser"
)

// Keys that are deleted while a daemon runs are missed by its commits. What was
// deleted while none ran is found here, when a site and its current day are
// read: their numbers must agree with each other.

// shrunk tells whether a site's totals are less than the progress file says,
// though its checkpoints are not: then a key was lost, and Redis as a whole did
// not go back in time.
func (in *Ingester) shrunk(s *site) bool {
	before, ok := in.known.Sites[s.name]
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

func (in *Ingester) sumsOf(ctx context.Context, name string, d parser.Day) (daySums, error) {
	k := in.keys
	pipe := in.rdb.Pipeline()
	pv, uv := pipe.Get(ctx, k.SitePVDay(name, d)), pipe.Get(ctx, k.SiteUVDay(name, d))
	visitors := pipe.SCard(ctx, k.Visitors(name, d))
	pc, mobile := pipe.HGet(ctx, k.Books(name, d), "pc"), pipe.HGet(ctx, k.Books(name, d), "mobile")
	pending := pipe.LLen(ctx, k.Pending(name))
	if _, err := pipe.Exec(ctx); err != nil && !isNil(err) {
		return daySums{}, err
	}
	s := daySums{visitors: visitors.Val(), pending: pending.Val()}
	for cmd, to := range map[*redis.StringCmd]*int64{pv: &s.pv, uv: &s.uv, pc: &s.devices, mobile: &s.devices} {
		n, err := cmd.Int64()
		if err != nil && !isNil(err) {
			return s, err
		}
		*to += n
	}
	return s, nil
}

// checkDay compares the sums of the current day. Days that are over are left
// alone, as some of their keys may have died; and so is a day that another
// daemon counted into while it was read.
func (in *Ingester) checkDay(ctx context.Context, name string, d parser.Day, before daySums, ranked int64) error {
	if d != parser.DayOf(in.opt.Now().In(in.opt.Location)) {
		return nil
	}
	now, err := in.sumsOf(ctx, name, d)
	if err != nil || now != before || now.pending > 0 {
		return err
	}
	if now.pv == ranked && now.pv == now.devices && now.uv == now.visitors {
		return nil
	}
	return &damagedError{name, fmt.Sprintf(
		"its numbers of %d do not agree: %d views, %d in the ranked list, %d by device; %d visitors, %d remembered",
		d, now.pv, ranked, now.devices, now.uv, now.visitors)}
}

// checkPages makes sure that pages which are ranked have their totals.
func (in *Ingester) checkPages(ctx context.Context, name string, pages []redis.Z) error {
	for len(pages) > 0 {
		piece := pages[:min(len(pages), chunk)]
		pages = pages[len(piece):]
		keys := make([]string, len(piece))
		for i, p := range piece {
			page, _ := p.Member.(string)
			keys[i] = in.keys.PagePV(name, page)
		}
		totals, err := in.rdb.MGet(ctx, keys...).Result()
		if err != nil {
			return err
		}
		for i, v := range totals {
			if v == nil {
				return &damagedError{name, keys[i] + " is gone"}
			}
		}
	}
	return nil
}
