package doctor

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"ddkk-stats/internal/config/configtest"
)

// checkNow is the clock of the checks' tests.
var checkNow = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// newCheckup is one with a DATA_DIR of its own and no logrotate on the machine.
func newCheckup(t *testing.T, env map[string]string, hosts ...string) *Checkup {
	t.Helper()
	all := map[string]string{"DATA_DIR": t.TempDir(), "TIMEZONE": "UTC"}
	for k, v := range env {
		all[k] = v
	}
	return &Checkup{Cfg: configtest.Load(t, all, ""), Hosts: hosts, Now: func() time.Time { return checkNow }}
}

// wantFinding looks for a finding of this level about this thing whose text
// has all of the words.
func wantFinding(t *testing.T, all []Finding, l level, what string, words ...string) {
	t.Helper()
next:
	for _, f := range all {
		if f.Level != l || f.What != what {
			continue
		}
		for _, w := range words {
			if !strings.Contains(f.Text, w) {
				continue next
			}
		}
		return
	}
	t.Errorf("no %s about %s with %q in %v", l, what, words, all)
}

func wantNothingWorse(t *testing.T, all []Finding, than level) {
	t.Helper()
	for _, f := range all {
		if f.Level > than {
			t.Errorf("%s about %s: %s", f.Level, f.What, f.Text)
		}
	}
}

func TestBadConfigIsReportedLineByLine(t *testing.T) {
	_, err := configtest.Read(t, map[string]string{"PORT": "x", "LOG_LEVEL": "loud"}, "")
	all := BadConfig(err)
	wantFinding(t, all, LevelFail, "PORT", "not a number")
	wantFinding(t, all, LevelFail, "LOG_LEVEL", "loud")
	wantFinding(t, BadConfig(errors.New("no such file")), LevelFail, "configuration", "no such file")
}

// A machine where everything is as the README says has nothing to complain of
// but what the defaults leave open.
func TestCheckOfAFreshMachine(t *testing.T) {
	c := newCheckup(t, map[string]string{"SITES": "ddkk.com", "PORT": freePort(t)})
	all := c.Run(context.Background())
	wantNothingWorse(t, all, LevelOK)
	wantFinding(t, all, LevelOK, "REDIS_ADDR", "embedded")
	wantFinding(t, all, LevelOK, "PORT", "free")
}
