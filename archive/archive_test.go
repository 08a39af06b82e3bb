package archive

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestNumbers(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		a := open(t, at)
		day := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
		sum := run(t, a, segmentOf("one",
			view{at: day, addr: "203.0.113.1", page: "/a"},
			view{at: day.Add(time.Second), addr: "203.0.113.1", page: "/a"},
			view{at: day.Add(2 * time.Second), addr: "203.0.113.2", page: "/a"},
			view{at: day.Add(3 * time.Second), addr: "203.0.113.2", page: "/b", agent: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Mobile"},
			view{at: day.Add(4 * time.Second), addr: "203.0.113.3", page: "/b", gpc: true},
			view{at: day.Add(5 * time.Second), page: "/b", agent: "Googlebot/2.1"},
			view{at: day.Add(6 * time.Second), addr: "203.0.113.1", event: "play video intro"},
			view{at: day.Add(7 * time.Second), addr: "203.0.113.1", event: "play video"},
			view{at: day.Add(8 * time.Second), addr: "203.0.113.2", event: "play"},
			view{at: day.Add(9 * time.Second), event: "play", agent: "Googlebot/2.1"},
			view{at: day.Add(10 * time.Second), addr: "203.0.113.9", page: "/c", id: "x"},
			view{at: day.Add(11 * time.Second), addr: "203.0.113.9", page: "/c", id: "x"},
			view{raw: "junk"},
			view{at: day.Add(24 * time.Hour), addr: "203.0.113.1", page: "/a", site: "b.example"},
		))
		if sum.Segments != 1 || sum.Lines != 14 || sum.Rows != 12 || sum.Days != 2 {
			t.Errorf("summary: %+v", sum)
		}
		wants(t, a, "2026-11-20|a.example|6|4|5|1|1|3|1\n2026-11-21|b.example|1|1|1|0|0|0|0", "SELECT * FROM daily_stats ORDER BY date")
		wants(t, a, "/a|3|2|0\n/b|2|1|1\n/c|1|1|0", "SELECT page, pv, uv, pv_bot FROM page_stats WHERE site = 'a.example' ORDER BY page")
		wants(t, a, "play|3|2\nplay.video|2|1\nplay.video.intro|1|1", "SELECT event_key, pv, uv FROM event_stats ORDER BY event_key")
		wants(t, a, `14|10|2|1|0|1|0|{"version":1}|2026-11-20 10:00:00.000`,
			"SELECT lines_read, human, bot, dedup, skipped, malformed, torn, reasons, first_time FROM segments")
		wants(t, a, "a.example|2026-11-20|0|1", "SELECT site, date, dirty, dedup FROM days WHERE dedup > 0")
	})
}

func TestTwice(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		a := open(t, at, func(o *Options) { o.ChunkRows = 200 })
		segs := []*memory{segmentOf("one", traffic(1, 900, now.Add(-72*time.Hour), time.Minute)...), segmentOf("two", traffic(2, 500, now.Add(-60*time.Hour), time.Minute)...)}
		first := run(t, a, segs...)
		was := contents(t, a)
		if sum := run(t, a, segs...); sum.Lines != 0 || sum.Segments != 0 || sum.Days != 0 {
			t.Errorf("the second run did something: %+v", sum)
		}
		// From another process, in other chunks.
		b := open(t, at)
		run(t, b, segs...)
		if contents(t, b) != was {
			t.Error("the second run changed something")
		}
		// All at once in a database of its own.
		if at.dsn != "" {
			at = mariaPlace(t)
		} else {
			at = sqlitePlace(t)
		}
		c := open(t, at)
		if other := run(t, c, segs...); other.Rows != first.Rows || other.Lines != 1400 {
			t.Errorf("%+v, in chunks %+v", other, first)
		}
		diff(t, contents(t, c), was)
	})
}

// diff fails with the first line that differs.
func diff(t testing.TB, got, want string) {
	t.Helper()
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(w)) {
		if i >= len(g) || i >= len(w) || g[i] != w[i] {
			t.Errorf("line %d of %d, want %d lines:\ngot  %q\nwant %q", i, len(g), len(w), g[min(i, len(g)-1)], w[min(i, len(w)-1)])
			return
		}
	}
}

func TestTwoAtOnce(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		segs := []*memory{segmentOf("one", traffic(1, 800, now.Add(-72*time.Hour), time.Minute)...), segmentOf("two", traffic(2, 800, now.Add(-72*time.Hour), time.Minute)...)}
		small := func(o *Options) { o.ChunkRows = 100 }
		a, b := open(t, at, small), open(t, at, small)
		// Without the lock, as on a cluster that has none.
		var wg sync.WaitGroup
		errs := make([]error, 2)
		for i, x := range []*Archive{a, b} {
			src := source(t, segs...)
			wg.Go(func() {
				var sum Summary
				errs[i] = x.run(t.Context(), []Source{src}, &sum)
			})
		}
		wg.Wait()
		check(t, errors.Join(errs...))
		got := contents(t, a)
		var fresh place
		if at.dsn != "" {
			fresh = mariaPlace(t)
		} else {
			fresh = sqlitePlace(t)
		}
		c := open(t, fresh)
		run(t, c, segs...)
		diff(t, got, contents(t, c))
	})
}

func TestLockedOut(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		a, b := open(t, at), open(t, at)
		unlock, ok, err := a.dialect.lock(t.Context(), "archive", false)
		check(t, err)
		if !ok {
			t.Fatal("not locked")
		}
		if _, err := b.Run(t.Context()); !errors.Is(err, ErrLocked) {
			t.Errorf("run beside another: %v", err)
		}
		check(t, unlock())
		if _, err := b.Run(t.Context()); err != nil {
			t.Errorf("run after the other: %v", err)
		}
	})
}
