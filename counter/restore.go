package counter

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/counter/keys"
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
	// Pages are what people and bots saw of each page on each day from one on,
	// days in order, after the sums of all days before as those of day 0. The
	// name is valid until row returns.
	Pages(ctx context.Context, site string, from parser.Day, row func(d parser.Day, page []byte, pv, uv, bots int64) error) error
	// Facets are the views of people and of bots by facet on the days from..to; the
	// rows of a day come one after the other.
	Facets(ctx context.Context, site string, from, to parser.Day, row func(d parser.Day, f parser.Facet, name string, pv, bot int64) error) error
	// Minutes are those of a day by minute, from 0 on.
	Minutes(ctx context.Context, site string, d parser.Day, row func(minute int, pv, bot int64) error) error
	// Events are the days from..to, every level of the key a row of its own.
	Events(ctx context.Context, site string, from, to parser.Day, row func(d parser.Day, key string, pv, uv int64) error) error
	CallHistory
	// Term are the visitors of a week or a month, each once, as they are among its pairs: of
	// the site, without a page, and of each page. whole is false where that is not all of them.
	Term(ctx context.Context, site string, kind parser.Term, first parser.Day, row func(hash uint64, page []byte) error) (whole bool, err error)
	// OpenDay is what a day leaves that may still get lines.
	OpenDay(ctx context.Context, site string, d parser.Day, into OpenDay) error
	// Seen are what lines from a time on left with the duplicate rules.
	Seen(ctx context.Context, site string, from int64, row func(SeenKey) error) error
}

// OpenDay takes what a day leaves that may still get lines.
type OpenDay struct {
	Visitor func(parser.Visitor) error // each once
	// Pair takes each (visitor, page) and (visitor, event key) once, as
	// parser.PairHash and parser.EventHash.
	Pair func(uint64) error
	// Seen takes what lines from a time on, in ms, left with the duplicate rules.
	From int64
	Seen func(SeenKey) error
	// Minute takes the views of each minute of the day that has any.
	Minute func(minute int, pv, bot int64) error
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
	Uniques  parser.Uniques                             // so do weeks and months
	Widths   func(site string) map[string]time.Duration // of the duplicate rules, by name
	// Progress is told how many rows are written; may be nil.
	Progress func(rows int64)
}

// restoring is one run, or the part of it that goes on beside another.
type restoring struct {
	*Restorer
	*sender
	made *madeNotes
	site string
	done Restored
	// later are days after tomorrow that a clock which was ahead counted, in order. Their keys
	// are made now: when they come, nothing says that these are lacking.
	later []parser.Day
	terms termNames
	last  parser.Day // that has anything, but for those: what is not archived yet begins there
}

// Restore writes everything the archive has of site and returns the segments
// that it covers, with their sizes.
func (r *Restorer) Restore(ctx context.Context, h History, site string) (map[string]int64, Restored, error) {
	start := time.Now()
	r = r.byRedis(ctx)
	run := &restoring{Restorer: r, sender: newSender(ctx, r.Redis, r.Progress), made: newMadeNotes(r.Widths(site)[RuleWindow]), site: site}
	segments, err := h.Segments(ctx, site)
	if err != nil {
		return nil, run.done, fmt.Errorf("read archived segments: %w", err)
	}
	if err := run.all(ctx, h); err != nil {
		return nil, run.done, err
	}
	if err := run.noteMade(); err != nil {
		return nil, run.done, fmt.Errorf("note what was restored: %w", err)
	}
	run.done.Segments = int64(len(segments))
	run.done.Took = time.Since(start)
	return segments, run.done, nil
}

// byRedis has a restore go by Redis' clock, which decides which keys die; by this host's
// where Redis does not tell.
func (r *Restorer) byRedis(ctx context.Context) *Restorer {
	by, clock := *r, &redisClock{own: r.Now}
	if at, err := r.Redis.Time(ctx).Result(); err == nil {
		clock.tell(at)
	}
	by.Now = clock.now
	return &by
}

