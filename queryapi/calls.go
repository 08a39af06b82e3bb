package queryapi

import (
	"context"
	"math"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"ddkk-stats/counter"
)

// Calls answers about the calls of sites' APIs. stale says that Redis could not
// be asked, and what is answered are zeros or what the archive has.
type Calls interface {
	// Site is the one that is meant where none is named; "": there is none.
	Site(ctx context.Context) string
	// Period is a day or an hour, see counter.Reader.Calls.
	Period(ctx context.Context, site, period string, top int) (r counter.CallReport, stale bool)
	Trend(ctx context.Context, site string, unit counter.CallUnit) (points []counter.CallPoint, stale bool)
	// Day is all of the day that a date, midnight in UTC, stands for.
	Day(ctx context.Context, site string, date time.Time) (r counter.CallReport, stale bool, err error)
}

// topEndpoints is how many the overview has, hotAPIs how many of them in short.
const (
	topEndpoints = 10
	hotAPIs      = 5
)

func (f *facts) callRoutes() []route {
	return []route{
		{method: "GET", path: "/api/admin/stats/overview", handle: f.callOverview, admin: true, open: toViewers},
		{method: "GET", path: "/api/admin/stats/trend", handle: f.callTrend, admin: true, open: toViewers},
		{method: "GET", path: "/api/admin/reports/daily", handle: f.callReport, admin: true, open: toViewers},
	}
}

// callSite is the site that a request for calls is about.
func (f *facts) callSite(ctx *fasthttp.RequestCtx, args ...string) (string, error) {
	if f.cfg.Calls == nil {
		return "", errNoSiteLog("API calls")
	}
	q := ctx.QueryArgs()
	if err := knownArgs(q, append(args, "site")...); err != nil {
		return "", err
	}
	if !q.Has("site") {
		if site := f.cfg.Calls.Site(f.base); site != "" {
			return site, permit(ctx, site)
		}
	}
	return f.site(ctx, q.Peek("site"))
}

func errNoSiteLog(what string) error {
	return fail(fasthttp.StatusNotFound, CodeNoSiteLog, "%s are not counted: set SITE_LOG to the site's own access log", what)
}

// callOverview answers GET /api/admin/stats/overview: today, the running hour,
// and the endpoints that are called most.
func (f *facts) callOverview(ctx *fasthttp.RequestCtx) error {
	site, err := f.callSite(ctx)
	if err != nil {
		return err
	}
	now := f.cfg.Now().In(f.cfg.Location)
	today, stale := f.cfg.Calls.Period(f.base, site, counter.CallDay(now), topEndpoints)
	hour, staleHour := f.cfg.Calls.Period(f.base, site, counter.CallHour(now), 1)
	began := now.Truncate(time.Minute).Add(-time.Duration(now.Minute()) * time.Minute)
	out := appendString([]byte(`{"site":`), site)
	out = appendSums(append(out, `,"today":{`...), &today.CallSums)
	out = appendDate(append(out, `,"date":`...), now)
	out = appendSums(append(out, `},"hour":{`...), &hour.CallSums)
	out = strconv.AppendInt(append(out, `},"current_hour":{"calls":`...), hour.Calls, 10)
	out = began.AppendFormat(append(out, `,"hour":"`...), time.RFC3339)
	out = appendEndpoints(append(out, `"},"endpoints":`...), today.Endpoints[:min(topEndpoints, len(today.Endpoints))])
	out = appendAPIs(append(out, `,"hot_apis":`...), today.Endpoints[:min(hotAPIs, len(today.Endpoints))])
	writeJSON(ctx, f.end(out, site, stale || staleHour))
	return nil
}

// callTrend answers GET /api/admin/stats/trend: 60 minutes, 24 hours or 30 days.
func (f *facts) callTrend(ctx *fasthttp.RequestCtx) error {
	site, err := f.callSite(ctx, "range")
	if err != nil {
		return err
	}
	name := string(ctx.QueryArgs().Peek("range"))
	if name == "" {
		name = "hour"
	}
	unit, ok := counter.ParseCallUnit(name)
	if !ok {
		return badValue("range", "must be minute, hour or day")
	}
	points, stale := f.cfg.Calls.Trend(f.base, site, unit)
	out := appendString([]byte(`{"site":`), site)
	out = append(append(append(out, `,"range":"`...), name...), `","points":[`...)
	for i := range points {
		p := &points[i]
		if i > 0 {
			out = append(out, ',')
		}
		out = p.Time.AppendFormat(append(out, `{"time":"`...), time.RFC3339)
		out = strconv.AppendInt(append(out, `","calls":`...), p.Calls, 10)
		out = strconv.AppendInt(append(out, `,"failed":`...), p.Failed, 10)
		out = append(out, '}')
	}
	out = append(out, `],"data":[`...)
	for i := range points {
		if i > 0 {
			out = append(out, ',')
		}
		out = points[i].Time.AppendFormat(append(out, `{"time":"`...), time.RFC3339)
		out = append(strconv.AppendInt(append(out, `","count":`...), points[i].Calls, 10), '}')
	}
	writeJSON(ctx, f.end(append(out, ']'), site, stale))
	return nil
}

