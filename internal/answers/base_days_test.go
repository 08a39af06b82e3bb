package answers

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ddkk-stats/archive"
	"ddkk-stats/parser"
	"ddkk-stats/queryapi"
)

// TestSeriesWithBases: what an earlier counter had of a day is told beside what was counted,
// never in it; sites without any ask SQL nothing.
func TestSeriesWithBases(t *testing.T) {
	r := newPastRig(t, "2026-08-24")
	r.live(20261122, 10, 7, 6)
	a, err := r.vault.Open(t.Context())
	r.must(err)
	days := func(page string) string {
		t.Helper()
		all, _, err := r.Days(t.Context(), &queryapi.DaysQuery{Site: "a.example", Page: page, From: parseDay("2026-11-20"), To: parseDay("2026-11-22")})
		r.must(err)
		var got []string
		for _, d := range all {
			got = append(got, fmt.Sprintf("%s %d+%d", d.Date.Format(time.DateOnly), d.PV, d.BasePV))
		}
		return strings.Join(got, ", ")
	}
	const counted = "2026-11-22 10+0"
	if got := days(""); got != counted {
		t.Fatal(got)
	}
	r.must(a.SetHistory(t.Context(), "ga", "a.example", []archive.Baseline{{PV: 16}, {Page: "/a", PV: 4}},
		[]archive.BaseDay{{Day: 20261120, PV: 9, UV: 3}, {Day: 20261122, PV: 7, UV: 2}, {Page: "/a", Day: 20261121, PV: 4, UV: 1}}))
	if got := days(""); got != counted {
		t.Errorf("nobody looked, and there is %s, before %s", got, counted)
	}
	r.must(r.vault.Learn(t.Context()))
	r.WithBases(r.vault.BasesUntil)
	if want := "2026-11-20 0+9, 2026-11-22 10+7"; days("") != want {
		t.Errorf("days %s, want %s", days(""), want)
	}
	if got := days("/a"); !strings.HasPrefix(got, "2026-11-21 0+4") {
		t.Errorf("days of the page %s", got)
	}
	asked := 0
	r.WithBases(func(string) parser.Day { asked++; return 20261119 }) // ended before the span
	if got := days(""); got != counted || asked != 1 {
		t.Errorf("%s", got)
	}
}
