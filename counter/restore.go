package counter

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/parser"
)

// DayTotals are one day of a site as the archive has it.
type DayTotals struct {
	Day                               parser.Day
	PV, UV                            int64
	PC, Mobile, Bot, BotEvents, Dedup int64
	Events                            int64
}

// SeenKey is what a duplicate rule remembers of one line: the rule's hash and
// the line's time in Unix milliseconds.
type SeenKey struct {
	Rule string // RuleID or RuleWindow
	Key  uint64
	Time int64
}

// History is what a restore reads: one consistent state of the archive. The
// functions given are called once for each row, in any order; their error ends
// the reading and is returned.
type History interface {
	// Segments are the archived ones with their sizes: everything below
	// comes from them and from nothing else.
	Segments(ctx context.Context, site string) (map[string]int64, error)
	Days(ctx context.Context, site string, row func(DayTotals) error) error
	PageTotals(ctx context.Context, site string, row func(page string, pv, uv int64) error) error
	// PageDays are the views of pages on the days from..to.
	PageDays(ctx context.Context, site string, from, to parser.Day, row func(d parser.Day, page string, pv int64) error) error
	// PageBots are the views of bots, on all days and on the days from..to.
	PageBots(ctx context.Context, site string, row func(page string, pv int64) error) error
	PageBotDays(ctx context.Context, site string, from, to parser.Day, row func(d parser.Day, page string, pv int64) error) error
	// Hours are the views of people and of bots by hour on the days from..to.
	Hours(ctx context.Context, site string, from, to parser.Day, row func(d parser.Day, hour int, pv, bot int64) error) error
	// Minutes are those of a day by minute, from 0 on.
	Minutes(ctx context.Context, site string, d parser.Day, row func(minute int, pv, bot int64) error) error
	// Referrers are the views of people that hosts led to on the days from..to.
	Referrers(ctx context.Context, site string, from, to parser.Day, row func(d parser.Day, host string, pv int64) error) error
	// Events are the days from..to, every level of the key a row of its own.
	Events(ctx context.Context, site string, from, to parser.Day, row func(d parser.Day, key string, pv, uv int64) error) error
	Visitors(ctx context.Context, site string, d parser.Day, row func(parser.Visitor) error) error
	// Pairs are the distinct (visitor, page) and (visitor, event key) pairs
	// of a day, as parser.PairHash and parser.EventHash.
	Pairs(ctx context.Context, site string, d parser.Day, row func(uint64) error) error
	CallHistory
	// Seen are what lines from a time on left with the duplicate rules.
	Seen(ctx context.Context, site string, from int64, row func(SeenKey) error) error
}

// Restored sums up a restore.
type Restored struct {
	SitePV, SiteUV, Pages, HotPages, Days, Events, Segments int64
	Took                                                    time.Duration
}

// Restorer writes a site's history into Redis with absolute values: it may be
// killed and run again. It must only run while the site's epoch fences off
// every other writer (see Rebuilder).
type Restorer struct {
	Redis    redis.UniversalClient
	Keys     Keys
	Location *time.Location
	Now      func() time.Time
	UVSetTTL time.Duration                              // days that can still get lines need their visitors
	Widths   func(site string) map[string]time.Duration // of the duplicate rules, by name
	// Progress is told how many rows are written; may be nil.
	Progress func(rows int64)
}

// restoring is one run.
type restoring struct {
	*Restorer
	ctx  context.Context
	site string
	pipe redis.Pipeliner
	rows int64
	done Restored
}

// rowsPerTrip is how many rows go out in one pipeline.
const rowsPerTrip = 2000

