package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// checkNow is the clock of the checks' tests.
var checkNow = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// newCheckup is one with a DATA_DIR of its own and no logrotate on the machine.
func newCheckup(t *testing.T, env map[string]string, hosts ...string) *checkup {
	t.Helper()
	all := map[string]string{"DATA_DIR": t.TempDir(), "TIMEZONE": "UTC"}
	for k, v := range env {
		all[k] = v
	}
	return &checkup{cfg: mustLoad(t, all, ""), hosts: hosts, now: func() time.Time { return checkNow }}
}

// wantFinding looks for a finding of this level about this thing whose text
// has all of the words.
func wantFinding(t *testing.T, all []finding, l level, what string, words ...string) {
	t.Helper()
next:
	for _, f := range all {
		if f.level != l || f.what != what {
			continue
		}
		for _, w := range words {
			if !strings.Contains(f.text, w) {
				continue next
			}
		}
		return
	}
	t.Errorf("no %s about %s with %q in %v", l, what, words, all)
}

func wantNothingWorse(t *testing.T, all []finding, than level) {
	t.Helper()
	for _, f := range all {
		if f.level > than {
			t.Errorf("%s about %s: %s", f.level, f.what, f.text)
		}
	}
}

func writeTestFile(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask is
		t.Fatal(err)
	}
}

func TestReport(t *testing.T) {
	var b strings.Builder
	err := report(&b, []finding{fine("PORT", "is free"), poor("SITES", "is empty; list yours")})
	want := "ok    PORT   is free\nwarn  SITES  is empty; list yours\n1 ok, 1 warn, 0 fail\n"
	if err != nil || b.String() != want {
		t.Errorf("got %q, %v", b.String(), err)
	}
	b.Reset()
	if err := report(&b, []finding{bad("PORT", "is taken")}); !errors.Is(err, errQuiet) {
		t.Errorf("a failed check: got %v", err)
	}
	if err := report(brokenWriter{}, []finding{fine("a", "b")}); err == nil || errors.Is(err, errQuiet) {
		t.Errorf("a report that could not be written: got %v", err)
	}
}

func TestBadConfigIsReportedLineByLine(t *testing.T) {
	_, err := load(t, map[string]string{"PORT": "x", "LOG_LEVEL": "loud"}, "")
	all := badConfig(err)
	wantFinding(t, all, levelFail, "PORT", "not a number")
	wantFinding(t, all, levelFail, "LOG_LEVEL", "loud")
	wantFinding(t, badConfig(errors.New("no such file")), levelFail, "configuration", "no such file")
}

// A machine where everything is as the README says has nothing to complain of
// but what the defaults leave open.
func TestCheckOfAFreshMachine(t *testing.T) {
	c := newCheckup(t, map[string]string{"SITES": "ddkk.com", "PORT": freePort(t)})
	all := c.run(context.Background())
	wantNothingWorse(t, all, levelOK)
	wantFinding(t, all, levelOK, "REDIS_ADDR", "embedded")
	wantFinding(t, all, levelOK, "PORT", "free")
}

func TestCheckCommandFailsQuietly(t *testing.T) {
	t.Setenv("PORT", "x")
	var out, errs strings.Builder
	if status := run([]string{"check"}, &out, &errs); status != 1 || errs.Len() > 0 {
		t.Errorf("status %d, stderr %q", status, errs.String())
	}
	if !strings.Contains(out.String(), "fail  PORT") {
		t.Errorf("printed %q", out.String())
	}
}
