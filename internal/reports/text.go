package reports

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Subject is the headline of a report.
func (r *Report) Subject(lang string) string { return wordsOf(lang).headline(r) }

// Text writes a report as text.
func (r *Report) Text(lang string) string {
	w := wordsOf(lang)
	b := &strings.Builder{}
	fmt.Fprintf(b, "%s\n\n", w.headline(r))
	fmt.Fprintf(b, "%s: %s (%s: %s, %s)\n", w.views, plain(r.Now.PV), w.before, plain(r.Prior.PV), percent(r.Now.PV, r.Prior.PV))
	fmt.Fprintf(b, "%s: %s (%s: %s, %s)\n", w.visitors, plain(r.Now.UV), w.before, plain(r.Prior.UV), percent(r.Now.UV, r.Prior.UV))
	if len(r.Lines) > 0 {
		fmt.Fprintf(b, "\n%s\n", w.sites)
		for _, l := range r.Lines {
			fmt.Fprintf(b, "  %12s  %12s  %6s  %s\n", plain(l.Now.PV), plain(l.Now.UV), percent(l.Now.PV, l.Before.PV), l.Site)
		}
		if n := r.Total - len(r.Lines); n > 0 {
			fmt.Fprintf(b, "  "+w.more+"\n", n)
		}
	}
	for _, s := range r.Sites {
		if r.Site == "" {
			fmt.Fprintf(b, "\n== %s ==\n", s.Site)
		}
		if len(s.Days) > 1 {
			fmt.Fprintf(b, "\n%s\n", w.days)
			for _, d := range s.Days {
				fmt.Fprintf(b, "  %12s  %12s  %s\n", plain(d.PV), plain(d.UV), d.Date.Format("2006-01-02"))
			}
		}
		for _, list := range s.lists(w) {
			if len(list.Rows) == 0 {
				continue
			}
			fmt.Fprintf(b, "\n%s\n", list.Title)
			for _, row := range list.Rows {
				fmt.Fprintf(b, "  %12s  %12s  %s\n", plain(row.PV), visitors(row.UV), named(row.Name, w))
			}
		}
	}
	fmt.Fprintf(b, "\n%s\n"+w.made+"\n", w.perDay, r.Made.Format("2006-01-02 15:04 MST"))
	return b.String()
}

// list is a table of a site.
type list struct {
	Title, Name string
	Rows        []Row
}

func (s *Site) lists(w *words) []list {
	return []list{{w.pages, w.page, s.Pages}, {w.referrers, w.referrer, s.Referrers}, {w.countries, w.land, s.Countries}}
}

func plain(n int64) string { return strings.ReplaceAll(grouped(n), "\u00a0", " ") }

func visitors(uv *int64) string {
	if uv == nil {
		return ""
	}
	return plain(*uv)
}

// maxName bounds what is shown of a name that a stranger chose.
const maxName = 200

// named is a name on one line: what a stranger chose must break no line and turn no text.
func named(name string, w *words) string {
	if name == "" {
		return w.none
	}
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' || r == utf8.RuneError {
			return '\uFFFD'
		}
		return r
	}, name)
	if utf8.RuneCountInString(name) > maxName {
		name = string([]rune(name)[:maxName]) + "..."
	}
	return name
}
