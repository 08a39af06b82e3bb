package counter

import (
	"fmt"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"ddkk-stats/parser"
)

// TestReadManySites: the parts that are read side by side come together in the sites' order,
// and what could not be read is told of each.
func TestReadManySites(t *testing.T) {
	m, clock := miniredis.RunT(t), readMoment()
	r := newTestReader(t, readClient(t, m.Addr()), clock, nil)
	today := parser.DayOf(clock.Now().In(r.opt.Location))
	var sites []string
	for i := range 3*sitesPerTrip + 7 {
		site := fmt.Sprintf("s%04d.example", i)
		sites = append(sites, site)
		for key, n := range map[string]int{r.keys.SitePV(site): 10 * i, r.keys.SitePVDay(site, today): i} {
			if err := m.Set(key, fmt.Sprint(n)); err != nil {
				t.Fatal(err)
			}
		}
	}
	look := func(stale bool) {
		t.Helper()
		all, err := r.Overview(t.Context(), sites)
		if err != nil || len(all) != len(sites) {
			t.Fatalf("%d of %d sites, %v", len(all), len(sites), err)
		}
		for i, s := range all {
			if s.SitePV != int64(10*i) || s.SitePVToday != int64(i) || s.Stale != stale {
				t.Fatalf("site %d: %+v, stale %v", i, s, stale)
			}
		}
	}
	look(false)
	rows, err := r.SitesDays(t.Context(), sites, today, today)
	if err != nil || len(rows) != len(sites) {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for i, row := range rows {
		if len(row) != 1 || row[0] != int64(i) {
			t.Fatalf("site %d: %v", i, row)
		}
	}
	m.SetError("LOADING")
	look(true) // the last known ones
	rows, err = r.SitesDays(t.Context(), sites, today, today)
	if err != nil || len(rows) != len(sites) || rows[0] != nil || rows[len(rows)-1] != nil {
		t.Errorf("%d rows while Redis loads, %v", len(rows), err)
	}
}
