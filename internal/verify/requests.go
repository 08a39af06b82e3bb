package verify

import (
	"strconv"
	"time"

	"ddkk-stats/counter"
	"ddkk-stats/parser"
)

func newCallNames() *callNames {
	n := &callNames{endpoints: map[string]bool{}, users: map[string]bool{}}
	for s := range n.subjects {
		n.subjects[s] = map[string]bool{}
	}
	return n
}

// request counts a call as the request that it is.
func (c *calls) request(h *parser.Hit, names *callNames) {
	c.counts, c.buf = parser.AppendRequestCounts(c.counts[:0], h, c.buf[:0])
	sums := c.requests[h.Day]
	if sums == nil {
		sums = map[string]int64{}
		c.requests[h.Day] = sums
	}
	for _, x := range c.counts {
		subject := own(names.subjects[x.Series], string(x.Subject), x.Series.Spec().Cap, false)
		sums[parser.RequestField(x.Series, x.Part+":"+subject)] += x.N
	}
}

// beginRequests tells which subjects the archive has of a day.
func (s *subject) beginRequests(d parser.Day, names *callNames) error {
	for series := range parser.NumRequestSeries {
		for r, err := range s.g.snap.Requests(s.g.ctx, s.name, series, d, d) {
			if err != nil {
				return err
			}
			if _, subject := parser.CutSum(r.Name); subject != parser.OtherPage {
				names.subjects[series][subject] = true
			}
		}
	}
	return nil
}

// requests compares the sums of requests of a day; calls are those that the archive has
// of it. A day of which an earlier version counted some calls has requests of the others
// alone: that cannot be compared, but must agree with itself.
func (r *reading) requests(period string, archived map[string]int64, calls int64) error {
	day, err := strconv.ParseInt(period, 10, 32)
	if err != nil {
		return nil // its key is one that nobody expects
	}
	d, k := parser.Day(day), r.g.v.opt.Keys
	part := archived[allRequests] < calls
	if !part {
		if part, err = r.requestsInPart(k.Calls(r.name, period), k.Requests(r.name, d)); err != nil {
			return err
		}
	}
	for _, x := range []struct {
		key   string
		life  time.Duration
		brief bool
	}{{k.Requests(r.name, d), counter.RequestTTL, false}, {k.RequestNames(r.name, d), counter.RequestNamesTTL, true}} {
		if !r.alive(x.key, d.Next(), x.life) || part {
			continue
		}
		want := func() map[string]int64 { return r.wantRequests(d, archived, x.brief) }
		without := ""
		if x.brief {
			got, err := r.g.v.opt.Dump.Hash(r.g.ctx, x.key)
			if err != nil {
				return err
			}
			if lacksReadings(archived, func(n int64) int64 { return n }) || lacksReadings(got, func(v counter.Value) int64 { return v.N }) {
				without = parser.RequestField(parser.RequestsOfPages, "")
			}
		}
		if err := r.callHash(x.key, without, want); err != nil {
			return err
		}
	}
	return nil
}

// lacksReadings tells whether there are fewer pages that readers saw than times they saw
// one: an earlier version, which did not tell pages, counted some.
func lacksReadings[V any](sums map[string]V, number func(V) int64) bool {
	var readers, readings int64
	for field, v := range sums {
		switch s, _, ok := parser.RequestFieldOf(field); {
		case !ok:
		case s == parser.RequestsOfReaders:
			readers += number(v)
		case s == parser.RequestsOfPages:
			readings += number(v)
		}
	}
	return readings < readers
}

// wantRequests are the fields that a day's hash must have by now.
func (r *reading) wantRequests(d parser.Day, archived map[string]int64, brief bool) map[string]int64 {
	all := map[string]int64{}
	for _, sums := range []map[string]int64{archived, r.count.calls.requests[d]} {
		for field, n := range sums {
			if s, _, ok := parser.RequestFieldOf(field); ok && s.Spec().Brief == brief {
				all[field] += n
			}
		}
	}
	return all
}

// allRequests is the field of all requests of a day.
var allRequests = parser.RequestField(parser.RequestsByKind, parser.PartCount+":"+parser.AllRequests)

// requestsInPart tells whether Redis has fewer requests of a day than calls. Those of all
// kinds must be as many as it says all the same.
func (r *reading) requestsInPart(calls, requests string) (bool, error) {
	all, err := r.g.v.opt.Dump.Hash(r.g.ctx, calls)
	if err != nil {
		return false, err
	}
	some, err := r.g.v.opt.Dump.Hash(r.g.ctx, requests)
	if err != nil || some[allRequests].N >= all[counter.CallTotal].N {
		return false, err
	}
	var sum counter.Value
	for field, v := range some {
		s, name, ok := parser.RequestFieldOf(field)
		if part, _ := parser.CutSum(name); ok && s == parser.RequestsByKind && part != parser.PartBytes && field != allRequests {
			sum.N += v.N
		}
	}
	want := some[allRequests].N
	r.expect(requests+" (all)", sum, 0, false, func() int64 { return want })
	return true, nil
}
