package cli

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"ddkk-stats/internal/importer"
)

// report says what a file comes to, by outcome: the books close.
func (m *importing) report(p *importPlan, took time.Duration) error {
	s, had := p.survey, p.had
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s, %s\n", p.file.Name(), s.Format, p.classifier.Text())
	if like := p.file.Likenesses(); len(like) > 0 {
		fmt.Fprintf(&b, "  %s\n", importer.Explain(like))
	}
	switch {
	case had != nil && s.End <= p.from:
		fmt.Fprintf(&b, "  imported already as %s (%s): nothing to do\n", had.Name, had.Rules)
		_, err := fmt.Fprint(m.out, b.String())
		return err
	case p.from > 0:
		fmt.Fprintf(&b, "  goes on at byte %d, where an earlier import ended\n", p.from)
	}
	fmt.Fprintf(&b, "  %d lines in %.2f s (%.0f lines/s): %d views, %d views of bots", s.Lines, took.Seconds(),
		float64(s.Lines)/max(took.Seconds(), 1e-6), s.Views, s.BotViews)
	if s.Events+s.BotEvents > 0 {
		fmt.Fprintf(&b, ", %d events, %d events of bots", s.Events, s.BotEvents)
	}
	b.WriteString("\n")
	reasons(&b, "skipped", s.Skipped)
	reasons(&b, "malformed", s.Malformed)
	if s.FirstMalformed > 0 {
		fmt.Fprintf(&b, "  the first malformed line is number %d\n", s.FirstMalformed)
	}
	if s.Nameless > 0 {
		fmt.Fprintf(&b, "  %d of them tell no client's address: they count, and have no visitor\n", s.Nameless)
	}
	if s.Zoneless > 0 {
		fmt.Fprintf(&b, "  the times of %d lines tell no zone and are taken to be of %s (LOG_TIMEZONE)\n", s.Zoneless, m.v.Cfg().LogZone())
	}
	if s.Torn {
		b.WriteString("  the last line has no end yet and waits for the next import\n")
	}
	if s.Hits() > 0 {
		zone := m.v.Cfg().Timezone
		fmt.Fprintf(&b, "  from %s to %s; %s\n", time.UnixMilli(s.First).In(zone).Format(time.DateTime),
			time.UnixMilli(s.Last).In(zone).Format(time.DateTime), siteList(s.Sites))
	} else if s.Lines > 0 {
		b.WriteString("  no line counts: is this the right log, --site, --as?\n")
	}
	_, err := fmt.Fprint(m.out, b.String())
	return err
}

func reasons(b *strings.Builder, what string, counts map[string]int64) {
	var sum int64
	for _, n := range counts {
		sum += n
	}
	if sum == 0 {
		return
	}
	names := slices.SortedFunc(maps.Keys(counts), func(x, y string) int {
		return cmp.Or(cmp.Compare(counts[y], counts[x]), cmp.Compare(x, y))
	})
	fmt.Fprintf(b, "  %d %s:", sum, what)
	for i, n := range names {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(b, " %d %s", counts[n], n)
	}
	b.WriteString("\n")
}

// siteList names a few sites.
func siteList(sites map[string]int64) string {
	const shown = 10
	names := slices.SortedFunc(maps.Keys(sites), func(x, y string) int {
		return cmp.Or(cmp.Compare(sites[y], sites[x]), cmp.Compare(x, y))
	})
	more := ""
	if len(names) > shown {
		more = fmt.Sprintf(" and %d more sites", len(names)-shown)
		names = names[:shown]
	}
	return strings.Join(names, ", ") + more
}
