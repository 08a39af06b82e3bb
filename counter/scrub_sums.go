package counter

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/counter/keys"
	"ddkk-stats/parser"
)

// scrubDay are the numbers of a day, all of one moment.
type scrubDay struct {
	day      parser.Day
	pv, uv   int64
	books    *redis.SliceCmd // pc, mobile, bot, events
	events   *redis.IntCmd   // whether there is any
	visitors *redis.IntCmd   // nil: they may have died
	pairs    *redis.IntCmd   // bytes
	minutes  *redis.MapStringStringCmd
	hours    *redis.SliceCmd // of facets; nil: they may have died
}

// young are the days that hashes and sets of days are compared of: their keys
// cannot have died yet.
func (l *look) young() []parser.Day {
	now := l.redis.now().In(l.loc)
	return []parser.Day{parser.DayOf(now.AddDate(0, 0, -1)), parser.DayOf(now)}
}

// living are the days whose totals are there for another day at least, up to
// tomorrow.
func (l *look) living() []parser.Day {
	now := l.redis.now().In(l.loc)
	var days []parser.Day
	last := parser.DayOf(now).Next()
	for d := parser.DayOf(now.Add(-DayKeysTTL)).Next(); d <= last; d = d.Next() {
		days = append(days, d)
	}
	return days
}

