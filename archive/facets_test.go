package archive

import (
	"testing"
	"time"

	"ddkk-stats/parser"
)

// TestFacetsOfEarlierVersions: what earlier versions summed up is copied, wherever
// the migration was ended, and days that have raw rows get their visitors.
func TestFacetsOfEarlierVersions(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		a := open(t, at)
		run(t, a, segmentOf("one", view{referer: "https://r.example/x"}, view{referer: "https://r.example/y"}, view{referer: "https://r.example/", addr: "203.0.113.8"}, view{}))
		const sums = "SELECT site, facet, date, name, pv, pv_bot, uv FROM facet_stats WHERE facet IN ('hour', 'referrer') ORDER BY site, facet, date, name"
		whole := query(t, a, sums)
		want := "a.example|hour|2026-11-21|03|4|0|\na.example|referrer|2026-11-21||1|0|1\na.example|referrer|2026-11-21|r.example|3|0|2"
		if whole != want {
			t.Fatalf("%s\nwant\n%s", whole, want)
		}
		for _, done := range []string{"", "DROP TABLE hour_stats"} {
			exec := func(statements ...string) {
				t.Helper()
				for _, s := range statements {
					_, err := a.db.ExecContext(t.Context(), s)
					check(t, err)
				}
			}
			unmigrate(t, a, 12)
			exec("CREATE TABLE hour_stats (date VARCHAR(10), site VARBINARY(255), hour INTEGER, pv INTEGER, pv_bot INTEGER, PRIMARY KEY (site, date, hour))",
				"CREATE TABLE referrer_stats (date VARCHAR(10), site VARBINARY(255), referrer VARBINARY(255), pv INTEGER, PRIMARY KEY (site, date, referrer))",
				"INSERT INTO hour_stats VALUES ('2026-11-21', 'a.example', 3, 9, 0), ('2026-10-01', 'a.example', 23, 5, 2)",
				"INSERT INTO referrer_stats VALUES ('2026-10-01', 'a.example', 'old.example', 5), ('2026-10-01', 'a.example', '', 1)")
			if done == "" {
				exec("DELETE FROM facet_stats")
			} else {
				exec(done)
			}
			check(t, a.Close())
			a = open(t, at)
			wants(t, a, "a.example|hour|2026-10-01|23|5|2|\na.example|referrer|2026-10-01||1|0|\na.example|referrer|2026-10-01|old.example|5|0|",
				"SELECT site, facet, date, name, pv, pv_bot, uv FROM facet_stats WHERE date < '2026-11-01' ORDER BY site, facet, date, name")
			_, err := a.RollUp(t.Context())
			check(t, err)
			wants(t, a, whole, "SELECT site, facet, date, name, pv, pv_bot, uv FROM facet_stats WHERE date > '2026-11-01' AND facet IN ('hour', 'referrer') ORDER BY site, facet, date, name")
		}
	})
}

// TestFacetCap: names over the cap are one, in the archive's check too; a visitor
// counts once for all of them.
func TestFacetCap(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		a := open(t, at, func(o *Options) { o.FacetCaps[parser.Referrer] = 2 })
		var views []view
		for i, host := range []string{"a", "b", "c", "d", "a", "d"} {
			views = append(views, view{at: now.Add(time.Duration(i)*time.Second - 24*time.Hour), referer: "https://" + host + ".example/"})
		}
		run(t, a, segmentOf("one", views...))
		wants(t, a, "|2|1\n__other__|3|1\nb.example|1|1", "SELECT name, pv, uv FROM facet_stats WHERE facet = 'referrer' ORDER BY name") // the site itself is none
		found, err := a.Read().CheckDay(t.Context(), "a.example", 20261121)
		check(t, err)
		if len(found) > 0 {
			t.Errorf("%+v", found)
		}
	})
}

// TestFacetVisitors: a visitor counts once for each name that one of its views of the day
// had, in one pass or in several, on the way into the table or out of it.
func TestFacetVisitors(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		var views []view
		for i, source := range []string{"one", "one", "two", "", "one", "two", "two"} {
			v := view{at: now.Add(time.Duration(i)*time.Second - 24*time.Hour), addr: "203.0.113.7"}
			if i > 4 {
				v.addr = "203.0.113.8"
			}
			if source != "" {
				v.referer = "https://a.example/?utm_source=" + source
			}
			views = append(views, v)
		}
		a := open(t, at)
		run(t, a, segmentOf("one", views...))
		const sums = "SELECT facet, name, pv, uv FROM facet_stats WHERE facet IN ('browser', 'campaign', 'channel', 'country') ORDER BY facet, name"
		const all = "browser|Firefox|7|2\ncampaign|one|3|1\ncampaign|two|3|2\nchannel|campaign|6|2\nchannel|direct|1|1"
		wants(t, a, all, sums)
		found, err := a.Read().CheckDay(t.Context(), "a.example", 20261121)
		check(t, err)
		if len(found) > 0 {
			t.Errorf("%+v", found)
		}
		for _, rows := range []int64{1000, 2} {
			a.foldRows = rows
			_, err := a.db.ExecContext(t.Context(), "DELETE FROM facet_stats")
			check(t, err)
			_, err = a.db.ExecContext(t.Context(), "UPDATE days SET dirty = 1")
			check(t, err)
			_, err = a.RollUp(t.Context())
			check(t, err)
			wants(t, a, all, sums)
		}
		// Rows from before there were these columns are not counted by them.
		unmigrate(t, a, 13)
		check(t, a.Close())
		a = open(t, at)
		_, err = a.db.ExecContext(t.Context(), "UPDATE days SET dirty = 1")
		check(t, err)
		_, err = a.RollUp(t.Context())
		check(t, err)
		wants(t, a, "", sums)
		if found, err = a.Read().CheckDay(t.Context(), "a.example", 20261121); err != nil || len(found) > 0 {
			t.Errorf("%+v, %v", found, err)
		}
	})
}
