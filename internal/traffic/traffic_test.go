package traffic

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strconv"
	"testing"
	"time"

	"ddkk-stats/internal/once"
)

// rig is a host that watches a world.
type rig struct {
	t       *testing.T
	world   *world
	ledger  *ledger
	host    string
	watcher *Watcher
	told    []Alarm
	fail    bool
}

func newRig(t *testing.T, w *world) *rig {
	r := &rig{t: t, world: w, ledger: &ledger{notes: map[string]string{}}, host: "host1"}
	r.restart()
	return r
}

// restart forgets all but what SQL has.
func (r *rig) restart() {
	r.watcher = NewWatcher(r.world, once.NewTeller(r.host, func() time.Time { return r.world.now }), r.world.zone, slog.New(slog.DiscardHandler))
}

func (r *rig) look() error {
	both := func(string) (bool, bool) { return true, true }
	return r.watcher.Look(r.t.Context(), r.world.now, r.ledger, both, []Channel{{Name: "w", Tell: func(_ context.Context, a Alarm) error {
		if r.fail {
			return errors.New("away")
		}
		r.told = append(r.told, a)
		return nil
	}}})
}

// pass looks every step until a time.
func (r *rig) pass(to time.Time, step time.Duration) {
	r.t.Helper()
	for ; r.world.now.Before(to); r.world.now = r.world.now.Add(step) {
		if err := r.look(); err != nil {
			r.t.Fatal(err)
		}
	}
}

// TestYear: a year of three sites with weekdays, nights, growth, holidays, changes of
// clocks and chance, and one silence and one spike: these are told within an hour, once,
// and that they are over; nothing else is. The daemon is restarted each day.
func TestYear(t *testing.T) {
	seeds := []uint64{2} // TRAFFIC_SEEDS=n tries as many
	if n, err := strconv.ParseUint(os.Getenv("TRAFFIC_SEEDS"), 10, 64); err == nil {
		for seeds = nil; n > 0; n-- {
			seeds = append(seeds, n)
		}
	}
	for _, seed := range seeds {
		from := time.Date(2026, 11, 1, 5, 0, 0, 0, time.UTC)
		begin, end := from.AddDate(0, 0, 60), from.AddDate(0, 0, 60+365)
		w := newWorld(t, "America/New_York", from, end, seed, map[string]rate{"busy.example": people(4000), "middle.example": people(300), "small.example": people(6)})
		silence := time.Date(2027, 4, 14, 18, 7, 0, 0, time.UTC) // a Wednesday's afternoon
		spike := time.Date(2027, 8, 7, 14, 41, 0, 0, time.UTC)   // a Saturday's morning
		w.change("middle.example", silence, 5*time.Hour, 0)
		w.change("busy.example", spike, 3*time.Hour, 8)
		r := newRig(t, w)
		w.now = begin
		for day := begin; day.Before(end.Add(-24 * time.Hour)); day = day.AddDate(0, 0, 1) {
			step := 10 * time.Minute
			if day.YearDay() == silence.YearDay() || day.YearDay() == spike.YearDay() {
				step = 2 * time.Minute
			}
			r.pass(day.AddDate(0, 0, 1), step)
			r.restart()
		}
		want := []struct {
			site string
			kind Kind
			over bool
			at   time.Time
		}{
			{"middle.example", Silence, false, silence}, {"middle.example", Silence, true, silence.Add(5 * time.Hour)},
			{"busy.example", Spike, false, spike}, {"busy.example", Spike, true, spike.Add(3 * time.Hour)},
		}
		if len(r.told) != len(want) {
			t.Errorf("seed %d: %d alarms, want %d: %+v", seed, len(r.told), len(want), r.told)
			continue
		}
		for i, x := range want {
			a := r.told[i]
			if a.Site != x.site || a.Kind != x.kind || a.Over != x.over {
				t.Errorf("seed %d: %+v, want %+v", seed, a, x)
			}
			if late := a.Since.Sub(x.at); !x.over && (late < 0 || late > time.Hour) {
				t.Errorf("seed %d: %s of %s told %v after it began", seed, a.Kind, a.Site, late)
			}
			t.Logf("seed %d: %v", seed, a)
		}
	}
}

// TestToldOnce: a silence that begins, lasts over restarts and hosts, and whose receiver is
// away at first, is told once, and that it is over once.
func TestToldOnce(t *testing.T) {
	from := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	w := newWorld(t, "UTC", from, from.AddDate(0, 0, 40), 3, map[string]rate{"a.example": people(1000)})
	silence := time.Date(2026, 12, 2, 12, 0, 0, 0, time.UTC)
	w.change("a.example", silence, 6*time.Hour, 0)
	r := newRig(t, w)
	r.fail = true
	failed := false
	for w.now = silence; w.now.Before(silence.Add(time.Hour)); w.now = w.now.Add(2 * time.Minute) {
		failed = r.look() != nil || failed
	}
	if !failed || len(r.told) > 0 {
		t.Fatalf("failed %v, told %v", failed, r.told)
	}
	r.fail = false
	r.restart() // killed while it could not tell
	r.pass(silence.Add(2*time.Hour), 2*time.Minute)
	if len(r.told) != 1 || r.told[0].Kind != Silence || r.told[0].Over || r.told[0].Since.Sub(silence) > time.Hour {
		t.Fatalf("told %+v", r.told)
	}
	began := r.told[0].Since
	r.restart()
	r.pass(silence.Add(3*time.Hour), 2*time.Minute)
	r.host = "host2" // beside it, or in its place
	r.restart()
	r.pass(silence.Add(8*time.Hour), 2*time.Minute)
	if len(r.told) != 2 || !r.told[1].Over || r.told[1].Kind != Silence || !r.told[1].Since.Equal(began) {
		t.Errorf("told %+v", r.told)
	}
}

// TestTooNew: a site of two weeks has no alarms, whatever it does.
func TestTooNew(t *testing.T) {
	from := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	w := newWorld(t, "UTC", from, from.AddDate(0, 0, 15), 3, map[string]rate{"a.example": people(1000)})
	w.change("a.example", from.AddDate(0, 0, 13), 5*time.Hour, 0)
	w.change("a.example", from.AddDate(0, 0, 14), 5*time.Hour, 10)
	r := newRig(t, w)
	w.now = from.Add(2 * time.Hour)
	r.pass(from.AddDate(0, 0, 15), 20*time.Minute)
	if len(r.told) > 0 {
		t.Errorf("told %+v", r.told)
	}
}
