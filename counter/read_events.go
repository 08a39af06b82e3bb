package counter

import (
	"cmp"
	"context"
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
	Limit    int // rows; one more than that says that there are more
}

// EventCount is one key of one day.
type EventCount struct {
	Day    parser.Day
	Key    string
	PV, UV int64
}

// EventSeries is what Redis has of the days that were asked for; see Series.
type EventSeries struct {
	Rows  []EventCount // in order of day and key
	Since parser.Day
	Stale bool
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
// holds nobody else up, as a day may have thousands of keys.
const (
	eventDays  = 16
	eventPiece = 500 // fields
)

// Events reads the events of some days.
func (r *Reader) Events(ctx context.Context, q *EventsQuery) EventSeries {
	s := EventSeries{Since: r.since(DayKeysTTL)}
	for days := range slices.Chunk(r.span(q.From, q.To, s.Since), eventDays) {
		scans := make([]*eventScan, len(days))
		for i, d := range days {
			scans[i] = &eventScan{day: d, key: r.keys.Events(q.Site, d), fields: map[string]int64{}}
		}
		for open := scans; len(open) > 0; open = slices.DeleteFunc(slices.Clone(open), (*eventScan).ended) {
			if !r.trip(ctx, q.Site, false, func(ctx context.Context, pipe redis.Pipeliner) error { return r.readEvents(ctx, pipe, q, open) }) {
				return EventSeries{Since: s.Since, Stale: true}
			}
		}
		for _, e := range scans {
			if s.Rows = append(s.Rows, e.rows(q)...); len(s.Rows) > q.Limit {
				s.Rows = s.Rows[:q.Limit+1]
				return s
			}
		}
	}
	return s
}

// eventScan is the reading of one day's hash.
type eventScan struct {
	day    parser.Day
	key    string
	begun  bool
	cursor uint64
	fields map[string]int64 // those that are related, and |uv; a scan may show a field twice
}

func (e *eventScan) ended() bool { return e.begun && e.cursor == 0 }

// readEvents reads the next piece of each scan, and first the levels above.
func (r *Reader) readEvents(ctx context.Context, pipe redis.Pipeliner, q *EventsQuery, open []*eventScan) error {
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
	}
	return nil
}

func (e *eventScan) take(q *EventsQuery, field, value string) error {
	if !q.Related(strings.TrimSuffix(field, EventUV)) {
		return nil
	}
	n, err := strconv.ParseInt(value, 10, 64)
	e.fields[field] = n
	return err
}

// rows are the keys of the day, in order.
func (e *eventScan) rows(q *EventsQuery) []EventCount {
	var rows []EventCount
	for field, pv := range e.fields {
		if !strings.HasSuffix(field, EventUV) {
			rows = append(rows, EventCount{Day: e.day, Key: field, PV: pv, UV: e.fields[field+EventUV]})
		}
	}
	slices.SortFunc(rows, func(a, b EventCount) int { return cmp.Compare(a.Key, b.Key) })
	return rows
}
