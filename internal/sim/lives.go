package sim

import (
	"fmt"
	"maps"
	"math"
	"strings"
	"time"
)

const day = 24 * time.Hour

// lives says how long a number stays behind the end of the day, week, month, hour or
// minute in its name. Who was seen is remembered for three days from the last line on:
// how long exactly depends on when that was read.
var lives = []struct {
	begins string
	layout string // of the period at the end of the key
	life   time.Duration
	about  time.Duration // so much sooner or later
}{
	{"site:uv:set:", "20060102", 2 * day, 3 * day},
	{"page:pairs:", "20060102", 2 * day, 3 * day},
	{"site:pv:", "20060102", 90 * day, 0},
	{"site:uv:", "20060102", 90 * day, 0},
	{"site:books:", "20060102", 90 * day, 0},
	{"event:", "20060102", 90 * day, 0},
	{"facet:", "20060102", 8 * day, 0},
	{"site:minutes:", "20060102", 2 * day, 0},
	{"page:bot:", "20060102", 2 * day, 0},
	{"hot:", "day:20060102", 2 * day, 0},
	{"hot:", "month:200601", 32 * day, 0},
	{"api:", "minute:200601021504", 7 * day, 0},
	{"api:", "hour:2006010215", 30 * day, 0},
	{"api:", "day:20060102", 365 * day, 0},
	{"requests:names:", "20060102", 2 * day, 0},
	{"requests:", "20060102", 90 * day, 0},
}

// atEdge is how near to the end of its life a number may be there or not.
const atEdge = time.Hour

// forever is later than any schedule.
var forever = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// until is when a number dies.
func (l *ledger) until(name string) time.Time {
	at, _ := l.life(name)
	return at
}

// life is when a number dies, and how much sooner or later that may be.
func (l *ledger) life(name string) (until time.Time, about time.Duration) {
	key, _, _ := strings.Cut(name, " ")
	key = strings.TrimSuffix(key, ":latency")
	if strings.HasPrefix(key, "seen:") {
		return forever, math.MaxInt64 // of all buckets together
	}
	if rest, ok := strings.CutPrefix(key, "uniques:"); ok {
		return l.termEnd(rest[strings.LastIndexByte(rest, ':')+1:]).Add(3 * day), atEdge
	}
	if year, week, ok := isoWeek(key); ok {
		return l.termEnd(fmt.Sprintf("%04dW%02d", year, week)).Add(8 * day), atEdge
	}
	for _, x := range lives {
		if !strings.HasPrefix(key, x.begins) || len(key) < len(x.layout) {
			continue
		}
		begin, err := time.ParseInLocation(x.layout, key[len(key)-len(x.layout):], l.loc)
		if err != nil {
			continue
		}
		end := begin.Add(time.Minute)
		switch {
		case strings.HasSuffix(x.layout, "02"):
			end = begin.AddDate(0, 0, 1)
		case strings.HasSuffix(x.layout, "0215"):
			end = begin.Add(time.Hour)
		case strings.HasSuffix(x.layout, "0601"):
			end = begin.AddDate(0, 1, 0)
		}
		return end.Add(x.life), max(x.about, atEdge)
	}
	return forever, 0
}

// termEnd is when a week (2026W48) or month (202611) ends.
func (l *ledger) termEnd(name string) time.Time {
	if month, err := time.ParseInLocation("200601", name, l.loc); err == nil {
		return month.AddDate(0, 1, 0)
	}
	var year, week int
	if _, err := fmt.Sscanf(name, "%4dW%2d", &year, &week); err != nil {
		return forever
	}
	monday := time.Date(year, 1, 4, 0, 0, 0, 0, l.loc)
	return monday.AddDate(0, 0, 7*week-(int(monday.Weekday())+6)%7)
}

func isoWeek(key string) (year, week int, ok bool) {
	_, text, ok := strings.Cut(key, ":week:")
	if !ok {
		return 0, 0, false
	}
	_, err := fmt.Sscanf(text, "%4dW%2d", &year, &week)
	return year, week, err == nil
}

// differ is what the store has not as it must be, but for what dies about now.
func (w *world) differ(want numbers) []string {
	got, now := w.ledger.withDoubles(want, w.store.read()), time.Now()
	if !w.sch.long() {
		return w.sch.unlike(want, got)
	}
	want = maps.Clone(want)
	for _, n := range []numbers{want, got} {
		maps.DeleteFunc(n, func(name string, _ int64) bool {
			until, about := w.ledger.life(name)
			return about > 0 && now.Sub(until).Abs() <= about
		})
	}
	return w.sch.unlike(want, got)
}
