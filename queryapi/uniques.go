package queryapi

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

// UniqueFacts are the visitors of a week (2026W48) or month (202611), each once. UV is nil
// where they are not known: it began before it was counted, or nothing of it is archived.
// Open: it is not over yet.
type UniqueFacts struct {
	Name     string
	From, To time.Time
	UV       *int64
	Open     bool
}

// adminUniques answers GET /api/admin/uniques.
func (f *facts) adminUniques(ctx *fasthttp.RequestCtx) error {
	q, err := f.spanQuery(ctx, MaxSeriesDays, "period", "page", "format")
	if err != nil {
		return err
	}
	args := ctx.QueryArgs()
	format := string(args.Peek("format"))
	if format != "" && format != "json" && format != "csv" {
		return badValue("format", "must be json or csv")
	}
	type row struct {
		Name string       `json:"name"`
		From calendarDate `json:"from"`
		To   calendarDate `json:"to"`
		UV   *int64       `json:"uv"`
		Open bool         `json:"open"`
	}
	out := struct {
		Site        string `json:"site"`
		Page        *text  `json:"page,omitempty"`
		Period      string `json:"period"`
		Rows        []row  `json:"rows"`
		Stale       bool   `json:"stale,omitempty"`
		StaleReason string `json:"stale_reason,omitempty"`
	}{Site: q.site, Period: string(args.Peek("period")), Rows: []row{}}
	switch names := f.cfg.Facts.UniquePeriods(); {
	case out.Period == "":
		return missing("period")
	case len(names) == 0:
		return badValue("period", "is not counted: UNIQUES is day")
	case !slices.Contains(names, out.Period):
		return badValue("period", "must be one that UNIQUES counts: %s", strings.Join(names, ", "))
	}
	page := ""
	if raw := args.Peek("page"); len(raw) > 0 {
		page = f.cfg.NormalizePage(q.site, raw)
		name := text(page)
		out.Page = &name
	}
	err = f.series(ctx, q.site, func(ctx context.Context) error {
		all, stale, err := f.cfg.Facts.Uniques(ctx, q.site, page, out.Period, q.from, q.to)
		for _, u := range all {
			out.Rows = append(out.Rows, row{u.Name, calendarDate(u.From), calendarDate(u.To), u.UV, u.Open})
		}
		out.Stale = stale
		return err
	})
	if err != nil {
		return err
	}
	out.StaleReason = f.reason(q.site, out.Stale)
	if format != "csv" {
		return writeValue(ctx, &out)
	}
	table := [][]string{{out.Period, "from", "to", "uv", "open"}}
	for _, r := range out.Rows {
		uv := ""
		if r.UV != nil {
			uv = strconv.FormatInt(*r.UV, 10)
		}
		table = append(table, []string{r.Name, time.Time(r.From).Format(time.DateOnly), time.Time(r.To).Format(time.DateOnly), uv, strconv.FormatBool(r.Open)})
	}
	return writeTable(ctx, "uniques-"+out.Period+".csv", table)
}