// callReport answers GET /api/admin/reports/daily: everything of one day, as
// JSON or as a table.
func (f *facts) callReport(ctx *fasthttp.RequestCtx) error {
	site, err := f.callSite(ctx, "date", "format")
	if err != nil {
		return err
	}
	args := ctx.QueryArgs()
	now := f.cfg.Now().In(f.cfg.Location)
	day, err := date(args, "date", time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC))
	if err != nil {
		return err
	}
	format := string(args.Peek("format"))
	if format != "" && format != "json" && format != "csv" {
		return badValue("format", "must be json or csv")
	}
	var report counter.CallReport
	var stale bool
	err = f.series(ctx, site, func(ctx context.Context) (err error) {
		report, stale, err = f.cfg.Calls.Day(ctx, site, day)
		return err
	})
	if err != nil {
		return err
	}
	if format == "csv" {
		return writeCallTable(ctx, site, day, &report)
	}
	out := appendString([]byte(`{"site":`), site)
	out = appendDate(append(out, `,"date":`...), day)
	out = appendSums(append(out, `,"total":{`...), &report.CallSums)
	out = strconv.AppendInt(append(out, `},"total_calls":`...), report.Calls, 10)
	out = strconv.AppendFloat(append(out, `,"success_rate":`...), successRate(&report.CallSums), 'f', -1, 64)
	out = appendEndpoints(append(out, `,"endpoints":`...), report.Endpoints)
	out = appendAPIs(append(out, `,"api_breakdown":`...), report.Endpoints)
	out = appendNames(append(out, `,"statuses":`...), "status", report.Statuses)
	out = appendNames(append(out, `,"users":`...), "user", report.Users)
	writeJSON(ctx, f.end(out, site, stale))
	return nil
}

// successRate is the share of calls that did not fail, cut to six digits; 1
// where there were none.
func successRate(s *counter.CallSums) float64 {
	if s.Calls == 0 {
		return 1
	}
	return float64((s.Calls-s.Failed)*1e6/s.Calls) / 1e6
}

// percentiles are those that are answered.
var percentiles = [...]struct {
	name    string
	percent float64
}{{"p50_ms", 50}, {"p95_ms", 95}, {"p99_ms", 99}}

// appendSums appends the fields of calls. Percentiles are null where the log
// does not tell how long calls took.
func appendSums(dst []byte, s *counter.CallSums) []byte {
	dst = strconv.AppendInt(append(dst, `"calls":`...), s.Calls, 10)
	dst = strconv.AppendInt(append(dst, `,"failed":`...), s.Failed, 10)
	for _, p := range percentiles {
		dst = append(append(append(dst, `,"`...), p.name...), `":`...)
		if text := percentile(s, p.percent); text != "" {
			dst = append(dst, text...)
		} else {
			dst = append(dst, "null"...)
		}
	}
	return dst
}

// percentile is one as text, to a tenth of a millisecond; "" where it is not
// known.
func percentile(s *counter.CallSums, percent float64) string {
	ms, ok := s.Latency.Percentile(percent)
	if !ok {
		return ""
	}
	return strconv.FormatFloat(math.Round(ms*10)/10, 'f', -1, 64)
}

func appendEndpoints(dst []byte, all []counter.EndpointCalls) []byte {
	dst = append(dst, '[')
	for i := range all {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(append(dst, `{"endpoint":`...), all[i].Endpoint)
		dst = append(appendSums(append(dst, ','), &all[i].CallSums), '}')
	}
	return append(dst, ']')
}

// appendAPIs appends endpoints as [{"api":"GET /a","calls":1},...].
func appendAPIs(dst []byte, all []counter.EndpointCalls) []byte {
	dst = append(dst, '[')
	for i := range all {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(append(dst, `{"api":`...), all[i].Endpoint)
		dst = append(strconv.AppendInt(append(dst, `,"calls":`...), all[i].Calls, 10), '}')
	}
	return append(dst, ']')
}

func appendNames(dst []byte, key string, all []counter.NameCalls) []byte {
	dst = append(dst, '[')
	for i, n := range all {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, `{"`...), key...), `":`...)
		dst = appendString(dst, n.Name)
		dst = append(strconv.AppendInt(append(dst, `,"calls":`...), n.Calls, 10), '}')
	}
	return append(dst, ']')
}

// writeCallTable answers a day as CSV: a line for the total and one
// for each endpoint, status and user.
func writeCallTable(ctx *fasthttp.RequestCtx, site string, day time.Time, r *counter.CallReport) error {
	rows := [][]string{{"date", "site", "kind", "name", "calls", "failed", "p50_ms", "p95_ms", "p99_ms"}}
	sums := func(kind, name string, s *counter.CallSums) {
		row := []string{day.Format(time.DateOnly), Cell(site), kind, Cell(name), strconv.FormatInt(s.Calls, 10), strconv.FormatInt(s.Failed, 10)}
		for _, p := range percentiles {
			row = append(row, percentile(s, p.percent))
		}
		rows = append(rows, row)
	}
	sums("total", "", &r.CallSums)
	for i := range r.Endpoints {
		sums("endpoint", r.Endpoints[i].Endpoint, &r.Endpoints[i].CallSums)
	}
	names := func(kind string, all []counter.NameCalls) {
		for _, n := range all {
			rows = append(rows, []string{day.Format(time.DateOnly), Cell(site), kind, Cell(n.Name), strconv.FormatInt(n.Calls, 10), "", "", "", ""})
		}
	}
	names("status", r.Statuses)
	names("user", r.Users)
	return writeTable(ctx, "calls-"+day.Format(time.DateOnly)+".csv", rows)
}
