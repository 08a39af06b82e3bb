package verify

import (
	"maps"
	"strings"
	"time"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
	"ddkk-stats/parser"
)

// callTally are any calls of a site's API.
type callTally struct{ calls, failed, ms int64 }

// callHour are those of an hour; a day is the sum of its hours.
type callHour struct {
	endpoints map[string]*callTally
	statuses  map[int]int64
	users     map[string]int64
	latency   map[string]map[int]int64 // endpoint -> bucket -> calls
}

// callNames are those of a day that keep their own fields.
type callNames struct {
	endpoints, users map[string]bool
	subjects         [parser.NumRequestSeries]map[string]bool
}

// calls is one site's own count of calls, beyond what is archived.
type calls struct {
	location     *time.Location
	maxEndpoints int
	maxUsers     int
	names        map[parser.Day]*callNames
	minutes      map[string]*callTally
	hours        map[string]*callHour
	requests     map[parser.Day]map[string]int64 // sums by field
	counts       []parser.RequestCount
	buf          []byte
	lines        int64
	// begin tells which names the archive has of a day.
	begin func(parser.Day, *callNames) error
}

func newCalls(opt *Options) *calls {
	return &calls{location: opt.Location, maxEndpoints: opt.MaxEndpoints, maxUsers: opt.MaxUsers,
		names: map[parser.Day]*callNames{}, minutes: map[string]*callTally{}, hours: map[string]*callHour{}, requests: map[parser.Day]map[string]int64{}}
}

// size is about how many things are remembered.
func (c *calls) size() int {
	if c == nil {
		return 0
	}
	n := len(c.minutes) + 50*len(c.hours)
	for _, sums := range c.requests {
		n += len(sums)
	}
	return n
}

// add counts a call.
func (c *calls) add(h *parser.Hit) error {
	names := c.names[h.Day]
	if names == nil {
		names = newCallNames()
		if err := c.begin(h.Day, names); err != nil {
			return err
		}
		c.names[h.Day] = names
	}
	c.lines++
	minute := time.UnixMilli(h.Time).In(c.location).Format("200601021504")
	hour := c.hours[minute[:10]]
	if hour == nil {
		hour = &callHour{map[string]*callTally{}, map[int]int64{}, map[string]int64{}, map[string]map[int]int64{}}
		c.hours[minute[:10]] = hour
	}
	endpoint := own(names.endpoints, string(h.Endpoint), c.maxEndpoints, h.Routed)
	if c.minutes[minute] == nil {
		c.minutes[minute] = &callTally{}
	}
	if hour.endpoints[endpoint] == nil {
		hour.endpoints[endpoint] = &callTally{}
		hour.latency[endpoint] = map[int]int64{}
	}
	ms, timed := h.Milliseconds()
	for _, t := range []*callTally{c.minutes[minute], hour.endpoints[endpoint]} {
		t.calls++
		if h.Failed {
			t.failed++
		}
		if timed {
			t.ms += ms
		}
	}
	if timed {
		hour.latency[endpoint][parser.LatencyBucket(ms)]++
	}
	hour.statuses[h.Status]++
	if len(h.User) > 0 {
		hour.users[own(names.users, string(h.User), c.maxUsers, false)]++
	}
	c.request(h, names)
	return nil
}

// own is the name itself while there is room for names, else the rest's.
func own(all map[string]bool, name string, limit int, configured bool) string {
	if all[name] {
		return name
	}
	if len(all) >= limit && !configured {
		return parser.OtherPage
	}
	all[name] = true
	return name
}

