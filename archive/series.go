package archive

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"ddkk-stats/parser"
)

// Calls of sites' APIs. They have no raw rows: a chunk of a segment is added up
// by period while it is read, and its sums are added to api_periods in the
// transaction that moves the segment's place, so that each line is in them
// once. The days they are of become dirty, and rolling up such a day computes
// api_daily from its periods, as absolute values.

// Periods are named by these layouts.
const (
	periodLayout = "200601021504"
	hourDigits   = len("2006010215")
)

// CallRow is one sum of a period.
type CallRow struct {
	Period                      string // digits: a minute, an hour or a day
	Dimension                   parser.CallDimension
	Name                        string
	Calls, Failed, Milliseconds int64
}

// callSums are the calls of a chunk.
type callSums struct {
	a     *store
	fresh bool // a recount: no names are there already
	lines int64
	days  map[siteDay]*callDay

	counts []parser.RequestCount // used again for each line
	buf    []byte

	minute int64 // since the Unix epoch, that of last
	site   string
	last   *callMinute
}

// maxCallLines bounds a chunk of a log of calls.
const maxCallLines = 1_000_000

// callDay are those of one day of a site.
type callDay struct {
	endpoints, users map[string]string // names that keep their own row
	subjects         requestSubjects
	requests         map[requestSum]int64
	minutes          map[string]*callMinute
	hours            map[string]*callHour
	latency          map[string]map[int]int64 // endpoint -> bucket -> calls
	end              int64                    // of the last line
}

type callMinute struct {
	sums [3]int64 // calls, failed, milliseconds
	hour *callHour
	day  *callDay
}

type callHour struct {
	endpoints map[string]*[3]int64
	statuses  map[int]int64
	users     map[string]int64
	latency   map[int]int64
}

// add adds up one call.
func (c *callSums) add(ctx context.Context, h *parser.Hit) error {
	m, err := c.minuteOf(ctx, h)
	if err != nil {
		return err
	}
	c.lines++
	x := [3]int64{1, 0, 0}
	if h.Failed {
		x[1] = 1
	}
	ms, timed := h.Milliseconds()
	if timed {
		x[2] = ms
	}
	name, ok := m.day.endpoints[string(h.Endpoint)]
	if !ok {
		name = parser.AdmitName(m.day.endpoints, h.Endpoint, c.a.options().MaxEndpoints, h.Routed)
	}
	e := m.hour.endpoints[name]
	if e == nil {
		e = &[3]int64{}
		m.hour.endpoints[name] = e
	}
	for i := range x {
		m.sums[i] += x[i]
		e[i] += x[i]
	}
	m.hour.statuses[h.Status]++
	if len(h.User) > 0 {
		m.hour.users[parser.AdmitName(m.day.users, h.User, c.a.options().MaxUsers, false)]++
	}
	if timed {
		bucket := parser.LatencyBucket(ms)
		m.hour.latency[bucket]++
		if m.day.latency[name] == nil {
			m.day.latency[name] = map[int]int64{}
		}
		m.day.latency[name][bucket]++
	}
	c.counts, c.buf = parser.AppendRequestCounts(c.counts[:0], h, c.buf[:0])
	m.day.addRequest(c.counts)
	return nil
}

func (c *callSums) minuteOf(ctx context.Context, h *parser.Hit) (*callMinute, error) {
	at := h.Time / 60_000
	if c.last != nil && c.minute == at && c.site == h.Site {
		return c.last, nil
	}
	k := siteDay{h.Site, h.Day}
	d := c.days[k]
	if d == nil {
		d = &callDay{minutes: map[string]*callMinute{}, hours: map[string]*callHour{}, latency: map[string]map[int]int64{}, requests: map[requestSum]int64{}}
		if err := c.names(ctx, k, d); err != nil {
			return nil, err
		}
		c.days[k] = d
	}
	period := time.UnixMilli(h.Time).In(c.a.opt.Location).Format(periodLayout)
	m := d.minutes[period]
	if m == nil {
		hour := d.hours[period[:hourDigits]]
		if hour == nil {
			hour = &callHour{endpoints: map[string]*[3]int64{}, statuses: map[int]int64{}, users: map[string]int64{}, latency: map[int]int64{}}
			d.hours[period[:hourDigits]] = hour
		}
		m = &callMinute{hour: hour, day: d}
		d.minutes[period] = m
	}
	c.minute, c.site, c.last = at, h.Site, m
	return m, nil
}

