package archive

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ddkk-stats/parser"
)

// ruleSet is what a recount goes by.
type ruleSet struct {
	parser parser.Config
	dedupe time.Duration
}

func (s ruleSet) parse(t testing.TB) *parser.Parser {
	t.Helper()
	s.parser.Secret = []byte("secret")
	p, err := parser.New(s.parser)
	check(t, err)
	return p
}

func (s ruleSet) open(t testing.TB, at place, change ...func(*Options)) *Archive {
	t.Helper()
	return open(t, at, append(change, func(o *Options) {
		o.DedupeWindow = func(string) time.Duration { return s.dedupe }
		o.ChunkRows = 35
	})...)
}

func (s ruleSet) source(t testing.TB, segments ...*memory) Source {
	src := source(t, segments...)
	src.Parser = s.parse(t)
	return src
}

func (s ruleSet) recounting(t testing.TB, from, to parser.Day, segments ...*memory) Recounting {
	return Recounting{From: from, To: to, Logs: []Source{s.source(t, segments...)}, Rows: s.parse(t)}
}

// archived archives all segments in a new database by the rules.
func (s ruleSet) archived(t testing.TB, at place, segments ...*memory) *Archive {
	t.Helper()
	a := s.open(t, at)
	_, err := a.Run(t.Context(), s.source(t, segments...))
	check(t, err)
	return a
}

var anyRules = []ruleSet{
	{},
	{parser: parser.Config{Aliases: map[string]string{"b.example": "a.example"}}},
	{parser: parser.Config{Sites: []string{"a.example"}}},
	{parser: parser.Config{BotAgents: []string{"iPhone"}}},
	{parser: parser.Config{Page: parser.PageRules{Slash: parser.SlashAdd, StripIndex: true}}},
	{parser: parser.Config{PageSites: map[string]parser.PageRules{"a.example": {Aliases: mustAlias("/p1", "/p2")}, "b.example": {Slash: parser.SlashAdd}}}},
	{parser: parser.Config{Blocked: []netip.Prefix{netip.MustParsePrefix("203.0.1.0/24")}, BlockedPaths: []string{"/p1*"}}},
	{parser: parser.Config{Self: []netip.Prefix{netip.MustParsePrefix("203.0.2.0/25")}}},
	{dedupe: time.Hour},
	{parser: parser.Config{Aliases: map[string]string{"a.example": "c.example"}, BotAgents: []string{"Firefox"}}, dedupe: 3 * time.Hour},
}

// mustAlias is an alias that is right.
func mustAlias(from, to string) *parser.PageAliases {
	a, err := parser.NewPageAliases([]parser.PageAlias{{From: from, To: to}})
	if err != nil {
		panic(err)
	}
	return a
}

// dayLines is how many lines each of threeDays has.
const dayLines = 150

// threeDays are segments of three days, one of which overlaps two of them.
func threeDays() []*memory {
	from := now.Add(-75 * time.Hour)
	return []*memory{
		segmentOf("s1", traffic(1, dayLines, from, 8*time.Minute)...),
		segmentOf("s2", traffic(2, dayLines, from.Add(20*time.Hour), 10*time.Minute)...),
		segmentOf("s3", traffic(3, dayLines, from.Add(45*time.Hour), 10*time.Minute)...),
	}
}

const allFrom, allTo parser.Day = 20261101, 20261130

// TestRecountFromLog goes from each rule set to each other: what is there
// afterwards is what a fresh archive by the new rules has.
func TestRecountFromLog(t *testing.T) {
	segs := threeDays()
	fresh := freshBy(t, segs)
	eachPlace(t, func(t *testing.T, at place) {
		a := anyRules[0].archived(t, at, segs...)
		for n := range anyRules {
			i := (n + 1) % len(anyRules)
			rules := anyRules[i]
			check(t, a.Close())
			a = rules.open(t, at)
			preview, err := a.Recount(t.Context(), dry(rules.recounting(t, allFrom, allTo, segs...)))
			check(t, err)
			done, err := a.Recount(t.Context(), rules.recounting(t, allFrom, allTo, segs...))
			check(t, err)
			same(t, fmt.Sprint("rules ", i), a, fresh[i])
			samePreview(t, preview, done)
			if done.Lines != 3*dayLines || done.Rows != 0 {
				t.Errorf("%d lines, %d rows", done.Lines, done.Rows)
			}
		}
	})
}

// freshBy are archives of segments, by the rules.
func freshBy(t *testing.T, segs []*memory) []*Archive {
	t.Helper()
	var all []*Archive
	for _, rules := range anyRules {
		all = append(all, rules.archived(t, sqlitePlace(t), segs...))
	}
	return all
}

func dry(q Recounting) Recounting {
	q.DryRun = true
	return q
}

