package archive

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ddkk-stats/parser"
)

func TestLateSegment(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		day := now.Add(-48 * time.Hour)
		a := open(t, at)
		early := segmentOf("early", view{at: day, page: "/a", addr: "203.0.113.1"}, view{at: day.Add(time.Hour), page: "/b", addr: "203.0.113.2"})
		late := segmentOf("late", view{at: day.Add(time.Minute), page: "/a", addr: "203.0.113.1"}, view{at: day.Add(time.Minute), page: "/c", addr: "203.0.113.3"})
		run(t, a, early)
		var sum Summary
		check(t, a.loadSource(t.Context(), source(t, early, late), nil, &sum))
		wants(t, a, "1", "SELECT dirty FROM days")
		wants(t, a, "2|2", "SELECT pv, uv FROM daily_stats")
		// A snapshot holds all that is archived.
		s, err := a.Snapshot(t.Context(), "a.example")
		check(t, err)
		for d, err := range s.Daily(t.Context(), "a.example", 0, 0) {
			check(t, err)
			if d.PV != 4 || d.UV != 3 {
				t.Errorf("snapshot: %+v", d)
			}
		}
		check(t, s.Close())
		wants(t, a, "0", "SELECT dirty FROM days")
		wants(t, a, "/a|2|1\n/b|1|1\n/c|1|1", "SELECT page, pv, uv FROM page_stats ORDER BY page")
	})
}

// TestSegmentGrows: a worker that could not reopen its log goes on writing.
func TestSegmentGrows(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		a := open(t, at)
		seg := segmentOf("one", view{page: "/a"}, view{page: "/b"})
		whole := seg.data
		line := strings.IndexByte(string(whole), '\n') + 1
		seg.data = whole[:line+20] // its second line is torn
		run(t, a, seg)
		wants(t, a, "1|1|1", "SELECT lines_read, torn, human FROM segments")
		all, err := a.ArchivedSegments(t.Context())
		check(t, err)
		if got := all["one"]; got.Size != int64(line)+20 || got.End != int64(line) {
			t.Errorf("archived: %+v", got)
		}
		seg.data = whole
		if sum := run(t, a, seg); sum.Lines != 1 || sum.Segments != 1 {
			t.Errorf("%+v", sum)
		}
		wants(t, a, "2|0|2", "SELECT lines_read, torn, human FROM segments")
		seg.data = whole[:line]
		if sum := run(t, a, seg); len(sum.Shrunk) != 1 {
			t.Errorf("%+v", sum)
		}
		wants(t, a, "2", "SELECT pv FROM daily_stats")
	})
}

func TestRetention(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		old, recent := now.Add(-20*24*time.Hour), now.Add(-2*24*time.Hour)
		a := open(t, at, func(o *Options) { o.RawRetentionDays = 10 })
		sum := run(t, a, segmentOf("one", view{at: old, addr: "203.0.113.1"}, view{at: old.Add(25 * time.Hour)}, view{at: recent}))
		if sum.Dropped != 2 {
			t.Errorf("%+v", sum)
		}
		wants(t, a, "2026-11-20", "SELECT date FROM access_logs")
		wants(t, a, "2026-11-02|1|1\n2026-11-03|1|1\n2026-11-20|1|1", "SELECT date, pv, uv FROM daily_stats ORDER BY date")
		if at.dsn != "" {
			wants(t, a, "0", "SELECT COUNT(*) FROM information_schema.partitions WHERE table_schema = DATABASE() AND partition_name <= 'p20261111'")
			wants(t, a, "1", "SELECT COUNT(*) FROM information_schema.partitions WHERE table_schema = DATABASE() AND partition_name = 'p20261129'")
		}
		// The same visitor comes late, twice, in one segment: the sums grow once.
		late := segmentOf("late", view{at: old.Add(time.Minute), addr: "203.0.113.1"}, view{at: old.Add(time.Hour), addr: "203.0.113.1", page: "/late"},
			view{at: old, event: "a b"}, view{at: recent})
		for range 2 {
			sum = run(t, a, late)
		}
		if len(sum.Late) != 0 {
			t.Errorf("told again: %+v", sum.Late)
		}
		wants(t, a, "2026-11-02|3|2|1\n2026-11-03|1|1|0\n2026-11-20|2|1|0", "SELECT date, pv, uv, events FROM daily_stats ORDER BY date")
		wants(t, a, "/|2|2\n/late|1|1", "SELECT page, pv, uv FROM page_stats WHERE date = '2026-11-02' ORDER BY page")
		wants(t, a, "a|1|1\na.b|1|1", "SELECT event_key, pv, uv FROM event_stats ORDER BY event_key")
		wants(t, a, "2", "SELECT COUNT(*) FROM access_logs")
		wants(t, a, "0", "SELECT COUNT(*) FROM days WHERE dirty <> 0")
	})
}

// TestRetentionWaitsForDirtyDays: what is not summed up is not deleted.
func TestRetentionWaitsForDirtyDays(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		a := open(t, at, func(o *Options) { o.RawRetentionDays = 10 })
		run(t, a)
		var sum Summary
		check(t, a.loadSource(t.Context(), source(t, segmentOf("one", view{at: now.Add(-20 * 24 * time.Hour)}, view{at: now.Add(-30 * 24 * time.Hour)})), nil, &sum))
		n, err := a.Retain(t.Context())
		check(t, err)
		wants(t, a, "2", "SELECT COUNT(*) FROM access_logs")
		if n != 0 {
			t.Errorf("%d days", n)
		}
		run(t, a)
		wants(t, a, "0", "SELECT COUNT(*) FROM access_logs")
	})
}