// Restore writes everything the archive has of site and returns the segments
// that it covers, with their sizes.
func (r *Restorer) Restore(ctx context.Context, h History, site string) (map[string]int64, Restored, error) {
	start := r.Now()
	run := &restoring{Restorer: r, ctx: ctx, site: site, pipe: r.Redis.Pipeline()}
	segments, err := h.Segments(ctx, site)
	if err != nil {
		return nil, run.done, fmt.Errorf("read archived segments: %w", err)
	}
	for _, step := range []struct {
		what string
		do   func(History) error
	}{
		{"days", run.days}, {"pages", run.pages}, {"hot pages", run.hot}, {"pages of bots", run.bots}, {"events", run.events},
		{"hours", run.hours}, {"minutes", run.minutes}, {"referrers", run.referrers}, {"calls", run.calls},
		{"visitors", run.visitors}, {"pairs", run.pairs}, {"duplicates", run.seen},
	} {
		if err := step.do(h); err != nil {
			return nil, run.done, fmt.Errorf("restore %s: %w", step.what, err)
		}
		if err := run.flush(); err != nil {
			return nil, run.done, fmt.Errorf("restore %s: %w", step.what, err)
		}
	}
	run.done.Segments = int64(len(segments))
	run.done.Took = r.Now().Sub(start)
	return segments, run.done, nil
}

// row counts one row and sends the pipeline when it is long enough.
func (r *restoring) row() error {
	r.rows++
	if r.rows%rowsPerTrip != 0 {
		return nil
	}
	return r.flush()
}

func (r *restoring) flush() error {
	if r.pipe.Len() > 0 {
		if _, err := r.pipe.Exec(r.ctx); err != nil {
			return err
		}
	}
	if r.Progress != nil {
		r.Progress(r.rows)
	}
	return nil
}

func (r *restoring) days(h History) error {
	k := r.Keys
	err := h.Days(r.ctx, r.site, func(d DayTotals) error {
		r.done.SitePV += d.PV
		r.done.SiteUV += d.UV
		r.done.Days++
		at := expiry(r.Location, d.Day.Next(), DayKeysTTL)
		if !at.After(r.Now()) {
			return nil
		}
		r.pipe.SetArgs(r.ctx, k.SitePVDay(r.site, d.Day), d.PV, redis.SetArgs{ExpireAt: at})
		if d.UV > 0 {
			r.pipe.SetArgs(r.ctx, k.SiteUVDay(r.site, d.Day), d.UV, redis.SetArgs{ExpireAt: at})
		}
		books := dayBooks{bot: d.Bot, botEvents: d.BotEvents, events: d.Events, pc: d.PC, mobile: d.Mobile, dedup: d.Dedup}
		if f := books.fields(); len(f) > 0 {
			r.pipe.HSet(r.ctx, k.Books(r.site, d.Day), f...)
			r.pipe.ExpireAt(r.ctx, k.Books(r.site, d.Day), at)
		}
		return r.row()
	})
	if err != nil {
		return err
	}
	if r.done.SitePV > 0 {
		r.pipe.Set(r.ctx, k.SitePV(r.site), r.done.SitePV, 0)
	}
	if r.done.SiteUV > 0 {
		r.pipe.Set(r.ctx, k.SiteUV(r.site), r.done.SiteUV, 0)
	}
	return nil
}

// chunk is how many members or keys go into one command.
const chunk = 500

func (r *restoring) pages(h History) error {
	set := make([]any, 0, 4*chunk)
	rank := make([]redis.Z, 0, chunk)
	send := func() error {
		if len(rank) == 0 {
			return nil
		}
		r.pipe.MSet(r.ctx, set...)
		r.pipe.ZAdd(r.ctx, r.Keys.HotAll(r.site), rank...)
		set, rank = make([]any, 0, 4*chunk), make([]redis.Z, 0, chunk)
		return nil
	}
	err := h.PageTotals(r.ctx, r.site, func(page string, pv, uv int64) error {
		r.done.Pages++
		if pv > 0 {
			set = append(set, r.Keys.PagePV(r.site, page), pv)
			rank = append(rank, redis.Z{Score: float64(pv), Member: page})
		}
		if uv > 0 {
			set = append(set, r.Keys.PageUV(r.site, page), uv)
		}
		if len(rank) == chunk {
			if err := send(); err != nil {
				return err
			}
		}
		return r.row()
	})
	if err != nil {
		return err
	}
	return send()
}

