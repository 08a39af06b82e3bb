package answers

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
	"ddkk-stats/internal/config"
	"ddkk-stats/internal/config/configtest"
	"ddkk-stats/internal/geoip/geoiptest"
	"ddkk-stats/parser"
	"ddkk-stats/queryapi"
)

func (r *pastRig) facts() *Facts {
	return NewFacts(r.Series, func() *config.Config { return &config.Config{} }, time.Now)
}

// TestFacetNames: those that FACETS leaves out are not asked for, nor countries where
// nothing tells them.
func TestFacetNames(t *testing.T) {
	r := newPastRig(t)
	f := r.facts()
	has := func(name string, want bool) {
		t.Helper()
		if got := slices.Contains(f.FacetNames(), name); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	has("browser", true)
	has("country", false)
	f.cfg = func() *config.Config {
		return configtest.Load(t, map[string]string{"FACETS": "channel,country", "GEOIP_DB": mmdb(t)}, "")
	}
	has("browser", false)
	has("channel", true)
	has("country", true)
	has("hour", true)
}

func mmdb(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "country.mmdb")
	configtest.WriteFile(t, path, string(geoiptest.Write(time.Unix(1_793_000_000, 0), map[string]string{"203.0.113.0/24": "DE"})), 0o600)
	return path
}

// Days that Redis has come from there, the others from the archive; what Redis
// does not answer comes from the archive, as far as it goes.
func TestFactsSums(t *testing.T) {
	r := newPastRig(t, "2026-06-01", "2026-11-20")
	f := r.facts()
	r.live(20261120, 5, 2, 4)
	r.live(20261122, 7, 3, 6)
	r.redis.HSet(r.keys.Books("a.example", 20261122), "pc", "5", "mobile", "2", "bot", "9", "events", "4", "bot_events", "8", "dedup", "1", "h03", "7")
	ask := func(from, to string, stale bool, want queryapi.Sums) {
		t.Helper()
		got, gotStale, err := f.Sums(t.Context(), "a.example", parseDay(from), parseDay(to))
		r.must(err)
		if got != want || gotStale != stale {
			t.Errorf("%s to %s: %+v stale %v, want %+v %v", from, to, got, gotStale, want, stale)
		}
	}
	ask("2026-06-01", "2026-06-01", false, queryapi.Sums{PV: 3, UV: 3, PC: 3, Events: 1})
	ask("2026-11-20", "2026-11-22", false, queryapi.Sums{PV: 12, UV: 5, PC: 5, Mobile: 2, Bot: 9, Events: 4, Dedup: 1})
	ask("2026-05-01", "2026-11-22", false, queryapi.Sums{PV: 15, UV: 8, PC: 8, Mobile: 2, Bot: 9, Events: 5, Dedup: 1})
	r.reader.Wait(true) // counting waits: the same numbers, and not those of the archive alone
	ask("2026-11-20", "2026-11-22", true, queryapi.Sums{PV: 12, UV: 5, PC: 5, Mobile: 2, Bot: 9, Events: 4, Dedup: 1})
	ask("2026-06-01", "2026-06-01", false, queryapi.Sums{PV: 3, UV: 3, PC: 3, Events: 1})
	r.reader.Wait(false)
	r.redis.SetError("LOADING")
	ask("2026-05-01", "2026-11-22", true, queryapi.Sums{PV: 6, UV: 6, PC: 6, Events: 2})
}

func TestFactsSites(t *testing.T) {
	r := newPastRig(t)
	f := r.facts()
	_, err := r.redis.SAdd(r.keys.Sites(), "a.example", "b.example")
	r.must(err)
	r.must(r.redis.Set(r.keys.SitePV("a.example"), "10"))
	r.must(r.redis.Set(r.keys.BasePV("a.example"), "100"))
	r.live(20261122, 7, 3, 6)
	want := fmt.Sprint([]queryapi.SiteFacts{{Site: "a.example", PV: 110, PVToday: 7, UVToday: 3}, {Site: "b.example"}})
	for i, stale := range []bool{false, true, true} { // then while counting waits, then the last known values
		r.reader.Wait(i == 1)
		got, gotStale, err := f.Sites(t.Context())
		r.must(err)
		if fmt.Sprint(got) != want || gotStale != stale {
			t.Errorf("%v stale %v, want %v %v", got, gotStale, want, stale)
		}
		if i == 1 {
			r.redis.SetError("LOADING")
		}
	}
}