// samePreview compares what a dry run said with what was then done.
func samePreview(t *testing.T, preview, done Recounted) {
	t.Helper()
	text := func(r Recounted) string {
		var b strings.Builder
		for _, d := range r.Days {
			d.Before.Dedup, d.After.Dedup = 0, 0
			fmt.Fprintf(&b, "%s %d: %v -> %v, %t %t\n", d.Site, d.Day, d.Before, d.After, d.Lines > 0, d.Rows > 0)
		}
		return b.String()
	}
	if p, d := text(preview), text(done); p != d {
		t.Errorf("dry run:\n%s\ndone:\n%s", p, d)
	}
}

// same compares archives of different databases.
func same(t *testing.T, what string, got, want *Archive) {
	t.Helper()
	g, w := strings.Split(contents(t, got), "\n"), strings.Split(contents(t, want), "\n")
	for i := range max(len(g), len(w)) {
		x, y := "", ""
		if i < len(g) {
			x = g[i]
		}
		if i < len(w) {
			y = w[i]
		}
		if x != y {
			t.Fatalf("%s: line %d:\ngot:  %s\nwant: %s", what, i, x, y)
		}
	}
	for _, k := range []string{"a.example", "b.example", "c.example"} {
		days, err := got.Read().RawDays(t.Context(), k, 0)
		check(t, err)
		for _, d := range days {
			wrong, err := got.Read().CheckDay(t.Context(), k, d)
			check(t, err)
			if len(wrong) > 0 {
				t.Errorf("%s %d: %v", k, d, wrong)
			}
		}
	}
}

// TestRecountFromRows judges raw rows alone: whatever the old rules let pass is
// known, so the result is that of a fresh archive, too.
func TestRecountFromRows(t *testing.T) {
	segs := threeDays()
	all := freshBy(t, segs)
	eachPlace(t, func(t *testing.T, at place) {
		for i, rules := range anyRules[1:] {
			a := anyRules[0].archived(t, at, segs...)
			check(t, a.Close())
			a = rules.open(t, at)
			preview, err := a.Recount(t.Context(), dry(rules.recounting(t, allFrom, allTo)))
			check(t, err)
			done, err := a.Recount(t.Context(), rules.recounting(t, allFrom, allTo))
			check(t, err)
			fresh := all[i+1]
			if rules.parser.Aliases == nil {
				sameSums(t, fmt.Sprint("rules ", i+1), a, fresh)
				samePreview(t, preview, done)
			}
			before := contents(t, a)
			_, err = a.Recount(t.Context(), rules.recounting(t, allFrom, allTo))
			check(t, err)
			if contents(t, a) != before {
				t.Errorf("rules %d: a second recount changes something", i+1)
			}
			if done.Lines != 0 || done.Rows == 0 {
				t.Errorf("%d lines, %d rows", done.Lines, done.Rows)
			}
			at = again(t, at)
		}
	})
}

// again is an empty database of the same kind.
func again(t *testing.T, at place) place {
	if at.dsn != "" {
		return mariaPlace(t)
	}
	return sqlitePlace(t)
}

func sameSums(t *testing.T, what string, got, want *Archive) {
	t.Helper()
	for _, q := range []string{
		"SELECT * FROM daily_stats ORDER BY site, date", "SELECT * FROM page_stats ORDER BY site, date, page", "SELECT * FROM event_stats ORDER BY site, date, event_key",
		"SELECT site, page, user_hash, ip, potential_bot, created_at, date, event_key, device, HEX(view_key), HEX(window_key), end_offset FROM access_logs ORDER BY site, created_at, end_offset",
	} {
		if g, w := query(t, got, q), query(t, want, q); g != w {
			t.Errorf("%s: %s\ngot:\n%.600s\nwant:\n%.600s", what, q, g, w)
		}
	}
}

// TestRecountMovesRows: rows whose site became an alias count for the other,
// with the visitors that they would have had there.
func TestRecountMovesRows(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		segs := threeDays()
		rules := anyRules[1]
		a := anyRules[0].archived(t, at, segs...)
		check(t, a.Close())
		a = rules.open(t, at)
		done, err := a.Recount(t.Context(), rules.recounting(t, allFrom, allTo))
		check(t, err)
		fresh := rules.archived(t, sqlitePlace(t), segs...)
		q := "SELECT date, site, pv, uv, pv_bot, events FROM daily_stats ORDER BY date"
		wants(t, a, query(t, fresh, q), q)
		wants(t, a, "0", "SELECT COUNT(*) FROM access_logs WHERE site = 'b.example'")
		pending, err := a.PendingImports(t.Context())
		check(t, err)
		if fmt.Sprint(pending) != "[a.example b.example]" {
			t.Errorf("to be rebuilt: %v", pending)
		}
		for _, d := range done.Days {
			if d.Site == "b.example" && (d.After.PV != 0 || d.Before.PV == 0) {
				t.Errorf("%+v", d)
			}
		}
	})
}

