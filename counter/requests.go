package counter

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/counter/keys"
	"ddkk-stats/parser"
)

// What a site's own log has beside calls of an API: requests by kind, crawlers, what was
// not found, downloads, feeds and readers. They are sums of a day (parser.RequestTable) in
// two more hashes of the days of calls, and go the same way: a part adds to them in the
// atomic step that moves its segment's offset.

// requestSubjects are those of a site's day that keep their name, by series.
type requestSubjects [parser.NumRequestSeries]map[string]string

// requestSum is one sum of a day.
type requestSum struct {
	series        parser.RequestSeries
	part, subject string
}

// requestChange is what a part changes in the requests of a day. Nearly all lines are of
// people and of a kind alone, which needs no look-up.
type requestChange struct {
	day   *callDay
	kinds [parser.NumRequestKinds]kindChange
	sums  map[requestSum]int64
}

type kindChange struct{ people, crawlers, bytes int64 }

// requestBuffers are used again for each line.
type requestBuffers struct {
	counts []parser.RequestCount
	names  []byte
}

// requestsOf finds or opens the requests of a day.
func (c *callPart) requestsOf(d *callDay) *requestChange {
	r := c.days[d]
	if r == nil {
		r = &requestChange{day: d, sums: map[requestSum]int64{}}
		c.days[d] = r
	}
	return r
}

// countRequest counts a call as the request that it is.
func (a *aggregate) countRequest(h *parser.Hit, p *part, r *requestChange) {
	q := h.Request
	k := &r.kinds[q.Kind]
	if *k == (kindChange{}) {
		a.open.weigh(p, 3*perWrite)
	}
	k.bytes += h.BytesSent
	if q.Crawler != nil {
		k.crawlers++
	} else {
		k.people++
		if q.Visitor.IsZero() && len(q.Path) == 0 {
			return
		}
	}
	b := &a.requests
	b.counts, b.names = parser.AppendRequestCounts(b.counts[:0], h, b.names[:0])
	for i := range b.counts {
		if c := &b.counts[i]; c.Series != parser.RequestsByKind {
			a.countSum(c, p, r)
		}
	}
}

func (a *aggregate) countSum(c *parser.RequestCount, p *part, r *requestChange) {
	names := &r.day.subjects[c.Series]
	if *names == nil {
		*names = map[string]string{}
	}
	sum := requestSum{c.Series, c.Part, parser.AdmitName(*names, c.Subject, c.Series.Spec().Cap, false)}
	before := len(r.sums)
	r.sums[sum] += c.N
	if len(r.sums) > before {
		a.open.weigh(p, perWrite+len(sum.subject))
	}
}

// appendRequests appends the hashes of requests that a part changes.
func appendRequests(k Keys, all []callHash, site string, c *callPart) []callHash {
	for d, r := range c.days {
		plain := callHash{key: k.Requests(site, d.day), period: keys.Day(d.day), life: keys.RequestTTL, mark: keys.MarkRequests, day: d}
		names := callHash{key: k.RequestNames(site, d.day), period: plain.period, life: keys.RequestNamesTTL, mark: keys.MarkNames, day: d}
		var sum int64
		for kind := range r.kinds {
			n, name := &r.kinds[kind], []byte(parser.RequestKind(kind).String())
			for _, x := range []struct {
				part string
				n    int64
			}{{parser.PartPeople, n.people}, {parser.PartCrawlers, n.crawlers}, {parser.PartBytes, n.bytes}} {
				plain.add(requestField(parser.RequestsByKind, x.part, name), x.n)
			}
			sum += n.people + n.crawlers
		}
		plain.add(requestField(parser.RequestsByKind, parser.PartCount, []byte(parser.AllRequests)), sum)
		for sum, n := range r.sums {
			h := &plain
			if sum.series.Spec().Brief {
				h = &names
			}
			h.add(requestField(sum.series, sum.part, []byte(sum.subject)), n)
		}
		for _, h := range []callHash{plain, names} {
			if len(h.fields) > 0 {
				all = append(all, h)
			}
		}
	}
	return all
}

func requestField(s parser.RequestSeries, part string, subject []byte) string {
	return parser.RequestField(s, string(parser.AppendSum(nil, part, subject)))
}

