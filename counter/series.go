package counter

import (
	"time"

	"ddkk-stats/counter/keys"
	"ddkk-stats/parser"
)

// Calls of a site's API are counted per minute, hour and day of the configured
// zone, each period in a hash of its own. Minutes have totals alone; hours and
// days have endpoints, statuses and users as well. How long calls took lies
// beside them: for an hour in total, for a day also by endpoint.

// How long the keys of a period of calls live after the period ends.
const (
	CallMinuteTTL = keys.CallMinuteTTL
	CallHourTTL   = keys.CallHourTTL
	CallDayTTL    = keys.CallDayTTL

	RequestTTL      = keys.RequestTTL
	RequestNamesTTL = keys.RequestNamesTTL
)

// Fields of a period's hash. Those that end in a colon go before a name.
const (
	CallTotal    = "total"
	CallFailed   = "failed"
	CallMillis   = "ms" // sum of how long calls took
	CallEndpoint = "endpoint:"
	// CallEndpointFailed and CallEndpointMillis are of one endpoint.
	CallEndpointFailed = "failed:"
	CallEndpointMillis = "ms:"
	CallStatus         = "status:"
	CallUser           = "user:"
)

// A period of calls is named by its digits: YYYYMMDD, and HH, and MM.
const (
	callMinuteLayout = keys.CallMinuteLayout
	callHourLayout   = keys.CallHourLayout
	callDayLayout    = keys.CallDayLayout
)

// callSums are those of any calls.
type callSums struct{ calls, failed, ms int64 }

func (s *callSums) add(o *callSums) {
	s.calls += o.calls
	s.failed += o.failed
	s.ms += o.ms
}

// callDay is what is remembered of a site's calls of one day.
type callDay struct {
	day              parser.Day
	endpoints, users map[string]string // those that have their own fields
	subjects         requestSubjects
	seen             map[string]bool // keys that a commit of ours wrote: they must exist
	used             uint64          // number of the last batch that changes it
	touched          time.Time
}

// callPart is what a part changes in the calls of a site.
type callPart struct {
	minutes map[int64]*callMinute // by minutes since the Unix epoch
	hours   map[string]*callHour
	days    map[*callDay]*requestChange
	at      int64
	last    *callMinute // of at
}

type callMinute struct {
	callSums
	period string
	hour   *callHour
}

type callHour struct {
	callSums
	period    string
	day       *callDay
	requests  *requestChange // of the day
	endpoints map[string]*callEndpoint
	statuses  map[int]int64
	users     map[string]int64
	latency   Latencies
}

type callEndpoint struct {
	callSums
	latency Latencies
}

// count adds a call; it tells whether it is the first of its bucket.
func (l *Latencies) count(bucket int) bool {
	if *l == nil {
		*l = make(Latencies, parser.LatencyBuckets())
	}
	(*l)[bucket]++
	return (*l)[bucket] == 1
}

func (l *Latencies) merge(o Latencies) {
	if *l == nil && o != nil {
		*l = make(Latencies, len(o))
	}
	for i, n := range o {
		(*l)[i] += n
	}
}

// call counts an API call that ends at end.
func (a *aggregate) call(h *parser.Hit, end int64) outcome {
	c := &a.cur
	if c.site.health.aside() {
		c.site.assume(c.segment, end)
		return lineCall // once the site is rebuilt
	}
	if c.part == nil {
		c.part = a.open.part(c.site, c.segment)
	}
	m := a.callMinute(h, c.part)
	if m == nil {
		return a.lacking()
	}
	c.offsets.open = end
	a.countCall(h, c.part, m)
	return lineCall
}

// callMinute finds or opens the minute of a call in a part; nil: its day is not in
// memory.
func (a *aggregate) callMinute(h *parser.Hit, p *part) *callMinute {
	if p.calls == nil {
		p.calls = &callPart{minutes: map[int64]*callMinute{}, hours: map[string]*callHour{}, days: map[*callDay]*requestChange{}}
	}
	c, at := p.calls, h.Time/60_000
	if c.last != nil && c.at == at {
		return c.last
	}
	m := c.minutes[at]
	if m == nil {
		period := time.UnixMilli(h.Time).In(a.caps.location).Format(callMinuteLayout)
		hour := c.hours[period[:len(callHourLayout)]]
		if hour == nil {
			d := a.callDayOf(p.site, h.Day)
			if d == nil {
				return nil
			}
			hour = &callHour{period: period[:len(callHourLayout)], day: d, requests: c.requestsOf(d),
				endpoints: map[string]*callEndpoint{}, statuses: map[int]int64{}, users: map[string]int64{}}
			c.hours[hour.period] = hour
			a.open.weigh(p, 8*perWrite)
		}
		m = &callMinute{period: period, hour: hour}
		c.minutes[at] = m
		a.open.weigh(p, 3*perWrite)
	}
	c.at, c.last = at, m
	return m
}

// callDayOf is what is remembered of a site's calls of a day; nil: it is not in
// memory. A new site's days are new.
func (a *aggregate) callDayOf(s *site, day parser.Day) *callDay {
	d := s.calls[day]
	if d != nil && !a.stillGood(d.used, d.touched) {
		delete(s.calls, day)
		d = nil
	}
	if d == nil {
		if s.epoch != "" {
			return nil
		}
		d = newCallDay(day)
		s.keepCalls(d)
	}
	d.used, d.touched = a.number, a.now
	return d
}

func newCallDay(day parser.Day) *callDay {
	return &callDay{day: day, endpoints: map[string]string{}, users: map[string]string{}, seen: map[string]bool{}}
}

// keepCalls has a day of calls in memory.
func (s *site) keepCalls(d *callDay) {
	if s.calls == nil {
		s.calls = map[parser.Day]*callDay{}
	}
	s.calls[d.day] = d
}

// countCall counts a call into its minute and hour; the day is the sum of its
// hours when the batch is encoded.
func (a *aggregate) countCall(h *parser.Hit, p *part, m *callMinute) {
	hour := m.hour
	s := callSums{calls: 1}
	if h.Failed {
		s.failed = 1
	}
	ms, timed := h.Milliseconds()
	if timed {
		s.ms = ms
	}
	m.add(&s)
	hour.add(&s)
	e := hour.endpoints[string(h.Endpoint)]
	if e == nil {
		name := parser.AdmitName(hour.day.endpoints, h.Endpoint, a.caps.endpoints, h.Routed)
		if e = hour.endpoints[name]; e == nil {
			e = &callEndpoint{}
			hour.endpoints[name] = e
			a.open.weigh(p, 6*perWrite)
		}
	}
	e.add(&s)
	if timed {
		bucket := parser.LatencyBucket(ms)
		writes := 0
		if hour.latency.count(bucket) {
			writes = 2
		}
		if e.latency.count(bucket) {
			writes++
		}
		if writes > 0 {
			a.open.weigh(p, writes*perWrite)
		}
	}
	if hour.statuses[h.Status]++; hour.statuses[h.Status] == 1 {
		a.open.weigh(p, 2*perWrite)
	}
	a.countUser(h.User, p, hour)
	if h.Request != nil {
		a.countRequest(h, p, hour.requests)
	}
}

func (a *aggregate) countUser(user []byte, p *part, hour *callHour) {
	if len(user) == 0 {
		return
	}
	name, ok := hour.day.users[string(user)]
	if !ok {
		name = parser.AdmitName(hour.day.users, user, a.caps.users, false)
	}
	if hour.users[name]++; hour.users[name] == 1 {
		a.open.weigh(p, 2*perWrite)
	}
}
