package archive

import (
	"fmt"
	"net/netip"
	"testing"

	"ddkk-stats/parser"
)

// wave is a rule that takes some of threeDays out.
var wave = parser.Rule{Kind: parser.RuleVoid, Site: "a.example", Net: netip.MustParsePrefix("203.0.1.0/24"),
	From: now.AddDate(0, 0, -3).UnixMilli(), Until: now.AddDate(0, 0, -1).UnixMilli()}

// everything is what a site's numbers are made of.
var everything = []string{
	"SELECT site, created_at, page, user_hash, ip, user_agent, event_key, segment, end_offset, date, browser, channel FROM access_logs ORDER BY site, created_at, segment, end_offset",
	"SELECT * FROM daily_stats ORDER BY date, site",
	"SELECT * FROM page_stats ORDER BY date, site, page",
	"SELECT * FROM event_stats ORDER BY date, site, event_key",
	"SELECT * FROM facet_stats ORDER BY date, site, facet, name",
	"SELECT site, date, raw, dedup FROM days ORDER BY site, date",
	"SELECT id, lines_read, human, bot, dedup, skipped, malformed FROM segments ORDER BY num",
}

// TestVoidAndUndo: a wave that is taken out leaves what there would be without it, and is put
// back with all as it was, whether the log is there or not. Nobody has to know which.
func TestVoidAndUndo(t *testing.T) {
	segs := threeDays()
	for name, there := range map[string][]*memory{"the log is there": segs, "the log is gone": nil, "some of it is": segs[:1]} {
		t.Run(name, func(t *testing.T) {
			eachPlace(t, func(t *testing.T, at place) {
				a := ruleSet{}.archived(t, at, segs...)
				var before []string
				for _, q := range everything {
					before = append(before, query(t, a, q))
				}
				recount := func() Recounted {
					t.Helper()
					rules, err := a.Rules(t.Context())
					check(t, err)
					q := ruleSet{parser: parser.Config{Rules: rules}}.recounting(t, allFrom, allTo, there...)
					q.Site, q.Force = wave.Site, true
					done, err := a.Recount(t.Context(), q)
					check(t, err)
					return done
				}
				num, err := a.MakeRule(t.Context(), wave, "")
				check(t, err)
				recount()
				recount() // a second time changes nothing
				fresh := open(t, sqlitePlace(t))
				_, err = fresh.MakeRule(t.Context(), wave, "")
				check(t, err)
				rules, err := fresh.Rules(t.Context())
				check(t, err)
				_, err = fresh.Run(t.Context(), ruleSet{parser: parser.Config{Rules: rules}}.source(t, segs...))
				check(t, err)
				for _, q := range everything[:5] {
					wants(t, a, query(t, fresh, q), q)
				}
				if query(t, a, everything[1]) == before[1] {
					t.Fatal("the wave changed nothing")
				}
				if n := query(t, a, "SELECT COUNT(*) FROM voided_rows"); (n == "0") != (len(there) == len(segs)) {
					t.Errorf("%s rows are kept aside", n)
				}

				check(t, a.UndoRule(t.Context(), num))
				for range 2 {
					_, err = a.Unpark(t.Context(), wave.Site, wave.From, wave.Until)
					check(t, err)
					recount()
				}
				for i, q := range everything {
					if len(there) < len(segs) && i == 6 {
						continue // books of segments that are gone stay as they are
					}
					wants(t, a, before[i], q)
				}
				wants(t, a, "0", "SELECT COUNT(*) FROM voided_rows")
			})
		})
	}
}

// TestUndoOneOfTwo: what another rule takes as well stays out.
func TestUndoOneOfTwo(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		a := ruleSet{}.archived(t, at, threeDays()...)
		recount := func() {
			t.Helper()
			rules, err := a.Rules(t.Context())
			check(t, err)
			q := ruleSet{parser: parser.Config{Rules: rules}}.recounting(t, allFrom, allTo)
			_, err = a.Recount(t.Context(), q)
			check(t, err)
		}
		other := wave
		other.Net = netip.MustParsePrefix("203.0.0.0/16")
		_, err := a.MakeRule(t.Context(), other, "")
		check(t, err)
		recount()
		with := query(t, a, everything[0])
		num, err := a.MakeRule(t.Context(), wave, "")
		check(t, err)
		recount()
		check(t, a.UndoRule(t.Context(), num))
		_, err = a.Unpark(t.Context(), wave.Site, wave.From, wave.Until)
		check(t, err)
		recount()
		wants(t, a, with, everything[0])
	})
}

// TestVoidedRowsAreDeletedInTheirTime: with the raw rows, and by a deletion. What is put back of a
// day whose other rows are gone is added to its sums.
func TestVoidedRowsAreDeletedInTheirTime(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		a := ruleSet{}.archived(t, at, threeDays()...)
		rules := func() parser.Rules {
			t.Helper()
			r, err := a.Rules(t.Context())
			check(t, err)
			return r
		}
		pv := "SELECT SUM(pv) FROM daily_stats WHERE site = 'a.example'"
		before := query(t, a, pv)
		num, err := a.MakeRule(t.Context(), wave, "")
		check(t, err)
		_, err = a.Recount(t.Context(), ruleSet{parser: parser.Config{Rules: rules()}}.recounting(t, allFrom, allTo))
		check(t, err)
		less := query(t, a, pv)

		// One of its visitors is deleted.
		addr := netip.MustParseAddr(query(t, a, "SELECT MIN(ip) FROM voided_rows"))
		deletion := parser.Rule{Kind: parser.RuleDelete, Client: parser.ClientHash([]byte("secret"), addr, nil), Until: now.UnixMilli()}
		_, err = a.MakeRule(t.Context(), deletion, "")
		check(t, err)
		check(t, a.PurgeVoided(t.Context(), ruleSet{parser: parser.Config{Rules: rules()}}.parse(t)))
		wants(t, a, "0", fmt.Sprintf("SELECT COUNT(*) FROM voided_rows WHERE ip = '%s'", addr))
		kept := query(t, a, "SELECT COUNT(*) FROM voided_rows")
		if kept == "0" {
			t.Fatal("all rows went")
		}

		// The other rows of its first day are deleted.
		a.KeepRaw(2)
		_, err = a.Retain(t.Context())
		check(t, err)
		left := query(t, a, "SELECT COUNT(*) FROM voided_rows")
		if left == kept || left == "0" {
			t.Errorf("%s of %s rows are left after retention", left, kept)
		}
		check(t, a.UndoRule(t.Context(), num))
		n, err := a.Unpark(t.Context(), wave.Site, wave.From, wave.Until)
		check(t, err)
		_, err = a.RollUp(t.Context())
		check(t, err)
		if fmt.Sprint(n) != left || query(t, a, pv) == less || before == less {
			t.Errorf("%d of %s rows came back: %s, %s, %s", n, left, before, less, query(t, a, pv))
		}
	})
}
