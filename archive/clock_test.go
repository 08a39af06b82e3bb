package archive

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// clockRig is an archive with a clock of the test's own, and a view each day.
type clockRig struct {
	t   *testing.T
	a   *Archive
	now time.Time
	n   int
}

func newClockRig(t *testing.T, at place, change ...func(*Options)) *clockRig {
	t.Helper()
	r := &clockRig{t: t, now: now.Add(-60 * 24 * time.Hour)}
	r.a = open(t, at, append(change, func(o *Options) {
		o.RawRetentionDays = 10
		o.Now = func() time.Time { return r.now }
	})...)
	return r
}

// night archives some views of a time; zero: an hour ago.
func (r *clockRig) night(views ...time.Time) Summary {
	r.t.Helper()
	if views == nil {
		views = []time.Time{r.now.Add(-time.Hour)}
	}
	var all []view
	for i, at := range views {
		if !at.IsZero() {
			all = append(all, view{at: at, addr: fmt.Sprintf("203.0.113.%d", i)})
		}
	}
	r.n++
	if len(all) == 0 {
		return run(r.t, r.a)
	}
	return run(r.t, r.a, segmentOf(fmt.Sprint("s", r.n), all...))
}

func (r *clockRig) nights(n int) {
	r.t.Helper()
	for range n {
		r.now = r.now.Add(24 * time.Hour)
		if sum := r.night(); sum.Clock != "" && !strings.Contains(sum.Clock, "clocks differ") {
			r.t.Errorf("%v: %s", r.now, sum.Clock)
		}
	}
}

func (r *clockRig) rawDays() string {
	return query(r.t, r.a, "SELECT COUNT(DISTINCT date) FROM access_logs")
}

// TestClockAhead has the clock be years ahead for one cycle, and then right:
// nothing is deleted by it, somebody hears of it, and all goes on.
func TestClockAhead(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		r := newClockRig(t, at)
		r.nights(20)
		rows, right := r.rawDays(), r.now
		if rows != "11" {
			t.Fatalf("%s days", rows)
		}
		r.now = r.now.AddDate(7, 0, 0)
		sum := r.night(right.Add(2*time.Hour), r.now.Add(-time.Minute))
		if sum.Dropped != 0 || !strings.Contains(sum.Clock, "--confirm") || sum.Now.After(right) {
			t.Errorf("%+v", sum)
		}
		if said, err := r.a.ClockTrouble(t.Context()); err != nil || said != sum.Clock {
			t.Errorf("%q, %v", said, err)
		}
		if got := r.rawDays(); got != "12" { // that of 2033 is one more
			t.Errorf("%s days after the jump", got)
		}
		r.now = right
		r.nights(5)
		if got := r.rawDays(); got != "12" {
			t.Errorf("%s days", got)
		}
		if said, err := r.a.ClockTrouble(t.Context()); err != nil || strings.Contains(said, "--confirm") {
			t.Errorf("%q, %v", said, err)
		}
		wants(t, r.a, "27", "SELECT SUM(pv) FROM daily_stats")
	})
}

// TestClockAheadOnAYoungSite: a day's rows are as dear as ninety's.
func TestClockAheadOnAYoungSite(t *testing.T) {
	r := newClockRig(t, sqlitePlace(t))
	r.nights(1)
	right := r.now
	for i := range 3 { // it may stay wrong for some nights
		r.now = right.AddDate(7, 0, i)
		r.night()
	}
	r.now = right
	r.nights(2)
	wants(t, r.a, "3", "SELECT COUNT(*) FROM access_logs WHERE date < '2030-01-01'")
}

// TestClockConfirmed: a machine that was off for a month, with nothing counted.
func TestClockConfirmed(t *testing.T) {
	r := newClockRig(t, sqlitePlace(t))
	r.nights(20)
	r.now = r.now.AddDate(0, 0, 15)
	for range 2 {
		if sum := r.night(time.Time{}); sum.Clock == "" || sum.Dropped != 0 {
			t.Errorf("%+v", sum)
		}
	}
	check(t, r.a.Confirm(t.Context()))
	if sum := r.night(time.Time{}); sum.Clock != "" || sum.Dropped == 0 {
		t.Errorf("%+v", sum)
	}
	wants(t, r.a, "0", "SELECT COUNT(*) FROM access_logs")
}

