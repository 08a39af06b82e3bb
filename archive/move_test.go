package archive

import (
	"fmt"
	"slices"
	"testing"

	"ddkk-stats/parser"
)

// TestMoveSite: what has no raw rows moves to another site, whether that has something of the
// same days or not, and no number is lost. A second time changes nothing.
func TestMoveSite(t *testing.T) {
	for _, to := range []string{"b.example", "new.example"} {
		t.Run(to, func(t *testing.T) {
			eachPlace(t, func(t *testing.T, at place) {
				a := ruleSet{}.archived(t, at, threeDays()...)
				check(t, a.SetBaselines(t.Context(), []Baseline{{"old", "a.example", "", 5, 2}, {"old", "a.example", "/p1", 5, 2}, {"old", "b.example", "/p1", 7, 3}}))
				a.KeepRaw(1)
				_, err := a.Retain(t.Context())
				check(t, err)
				gone := "(SELECT date FROM days WHERE raw = 0)"
				sums := []string{
					"SELECT date, SUM(pv), SUM(uv), SUM(pv_pc), SUM(pv_mobile), SUM(pv_bot), SUM(events) FROM daily_stats WHERE site IN ('a.example', '%[1]s') AND date IN " + gone + " GROUP BY date ORDER BY date",
					"SELECT date, page, SUM(pv), SUM(uv), SUM(pv_bot) FROM page_stats WHERE site IN ('a.example', '%[1]s') AND date IN " + gone + " GROUP BY date, page ORDER BY date, page",
					"SELECT facet, date, name, SUM(pv), SUM(pv_bot) FROM facet_stats WHERE site IN ('a.example', '%[1]s') AND date IN " + gone + " GROUP BY facet, date, name ORDER BY facet, date, name",
					"SELECT date, event_key, SUM(pv), SUM(uv) FROM event_stats WHERE site IN ('a.example', '%[1]s') AND date IN " + gone + " GROUP BY date, event_key ORDER BY date, event_key",
					"SELECT page, SUM(pv), SUM(uv) FROM baselines WHERE site IN ('a.example', '%[1]s') GROUP BY page ORDER BY page",
				}
				var before []string
				for _, q := range sums {
					before = append(before, query(t, a, fmt.Sprintf(q, to)))
				}
				if before[0] == "" {
					t.Fatal("no day lost its raw rows")
				}
				with := query(t, a, "SELECT COUNT(*) FROM access_logs WHERE site = 'a.example'")
				for range 2 {
					check(t, a.MoveSite(t.Context(), "a.example", to))
				}
				for i, q := range sums {
					wants(t, a, before[i], fmt.Sprintf(q, to))
				}
				wants(t, a, "0|0", "SELECT (SELECT COUNT(*) FROM daily_stats WHERE site = 'a.example' AND date IN "+gone+"), (SELECT COUNT(*) FROM baselines WHERE site = 'a.example')")
				wants(t, a, with, "SELECT COUNT(*) FROM access_logs WHERE site = 'a.example'") // a recount moves these
			})
		})
	}
}

// TestRecountNamesSums: pages of days without raw rows, and those of an earlier counter, get
// the names that they have now. No view is lost, and a second time changes nothing.
func TestRecountNamesSums(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		a := ruleSet{}.archived(t, at, threeDays()...)
		check(t, a.SetBaselines(t.Context(), []Baseline{{"old", "a.example", "", 5, 2}, {"old", "a.example", "/p1", 5, 2}, {"old", "a.example", "/p2", 1, 1}, {"new", "a.example", "/p1", 7, 3}, {"old", "b.example", "/p1", 9, 9}}))
		a.KeepRaw(1)
		_, err := a.Retain(t.Context())
		check(t, err)
		const (
			gone  = " AND date IN (SELECT date FROM days WHERE raw = 0)"
			sums  = "SELECT site, date, SUM(pv), SUM(uv), SUM(pv_bot) FROM page_stats WHERE (site <> 'a.example' OR page IN ('/p1', '/p2'))" + gone + " GROUP BY site, date ORDER BY site, date"
			named = "SELECT COUNT(*) FROM page_stats WHERE site = 'a.example' AND page = '/p1'" + gone
		)
		before := query(t, a, sums)
		if n := query(t, a, named); n == "0" {
			t.Fatal("no day without raw rows has the page")
		}
		by := ruleSet{parser: parser.Config{PageSites: map[string]parser.PageRules{"a.example": {Aliases: mustAlias("/p1", "/p2")}}}}
		q := by.recounting(t, allFrom, allTo)
		q.Force = true
		done, err := a.Recount(t.Context(), dry(q))
		check(t, err)
		if done.Pages == 0 || query(t, a, named) == "0" {
			t.Errorf("a dry run: %d pages", done.Pages)
		}
		for i := range 2 {
			if done, err = a.Recount(t.Context(), q); err != nil || (done.Pages == 0) != (i == 1) {
				t.Fatalf("run %d: %d pages, %v", i, done.Pages, err)
			}
			wants(t, a, before, sums)
			wants(t, a, "0", "SELECT COUNT(*) FROM page_stats WHERE site = 'a.example' AND page = '/p1'")
			wants(t, a, "new|/p2|7|3\nold|/p2|6|3", "SELECT source, page, pv, uv FROM baselines WHERE site = 'a.example' AND page <> '' ORDER BY source, page")
			wants(t, a, "/p2|13", fmt.Sprint("SELECT page, count FROM page_counts WHERE site = 'a.example' AND slot_id = ", BaseSlot))
			wants(t, a, "9", "SELECT pv FROM baselines WHERE site = 'b.example'")
		}
		pending, err := a.PendingImports(t.Context())
		check(t, err)
		if !slices.Contains(pending, "a.example") {
			t.Errorf("to be rebuilt: %v", pending)
		}
	})
}
