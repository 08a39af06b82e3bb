package archive

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ddkk-stats/parser"
)

// callSet is what calls are counted by.
type callSet struct {
	parser           parser.Config
	endpoints, users int
}

func (s callSet) open(t testing.TB, at place) *Archive {
	t.Helper()
	return open(t, at, func(o *Options) { o.MaxEndpoints, o.MaxUsers = cmp.Or(s.endpoints, 1000), cmp.Or(s.users, 1000) })
}

func (s callSet) source(t testing.TB, segments ...*memory) Source {
	t.Helper()
	p, err := parser.New(s.parser)
	check(t, err)
	src := Source{Name: "host:/log/api.log", Parser: p}
	for _, m := range segments {
		src.Segments = append(src.Segments, m)
	}
	return src
}

func (s callSet) archived(t testing.TB, at place, segments ...*memory) *Archive {
	t.Helper()
	a := s.open(t, at)
	_, err := a.Run(t.Context(), s.source(t, segments...))
	check(t, err)
	return a
}

func (s callSet) recounting(t testing.TB, from, to parser.Day, segments ...*memory) Recounting {
	t.Helper()
	return Recounting{From: from, To: to, Calls: []Source{s.source(t, segments...)}, Rows: newParser(t)}
}

// recounted opens an archive by the rules and counts again.
func (s callSet) recounted(t testing.TB, at place, q Recounting) (*Archive, Recounted) {
	t.Helper()
	a := s.open(t, at)
	done, err := a.Recount(t.Context(), q)
	check(t, err)
	return a, done
}

var callSets = []callSet{
	{parser: parser.Config{Calls: &parser.CallRules{}}},
	{parser: parser.Config{Calls: &parser.CallRules{Routes: []string{"/users/:id", "/orders/*"}, FailedFrom: 400}}, endpoints: 4, users: 1},
	{parser: parser.Config{Calls: &parser.CallRules{UserArg: "n"}, Aliases: map[string]string{"api.example": "b.example"}}, users: 7},
	{parser: parser.Config{Calls: &parser.CallRules{}, Sites: []string{"other.example"}}},
}

// callLogs are segments of four days, of which each shares a day with the next.
func callLogs() []*memory {
	from := now.Add(-80 * time.Hour)
	broken := callSegment("api-3", randomCalls(13, 60, from.Add(40*time.Hour), 30*time.Minute)...)
	broken.data = append(broken.data, "v1\tbroken\n"...)
	return []*memory{
		callSegment("api-1", randomCalls(11, 60, from, 25*time.Minute)...),
		callSegment("api-2", randomCalls(12, 60, from.Add(20*time.Hour), 25*time.Minute)...), broken,
	}
}

// callContents is all of the calls that must not depend on how they came there.
func callContents(t testing.TB, a *Archive) string {
	t.Helper()
	return strings.Join([]string{
		query(t, a, "SELECT * FROM api_periods ORDER BY site, period, dimension, name"),
		query(t, a, "SELECT * FROM api_daily ORDER BY site, date, dimension, name"),
		query(t, a, "SELECT site, date, dirty, raw FROM api_days ORDER BY site, date"),
		query(t, a, "SELECT * FROM api_segments ORDER BY segment"),
		query(t, a, "SELECT id, size, read_to, lines_read, skipped, malformed, torn, reasons, first_time, last_time FROM segments ORDER BY id"),
	}, "\n\n")
}

// TestRecountCalls goes from each set of rules to each other, with caps, users
// and sites: what is there afterwards is what a fresh archive has.
func TestRecountCalls(t *testing.T) {
	segs := callLogs()
	var fresh []string
	for _, rules := range callSets {
		fresh = append(fresh, callContents(t, rules.archived(t, sqlitePlace(t), segs...)))
	}
	eachPlace(t, func(t *testing.T, at place) {
		a := callSets[0].archived(t, at, segs...)
		for _, i := range []int{1, 2, 0, 3, 1, 0} {
			rules := callSets[i]
			check(t, a.Close())
			a = rules.open(t, at)
			preview, err := a.Recount(t.Context(), dry(rules.recounting(t, allFrom, allTo, segs...)))
			check(t, err)
			done, err := a.Recount(t.Context(), rules.recounting(t, allFrom, allTo, segs...))
			check(t, err)
			if got := callContents(t, a); got != fresh[i] {
				t.Fatalf("rules %d:\ngot:\n%.1500s\nwant:\n%.1500s", i, got, fresh[i])
			}
			if p, d := fmt.Sprint(preview.Calls), fmt.Sprint(done.Calls); p != d || len(done.Calls) < 4 {
				t.Errorf("dry run:\n%s\ndone:\n%s", p, d)
			}
		}
		pending, err := a.PendingImports(t.Context())
		check(t, err)
		if !slices.Equal(pending, []string{"api.example", "b.example"}) {
			t.Errorf("to be rebuilt: %v", pending)
		}
	})
}