// TestClockLogGoesOn: the daemon was off for a month and nginx was not, so every
// day is there.
func TestClockLogGoesOn(t *testing.T) {
	r := newClockRig(t, sqlitePlace(t))
	r.nights(20)
	last := r.now
	r.now = r.now.AddDate(0, 0, 30)
	var month []time.Time
	for i := range 30 {
		month = append(month, last.AddDate(0, 0, i+1).Add(-time.Hour))
	}
	if sum := r.night(month...); sum.Clock != "" {
		t.Errorf("%+v", sum)
	}
	if got := r.rawDays(); got != "11" {
		t.Errorf("%s days", got)
	}
}

// TestClockWeekly archives once a week what little there is.
func TestClockWeekly(t *testing.T) {
	r := newClockRig(t, sqlitePlace(t))
	r.a.Every(7)
	for range 5 {
		r.now = r.now.AddDate(0, 0, 7)
		if sum := r.night(); sum.Clock != "" {
			t.Errorf("%v: %s", r.now, sum.Clock)
		}
	}
	if got := r.rawDays(); got != "2" {
		t.Errorf("%s days", got)
	}
}

// TestClockOfAnother: of two hosts on one database one is years ahead. The other
// clocks are asked.
func TestClockOfAnother(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		r := newClockRig(t, at)
		r.nights(20)
		right, rows := r.now, r.rawDays()
		b := open(t, at, func(o *Options) {
			o.RawRetentionDays = 10
			o.Now = func() time.Time { return right.AddDate(7, 0, 0) }
			o.Clocks = []Clock{{"Redis", func(context.Context) (time.Time, error) { return right, nil }},
				{"a friend", func(context.Context) (time.Time, error) { return time.Time{}, errors.New("away") }}}
		})
		sum := run(t, b)
		if sum.Dropped != 0 || !strings.Contains(sum.Clock, "clocks differ") || !sum.Now.Equal(right) {
			t.Errorf("%+v", sum)
		}
		if got := r.rawDays(); got != rows {
			t.Errorf("%s days, were %s", got, rows)
		}
	})
}

// TestClockBehind deletes nothing new, and says so until it is right again.
func TestClockBehind(t *testing.T) {
	r := newClockRig(t, sqlitePlace(t))
	r.nights(20)
	right := r.now
	r.now = time.Unix(0, 0)
	if sum := r.night(time.Time{}); sum.Clock == "" || sum.Dropped != 0 {
		t.Errorf("%+v", sum)
	}
	r.now = right
	r.nights(3)
	if got := r.rawDays(); got != "11" {
		t.Errorf("%s days", got)
	}
}

// TestFloorGoesBack begins where an earlier version left an archive: its floor is
// of 2033. Days keep their rows again, and those whose rows are gone keep their sums.
func TestFloorGoesBack(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		r := newClockRig(t, at)
		r.nights(20)
		floor, err := r.a.moveFloor(t.Context(), rawRowsKept, 20330101)
		check(t, err)
		_, err = r.a.deleteMarked(t.Context(), floor)
		check(t, err)
		wants(t, r.a, "0", "SELECT COUNT(*) FROM access_logs")
		late := r.now.Add(-3*24*time.Hour - time.Hour)
		r.now = r.now.Add(24 * time.Hour)
		sum := r.night(r.now.Add(-time.Hour), late)
		if len(sum.Late) != 1 || sum.Clock != "" && !strings.Contains(sum.Clock, "clocks differ") {
			t.Errorf("%+v", sum)
		}
		r.nights(15)
		if got := r.rawDays(); got != "11" {
			t.Errorf("%s days", got)
		}
		wants(t, r.a, "37", "SELECT SUM(pv) FROM daily_stats")
		wants(t, r.a, "2", "SELECT pv FROM daily_stats WHERE date = ?", late.Format(dateLayout))
		days, err := r.a.Read().RawDays(t.Context(), "a.example", 0)
		check(t, err)
		if len(days) != 11 {
			t.Errorf("days that can be verified: %v", days)
		}
	})
}
