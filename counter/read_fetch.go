package counter

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/parser"
)

// scalars are the fields that are one string key each, in the order of MGET,
// and the keys of their base.
func (r *asking) scalars(q *Query, day parser.Day) []string {
	k, keys := r.keys, make([]string, 0, 10+2*len(q.Pages))
	add := func(f Fields, key func() string) {
		if q.Fields&f != 0 {
			keys = append(keys, key())
		}
	}
	add(FieldSitePV, func() string { return k.SitePV(q.Site) })
	add(FieldSiteUV, func() string { return k.SiteUV(q.Site) })
	add(FieldSitePVToday, func() string { return k.SitePVDay(q.Site, day) })
	add(FieldSiteUVToday, func() string { return k.SiteUVDay(q.Site, day) })
	add(FieldPagePV, func() string { return k.PagePV(q.Site, q.Page) })
	add(FieldPageUV, func() string { return k.PageUV(q.Site, q.Page) })
	for _, p := range q.Pages {
		keys = append(keys, k.PagePV(q.Site, p))
	}
	return r.baseKeys(keys, q)
}

// slot is where the scalar field f of an answer lives.
func (s *SiteStats) slot(f Fields) *int64 {
	switch f {
	case FieldSitePV:
		return &s.SitePV
	case FieldSiteUV:
		return &s.SiteUV
	case FieldSitePVToday:
		return &s.SitePVToday
	case FieldSiteUVToday:
		return &s.SiteUVToday
	case FieldPagePV:
		return &s.PagePV
	case FieldPageUV:
		return &s.PageUV
	case FieldSiteUVWeek:
		return &s.SiteUVWeek
	case FieldSiteUVMonth:
		return &s.SiteUVMonth
	case FieldPageUVWeek:
		return &s.PageUVWeek
	case FieldPageUVMonth:
		return &s.PageUVMonth
	default:
		return &s.SiteOnline
	}
}

// Get is the value of one scalar field.
func (s *SiteStats) Get(f Fields) int64 { return *s.slot(f) }

func (r *Reader) hotKey(site string, p Period, day parser.Day) string {
	switch p {
	case Today:
		return r.keys.HotDay(site, day)
	case Week:
		return r.keys.HotWeek(site, day)
	case Month:
		return r.keys.HotMonth(site, day)
	default:
		return r.keys.HotAll(site)
	}
}

// queue adds what x asks for to a pipeline: its site's state first, then one
// MGET, and sorted sets only if they are asked for. before are those whose
// commands are in it already.
func (r *Reader) queue(ctx context.Context, pipe redis.Pipeliner, x *asked, before []*asked) {
	q := x.q
	for i := len(before) - 1; i >= 0 && x.state == nil; i-- {
		if before[i].q.Site == q.Site {
			x.state = before[i].state
		}
	}
	if x.state == nil {
		x.state = r.askState(ctx, pipe, q.Site)
	}
	if keys := r.scalars(q, x.day); len(keys) > 0 {
		x.mget = pipe.MGet(ctx, keys...)
	}
	if q.Fields&FieldSiteOnline != 0 {
		// An exclusive bound: seen exactly a window ago is no longer online.
		from := "(" + strconv.FormatInt(x.now.Add(-OnlineWindow).Unix(), 10)
		to := strconv.FormatInt(x.now.Add(OnlineWindow).Unix(), 10) // beyond are those of a clock that was ahead
		x.online = pipe.ZCount(ctx, r.keys.Online(q.Site), from, to)
	}
	r.queueTerms(ctx, pipe, x)
	for p := range NumPeriods {
		if q.Fields&p.Field() != 0 {
			// One more than asked for, in case __other__ is among them.
			x.hot[p] = pipe.ZRevRangeWithScores(ctx, r.hotKey(q.Site, p, x.day), 0, int64(q.limit()))
		}
	}
}

// take puts the replies to x's commands into its answer.
func (r *Reader) take(x *asked) error {
	q, a := x.q, x.a
	if x.online != nil {
		n, err := x.online.Result()
		if err != nil {
			return fmt.Errorf("read visitors online of %s: %w", q.Site, err)
		}
		a.SiteOnline = n
	}
	if err := x.takeTerms(); err != nil {
		return err
	}
	for p, cmd := range x.hot {
		if cmd == nil {
			continue
		}
		members, err := cmd.Result()
		if err != nil {
			return fmt.Errorf("read hot pages of %s: %w", q.Site, err)
		}
		a.Hot[p] = hotList(members, q.limit())
	}
	if x.mget == nil {
		return nil
	}
	return takeScalars(x.mget, q, a)
}

// hotList leaves out parser.OtherPage: it stands for many pages and nobody can
// visit it.
func hotList(members []redis.Z, limit int) []PageCount {
	list := make([]PageCount, 0, len(members))
	for _, z := range members {
		if page, ok := z.Member.(string); ok && page != parser.OtherPage && len(list) < limit {
			list = append(list, PageCount{Page: page, PV: int64(z.Score)})
		}
	}
	return slices.Clip(list)
}

// takeScalars puts the values of an MGET into a, in the order of scalars.
func takeScalars(cmd *redis.SliceCmd, q *Query, a *Answer) error {
	values, err := cmd.Result()
	if err != nil {
		return fmt.Errorf("read counters of %s: %w", q.Site, err)
	}
	for f := FieldSitePV; f < FieldSiteOnline; f <<= 1 {
		if q.Fields&f == 0 {
			continue
		}
		if *a.slot(f), err = replyCount(values[0]); err != nil {
			return fmt.Errorf("read counters of %s: %w", q.Site, err)
		}
		values = values[1:]
	}
	for _, v := range values[:len(q.Pages)] {
		n, err := replyCount(v)
		if err != nil {
			return fmt.Errorf("read pages of %s: %w", q.Site, err)
		}
		a.Pages = append(a.Pages, n)
	}
	return addBase(values[len(q.Pages):], q, a)
}

// replyCount is the number in one reply of MGET; a key that does not exist is 0.
func replyCount(v any) (int64, error) {
	s, ok := v.(string)
	if !ok {
		return 0, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("counter holds %q, which is no number: %w", s, err)
	}
	return n, nil
}

// Sites reads the names of all sites that ever counted, sorted.
func (r *Reader) Sites(ctx context.Context) (sites []string, stale bool, err error) {
	key := lastKey{kind: lastSites}
	if b, ok := r.askSlowly(""); ok {
		rctx, cancel := context.WithTimeout(ctx, r.opt.Timeout)
		defer cancel()
		sites, err = r.rdb.SMembers(rctx, r.keys.Sites()).Result()
		b.leave(r.opt.Now(), r.opt.RetryAfter, err, ctx.Err() != nil)
		if err == nil {
			slices.Sort(sites)
			e := r.entry(key)
			e.mu.Lock()
			e.sites = slices.Clone(sites)
			e.mu.Unlock()
			return sites, false, nil
		}
	}
	if e, ok := r.cache.GetIfPresent(key); ok {
		e.mu.Lock()
		defer e.mu.Unlock()
		return slices.Clone(e.sites), true, nil
	}
	return nil, true, nil
}