// Hours, minutes, facets and calls are those of Redis, and old, while counting waits for it.
func TestFactsWhileCountingWaits(t *testing.T) {
	r := newPastRig(t, "2026-06-01")
	f := r.facts()
	r.redis.HSet(r.keys.Facets("a.example", 20261122), "h03", "7", "rr.example", "4")
	r.redis.HSet(r.keys.Calls("a.example", "20261122"), "total", "9")
	calls := NewCalls(r.reader, r.vault.Opened, "a.example")
	for _, wait := range []bool{false, true} {
		r.reader.Wait(wait)
		hours, stale, err := f.Hours(t.Context(), "a.example", parseDay("2026-11-22"), parseDay("2026-11-22"))
		if err != nil || stale != wait || len(hours) != 1 || hours[0].PV != 7 {
			t.Errorf("hours: %+v stale %v, %v", hours, stale, err)
		}
		names, stale, err := f.Facet(t.Context(), "a.example", "referrer", parseDay("2026-11-22"), parseDay("2026-11-22"))
		if err != nil || stale != wait || len(names) != 1 || names[0].PV != 4 {
			t.Errorf("referrers: %+v stale %v, %v", names, stale, err)
		}
		if _, stale := f.Minutes(t.Context(), "a.example", 5); stale != wait {
			t.Errorf("minutes: stale %v", stale)
		}
		report, stale, err := calls.Day(t.Context(), "a.example", parseDay("2026-11-22"))
		if err != nil || stale != wait || report.Calls != 9 {
			t.Errorf("calls: %+v stale %v, %v", report, stale, err)
		}
		if _, stale := calls.Trend(t.Context(), "a.example", counter.ByMinute); stale != wait {
			t.Errorf("trend of calls: stale %v", stale)
		}
	}
}

