package counter

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/parser"
)

// sitePage is a name of a full table of which it is asked what it had before.
type sitePage struct {
	site  *site
	day   *dayState
	table int
	name  string
}

// namesBack is on how many days before events and names of facets are looked for.
const namesBack = 7

// nameAsked are the answers about one name.
type nameAsked struct {
	there *redis.IntCmd    // of a page: whether it has views
	uv    *redis.StringCmd // and its visitors
	ever  *redis.IntCmd    // pages of its site
	days  []*redis.BoolCmd // of an event or a facet: whether it came on a day
}

func (f *filler) askName(ctx context.Context, pipe redis.Pipeliner, p *sitePage) (a nameAsked) {
	if p.table == tablePages {
		return nameAsked{there: pipe.Exists(ctx, f.keys.PagePV(p.site.name, p.name)), uv: pipe.Get(ctx, f.keys.PageUV(p.site.name, p.name)),
			ever: pipe.ZCard(ctx, f.keys.HotAll(p.site.name))}
	}
	for back := 1; back <= namesBack; back++ {
		day := parser.DayOf(p.day.day.Date(time.UTC).AddDate(0, 0, -back))
		key := f.keys.Events(p.site.name, day)
		if p.table >= tableFacets {
			key = f.keys.Facets(p.site.name, day)
		}
		a.days = append(a.days, pipe.HExists(ctx, key, p.name))
	}
	return a
}

// before is how many visitors or days the name had.
func (a *nameAsked) before() (n int64, err error) {
	for _, day := range a.days {
		had, err := day.Result()
		if err != nil {
			return 0, err
		}
		if had {
			n++
		}
	}
	if a.there == nil {
		return n, nil
	}
	if n, err = a.there.Result(); err != nil {
		return 0, err
	}
	uv, err := a.uv.Int64()
	if err != nil && !isNil(err) {
		return 0, err
	}
	return max(n, uv), nil
}

// loadNames asks what names had before that compete for a place in a full table. What is
// still pending of pages is known by the days in memory.
func (f *filler) loadNames(ctx context.Context, names []sitePage) error {
	asked := make([]nameAsked, len(names))
	err := f.wire.ask(ctx, "read earlier names", func(pipe redis.Pipeliner) {
		for i := range names {
			asked[i] = f.askName(ctx, pipe, &names[i])
		}
	})
	if err != nil {
		return err
	}
	for i := range names {
		p := &names[i]
		n, err := asked[i].before()
		if err != nil {
			if err := f.heal.mend(ctx, p.site, fmt.Errorf("read earlier names of %s: %w", p.site.name, err)); err != nil {
				return err
			}
			continue
		}
		if s := p.site; asked[i].ever != nil && s.ever >= f.counts.caps.ever && f.counts.now.Sub(s.everAt) >= time.Second {
			s.ever, s.everAt = asked[i].ever.Val()+s.uncommitted(), f.counts.now
		}
		if n == 0 && p.table == tablePages && p.site.hadBefore(p.day.day, p.name) {
			n = 1
		}
		r := p.day.rooms[p.table]
		if r == nil {
			r = &room{}
			p.day.rooms[p.table] = r
		}
		hash := claimOf([]byte(p.name))
		c := r.claims[hash]
		c.before = int32(min(n, 1<<30))
		r.remember(hash, c)
	}
	return nil
}

// uncommitted is how many pages the site's days in memory have that Redis may not have yet.
func (s *site) uncommitted() (n int64) {
	for _, d := range s.days {
		for _, p := range d.pages {
			if !p.seenPV {
				n++
			}
		}
	}
	return n
}
