package reports

import (
	_ "embed"
	"fmt"
	"html/template"
	"strings"
)

//go:embed report.html
var page string

// HTML writes a report as one file that needs nothing else: no script, no picture, no
// address. Mail programs drop style sheets, so that styles are in the elements.
func (r *Report) HTML(lang string) (string, error) {
	w := wordsOf(lang)
	t, err := template.New("report").Funcs(template.FuncMap{
		"n": grouped, "percent": percent,
		"uv": func(uv *int64) string {
			if uv == nil {
				return ""
			}
			return grouped(*uv)
		},
		"name": func(s string) string { return named(s, w) },
		"rise": func(now, before int64) bool { return now >= before },
	}).Parse(page)
	if err != nil {
		return "", fmt.Errorf("read the report's page: %w", err)
	}
	type bar struct {
		Day
		Wide int // percent
	}
	type site struct {
		Site
		Bars  []bar
		Lists []list
	}
	data := struct {
		*Report
		Lang, Headline, PerDay, Foot, More                      string
		WViews, WVisitors, WBefore, WChange, WDay, WDays, WSite string
		Parts                                                   []site
	}{Report: r, Lang: w.lang, Headline: w.headline(r), PerDay: w.perDay, Foot: fmt.Sprintf(w.made, r.Made.Format("2006-01-02 15:04 MST")),
		WViews: w.views, WVisitors: w.visitors, WBefore: w.before, WChange: w.change, WDay: w.day, WDays: w.days, WSite: w.sites}
	if n := r.Total - len(r.Lines); r.Site == "" && n > 0 {
		data.More = fmt.Sprintf(w.more, n)
	}
	for _, s := range r.Sites {
		part, most := site{Site: s, Lists: s.lists(w)}, int64(1)
		for _, d := range s.Days {
			most = max(most, d.PV)
		}
		for _, d := range s.Days {
			part.Bars = append(part.Bars, bar{d, int(100 * d.PV / most)})
		}
		data.Parts = append(data.Parts, part)
	}
	var b strings.Builder
	if err := t.Execute(&b, data); err != nil {
		return "", fmt.Errorf("write the report's page: %w", err)
	}
	return b.String(), nil
}
