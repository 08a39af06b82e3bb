package counter

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/parser"
)

// Latencies are calls by parser.LatencyBucket; nil: none was told.
type Latencies []int64

// Add counts n more calls; a bucket that cannot be is left out.
func (l *Latencies) Add(bucket int, n int64) {
	if bucket < 0 || bucket >= parser.LatencyBuckets() {
		return
	}
	if *l == nil {
		*l = make(Latencies, parser.LatencyBuckets())
	}
	(*l)[bucket] += n
}

// Percentile is the time in milliseconds that so many percent of the calls did
// not exceed, less than 5% off (see parser.LatencyOf); false: none was told.
func (l Latencies) Percentile(percent float64) (ms float64, ok bool) {
	var all int64
	for _, n := range l {
		all += n
	}
	if all == 0 {
		return 0, false
	}
	rank := max(int64(math.Ceil(percent/100*float64(all))), 1)
	for bucket, n := range l {
		if rank -= n; rank <= 0 {
			return parser.LatencyOf(bucket), true
		}
	}
	return 0, false
}

// CallSums are those of any calls.
type CallSums struct {
	Calls, Failed, Milliseconds int64
	Latency                     Latencies
}

// EndpointCalls are the calls of one endpoint.
type EndpointCalls struct {
	Endpoint string
	CallSums
}

// NameCalls are the calls with one status, or of one user.
type NameCalls struct {
	Name  string
	Calls int64
}

// CallReport is what a period of a site's API calls has.
type CallReport struct {
	CallSums
	Endpoints []EndpointCalls // most calls first
	Statuses  []NameCalls     // in order
	Users     []NameCalls     // most calls first
}

