package cli

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"ddkk-stats/archive"
	"ddkk-stats/internal/jobs"
)

// recountLine is a day of the summary.
type recountLine struct {
	archive.SiteDay
	before, after jobs.Figures
	way           string
}

// report says which day was counted again from what, and what that came to.
// before and after are what Redis shows of days that are not wholly archived.
func (r *recounting) report(done *jobs.RecountResult) error {
	before, after := done.Before, done.After
	lines := map[archive.SiteDay]recountLine{}
	for _, d := range done.Days {
		lines[d.SiteDay] = recountLine{d.SiteDay, jobs.Figures{PV: d.Before.PV, UV: d.Before.UV, Bot: d.Before.Bot}, jobs.Figures{PV: d.After.PV, UV: d.After.UV, Bot: d.After.Bot}, wayOf(&d)}
	}
	for d, x := range before.Views {
		if x == (jobs.Figures{}) && after.Views[d] == (jobs.Figures{}) {
			continue
		}
		l := lines[d]
		lines[d] = recountLine{d, x, after.Views[d], andTail(l.way)}
	}
	var b strings.Builder
	what := "recounted"
	if r.DryRun {
		what = "dry run, nothing was changed: would recount"
	}
	fmt.Fprintf(&b, "\n%s %s to %s: %d lines of the log and %d raw rows in %.2f s\n", what, dayText(r.From), dayText(r.To), done.Lines, done.Rows, done.Took.Seconds())
	if r.Facets {
		fmt.Fprintf(&b, "%d of the raw rows get other facets\n", done.Named)
	}
	if done.Pages > 0 {
		fmt.Fprintf(&b, "%d pages of days without raw rows, or of earlier counters, get another name\n", done.Pages)
	}
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "day\tsite\tpv before\tafter\tuv before\tafter\tbots before\tafter\tcounted again from")
	for _, l := range slices.SortedFunc(maps.Values(lines), func(x, y recountLine) int {
		return cmp.Or(cmp.Compare(x.Day, y.Day), cmp.Compare(x.Site, y.Site))
	}) {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%s\n", dayText(l.Day), l.Site, l.before.PV, l.after.PV, l.before.UV, l.after.UV, l.before.Bot, l.after.Bot, l.way)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write summary: %w", err)
	}
	if err := reportCalls(&b, &done.Recounted, before, after); err != nil {
		return err
	}
	r.notes(&b, done)
	_, err := fmt.Fprint(r.out, b.String())
	return err
}

// andTail adds to the way of a day that some of its lines are not archived.
func andTail(way string) string {
	const tail = "the log that is not archived yet"
	if way == "" {
		return tail
	}
	return way + ", and " + tail
}

func wayOf(d *archive.RecountedDay) string {
	switch {
	case d.Lines > 0 && d.Rows > 0:
		return "log and raw rows"
	case d.Rows > 0:
		return "raw rows"
	case d.Lines > 0:
		return "log"
	}
	return "nothing"
}

// notes say what could not be counted again.
func (r *recounting) notes(b *strings.Builder, done *jobs.RecountResult) {
	if r.DryRun && done.Tails.Lines > 0 {
		fmt.Fprintf(b, "%d more lines are not archived yet and not in these figures; the daemon would count them again\n", done.Tails.Lines)
	}
	if done.Rows > 0 {
		fmt.Fprintf(b, "the log of %d raw rows is gone: what earlier rules skipped or took for duplicates there does not come back\n", done.Rows)
	}
	for _, d := range slices.Sorted(maps.Keys(done.Doubts)) {
		fmt.Fprintf(b, "%d raw rows stay as they are in one regard: %s\n", done.Doubts[d], archive.DoubtText(d))
	}
	if n := len(done.Left); n > 0 {
		fmt.Fprintf(b, "%d days of sites are left as they are, since their raw rows are deleted: %s to %s\n", n, dayText(done.Left[0].Day), dayText(done.Left[n-1].Day))
	}
	if len(done.Days) == 0 && len(done.Tails.Days) == 0 && len(done.Calls) == 0 && len(done.Tails.Calls) == 0 {
		fmt.Fprintln(b, "there was nothing to be counted again: is --site right, and are these the right days?")
	}
}
