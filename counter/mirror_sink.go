package counter

import (
	"context"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"
)

// sinkIDs is the version of how a sink names what it is sent: with another one
// all pages are sent again. 1 did not tell some names of sites and pages apart.
const sinkIDs = "2"

// SinkNamed notes that all pages of a site are due to the sink, or were. The set has the
// empty name from now on.
func (m *Mirror) SinkNamed(ctx context.Context, site string) error {
	_, err := m.rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.SAdd(ctx, m.keys.MirrorSink(site), "")
		p.HSet(ctx, m.keys.MirrorState(site), "ids", sinkIDs)
		return nil
	})
	if err != nil {
		return fmt.Errorf("note that all pages of %s are due: %w", site, err)
	}
	return nil
}

// SinkPages makes pages of the site due to the sink, such as those whose base was
// set: what is sent has the base in it.
func SinkPages(ctx context.Context, rdb redis.UniversalClient, keys Keys, site string, pages []string) error {
	for some := range slices.Chunk(pages, MaxTake) {
		if err := rdb.SAdd(ctx, keys.MirrorSink(site), toAny(some)...).Err(); err != nil {
			return fmt.Errorf("make pages of %s due: %w", site, err)
		}
	}
	return nil
}

func toAny(texts []string) []any {
	all := make([]any, len(texts))
	for i, t := range texts {
		all[i] = t
	}
	return all
}

// SinkPages makes pages of the site due to the sink.
func (m *Mirror) SinkPages(ctx context.Context, site string, pages []string) error {
	return SinkPages(ctx, m.rdb, m.keys, site, pages)
}

// SinkDue returns up to n pages that the sink has not acknowledged, with their
// totals of now, bases included, from a cursor on: 0 at first, and again 0 when all were seen. A
// page may come twice.
func (m *Mirror) SinkDue(ctx context.Context, site string, cursor uint64, n int64) (due []PageTotal, next uint64, err error) {
	pages, next, err := m.rdb.SScan(ctx, m.keys.MirrorSink(site), cursor, "", n).Result()
	pages = slices.DeleteFunc(pages, func(p string) bool { return p == "" })
	if err != nil || len(pages) == 0 {
		return nil, next, err
	}
	pipe := m.rdb.TxPipeline()
	views := pipe.ZMScore(ctx, m.keys.HotAll(site), pages...)
	bots := pipe.HMGet(ctx, m.keys.PageBots(site), pages...)
	names := make([]string, len(pages))
	for i, p := range pages {
		names[i] = m.keys.BasePagePV(site, p)
	}
	bases := pipe.MGet(ctx, names...)
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, 0, fmt.Errorf("read due pages of %s: %w", site, err)
	}
	due = make([]PageTotal, len(pages))
	for i, p := range pages {
		base, err := replyCount(bases.Val()[i])
		if err != nil {
			return nil, 0, fmt.Errorf("read base of %s %s: %w", site, p, err)
		}
		due[i] = PageTotal{Page: p, PV: int64(views.Val()[i]) + base}
		if text, ok := bots.Val()[i].(string); ok {
			v := scanValue(text)
			if v.Wrong != "" {
				return nil, 0, fmt.Errorf("read due pages of %s: %s has %s", site, p, v.Wrong)
			}
			due[i].Bots = v.N
		}
	}
	return due, next, nil
}

// SinkDone notes what the sink has acknowledged; a page that changed since it
// was sent stays due. left is how many did.
func (m *Mirror) SinkDone(ctx context.Context, site string, sent []PageTotal) (left int64, err error) {
	k, c := m.keys, &call{}
	c.key(k.Checkpoint(site), k.MirrorSink(site), k.HotAll(site), k.PageBots(site))
	c.arg(len(sent))
	for _, p := range sent {
		c.key(k.BasePagePV(site, p.Page))
		c.arg(p.Page, p.PV, p.Bots)
	}
	_, a, err := m.run(ctx, "note what was sent", site, m.scripts.sent, c)
	return a.lost, err
}