// Sort brings everything into order.
func (c *CallReport) Sort() {
	slices.SortFunc(c.Endpoints, func(a, b EndpointCalls) int {
		return cmp.Or(cmp.Compare(b.Calls, a.Calls), cmp.Compare(a.Endpoint, b.Endpoint))
	})
	slices.SortFunc(c.Statuses, func(a, b NameCalls) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(c.Users, func(a, b NameCalls) int { return cmp.Or(cmp.Compare(b.Calls, a.Calls), cmp.Compare(a.Name, b.Name)) })
}

// CallDay and CallHour name the periods that hold t.
func CallDay(t time.Time) string  { return t.Format(callDayLayout) }
func CallHour(t time.Time) string { return t.Format(callHourLayout) }

// Calls reads a period, named as in Keys.Calls. top bounds the endpoints of
// which it is read how long calls took, 0: all of them. The others come all the
// same. stale: Redis could not be asked, and the report is empty, or counting waits for it.
// The report is shared and must not be changed.
func (r *callReads) Calls(ctx context.Context, site, period string, top int) (c CallReport, stale bool) {
	ok := r.trip(ctx, site, false, func(ctx context.Context, pipe redis.Pipeliner) (err error) {
		if top == 0 {
			c, err = r.wholeReport(ctx, pipe, site, period)
			return err
		}
		c = CallReport{}
		if err := r.callFields(ctx, r.keys.Calls(site, period), &c); err != nil {
			return err
		}
		c.Sort()
		if c.Calls == 0 {
			return nil
		}
		var first []*EndpointCalls
		for i := range min(top, len(c.Endpoints)) {
			first = append(first, &c.Endpoints[i])
		}
		return r.someLatencies(ctx, r.keys.CallLatency(site, period), &c, first)
	})
	if !ok {
		return CallReport{}, true
	}
	return c, r.waits.Load()
}

// fieldsPerScan keeps replies small, so that others are answered in between.
const fieldsPerScan = 2000

// callFields reads the hash of a period. A scan may show a field twice.
func (r *callReads) callFields(ctx context.Context, key string, c *CallReport) error {
	endpoints, statuses, users := map[string]*CallSums{}, map[string]int64{}, map[string]int64{}
	of := func(name string) *CallSums {
		if endpoints[name] == nil {
			endpoints[name] = &CallSums{}
		}
		return endpoints[name]
	}
	err := r.scanHash(ctx, key, func(field string, n int64) {
		kind, name, named := strings.Cut(field, ":")
		switch {
		case !named && kind == CallTotal:
			c.Calls = n
		case !named && kind == CallFailed:
			c.Failed = n
		case !named && kind == CallMillis:
			c.Milliseconds = n
		case kind+":" == CallEndpoint:
			of(name).Calls = n
		case kind+":" == CallEndpointFailed:
			of(name).Failed = n
		case kind+":" == CallEndpointMillis:
			of(name).Milliseconds = n
		case kind+":" == CallStatus:
			statuses[name] = n
		case kind+":" == CallUser:
			users[name] = n
		}
	})
	for name, s := range endpoints {
		c.Endpoints = append(c.Endpoints, EndpointCalls{name, *s})
	}
	for name, n := range statuses {
		c.Statuses = append(c.Statuses, NameCalls{name, n})
	}
	for name, n := range users {
		c.Users = append(c.Users, NameCalls{name, n})
	}
	return err
}

func (r *callReads) scanHash(ctx context.Context, key string, row func(field string, n int64)) error {
	for cursor := uint64(0); ; {
		pairs, next, err := r.rdb.HScan(ctx, key, cursor, "", fieldsPerScan).Result()
		if err != nil {
			return err
		}
		for i := 0; i+1 < len(pairs); i += 2 {
			n, err := strconv.ParseInt(pairs[i+1], 10, 64)
			if err != nil {
				return err
			}
			row(pairs[i], n)
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// allLatencies reads how long calls took, of all endpoints.
func (r *callReads) allLatencies(ctx context.Context, key string, c *CallReport) error {
	seen := map[string]int64{}
	if err := r.scanHash(ctx, key, func(field string, n int64) { seen[field] = n }); err != nil {
		return err
	}
	at := map[string]int{}
	for i := range c.Endpoints {
		at[c.Endpoints[i].Endpoint] = i
	}
	for field, n := range seen {
		bucket, endpoint, err := parser.ParseLatencyName(field)
		if err != nil {
			return err
		}
		if endpoint == "" {
			c.Latency.Add(bucket, n)
		} else if i, ok := at[endpoint]; ok {
			c.Endpoints[i].Latency.Add(bucket, n)
		}
	}
	return nil
}

// someLatencies reads how long calls took, in total and of some endpoints.
func (r *callReads) someLatencies(ctx context.Context, key string, c *CallReport, some []*EndpointCalls) error {
	pipe := r.rdb.Pipeline()
	replies := make([]*redis.SliceCmd, len(some)+1)
	for i := range replies {
		name := ""
		if i > 0 {
			name = some[i-1].Endpoint
		}
		fields := make([]string, parser.LatencyBuckets())
		for bucket := range fields {
			fields[bucket] = parser.LatencyName(bucket, name)
		}
		replies[i] = pipe.HMGet(ctx, key, fields...)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return err
	}
	for i, reply := range replies {
		into := &c.Latency
		if i > 0 {
			into = &some[i-1].Latency
		}
		for bucket, v := range reply.Val() {
			n, err := replyCount(v)
			if err != nil {
				return err
			}
			if n > 0 {
				into.Add(bucket, n)
			}
		}
	}
	return nil
}

// CallUnit is the length of a trend's points.
type CallUnit uint8

const (
	ByMinute CallUnit = iota // 60 of them
	ByHour                   // 24
	ByDay                    // 30
)

// ParseCallUnit reads minute, hour or day.
func ParseCallUnit(s string) (CallUnit, bool) {
	i := slices.Index([]string{"minute", "hour", "day"}, s)
	return CallUnit(max(i, 0)), i >= 0
}

// CallPoint is one point of a trend, named by when it begins.
type CallPoint struct {
	Time          time.Time
	Period        string
	Calls, Failed int64
}

// points are the periods of a trend with zeros, oldest first; the last one is
// running. Where clocks are set back an hour comes twice by its name: what was
// counted under it is shown at the first.
func (u CallUnit) points(now time.Time) []CallPoint {
	y, m, d := now.Date()
	n, layout := 60, callMinuteLayout
	begin := func(back int) time.Time { return now.Truncate(time.Minute).Add(-time.Duration(back) * time.Minute) }
	switch u {
	case ByHour:
		n, layout = 24, callHourLayout
		hour := now.Truncate(time.Minute).Add(-time.Duration(now.Minute()) * time.Minute)
		begin = func(back int) time.Time { return hour.Add(-time.Duration(back) * time.Hour) }
	case ByDay:
		n, layout = 30, callDayLayout
		begin = func(back int) time.Time { return time.Date(y, m, d-back, 0, 0, 0, 0, now.Location()) }
	}
	points := make([]CallPoint, n)
	for i := range points {
		at := begin(n - 1 - i)
		points[i] = CallPoint{Time: at, Period: at.Format(layout)}
	}
	return points
}

// CallTrend reads the last 60 minutes, 24 hours or 30 days of a site's API. It
// has zeros where nothing was called, and everywhere if Redis could not be asked.
func (r *callReads) CallTrend(ctx context.Context, site string, unit CallUnit) (points []CallPoint, stale bool) {
	points = unit.points(r.opt.Now().In(r.opt.Location))
	ok := r.trip(ctx, site, false, func(ctx context.Context, pipe redis.Pipeliner) error {
		replies := make([]*redis.SliceCmd, len(points))
		for i := range points {
			if i > 0 && points[i].Period == points[i-1].Period {
				continue
			}
			replies[i] = pipe.HMGet(ctx, r.keys.Calls(site, points[i].Period), CallTotal, CallFailed)
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return err
		}
		for i, reply := range replies {
			if reply == nil {
				continue
			}
			for j, into := range []*int64{&points[i].Calls, &points[i].Failed} {
				n, err := replyCount(reply.Val()[j])
				if err != nil {
					return err
				}
				*into = n
			}
		}
		return nil
	})
	if !ok {
		points = unit.points(r.opt.Now().In(r.opt.Location))
	}
	return points, !ok || r.waits.Load()
}
