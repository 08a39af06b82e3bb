package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"ddkk-stats/parser"
)

// exportOf is a site's export.
func exportOf(t *testing.T, a *Archive, site string) []byte {
	t.Helper()
	var b bytes.Buffer
	out, err := a.ExportSite(t.Context(), site, &b, nil)
	check(t, err)
	if out.Rows == 0 || out.Days == 0 {
		t.Fatalf("exported %+v", out)
	}
	head, lines, err := ReadExport(bytes.NewReader(b.Bytes()))
	if err != nil || head.Site != site || lines != out.Lines-1 {
		t.Fatalf("%+v, %d lines of %d, %v", head, lines, out.Lines, err)
	}
	return b.Bytes()
}

// carried are a site's numbers that an export carries, whatever it is called.
func carried(t *testing.T, a *Archive, site string) (all []string) {
	t.Helper()
	rows := strings.ReplaceAll(rowColumns, "site, ", "")
	rows = strings.ReplaceAll(strings.ReplaceAll(rows, "segment, ", ""), "created_at", "created_at")
	for _, q := range []string{
		"SELECT date, pv, uv, pv_pc, pv_mobile, pv_bot, events, events_bot FROM daily_stats WHERE site = '%s' ORDER BY date",
		"SELECT date, page, pv, uv, pv_bot FROM page_stats WHERE site = '%s' ORDER BY date, page",
		"SELECT date, facet, name, pv, pv_bot, COALESCE(uv, -1) FROM facet_stats WHERE site = '%s' ORDER BY date, facet, name",
		"SELECT date, event_key, pv, uv FROM event_stats WHERE site = '%s' ORDER BY date, event_key",
		"SELECT date, dirty, raw, dedup FROM days WHERE site = '%s' ORDER BY date",
		"SELECT source, page, pv, uv FROM baselines WHERE site = '%s' ORDER BY source, page",
		"SELECT page, count FROM page_counts WHERE slot_id = 65535 AND site = '%s' ORDER BY page",
		"SELECT period, page, COALESCE(uv, -1) FROM uniques WHERE site = '%s' ORDER BY period, page",
		"SELECT date, dimension, name, calls, failed, milliseconds FROM api_daily WHERE site = '%s' ORDER BY date, dimension, name",
		"SELECT period, dimension, name, calls, failed, milliseconds FROM api_periods WHERE site = '%s' ORDER BY period, dimension, name",
		"SELECT " + hexed(rows) + " FROM access_logs WHERE site = '%s' ORDER BY created_at, end_offset, page, user_hash",
	} {
		all = append(all, query(t, a, fmt.Sprintf(q, site)))
	}
	return all
}

// hexed reads keys so that they can be shown.
func hexed(columns string) string {
	var all []string
	for _, c := range strings.Split(columns, ", ") {
		if strings.HasSuffix(c, "_key") && c != "event_key" || strings.HasSuffix(c, "_hash") && c != "user_hash" {
			c = "COALESCE(HEX(" + c + "), 'none')"
		} else {
			c = "COALESCE(" + c + ", 'none')"
		}
		all = append(all, c)
	}
	return strings.Join(all, ", ")
}

func sameCarried(t *testing.T, what string, got, want []string) {
	t.Helper()
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%s, table %d:\ngot:\n%.900s\nwant:\n%.900s", what, i, got[i], want[i])
		}
	}
}

// carrier has a site with days of raw rows, one of sums alone, bases, and rows that are no text.
func carrier(t *testing.T, at place) *Archive {
	t.Helper()
	a := ruleSet{}.archived(t, at, threeDays()...)
	check(t, a.SetBaselines(t.Context(), []Baseline{{"old", "a.example", "", 5, 2}, {"old", "a.example", "/p1", 5, 2}, {"old", "b.example", "/p1", 7, 3}}))
	odd := segmentOf("odd", view{raw: `v1	` + fmt.Sprintf("%.3f", float64(now.Add(-30*time.Hour).UnixMilli())/1000) + `	0	203.0.113.7	h	GET	200	/event.png?site=a.example&page=/%25FF%250D%250A"%5C&id=0123456789abcdef	-	Fire\xFF"fox	-	-	-	0.000	43	end`})
	_, err := a.Run(t.Context(), source(t, odd))
	check(t, err)
	a.KeepRaw(2)
	_, err = a.Retain(t.Context())
	check(t, err)
	wants(t, a, "2", "SELECT COUNT(DISTINCT raw) FROM days WHERE site = 'a.example'")
	return a
}

// TestTransfer: a site in another archive has what it had, under its name or another, a second
// time changes nothing, and neither do the other sites.
func TestTransfer(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		from := carrier(t, at)
		want := carried(t, from, "a.example")
		export := exportOf(t, from, "a.example")
		for _, site := range []string{"a.example", "new.example"} {
			to := open(t, again(t, at))
			_, err := to.Run(t.Context(), source(t, segmentOf("own", traffic(9, 50, now.Add(-20*time.Hour), time.Minute)...)))
			check(t, err)
			const others = "SELECT * FROM daily_stats WHERE site = 'b.example' ORDER BY date"
			before := query(t, to, others)
			if site == "a.example" { // it was here once
				check(t, to.PurgeSite(t.Context(), site, now.Add(time.Hour).UnixMilli()))
			}
			rules := ruleSet{}.parse(t)
			out, err := to.ImportSite(t.Context(), bytes.NewReader(export), site, rules, nil)
			check(t, err)
			sameCarried(t, site, carried(t, to, site), want)
			if out.Rows == 0 || len(out.There) != 0 || out.Ruled != 0 {
				t.Errorf("%+v", out)
			}
			wants(t, to, "0", "SELECT COUNT(*) FROM segments WHERE lines_read <> human + bot + dedup + skipped + malformed + torn")
			wants(t, to, query(t, to, "SELECT COUNT(*) FROM access_logs WHERE site = '"+site+"'"), "SELECT SUM(lines_read) FROM segments WHERE id LIKE 'export.%'")
			whole := contents(t, to)
			out, err = to.ImportSite(t.Context(), bytes.NewReader(export), site, rules, nil)
			check(t, err)
			if contents(t, to) != whole || out.Rows != 0 {
				t.Errorf("a second time: %+v", out)
			}
			wants(t, to, before, others)
			pending, err := to.PendingImports(t.Context())
			check(t, err)
			if !slices.Contains(pending, site) {
				t.Errorf("to be rebuilt: %v", pending)
			}
		}
	})
}

