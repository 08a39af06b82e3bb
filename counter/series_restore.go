package counter

import (
	"context"
	"time"

	"ddkk-stats/parser"
)

// CallRow is one sum of a period of a site's API calls.
type CallRow struct {
	Period                      string // digits, as in Keys.Calls
	Dimension                   parser.CallDimension
	Name                        string // of an endpoint, a status, a user or a bucket of latency
	Calls, Failed, Milliseconds int64
}

// CallSpan says from which periods on calls are wanted.
type CallSpan struct{ Minute, Hour, Day string }

// CallHistory is what a restore reads of a site's API calls.
type CallHistory interface {
	// Calls are all sums of the periods that are not older than from: minutes
	// (totals alone), hours and days, each once. It is quicker when those of a
	// period come one after the other.
	Calls(ctx context.Context, site string, from CallSpan, row func(CallRow) error) error
}

// calls writes the hashes of the periods that still live.
func (r *restoring) calls(h History) error {
	now := r.Now().In(r.Location)
	back := func(ttl time.Duration, layout string) string { return now.Add(-ttl).AddDate(0, 0, -2).Format(layout) }
	from := CallSpan{
		Minute: back(CallMinuteTTL, callMinuteLayout), Hour: back(CallHourTTL, callHourLayout), Day: back(CallDayTTL, callDayLayout),
	}
	w := &callWriter{r: r}
	if err := h.Calls(r.ctx, r.site, from, w.row); err != nil {
		return err
	}
	w.flush()
	return nil
}

// callWriter gathers the fields of one period.
type callWriter struct {
	r          *restoring
	period     string
	ends       time.Time
	sums, took callHash
	// Of requests; see requestHash.
	requests, names callHash
}

func (w *callWriter) row(c CallRow) error {
	if c.Period != w.period {
		w.flush()
		var err error
		if w.ends, err = CallExpiry(w.r.Location, c.Period); err != nil {
			return err
		}
		w.period = c.Period
		w.sums.key, w.took.key = w.r.Keys.Calls(w.r.site, c.Period), w.r.Keys.CallLatency(w.r.site, c.Period)
	}
	switch c.Dimension {
	case parser.CallsTotal:
		w.sums.sums(&callSums{c.Calls, c.Failed, c.Milliseconds})
	case parser.CallsEndpoint:
		w.sums.add(CallEndpoint+c.Name, c.Calls)
		w.sums.add(CallEndpointFailed+c.Name, c.Failed)
		w.sums.add(CallEndpointMillis+c.Name, c.Milliseconds)
	case parser.CallsStatus:
		w.sums.add(CallStatus+c.Name, c.Calls)
	case parser.CallsUser:
		w.sums.add(CallUser+c.Name, c.Calls)
	case parser.CallsLatency:
		w.took.add(c.Name, c.Calls)
	default:
		w.request(&c)
	}
	if len(w.sums.fields)+len(w.took.fields)+len(w.requests.fields)+len(w.names.fields) >= 4*chunk {
		w.flush()
	}
	return w.r.row()
}

// flush sends what was gathered.
func (w *callWriter) flush() {
	r := w.r
	for _, h := range []*callHash{&w.sums, &w.took, &w.requests, &w.names} {
		ends := w.ends
		if h.life > 0 {
			ends = expiry(r.Location, h.day.day.Next(), h.life)
		}
		if len(h.fields) > 0 && ends.After(r.Now()) {
			r.pipe.HSet(r.ctx, h.key, h.fields...)
			r.pipe.ExpireAt(r.ctx, h.key, ends)
			r.made.addKey(r.Keys, h.key)
		}
		h.fields = nil
	}
}
