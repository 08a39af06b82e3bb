package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/width"

	"ddkk-stats/internal/plain"
)

// topSite is a site's row.
type topSite struct {
	Site   string   `json:"site"`
	PV     int64    `json:"pv"`
	Today  int64    `json:"today"`
	UV     int64    `json:"uv_today"`
	Week   int64    `json:"week"`
	Change *float64 `json:"change"`
	Online int64    `json:"online"`
	Days   []int64  `json:"days"`
	Rate   float64  `json:"-"` // views a second
}

// topPage is a page's row.
type topPage struct {
	Page string `json:"page"`
	PV   int64  `json:"pv"`
	UV   *int64 `json:"uv"`
}

// screen is what is shown.
type screen struct {
	Time       time.Time
	Lines      float64 // a second
	LagBytes   int64
	LagSeconds float64
	Blind      bool // the daemon does not tell how it is
	Wrong      []string
	Stale      string // why the numbers are old; "": they are not
	Sites      []topSite
	Minutes    []int64
	Pages      []topPage

	chosen string
	order  int
}

var orders = []struct {
	name string
	less func(a, b topSite) int
}{
	{"today", func(a, b topSite) int { return cmp.Compare(b.Today, a.Today) }},
	{"online", func(a, b topSite) int { return cmp.Compare(b.Online, a.Online) }},
	{"views/s", func(a, b topSite) int { return cmp.Compare(b.Rate, a.Rate) }},
}

func (s *screen) sort() {
	slices.SortStableFunc(s.Sites, func(a, b topSite) int {
		return cmp.Or(orders[s.order].less(a, b), cmp.Compare(b.Today, a.Today), cmp.Compare(a.Site, b.Site))
	})
}

// choose has a site chosen if there is one.
func (s *screen) choose() {
	if !slices.ContainsFunc(s.Sites, func(x topSite) bool { return x.Site == s.chosen }) {
		if s.chosen = ""; len(s.Sites) > 0 {
			s.chosen = s.Sites[0].Site
		}
	}
}

// lines are the screen's lines, each as wide as wide at most.
func (s *screen) lines(wide, high int) []string {
	var all []string
	add := func(format string, args ...any) { all = append(all, fit(fmt.Sprintf(format, args...), wide)) }
	state := fmt.Sprintf("%.0f lines/s", s.Lines)
	if s.LagBytes > 0 {
		state += fmt.Sprintf(", %s behind (%.0f s)", bytesText(s.LagBytes), s.LagSeconds)
	}
	if s.Blind {
		state = "this token sees sites, and not how the daemon is"
	}
	add("ddkk-stats  %s  %s", s.Time.Format(time.TimeOnly), state)
	if s.Stale != "" {
		add("! the numbers are stale: %s", s.Stale)
	}
	for _, w := range s.Wrong[:min(len(s.Wrong), 3)] {
		add("! %s", plain.Text(w))
	}
	var today, online int64
	var rate float64
	for _, x := range s.Sites {
		today, online, rate = today+x.Today, online+x.Online, rate+x.Rate
	}
	add("")
	add("  %10s %10s %8s %8s %8s  %-7s  %s", "today", "visitors", "online", "views/s", "week", "7 days", "site (by "+orders[s.order].name+")")
	add("  %10d %10s %8d %8s %8s  %-7s  %d sites", today, "", online, perSecond(rate), "", "", len(s.Sites))
	rows := max(3, (high-len(all)-4)/2)
	first := 0
	if i := slices.IndexFunc(s.Sites, func(x topSite) bool { return x.Site == s.chosen }); i >= rows {
		first = i - rows + 1
	}
	for _, x := range s.Sites[first:min(len(s.Sites), first+rows)] {
		mark, change := " ", "-"
		if x.Site == s.chosen {
			mark = ">"
		}
		if x.Change != nil {
			change = fmt.Sprintf("%+.0f%%", 100**x.Change)
		}
		add("%s %10d %10d %8d %8s %8s  %-7s  %s", mark, x.Today, x.UV, x.Online, perSecond(x.Rate), change, spark(x.Days), plain.Text(x.Site))
	}
	if s.chosen != "" {
		add("")
		add("%s  last %d minutes %s", s.chosen, len(s.Minutes), spark(s.Minutes))
		for _, p := range s.Pages[:min(len(s.Pages), max(0, high-len(all)))] {
			uv := ""
			if p.UV != nil {
				uv = strconv.FormatInt(*p.UV, 10)
			}
			add("  %10d %10s  %s", p.PV, uv, plain.Text(p.Page))
		}
	}
	return all[:min(len(all), high)]
}

func perSecond(rate float64) string {
	if rate == 0 {
		return "0"
	}
	return fmt.Sprintf("%.1f", rate)
}

func bytesText(n int64) string {
	for _, u := range []struct {
		name string
		size int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n >= u.size {
			return fmt.Sprintf("%.1f %s", float64(n)/float64(u.size), u.name)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}

// spark draws numbers as bars.
func spark(all []int64) string {
	bars := []rune("▁▂▃▄▅▆▇█")
	most := max(1, slices.Max(append([]int64{1}, all...)))
	var b strings.Builder
	for _, n := range all {
		b.WriteRune(bars[int64(len(bars)-1)*max(0, n)/most])
	}
	return b.String()
}

// fit cuts a text to so many columns of a terminal.
func fit(text string, wide int) string {
	columns := 0
	for i, r := range text {
		n := 1
		switch kind := width.LookupRune(r).Kind(); {
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
			n = 0
		case kind == width.EastAsianWide || kind == width.EastAsianFullwidth:
			n = 2
		}
		if columns += n; columns > wide {
			return text[:i]
		}
	}
	return text
}
