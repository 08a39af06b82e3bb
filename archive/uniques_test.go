package archive

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"ddkk-stats/parser"
)

// uniqueSource has segments read by a UNIQUES.
func uniqueSource(t *testing.T, u parser.Uniques, segments ...*memory) Source {
	t.Helper()
	s := source(t, segments...)
	p, err := parser.New(parser.Config{Format: parser.FormatV1, Secret: []byte("secret"), Uniques: u})
	check(t, err)
	s.Parser = p
	return s
}

func on(day, hour int, addr, page string) view {
	return view{at: time.Date(2026, 11, day, hour, 0, 0, 0, time.UTC), addr: "203.0.113." + addr, page: page}
}

// TestUniques: visitors of a week or month are counted when it is over, from all of its
// days, again when one of them changes, and not where a row does not tell or is gone.
func TestUniques(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		clock := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC) // a Sunday
		set := func(o *Options) {
			o.Now, o.Uniques, o.MaxPages = func() time.Time { return clock }, parser.UniquesMonth, 2
		}
		a := open(t, at, set)
		archive := func(u parser.Uniques, segments ...*memory) {
			t.Helper()
			_, err := a.Run(t.Context(), uniqueSource(t, u, segments...))
			check(t, err)
		}
		archive(parser.UniquesMonth, segmentOf("one",
			on(9, 5, "1", "/x"),
			on(16, 5, "1", "/x"), on(16, 6, "1", "/x"), on(17, 5, "1", "/y"), on(17, 6, "2", "/x"), on(21, 5, "3", "/x"),
			on(18, 1, "4", "/a"), on(18, 2, "4", "/b"), on(18, 3, "4", "/c"), // one page more than keep their name
			view{at: on(18, 4, "", "").at, addr: "203.0.113.9", event: "video"}, view{at: on(18, 4, "", "").at, agent: "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}, view{at: on(18, 4, "", "").at, gpc: true}))
		const sums = "SELECT period, page, uv FROM uniques ORDER BY period, page"
		wants(t, a, "2026W46||1\n2026W46|/x|1", sums)

		// What goes on is told to a restore, each visitor and each pair once.
		got, hashes := map[string]int{}, map[uint64]bool{}
		tell := func(hash uint64, page []byte) error {
			got[string(page)]++
			hashes[hash] = true
			return nil
		}
		whole, err := a.Read().ReadTerm(t.Context(), "a.example", parser.Week, 20261116, tell)
		check(t, err)
		if !whole || len(hashes) != 11 || got[""] != 4 || got["/x"] != 3 || got["/y"] != 1 || got["/a"] != 1 || got["/b"] != 1 || got[parser.OtherPage] != 1 {
			t.Errorf("whole %v, %d hashes, %v", whole, len(hashes), got)
		}

		const week = "2026W47||4\n2026W47|/a|1\n2026W47|/b|1\n2026W47|/x|3\n2026W47|/y|1\n2026W47|__other__|1"
		clock = clock.AddDate(0, 0, 1)
		a.foldRows = 2 // several passes
		archive(parser.UniquesMonth)
		wants(t, a, week, sums+" LIMIT 6 OFFSET 2")
		archive(parser.UniquesMonth, segmentOf("late", on(20, 5, "1", "/x"), on(20, 6, "7", "/x")))
		week5 := strings.NewReplacer("||4", "||5", "/x|3", "/x|4").Replace(week)
		wants(t, a, week5, sums+" LIMIT 6 OFFSET 2")

		var found []string
		for v, err := range a.Read().Uniques(t.Context(), "a.example", "/x", parser.Week, 20261101, 20261130) {
			check(t, err)
			if v.UV != nil && v.First == parser.Week.First(v.First) {
				found = append(found, v.Name+" "+string(rune('0'+*v.UV)))
			}
		}
		if text := strings.Join(found, ", "); text != "2026W46 1, 2026W47 4" {
			t.Errorf("weeks of a page: %s", text)
		}

		// A number that somebody changed is found, and made anew with a day of it.
		if wrong, err := a.Read().CheckUniques(t.Context(), "a.example", 0); err != nil || len(wrong) > 0 {
			t.Errorf("%+v, %v", wrong, err)
		}
		_, err = a.db.ExecContext(t.Context(), "UPDATE uniques SET uv = 9 WHERE period = '2026W47' AND page = '/x'")
		check(t, err)
		wrong, err := a.Read().CheckUniques(t.Context(), "a.example", 0)
		check(t, err)
		if len(wrong) != 1 || wrong[0].Name != "2026W47 /x" || wrong[0].Have != 9 || wrong[0].Want != 4 {
			t.Fatalf("%+v", wrong)
		}
		check(t, a.Redo(t.Context(), "a.example", []parser.Day{wrong[0].Day}))
		archive(parser.UniquesMonth)
		wants(t, a, week5, sums+" LIMIT 6 OFFSET 2")

		// Raw rows go: the number stays. They come without their visitor: there is none.
		a.KeepRaw(3)
		clock = clock.AddDate(0, 0, 1)
		archive(parser.UniquesMonth, segmentOf("later", on(22, 5, "8", "/x")))
		wants(t, a, "2026W47||6", sums+" LIMIT 1 OFFSET 2")
		archive(parser.UniquesMonth, segmentOf("last", on(22, 5, "10", "/x")))
		wants(t, a, "2026W47||6", sums+" LIMIT 1 OFFSET 2")
		archive(parser.UniquesDay, segmentOf("untold", on(22, 6, "9", "/x")))
		wants(t, a, "2026W46||1\n2026W46|/x|1\n2026W47||", sums)
		if whole, err = a.Read().ReadTerm(t.Context(), "a.example", parser.Month, 20261101, tell); whole || err != nil {
			t.Errorf("a month without some of its rows is whole: %v", err)
		}
	})
}