// numbers compares the totals, the days and what is kept beside them.
func (l *look) numbers(ctx context.Context) error {
	k, s := l.keys, l.site
	days := l.living()
	dayKeys := make([]string, 0, 2*len(days))
	for _, d := range days {
		dayKeys = append(dayKeys, k.SitePVDay(s, d), k.SiteUVDay(s, d))
	}
	var first *redis.SliceCmd
	if err := l.at(ctx, len(dayKeys), func(p redis.Pipeliner) { first = p.MGet(ctx, dayKeys...) }); err != nil {
		return err
	}
	young := l.young()
	active := make([]*scrubDay, 0, len(days))
	for i, d := range days {
		if v := first.Val(); len(v) == len(dayKeys) && v[2*i] == nil && v[2*i+1] == nil && d != young[0] && d != young[1] {
			continue
		}
		active = append(active, &scrubDay{day: d})
		l.days[d] = true
	}
	names := []string{k.SitePV(s), k.SiteUV(s)}
	for _, d := range active {
		names = append(names, k.SitePVDay(s, d.day), k.SiteUVDay(s, d.day))
	}
	var totals *redis.SliceCmd
	err := l.at(ctx, len(names)+10*len(active), func(p redis.Pipeliner) {
		l.waiting = p.LRange(ctx, k.FacetsPending(s), 0, -1)
		totals = p.MGet(ctx, names...)
		for _, d := range active {
			l.askDay(ctx, p, d, d.day == young[0] || d.day == young[1])
		}
	})
	if err != nil {
		return err
	}
	l.compareTotals(names, totals.Val(), active)
	for _, d := range young {
		if err := l.calls(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

func (l *look) askDay(ctx context.Context, p redis.Pipeliner, d *scrubDay, young bool) {
	k, s := l.keys, l.site
	d.books = p.HMGet(ctx, k.Books(s, d.day), "pc", "mobile", "bot", "events")
	d.events = p.Exists(ctx, k.Events(s, d.day))
	// A set's life begins with its day at the earliest.
	if l.redis.now().Before(d.day.Date(l.loc).Add(l.uvTTL - time.Hour)) {
		d.visitors, d.pairs = p.SCard(ctx, k.Visitors(s, d.day)), p.StrLen(ctx, k.Pairs(s, d.day))
	}
	if young {
		d.minutes = p.HGetAll(ctx, k.Minutes(s, d.day))
	}
	if l.redis.now().Before(expiry(l.loc, d.day.Next(), FacetTTL).Add(-time.Hour)) {
		d.hours = p.HMGet(ctx, k.Facets(s, d.day), hourFields...)
	}
}

func (l *look) compareTotals(names []string, values []any, active []*scrubDay) {
	if len(values) != len(names) {
		return
	}
	n := make([]int64, len(values))
	for i, v := range values {
		n[i] = l.number(names[i], v)
	}
	var pv, uv int64
	for i, d := range active {
		d.pv, d.uv = n[2+2*i], n[3+2*i]
		pv, uv = pv+d.pv, uv+d.uv
		l.compareDay(d)
	}
	if n[0] < pv {
		l.differ("%s is %d, its days have %d", names[0], n[0], pv)
	}
	if n[1] < uv {
		l.differ("%s is %d, its days have %d", names[1], n[1], uv)
	}
}

func (l *look) compareDay(d *scrubDay) {
	k, s := l.keys, l.site
	books := k.Books(s, d.day)
	if d.books.Err() != nil {
		l.differ("%s: %v", books, d.books.Err())
		return
	}
	var b [4]int64
	for i, v := range d.books.Val() {
		b[i] = l.number(books, v)
	}
	pc, mobile, bot, events := b[0], b[1], b[2], b[3]
	if pc+mobile != d.pv {
		l.differ("%s is %d, %s has %d by device", k.SitePVDay(s, d.day), d.pv, books, pc+mobile)
	}
	if events > 0 && d.events.Val() == 0 {
		l.differ("%s is gone, %s has %d events", k.Events(s, d.day), books, events)
	}
	if d.visitors != nil {
		if d.visitors.Err() != nil || d.visitors.Val() != d.uv {
			l.differ("%s is %d, %s has %d", k.SiteUVDay(s, d.day), d.uv, k.Visitors(s, d.day), d.visitors.Val())
		}
		if d.pairs.Err() != nil || d.pairs.Val()/8 < d.uv {
			l.differ("%s has %d entries, %s is %d", k.Pairs(s, d.day), d.pairs.Val()/8, k.SiteUVDay(s, d.day), d.uv)
		}
	}
	if d.hours != nil {
		l.compareHours(d, bot)
	}
	if d.minutes == nil {
		return
	}
	var people, bots int64
	for field, v := range d.minutes.Val() {
		n := l.number(k.Minutes(s, d.day), v)
		if strings.HasPrefix(field, "b") {
			bots += n
		} else {
			people += n
		}
	}
	if d.minutes.Err() != nil || people != d.pv || bots != bot {
		l.differ("%s has %d views and %d of bots, %s and %s have %d and %d", k.Minutes(s, d.day), people, bots,
			k.SitePVDay(s, d.day), books, d.pv, bot)
	}
}

// number reads a counter; one that is not there is 0.
func (l *look) number(key string, v any) int64 {
	text, ok := v.(string)
	if !ok {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		l.differ("%s has %.40q, which is no number", key, text)
	}
	return n
}

// calls compares the calls of a day by hour and by minute. Minutes are asked of the hours
// that are there: an hour that is lost shows by its day.
func (l *look) calls(ctx context.Context, d parser.Day) error {
	k, s := l.keys, l.site
	key := k.Calls(s, keys.Day(d))
	hours := parts([]string{keys.Day(d)}, 24)
	all := []string{key}
	for _, hour := range hours {
		all = append(all, k.Calls(s, hour))
	}
	var held *redis.IntCmd
	err := l.at(ctx, len(all), func(p redis.Pipeliner) { held = p.Exists(ctx, all...) })
	if err != nil || held.Val() == 0 {
		return err
	}
	there := make([]*redis.IntCmd, 25) // hours, and last the day
	var some int64
	err = l.at(ctx, len(there), func(p redis.Pipeliner) {
		for h, hour := range hours {
			there[h] = p.Exists(ctx, k.Calls(s, hour))
		}
		there[24] = p.Exists(ctx, key)
	})
	for _, t := range there {
		some += t.Val()
	}
	if err != nil || some == 0 {
		return err
	}
	var total *redis.StringCmd
	var byHour, whole, byMinute []*redis.StringCmd // whole are the hours whose minutes are asked
	err = l.at(ctx, 25+60*int(some), func(p redis.Pipeliner) {
		total = p.HGet(ctx, key, CallTotal)
		for h, hour := range hours {
			byHour = append(byHour, p.HGet(ctx, k.Calls(s, hour), CallTotal))
			if there[h].Val() == 0 {
				continue
			}
			whole = append(whole, byHour[h])
			for _, minute := range parts([]string{hour}, 60) {
				byMinute = append(byMinute, p.HGet(ctx, k.Calls(s, minute), CallTotal))
			}
		}
	})
	if err != nil {
		return err
	}
	sum := func(what string, all ...*redis.StringCmd) int64 {
		n, err := sumOf(all)
		if err != nil {
			l.differ("calls of %s by %s: %v", keys.Day(d), what, err)
		}
		return n
	}
	if day, parts := sum("day", total), sum("hour", byHour...); day != parts {
		l.differ("%s has %d calls, %d by hour", key, day, parts)
	}
	if parts, minutes := sum("hour", whole...), sum("minute", byMinute...); parts != minutes {
		l.differ("%s has %d calls by hour, %d by minute", key, parts, minutes)
	}
	return nil
}

// hourFields are those of a day's facets that every view is in, of people and of bots.
var hourFields = func() (all []string) {
	for hour := range 24 {
		field := parser.Hour.Field(parser.HourName(hour))
		all = append(all, field, parser.BotField(field))
	}
	return all
}()

// compareHours compares the views by hour with the day's: those in the hash of its
// facets and those that are not spread yet. Where the hash or the list is lost, they
// differ.
func (l *look) compareHours(d *scrubDay, bot int64) {
	key := l.keys.Facets(l.site, d.day)
	if err := errors.Join(d.hours.Err(), l.waiting.Err()); err != nil {
		l.differ("%s: %v", key, err)
		return
	}
	var people, bots int64
	for i, v := range d.hours.Val() {
		if i%2 == 0 {
			people += l.number(key, v)
		} else {
			bots += l.number(key, v)
		}
	}
	for _, e := range l.waiting.Val() {
		err := readPending(e, func(p pendingPage) {
			if f, _, _, ok := parser.FieldOf(p.name); ok && f == parser.Hour && p.day == d.day {
				people += p.pv
				bots += p.uv
			}
		})
		if err != nil {
			l.differ("%s: %v", l.keys.FacetsPending(l.site), err)
			return
		}
	}
	if people != d.pv || bots != bot {
		l.differ("%s has %d views and %d of bots by hour, %s and %s have %d and %d", key, people, bots,
			l.keys.SitePVDay(l.site, d.day), l.keys.Books(l.site, d.day), d.pv, bot)
	}
}
