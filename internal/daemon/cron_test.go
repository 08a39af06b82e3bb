package daemon

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"ddkk-stats/internal/config"
)

// jobRig is a timetable of one job with a clock of the test's own: it stands
// still until the loop waits, and then goes to where the loop wants to be woken.
type jobRig struct {
	now   time.Time
	until time.Time
	jump  map[string]time.Duration // at a time: how far the clock is set
	runs  []string
	fail  int // runs that fail
	job   *scheduledJob
}

func newJobRig(t *testing.T, text, from, until string) *jobRig {
	t.Helper()
	when, err := config.ParseSchedule(text)
	if err != nil {
		t.Fatal(err)
	}
	r := &jobRig{jump: map[string]time.Duration{}}
	for at, s := range map[*time.Time]string{&r.now: from, &r.until: until} {
		if *at, err = time.Parse(time.DateTime, s); err != nil {
			t.Fatal(err)
		}
	}
	r.job = &scheduledJob{name: "test", changed: make(chan config.Schedule, 1), run: func(context.Context) error {
		r.runs = append(r.runs, r.now.Format("02 15:04"))
		if r.fail > 0 {
			r.fail--
			return errors.New("SQL is away")
		}
		return nil
	}}
	r.job.changed <- when
	return r
}

// pass lets time go by until it is over.
func (r *jobRig) pass(t *testing.T, want ...string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	c := &timetable{zone: time.UTC, log: slog.New(slog.DiscardHandler), now: func() time.Time { return r.now }, jobs: []*scheduledJob{r.job}}
	c.after = func(d time.Duration) <-chan time.Time {
		ready := make(chan time.Time, 1)
		r.now = r.now.Add(max(d, time.Millisecond))
		for at, by := range r.jump {
			if r.now.Format(time.DateTime) >= at {
				r.now = r.now.Add(by)
				delete(r.jump, at)
			}
		}
		if !r.now.Before(r.until) && len(r.jump) == 0 {
			stop()
			return nil
		}
		ready <- r.now
		return ready
	}
	c.run(ctx)
	if !slices.Equal(r.runs, want) {
		t.Errorf("runs: %v, want %v", r.runs, want)
	}
}

const daily = "0 3 * * *"

func TestJobRunsDaily(t *testing.T) {
	newJobRig(t, daily, "2026-11-01 12:00:00", "2026-11-04 12:00:00").pass(t, "02 03:00", "03 03:00", "04 03:00")
}

// A job that fails is tried again, later each time, until it works.
func TestJobIsTriedAgain(t *testing.T) {
	r := newJobRig(t, daily, "2026-11-01 12:00:00", "2026-11-03 12:00:00")
	r.fail = 3
	r.pass(t, "02 03:00", "02 03:05", "02 03:15", "02 03:35", "03 03:00")
}

// What was missed while the daemon was down runs once, as soon as it is known.
func TestJobWasMissed(t *testing.T) {
	for _, c := range []struct {
		name, last string
		want       []string
	}{
		{"three nights", "2026-10-29 03:00:07", []string{"01 12:00", "02 03:00"}},
		{"none", "2026-11-01 03:00:07", []string{"02 03:00"}},
		{"never done", "", []string{"02 03:00"}},
	} {
		r := newJobRig(t, daily, "2026-11-01 12:00:00", "2026-11-02 12:00:00")
		looks := 0
		r.job.last = func() (last time.Time, known bool) {
			if looks++; looks < 5 {
				return last, false // SQL is away
			}
			if c.last != "" {
				var err error
				if last, err = time.Parse(time.DateTime, c.last); err != nil {
					t.Fatal(err)
				}
			}
			return last, true
		}
		t.Run(c.name, func(t *testing.T) { r.pass(t, c.want...) })
	}
}

// A clock that is set ahead for years and back again has a job run once for the
// jump, and then at its times.
func TestJobWhileTheClockJumps(t *testing.T) {
	r := newJobRig(t, daily, "2026-11-01 12:00:00", "2026-11-03 12:00:00")
	r.jump["2026-11-01 13:00:00"] = 7 * 365 * 24 * time.Hour
	r.jump["2033-10-30 14:00:00"] = -7 * 365 * 24 * time.Hour
	r.pass(t, "30 13:00", "02 03:00", "03 03:00")
}

// A job that is off never runs, and begins when the settings say so.
func TestJobThatIsOff(t *testing.T) {
	newJobRig(t, "off", "2026-11-01 12:00:00", "2026-11-02 12:00:00").pass(t)
}