// TestUniquesUnderRules: what a rule takes out of rows goes out of their week and month, and
// comes back with it; a page and a site that are deleted leave nothing there.
func TestUniquesUnderRules(t *testing.T) {
	for name, there := range map[string]bool{"the log is there": true, "the log is gone": false} {
		t.Run(name, func(t *testing.T) {
			eachPlace(t, func(t *testing.T, at place) {
				clock := time.Date(2026, 12, 2, 3, 0, 0, 0, time.UTC)
				a := open(t, at, func(o *Options) { o.Now, o.Uniques = func() time.Time { return clock }, parser.UniquesMonth })
				seg := segmentOf("one", on(16, 5, "1", "/x"), on(17, 5, "1", "/y"), on(17, 6, "2", "/x"), on(18, 5, "3", "/y"), on(19, 5, "3", "/x"), on(24, 5, "2", "/x"))
				_, err := a.Run(t.Context(), uniqueSource(t, parser.UniquesMonth, seg))
				check(t, err)
				const sums = "SELECT period, page, uv FROM uniques ORDER BY period, page"
				const before = "202611||3\n202611|/x|3\n202611|/y|2\n2026W47||3\n2026W47|/x|3\n2026W47|/y|2\n2026W48||1\n2026W48|/x|1"
				wants(t, a, before, sums)
				recount := func() {
					t.Helper()
					rules, err := a.Rules(t.Context())
					check(t, err)
					set := ruleSet{parser: parser.Config{Rules: rules, Uniques: parser.UniquesMonth}}
					q := set.recounting(t, 20261101, 20261130)
					if there {
						q = set.recounting(t, 20261101, 20261130, seg)
					}
					q.Site, q.Force = "a.example", true
					_, err = a.Recount(t.Context(), q)
					check(t, err)
					_, err = a.RollUp(t.Context())
					check(t, err)
					if wrong, err := a.Read().CheckUniques(t.Context(), "a.example", 0); err != nil || len(wrong) > 0 {
						t.Errorf("%+v, %v", wrong, err)
					}
				}
				rule := parser.Rule{Kind: parser.RuleVoid, Site: "a.example", Net: netip.MustParsePrefix("203.0.113.2/32"), From: on(1, 0, "", "").at.UnixMilli(), Until: on(30, 0, "", "").at.UnixMilli()}
				num, err := a.MakeRule(t.Context(), rule, "")
				check(t, err)
				recount()
				wants(t, a, "202611||2\n202611|/x|2\n202611|/y|2\n2026W47||2\n2026W47|/x|2\n2026W47|/y|2", sums)
				check(t, a.UndoRule(t.Context(), num))
				_, err = a.Unpark(t.Context(), rule.Site, rule.From, rule.Until)
				check(t, err)
				recount()
				wants(t, a, before, sums)

				_, err = a.MakeRule(t.Context(), parser.Rule{Kind: parser.RuleDelete, Site: "a.example", Page: "/x", Until: clock.UnixMilli()}, "")
				check(t, err)
				recount()
				check(t, a.PurgePage(t.Context(), "a.example", "/x"))
				wants(t, a, "202611||2\n202611|/y|2\n2026W47||2\n2026W47|/y|2", sums)
				check(t, a.PurgeSite(t.Context(), "a.example", clock.UnixMilli()))
				wants(t, a, "0", "SELECT COUNT(*) FROM uniques")
				wants(t, a, "0", "SELECT COUNT(*) FROM uniques_due WHERE dirty <> 0")
			})
		})
	}
}
