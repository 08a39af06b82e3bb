package counter

import (
	"maps"
	"slices"
	"time"

	"ddkk-stats/counter/keys"
	"ddkk-stats/parser"
)

// callHash is a hash of a period of calls that a commit adds to.
type callHash struct {
	key    string
	period string
	life   time.Duration // after the day ends; 0: that of the period
	mark   string        // see keys.Marked; empty: it has none
	day    *callDay
	fields []any // field, delta
}

func (h *callHash) add(field string, n int64) {
	if n > 0 {
		h.fields = append(h.fields, field, n)
	}
}

// known is what the script is told of it; see known.
func (h *callHash) known() string {
	if seen := h.day.seen[h.key]; seen || h.mark == "" {
		return flag(seen)
	}
	return h.mark + h.period
}

func (h *callHash) sums(s *callSums) {
	h.add(CallTotal, s.calls)
	h.add(CallFailed, s.failed)
	h.add(CallMillis, s.ms)
}

// callHashes are those that a part of a batch changes.
func callHashes(k Keys, site string, c *callPart) []callHash {
	if c == nil {
		return nil
	}
	var all []callHash
	days := map[*callDay]*callHour{}
	// Several minutes of the epoch are one where clocks are set back.
	minutes := map[string]*callHash{}
	for _, m := range c.minutes {
		if h := minutes[m.period]; h == nil {
			minutes[m.period] = &callHash{key: k.Calls(site, m.period), period: m.period, day: m.hour.day}
		}
		minutes[m.period].sums(&m.callSums)
	}
	for _, h := range minutes {
		all = append(all, *h)
	}
	for _, h := range c.hours {
		all = appendCallHour(k, all, site, h, h.period, false)
		d := days[h.day]
		if d == nil {
			d = &callHour{period: h.period[:len(callDayLayout)], day: h.day, endpoints: map[string]*callEndpoint{}, statuses: map[int]int64{}, users: map[string]int64{}}
			days[h.day] = d
		}
		d.merge(h)
	}
	for _, d := range days {
		all = appendCallHour(k, all, site, d, d.period, true)
	}
	return appendRequests(k, all, site, c)
}

// merge adds another hour: a day is the sum of its hours.
func (d *callHour) merge(h *callHour) {
	d.add(&h.callSums)
	d.latency.merge(h.latency)
	for name, e := range h.endpoints {
		x := d.endpoints[name]
		if x == nil {
			x = &callEndpoint{}
			d.endpoints[name] = x
		}
		x.add(&e.callSums)
		x.latency.merge(e.latency)
	}
	for status, n := range h.statuses {
		d.statuses[status] += n
	}
	for user, n := range h.users {
		d.users[user] += n
	}
}

// appendCallHour writes the two hashes of an hour or a day; byEndpoint: with
// how long each endpoint's calls took.
func appendCallHour(k Keys, all []callHash, site string, h *callHour, period string, byEndpoint bool) []callHash {
	sums := callHash{key: k.Calls(site, period), period: period, mark: keys.MarkCalls, day: h.day}
	took := callHash{key: k.CallLatency(site, period), period: period, mark: keys.MarkLatency, day: h.day}
	sums.sums(&h.callSums)
	for bucket, n := range h.latency {
		took.add(parser.LatencyName(bucket, ""), n)
	}
	for _, name := range slices.Sorted(maps.Keys(h.endpoints)) {
		e := h.endpoints[name]
		sums.add(CallEndpoint+name, e.calls)
		sums.add(CallEndpointFailed+name, e.failed)
		sums.add(CallEndpointMillis+name, e.ms)
		if byEndpoint {
			for bucket, n := range e.latency {
				if n > 0 {
					took.add(parser.LatencyName(bucket, name), n)
				}
			}
		}
	}
	for status, n := range h.statuses {
		sums.add(CallStatus+parser.StatusName(status), n)
	}
	for user, n := range h.users {
		sums.add(CallUser+user, n)
	}
	all = append(all, sums)
	if len(took.fields) > 0 {
		all = append(all, took)
	}
	return all
}

// CallExpiry is when the keys of a period of calls die: 7 days after a minute,
// 30 after an hour, 365 after a day.
func CallExpiry(loc *time.Location, period string) (time.Time, error) {
	layout, length, ttl := callDayLayout, 24*time.Hour, CallDayTTL
	switch len(period) {
	case len(callMinuteLayout):
		layout, length, ttl = callMinuteLayout, time.Minute, CallMinuteTTL
	case len(callHourLayout):
		layout, length, ttl = callHourLayout, time.Hour, CallHourTTL
	}
	t, err := time.ParseInLocation(layout, period, loc)
	return t.Add(length + ttl), err
}

// dies is when the hash does.
func (h *callHash) dies(loc *time.Location) (time.Time, error) {
	if h.life > 0 {
		return expiry(loc, h.day.day.Next(), h.life), nil
	}
	return CallExpiry(loc, h.period)
}

// calls adds a part's hashes of calls to the section of hashes and tells
// how many they are. Those whose life is nearly over are not written any more.
func (e *encoder) calls(c *call, p *part) int {
	n := 0
	p.callKeys = p.callKeys[:0]
	for _, h := range callHashes(e.keys, p.site.name, p.calls) {
		at, err := h.dies(e.loc)
		if err != nil || !writable(at, e.redisNow()) {
			continue // err: cannot be, the period was formatted by the same layout
		}
		c.key(h.key)
		c.arg(at.Unix(), h.known(), len(h.fields)/2)
		c.arg(h.fields...)
		p.callKeys = append(p.callKeys, callKey{h.day, h.key})
		n++
	}
	return n
}

// callKey is a key of a day that a part writes.
type callKey struct {
	day *callDay
	key string
}

// callsApplied remembers the keys that a part wrote: they must exist from now on.
func (p *part) callsApplied() {
	for _, k := range p.callKeys {
		k.day.seen[k.key] = true
	}
}