// brokenAfter ends after some bytes, as a process does that is killed.
type brokenAfter struct {
	r io.Reader
	n int
}

var errKilled = errors.New("killed")

func (b *brokenAfter) Read(p []byte) (int, error) {
	if b.n <= 0 {
		return 0, errKilled
	}
	n, err := b.r.Read(p[:min(len(p), b.n)])
	b.n -= n
	return n, err
}

// TestTransferKilled: whatever an import that was killed had done, the next one ends with the same.
func TestTransferKilled(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		from := carrier(t, at)
		want := carried(t, from, "a.example")
		export := exportOf(t, from, "a.example")
		to := open(t, again(t, at))
		rules := ruleSet{}.parse(t)
		for n := 1; n < len(export); n += len(export)/7 + 1 {
			if _, err := to.ImportSite(t.Context(), &brokenAfter{bytes.NewReader(export), n}, "a.example", rules, nil); !errors.Is(err, errKilled) {
				t.Fatalf("after %d bytes: %v", n, err)
			}
		}
		_, err := to.ImportSite(t.Context(), bytes.NewReader(export), "a.example", rules, nil)
		check(t, err)
		sameCarried(t, "after six that were killed", carried(t, to, "a.example"), want)

		// The other end: an export that ends early is none.
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := from.ExportSite(ctx, "a.example", io.Discard, nil); err == nil {
			t.Error("an export goes on")
		}
	})
}

// TestExportIsWhole: what was cut, edited or is something else is told.
func TestExportIsWhole(t *testing.T) {
	export := string(exportOf(t, carrier(t, sqlitePlace(t)), "a.example"))
	lines := strings.SplitAfter(export, "\n")
	for what, c := range map[string]struct{ text, want string }{
		"cut":       {strings.Join(lines[:len(lines)/2], ""), "its end is missing"},
		"cut short": {export[:len(export)-20], "read export"},
		"edited":    {strings.Replace(export, `"pv":1`, `"pv":2`, 1), "edited, or damaged"},
		"a line":    {strings.Join(append(slices.Clone(lines[:3]), lines[4:]...), ""), "edited, or damaged"},
		"more":      {export + lines[1], "something follows"},
		"newer":     {strings.Replace(export, `"ddkk_export":1`, `"ddkk_export":2`, 1), "use a newer one"},
		"a log":     {"127.0.0.1 - - [1/Jan/2026] GET /\n", "it is none"},
		"nothing":   {"", "it is none"},
	} {
		if _, _, err := ReadExport(strings.NewReader(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", what, err, c.want)
		}
	}
}

// TestTransferObeysRules: what was deleted here does not come back, and what is void is put aside.
func TestTransferObeysRules(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		from := carrier(t, at)
		export := exportOf(t, from, "a.example")
		for _, rule := range []parser.Rule{
			{Kind: parser.RuleDelete, Site: "a.example", Page: "/p1", Until: now.UnixMilli()},
			{Kind: parser.RuleVoid, Site: "a.example", Page: "/p1"},
			{Kind: parser.RuleDelete, Site: "a.example", Until: now.UnixMilli()},
		} {
			to := open(t, again(t, at))
			_, err := to.MakeRule(t.Context(), rule, "")
			check(t, err)
			all, err := to.Rules(t.Context())
			check(t, err)
			if _, err := to.ImportSite(t.Context(), bytes.NewReader(export), "a.example", ruleSet{}.parse(t), nil); !errors.Is(err, ErrRules) {
				t.Errorf("by old rules: %v", err)
			}
			out, err := to.ImportSite(t.Context(), bytes.NewReader(export), "a.example", ruleSet{parser: parser.Config{Rules: all}}.parse(t), nil)
			check(t, err)
			if out.Ruled == 0 {
				t.Errorf("%+v: %+v", rule, out)
			}
			void := rule.Kind == parser.RuleVoid
			if n := query(t, to, "SELECT COUNT(*) FROM voided_rows"); (n != "0") != void {
				t.Errorf("%+v: %s rows are put aside", rule, n)
			}
			wants(t, to, "0", "SELECT COUNT(*) FROM access_logs WHERE page = '/p1'")
			if rule.WholeSite() {
				wants(t, to, "0|0|0", "SELECT (SELECT COUNT(*) FROM daily_stats), (SELECT COUNT(*) FROM access_logs), (SELECT COUNT(*) FROM baselines)")
			} else if !void {
				wants(t, to, "0|0", "SELECT (SELECT COUNT(*) FROM page_stats WHERE page = '/p1'), (SELECT COUNT(*) FROM baselines WHERE page = '/p1')")
				// Days without raw rows have the same sum.
				const sums = "SELECT date, SUM(pv) FROM page_stats WHERE site = 'a.example' AND date IN (SELECT date FROM days WHERE raw = 0) GROUP BY date ORDER BY date"
				wants(t, to, query(t, from, sums), sums)
			}
		}
	})
}
