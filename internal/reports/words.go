package reports

import (
	"fmt"
	"strconv"
	"time"
)

// words are the texts of a language.
type words struct {
	lang                                                         string
	title, titleOne, titleAll                                    string // of a site; of so many
	views, visitors, before, change, day, page, referrer, land   string
	pages, referrers, countries, days, sites, none, more, perDay string
	made                                                         string
}

var languages = map[string]*words{
	"en": {
		lang: "en", title: "%s: %s", titleOne: "%d site: %s", titleAll: "%d sites: %s",
		views: "Views", visitors: "Visitors", before: "Before", change: "Change", day: "Day", page: "Page", referrer: "Referrer", land: "Country",
		pages: "Top pages", referrers: "Referrers", countries: "Countries", days: "By day", sites: "Sites", none: "(none)", more: "and %d more sites",
		perDay: "Visitors are those of each day, added up.", made: "Made %s by ddkk-stats",
	},
	"zh": {
		lang: "zh", title: "%s：%s", titleOne: "%d 个站点：%s", titleAll: "%d 个站点：%s",
		views: "浏览量", visitors: "访客", before: "上期", change: "变化", day: "日期", page: "页面", referrer: "来源", land: "国家/地区",
		pages: "热门页面", referrers: "来源", countries: "国家/地区", days: "按日", sites: "站点", none: "（无）", more: "另有 %d 个站点",
		perDay: "访客数为各日访客数之和。", made: "ddkk-stats 生成于 %s",
	},
}

func wordsOf(lang string) *words {
	if w := languages[lang]; w != nil {
		return w
	}
	return languages["en"]
}

// span is a period as people write it.
func (w *words) span(s Span) string {
	if s.From.Equal(s.To) {
		return s.From.Format(time.DateOnly)
	}
	if w.lang == "zh" {
		return s.From.Format(time.DateOnly) + " 至 " + s.To.Format(time.DateOnly)
	}
	return s.From.Format(time.DateOnly) + " to " + s.To.Format(time.DateOnly)
}

// headline is the title, and a mail's subject.
func (w *words) headline(r *Report) string {
	switch {
	case r.Site == "" && r.Total == 1:
		return fmt.Sprintf(w.titleOne, r.Total, w.span(r.Span))
	case r.Site == "":
		return fmt.Sprintf(w.titleAll, r.Total, w.span(r.Span))
	}
	return fmt.Sprintf(w.title, r.Site, w.span(r.Span))
}

// percent is how much more or less now is.
func percent(now, before int64) string {
	if before == 0 {
		return "-"
	}
	return fmt.Sprintf("%+.0f%%", 100*float64(now-before)/float64(before))
}

// grouped writes a number with blanks between thousands, which no language reads as a point.
func grouped(n int64) string {
	digits := strconv.FormatInt(n, 10)
	if n < 0 {
		return digits
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "\u00a0" + digits[i:]
	}
	return digits
}
