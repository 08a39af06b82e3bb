package counter

import (
	"context"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/redis/go-redis/v9"

	"ddkk-stats/parser"
)

// bounds are what the sum of a list must lie between.
type bounds struct{ least, most int64 }

// anything is no bound.
const anything = int64(math.MaxInt64)

// list is a ranked list or a hash of pages that is compared with totals.
type list struct {
	key  string
	hash bool
	skip string // a field that is no number of the list's
	// ask queues what the bounds follow from and returns a function that makes them
	// of the answers. pending is how much of the site is not spread yet.
	ask func(ctx context.Context, p redis.Pipeliner, pending *redis.IntCmd) func() bounds
	// members, where it is not nil, gets all members piece by piece.
	members func(ctx context.Context, names []string) error
}

// lists compares the ranked lists and the hashes of pages with the site's totals, and
// each page's counters with its rank.
func (l *look) lists(ctx context.Context) error {
	k, s := l.keys, l.site
	all := []list{
		{key: k.HotAll(s), ask: l.totalOf([]string{k.SitePV(s)}, nil), members: l.pages},
		{key: k.PageBots(s), hash: true, ask: l.atLeastBots},
	}
	now := l.redis.now()
	alive := func(p period) bool { return expiry(l.loc, p.end, p.ttl).After(now.Add(2 * time.Hour)) }
	known := map[string]bool{}
	for _, d := range l.living() {
		for i, p := range rankPeriods(k, s, d) {
			if known[p.key] || !alive(p) {
				continue
			}
			known[p.key] = true
			pv, later := l.daysOf(d, i)
			all = append(all, list{key: p.key, ask: l.totalOf(pv, later)})
		}
		if at := expiry(l.loc, d.Next(), HotDayTTL); at.After(now.Add(2 * time.Hour)) {
			all = append(all, list{key: k.PageBotsDay(s, d), hash: true, ask: l.botsOf(d)})
		}
	}
	all = append(all, l.terms()...)
	for some := range slices.Chunk(all, listsPerTrip) {
		if err := l.sums(ctx, some); err != nil {
			return err
		}
	}
	return nil
}

// listsPerTrip is of how many lists the first piece is read at once: most have no second one.
const listsPerTrip = 8

// daysOf are the keys of the views of the days of a period that holds d: its day,
// week or month. later are those that a clock which was ahead may have counted into:
// restores of earlier versions left them out of the list.
func (l *look) daysOf(d parser.Day, kind int) (pv, later []string) {
	date := d.Date(time.UTC)
	from, to := date, date
	switch kind {
	case 1:
		from = date.AddDate(0, 0, -(int(date.Weekday())+6)%7)
		to = from.AddDate(0, 0, 6)
	case 2:
		from = date.AddDate(0, 0, 1-date.Day())
		to = from.AddDate(0, 1, -1)
	}
	last := parser.DayOf(l.redis.now().In(l.loc)).Next()
	for at := from; !at.After(to); at = at.AddDate(0, 0, 1) {
		if x := parser.DayOf(at); x > last {
			later = append(later, l.keys.SitePVDay(l.site, x))
		} else {
			pv = append(pv, l.keys.SitePVDay(l.site, x))
		}
	}
	return pv, later
}

// totalOf has a list add up to the totals in some keys. While page changes are
// pending it may have less; and where there are numbers of later days, anything.
func (l *look) totalOf(names, later []string) func(context.Context, redis.Pipeliner, *redis.IntCmd) func() bounds {
	return func(ctx context.Context, p redis.Pipeliner, pending *redis.IntCmd) func() bounds {
		totals := p.MGet(ctx, append(names[:len(names):len(names)], later...)...)
		return func() bounds {
			if pending.Err() != nil || totals.Err() != nil {
				return bounds{0, anything} // a key of another type: commits see that
			}
			var sum int64
			for i, v := range totals.Val() {
				if i < len(names) {
					sum += l.number(names[i], v)
				} else if v != nil {
					return bounds{0, anything}
				}
			}
			if pending.Val() > 0 {
				return bounds{0, sum}
			}
			return bounds{sum, sum}
		}
	}
}

// terms are the hashes of the weeks and months of the young days: their visitors are as
// many as the pairs.
func (l *look) terms() (all []list) {
	known := map[string]bool{}
	for _, d := range l.young() {
		for t := range parser.NumTerms {
			name := t.Name(d)
			if known[name] || !termEnd(l.loc, t, t.First(d), l.uvTTL).After(l.redis.now().Add(2*time.Hour)) {
				continue
			}
			known[name] = true
			all = append(all, list{key: l.keys.TermVisitors(l.site, name), hash: true, skip: TermPart, ask: l.pairsOf(l.keys.TermPairs(l.site, name))})
		}
	}
	return all
}

// pairsOf has a hash add up to the entries of a packed key.
func (l *look) pairsOf(key string) func(context.Context, redis.Pipeliner, *redis.IntCmd) func() bounds {
	return func(ctx context.Context, p redis.Pipeliner, pending *redis.IntCmd) func() bounds {
		bytes := p.StrLen(ctx, key)
		return func() bounds {
			if pending.Err() != nil || bytes.Err() != nil {
				return bounds{0, anything}
			}
			n := bytes.Val() / 8
			if pending.Val() > 0 {
				return bounds{0, n}
			}
			return bounds{n, n}
		}
	}
}

