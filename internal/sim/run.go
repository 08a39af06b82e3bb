package sim

import (
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// outcome is what came of a schedule.
type outcome struct {
	failure string // empty: all is as it must be
	strikes map[string]int
	asked   int // exchanges with Redis
}

// epoch is the day on which schedules begin.
var epoch = time.Date(2026, time.November, 29, 0, 0, 0, 0, time.UTC)

// play runs a schedule in a bubble: time stands still while anything is done, and
// jumps to the next moment at which something happens.
func play(t *testing.T, m *rig, s *schedule, log *slog.Logger) (out outcome) {
	t.Helper()
	dir, err := os.MkdirTemp(tempDir(), "sim")
	if err != nil {
		return outcome{failure: err.Error()}
	}
	defer os.RemoveAll(dir)
	synctest.Test(t, func(*testing.T) {
		loc, err := time.LoadLocation(s.Zone)
		if err != nil {
			out.failure = err.Error()
			return
		}
		time.Sleep(time.Until(m.epoch.AddDate(0, 0, s.Day).Add(time.Duration(s.Clock) * time.Second)))
		w := &world{sch: s, dir: dir, log: log, ledger: &ledger{loc: loc, window: s.Window > 0, uniques: int(s.Uniques)}, strikes: map[string]int{}, views: map[string]*hit{}, parsers: newParsers(), empty: m.empty}
		w.ledger.logged(s.Views)
		w.store, w.index = newStore(m.mini, m.lua, w.strike), newIndex(w.strike)
		w.store.tap = m.tap
		w.store.script.kept = slices.ContainsFunc(s.Steps, func(st step) bool { return st.Do == doReplay })
		if err := w.setup(); err != nil {
			out.failure = err.Error()
			return
		}
		err = w.run()
		out = outcome{failure: w.failed(), strikes: maps.Clone(w.strikes), asked: w.store.asked}
		if err != nil && out.failure == "" {
			out.failure = fmt.Sprintf("simulation: %v", err)
		}
	})
	return out
}

// rig is what schedules use one after the other, made outside of their bubbles.
type rig struct {
	mini  *miniredis.Miniredis
	lua   *scripting
	empty template
	epoch time.Time                                   // the day on which schedules begin
	tap   func(c *conn, args []string, answer string) // see store
}

func newRig() (*rig, error) {
	m, err := newMini()
	if err != nil {
		return nil, err
	}
	lua, err := newScripting()
	if err != nil {
		return nil, err
	}
	empty, err := newTemplate()
	return &rig{mini: m, lua: lua, empty: empty, epoch: epoch}, err
}

func (r *rig) close() {
	r.lua.close()
	r.mini.Close()
}

// tempDir is in memory where there is such a folder.
func tempDir() string {
	if fi, err := os.Stat("/dev/shm"); err == nil && fi.IsDir() {
		return "/dev/shm"
	}
	return ""
}