// TestRecountSomeDays counts one day again and leaves the others, and a mixed
// one where the segment of the morning is gone.
func TestRecountSomeDays(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		segs := threeDays()
		old, rules := anyRules[0], anyRules[5]
		a := old.archived(t, at, segs...)
		check(t, a.Close())
		a = rules.open(t, at)
		fresh, before := rules.archived(t, sqlitePlace(t), segs...), old.archived(t, sqlitePlace(t), segs...)
		const one parser.Day = 20261120
		done, err := a.Recount(t.Context(), rules.recounting(t, one, one, segs...))
		check(t, err)
		for _, table := range []string{"daily_stats", "page_stats", "event_stats", "days", "access_logs"} {
			columns := map[string]string{"access_logs": "site, created_at, page, user_hash, end_offset", "days": "site, dedup, dirty, raw"}[table]
			if columns == "" {
				columns = "*"
			}
			q := "SELECT " + columns + " FROM " + table + " WHERE date %s '2026-11-20' ORDER BY 1, 2, 3"
			wants(t, a, query(t, fresh, fmt.Sprintf(q, "=")), fmt.Sprintf(q, "="))
			wants(t, a, query(t, before, fmt.Sprintf(q, "<>")), fmt.Sprintf(q, "<>"))
		}
		wants(t, a, fmt.Sprint(3*dayLines, "|0"), "SELECT SUM(lines_read), SUM(lines_read - human - bot - dedup - skipped - malformed) FROM segments")
		wants(t, a, query(t, a, "SELECT COUNT(*) FROM access_logs WHERE potential_bot = 0"), "SELECT SUM(human) FROM segments")
		for _, d := range done.Days {
			if d.Day != one {
				t.Errorf("counted again: %+v", d)
			}
		}

		// The rest, without the segment of the morning.
		done, err = a.Recount(t.Context(), rules.recounting(t, allFrom, allTo, segs[1], segs[2]))
		check(t, err)
		sums := "SELECT * FROM daily_stats ORDER BY date, site"
		wants(t, a, query(t, fresh, sums), sums)
		mixed := 0
		for _, d := range done.Days {
			if d.Lines > 0 && d.Rows > 0 {
				mixed++
			}
		}
		if mixed == 0 || done.Rows == 0 || done.Lines != 2*dayLines {
			t.Errorf("%d mixed days, %d rows, %d lines", mixed, done.Rows, done.Lines)
		}
	})
}

// TestRecountOneSite counts a site again with those that its aliases join it
// with.
func TestRecountOneSite(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		segs := threeDays()
		old := ruleSet{parser: parser.Config{BotAgents: []string{"iPhone"}}}
		rules := ruleSet{parser: parser.Config{Aliases: map[string]string{"a.example": "c.example"}}}
		a := old.archived(t, at, segs...)
		check(t, a.Close())
		a = rules.open(t, at)
		q := rules.recounting(t, allFrom, allTo, segs...)
		q.Site, q.Joined = "c.example", []string{"a.example"}
		_, err := a.Recount(t.Context(), q)
		check(t, err)
		fresh, before := rules.archived(t, sqlitePlace(t), segs...), old.archived(t, sqlitePlace(t), segs...)
		sums := "SELECT * FROM page_stats WHERE site %s 'b.example' ORDER BY site, date, page"
		wants(t, a, query(t, fresh, fmt.Sprintf(sums, "<>")), fmt.Sprintf(sums, "<>"))
		wants(t, a, query(t, before, fmt.Sprintf(sums, "=")), fmt.Sprintf(sums, "="))
	})
}

// endedAtEachStep ends a recount at its first report of progress, the next one
// at its second and so on, until one comes through. After each end it calls
// ended with the number of them, which it returns.
func endedAtEachStep(t *testing.T, a *Archive, q func() Recounting, ended func(ends int)) (ends int) {
	t.Helper()
	for ; ; ends++ {
		if ends > 0 {
			ended(ends)
		}
		ctx, cancel := context.WithCancel(t.Context())
		q, reports := q(), 0
		q.Progress = func(int64, int64) {
			if reports++; reports == ends+1 {
				cancel()
			}
		}
		_, err := a.Recount(ctx, q)
		cancel()
		if err == nil {
			return ends
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
}

// TestRecountEnds is ended after each of its steps and begun again; in between
// every line is there, and what is there is summed up right.
func TestRecountEnds(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		segs := threeDays()
		rules := anyRules[8]
		a := anyRules[0].archived(t, at, segs...)
		check(t, a.Close())
		a = rules.open(t, at)
		fresh := contents(t, rules.archived(t, sqlitePlace(t), segs...))
		q := func() Recounting { return rules.recounting(t, allFrom, allTo, segs...) }
		endedAtEachStep(t, a, q, func(ends int) {
			wants(t, a, fmt.Sprint(3*dayLines), "SELECT SUM(lines_read) FROM segments")
			if ends%4 == 0 {
				_, err := a.RollUp(t.Context())
				check(t, err)
			}
		})
		if contents(t, a) != fresh {
			t.Error("differs from a fresh archive")
		}
	})
}