// fields adds what was counted of a period to the fields of its two hashes.
func (c *calls) fields(period string, sums, took map[string]int64) {
	total := func(t *callTally) {
		sums[counter.CallTotal] += t.calls
		sums[counter.CallFailed] += t.failed
		sums[counter.CallMillis] += t.ms
	}
	if len(period) == len("200601021504") {
		if t := c.minutes[period]; t != nil {
			total(t)
		}
		return
	}
	for minute, t := range c.minutes {
		if strings.HasPrefix(minute, period) {
			total(t)
		}
	}
	for name, h := range c.hours {
		if !strings.HasPrefix(name, period) {
			continue
		}
		for endpoint, t := range h.endpoints {
			sums[counter.CallEndpoint+endpoint] += t.calls
			sums[counter.CallEndpointFailed+endpoint] += t.failed
			sums[counter.CallEndpointMillis+endpoint] += t.ms
			for bucket, n := range h.latency[endpoint] {
				took[parser.LatencyName(bucket, "")] += n
				if len(period) == 8 {
					took[parser.LatencyName(bucket, endpoint)] += n
				}
			}
		}
		for status, n := range h.statuses {
			sums[counter.CallStatus+parser.StatusName(status)] += n
		}
		for user, n := range h.users {
			sums[counter.CallUser+user] += n
		}
	}
}

// beginCalls tells which names the archive has of a day.
func (s *subject) beginCalls(d parser.Day, names *callNames) error {
	for r, err := range s.g.snap.CallDay(s.g.ctx, s.name, d) {
		switch {
		case err != nil:
			return err
		case r.Name == parser.OtherPage:
		case r.Dimension == parser.CallsEndpoint:
			names.endpoints[r.Name] = true
		case r.Dimension == parser.CallsUser:
			names.users[r.Name] = true
		}
	}
	return s.beginRequests(d, names)
}

// callHashes are the fields of the hashes of all periods, by period.
type callHashes struct{ sums, took, requests map[string]map[string]int64 }

// archivedCalls is what the archive has of the periods that may still live.
func (s *subject) archivedCalls() (callHashes, error) {
	all := callHashes{map[string]map[string]int64{}, map[string]map[string]int64{}, map[string]map[string]int64{}}
	now := s.g.v.opt.Now().In(s.g.v.opt.Location)
	back := func(ttl time.Duration, layout string) string { return now.Add(-ttl).AddDate(0, 0, -2).Format(layout) }
	add := func(to map[string]map[string]int64, period, field string, n int64) {
		if to[period] == nil {
			to[period] = map[string]int64{}
		}
		to[period][field] += n
	}
	for r, err := range s.g.snap.Calls(s.g.ctx, s.name, archive.CallSpan{Minute: back(counter.CallMinuteTTL, "200601021504"),
		Hour: back(counter.CallHourTTL, "2006010215"), Day: back(counter.CallDayTTL, "20060102")}) {
		if err != nil {
			return all, err
		}
		switch r.Dimension {
		case parser.CallsTotal:
			add(all.sums, r.Period, counter.CallTotal, r.Calls)
			add(all.sums, r.Period, counter.CallFailed, r.Failed)
			add(all.sums, r.Period, counter.CallMillis, r.Milliseconds)
		case parser.CallsEndpoint:
			add(all.sums, r.Period, counter.CallEndpoint+r.Name, r.Calls)
			add(all.sums, r.Period, counter.CallEndpointFailed+r.Name, r.Failed)
			add(all.sums, r.Period, counter.CallEndpointMillis+r.Name, r.Milliseconds)
		case parser.CallsStatus:
			add(all.sums, r.Period, counter.CallStatus+r.Name, r.Calls)
		case parser.CallsUser:
			add(all.sums, r.Period, counter.CallUser+r.Name, r.Calls)
		case parser.CallsLatency:
			add(all.took, r.Period, r.Name, r.Calls)
		default:
			if series, ok := parser.RequestSeriesOf(r.Dimension); ok {
				add(all.requests, r.Period, parser.RequestField(series, r.Name), r.Calls)
			}
		}
	}
	return all, nil
}

// callPeriods are those of the recount.
func (s *subject) callPeriods() map[string]bool {
	all := map[string]bool{}
	for minute := range s.count.calls.minutes {
		all[minute], all[minute[:10]], all[minute[:8]] = true, true, true
	}
	return all
}

// callAlive tells whether the keys of a period must be there; near their end
// they may be and may be not.
func (s *subject) callAlive(period string) bool {
	at, err := counter.CallExpiry(s.g.v.opt.Location, period)
	if err != nil {
		return false // its key will be one that nobody expects
	}
	left := at.Sub(s.g.v.opt.Now())
	if k := s.g.v.opt.Keys; left > -slack {
		s.know(k.Calls(s.name, period))
		s.know(k.CallLatency(s.name, period))
	}
	return left > slack
}