// TestRecountCallsOfGoneSegments leaves days as they are of which a segment is
// gone, names it, and counts the others.
func TestRecountCallsOfGoneSegments(t *testing.T) {
	segs := callLogs()
	eachPlace(t, func(t *testing.T, at place) {
		old, rules := callSets[0], callSets[1]
		a := old.archived(t, at, segs...)
		check(t, a.Close())
		a, done := rules.recounted(t, at, rules.recounting(t, allFrom, allTo, segs[1], segs[2]))
		fresh, before := rules.archived(t, sqlitePlace(t), segs...), old.archived(t, sqlitePlace(t), segs...)
		const sums = "SELECT * FROM api_daily WHERE date %s '2026-11-20' ORDER BY site, date, dimension, name"
		wants(t, a, query(t, before, fmt.Sprintf(sums, "<")), fmt.Sprintf(sums, "<"))
		wants(t, a, query(t, fresh, fmt.Sprintf(sums, ">")), fmt.Sprintf(sums, ">"))
		wants(t, a, "0", "SELECT SUM(s.lines_read - s.skipped - s.malformed - c.calls) FROM segments s JOIN api_segments c ON c.segment = s.id")
		kept := 0
		for _, d := range done.Calls {
			if d.Kept {
				kept++
			}
			if gone := d.Day < 20261120; d.Kept != gone || gone && (!slices.Equal(d.Gone, []string{"/log/event.log.api-1"}) || d.Before != d.After) {
				t.Errorf("%+v", d)
			}
		}
		if kept != 2 || len(done.Calls) != 4 {
			t.Errorf("%d days of %d are kept", kept, len(done.Calls))
		}

		// Without a SITE_LOG nothing is touched.
		all := callContents(t, a)
		q := rules.recounting(t, allFrom, allTo)
		q.Calls = nil
		done, err := a.Recount(t.Context(), q)
		check(t, err)
		if len(done.Calls) != 0 || callContents(t, a) != all {
			t.Errorf("without a log: %v", done.Calls)
		}
	})
}

// TestRecountCallsOfSomeDays counts one day of one site, and days whose periods
// are deleted.
func TestRecountCallsOfSomeDays(t *testing.T) {
	segs := callLogs()
	old := callSegment("api-0", randomCalls(14, 40, now.AddDate(0, 0, -40), time.Hour)...)
	eachPlace(t, func(t *testing.T, at place) {
		rules := callSets[1]
		a := callSets[0].archived(t, at, append(segs, old)...)
		check(t, a.Close())
		const day = "SELECT * FROM api_daily WHERE date %s '2026-11-20' ORDER BY site, date, dimension, name"
		fresh, before := rules.archived(t, sqlitePlace(t), append(segs, old)...), query(t, callSets[0].archived(t, sqlitePlace(t), append(segs, old)...), fmt.Sprintf(day, "<>"))
		q := rules.recounting(t, 20261120, 20261120, append(segs, old)...)
		q.Site = "api.example"
		a, _ = rules.recounted(t, at, q)
		wants(t, a, query(t, fresh, fmt.Sprintf(day, "=")), fmt.Sprintf(day, "="))
		wants(t, a, before, fmt.Sprintf(day, "<>"))
		q.Site, q.From, q.To = "nobody.example", allFrom, allTo
		check(t, a.Close())
		a, done := rules.recounted(t, at, q)
		wants(t, a, before, fmt.Sprintf(day, "<>"))
		if len(done.Calls) != 0 {
			t.Errorf("another site: %v", done.Calls)
		}
		check(t, a.Close())
		a, _ = rules.recounted(t, at, rules.recounting(t, 20261001, allTo, append(segs, old)...))
		if got, want := callContents(t, a), callContents(t, fresh); got != want {
			t.Errorf("all days:\ngot:\n%.1500s\nwant:\n%.1500s", got, want)
		}
	})
}

// TestRecountCallsEnds is ended after each of its steps and run again; each day
// is then as the old rules or as the new ones have it.
func TestRecountCallsEnds(t *testing.T) {
	segs := callLogs()
	rules := callSets[2]
	want := callContents(t, rules.archived(t, sqlitePlace(t), segs...))
	eachPlace(t, func(t *testing.T, at place) {
		check(t, callSets[0].archived(t, at, segs...).Close())
		a := rules.open(t, at)
		q := func() Recounting { return rules.recounting(t, allFrom, allTo, segs...) }
		ends := endedAtEachStep(t, a, q, func(int) {
			wants(t, a, "180", "SELECT SUM(calls) FROM api_daily WHERE dimension = 'total'")
			wants(t, a, "180", "SELECT SUM(calls) FROM api_periods WHERE dimension = 'total'")
		})
		if ends < 7 {
			t.Errorf("it was ended %d times", ends)
		}
		if got := callContents(t, a); got != want {
			t.Errorf("got:\n%.1500s\nwant:\n%.1500s", got, want)
		}
	})
}