// fillRequests reads which subjects of a day keep their name.
func (ld *loader) fillRequests(ctx context.Context, site string, d *callDay) error {
	for _, key := range []string{ld.keys.Requests(site, d.day), ld.keys.RequestNames(site, d.day)} {
		err := scanFields(ctx, ld.rdb, key, "", func(field, _ string) error {
			d.seen[key] = true
			s, sum, ok := parser.RequestFieldOf(field)
			if _, subject := parser.CutSum(sum); ok && subject != parser.OtherPage {
				if d.subjects[s] == nil {
					d.subjects[s] = map[string]string{}
				}
				d.subjects[s][subject] = subject
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// scanFields goes through the fields of a hash that match, a few at a time. One may come
// twice.
func scanFields(ctx context.Context, rdb redis.UniversalClient, key, match string, field func(name, value string) error) error {
	for cursor := uint64(0); ; {
		pairs, next, err := rdb.HScan(ctx, key, cursor, match, fieldsPerScan).Result()
		if err != nil {
			return err
		}
		for i := 0; i+1 < len(pairs); i += 2 {
			if err := field(pairs[i], pairs[i+1]); err != nil {
				return err
			}
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// request takes a row of a restore that is a sum of requests. Of days whose names are
// kept no more the archive has how many there were, and Redis nothing.
func (w *callWriter) request(c *CallRow) {
	s, ok := parser.RequestSeriesOf(c.Dimension)
	if !ok || len(c.Period) != len(callDayLayout) {
		return
	}
	h, key, life := &w.requests, w.r.Keys.Requests, keys.RequestTTL
	if s.Spec().Brief {
		h, key, life = &w.names, w.r.Keys.RequestNames, keys.RequestNamesTTL
	}
	n, err := strconv.ParseInt(c.Period, 10, 32)
	if err != nil {
		return // CallExpiry has refused it
	}
	day := parser.Day(n)
	h.key, h.life, h.day = key(w.r.site, day), life, &callDay{day: day}
	h.add(parser.RequestField(s, c.Name), c.Calls)
}

// RequestDay are the sums of a series on a day, by parser.AppendSum; nil: Redis has none.
type RequestDay map[string]int64

// Requests reads a series of some days, one after the other; stale: Redis could not be
// asked, and there are none, or counting waits for it.
func (r *callReads) Requests(ctx context.Context, site string, series parser.RequestSeries, days []parser.Day) (all []RequestDay, stale bool) {
	ok := r.trip(ctx, site, false, func(ctx context.Context, _ redis.Pipeliner) error {
		all = make([]RequestDay, len(days))
		for i, d := range days {
			if err := r.requestDay(ctx, site, series, d, &all[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if !ok {
		return make([]RequestDay, len(days)), true
	}
	return all, r.waits.Load()
}

func (r *callReads) requestDay(ctx context.Context, site string, series parser.RequestSeries, d parser.Day, into *RequestDay) error {
	key := r.keys.Requests(site, d)
	if series.Spec().Brief {
		key = r.keys.RequestNames(site, d)
	}
	prefix := parser.RequestField(series, "")
	return scanFields(ctx, r.rdb, key, keys.GlobEscape(prefix)+"*", func(field, value string) error {
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return err
		}
		if *into == nil {
			*into = RequestDay{}
		}
		(*into)[strings.TrimPrefix(field, prefix)] = n
		return nil
	})
}

// Blocked reads how many of the people who saw a page of a site's own log on a day never
// sent a beacon; there is false where Redis does not have both any more.
func (r *callReads) Blocked(ctx context.Context, site string, d parser.Day) (readers, blocked int64, there, stale bool) {
	ok := r.trip(ctx, site, false, func(ctx context.Context, _ redis.Pipeliner) error {
		readers, blocked, there = 0, 0, false
		var day RequestDay
		if err := r.requestDay(ctx, site, parser.RequestsOfReaders, d, &day); err != nil || day == nil {
			return err
		}
		var who []parser.Visitor
		for sum := range day {
			if _, name := parser.CutSum(sum); name != parser.OtherPage {
				v, err := parser.ParseVisitor(name)
				if err != nil {
					return err
				}
				who = append(who, v)
			}
		}
		sent, known, err := r.sent(ctx, site, d, who)
		there = known
		for _, v := range who {
			if readers++; !sent[v] {
				blocked++
			}
		}
		return err
	})
	return readers, blocked, there && ok, !ok || r.waits.Load()
}

// BlockedPages reads for each page what Blocked does for all.
func (r *callReads) BlockedPages(ctx context.Context, site string, d parser.Day) (pages map[string]parser.Readership, there, stale bool) {
	ok := r.trip(ctx, site, false, func(ctx context.Context, _ redis.Pipeliner) error {
		pages, there = nil, false
		var day RequestDay
		if err := r.requestDay(ctx, site, parser.RequestsOfPages, d, &day); err != nil || day == nil {
			return err
		}
		var who []parser.Visitor
		of := map[string][]parser.Visitor{}
		seen := map[parser.Visitor]bool{}
		for sum := range day {
			_, subject := parser.CutSum(sum)
			if subject == parser.OtherPage {
				continue
			}
			v, page, err := parser.CutReading(subject)
			if err != nil {
				return err
			}
			if of[page] = append(of[page], v); !seen[v] {
				seen[v] = true
				who = append(who, v)
			}
		}
		sent, known, err := r.sent(ctx, site, d, who)
		there = known
		pages = map[string]parser.Readership{}
		for page, readers := range of {
			n := parser.Readership{Readers: int64(len(readers))}
			for _, v := range readers {
				if !sent[v] {
					n.Blocked++
				}
			}
			pages[page] = n
		}
		return err
	})
	return pages, there && ok, !ok || r.waits.Load()
}

// sent tells who of some visitors sent a beacon on a day; there is false where Redis does
// not know who did.
func (r *callReads) sent(ctx context.Context, site string, d parser.Day, who []parser.Visitor) (sent map[parser.Visitor]bool, there bool, err error) {
	key := r.keys.Visitors(site, d)
	had, err := r.rdb.Exists(ctx, key).Result()
	if err != nil || had == 0 {
		return nil, false, err
	}
	sent = map[parser.Visitor]bool{}
	for some := range slices.Chunk(who, fieldsPerScan) {
		asked := make([]any, len(some))
		for i, v := range some {
			asked[i] = string(v[:])
		}
		are, err := r.rdb.SMIsMember(ctx, key, asked...).Result()
		if err != nil {
			return nil, false, err
		}
		for i, is := range are {
			sent[some[i]] = is
		}
	}
	return sent, true, nil
}
