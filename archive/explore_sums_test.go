package archive

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"ddkk-stats/parser"
)

// exploredBoth asks a day's raw rows and its sums, where these have the answer.
func exploredBoth(t *testing.T, a *Archive, d parser.Day, by string, terms Terms) (raw, sums []string, summed bool) {
	t.Helper()
	text := func(v NameTotals) string { return fmt.Sprintf("%q %d %d", v.Name, v.PV, v.UV) }
	for v, err := range a.Read().Explore(t.Context(), "a.example", d, by, terms) {
		check(t, err)
		raw = append(raw, text(v))
	}
	all, _, err := a.Read().exploreSums(t.Context(), "a.example", d, by, terms)
	if summed = !errors.Is(err, errNotSummed); summed {
		check(t, err)
	}
	for _, v := range all {
		sums = append(sums, text(v))
	}
	slices.Sort(raw)
	slices.Sort(sums)
	return raw, sums, summed
}

// exploreViews are views of people and bots and events of some days.
func exploreViews(rng *rand.Rand, n int) (all []view) {
	pages := []string{"/", "/docs/a", "/docs/ä", "/docs/äx", "/docs/é", "/docs", "/Docs/a", "/blog/__other__"}
	refs := []string{"", "", "news.example", "a.example", "google.com", "ütf.example"}
	agents := []string{browser, browser + " ", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Mobile/15E148 Safari/604.1",
		"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "odd"}
	for i := range n {
		v := view{at: now.AddDate(0, 0, -1-rng.IntN(3)), page: pages[rng.IntN(len(pages))], addr: fmt.Sprintf("203.0.113.%d", rng.IntN(9)), agent: agents[rng.IntN(len(agents))], gpc: rng.IntN(9) == 0}
		v.id = fmt.Sprintf("%08d&ref=%s&w=%d", i, refs[rng.IntN(len(refs))], rng.IntN(2)*1440)
		switch rng.IntN(5) {
		case 0:
			v.id += "&c=letter"
		case 1:
			v.event = "shop buy"
		}
		all = append(all, v)
	}
	return all
}

var exploreQuestions = func() (all []struct {
	by    string
	terms Terms
}) {
	ask := func(by string, terms ...Term) {
		all = append(all, struct {
			by    string
			terms Terms
		}{by, terms})
	}
	names := map[string][]string{"page": {"/docs/a", "/docs/ä", "/docs/", "/nowhere", ""}, "referrer": {"news.example", "a.example", "", "n"}, "browser": {"Firefox", "F", ""},
		"os": {"iOS"}, "device_type": {"phone"}, "channel": {"direct", "search"}, "campaign": {"letter", "let", ""}, "screen": {"1280-1599", ""}, "country": {"DE", ""}, "language": {""}}
	for _, by := range []string{"page", "referrer", "browser", "os", "device_type", "channel", "campaign", "screen", "country", "language", "day", "bot", "device", "event"} {
		ask(by)
		for name, values := range names {
			for _, v := range values {
				for _, t := range []Term{{Name: name, Value: v}, {Name: name, Value: v, Not: true}, {Name: name, Value: v, Prefix: true}, {Name: name, Value: v, Prefix: true, Not: true}} {
					ask(by, t)
				}
			}
		}
	}
	ask("page", Term{Name: "page", Value: "/docs", Prefix: true}, Term{Name: "page", Value: "/docs/ä", Prefix: true, Not: true})
	ask("page", Term{Name: "bot", Value: "yes"})
	ask("browser", Term{Name: "event", Value: "shop", Prefix: true})
	return all
}()

// exploreBothWays asks all questions in both ways, and counts those that sums tell.
func exploreBothWays(t *testing.T, a *Archive) map[string]int {
	t.Helper()
	run(t, a, segmentOf("one", exploreViews(rand.New(rand.NewPCG(1, 2)), 400)...))
	told := map[string]int{}
	for back := 1; back <= 3; back++ {
		d := parser.DayOf(now.AddDate(0, 0, -back))
		for _, q := range exploreQuestions {
			raw, sums, summed := exploredBoth(t, a, d, q.by, q.terms)
			if summed {
				told[fmt.Sprint(q.by, len(q.terms))]++
			}
			if summed && !slices.Equal(raw, sums) {
				t.Errorf("%d by %s of %+v:\nrows %s\nsums %s", d, q.by, q.terms, raw, sums)
			}
		}
	}
	return told
}

// Sums tell what raw rows tell: all questions about one name, and none where names share a
// row.
func TestExploreSums(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		told := exploreBothWays(t, open(t, at))
		if told["page0"] != 3 || told["browser0"] != 3 || told["referrer1"] != 48 || told["day0"] != 3 || told["day1"] < 20 || told["page2"] != 3 || told["bot0"]+told["event0"] > 0 {
			t.Errorf("questions that sums tell: %v", told)
		}
	})
}

func TestExploreSumsOfFewNames(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		told := exploreBothWays(t, open(t, at, func(o *Options) {
			o.MaxPages, o.FacetCaps[parser.Referrer], o.FacetCaps[parser.Browser] = 4, 1, 1 // names of earlier days get as much room again
		}))
		if told["page0"]+told["referrer1"]+told["browser0"] > 0 || told["os0"] != 3 {
			t.Errorf("questions that sums tell although names share a row: %v", told)
		}
	})
}

// A day that rows came to is asked by its rows until it is closed again.
func TestExploreOpenDay(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		a := open(t, at)
		run(t, a, segmentOf("one", view{at: now, page: "/a", addr: "203.0.113.1", id: "00000001"}))
		ask := func(closed bool, want string) {
			t.Helper()
			days, _, err := a.Read().RowsOfDays(t.Context(), "a.example", parser.DayOf(now), parser.DayOf(now))
			check(t, err)
			if len(days) != 1 || days[0].Closed != closed {
				t.Fatalf("days: %+v, want one, closed %v", days, closed)
			}
			var got []string
			_, err = a.Read().ExploreDay(t.Context(), "a.example", days[0], "page", nil, func(v NameTotals) { got = append(got, fmt.Sprintf("%s %d %d", v.Name, v.PV, v.UV)) })
			if check(t, err); strings.Join(got, ", ") != want {
				t.Errorf("pages: %q, want %q", got, want)
			}
		}
		ask(true, "/a 1 1")
		var sum Summary
		check(t, a.loadSource(t.Context(), source(t, segmentOf("two", view{at: now, page: "/a", addr: "203.0.113.2", id: "00000002"})), nil, &sum))
		ask(false, "/a 2 2")
		_, err := a.RollUp(t.Context())
		check(t, err)
		ask(true, "/a 2 2")
	})
}
