package answers

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"ddkk-stats/internal/config"
	"ddkk-stats/parser"
)

// Past days of sites come from Redis, are remembered for a minute, and change with the
// date; a thousand sites at most are read again at once.
func TestSitesPast(t *testing.T) {
	r := newPastRig(t)
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	f := NewFacts(r.Series, func() *config.Config { return &config.Config{Timezone: time.UTC} }, func() time.Time { return now })
	set := func(site string, day parser.Day, pv int) {
		t.Helper()
		r.must(r.redis.Set(r.keys.SitePVDay(site, day), fmt.Sprint(pv)))
	}
	want := func(days int, rows ...[]int64) {
		t.Helper()
		got, stale, err := f.SitesPast(t.Context(), []string{"a.example", "b.example"}, days)
		r.must(err)
		if stale || !slices.EqualFunc(got, rows, slices.Equal[[]int64]) {
			t.Errorf("%v, stale %v, want %v", got, stale, rows)
		}
	}
	set("a.example", 20261121, 7)
	set("a.example", 20261120, 5)
	set("b.example", 20261119, 3)
	set("a.example", 20261122, 99) // today
	want(3, []int64{0, 5, 7}, []int64{3, 0, 0})
	set("a.example", 20261121, 8)
	want(2, []int64{5, 7}, []int64{0, 0}) // remembered
	now = now.Add(sitePastAge)
	want(2, []int64{5, 8}, []int64{0, 0})
	now = now.Add(12 * time.Hour)
	want(2, []int64{8, 99}, []int64{0, 0})

	var many []string
	for i := range 3 * sitePastAgain {
		many = append(many, fmt.Sprintf("s%d.example", i))
	}
	past := func() int {
		t.Helper()
		rows, stale, err := f.SitesPast(t.Context(), many, 2)
		r.must(err)
		n := 0
		for _, row := range rows {
			n += int(row[1])
		}
		if stale {
			t.Error("stale")
		}
		return n
	}
	if n := past(); n != 0 {
		t.Errorf("%d views", n)
	}
	for _, site := range many {
		set(site, 20261122, 1)
	}
	now = now.Add(sitePastAge)
	for _, n := range []int{1, 2, 3, 3} {
		if got := past(); got != n*sitePastAgain {
			t.Errorf("%d sites are read again, want %d", got, n*sitePastAgain)
		}
	}
	r.redis.Close()
	now = now.Add(24 * time.Hour)
	if rows, stale, err := f.SitesPast(t.Context(), many[:2], 2); err != nil || !stale || rows[0] != nil {
		t.Errorf("without Redis: %v, stale %v, %v", rows, stale, err)
	}
}
