package counter

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// MirroredPage is what the mirror has to do with a page.
type MirroredPage struct {
	Due         bool      // it changed since it was taken
	Total       PageTotal // of now
	Taken       PageTotal // as it was when it was last taken
	TotalsWrong string    // why there are no totals, such as a value that is no number
}

// MirrorLook is a look at pages of a mirror, all of one moment.
type MirrorLook struct {
	Life  string
	Seq   int64
	Ready bool // open, and of the site's present counters
	Pages []MirroredPage
}

// Look reads what the mirror has of pages, in their order. It writes nothing.
func (m *Mirror) Look(ctx context.Context, site string, pages []string) (*MirrorLook, error) {
	k := m.keys
	members := make([]any, len(pages))
	for i, p := range pages {
		members[i] = p
	}
	pipe := m.rdb.TxPipeline()
	epoch := pipe.HGet(ctx, k.Checkpoint(site), fieldEpoch)
	state := pipe.HMGet(ctx, k.MirrorState(site), "life", "phase", "epoch", "seq")
	due := pipe.SMIsMember(ctx, k.MirrorDue(site), members...)
	views, bots := pipe.ZMScore(ctx, k.HotAll(site), pages...), pipe.HMGet(ctx, k.PageBots(site), pages...)
	takenViews, takenBots := pipe.HMGet(ctx, k.MirrorPV(site), pages...), pipe.HMGet(ctx, k.MirrorBots(site), pages...)
	if _, err := pipe.Exec(ctx); err != nil && !isNil(err) {
		return nil, fmt.Errorf("look at mirror of %s: %w", site, err)
	}
	field := func(i int) string { text, _ := state.Val()[i].(string); return text }
	look := &MirrorLook{Life: field(0), Ready: field(1) == "open" && field(2) == epoch.Val(), Pages: make([]MirroredPage, len(pages))}
	if look.Life == "" {
		return look, nil
	}
	var err error
	if look.Seq, err = strconv.ParseInt(field(3), 10, 64); err != nil {
		return nil, fmt.Errorf("look at mirror of %s: %w", site, err)
	}
	for i, page := range pages {
		p := &look.Pages[i]
		number := func(c *redis.SliceCmd) int64 {
			text, there := c.Val()[i].(string)
			if !there {
				return 0
			}
			v := scanValue(text)
			if v.Wrong != "" {
				p.TotalsWrong = v.Wrong
			}
			return v.N
		}
		score := scoreValue(views.Val()[i])
		p.TotalsWrong = score.Wrong
		p.Due = due.Val()[i]
		p.Total = PageTotal{Page: page, PV: score.N, Bots: number(bots)}
		p.Taken = PageTotal{Page: page, PV: number(takenViews), Bots: number(takenBots)}
	}
	return look, nil
}

// Key is where what was taken is kept, of the views of people or of bots.
func (m *Mirror) Key(site string, bots bool) string {
	if bots {
		return m.keys.MirrorBots(site)
	}
	return m.keys.MirrorPV(site)
}

// Pages calls f for every page that Redis has totals of, or that was taken, each
// at least once.
func (m *Mirror) Pages(ctx context.Context, site string, f func(page string) error) error {
	hash := func(key string) func(uint64) *redis.ScanCmd {
		return func(at uint64) *redis.ScanCmd { return m.rdb.HScan(ctx, key, at, "", MaxTake) }
	}
	for _, scan := range []func(uint64) *redis.ScanCmd{
		func(at uint64) *redis.ScanCmd { return m.rdb.ZScan(ctx, m.keys.HotAll(site), at, "", MaxTake) },
		hash(m.keys.PageBots(site)), hash(m.keys.MirrorPV(site)), hash(m.keys.MirrorBots(site)),
	} {
		for cursor := uint64(0); ; {
			pairs, next, err := scan(cursor).Result()
			if err != nil {
				return fmt.Errorf("list pages of %s: %w", site, err)
			}
			for i := 0; i < len(pairs); i += 2 {
				if pairs[i] == "" {
					continue
				}
				if err := f(pairs[i]); err != nil {
					return err
				}
			}
			if cursor = next; cursor == 0 {
				break
			}
		}
	}
	return nil
}

// WrongKind tells whether Redis refused because a key is of another type.
func WrongKind(err error) bool { return wrongKind(err) }