// names reads which names of a day keep their own row. Loads wait for each
// other at the gate, so what is committed is all there is.
func (c *callSums) names(ctx context.Context, k siteDay, d *callDay) error {
	d.endpoints, d.users = map[string]string{}, map[string]string{}
	if c.fresh {
		return nil
	}
	kept := "('endpoint', 'user'" + requestNames + ")"
	site := c.a.dialect.bytes([]byte(k.site))
	from, to := periodsOf(k.day)
	for v, err := range stream(ctx, c.a.beside(), func(s scanner) (v CallRow, err error) {
		return v, s.Scan(&v.Dimension, &v.Name)
	}, "SELECT dimension, name FROM api_daily WHERE site = ? AND date = ? AND dimension IN "+kept+" UNION "+
		"SELECT dimension, name FROM api_periods WHERE site = ? AND period >= ? AND period < ? AND dimension IN "+kept,
		site, dateText(k.day), site, from, to) {
		switch {
		case err != nil:
			return err
		case v.Name == parser.OtherPage:
		case v.Dimension == parser.CallsEndpoint:
			d.endpoints[v.Name] = v.Name
		case v.Dimension == parser.CallsUser:
			d.users[v.Name] = v.Name
		default:
			d.subjects.keep(v.Dimension, v.Name)
		}
	}
	return nil
}

// periodsOf are the bounds of all periods of a day, the second excluded.
func periodsOf(d parser.Day) (from, to string) {
	return fmt.Sprintf("%08d", int32(d)), fmt.Sprintf("%08d", int32(d.Next()))
}

// rows are a day's sums by period, in the order of the table's key.
func (d *callDay) rows(k siteDay) []CallRow {
	var all []CallRow
	for period, m := range d.minutes {
		all = append(all, CallRow{period, parser.CallsTotal, "", m.sums[0], m.sums[1], m.sums[2]})
	}
	for period, h := range d.hours {
		for name, x := range h.endpoints {
			all = append(all, CallRow{period, parser.CallsEndpoint, name, x[0], x[1], x[2]})
		}
		for status, n := range h.statuses {
			all = append(all, CallRow{period, parser.CallsStatus, parser.StatusName(status), n, 0, 0})
		}
		for user, n := range h.users {
			all = append(all, CallRow{period, parser.CallsUser, user, n, 0, 0})
		}
		for bucket, n := range h.latency {
			all = append(all, CallRow{period, parser.CallsLatency, parser.LatencyName(bucket, ""), n, 0, 0})
		}
	}
	day, _ := periodsOf(k.day)
	for endpoint, buckets := range d.latency {
		for bucket, n := range buckets {
			all = append(all, CallRow{day, parser.CallsLatency, parser.LatencyName(bucket, endpoint), n, 0, 0})
		}
	}
	for sum, n := range d.requests {
		all = append(all, sum.row(day, n))
	}
	slices.SortFunc(all, compareCalls)
	return all
}

func compareCalls(a, b CallRow) int {
	if c := strings.Compare(a.Period, b.Period); c != 0 {
		return c
	}
	if c := strings.Compare(string(a.Dimension), string(b.Dimension)); c != 0 {
		return c
	}
	return strings.Compare(a.Name, b.Name)
}

// daily adds rows up to those of the whole day.
func daily(rows []CallRow) []CallRow {
	sums := map[CallRow]*CallRow{}
	for _, r := range rows {
		k := CallRow{Dimension: r.Dimension, Name: r.Name}
		if sums[k] == nil {
			sums[k] = &CallRow{Dimension: r.Dimension, Name: r.Name}
		}
		sums[k].Calls += r.Calls
		sums[k].Failed += r.Failed
		sums[k].Milliseconds += r.Milliseconds
	}
	all := make([]CallRow, 0, len(sums))
	for _, r := range sums {
		all = append(all, *r)
	}
	slices.SortFunc(all, compareCalls)
	return all
}

// sortedDays are the chunk's days of sites, in an order that all loads share.
func (c *callSums) sortedDays() []siteDay {
	return slices.SortedFunc(maps.Keys(c.days), func(x, y siteDay) int {
		if c := strings.Compare(x.site, y.site); c != 0 {
			return c
		}
		return int(x.day - y.day)
	})
}
