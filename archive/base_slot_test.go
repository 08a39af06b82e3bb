package archive

import (
	"fmt"
	"sync"
	"testing"
)

// TestBasesAreInPageCounts: a slot of its own has the sum of all sources, at any
// time; the mirror neither sees nor loses it.
func TestBasesAreInPageCounts(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		a := open(t, at)
		ctx := t.Context()
		base := func(source, page string, pv, uv int64) Baseline {
			return Baseline{Source: source, Site: "a.example", Page: page, PV: pv, UV: uv}
		}
		slot := fmt.Sprint("SELECT site, page, potential_bot, count FROM page_counts WHERE slot_id = ", BaseSlot, " ORDER BY site, page")
		for range 2 {
			check(t, a.SetBaselines(ctx, []Baseline{base("csv", "", 900, 9), base("csv", "/a", 40, 1), base("csv", "/b", 7, 0), base("csv", "/u", 0, 3), {Source: "csv", Site: "b.example", Page: "/a", PV: 5}}))
			check(t, a.SetBaselines(ctx, []Baseline{base("soxft", "/a", 2, 0), base("soxft", "/only", 1, 0)}))
		}
		wants(t, a, "a.example|/a|0|42\na.example|/b|0|7\na.example|/only|0|1\nb.example|/a|0|5", slot)
		check(t, a.BeginLife(ctx, "a.example", "l"))
		_, err := a.ApplyFlush(ctx, flushOf(1, 3, PageChange{"/a", false, 3}, PageChange{"/c", false, 8}))
		check(t, err)
		ranked(t, a, RankQuery{Limit: 9}, "/a 45", "/c 8", "/b 7", "/only 1")
		var mirrored []string
		for c, err := range a.Read().PageCounts(ctx, "a.example") {
			check(t, err)
			mirrored = append(mirrored, fmt.Sprint(c.Page, c.PV))
		}
		names, err := a.Read().PageNames(ctx, "a.example", "", 10)
		check(t, err)
		counts, _, err := a.PageCountsOf(ctx, "a.example", []string{"/a", "/b"})
		check(t, err)
		if fmt.Sprint(mirrored, names, counts) != "[/a3 /c8] [/a /c] map[/a:{/a 3 0}]" {
			t.Errorf("the mirror sees %v %v %v", mirrored, names, counts)
		}
		check(t, a.ForgetMirror(ctx, "a.example"))
		check(t, a.SetBaselines(ctx, []Baseline{base("csv", "/a", 0, 0), base("csv", "/b", 0, 0)}))
		wants(t, a, "a.example|/a|0|2\na.example|/only|0|1\nb.example|/a|0|5", slot)

		_, err = a.db.ExecContext(ctx, fmt.Sprint("UPDATE page_counts SET count = 9 WHERE slot_id = ", BaseSlot))
		check(t, err)
		check(t, a.SetBaselines(ctx, []Baseline{base("csv", "/b", 6, 0)}))
		found, err := a.Read().CheckBases(ctx, "a.example")
		check(t, err)
		if len(found) != 2 || found[0].Name != "/a" || found[0].Have != 9 || found[0].Want != 2 {
			t.Errorf("found %+v", found)
		}
		check(t, a.RedoBases(ctx, "a.example"))
		wants(t, a, "a.example|/a|0|2\na.example|/b|0|6\na.example|/only|0|1\nb.example|/a|0|9", slot)
		found, err = a.Read().CheckBases(ctx, "a.example")
		check(t, err)
		if len(found) != 0 {
			t.Errorf("found %+v", found)
		}
	})
}

// TestBasesOfManySources are set at the same time: none is missing in the sum.
func TestBasesOfManySources(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		a := open(t, at)
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				b := Baseline{Source: fmt.Sprint("s", i), Site: "a.example", Page: "/a", PV: int64(1) << i}
				if err := a.SetBaselines(t.Context(), []Baseline{b}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		wants(t, a, "255", "SELECT SUM(count) FROM page_counts")
	})
}

// TestBasesOfEarlierVersions are taken over by the migration.
func TestBasesOfEarlierVersions(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		a := open(t, at)
		check(t, a.SetBaselines(t.Context(), []Baseline{{Source: "csv", Site: "a.example", Page: "/a", PV: 4}, {Source: "x", Site: "a.example", Page: "/a", PV: 3},
			{Source: "csv", Site: "a.example", PV: 70}}))
		_, err := a.db.ExecContext(t.Context(), "DELETE FROM page_counts")
		check(t, err)
		unmigrate(t, a, 6)
		check(t, a.Close())
		a = open(t, at)
		wants(t, a, fmt.Sprintf("a.example|/a|0|%d|7", BaseSlot), "SELECT site, page, potential_bot, slot_id, count FROM page_counts")
	})
}