// TestDuplicates: across chunks, segments, processes and midnight, in any order.
func TestDuplicates(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		midnight := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
		hourly := func(o *Options) {
			o.ChunkRows = 1
			o.DedupeWindow = func(site string) time.Duration {
				if site == "b.example" {
					return time.Hour
				}
				return 0
			}
		}
		a := open(t, at, hourly)
		run(t, a, segmentOf("one",
			view{at: midnight.Add(time.Hour), id: "x"},
			view{at: midnight.Add(time.Hour + 5*time.Minute), id: "x"},  // again
			view{at: midnight.Add(time.Hour + 10*time.Minute), id: "x"}, // a width later
			view{at: midnight.Add(-time.Minute), site: "b.example"},
			view{at: midnight.Add(time.Minute), site: "b.example"}, // again, the day after
			view{at: midnight.Add(time.Minute), site: "b.example", page: "/other"},
			view{at: midnight.Add(time.Minute), site: "b.example", event: "a"},
			view{at: midnight.Add(2 * time.Minute), site: "b.example", event: "a"},
		))
		b := open(t, at, hourly)
		run(t, b, segmentOf("two",
			view{at: midnight.Add(55 * time.Minute), id: "x"},            // again, earlier
			view{at: midnight.Add(45 * time.Minute), id: "x"},            // too early
			view{at: midnight.Add(-50 * time.Minute), site: "b.example"}, // again, earlier
			view{at: midnight.Add(-61 * time.Minute), site: "b.example"},
		))
		wants(t, a, "one|6|2\ntwo|2|2", "SELECT id, human, dedup FROM segments ORDER BY id")
		wants(t, a, "a.example|2026-11-20|2\nb.example|2026-11-19|1\nb.example|2026-11-20|1", "SELECT site, date, dedup FROM days ORDER BY site, date")
		keys := 0
		for k, err := range a.Read().Recent(t.Context(), "a.example", midnight.Add(time.Hour).UnixMilli()) {
			check(t, err)
			if keys++; !k.HasView || k.HasWindow {
				t.Errorf("%+v", k)
			}
		}
		if keys != 2 {
			t.Errorf("%d keys, want 2", keys)
		}
	})
}

// TestManyPasses: a day that is too large for one pass comes to the same sums.
func TestManyPasses(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		segs := []*memory{segmentOf("one", traffic(1, 600, now.Add(-30*time.Hour), time.Minute)...)}
		want := reference(t, at, segs...)
		a := open(t, at)
		a.foldRows = 50
		run(t, a, segs...)
		diff(t, contents(t, a), want)
	})
}

func TestReaders(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		a := open(t, at)
		day := time.Date(2026, 10, 30, 12, 0, 0, 0, time.UTC) // a Friday
		run(t, a, segmentOf("one",
			view{at: day, addr: "203.0.113.1"}, view{at: day, addr: "203.0.113.1"}, view{at: day, addr: "203.0.113.2"}, view{at: day, gpc: true},
			view{at: day, addr: "203.0.113.4", event: "a b"},
			view{at: day.AddDate(0, 0, 2)}, view{at: day.AddDate(0, 0, 3), site: "b.example"}, view{at: day.AddDate(0, 0, 3)},
		))
		ctx, r := t.Context(), a.Read()
		sites, err := r.Sites(ctx)
		check(t, err)
		if strings.Join(sites, " ") != "a.example b.example" {
			t.Errorf("sites %v", sites)
		}
		visitors, pairs := 0, 0
		for _, err := range r.Visitors(ctx, "a.example", 20261030) {
			check(t, err)
			visitors++
		}
		for range r.Pairs(ctx, "a.example", 20261030) {
			pairs++
		}
		if visitors != 2 || pairs != 4 {
			t.Errorf("%d visitors and %d pairs, want 2 and 4", visitors, pairs)
		}
		for range r.Pairs(ctx, "a.example", 20261030) {
			break // leaving early gives the connection back
		}
		got, err := r.History(ctx, "a.example", "", 0, 20261130)
		check(t, err)
		want := []Point{{20261030, 4, 2}, {20261101, 1, 1}, {20261102, 1, 1}}
		if !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
}

func TestSecretIsKept(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		a := open(t, at)
		f := func(mine, want string) {
			t.Helper()
			got, err := a.ShareSecret(t.Context(), mine)
			check(t, err)
			if got != want {
				t.Errorf("kept %q, want %q", got, want)
			}
		}
		f("", "")
		f("first", "first")
		f("second", "first")
		f("", "first")
	})
}

// TestDaysOfAZone: the day is that of the zone, the time is in UTC.
func TestDaysOfAZone(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		zone := time.FixedZone("east", 14*3600)
		a := open(t, at, func(o *Options) { o.Location = zone })
		p, err := parser.New(parser.Config{Location: zone})
		check(t, err)
		day := time.Date(2026, 11, 20, 0, 30, 0, 0, zone)
		_, err = a.Run(t.Context(), Source{Name: "x", Parser: p, Segments: []Segment{segmentOf("one", view{at: day}, view{at: day.Add(23 * time.Hour)})}})
		check(t, err)
		wants(t, a, "2026-11-20|2026-11-19 10:30:00.000\n2026-11-20|2026-11-20 09:30:00.000", "SELECT date, created_at FROM access_logs ORDER BY created_at")
		wants(t, a, "2026-11-20|2|1", "SELECT date, pv, uv FROM daily_stats")
	})
}
