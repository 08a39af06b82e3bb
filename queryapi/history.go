package queryapi

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"
)

// Series answers what happened on past days. Dates are midnights in UTC that
// stand for calendar days in the server's zone; spans are inclusive. Its
// methods wait for SQL at times, but no longer than ctx.
type Series interface {
	// Days returns the days of a span that have anything, in order. Stale says
	// that Redis could not be asked and the newest views may be missing.
	Days(ctx context.Context, q *DaysQuery) (days []DayCount, stale bool, err error)
	// Events returns the rows of a span in order of date and key, as many as
	// q allows.
	Events(ctx context.Context, q *EventsQuery) (page EventPage, err error)
}

// Errors of Series and Restorer that clients are told about.
var (
	// ErrArchiveAway says that SQL is needed and does not answer.
	ErrArchiveAway = errors.New("the archive does not answer")
	// ErrStoreAway says that Redis is needed and does not answer.
	ErrStoreAway = errors.New("the store does not answer")
)

// DaysQuery asks for the days From..To of a site, or of one page of it.
type DaysQuery struct {
	Site     string
	Page     string // empty: the site
	From, To time.Time
}

// DayCount is one day.
type DayCount struct {
	Date   time.Time
	PV, UV int64
	NoUV   bool // the visitors are not known (yet)
	// BasePV and BaseUV are what an earlier counter had counted of the day.
	BasePV, BaseUV int64
}

const (
	// MaxSeriesDays is the longest span that one request may ask for.
	MaxSeriesDays = 3660
	// defaultSeriesDays is the span of a request that names none.
	defaultSeriesDays = 30
)

// history answers GET /api/history: the views and visitors of each day, week
// or month of a span.
func (r *reads) history(ctx *fasthttp.RequestCtx) error {
	args := ctx.QueryArgs()
	if err := knownArgs(args, "site", "page", "from", "to", "interval"); err != nil {
		return err
	}
	by, ok := parseInterval(string(args.Peek("interval")))
	if !ok {
		return badValue("interval", "must be day, week or month")
	}
	from, to, err := r.span(args)
	if err != nil {
		return err
	}
	site, err := r.site(ctx, args.Peek("site"))
	if err != nil {
		return err
	}
	q := DaysQuery{Site: site, From: from, To: to}
	raw := args.Peek("page")
	if args.Has("page") {
		if len(raw) == 0 {
			return badValue("page", "must not be empty")
		}
		q.Page = r.cfg.NormalizePage(site, raw)
	}
	var days []DayCount
	var stale bool
	err = r.series(ctx, site, func(ctx context.Context) (err error) {
		days, stale, err = r.cfg.Series.Days(ctx, &q)
		return err
	})
	if err != nil {
		return err
	}
	out := appendString([]byte(`{"site":`), site)
	if q.Page != "" {
		out = appendString(append(out, `,"page":`...), raw)
	}
	out = append(out, `,"interval":"`...)
	out = append(out, by.String()...)
	out = appendDate(append(out, `","from":`...), from)
	out = appendDate(append(out, `,"to":`...), to)
	out = appendPoints(append(out, `,"history":`...), by.points(&q, days))
	writeJSON(ctx, r.end(out, site, stale))
	return nil
}

// span reads from and to: the last 30 days if neither is given.
func (a *answering) span(args *fasthttp.Args) (from, to time.Time, err error) {
	now := a.cfg.Now().In(a.cfg.Location)
	to = time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)
	if to, err = date(args, "to", to); err != nil {
		return from, to, err
	}
	if from, err = date(args, "from", to.AddDate(0, 0, 1-defaultSeriesDays)); err != nil {
		return from, to, err
	}
	if from.After(to) {
		return from, to, badValue("from", "must not be after to, %s", to.Format(time.DateOnly))
	}
	if to.Sub(from) >= MaxSeriesDays*24*time.Hour {
		return from, to, badValue("from", "must be less than %d days before to", MaxSeriesDays)
	}
	return from, to, nil
}

func date(args *fasthttp.Args, name string, absent time.Time) (time.Time, error) {
	if !args.Has(name) {
		return absent, nil
	}
	d, err := time.Parse(time.DateOnly, string(args.Peek(name)))
	if err != nil || d.Year() < 1970 || d.Year() > 9000 {
		return d, badValue(name, "must be a date such as 2026-11-22")
	}
	return d, nil
}

// knownArgs refuses parameters that the route does not know, and those given
// twice: a mistyped one would be answered as if it were not there.
func knownArgs(args *fasthttp.Args, names ...string) error {
	seen := map[string]bool{}
	for key := range args.All() {
		name := string(key)
		switch {
		case seen[name]:
			return fail(fasthttp.StatusBadRequest, CodeUnknownField, "%s: is there twice", name)
		case !slices.Contains(names, name):
			return fail(fasthttp.StatusBadRequest, CodeUnknownField, "%s: unknown parameter; known are %q", name[:min(len(name), 64)], names)
		}
		seen[name] = true
	}
	return nil
}

// onlySite reads the site of a route that has no other parameter.
func (a *answering) onlySite(ctx *fasthttp.RequestCtx) (string, error) {
	args := ctx.QueryArgs()
	if err := knownArgs(args, "site"); err != nil {
		return "", err
	}
	return a.site(ctx, args.Peek("site"))
}

func appendDate(dst []byte, d time.Time) []byte {
	dst = append(dst, '"')
	dst = d.AppendFormat(dst, time.DateOnly)
	return append(dst, '"')
}

func appendPoints(dst []byte, points []point) []byte {
	dst = append(dst, '[')
	for i := range points {
		p := &points[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"date":"`...)
		dst = append(dst, p.name...)
		dst = strconv.AppendInt(append(dst, `","pv":`...), p.pv, 10)
		dst = append(dst, `,"uv":`...)
		if p.noUV {
			dst = append(dst, "null"...)
		} else {
			dst = strconv.AppendInt(dst, p.uv, 10)
		}
		if p.basePV > 0 || p.baseUV > 0 {
			dst = strconv.AppendInt(append(dst, `,"base_pv":`...), p.basePV, 10)
			dst = strconv.AppendInt(append(dst, `,"base_uv":`...), p.baseUV, 10)
		}
		dst = append(dst, '}')
	}
	return append(dst, ']')
}
