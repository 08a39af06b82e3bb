package counter

import (
	"slices"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

// TestBaseIsAdded: totals of sites and pages are counts and base, in one round
// trip; days and hot lists are counts alone. Setting twice changes nothing, and
// zero deletes.
func TestBaseIsAdded(t *testing.T) {
	for _, cluster := range []bool{false, true} {
		m := miniredis.RunT(t)
		rdb := redis.NewClient(&redis.Options{Addr: m.Addr()})
		t.Cleanup(func() {
			if err := rdb.Close(); err != nil {
				t.Error(err)
			}
		})
		k, ctx, clock := NewKeys("ddkk", cluster), t.Context(), readMoment()
		r, err := NewReader(rdb, k, ReaderOptions{Now: clock.Now})
		if err != nil {
			t.Fatal(err)
		}
		set := func(all ...Base) {
			t.Helper()
			for range 2 {
				if err := SetBase(ctx, rdb, k, readSite, all); err != nil {
					t.Fatal(err)
				}
			}
		}
		for key, v := range map[string]string{
			k.SitePV(readSite): "5", k.SiteUV(readSite): "2", k.PagePV(readSite, "/a"): "3", k.PageUV(readSite, "/a"): "1",
			// Of another site, and a page that looks like a pattern.
			k.BasePagePV("ddkk.co", "/a"): "900", k.BasePV("ddkk.com.example"): "900",
		} {
			if err := rdb.Set(ctx, key, v, 0).Err(); err != nil {
				t.Fatal(err)
			}
		}
		want := func(pv, uv, pagePV, pageUV int64, pages ...int64) {
			t.Helper()
			trips := watchTrips(t, rdb)
			var a Answer
			q := Query{Site: readSite, Page: "/a", Fields: ScalarFields | FieldHotAll, Pages: []string{"/b", "/a", "/[*]"}, Fresh: true}
			if err := r.Read(ctx, &q, &a); err != nil {
				t.Fatal(err)
			}
			got := SiteStats{SitePV: pv, SiteUV: uv, PagePV: pagePV, PageUV: pageUV, SiteUVWeek: NotKnown, SiteUVMonth: NotKnown, PageUVWeek: NotKnown, PageUVMonth: NotKnown}
			if a.SiteStats != got || !slices.Equal(a.Pages, pages) || len(a.Hot[AllTime]) != 0 || trips.n != 1 {
				t.Errorf("cluster %t: %+v in %d trips, want %+v, pages %v", cluster, a, trips.n, got, pages)
			}
		}
		want(5, 2, 3, 1, 0, 3, 0)
		set(Base{PV: 100, UV: 50}, Base{Page: "/a", PV: 10, UV: 4}, Base{Page: "/b", PV: 7}, Base{Page: "/[*]", PV: 1})
		want(105, 52, 13, 5, 7, 13, 1)
		set(Base{PV: 101}, Base{Page: "/b", PV: 8}, Base{Page: "/a"}, Base{Page: "/[*]"})
		want(106, 2, 3, 1, 8, 3, 0)
		set(Base{}, Base{Page: "/b"})
		want(5, 2, 3, 1, 0, 3, 0)
		for key := range map[string]bool{k.BasePagePV("ddkk.co", "/a"): true, k.BasePV("ddkk.com.example"): true} {
			if n := rdb.Exists(ctx, key).Val(); n != 1 {
				t.Errorf("%s was deleted", key)
			}
		}
		if _, ok := k.SiteOf(k.BasePV(readSite)); ok {
			t.Error("a rebuild would delete the base")
		}
	}
}
