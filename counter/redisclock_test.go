package counter

import (
	"context"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"ddkk-stats/counter/keys"
	"ddkk-stats/parser"
)

// A host whose clock is weeks from Redis': when keys die is for Redis to say, so all that is
// counted of today is there, and nothing is taken for lost.
func TestClockThatIsWrong(t *testing.T) {
	t.Parallel()
	for _, off := range []time.Duration{30 * 24 * time.Hour, -30 * 24 * time.Hour} {
		t.Run(off.String(), func(t *testing.T) {
			r := newRig(t, readClient(t, startReadServer(t).addr()))
			r.opt.Now = func() time.Time { return time.Now().Add(off) }
			r.opt.Scrub = 50 * time.Millisecond
			hits := randomHits(rand.New(rand.NewPCG(5, 6)), 200, 10)
			var right []testHit // by a clock that is right
			for _, h := range hits {
				h.at = time.Now().Add(-time.Minute).Truncate(time.Millisecond)
				right = append(right, h)
			}
			r.start()
			r.log.write("a", lines(right[:100])...)
			r.await()
			r.log.write("a", lines(right[100:])...)
			r.await()
			rounds := r.in.Stats().ScrubRounds
			eventually(t, func() bool { return r.in.Stats().ScrubRounds > rounds+1 && maps.Equal(tallyUp(right), dump(t, r.rdb)) }, func() { r.check(right) })
			if n := r.in.Stats().Rebuilds; n > 0 {
				t.Errorf("%d rebuilds", n)
			}
			r.stop()
		})
	}
}

// What a clock that was ahead counted of a day to come is remembered on that day.
func TestVisitorsOfADayToCome(t *testing.T) {
	r := newRig(t, readClient(t, startReadServer(t).addr()))
	at := time.Now().UTC().AddDate(0, 1, 0).Truncate(time.Second)
	h := testHit{at: at, site: "s.example", page: "/x", agent: "Mozilla/5.0 (X11; Linux x86_64; rv:1.0) Firefox/140.0", id: "0123456789abcdef"}
	r.start()
	r.log.write("a", h.line())
	r.await()
	r.stop()
	d := parser.DayOf(at)
	for _, key := range []string{r.opt.Keys.Visitors(h.site, d), r.opt.Keys.Pairs(h.site, d), r.opt.Keys.Seen(h.site, RuleID, at.UnixMilli()/DefaultIDWindow.Milliseconds())} {
		dies, err := r.rdb.ExpireTime(t.Context(), key).Result()
		if until := at.Add(24 * time.Hour); err != nil || time.Unix(0, 0).Add(dies).Before(until) {
			t.Errorf("%s dies at %v, before %v: %v", key, time.Unix(0, 0).Add(dies).UTC(), until, err)
		}
	}
}

type historyOfBots struct{ History }

func (historyOfBots) Segments(context.Context, string) (map[string]int64, error) {
	return map[string]int64{"old": 1}, nil
}

func (historyOfBots) Days(_ context.Context, _ string, row func(DayTotals) error) error {
	return row(DayTotals{Day: parser.DayOf(time.Now().UTC()), Bot: 3})
}

// The first view of a day of which the archive has bots alone is no sign of a loss.
func TestFirstViewAfterARestoreOfBots(t *testing.T) {
	r := newRig(t, readClient(t, startReadServer(t).addr()))
	restorer := Restorer{Redis: r.rdb, Keys: r.opt.Keys, Location: time.UTC, Now: time.Now, UVSetTTL: 72 * time.Hour, Uniques: parser.UniquesMonth}
	site := "s.example"
	run := &restoring{Restorer: &restorer, sender: newSender(t.Context(), r.rdb, nil), made: newMadeNotes(0), site: site}
	if err := run.days(historyOfBots{}); err != nil {
		t.Fatal(err)
	}
	if err := run.flush(); err != nil {
		t.Fatal(err)
	}
	today := parser.DayOf(time.Now().UTC())
	if n := r.rdb.Exists(t.Context(), r.opt.Keys.SitePVDay(site, today)).Val(); n != 0 {
		t.Error("the views of the day are kept though there are none: the first one to come is taken for a loss")
	}
	if letters := run.made.letters[keys.Day(today)]; letters != keys.MarkBooks {
		t.Errorf("the day is noted to have %q, want %q", letters, keys.MarkBooks)
	}
}
