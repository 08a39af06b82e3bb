package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"ddkk-stats/counter"
	"ddkk-stats/internal/answers"
	"ddkk-stats/internal/config"
	"ddkk-stats/internal/vault"
	"ddkk-stats/queryapi"
)

// reportOptions are what a person asks for.
type reportOptions struct {
	by, where, site, from, to, format string
	html, lang                        string
	limit                             int
	within                            time.Duration
}

// reportDays are those of a report that names none.
const reportDays = 30

func reportCommand(load func() (*config.Config, error)) *cobra.Command {
	var opt reportOptions
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Group and filter views in a terminal, or write a report as one HTML file",
		Long: `Groups the raw rows of the archive by what there is of a view, filtered by any of
it: what /api/admin/explore answers, in a terminal. Lines that are not archived
yet are not in it, nor are days whose raw rows are deleted (RAW_RETENTION_DAYS).

  ddkk-stats report --by country --where 'page:/docs/* !channel:internal'

Names are day, page, referrer, device (pc, mobile), bot (yes, no), event, and
country, browser, os, device_type, language, screen, channel, campaign. "!" before
a term means all others, "*" behind it all that begin so; blanks, percent signs
and stars of a value are written %20, %25 and %2A. Without a term about bots only
people's views are meant, without one about events only page views. Visitors are
those of each day, added up.

--html writes a report of a site, or of all, as one file that needs neither server nor
script: views, visitors and their change, pages, referrers, countries. It asks the daemon
that runs, so that the numbers are those of now; --by, --where and --format are not for it.`,
		Example: `  ddkk-stats report --by page --limit 10
  ddkk-stats report --by referrer --where 'page:/blog/*' --from 2026-11-01 --to 2026-11-30 --format csv
  ddkk-stats report --site blog.example --from 2026-11-01 --html november.html`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load()
			if err != nil {
				return err
			}
			if opt.html != "" {
				return reportPage(cmd, cfg, &opt)
			}
			return explore(cmd, cfg, &opt)
		},
	}
	f := cmd.Flags()
	f.StringVar(&opt.by, "by", "page", "what to group by: "+strings.Join(queryapi.ExploreNames(), ", "))
	f.StringVar(&opt.where, "where", "", "terms such as 'page:/docs/* country:DE !bot:yes'")
	f.StringVar(&opt.site, "site", "", "the site, such as ddkk.com (default all sites together)")
	f.StringVar(&opt.from, "from", "", fmt.Sprintf("first day, as 2026-11-01 (default %d days ago)", reportDays-1))
	f.StringVar(&opt.to, "to", "", "last day (default today)")
	f.IntVar(&opt.limit, "limit", 20, "how many names to print; 0: all")
	f.StringVar(&opt.format, "format", "text", "text, csv or json")
	f.StringVar(&opt.html, "html", "", "write a report as one HTML file of this name; - is standard output")
	f.StringVar(&opt.lang, "lang", "", "language of --html: en or zh (default REPORT_LANG)")
	f.DurationVar(&opt.within, "within", time.Minute, "how long to look at most; what was seen by then is printed")
	cmd.AddCommand(reportSendCommand(load))
	return cmd
}

// query reads what is asked for.
func (o *reportOptions) query(cfg *config.Config, now time.Time) (q queryapi.ExploreQuery, err error) {
	day := func(name, text string, def time.Time) time.Time {
		if text == "" {
			return def
		}
		t, perr := time.Parse(time.DateOnly, text)
		if perr != nil {
			err = errors.Join(err, fmt.Errorf("report: --%s %q is no day such as 2026-11-30", name, text))
		}
		return t
	}
	y, m, d := now.In(cfg.Timezone).Date()
	today := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	q = queryapi.ExploreQuery{By: o.by, From: day("from", o.from, today.AddDate(0, 0, 1-reportDays)), To: day("to", o.to, today)}
	if q.To.Before(q.From) {
		err = errors.Join(err, errors.New("report: --to is before --from"))
	}
	if !slices.Contains(queryapi.ExploreNames(), q.By) {
		err = errors.Join(err, fmt.Errorf("report: --by %q must be one of %s", q.By, strings.Join(queryapi.ExploreNames(), ", ")))
	}
	var perr error
	if q.Where, perr = queryapi.ParseWhere(o.where); perr != nil {
		err = errors.Join(err, fmt.Errorf("report: --%w", perr))
	}
	if o.site != "" {
		var ok bool
		if q.Site, ok = cfg.SiteOf(o.site); !ok {
			err = errors.Join(err, fmt.Errorf("report: %q is no site, or not one of SITES", o.site))
		}
	}
	if !slices.Contains([]string{"text", "csv", "json"}, o.format) || o.limit < 0 {
		err = errors.Join(err, errors.New("report: --format must be text, csv or json, and --limit not less than 0"))
	}
	return q, err
}

