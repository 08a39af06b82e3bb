package archive

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// fairNames are what a fair test wants of a table: the owner's names with their views.
const fairNames = `SELECT page, pv FROM page_stats WHERE date = '2026-11-20' AND page LIKE '/own%' UNION ALL
	SELECT event_key, pv FROM event_stats WHERE date = '2026-11-20' AND event_key LIKE 'own%' UNION ALL
	SELECT name, pv FROM facet_stats WHERE date = '2026-11-20' AND facet = 'referrer' AND name LIKE 'own%' ORDER BY 1`

// junkAndOwn are a day's views: junk first, then two views of each of the owner's names by
// two networks.
func junkAndOwn(from func(i int) string, day time.Time) (all []view) {
	one := func(name, addr string) {
		at := day.Add(time.Duration(len(all)) * time.Second)
		all = append(all, view{at: at, page: "/" + name, addr: addr, referer: "https://" + name + ".example/"}, view{at: at, event: name, addr: addr})
	}
	for i := range 60 {
		one(fmt.Sprintf("junk%d", i), from(i))
	}
	for i := range 4 {
		for v := range 2 {
			one(fmt.Sprintf("own%d", i), fmt.Sprintf("198.18.%d.7", 20*i+v))
		}
	}
	return all
}

// TestFairNames: whoever sends junk first takes no name from those that more than one part of
// the internet asks for, whatever the order of the segments and of the runs.
func TestFairNames(t *testing.T) {
	const want = "/own0|2\n/own1|2\n/own2|2\n/own3|2\nown0|2\nown0.example|2\nown1|2\nown1.example|2\nown2|2\nown2.example|2\nown3|2\nown3.example|2"
	for who, from := range map[string]func(int) string{
		"one address":   func(int) string { return "203.0.113.66" },
		"one network":   func(i int) string { return fmt.Sprintf("203.0.113.%d", i) },
		"many networks": func(i int) string { return fmt.Sprintf("10.%d.7.7", i) },
	} {
		t.Run(who, func(t *testing.T) {
			eachPlace(t, func(t *testing.T, at place) {
				views := junkAndOwn(from, now.Add(-40*time.Hour))
				a := open(t, at, func(o *Options) { o.MaxPages, o.MaxEvents, o.FacetCaps[0] = 10, 10, 10 })
				half := len(views) / 2
				// The later half first, and in two runs.
				run(t, a, segmentOf("two", views[half:]...))
				run(t, a, segmentOf("one", views[:half]...))
				wants(t, a, want, fairNames)
				all := "SELECT page, pv, uv FROM page_stats ORDER BY page"
				names := query(t, a, all)
				wants(t, a, "68|68|68", "SELECT (SELECT SUM(pv) FROM page_stats), (SELECT SUM(pv) FROM event_stats), (SELECT SUM(pv) FROM facet_stats WHERE facet = 'referrer')")
				wants(t, a, "2026-11-20", "SELECT date FROM names_due")
				due, err := a.NamesDue(t.Context(), 20261121)
				check(t, err)
				if len(due) != 1 || due[0].Site != "a.example" {
					t.Fatalf("due: %+v", due)
				}
				// Summed up again meanwhile: it is due still.
				_, err = a.db.ExecContext(t.Context(), "UPDATE days SET dirty = 1")
				check(t, err)
				_, err = a.RollUp(t.Context())
				check(t, err)
				check(t, a.NamesShown(t.Context(), due[0]))
				wants(t, a, "1", "SELECT COUNT(*) FROM names_due")
				wants(t, a, names, all)
				due, err = a.NamesDue(t.Context(), 20261121)
				check(t, err)
				check(t, a.NamesShown(t.Context(), due[0]))
				wants(t, a, "0", "SELECT COUNT(*) FROM names_due")
			})
		})
	}
}

// TestTwoDaysOfJunk: junk that is sent again on the next day takes no more: its merit grows no
// faster than that of the owner's names.
func TestTwoDaysOfJunk(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		a := open(t, at, func(o *Options) { o.MaxPages, o.MaxEvents = 10, 10 })
		one := func(int) string { return "203.0.113.66" }
		run(t, a, segmentOf("one", slices.Concat(junkAndOwn(one, now.Add(-64*time.Hour)), junkAndOwn(one, now.Add(-40*time.Hour)))...))
		for _, day := range []string{"2026-11-19", "2026-11-20"} {
			wants(t, a, "/own0|2\n/own1|2\n/own2|2\n/own3|2", "SELECT page, pv FROM page_stats WHERE date = '"+day+"' AND page LIKE '/own%' ORDER BY page")
			wants(t, a, "own0|2\nown1|2\nown2|2\nown3|2", "SELECT event_key, pv FROM event_stats WHERE date = '"+day+"' AND event_key LIKE 'own%' ORDER BY event_key")
		}
	})
}

// A table that more names want into than are remembered keeps those that many ask for.
func TestContestForgets(t *testing.T) {
	c := newContest(10)
	c.enter([]byte("/own"), 1)
	c.enter([]byte("/own"), 2)
	for i := range maxClaims + maxClaims/4 {
		c.enter(fmt.Appendf(nil, "/junk%d", i), 3)
	}
	if len(c.claims) > maxClaims || !c.kept()["/own"] || len(c.kept()) != 11 {
		t.Errorf("%d claims, %d kept", len(c.claims), len(c.kept()))
	}
}

// TestPagesEver: a site that has as many pages as it may have for good gets new ones only by
// merit; those that it had keep theirs, and sums stay exact.
func TestPagesEver(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		a := open(t, at, func(o *Options) { o.MaxPagesEver = 5 })
		day := func(n int, views ...view) []view {
			for i := range views {
				views[i].at = now.Add(time.Duration(n)*24*time.Hour + time.Duration(i)*time.Second - 96*time.Hour)
			}
			return views
		}
		one := func(page string) view { return view{page: page, addr: "203.0.113.66"} }
		first := day(0, one("/a"), one("/b"), one("/c"))
		second := day(1, one("/a"), one("/j1"), one("/j2"), one("/j3"), one("/j4"), view{page: "/own", addr: "198.18.0.7"}, view{page: "/own", addr: "198.18.20.7"})
		run(t, a, segmentOf("one", slices.Concat(first, second)...))
		const of = "SELECT page, pv FROM page_stats WHERE date > (SELECT MIN(date) FROM page_stats) ORDER BY page"
		wants(t, a, "/a|1\n/j1|1\n/own|2\n__other__|3", of)
		wants(t, a, "1", "SELECT COUNT(*) FROM names_due")
		// Alone, the same day comes to the same; a day that has no new page is not full.
		run(t, a, segmentOf("two", day(2, one("/a"), one("/b"), one("/own"))...))
		wants(t, a, "1", "SELECT COUNT(*) FROM names_due")
		_, err := a.db.ExecContext(t.Context(), "UPDATE days SET dirty = 1")
		check(t, err)
		_, err = a.RollUp(t.Context())
		check(t, err)
		wants(t, a, "/a|2\n/b|1\n/j1|1\n/own|3\n__other__|3", "SELECT page, SUM(pv) FROM page_stats WHERE date > (SELECT MIN(date) FROM page_stats) GROUP BY page ORDER BY page")
	})
}