// wantPages compares pages written as "/a pv uv", with uv "-" where it is not
// known.
func (r *pastRig) wantPages(f *Facts, q queryapi.PagesQuery, total int, stale bool, want ...string) {
	r.t.Helper()
	q.Site = "a.example"
	list, gotStale, err := f.Pages(r.t.Context(), &q)
	r.must(err)
	var got []string
	for _, p := range list.Pages {
		uv := "-"
		if p.UV != nil {
			uv = fmt.Sprint(*p.UV)
		}
		got = append(got, fmt.Sprintf("%s %d %s", p.Page, p.PV, uv))
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || list.Total != total || gotStale != stale {
		r.t.Errorf("%+v: %q of %d, stale %v; want %q of %d, %v", q, got, list.Total, gotStale, want, total, stale)
	}
}

func TestFactsPages(t *testing.T) {
	r := newPastRig(t, "2026-06-01", "2026-11-18")
	f := r.facts()
	day := func(d parser.Day, pages ...string) {
		for i, p := range pages {
			_, err := r.redis.ZAdd(r.keys.HotDay("a.example", d), float64(i+2), p)
			r.must(err)
		}
	}
	day(20261121, "/b", "/c")
	day(20261122, "/b", "/a", "__other__")
	from, to := parseDay("2026-11-01"), parseDay("2026-11-22")
	// The totals agree with the archive: 3 views in June, 3 on the 18th, the
	// rest since.
	r.must(r.redis.Set(r.keys.SitePV("a.example"), "20"))
	r.must(r.redis.Set(r.keys.SitePVDay("a.example", 20261118), "3"))
	r.must(r.redis.Set(r.keys.SitePVDay("a.example", 20261121), "5"))
	r.must(r.redis.Set(r.keys.SitePVDay("a.example", 20261122), "9"))
	r.must(r.redis.Set(r.keys.PageUV("a.example", "/a"), "6"))
	r.must(r.redis.Set(r.keys.PageUV("a.example", "/b"), "3"))
	r.wantPages(f, queryapi.PagesQuery{From: from, To: to, Limit: 20}, 3, false, "/a 5 4", "/b 5 2", "/c 3 0")
	r.wantPages(f, queryapi.PagesQuery{From: from, To: to, Limit: 1, Match: "/b"}, 1, false, "/b 5 2")
	r.wantPages(f, queryapi.PagesQuery{From: to, To: to, Limit: 9}, 2, false, "/a 3 -", "/b 2 -") // the day before is not archived
	r.wantPages(f, queryapi.PagesQuery{From: parseDay("2026-01-01"), To: to, Limit: 1}, 3, false, "/a 7 6")
	r.wantPages(f, queryapi.PagesQuery{From: parseDay("2026-06-01"), To: parseDay("2026-11-18"), Limit: 9}, 2, false, "/a 4 4", "/b 2 2")
	// A day that is not archived yet: its views are known, its visitors not.
	r.wantPages(f, queryapi.PagesQuery{From: parseDay("2026-11-18"), To: parseDay("2026-11-21"), Limit: 9}, 3, false, "/b 3 -", "/c 3 -", "/a 2 2")
	r.must(r.redis.Set(r.keys.SitePV("a.example"), "21"))
	r.wantPages(f, queryapi.PagesQuery{From: from, To: to, Limit: 1}, 3, false, "/a 5 -")
	r.redis.SetError("LOADING")
	r.wantPages(f, queryapi.PagesQuery{From: from, To: to, Limit: 9}, 2, true, "/a 2 -", "/b 1 -")
}

// A base that the API sets stands for those of all sources, in the archive and
// in what is read.
func TestBaselines(t *testing.T) {
	r := newPastRig(t)
	b := NewBaselines(r.vault)
	a, err := r.vault.Opened()
	r.must(err)
	r.must(a.SetBaselines(t.Context(), []archive.Baseline{{Source: "csv", Site: "a.example", PV: 70, UV: 7}, {Source: "soxft", Site: "a.example", PV: 30},
		{Source: "csv", Site: "a.example", Page: "/a", PV: 5}}))
	want := func(list string, pv int64) {
		t.Helper()
		all, err := b.Baselines(t.Context(), "a.example")
		r.must(err)
		s, err := r.reader.Stats(t.Context(), "a.example", "", 1)
		r.must(err)
		if fmt.Sprint(all) != list || s.SitePV != pv {
			t.Errorf("%v and %d, want %s and %d", all, s.SitePV, list, pv)
		}
	}
	r.must(r.vault.RestoreBase(t.Context(), "a.example"))
	want("[{ 100 7} {/a 5 0}]", 100)
	r.must(b.SetBaseline(t.Context(), "a.example", queryapi.Baseline{PV: 40, UV: 4}))
	want("[{ 40 4} {/a 5 0}]", 40)
	r.must(b.SetBaseline(t.Context(), "a.example", queryapi.Baseline{PV: 41}))
	r.must(b.SetBaseline(t.Context(), "a.example", queryapi.Baseline{Page: "/a"}))
	want("[{ 41 0}]", 41)
	r.must(b.SetBaseline(t.Context(), "a.example", queryapi.Baseline{}))
	want("[]", 0)
	if !r.redis.Exists(r.keys.Sites()) {
		t.Error("the site is not known")
	}
	r.redis.SetError("LOADING")
	if err := b.SetBaseline(t.Context(), "a.example", queryapi.Baseline{PV: 9}); !strings.Contains(fmt.Sprint(err), "store") {
		t.Errorf("without Redis: %v", err)
	}
	r.redis.SetError("")
	r.must(r.vault.RestoreBase(t.Context(), "a.example"))
	want("[{ 9 0}]", 9)
}
