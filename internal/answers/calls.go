package answers

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
	"ddkk-stats/parser"
	"ddkk-stats/queryapi"
)

// Calls implements queryapi.Calls: a day is Redis' as long as that has it, and
// the archive's where it does not.
type Calls struct {
	reader  *counter.Reader
	archive func() (*archive.Archive, error)
	site    string
	kept    *KeptCallDays
}

// NewCalls answers about the calls that reader and the archive have; site is the one
// that is meant where none is named, empty: the only one there is.
func NewCalls(reader *counter.Reader, archive func() (*archive.Archive, error), site string) *Calls {
	return &Calls{reader: reader, archive: archive, site: site, kept: NewKeptCallDays()}
}

// Site implements queryapi.Calls: the one that is set, or the only one there is.
func (c *Calls) Site(ctx context.Context) string {
	if c.site != "" {
		return c.site
	}
	if all, _, err := c.reader.Sites(ctx); err == nil && len(all) == 1 {
		return all[0]
	}
	return ""
}

// Period implements queryapi.Calls.
func (c *Calls) Period(ctx context.Context, site, period string, top int) (counter.CallReport, bool) {
	return c.reader.Calls(ctx, site, period, top)
}

// Trend implements queryapi.Calls.
func (c *Calls) Trend(ctx context.Context, site string, unit counter.CallUnit) ([]counter.CallPoint, bool) {
	return c.reader.CallTrend(ctx, site, unit)
}

// Day implements queryapi.Calls.
func (c *Calls) Day(ctx context.Context, site string, date time.Time) (counter.CallReport, bool, error) {
	live, stale := c.reader.Calls(ctx, site, counter.CallDay(date), 0)
	if live.Calls > 0 {
		return live, stale, nil
	}
	a, err := c.archive()
	if err != nil {
		if !stale {
			return live, false, nil // Redis, which has a year, says that there is nothing
		}
		return live, stale, fmt.Errorf("%w: %w", queryapi.ErrArchiveAway, err)
	}
	report, err := c.kept.Get(ctx, a.Read(), archive.SiteDay{Site: site, Day: parser.DayOf(date)})
	if err != nil {
		return live, stale, fmt.Errorf("%w: %w", queryapi.ErrArchiveAway, err)
	}
	return report, stale, nil
}

// KeptCallDays remembers days as the archive has them, whose rows are many.
type KeptCallDays struct {
	mu  sync.Mutex // held while one is read
	all map[archive.SiteDay]keptCallDay
}

type keptCallDay struct {
	version string
	report  counter.CallReport
}

// maxKeptCallDays bounds them: each may have a megabyte.
const maxKeptCallDays = 16

// NewKeptCallDays remembers none yet.
func NewKeptCallDays() *KeptCallDays { return &KeptCallDays{all: map[archive.SiteDay]keptCallDay{}} }

// Version is the archive's version of a day that is kept; empty: it is not kept.
func (k *KeptCallDays) Version(d archive.SiteDay) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.all[d].version
}

// Get reads a day, from memory where it is what it was.
func (k *KeptCallDays) Get(ctx context.Context, r *archive.Reader, d archive.SiteDay) (counter.CallReport, error) {
	version, err := r.CallDayVersion(ctx, d.Site, d.Day)
	if err != nil || version == "" {
		return counter.CallReport{}, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if x, ok := k.all[d]; ok && x.version == version {
		return x.report, nil
	}
	report, err := archivedCalls(r.CallDay(ctx, d.Site, d.Day))
	if err != nil {
		return report, err
	}
	if len(k.all) >= maxKeptCallDays {
		clear(k.all)
	}
	k.all[d] = keptCallDay{version, report}
	return report, nil
}

// archivedCalls makes rows of one day a report.
func archivedCalls(rows iter.Seq2[archive.CallRow, error]) (counter.CallReport, error) {
	var r counter.CallReport
	endpoints := map[string]*counter.EndpointCalls{}
	of := func(name string) *counter.EndpointCalls {
		if endpoints[name] == nil {
			endpoints[name] = &counter.EndpointCalls{Endpoint: name}
		}
		return endpoints[name]
	}
	for v, err := range rows {
		if err != nil {
			return r, err
		}
		switch v.Dimension {
		case parser.CallsTotal:
			r.Calls, r.Failed, r.Milliseconds = v.Calls, v.Failed, v.Milliseconds
		case parser.CallsEndpoint:
			e := of(v.Name)
			e.Calls, e.Failed, e.Milliseconds = v.Calls, v.Failed, v.Milliseconds
		case parser.CallsStatus:
			r.Statuses = append(r.Statuses, counter.NameCalls{Name: v.Name, Calls: v.Calls})
		case parser.CallsUser:
			r.Users = append(r.Users, counter.NameCalls{Name: v.Name, Calls: v.Calls})
		case parser.CallsLatency:
			bucket, endpoint, err := parser.ParseLatencyName(v.Name)
			if err != nil {
				return r, fmt.Errorf("read api_daily: %w", err)
			}
			if endpoint == "" {
				r.Latency.Add(bucket, v.Calls)
			} else {
				of(endpoint).Latency.Add(bucket, v.Calls)
			}
		}
	}
	for _, e := range endpoints {
		r.Endpoints = append(r.Endpoints, *e)
	}
	r.Sort()
	return r, nil
}