func explore(cmd *cobra.Command, cfg *config.Config, opt *reportOptions) (err error) {
	q, err := opt.query(cfg, time.Now())
	if err != nil {
		return err
	}
	v := vault.New(config.NewLive(cfg), nil, counter.NewKeys(cfg.RedisPrefix, false), newLogger(cmd.ErrOrStderr(), cfg.LogLevel))
	defer func() { err = errors.Join(err, v.Close()) }()
	a, err := v.Open(cmd.Context())
	if err != nil {
		return err
	}
	began := time.Now()
	found, err := answers.ExploreArchive(cmd.Context(), a, &q, opt.within)
	if err != nil {
		return err
	}
	took, total := time.Since(began), len(found.Rows)
	if opt.limit > 0 {
		found.Rows = found.Rows[:min(total, opt.limit)]
	}
	out := cmd.OutOrStdout()
	switch opt.format {
	case "csv":
		return reportTable(out, &q, found.Rows)
	case "json":
		return reportJSON(out, &q, &found, total, took)
	}
	if err := reportText(out, &q, found.Rows); err != nil {
		return err
	}
	part := ""
	if !found.Complete {
		part = "; not all of these days are in it: their raw rows are deleted, or the time was over (--within)"
	}
	_, err = fmt.Fprintf(out, "%d of %d names, %d rows looked at in %s%s\n", len(found.Rows), total, found.Scanned, took.Round(time.Millisecond), part)
	return err
}

func visitorsText(uv *int64) string {
	if uv == nil {
		return ""
	}
	return strconv.FormatInt(*uv, 10)
}

func reportText(out io.Writer, q *queryapi.ExploreQuery, rows []queryapi.ExploredRow) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "views\tvisitors\t  %s\n", q.By)
	for _, r := range rows {
		name := r.Name
		if name == "" {
			name = "(none)"
		}
		fmt.Fprintf(w, "%d\t%s\t  %s\n", r.PV, visitorsText(r.UV), name)
	}
	return w.Flush()
}

func reportTable(out io.Writer, q *queryapi.ExploreQuery, rows []queryapi.ExploredRow) error {
	table := [][]string{{q.By, "pv", "uv"}}
	for _, r := range rows {
		table = append(table, []string{queryapi.Cell(r.Name), strconv.FormatInt(r.PV, 10), visitorsText(r.UV)})
	}
	return queryapi.WriteTable(out, table)
}

func reportJSON(out io.Writer, q *queryapi.ExploreQuery, found *queryapi.Explored, total int, took time.Duration) error {
	type row struct {
		Name string `json:"name"`
		PV   int64  `json:"pv"`
		UV   *int64 `json:"uv"`
	}
	rows := make([]row, len(found.Rows))
	for i, r := range found.Rows {
		rows[i] = row(r)
	}
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		Site     string `json:"site"`
		By       string `json:"by"`
		From     string `json:"from"`
		To       string `json:"to"`
		Total    int    `json:"total"`
		Rows     []row  `json:"rows"`
		Scanned  int64  `json:"scanned"`
		Took     int64  `json:"took_ms"`
		Complete bool   `json:"complete"`
	}{q.Site, q.By, q.From.Format(time.DateOnly), q.To.Format(time.DateOnly), total, rows, found.Scanned, took.Milliseconds(), found.Complete})
}
