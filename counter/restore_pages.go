package counter

import (
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/parser"
)

// pageSums are the sums of all pages of a site, by the order in which they came.
type pageSums struct {
	names        []string
	at           map[string]int
	pv, uv, bots []int64
	hot          []*hotSums
	botDays      map[parser.Day]*hotSums
}

// hotSums are the views of pages, by people or by bots, in one period that is
// still alive.
type hotSums struct {
	key string
	end time.Time
	pv  []int64 // of the pages so far; 0: not in it
}

func (p *pageSums) of(name []byte) int {
	i, ok := p.at[string(name)]
	if !ok {
		i = len(p.names)
		p.names = append(p.names, string(name))
		p.at[p.names[i]] = i
		p.pv, p.uv, p.bots = append(p.pv, 0), append(p.uv, 0), append(p.bots, 0)
	}
	return i
}

func (h *hotSums) add(i int, pv int64) {
	for len(h.pv) <= i {
		h.pv = append(h.pv, 0)
	}
	h.pv[i] += pv
}

// readPages adds up the days of pages: in all, and for the periods whose
// ranked lists and hashes are still alive.
func (r *restoring) readPages(h History) (*pageSums, error) {
	p := &pageSums{at: map[string]int{}, botDays: map[parser.Day]*hotSums{}}
	alive := map[string]*hotSums{}
	oldest := r.Now().In(r.Location).AddDate(0, 0, -70) // a month's list lives 32 days after its end
	newest := r.newest()
	var at parser.Day
	var periods []*hotSums // of day at
	err := h.Pages(r.ctx, r.site, parser.DayOf(oldest), func(d parser.Day, page []byte, pv, uv, bots int64) error {
		if d != at {
			at, periods = d, nil
			if d <= newest {
				periods = r.alive(d, alive)
				r.botDay(p, d)
			}
		}
		i := p.of(page)
		if pv > 0 && p.pv[i] == 0 {
			r.done.Pages++
		}
		p.pv[i] += pv
		p.uv[i] += uv
		p.bots[i] += bots
		for _, x := range periods {
			x.add(i, pv)
		}
		if x := p.botDays[d]; x != nil && bots > 0 {
			x.add(i, bots)
		}
		return nil
	})
	for _, x := range alive {
		p.hot = append(p.hot, x)
		for _, pv := range x.pv {
			if pv > 0 {
				r.done.HotPages++
			}
		}
	}
	return p, err
}

// botDay makes the sums of what bots see on a day, if its hash is still alive.
func (r *restoring) botDay(p *pageSums, d parser.Day) {
	if at := expiry(r.Location, d.Next(), HotDayTTL); at.After(r.Now()) {
		p.botDays[d] = &hotSums{key: r.Keys.PageBotsDay(r.site, d), end: at}
	}
}

// alive are the ranked lists of a day that are still alive.
func (r *restoring) alive(d parser.Day, all map[string]*hotSums) (found []*hotSums) {
	for _, p := range rankPeriods(r.Keys, r.site, d) {
		at := expiry(r.Location, p.end, p.ttl)
		if !at.After(r.Now()) {
			continue
		}
		if all[p.key] == nil {
			all[p.key] = &hotSums{key: p.key, end: at}
		}
		found = append(found, all[p.key])
	}
	return found
}

// writePages writes the pages' counters, ranked lists and hashes.
func (r *restoring) writePages(p *pageSums) error {
	all, bots := &hotSums{key: r.Keys.HotAll(r.site), pv: p.pv}, &hotSums{key: r.Keys.PageBots(r.site), pv: p.bots}
	for from := 0; from < len(p.names); from += chunk {
		to := min(from+chunk, len(p.names))
		set := make([]any, 0, 4*chunk)
		for i := from; i < to; i++ {
			if p.pv[i] > 0 {
				set = append(set, r.Keys.PagePV(r.site, p.names[i]), p.pv[i])
			}
			if p.uv[i] > 0 {
				set = append(set, r.Keys.PageUV(r.site, p.names[i]), p.uv[i])
				r.made.visitors(p.uv[i])
			}
		}
		if len(set) > 0 {
			r.pipe.MSet(r.ctx, set...)
		}
		r.rank(all, p.names, from, to)
		for _, x := range p.hot {
			r.rank(x, p.names, from, to)
		}
		r.bots(bots, p.names, from, to)
		for _, x := range p.botDays {
			r.bots(x, p.names, from, to)
		}
		if err := r.sent(int64(to - from)); err != nil {
			return err
		}
	}
	if err := r.barrier(); err != nil { // a list must be there to be given its end
		return err
	}
	for _, x := range p.hot {
		r.pipe.ExpireAt(r.ctx, x.key, x.end)
	}
	for _, x := range p.botDays {
		r.pipe.ExpireAt(r.ctx, x.key, x.end)
	}
	return r.barrier()
}

// bots fills a hash of pages that bots saw.
func (r *restoring) bots(h *hotSums, names []string, from, to int) {
	var fields []any
	for i := from; i < min(to, len(h.pv)); i++ {
		if h.pv[i] > 0 {
			fields = append(fields, names[i], h.pv[i])
		}
	}
	if len(fields) > 0 {
		r.pipe.HSet(r.ctx, h.key, fields...)
		r.made.addKey(r.Keys, h.key)
	}
}

func (r *restoring) rank(h *hotSums, names []string, from, to int) {
	var z []redis.Z
	for i := from; i < min(to, len(h.pv)); i++ {
		if h.pv[i] > 0 {
			z = append(z, redis.Z{Score: float64(h.pv[i]), Member: names[i]})
		}
	}
	if len(z) > 0 {
		r.pipe.ZAdd(r.ctx, h.key, z...)
		r.made.addKey(r.Keys, h.key)
	}
}