// TestRecountRefuses days whose raw rows are deleted, unless told otherwise.
func TestRecountRefuses(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		segs := threeDays()
		a := anyRules[0].archived(t, at, segs...)
		check(t, a.Close())
		rules := anyRules[3]
		a = rules.open(t, at, func(o *Options) { o.RawRetentionDays = 2 })
		_, err := a.Retain(t.Context())
		check(t, err)
		sums := "SELECT * FROM page_stats WHERE date < '2026-11-20' ORDER BY site, date, page"
		before, all := query(t, a, sums), contents(t, a)
		q := rules.recounting(t, allFrom, allTo, segs...)
		_, err = a.Recount(t.Context(), q)
		var none *NoRawError
		if !errors.As(err, &none) || len(none.Days) != 2 || contents(t, a) != all {
			t.Fatalf("%v", err)
		}
		q.Force = true
		done, err := a.Recount(t.Context(), q)
		check(t, err)
		if len(done.Left) != 2 {
			t.Errorf("left: %v", done.Left)
		}
		wants(t, a, before, sums)
		fresh := rules.archived(t, sqlitePlace(t), segs...)
		rest := "SELECT * FROM page_stats WHERE date >= '2026-11-20' ORDER BY site, date, page"
		wants(t, a, query(t, fresh, rest), rest)
	})
}

// TestRecountDoubts says what raw rows do not tell.
func TestRecountDoubts(t *testing.T) {
	at := sqlitePlace(t)
	segs := threeDays()
	a := open(t, at, func(o *Options) { o.IPMode = IPMasked })
	run(t, a, segs...)
	check(t, a.Close())
	rules := ruleSet{parser: parser.Config{Aliases: map[string]string{"b.example": "a.example"},
		Blocked: []netip.Prefix{netip.MustParsePrefix("203.0.1.7/32"), netip.MustParsePrefix("203.0.2.0/23")}}}
	a = rules.open(t, at, func(o *Options) { o.IPMode = IPMasked })
	done, err := a.Recount(t.Context(), rules.recounting(t, allFrom, allTo))
	check(t, err)
	if done.Doubts[parser.DoubtAddress] == 0 || done.Doubts[parser.DoubtVisitor] == 0 || done.Doubts[parser.DoubtAgent] != 0 {
		t.Errorf("doubts: %v", done.Doubts)
	}
	wants(t, a, "0|0", "SELECT SUM(CASE WHEN ip IN ('203.0.2.0', '203.0.3.0') THEN 1 ELSE 0 END), SUM(CASE WHEN site = 'b.example' THEN 1 ELSE 0 END) FROM access_logs")
	for d := range done.Doubts {
		if DoubtText(d) == "" {
			t.Errorf("no text for %d", d)
		}
	}
}

// TestRecountFacets: rows that were written without facets get those of now, and nothing
// else changes, though the rules of now would take other views; the second time there is
// nothing to do.
func TestRecountFacets(t *testing.T) {
	segs := threeDays()
	off, err := parser.ParseFacets([]string{"referrer"})
	check(t, err)
	country := func(a netip.Addr) string { return []string{"DE", "CN", ""}[a.As16()[15]%3] }
	before := ruleSet{parser: parser.Config{Off: off}}
	now := ruleSet{parser: parser.Config{Country: country}}
	fresh := ruleSet{parser: parser.Config{Country: country}}.archived(t, sqlitePlace(t), segs...)
	eachPlace(t, func(t *testing.T, at place) {
		a := before.archived(t, at, segs...)
		check(t, a.Close())
		a = now.open(t, at)
		now := now
		q := now.recounting(t, allFrom, allTo, segs...)
		q.Facets = true
		preview, err := a.Recount(t.Context(), dry(q))
		check(t, err)
		done, err := a.Recount(t.Context(), q)
		check(t, err)
		same(t, "facets", a, fresh)
		if done.Lines != 0 || done.Rows == 0 || done.Named != preview.Named || done.Named == 0 {
			t.Errorf("%+v, before that %+v", done, preview)
		}
		again, err := a.Recount(t.Context(), q)
		check(t, err)
		if again.Named != 0 {
			t.Errorf("the second time %d rows", again.Named)
		}
		// A rule that takes views out is not for this command.
		now.parser.BlockedPaths = []string{"*"}
		q = now.recounting(t, allFrom, allTo, segs...)
		q.Facets = true
		_, err = a.Recount(t.Context(), q)
		check(t, err)
		same(t, "facets alone", a, fresh)
	})
}