// all does one step after the other. Pages are written while the steps behind
// them read the archive.
func (r *restoring) all(ctx context.Context, h History) (err error) {
	beside := &restoring{Restorer: r.Restorer, sender: r.fork(), made: r.made, site: r.site}
	var writing sync.WaitGroup
	var failed error
	defer func() {
		writing.Wait()
		err = errors.Join(err, failed, r.barrier())
	}()
	for _, step := range []struct {
		what string
		do   func(History) error
	}{
		{"days", r.days},
		{"pages", func(h History) error {
			p, err := r.readPages(h)
			if err == nil {
				writing.Go(func() {
					if failed = beside.writePages(p); failed != nil {
						failed = fmt.Errorf("restore pages: %w", failed)
					}
				})
			}
			return err
		}},
		{"events", r.events}, {"facets", r.facets}, {"minutes", r.minutes},
		{"calls", r.calls}, {"open days", r.open}, {"weeks and months", r.openTerms},
	} {
		if err := step.do(h); err != nil {
			return fmt.Errorf("restore %s: %w", step.what, err)
		}
		if err := r.flush(); err != nil {
			return fmt.Errorf("restore %s: %w", step.what, err)
		}
	}
	return nil
}

func (r *restoring) days(h History) error {
	k := r.Keys
	tomorrow := r.tomorrow()
	err := h.Days(r.ctx, r.site, func(d DayTotals) error {
		if d.Day > tomorrow {
			r.later = append(r.later, d.Day)
		} else {
			r.last = max(r.last, d.Day)
		}
		r.needTerms(d.Day)
		r.done.SitePV += d.PV
		r.done.SiteUV += d.UV
		r.done.Days++
		at := expiry(r.Location, d.Day.Next(), DayKeysTTL)
		if !at.After(r.Now()) {
			return nil
		}
		digits := keys.Day(d.Day)
		// No key that holds nothing: the first view to come takes it for a new one, and what
		// is noted and comes up new was lost.
		if d.PV > 0 {
			r.made.add(keys.MarkPV, digits)
			r.pipe.SetArgs(r.ctx, k.SitePVDay(r.site, d.Day), d.PV, redis.SetArgs{ExpireAt: at})
		}
		if d.UV > 0 {
			r.made.add(keys.MarkUV, digits)
			r.pipe.SetArgs(r.ctx, k.SiteUVDay(r.site, d.Day), d.UV, redis.SetArgs{ExpireAt: at})
		}
		books := dayBooks{bot: d.Bot, botEvents: d.BotEvents, events: d.Events, pc: d.PC, mobile: d.Mobile, dedup: d.Dedup}
		if f := books.fields(); len(f) > 0 {
			r.pipe.HSet(r.ctx, k.Books(r.site, d.Day), f...)
			r.pipe.ExpireAt(r.ctx, k.Books(r.site, d.Day), at)
			r.made.add(keys.MarkBooks, digits)
		}
		return r.row()
	})
	if err != nil {
		return err
	}
	if r.done.SitePV > 0 {
		r.pipe.Set(r.ctx, k.SitePV(r.site), r.done.SitePV, 0)
		r.made.add(keys.MarkPV, keys.Forever)
	}
	if r.done.SiteUV > 0 {
		r.pipe.Set(r.ctx, k.SiteUV(r.site), r.done.SiteUV, 0)
		r.made.add(keys.MarkUV, keys.Forever)
	}
	return nil
}

// chunk is how many members or keys go into one command.
const chunk = 500

func (r *restoring) events(h History) error {
	ends := map[string]time.Time{}
	err := h.Events(r.ctx, r.site, r.oldest(), r.newest(), func(d parser.Day, key string, pv, uv int64) error {
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
		ends[name] = at
		return r.row()
	})
	if err := errors.Join(err, r.barrier()); err != nil {
		return err
	}
	for name, at := range ends {
		r.pipe.ExpireAt(r.ctx, name, at)
		r.made.addKey(r.Keys, name)
	}
	return nil
}

// oldest is a day before which no key of a day lives any more.
func (r *restoring) oldest() parser.Day {
	return parser.DayOf(r.Now().In(r.Location).Add(-DayKeysTTL).AddDate(0, 0, -1))
}

