package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"time"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
	"ddkk-stats/parser"
	"ddkk-stats/queryapi"
)

// identify names a segment by its first line. A request may be written to the
// beacon log and to the site's own, and a site's log may be imported for its
// views as well: so the same line names another segment here.
func (l logInput) identify(firstLine []byte) string {
	if l.calls {
		return "api-" + parser.SegmentID(firstLine)
	}
	return parser.SegmentID(firstLine)
}

// parserOf is the configuration of the parser of a log.
func (c *Config) parserOf(l logInput, secret []byte) parser.Config {
	p := c.Parser(l.format, secret)
	if l.calls {
		p.Calls = c.callRules()
	}
	return p
}

func (c *Config) callRules() *parser.CallRules {
	return &parser.CallRules{Site: c.apiSite(), Routes: c.APIRoutes, UserArg: c.APIUserArg, FailedFrom: c.APIFailedFrom}
}

// apiSite is the site of calls whose lines have no host; "": there is none.
func (c *Config) apiSite() string {
	if c.APISite == "" && len(c.Sites) == 1 {
		return c.Sites[0]
	}
	return c.APISite
}

// checkSiteLog finds what does not fit the site's own log.
func (c *Config) checkSiteLog(problems *problemList) {
	if c.SiteLog == "" {
		return
	}
	wrong := func(name, value, where, allowed string) {
		problems.add(&SettingError{Name: name, Value: value, Where: where, Allowed: allowed})
	}
	if c.AccessLog != "" && samePath(c.AccessLog, c.SiteLog) {
		wrong("SITE_LOG", c.SiteLog, "together with ACCESS_LOG",
			"another file than ACCESS_LOG: one has the beacons, the other the site's own requests; `ddkk-stats nginx-conf --site-log` prints how nginx writes it")
	}
	if samePath(c.SiteLog, c.BeaconLog()) {
		wrong("SITE_LOG", c.SiteLog, "together with DATA_DIR", "another file: this one is the built-in beacon's")
	}
	if c.SiteLogFormat == parser.FormatCombined && c.apiSite() == "" {
		wrong("API_SITE", "", "together with SITE_LOG_FORMAT=combined", "a host: the lines of this format do not tell it")
	}
}

// checkCompressed refuses logs that nginx compresses as it writes them.
func (c *Config) checkCompressed(problems *problemList) {
	for _, l := range [...]struct{ name, path string }{{"ACCESS_LOG", c.AccessLog}, {"SITE_LOG", c.SiteLog}} {
		if strings.HasSuffix(l.path, ".gz") {
			problems.add(&SettingError{Name: l.name, Value: l.path,
				Allowed: "a plain log: one that nginx compresses (gzip= in access_log) cannot be read as it grows. Leave out gzip=, and have logrotate compress what is rotated"})
		}
	}
}

func parseAPISite(c *Config, s string) (err error) {
	c.APISite = ""
	if s != "" {
		c.APISite, err = siteHost(s)
	}
	return err
}

func parseRoutes(c *Config, s string) error {
	c.APIRoutes = splitList(s)
	for _, r := range c.APIRoutes {
		if err := parser.CheckRoute(r); err != nil {
			return err
		}
	}
	return nil
}

func parseArgument(c *Config, s string) error {
	if strings.ContainsAny(s, "&=?#% +") {
		return errors.New("not the name of a query argument")
	}
	c.APIUserArg = s
	return nil
}

// calls answers about the calls of sites' APIs; nil without a SITE_LOG.
func (s *server) calls() queryapi.Calls {
	if s.cfg().SiteLog == "" {
		return nil
	}
	return &calls{reader: s.reader, archive: s.vault.opened, site: s.cfg().apiSite(), kept: &keptCallDays{all: map[archive.SiteDay]keptCallDay{}}}
}

// calls implements queryapi.Calls: a day is Redis' as long as that has it, and
// the archive's where it does not.
type calls struct {
	reader  *counter.Reader
	archive func() (*archive.Archive, error)
	site    string
	kept    *keptCallDays
}

// Site implements queryapi.Calls: the one that is set, or the only one there is.
func (c *calls) Site(ctx context.Context) string {
	if c.site != "" {
		return c.site
	}
	if all, _, err := c.reader.Sites(ctx); err == nil && len(all) == 1 {
		return all[0]
	}
	return ""
}

// Period implements queryapi.Calls.
func (c *calls) Period(ctx context.Context, site, period string, top int) (counter.CallReport, bool) {
	return c.reader.Calls(ctx, site, period, top)
}

// Trend implements queryapi.Calls.
func (c *calls) Trend(ctx context.Context, site string, unit counter.CallUnit) ([]counter.CallPoint, bool) {
	return c.reader.CallTrend(ctx, site, unit)
}

// Day implements queryapi.Calls.
func (c *calls) Day(ctx context.Context, site string, date time.Time) (counter.CallReport, bool, error) {
	live, stale := c.reader.Calls(ctx, site, counter.CallDay(date), 0)
	if !stale && live.Calls > 0 {
		return live, false, nil
	}
	a, err := c.archive()
	if err != nil {
		if !stale {
			return live, false, nil // Redis, which has a year, says that there is nothing
		}
		return live, stale, fmt.Errorf("%w: %w", queryapi.ErrArchiveAway, err)
	}
	report, err := c.kept.get(ctx, a.Read(), archive.SiteDay{Site: site, Day: parser.DayOf(date)})
	if err != nil {
		return live, stale, fmt.Errorf("%w: %w", queryapi.ErrArchiveAway, err)
	}
	return report, stale, nil
}

// keptCallDays remembers days as the archive has them, whose rows are many.
type keptCallDays struct {
	mu  sync.Mutex // held while one is read
	all map[archive.SiteDay]keptCallDay
}

type keptCallDay struct {
	version string
	report  counter.CallReport
}

// maxKeptCallDays bounds them: each may have a megabyte.
const maxKeptCallDays = 16

// get reads a day, from memory where it is what it was.
func (k *keptCallDays) get(ctx context.Context, r *archive.Reader, d archive.SiteDay) (counter.CallReport, error) {
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
