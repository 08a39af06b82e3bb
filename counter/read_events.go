package counter

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/counter/keys"
	"ddkk-stats/parser"
)

// EventsQuery asks for the events of a site on the days From..To: the key, all
// levels above it and all keys below it. Without a key all are meant.
type EventsQuery struct {
	Site     string
	Key      string // as parser.EventKey makes it
	From, To parser.Day
	After    EventCount // only what follows this day and key; zero: everything
	// Limit bounds the rows, and Bytes their keys together (0: no bound): one
	// row over either says that there are more.
	Limit, Bytes int
}

// EventCount is one key of one day.
type EventCount struct {
	Day    parser.Day
	Key    string
	PV, UV int64
}

// EventSeries is what Redis has of the days that were asked for.
type EventSeries struct {
	Span
	Rows []EventCount // in order of day and key
}

// Related tells whether key belongs into the answer to q.
func (q *EventsQuery) Related(key string) bool {
	return q.Key == "" || key == q.Key ||
		strings.HasPrefix(key, q.Key) && key[len(q.Key)] == '.' ||
		strings.HasPrefix(q.Key, key) && q.Key[len(key)] == '.'
}

// above are the levels above the key, such as "a" and "a.b" for "a.b.c".
func (q *EventsQuery) above() []string {
	var keys []string
	for i := range len(q.Key) {
		if q.Key[i] == '.' {
			keys = append(keys, q.Key[:i])
		}
	}
	return keys
}

// How events are read: a few days in one round trip, and of each a piece that
// holds nobody else up, as a day may have thousands of keys. Of days that have
// that many one is read after the other, so that what is in memory is bounded
// by what is answered, not by what there is.
const (
	eventDays  = 16
	eventPiece = 500    // fields
	eventsHeld = 20_000 // keys of unfinished days
)

// Events reads the events of some days.
func (r *dayReads) Events(ctx context.Context, q *EventsQuery) EventSeries {
	s := EventSeries{Span: r.spanSince(DayKeysTTL)}
	var full eventBound
	for days := range slices.Chunk(r.span(max(q.From, q.After.Day), q.To, s.Since), eventDays) {
		scans := make([]*eventScan, len(days))
		for i, d := range days {
			scans[i] = &eventScan{day: d, key: r.keys.Events(q.Site, d), found: map[string]eventNumbers{}}
			if d == q.After.Day {
				scans[i].after = q.After.Key
			}
		}
		for len(scans) > 0 {
			open := unfinished(scans)
			if len(open) > 0 && !r.trip(ctx, q.Site, false, func(ctx context.Context, pipe redis.Pipeliner) error { return r.readEvents(ctx, pipe, q, open) }) {
				return EventSeries{Span: Span{Since: s.Since, Stale: true}}
			}
			s.Behind = r.waits.Load()
			for len(scans) > 0 && scans[0].ended() {
				for _, row := range scans[0].rows() {
					s.Rows = append(s.Rows, row)
					if full.over(q, row.Key) {
						return s
					}
				}
				scans = scans[1:]
			}
		}
	}
	return s
}

// unfinished are the days to read a piece of next.
func unfinished(scans []*eventScan) []*eventScan {
	var open []*eventScan
	held := 0
	for _, e := range scans {
		held += len(e.found)
		if !e.ended() && (len(open) == 0 || !e.begun || held < eventsHeld) {
			open = append(open, e)
		}
	}
	return open
}

// eventBound counts rows and bytes.
type eventBound struct{ rows, bytes int }

// over adds a row and tells whether there are more than may be.
func (b *eventBound) over(q *EventsQuery, key string) bool {
	b.rows, b.bytes = b.rows+1, b.bytes+len(key)
	return b.rows > q.Limit || q.Bytes > 0 && b.bytes > q.Bytes
}

// eventScan is the reading of one day's hash.
type eventScan struct {
	day           parser.Day
	key           string
	after, beyond string // keys up to after, and those beyond, are left out; "": none
	begun         bool
	cursor        uint64
	found         map[string]eventNumbers // those that are related; a scan may show a field twice
	bytes         int                     // of their keys
}

type eventNumbers struct {
	pv, uv  int64
	counted bool // pv was seen
}

func (e *eventScan) ended() bool { return e.begun && e.cursor == 0 }

// readEvents reads the next piece of each scan, and first the levels above.
func (r *dayReads) readEvents(ctx context.Context, pipe redis.Pipeliner, q *EventsQuery, open []*eventScan) error {
	pieces := make([]*redis.ScanCmd, len(open))
	uppers := make([]*redis.SliceCmd, len(open))
	var upper []string
	for _, k := range q.above() {
		upper = append(upper, k, k+EventUV)
	}
	for i, e := range open {
		pieces[i] = pipe.HScan(ctx, e.key, e.cursor, keys.GlobEscape(q.Key)+"*", eventPiece)
		if !e.begun && len(upper) > 0 {
			uppers[i] = pipe.HMGet(ctx, e.key, upper...)
		}
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return err
	}
	for i, e := range open {
		values, next := pieces[i].Val()
		for j := 0; j+1 < len(values); j += 2 {
			if err := e.take(q, values[j], values[j+1]); err != nil {
				return err
			}
		}
		if uppers[i] != nil {
			for j, v := range uppers[i].Val() {
				if text, ok := v.(string); ok {
					if err := e.take(q, upper[j], text); err != nil {
						return err
					}
				}
			}
		}
		e.begun, e.cursor = true, next
		e.prune(q)
	}
	return nil
}

func (e *eventScan) take(q *EventsQuery, field, value string) error {
	key, visitors := strings.CutSuffix(field, EventUV)
	if !q.Related(key) || e.after != "" && key <= e.after || e.beyond != "" && key > e.beyond {
		return nil
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return fmt.Errorf("read event %q: %w", key, err)
	}
	x, known := e.found[key]
	if !known {
		e.bytes += len(key)
	}
	if visitors {
		x.uv = n
	} else {
		x.pv, x.counted = n, true
	}
	e.found[key] = x
	return nil
}

// prune forgets keys that cannot be answered any more: those behind as many as
// are asked for. It is done when there are twice as many, so that it is cheap.
func (e *eventScan) prune(q *EventsQuery) {
	if len(e.found) <= 2*(q.Limit+1) && (q.Bytes == 0 || e.bytes <= 2*q.Bytes) {
		return
	}
	var full eventBound
	over := false
	for _, key := range slices.Sorted(maps.Keys(e.found)) {
		if over {
			e.bytes -= len(key)
			delete(e.found, key)
			continue
		}
		e.beyond, over = key, full.over(q, key)
	}
	if !over {
		e.beyond = ""
	}
}

// rows are the keys of the day, in order.
func (e *eventScan) rows() []EventCount {
	var rows []EventCount
	for key, n := range e.found {
		if n.counted {
			rows = append(rows, EventCount{Day: e.day, Key: key, PV: n.pv, UV: n.uv})
		}
	}
	slices.SortFunc(rows, func(a, b EventCount) int { return cmp.Compare(a.Key, b.Key) })
	return rows
}
