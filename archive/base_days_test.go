package archive

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ddkk-stats/parser"
)

// TestHistory: a source's days and totals are replaced as a whole, add up with others', move
// and go with their site, and can be taken back.
func TestHistory(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		a := open(t, at)
		set := func(source string, days ...BaseDay) {
			t.Helper()
			var totals []Baseline
			for _, d := range days {
				if n := len(totals); n == 0 || totals[n-1].Page != d.Page {
					totals = append(totals, Baseline{Page: d.Page})
				}
				totals[len(totals)-1].PV += d.PV
				totals[len(totals)-1].UV += d.UV
			}
			check(t, a.SetHistory(t.Context(), source, "a.example", totals, days))
		}
		look := func(what, site, wantDays, wantTotals string) {
			t.Helper()
			var got []string
			for _, page := range []string{"", "/a", "/b"} {
				days, err := a.Read().BaseDays(t.Context(), site, page, 20260101, 20261231)
				check(t, err)
				for _, d := range days {
					got = append(got, fmt.Sprintf("%s%d:%d/%d", page, d.Day, d.PV, d.UV))
				}
			}
			if text := strings.Join(got, " "); text != wantDays {
				t.Errorf("%s: days %q, want %q", what, text, wantDays)
			}
			sums := map[string]Baseline{}
			for b, err := range a.Baselines(t.Context(), site) {
				check(t, err)
				s := sums[b.Page]
				s.PV, s.UV = s.PV+b.PV, s.UV+b.UV
				sums[b.Page] = s
			}
			got = nil
			for page, s := range sums {
				got = append(got, fmt.Sprintf("%s:%d/%d", page, s.PV, s.UV))
			}
			slices.Sort(got)
			if text := strings.Join(got, " "); text != wantTotals {
				t.Errorf("%s: totals %q, want %q", what, text, wantTotals)
			}
			bad, err := a.Read().CheckBases(t.Context(), site)
			if check(t, err); len(bad) > 0 {
				t.Errorf("%s: page_counts %+v", what, bad)
			}
		}
		days := []BaseDay{{"", 20261001, 3, 1}, {"", 20261002, 1, 1}, {"/a", 20261001, 2, 1}, {"/b", 20261002, 1, 1}}
		for range 2 { // again changes nothing
			set("plausible", days...)
			look("set", "a.example", "20261001:3/1 20261002:1/1 /a20261001:2/1 /b20261002:1/1", "/a:2/1 /b:1/1 :4/2")
		}
		set("ga", BaseDay{"", 20261002, 10, 5}, BaseDay{"/a", 20261002, 10, 5})
		look("another", "a.example", "20261001:3/1 20261002:11/6 /a20261001:2/1 /a20261002:10/5 /b20261002:1/1", "/a:12/6 /b:1/1 :14/7")
		set("plausible", days[:1]...) // fewer: what is not among them goes
		look("fewer", "a.example", "20261001:3/1 20261002:10/5 /a20261002:10/5", "/a:10/5 :13/6")
		sites, err := a.Read().BaseSites(t.Context())
		if check(t, err); len(sites) != 1 || sites["a.example"] != parser.Day(20261002) {
			t.Errorf("sites %v", sites)
		}
		move := func(from, to string) { // as rename-site does
			t.Helper()
			check(t, a.MoveSite(t.Context(), from, to))
			check(t, a.RedoBases(t.Context(), from))
			check(t, a.RedoBases(t.Context(), to))
		}
		move("a.example", "b.example")
		look("moved away", "a.example", "", "")
		look("moved", "b.example", "20261001:3/1 20261002:10/5 /a20261002:10/5", "/a:10/5 :13/6")
		move("b.example", "a.example")
		set("ga")
		look("taken back", "a.example", "20261001:3/1", ":3/1")
		set("plausible")
		look("all taken back", "a.example", "", "")
	})
}