// openDays are the days whose visitors are still remembered, or have lines that are not
// archived yet and are counted again after this.
func (r *restoring) openDays() []parser.Day {
	now := r.Now().In(r.Location)
	var days []parser.Day
	from := parser.DayOf(now.Add(-r.UVSetTTL))
	for _, d := range []parser.Day{parser.DayOf(r.last.Date(time.UTC).AddDate(0, 0, -1)), r.last} {
		if r.last > 0 && d < from {
			days = append(days, d)
		}
	}
	for d := from; d <= r.tomorrow(); d = d.Next() {
		days = append(days, d)
	}
	return append(days, r.later...)
}

// open restores what the days remember that may still get lines.
func (r *restoring) open(h History) error {
	seen := r.newSeen()
	days := r.openDays()
	for _, d := range days {
		if err := r.openDay(h, d, seen); err != nil {
			return err
		}
	}
	// What came to no day that is known is remembered as well.
	later := days[len(days)-1].Next().Date(r.Location)
	if err := h.Seen(r.ctx, r.site, later.UnixMilli(), seen.add); err != nil {
		return err
	}
	for key, b := range seen.packed {
		if err := r.put(key, b, seen.ttl+max(0, seen.begins[key].Sub(r.Now()))); err != nil {
			return err
		}
	}
	return nil
}

func (r *restoring) openDay(h History, d parser.Day, seen *seenKeys) error {
	key := r.Keys.Visitors(r.site, d)
	members := make([]any, 0, chunk)
	var packed []byte
	minutes, some := minuteFields{}, false
	err := h.OpenDay(r.ctx, r.site, d, OpenDay{
		Visitor: func(v parser.Visitor) error {
			some = true
			if members = append(members, v[:]); len(members) == chunk {
				r.pipe.SAdd(r.ctx, key, members...)
				members = make([]any, 0, chunk)
			}
			return r.row()
		},
		Pair: func(hash uint64) error {
			packed = binary.LittleEndian.AppendUint64(packed, hash)
			return nil
		},
		From: seen.from, Seen: seen.add, Minute: minutes.add,
	})
	if err != nil {
		return err
	}
	if err := r.putMinutes(d, minutes); err != nil {
		return err
	}
	if len(members) > 0 {
		r.pipe.SAdd(r.ctx, key, members...)
	}
	if some {
		r.made.addKey(r.Keys, key)
	}
	if err := r.barrier(); err != nil { // a key must be there to be given its end
		return err
	}
	ttl := r.UVSetTTL + max(0, d.Date(r.Location).Sub(r.Now()))
	r.pipe.Expire(r.ctx, key, ttl)
	return r.put(r.Keys.Pairs(r.site, d), packed, ttl)
}

// seenKeys gathers what the duplicate rules remember.
type seenKeys struct {
	from   int64
	keys   Keys
	site   string
	widths map[string]time.Duration
	packed map[string][]byte
	begins map[string]time.Time // of the keys' buckets
	last   map[string]bucketKey // by rule: lines come nearly in order
	ttl    time.Duration        // as long as the widest rule asks for
}

type bucketKey struct {
	number int64
	key    string
}

func (r *restoring) newSeen() *seenKeys {
	from := r.Now().Add(-r.UVSetTTL)
	if last := r.last.Date(r.Location); r.last > 0 && last.Before(from) {
		from = last
	}
	s := &seenKeys{from: from.UnixMilli(), keys: r.Keys, site: r.site, widths: r.Widths(r.site),
		packed: map[string][]byte{}, begins: map[string]time.Time{}, last: map[string]bucketKey{}, ttl: r.UVSetTTL}
	for _, width := range s.widths {
		s.ttl = seenTTL(s.ttl, width)
	}
	return s
}

func (s *seenKeys) add(k SeenKey) error {
	width := s.widths[k.Rule].Milliseconds()
	if width <= 0 {
		return nil
	}
	at := s.last[k.Rule]
	if n := k.Time / width; at.key == "" || at.number != n {
		at = bucketKey{n, s.keys.Seen(s.site, k.Rule, n)}
		s.last[k.Rule], s.begins[at.key] = at, time.UnixMilli(n*width)
	}
	b := binary.LittleEndian.AppendUint64(s.packed[at.key], k.Key)
	s.packed[at.key] = binary.LittleEndian.AppendUint32(b, uint32(k.Time%width))
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
	r.made.addKey(r.Keys, key)
	return r.flush()
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