// hot fills the ranked lists of the periods that are still alive.
func (r *restoring) hot(h History) error {
	today := parser.DayOf(r.Now().In(r.Location))
	oldest := r.Now().In(r.Location).AddDate(0, 0, -70) // a month's list lives 32 days after its end
	sums := map[string]map[string]int64{}
	ends := map[string]time.Time{}
	err := h.PageDays(r.ctx, r.site, parser.DayOf(oldest), today.Next(), func(d parser.Day, page string, pv int64) error {
		for _, p := range rankPeriods(r.Keys, r.site, d) {
			at := expiry(r.Location, p.end, p.ttl)
			if !at.After(r.Now()) {
				continue
			}
			if sums[p.key] == nil {
				sums[p.key], ends[p.key] = map[string]int64{}, at
			}
			sums[p.key][page] += pv
		}
		return nil
	})
	if err != nil {
		return err
	}
	for key, pages := range sums {
		if err := r.rank(key, pages); err != nil {
			return err
		}
		r.pipe.ExpireAt(r.ctx, key, ends[key])
	}
	return nil
}

func (r *restoring) rank(key string, pages map[string]int64) error {
	z := make([]redis.Z, 0, chunk)
	for page, pv := range pages {
		z = append(z, redis.Z{Score: float64(pv), Member: page})
		r.done.HotPages++
		if len(z) == chunk {
			r.pipe.ZAdd(r.ctx, key, z...)
			z = make([]redis.Z, 0, chunk)
		}
		if err := r.row(); err != nil {
			return err
		}
	}
	if len(z) > 0 {
		r.pipe.ZAdd(r.ctx, key, z...)
	}
	return nil
}

// bots fills the hashes of pages that bots saw.
func (r *restoring) bots(h History) error {
	err := h.PageBots(r.ctx, r.site, func(page string, pv int64) error {
		r.pipe.HSet(r.ctx, r.Keys.PageBots(r.site), page, pv)
		return r.row()
	})
	if err != nil {
		return err
	}
	today := parser.DayOf(r.Now().In(r.Location))
	oldest := parser.DayOf(r.Now().In(r.Location).Add(-HotDayTTL).AddDate(0, 0, -1))
	ends := map[string]time.Time{}
	err = h.PageBotDays(r.ctx, r.site, oldest, today.Next(), func(d parser.Day, page string, pv int64) error {
		at := expiry(r.Location, d.Next(), HotDayTTL)
		if !at.After(r.Now()) {
			return nil
		}
		key := r.Keys.PageBotsDay(r.site, d)
		ends[key] = at
		r.pipe.HSet(r.ctx, key, page, pv)
		return r.row()
	})
	for key, at := range ends {
		r.pipe.ExpireAt(r.ctx, key, at)
	}
	return err
}

func (r *restoring) events(h History) error {
	today := r.Now().In(r.Location)
	from := r.oldest()
	return h.Events(r.ctx, r.site, from, parser.DayOf(today).Next(), func(d parser.Day, key string, pv, uv int64) error {
		at := expiry(r.Location, d.Next(), DayKeysTTL)
		if !at.After(r.Now()) {
			return nil
		}
		r.done.Events++
		name := r.Keys.Events(r.site, d)
		r.pipe.HSet(r.ctx, name, key, pv)
		if uv > 0 {
			r.pipe.HSet(r.ctx, name, key+EventUV, uv)
		}
		r.pipe.ExpireAt(r.ctx, name, at)
		return r.row()
	})
}

// oldest is a day before which no key of a day lives any more.
func (r *restoring) oldest() parser.Day {
	return parser.DayOf(r.Now().In(r.Location).Add(-DayKeysTTL).AddDate(0, 0, -1))
}