// calls compares the hashes of all periods.
func (r *reading) calls() error {
	archived, err := r.archivedCalls()
	if err != nil {
		return err
	}
	periods := r.callPeriods()
	for p := range archived.sums {
		periods[p] = true
	}
	w := &callWants{r: r, archived: archived}
	for p := range periods {
		if !r.callAlive(p) {
			continue
		}
		if err := r.callHash(r.g.v.opt.Keys.Calls(r.name, p), "", func() map[string]int64 { return w.of(p).sums[p] }); err != nil {
			return err
		}
		if len(p) == len("200601021504") {
			continue
		}
		if err := r.callHash(r.g.v.opt.Keys.CallLatency(r.name, p), "", func() map[string]int64 { return w.of(p).took[p] }); err != nil {
			return err
		}
		if len(p) == len("20060102") {
			if err := r.requests(p, archived.requests[p], archived.sums[p][counter.CallTotal]); err != nil {
				return err
			}
		}
	}
	return nil
}

// callWants computes what a period must have; the last one is remembered as
// long as nothing was counted since.
type callWants struct {
	r        *reading
	archived callHashes
	period   string
	lines    int64
	last     callHashes
}

func (w *callWants) of(period string) callHashes {
	c := w.r.count.calls
	if w.period == period && w.lines == c.lines && w.last.sums != nil {
		return w.last
	}
	sums, took := maps.Clone(w.archived.sums[period]), maps.Clone(w.archived.took[period])
	if sums == nil {
		sums = map[string]int64{}
	}
	if took == nil {
		took = map[string]int64{}
	}
	c.fields(period, sums, took)
	w.period, w.lines = period, c.lines
	w.last = callHashes{sums: map[string]map[string]int64{period: sums}, took: map[string]map[string]int64{period: took}}
	return w.last
}

// callHash compares a hash. Where there are more names than keep their own,
// which ones came first may differ, and they are compared in sum.
// Fields that begin with without are passed over, if that is not empty.
func (r *reading) callHash(key, without string, all func() map[string]int64) error {
	got, err := r.g.v.opt.Dump.Hash(r.g.ctx, key)
	if err != nil {
		return err
	}
	want := all
	if without != "" {
		passed := func(field string) bool { return strings.HasPrefix(field, without) }
		maps.DeleteFunc(got, func(field string, _ counter.Value) bool { return passed(field) })
		want = func() map[string]int64 {
			some := maps.Clone(all())
			maps.DeleteFunc(some, func(field string, _ int64) bool { return passed(field) })
			return some
		}
	}
	capped := false
	for _, name := range []string{counter.CallEndpoint, counter.CallUser} {
		_, there := got[name+parser.OtherPage]
		capped = capped || there || want()[name+parser.OtherPage] > 0
	}
	for field := range got {
		capped = capped || strings.HasSuffix(field, ":"+parser.OtherPage)
	}
	whole := func() map[string]int64 {
		if capped {
			return inSum(want())
		}
		return want()
	}
	have := got
	if capped {
		have = map[string]counter.Value{}
		for field, v := range got {
			x := have[sumField(field)]
			have[sumField(field)] = counter.Value{N: x.N + v.N, Wrong: x.Wrong + v.Wrong}
		}
	}
	for field := range whole() {
		r.expect(key+" "+field, have[field], 0, false, func() int64 { return whole()[field] })
	}
	for field, v := range have {
		if _, known := whole()[field]; !known {
			r.expect(key+" "+field, v, 0, false, func() int64 { return whole()[field] })
		}
	}
	return nil
}

// sumField is the field that stands for all of its kind.
func sumField(field string) string {
	kind, _, named := strings.Cut(field, ":")
	if !named || kind+":" == counter.CallStatus {
		return field
	}
	return kind + ":*"
}

func inSum(fields map[string]int64) map[string]int64 {
	sums := map[string]int64{}
	for field, n := range fields {
		sums[sumField(field)] += n
	}
	return sums
}
