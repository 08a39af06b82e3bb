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

// recountedCalls is a day of API calls of the summary.
type recountedCalls struct {
	archive.SiteDay
	before, after jobs.CallFigures
	way           string
}

// reportCalls says which days of API calls were counted again, and what that
// came to; which ones stay as they are, and why.
func reportCalls(b *strings.Builder, done *archive.Recounted, before, after jobs.Shown) error {
	lines := map[archive.SiteDay]recountedCalls{}
	for i := range done.Calls {
		d := &done.Calls[i]
		lines[d.SiteDay] = recountedCalls{d.SiteDay, figuresOf(&d.Before), figuresOf(&d.After), callWay(d)}
	}
	for d, x := range before.Calls {
		if x == (jobs.CallFigures{}) && after.Calls[d] == (jobs.CallFigures{}) {
			continue
		}
		lines[d] = recountedCalls{d, x, after.Calls[d], andTail(lines[d].way)}
	}
	if len(lines) == 0 {
		return nil
	}
	fmt.Fprintln(b, "\nAPI calls:")
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "day\tsite\tcalls before\tafter\tfailed before\tafter\tendpoints before\tafter\tcounted again from")
	for _, l := range slices.SortedFunc(maps.Values(lines), func(x, y recountedCalls) int {
		return cmp.Or(cmp.Compare(x.Day, y.Day), cmp.Compare(x.Site, y.Site))
	}) {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%s\n", dayText(l.Day), l.Site, l.before.Calls, l.after.Calls,
			l.before.Failed, l.after.Failed, l.before.Endpoints, l.after.Endpoints, l.way)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write summary: %w", err)
	}
	return nil
}

func figuresOf(t *archive.CallTotals) jobs.CallFigures {
	return jobs.CallFigures{Calls: t.Calls, Failed: t.Failed, Endpoints: int64(t.Endpoints)}
}

func callWay(d *archive.RecountedCalls) string {
	switch n := len(d.Gone); {
	case !d.Kept:
		return "log"
	case n == 0:
		return "nothing, kept as it is: the segments that it came from are not known"
	case n == 1:
		return "nothing, kept as it is: " + d.Gone[0] + " is gone"
	default:
		return fmt.Sprintf("nothing, kept as it is: %s and %d more segments are gone", d.Gone[0], n-1)
	}
}
