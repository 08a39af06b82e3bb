package archive

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ddkk-stats/parser"
)

// TestNamesAreExact: databases like to take some of these for the same.
func TestNamesAreExact(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		pages := []string{"/A", "/a", "/a ", "/a  ", "/é", "/é", "/ß", "/ss", "/😀", "/😁", "/\xff", "/\xfe", "/\xff\x00", "/%", "/_", `/\`, `/'"`,
			"/a\tb", "/a\nb", "/\x01", "/" + strings.Repeat("x", 499), "/" + strings.Repeat("x", 500), "/" + strings.Repeat("x", 501), "/" + strings.Repeat("文", 400)}
		var views []view
		want := map[string]int64{}
		p := newParser(t)
		for i, page := range pages {
			for range i%3 + 1 {
				v := view{page: page}
				views = append(views, v)
				var h parser.Hit
				p.Parse([]byte(v.line(0)), &h)
				if h.Kind != parser.Pageview {
					t.Fatalf("%q is no page view: %v", page, h.Reason)
				}
				want[string(h.Page)]++
			}
		}
		a := open(t, at)
		run(t, a, segmentOf("one", views...))
		got := map[string]int64{}
		for v, err := range a.Read().PageTotals(t.Context(), "a.example") {
			check(t, err)
			got[v.Name] = v.PV
		}
		if len(got) != len(want) || len(want) < 22 {
			t.Errorf("%d pages, want %d", len(got), len(want))
		}
		for page, n := range want {
			if got[page] != n {
				t.Errorf("%q: %d, want %d", page, got[page], n)
			}
			points, err := a.Read().History(t.Context(), "a.example", page, 0, 0)
			check(t, err)
			if len(points) != 1 || points[0].PV != n {
				t.Errorf("history of %q: %v", page, points)
			}
		}
		// The raw rows hold the bytes too.
		wants(t, a, fmt.Sprint(len(want)), "SELECT COUNT(DISTINCT page) FROM access_logs")
	})
}

// TestAnyBytes: what a visitor may send into text columns comes back as it was.
func TestAnyBytes(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		all := []string{"NUL \x00 in it", "tab\tand\nnewline\r", `back\slash \N \t \\`, "quote ' \" `", "\xff\xfe\x80", "\\", "\\N", "emoji 😀", strings.Repeat("\x00\\", 200)}
		var views []view
		for _, s := range all {
			views = append(views, view{agent: s, uid: s, event: "c", referer: "https://a.example/" + s})
		}
		a := open(t, at)
		run(t, a, segmentOf("one", views...))
		var h parser.Hit
		p := newParser(t)
		got := strings.Split(query(t, a, "SELECT HEX(user_agent), HEX(uid), HEX(referer) FROM access_logs ORDER BY end_offset"), "\n")
		if len(got) != len(all) {
			t.Fatalf("%d rows, want %d", len(got), len(all))
		}
		for i, v := range views {
			p.Parse([]byte(v.line(i)), &h)
			want := fmt.Sprintf("%X|%X|%X", cut(h.UserAgent, maxAgent), cut(h.UID, maxUID), cut(h.Referer, maxReferer))
			if got[i] != want {
				t.Errorf("%q:\ngot  %s\nwant %s", all[i], got[i], want)
			}
		}
	})
}

func TestAddresses(t *testing.T) {
	f := func(mode IPMode, want string) {
		t.Helper()
		a := open(t, sqlitePlace(t), func(o *Options) { o.IPMode = mode })
		run(t, a, segmentOf("one", view{addr: "203.0.113.77"}, view{addr: "2001:db8:1:2:3:4:5:6"}))
		wants(t, a, want, "SELECT ip FROM access_logs ORDER BY end_offset")
	}
	f(IPFull, "203.0.113.77\n2001:db8:1:2:3:4:5:6")
	f(IPMasked, "203.0.113.0\n2001:db8:1::")
	f(IPNone, "\n")
}

// TestOverTheLimits: the names that came first keep their own rows.
func TestOverTheLimits(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		a := open(t, at, func(o *Options) { o.MaxPages, o.MaxEvents = 2, 3 })
		from := now.Add(-48 * time.Hour)
		var views []view
		for i, page := range []string{"/z", "/y", "/x", "/z", "/w", "/x"} {
			views = append(views, view{at: from.Add(time.Duration(i) * time.Second), page: page, addr: fmt.Sprintf("203.0.113.%d", i%2)})
		}
		for _, e := range []string{"a b", "c", "d", "a b x"} {
			views = append(views, view{at: from, event: e, addr: "203.0.113.1"})
		}
		for _, page := range []string{"/bot", "/z", "/bot", "/more"} { // with names of their own to fill
			views = append(views, view{at: from.Add(time.Minute), page: page, agent: "Googlebot/2.1"})
		}
		run(t, a, segmentOf("one", views...))
		wants(t, a, "/bot|2\n/z|1\n__other__|1", "SELECT page, pv_bot FROM page_stats WHERE pv_bot > 0 ORDER BY page")
		wants(t, a, "/y|1|1\n/z|2|2\n__other__|3|2", "SELECT page, pv, uv FROM page_stats WHERE pv > 0 ORDER BY page")
		wants(t, a, "__other__|2|1\na|2|1\na.b|2|1\nc|1|1", "SELECT event_key, pv, uv FROM event_stats ORDER BY event_key")
		n := 0
		for p, err := range a.Read().Pairs(t.Context(), "a.example", 20261120) {
			check(t, err)
			if n++; !p.Event && p.Name != "/y" && p.Name != "/z" && p.Name != parser.OtherPage {
				t.Errorf("pair of %q", p.Name)
			}
		}
		if n != 9 {
			t.Errorf("%d pairs, want 9", n)
		}
	})
}

// TestEarlierPagesKeepTheirNames: on a day that is full, pages of the days before have
// names of their own beside those that came first, in one run or in several.
func TestEarlierPagesKeepTheirNames(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		a := open(t, at, func(o *Options) { o.MaxPages = 3 })
		from := now.Add(-72 * time.Hour)
		pages := func(day int, names ...string) (views []view) {
			for i, page := range names {
				views = append(views, view{at: from.Add(time.Duration(day)*24*time.Hour + time.Duration(i)*time.Second), page: page, addr: "203.0.113.7"})
			}
			return views
		}
		first, second := pages(0, "/own", "/old", "/older"), pages(1, "/j1", "/j2", "/j3", "/j4", "/own", "/j5", "/old", "/older", "/own")
		run(t, a, segmentOf("one", append(first, second...)...))
		const want = "/j1|1\n/j2|1\n/j3|1\n/old|1\n/older|1\n/own|2\n__other__|2"
		q := "SELECT page, pv FROM page_stats WHERE date > (SELECT MIN(date) FROM page_stats) ORDER BY page"
		wants(t, a, want, q)
		seen := map[string]bool{}
		for p, err := range a.Read().Pairs(t.Context(), "a.example", parser.DayOf(second[0].at.In(a.options().Location))) {
			check(t, err)
			seen[p.Name] = true
		}
		if len(seen) != 7 || !seen["/own"] || !seen[parser.OtherPage] {
			t.Errorf("pairs of %v", seen)
		}
		// A day that gets lines again is added up again by the same rule.
		later := pages(1, "/own", "/j6")
		for i := range later {
			later[i].at = later[i].at.Add(time.Hour)
		}
		run(t, a, segmentOf("two", later...))
		wants(t, a, "/j1|1\n/j2|1\n/j3|1\n/old|1\n/older|1\n/own|3\n__other__|3", q)
	})
}