// openDays are the days whose visitors are still remembered.
func (r *restoring) openDays() []parser.Day {
	now := r.Now().In(r.Location)
	var days []parser.Day
	for d := parser.DayOf(now.Add(-r.UVSetTTL)); d <= parser.DayOf(now).Next(); d = d.Next() {
		days = append(days, d)
	}
	return days
}

func (r *restoring) visitors(h History) error {
	for _, d := range r.openDays() {
		key := r.Keys.Visitors(r.site, d)
		members := make([]any, 0, chunk)
		err := h.Visitors(r.ctx, r.site, d, func(v parser.Visitor) error {
			if members = append(members, v[:]); len(members) == chunk {
				r.pipe.SAdd(r.ctx, key, members...)
				members = make([]any, 0, chunk)
			}
			return r.row()
		})
		if err != nil {
			return err
		}
		if len(members) > 0 {
			r.pipe.SAdd(r.ctx, key, members...)
		}
		r.pipe.Expire(r.ctx, key, r.UVSetTTL)
	}
	return nil
}

func (r *restoring) pairs(h History) error {
	for _, d := range r.openDays() {
		var packed []byte
		err := h.Pairs(r.ctx, r.site, d, func(hash uint64) error {
			packed = binary.LittleEndian.AppendUint64(packed, hash)
			return nil
		})
		if err != nil {
			return err
		}
		if err := r.put(r.Keys.Pairs(r.site, d), packed, r.UVSetTTL); err != nil {
			return err
		}
	}
	return nil
}

// put writes a packed key from its start, in pieces.
func (r *restoring) put(key string, packed []byte, ttl time.Duration) error {
	if len(packed) == 0 {
		return nil
	}
	r.pipe.Del(r.ctx, key)
	for len(packed) > 0 {
		n := min(len(packed), pieceBytes)
		r.pipe.Append(r.ctx, key, string(packed[:n]))
		packed = packed[n:]
	}
	r.pipe.Expire(r.ctx, key, ttl)
	return r.flush()
}

func (r *restoring) seen(h History) error {
	widths := r.Widths(r.site)
	packed := map[string][]byte{}
	from := r.Now().Add(-r.UVSetTTL).UnixMilli()
	err := h.Seen(r.ctx, r.site, from, func(s SeenKey) error {
		width := widths[s.Rule].Milliseconds()
		if width <= 0 {
			return nil
		}
		key := r.Keys.Seen(r.site, s.Rule, s.Time/width)
		b := binary.LittleEndian.AppendUint64(packed[key], s.Key)
		packed[key] = binary.LittleEndian.AppendUint32(b, uint32(s.Time%width))
		return nil
	})
	if err != nil {
		return err
	}
	for key, b := range packed {
		if err := r.put(key, b, r.UVSetTTL); err != nil {
			return err
		}
	}
	return nil
}

// expiry is when a key dies that lives for ttl after the start of day end.
func expiry(loc *time.Location, end parser.Day, ttl time.Duration) time.Time {
	return end.Date(loc).Add(ttl)
}

// period is one ranked list of a day: its key, the day after the period and
// how long the key lives after that.
type period struct {
	key string
	end parser.Day
	ttl time.Duration
}

// rankPeriods are the ranked lists of a day that end some time.
func rankPeriods(k Keys, site string, d parser.Day) [3]period {
	date := d.Date(time.UTC)
	monday := date.AddDate(0, 0, 7-(int(date.Weekday())+6)%7)
	month := time.Date(date.Year(), date.Month()+1, 1, 0, 0, 0, 0, time.UTC)
	return [3]period{
		{k.HotDay(site, d), d.Next(), HotDayTTL},
		{k.HotWeek(site, d), parser.DayOf(monday), HotWeekTTL},
		{k.HotMonth(site, d), parser.DayOf(month), HotMonthTTL},
	}
}
