package archive

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"ddkk-stats/parser"
)

// siteRows counts what tables have of a site.
func siteRows(t *testing.T, a *Archive, site string) (all string) {
	t.Helper()
	for _, table := range append(append(dayTables[:], siteTables[:]...), "access_logs", "days", "api_daily", "api_days", "api_periods") {
		if n := query(t, a, fmt.Sprintf("SELECT COUNT(*) FROM %s WHERE site = '%s'", table, site)); n != "0" {
			all += table + " " + n + "; "
		}
	}
	return all
}

// TestRulesAreKept: a rule is what it was when it is read again, its version rises with each
// change, and hosts are told apart.
func TestRulesAreKept(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		a := open(t, at)
		made := []parser.Rule{
			{Kind: parser.RuleVoid, Site: "a.example", Net: netip.MustParsePrefix("203.0.113.0/24"), Agent: "Bad", Referrer: "spam.example", Page: "/x*", From: 1, Until: 2},
			{Kind: parser.RuleDelete, Client: "0123", Agents: true, Until: 5, Addr: netip.MustParseAddr("203.0.113.7")},
			{Kind: parser.RuleRename, Site: "a.example", To: "b.example"},
		}
		for i, r := range made {
			num, err := a.MakeRule(t.Context(), r, "me@here")
			check(t, err)
			if made[i].Num = num; num != int64(i+1) {
				t.Errorf("rule %d has number %d", i+1, num)
			}
		}
		made[1].Addr = netip.Addr{} // nobody keeps it
		got, err := a.Rules(t.Context())
		check(t, err)
		if got.Version != 3 || fmt.Sprint(got.All) != fmt.Sprint(made) {
			t.Errorf("version %d: %+v, want %+v", got.Version, got.All, made)
		}
		check(t, a.UndoRule(t.Context(), 1))
		check(t, a.EndRule(t.Context(), 2))
		if got, err = a.Rules(t.Context()); err != nil || got.Version != 5 || len(got.All) != 2 || !got.All[0].Done || got.All[1].Done {
			t.Errorf("%+v, %v", got, err)
		}
		all, err := a.KeptRules(t.Context())
		check(t, err)
		if len(all) != 3 || !all[0].UndoneAt.Equal(now) || !all[1].DoneAt.Equal(now) || all[2].MadeBy != "me@here" || !all[2].MadeAt.Equal(now) {
			t.Errorf("%+v", all)
		}

		check(t, a.NoteHost(t.Context(), "x", "one", 5))
		check(t, a.NoteErased(t.Context(), "x", "one", 2))
		check(t, a.NoteErased(t.Context(), "y", "two", 0))
		hosts, err := a.Hosts(t.Context())
		check(t, err)
		want := []Host{{"x", "one", 5, 2, now}, {"y", "two", 0, 0, now}}
		for i := range hosts {
			hosts[i].SeenAt = hosts[i].SeenAt.UTC()
		}
		if fmt.Sprint(hosts) != fmt.Sprint(want) {
			t.Errorf("%v, want %v", hosts, want)
		}
	})
}

// TestNobodyLoadsByOldRules: neither a cycle nor a recount writes anything that was read by
// the rules of before.
func TestNobodyLoadsByOldRules(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		a := open(t, at)
		_, err := a.MakeRule(t.Context(), parser.Rule{Kind: parser.RuleVoid, Site: "b.example"}, "")
		check(t, err)
		segs := threeDays()
		if _, err := a.Run(t.Context(), source(t, segs...)); !errors.Is(err, ErrRules) {
			t.Errorf("a cycle by old rules: %v", err)
		}
		wants(t, a, "0", "SELECT COUNT(*) FROM access_logs")
		rules, err := a.Rules(t.Context())
		check(t, err)
		by := ruleSet{parser: parser.Config{Rules: rules}}
		_, err = a.Run(t.Context(), by.source(t, segs...))
		check(t, err)
		wants(t, a, "0", "SELECT COUNT(*) FROM access_logs WHERE site = 'b.example'")
		if _, err := a.Recount(t.Context(), ruleSet{}.recounting(t, allFrom, allTo, segs...)); !errors.Is(err, ErrRules) {
			t.Errorf("a recount by old rules: %v", err)
		}
		wants(t, a, "0", "SELECT COUNT(*) FROM access_logs WHERE site = 'b.example'")
	})
}

