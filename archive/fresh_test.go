package archive

import (
	"fmt"
	"testing"
	"time"
)

// daySumsOf are all sums of days.
func daySumsOf(t testing.TB, a *Archive) string {
	t.Helper()
	var all string
	for _, table := range dayTables {
		all += table + "\n" + query(t, a, "SELECT * FROM "+table+" ORDER BY 1, 2, 3") + "\n"
	}
	return all
}

// TestFreshSums: what is added up on the way into the table is what the raw rows
// come to, whatever is remembered of it, and where names are over a limit.
func TestFreshSums(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		for name, change := range map[string]func(*Options){
			"all names":  func(*Options) {},
			"few pages":  func(o *Options) { o.MaxPages = 5 },
			"few events": func(o *Options) { o.MaxEvents = 2 },
			"chunks":     func(o *Options) { o.ChunkRows = 100 },
			"zone":       func(o *Options) { o.Location = time.FixedZone("far", 5*3600+1800) },
		} {
			t.Run(name, func(t *testing.T) {
				at := another(t, at)
				a := open(t, at, change)
				if name == "chunks" {
					a.maxFresh = 200
				}
				segs := []*memory{
					segmentOf("one", traffic(1, 900, now.Add(-70*time.Hour), 3*time.Minute)...),
					segmentOf("two", traffic(2, 900, now.Add(-60*time.Hour), 2*time.Minute)...),
				}
				first, second := source(t, segs[0]), source(t, segs[1])
				second.Name = "another"
				sum, err := a.Run(t.Context(), first, second)
				check(t, err)
				if sum.Days < 6 || sum.Rows < 1000 {
					t.Errorf("%+v", sum)
				}
				fresh := daySumsOf(t, a)
				_, err = a.db.Exec("UPDATE days SET dirty = 1")
				check(t, err)
				_, err = a.RollUp(t.Context())
				check(t, err)
				if again := daySumsOf(t, a); again != fresh {
					t.Errorf("on the way:\n%s\nfrom raw rows:\n%s", fresh, again)
				}
			})
		}
	})
}

// another is an empty database of the same kind.
func another(t testing.TB, at place) place {
	if at.dsn != "" {
		return mariaPlace(t)
	}
	return sqlitePlace(t)
}

// TestFreshDoubted takes raw rows away before the days are rolled up. The sums
// are there nevertheless, unless something passed the gate meanwhile: then the
// raw rows are what counts.
func TestFreshDoubted(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		for _, other := range []bool{false, true} {
			a := open(t, another(t, at))
			known := a.newFresh()
			var sum Summary
			seg := segmentOf("one", traffic(1, 300, now.Add(-30*time.Hour), time.Minute)...)
			check(t, a.loadSource(t.Context(), source(t, seg), known, &sum))
			if other {
				b := segmentOf("two", view{at: now.Add(-26 * time.Hour), page: "/other"})
				check(t, a.loadSource(t.Context(), source(t, b), nil, &sum))
			}
			_, err := a.db.Exec("DELETE FROM access_logs WHERE page <> '/other'")
			check(t, err)
			_, err = a.rollUp(t.Context(), "", known)
			check(t, err)
			got := query(t, a, "SELECT SUM(pv + pv_bot + events + events_bot) FROM daily_stats")
			if want := map[bool]string{false: fmt.Sprint(sum.Rows), true: "1"}[other]; got != want {
				t.Errorf("%s rows in the sums, not %s", got, want)
			}
		}
	})
}

// TestFreshSecondRun: a day that has rows of an earlier run is read.
func TestFreshSecondRun(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		a := open(t, at)
		run(t, a, segmentOf("one", traffic(1, 300, now.Add(-30*time.Hour), time.Minute)...))
		run(t, a, segmentOf("two", traffic(2, 300, now.Add(-28*time.Hour), time.Minute)...))
		days, err := a.Read().RawDays(t.Context(), "a.example", 0)
		check(t, err)
		if len(days) < 2 {
			t.Fatal(days)
		}
		for _, d := range days {
			found, err := a.Read().CheckDay(t.Context(), "a.example", d)
			check(t, err)
			if len(found) > 0 {
				t.Error(found)
			}
		}
	})
}
