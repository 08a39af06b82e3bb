package counter

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// All of a day's API calls can be some ten thousand fields, most of which say how
// long calls took. So the last reports are kept. A day's hash only grows as long
// as its site's epoch stays the same, by every call that it counts: with the same
// epoch and total it is what it was, and of endpoints with as many calls as
// before it need not be read again how long those took.

const (
	// keptReports bounds the reports, keptEndpoints the endpoints of all of them,
	// each of which takes about a kilobyte.
	keptReports   = 64
	keptEndpoints = 10_000
	// keptReportAge bounds what no total tells of: keys that somebody changed by
	// hand.
	keptReportAge = 10 * time.Minute
	// rereadEndpoints is how many endpoints are asked for one by one; of more all
	// fields are read.
	rereadEndpoints = 64
)

// keptCalls remembers reports. Those who ask for the same period at the same
// time wait for one of them.
type keptCalls struct {
	mu  sync.Mutex
	all map[string]*keptReport // by key
}

type keptReport struct {
	turn   chan struct{} // held by whoever reads it
	epoch  string        // "": not read yet
	report CallReport    // never changed once it is here
	at     time.Time

	used      time.Time // belongs to keptCalls.mu
	endpoints int       // as well
}

func (k *keptCalls) entry(key string, now time.Time) *keptReport {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.all == nil {
		k.all = map[string]*keptReport{}
	}
	e := k.all[key]
	if e == nil {
		e = &keptReport{turn: make(chan struct{}, 1)}
		k.all[key] = e
	}
	e.used = now
	return e
}

// weigh notes how many endpoints a report has, and forgets the ones that nobody
// asked for longest.
func (k *keptCalls) weigh(key string, endpoints int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if e := k.all[key]; e != nil {
		e.endpoints = endpoints
	}
	for len(k.all) > 1 {
		sum, oldest := 0, ""
		for name, e := range k.all {
			sum += e.endpoints
			if name != key && (oldest == "" || e.used.Before(k.all[oldest].used)) {
				oldest = name
			}
		}
		if len(k.all) <= keptReports && sum <= keptEndpoints {
			return
		}
		delete(k.all, oldest)
	}
}

// wholeReport reads all of a period, from memory as far as that is right.
func (r *callReads) wholeReport(ctx context.Context, pipe redis.Pipeliner, site, period string) (CallReport, error) {
	key, now := r.keys.Calls(site, period), r.opt.Now()
	e := r.reports.entry(key, now)
	select {
	case e.turn <- struct{}{}:
	case <-ctx.Done():
		return CallReport{}, ctx.Err()
	}
	defer func() { <-e.turn }()
	epoch, total := pipe.HGet(ctx, r.keys.Checkpoint(site), fieldEpoch), pipe.HGet(ctx, key, CallTotal)
	if _, err := pipe.Exec(ctx); err != nil && !isNil(err) {
		return CallReport{}, err
	}
	calls, err := total.Int64()
	if err != nil && !isNil(err) {
		return CallReport{}, err
	}
	known := epoch.Val() != "" && !strings.HasPrefix(epoch.Val(), rebuilding)
	same := known && e.epoch == epoch.Val() && now.Sub(e.at) < keptReportAge
	if same && e.report.Calls == calls {
		return e.report, nil
	}
	var before *CallReport
	if same {
		before = &e.report
	}
	c, err := r.readReport(ctx, site, period, before)
	if err != nil {
		return c, err
	}
	if e.epoch = ""; known {
		e.epoch, e.report, e.at = epoch.Val(), c, now
		r.reports.weigh(key, len(c.Endpoints))
	}
	return c, nil
}

// readReport reads all of a period. before, unless nil, is what it was: how long
// calls took is taken from it where an endpoint has as many as then. What is read
// of an endpoint was read after its number of calls, so it may be newer and is
// then read again when that number is seen to have grown.
func (r *callReads) readReport(ctx context.Context, site, period string, before *CallReport) (c CallReport, err error) {
	if err := r.callFields(ctx, r.keys.Calls(site, period), &c); err != nil {
		return c, err
	}
	c.Sort()
	if c.Calls == 0 {
		return c, nil
	}
	key := r.keys.CallLatency(site, period)
	if before == nil {
		return c, r.allLatencies(ctx, key, &c)
	}
	known := make(map[string]*EndpointCalls, len(before.Endpoints))
	for i := range before.Endpoints {
		known[before.Endpoints[i].Endpoint] = &before.Endpoints[i]
	}
	var changed []*EndpointCalls
	for i := range c.Endpoints {
		now := &c.Endpoints[i]
		if was := known[now.Endpoint]; was != nil && was.Calls == now.Calls {
			now.Latency = was.Latency
		} else {
			changed = append(changed, now)
		}
	}
	if len(changed) > rereadEndpoints {
		for i := range c.Endpoints {
			c.Endpoints[i].Latency = nil
		}
		return c, r.allLatencies(ctx, key, &c)
	}
	return c, r.someLatencies(ctx, key, &c, changed)
}
