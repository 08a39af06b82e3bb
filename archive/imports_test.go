package archive

import (
	"slices"
	"testing"
	"time"
)

// TestImportsAreRemembered: what is noted before an import is found by the next
// one, and a site is pending until it is shown.
func TestImportsAreRemembered(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		a := open(t, at)
		ctx := t.Context()
		if all, err := a.FindImports(ctx, "x"); len(all) > 0 || err != nil {
			t.Fatalf("found %v, %v", all, err)
		}
		for _, end := range []int64{10, 20} {
			want := Import{Segment: "x", Name: "/log/\xff", Rules: "pages", End: end, Sum: "00ff", Head: "\x00\xff"}
			if err := a.BeginImport(ctx, want, []string{"b.example", "a.example"}); err != nil {
				t.Fatal(err)
			}
			got, err := a.FindImports(ctx, "x")
			if err != nil || len(got) != 1 || got[0] != want {
				t.Fatalf("found %+v, %v; want %+v", got, err, want)
			}
		}
		// Others that begin alike are found with it, and no others.
		for _, id := range []string{"x.2", "x.3", "x-2", "xy", "y"} {
			if err := a.BeginImport(ctx, Import{Segment: id, Name: id, Rules: "pages"}, nil); err != nil {
				t.Fatal(err)
			}
		}
		var ids []string
		all, err := a.FindImports(ctx, "x")
		for _, i := range all {
			ids = append(ids, i.Segment)
		}
		if err != nil || !slices.Equal(ids, []string{"x", "x.2", "x.3"}) {
			t.Errorf("found %v, %v", ids, err)
		}
		if err := a.EndImport(ctx, "b.example"); err != nil {
			t.Fatal(err)
		}
		if got, err := a.PendingImports(ctx); err != nil || !slices.Equal(got, []string{"a.example"}) {
			t.Errorf("pending %v, %v", got, err)
		}
	})
}

func TestBaselinesAreSet(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		a := open(t, at)
		ctx := t.Context()
		set := func(all ...Baseline) {
			t.Helper()
			for range 2 {
				if err := a.SetBaselines(ctx, all); err != nil {
					t.Fatal(err)
				}
			}
		}
		site := Baseline{Source: "csv", Site: "a.example", PV: 7, UV: 3}
		page := Baseline{Source: "csv", Site: "a.example", Page: "/é", PV: 5}
		other := Baseline{Source: "busuanzi", Site: "b.example", Page: "/", PV: 1, UV: 1}
		set(site, page, other)
		site.PV = 8
		set(site)
		other.PV, other.UV = 0, 0
		set(other)
		var got []Baseline
		for b, err := range a.Baselines(ctx, "") {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, b)
		}
		if want := []Baseline{site, page}; !slices.Equal(got, want) {
			t.Errorf("baselines %+v, want %+v", got, want)
		}
		if sites, err := a.BaselineSites(ctx); err != nil || !slices.Equal(sites, []string{"a.example"}) {
			t.Errorf("sites %v, %v", sites, err)
		}
	})
}

// TestHistoryBelowTheFloor: days that never had raw rows are summed up exactly
// though retention has gone past them, over chunks and segments of one run.
func TestHistoryBelowTheFloor(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		a := open(t, at, func(o *Options) { o.RawRetentionDays, o.ChunkRows = 10, 2 })
		run(t, a, segmentOf("live", view{}))
		old := now.Add(-40 * 24 * time.Hour)
		var one, two []view
		for i := range 7 {
			v := view{at: old.Add(time.Duration(i) * time.Minute), addr: "203.0.113." + string(rune('1'+i%3))}
			one, two = append(one, v), append(two, v)
		}
		sum := run(t, a, segmentOf("one", one...), segmentOf("two", two...))
		if len(sum.Late) != 0 || sum.Rows != 14 {
			t.Errorf("%+v", sum)
		}
		wants(t, a, "14|3", "SELECT pv, uv FROM daily_stats WHERE date < '2026-11-01'")
		wants(t, a, "1", "SELECT COUNT(*) FROM access_logs")
	})
}
