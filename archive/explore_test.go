package archive

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ddkk-stats/parser"
)

// explored groups the rows of now's day as text: "name pv uv".
func explored(t *testing.T, a *Archive, by string, terms ...Term) string {
	t.Helper()
	var all []string
	for v, err := range a.Read().Explore(t.Context(), "a.example", parser.DayOf(now), by, terms) {
		check(t, err)
		all = append(all, fmt.Sprintf("%s %d %d", v.Name, v.PV, v.UV))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func TestExplore(t *testing.T) {
	const phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Mobile/15E148 Safari/604.1"
	const bot = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
	eachPlace(t, func(t *testing.T, at place) {
		a := open(t, at)
		run(t, a, segmentOf("one",
			view{at: now, page: "/a", addr: "203.0.113.1", id: "1&ref=news.example&w=390&c=letter"},
			view{at: now, page: "/a", addr: "203.0.113.1", id: "2&ref=a.example"}, // a way within the site
			view{at: now, page: "/a", addr: "203.0.113.2", agent: phone, id: "3&ref=news.example"},
			view{at: now, page: "/A' OR 1=1 --", addr: "203.0.113.2", id: "4"},
			view{at: now, page: "/a/é", addr: "203.0.113.3", id: "5&ref=news.example"},
			view{at: now, page: "/a", addr: "203.0.113.4", agent: bot, id: "6"},
			view{at: now, page: "/a", addr: "203.0.113.4", event: "shop buy", id: "7"},
			view{at: now, page: "/a", addr: "203.0.113.4", site: "b.example", id: "8&ref=news.example"}))
		for _, c := range []struct {
			by, want string
			terms    []Term
		}{
			{"page", "/A' OR 1=1 -- 1 1, /a 3 2, /a/é 1 1", nil},
			{"referrer", " 1 1, news.example 3 3", nil},
			{"referrer", "news.example 2 2", []Term{{Name: "page", Value: "/a"}}},
			{"page", "/a 2 2, /a/é 1 1", []Term{{Name: "referrer", Value: "news.example"}}},
			{"page", "/a 1 1", []Term{{Name: "referrer", Value: "news.example"}, {Name: "device", Value: "mobile"}}},
			{"page", "/A' OR 1=1 -- 1 1", []Term{{Name: "page", Value: "/a", Prefix: true, Not: true}}},
			{"page", "/a/é 1 1", []Term{{Name: "page", Value: "/a/é", Prefix: true}}},
			{"page", "", []Term{{Name: "page", Value: "' OR '1'='1"}}},
			{"device", "mobile 1 1, pc 4 3", nil},
			{"device", "pc 1 1", []Term{{Name: "bot", Value: "yes"}}},
			{"bot", "no 5 4, yes 1 1", nil},
			{"browser", "Firefox 4 3, Safari 1 1", nil},
			{"device_type", "phone 1 1", []Term{{Name: "os", Value: "iOS"}}},
			{"channel", "campaign 1 1, direct 1 1, internal 1 1, referral 2 2", nil},
			{"campaign", "letter 1 1", nil},
			{"screen", "1-479 1 1", nil},
			{"country", "", nil}, // not looked at
			{"page", "/a 1 1", []Term{{Name: "campaign", Value: "let", Prefix: true}}},
			{"page", "/A' OR 1=1 -- 1 1, /a 2 2, /a/é 1 1", []Term{{Name: "campaign", Value: "letter", Not: true}}},
			{"page", "/a 1 1", []Term{{Name: "browser", Value: "Firefox", Not: true}}},
			{"event", "shop.buy 1 1", nil},
			{"page", "/a 1 1", []Term{{Name: "event", Value: "shop", Prefix: true}}},
			{"day", now.Format("2006-01-02") + " 3 2", []Term{{Name: "page", Value: "/a"}}},
		} {
			if got := explored(t, a, c.by, c.terms...); got != c.want {
				t.Errorf("by %s of %+v: %q, want %q", c.by, c.terms, got, c.want)
			}
		}
		for _, err := range a.Read().Explore(t.Context(), "a.example", parser.DayOf(now), "ip", nil) {
			if err == nil {
				t.Error("grouped by the address")
			}
		}
		days, whole, err := a.Read().RowsOfDays(t.Context(), "a.example", parser.DayOf(now), parser.DayOf(now))
		if check(t, err); !whole || len(days) != 1 || days[0].Rows != 7 {
			t.Errorf("days %+v, whole %v", days, whole)
		}
		_, err = a.db.ExecContext(t.Context(), "UPDATE days SET raw = 0")
		check(t, err)
		days, whole, err = a.Read().RowsOfDays(t.Context(), "a.example", parser.DayOf(now), parser.DayOf(now))
		if check(t, err); whole || len(days) != 0 {
			t.Errorf("without rows: %+v, whole %v", days, whole)
		}
	})
}