// botsOf has a day's hash of pages that bots saw add up to the day's views of bots.
func (l *look) botsOf(d parser.Day) func(context.Context, redis.Pipeliner, *redis.IntCmd) func() bounds {
	return func(ctx context.Context, p redis.Pipeliner, pending *redis.IntCmd) func() bounds {
		bot := p.HMGet(ctx, l.keys.Books(l.site, d), "bot")
		return func() bounds {
			if pending.Err() != nil || bot.Err() != nil {
				return bounds{0, anything}
			}
			n := l.number(l.keys.Books(l.site, d), bot.Val()[0])
			if pending.Val() > 0 {
				return bounds{0, n}
			}
			return bounds{n, n}
		}
	}
}

// atLeastBots has the hash of all pages that bots saw have what the days have that are
// still known.
func (l *look) atLeastBots(ctx context.Context, p redis.Pipeliner, pending *redis.IntCmd) func() bounds {
	var days []*redis.SliceCmd
	for d := range l.days {
		days = append(days, p.HMGet(ctx, l.keys.Books(l.site, d), "bot"))
	}
	return func() bounds {
		var sum int64
		for _, d := range days {
			if d.Err() == nil {
				sum += l.number("views of bots", d.Val()[0])
			}
		}
		if pending.Err() != nil || pending.Val() > 0 {
			sum = 0
		}
		return bounds{sum, anything}
	}
}

// adding is a list that is being added up.
type adding struct {
	*list
	seen        set64 // a scan may show a member twice
	have, least int64
	begun       bool
	cursor      uint64
	scan        *redis.ScanCmd
	made        func() bounds
}

// askPiece queues the next piece.
func (a *adding) askPiece(ctx context.Context, p redis.Pipeliner, pending *redis.IntCmd) {
	if a.hash {
		a.scan = p.HScan(ctx, a.key, a.cursor, "", scrubPiece)
	} else {
		a.scan = p.ZScan(ctx, a.key, a.cursor, "", scrubPiece)
	}
	a.made = a.ask(ctx, p, pending)
}

// sums adds lists up, piece by piece: the first ones of all of them at once. What a list must
// have at least is that of the moment of its first piece, and at most that of the last one: for one
// of one piece that is the same moment.
func (l *look) sums(ctx context.Context, lists []list) error {
	all := make([]adding, len(lists))
	pieces := func(some []adding) error {
		return l.at(ctx, 10*len(some), func(p redis.Pipeliner) {
			pending := p.LLen(ctx, l.keys.Pending(l.site))
			for i := range some {
				some[i].askPiece(ctx, p, pending)
			}
		})
	}
	for i := range lists {
		all[i].list = &lists[i]
	}
	if err := pieces(all); err != nil {
		return err
	}
	for i := range all {
		for {
			if err := l.add(ctx, &all[i]); err != nil {
				return err
			}
			if all[i].cursor == 0 {
				break
			}
			if err := pieces(all[i : i+1]); err != nil {
				return err
			}
		}
	}
	return nil
}

// add adds the piece that was read, and compares when it was the last one.
func (l *look) add(ctx context.Context, x *adding) error {
	if x.scan.Err() != nil {
		l.differ("%s: %v", x.key, x.scan.Err())
		x.cursor = 0
		return nil
	}
	var pairs []string
	pairs, x.cursor = x.scan.Val()
	l.paced(ctx, len(pairs)/2)
	names := make([]string, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		if x.skip != "" && pairs[i] == x.skip {
			continue
		}
		if x.seen.add(xxhash.Sum64String(pairs[i])) {
			n, err := strconv.ParseFloat(pairs[i+1], 64)
			if err != nil {
				l.differ("%s: %q has %q", x.key, pairs[i], pairs[i+1])
			}
			x.have += int64(n)
			names = append(names, pairs[i])
		}
	}
	b := x.made()
	if !x.begun {
		x.begun, x.least = true, b.least
	}
	if x.cursor == 0 && (x.have < x.least || x.have > b.most) {
		l.differ("%s adds up to %d, want %d to %d", x.key, x.have, x.least, b.most)
	}
	if x.members != nil {
		return x.members(ctx, names)
	}
	return nil
}

// pages compares the counters of pages with their rank, all of one moment, and adds
// their visitors up.
func (l *look) pages(ctx context.Context, names []string) error {
	for len(names) > 0 {
		some := names[:min(len(names), scrubPiece)]
		names = names[len(some):]
		keys := make([]string, 0, 2*len(some))
		for _, page := range some {
			keys = append(keys, l.keys.PagePV(l.site, page), l.keys.PageUV(l.site, page))
		}
		var totals *redis.SliceCmd
		var scores *redis.FloatSliceCmd
		err := l.at(ctx, len(keys)+len(some), func(p redis.Pipeliner) {
			totals, scores = p.MGet(ctx, keys...), p.ZMScore(ctx, l.keys.HotAll(l.site), some...)
		})
		if err != nil {
			return err
		}
		if totals.Err() != nil || scores.Err() != nil {
			return nil // a list of another type was seen before
		}
		for i := range some {
			pv, uv := l.number(keys[2*i], totals.Val()[2*i]), l.number(keys[2*i+1], totals.Val()[2*i+1])
			if rank := int64(scores.Val()[i]); pv != rank {
				l.differ("%s is %d, its rank %d", keys[2*i], pv, rank)
			}
			if uv > pv {
				l.differ("%s is %d, more than its %d views", keys[2*i+1], uv, pv)
			}
			l.uv += uv
		}
	}
	return nil
}
