package queryapi

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

// Explorer looks at single views, where no counter has what is asked for.
type Explorer interface {
	// Explore groups the views that are wanted, most first. It takes some seconds at
	// most; an answer that is not Complete is of a part of them.
	Explore(ctx context.Context, q *ExploreQuery) (Explored, error)
}

// ExploreTerm wants views whose Name is Value, or begins with it; Not: all others.
type ExploreTerm struct {
	Name, Value string
	Not, Prefix bool
}

// ExploreQuery asks for the views of a site on some days, grouped by a name.
type ExploreQuery struct {
	Site     string
	From, To time.Time
	By       string
	Where    []ExploreTerm
}

// ExploredRow are the views of one name. UV is nil where the visitors are not known yet.
type ExploredRow struct {
	Name string
	PV   int64
	UV   *int64
}

// Explored is what was found, and in how many rows.
type Explored struct {
	Rows     []ExploredRow
	Scanned  int64
	Complete bool
}

// exploreNames are what views can be grouped and filtered by.
var exploreNames = []string{"day", "page", "referrer", "device", "bot", "event",
	"country", "browser", "os", "device_type", "language", "screen", "channel", "campaign"}

// ExploreNames are what views can be grouped and filtered by.
func ExploreNames() []string { return slices.Clone(exploreNames) }

const (
	maxWhere = 4096 // bytes
	maxTerms = 16
)

// explore answers GET /api/admin/explore.
func (f *facts) explore(ctx *fasthttp.RequestCtx) error {
	span, err := f.spanQuery(ctx, MaxSeriesDays, "by", "where", "limit")
	if err != nil {
		return err
	}
	args := ctx.QueryArgs()
	limit, err := intArg(args, "limit", MaxSeriesDays, 1, MaxSeriesDays)
	if err != nil {
		return err
	}
	q := ExploreQuery{Site: span.site, From: span.from, To: span.to, By: string(args.Peek("by"))}
	if !slices.Contains(exploreNames, q.By) {
		return badValue("by", "must be one of %s", strings.Join(exploreNames, ", "))
	}
	if q.Where, err = ParseWhere(string(args.Peek("where"))); err != nil {
		return err
	}
	type row struct {
		Name text   `json:"name"`
		PV   int64  `json:"pv"`
		UV   *int64 `json:"uv"`
	}
	out := struct {
		Site     string       `json:"site"`
		By       string       `json:"by"`
		From     calendarDate `json:"from"`
		To       calendarDate `json:"to"`
		Total    int          `json:"total"`
		Rows     []row        `json:"rows"`
		Scanned  int64        `json:"scanned"`
		Took     int64        `json:"took_ms"`
		Complete bool         `json:"complete"`
	}{Site: q.Site, By: q.By, From: calendarDate(q.From), To: calendarDate(q.To), Rows: []row{}}
	began := f.cfg.Now()
	err = f.series(ctx, q.Site, func(ctx context.Context) error {
		found, err := f.cfg.Explorer.Explore(ctx, &q)
		out.Total, out.Scanned, out.Complete = len(found.Rows), found.Scanned, found.Complete
		for _, r := range found.Rows[:min(len(found.Rows), limit)] {
			out.Rows = append(out.Rows, row{text(r.Name), r.PV, r.UV})
		}
		return err
	})
	if err != nil {
		return err
	}
	out.Took = f.cfg.Now().Sub(began).Milliseconds()
	return writeValue(ctx, &out)
}

// ParseWhere reads terms such as "page:/docs/* !referrer:news.example bot:yes", with
// blanks between them. Blanks, percent signs and stars of a value are percent-encoded.
func ParseWhere(where string) ([]ExploreTerm, error) {
	if len(where) > maxWhere {
		return nil, badValue("where", "must have at most %d bytes", maxWhere)
	}
	var all []ExploreTerm
	for word := range strings.FieldsSeq(where) {
		var t ExploreTerm
		var ok bool
		var err error
		word, t.Not = strings.CutPrefix(word, "!")
		if t.Name, t.Value, ok = strings.Cut(word, ":"); !ok || t.Name == "day" || !slices.Contains(exploreNames, t.Name) {
			return nil, badValue("where", "must hold terms such as page:/hello, of %s", strings.Join(exploreNames[1:], ", "))
		}
		t.Value, t.Prefix = strings.CutSuffix(t.Value, "*")
		if t.Value, err = url.PathUnescape(t.Value); err != nil {
			return nil, badValue("where", "has a value that cannot be decoded: %%, blanks and * are written %%25, %%20 and %%2A")
		}
		all = append(all, t)
	}
	if len(all) > maxTerms {
		return nil, badValue("where", "must have at most %d terms", maxTerms)
	}
	return all, nil
}