// TestPurgeSite: nothing is left of a site but what is dated later, and nothing else changes.
// What is archived anew by the rule has the same.
func TestPurgeSite(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		segs := threeDays()
		a := ruleSet{}.archived(t, at, segs...)
		check(t, a.SetBaselines(t.Context(), []Baseline{{"old", "a.example", "", 5, 2}, {"old", "a.example", "/p1", 5, 2}, {"old", "b.example", "/p1", 7, 3}}))
		const others = "SELECT * FROM daily_stats WHERE site <> 'a.example' ORDER BY date, site"
		before, holds := query(t, a, others), query(t, a, "SELECT date, pv FROM daily_stats WHERE site = 'a.example' ORDER BY date")
		all, err := a.Holdings(t.Context(), "a.example", "")
		check(t, err)
		if text := ""; true {
			for _, h := range all {
				text += fmt.Sprintf("%s|%d\n", dateText(h.Day), h.PV)
			}
			if holds == "" || text != holds && text != holds+"\n" {
				t.Errorf("holdings:\n%s\nwant:\n%s", text, holds)
			}
		}
		until := now.Add(-24 * time.Hour)
		rule := parser.Rule{Kind: parser.RuleDelete, Site: "a.example", Until: until.UnixMilli()}
		if rule.Num, err = a.MakeRule(t.Context(), rule, ""); err != nil {
			t.Fatal(err)
		}
		for range 2 { // a second time changes nothing
			check(t, a.Alone(t.Context(), func() error { return a.PurgeSite(t.Context(), "a.example", rule.Until) }))
		}
		_, err = a.RollUp(t.Context())
		check(t, err)
		wants(t, a, before, others)
		rules, err := a.Rules(t.Context())
		check(t, err)
		fresh := open(t, sqlitePlace(t))
		_, err = fresh.MakeRule(t.Context(), rule, "")
		check(t, err)
		_, err = fresh.Run(t.Context(), ruleSet{parser: parser.Config{Rules: rules}}.source(t, segs...))
		check(t, err)
		for _, q := range []string{"SELECT * FROM daily_stats ORDER BY date, site", "SELECT * FROM page_stats ORDER BY date, site, page", "SELECT COUNT(*) FROM access_logs"} {
			wants(t, a, query(t, fresh, q), q)
		}
		wants(t, a, "b.example|/p1", "SELECT site, page FROM baselines")
		check(t, a.PurgeSite(t.Context(), "a.example", now.AddDate(0, 0, 1).UnixMilli()))
		if left := siteRows(t, a, "a.example"); left != "" {
			t.Errorf("left: %s", left)
		}
		if left := siteRows(t, a, "b.example"); left == "" {
			t.Error("another site went as well")
		}
	})
}

// TestPurgePage: a page's name goes, and what it had on days without raw rows stays in the
// sums.
func TestPurgePage(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		a := ruleSet{}.archived(t, at, threeDays()...)
		check(t, a.SetBaselines(t.Context(), []Baseline{{"old", "a.example", "/p1", 5, 2}}))
		page := query(t, a, "SELECT MIN(page) FROM page_stats WHERE site = 'a.example' AND pv > 0")
		const sums = "SELECT date, SUM(pv), SUM(uv), SUM(pv_bot) FROM page_stats WHERE site = 'a.example' GROUP BY date ORDER BY date"
		before := query(t, a, sums)
		named := fmt.Sprintf("SELECT date, pv FROM page_stats WHERE site = 'a.example' AND page = '%s' AND pv > 0 ORDER BY date", page)
		kept := query(t, a, named)
		check(t, a.PurgePage(t.Context(), "a.example", page))
		wants(t, a, kept, named) // a recount deals with raw rows, and knows what came since the rule
		_, err := a.db.ExecContext(t.Context(), "DELETE FROM access_logs")
		check(t, err)
		for range 2 {
			check(t, a.PurgePage(t.Context(), "a.example", page))
			check(t, a.PurgePageCounts(t.Context(), "a.example", "/p1"))
		}
		wants(t, a, before, sums)
		wants(t, a, "0", fmt.Sprintf("SELECT COUNT(*) FROM page_stats WHERE site = 'a.example' AND page = '%s'", page))
		wants(t, a, "0|0", "SELECT (SELECT COUNT(*) FROM baselines), (SELECT COUNT(*) FROM page_counts)")
	})
}
