package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ddkk-stats/internal/alert"
	"ddkk-stats/parser"
)

// alertRig is an alerter with figures and a clock of the test's own.
type alertRig struct {
	*alerter
	t   *testing.T
	now time.Time
	v   vitals
	got []string
}

func newAlertRig(t *testing.T) *alertRig {
	r := &alertRig{t: t, now: time.Unix(1_700_000_000, 0), v: vitals{redis: true}}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		var m alert.Message
		if err := json.NewDecoder(req.Body).Decode(&m); err != nil {
			t.Error(err)
		}
		r.got = append(r.got, fmt.Sprintf("%s %v", m.Name, m.Resolved))
	}))
	t.Cleanup(server.Close)
	r.alerter = &alerter{
		rules: alertRules, watch: alert.NewWatch(), hook: alert.NewWebhook("host1", slog.New(slog.DiscardHandler)),
		target: func() (string, time.Duration) { return server.URL, 4 * time.Hour },
		look:   func(_ context.Context, now time.Time) *vitals { v := r.v; v.at = now; return &v },
	}
	return r
}

// pass lets time go by, a look every alertEvery, and tells what was posted.
func (r *alertRig) pass(d time.Duration, want ...string) {
	r.t.Helper()
	r.got = nil
	for range max(1, d/alertEvery) {
		r.now = r.now.Add(alertEvery)
		r.once(r.t.Context(), r.now)
	}
	if !slices.Equal(r.got, want) {
		r.t.Errorf("after %v: %q, want %q", d, r.got, want)
	}
}

// Each alert comes when its time is over, not before, and goes.
func TestAlerts(t *testing.T) {
	f := func(name string, lasts time.Duration, wrong func(*vitals)) {
		t.Run(name, func(t *testing.T) {
			r := newAlertRig(t)
			r.pass(time.Minute)
			well := r.v
			wrong(&r.v)
			if lasts > 0 {
				r.pass(lasts - alertEvery)
			}
			r.pass(2*alertEvery, name+" false")
			r.pass(3 * time.Minute)
			r.v = well
			r.pass(20*time.Minute, name+" true")
		})
	}
	f("DdkkRedisDown", time.Minute, func(v *vitals) { v.redis = false })
	f("DdkkRedisMemory", 5*time.Minute, func(v *vitals) { v.redisUsed, v.redisMax = 81, 100 })
	f("DdkkRedisEvicts", 0, func(v *vitals) { v.redisEvicted = 1 })
	f("DdkkWriteFailures", 5*time.Minute, func(v *vitals) { v.stats.Commits, v.stats.Retries = 10_000, 11 })
	f("DdkkLag", 5*time.Minute, func(v *vitals) { v.lag = 61 * time.Second })
	f("DdkkBooks", 5*time.Minute, func(v *vitals) { v.stats.Books.Read = 1 })
	f("DdkkLogGap", 0, func(v *vitals) { v.stats.Missing = 1 })
	f("DdkkNamesFull", 0, func(v *vitals) { v.stats.Full = 1 })
	f("DdkkLogBudget", 0, func(v *vitals) { v.logs.Bytes, v.logs.Budget = 81, 100 })
	f("DdkkSegmentAlarm", 0, func(v *vitals) { v.alarms = 1 })
	f("DdkkSegmentAlarm", 0, func(v *vitals) { v.stats.Cut = 1 })
	f("DdkkSitesParked", 0, func(v *vitals) { v.stats.Parked = 1 })
	f("DdkkClock", 0, func(v *vitals) { v.clock = "it is 2033" })
	f("DdkkArchiveMissed", 10*time.Minute, func(v *vitals) { v.archives, v.sinceArchive, v.archiveLimit = true, 27*time.Hour, archiveLimit })
	f("DdkkDifference", 0, func(v *vitals) { v.differences = 1 })
	f("DdkkVerifyProblem", 0, func(v *vitals) { v.problems = 1 })
	f("DdkkRestoreFailed", 0, func(v *vitals) { v.restoreFailures = 1 })
	f("DdkkRebuilds", 0, func(v *vitals) { v.stats.Rebuilds = 1 })
	f("DdkkMalformed", 10*time.Minute, func(v *vitals) {
		v.stats.Books.Read, v.stats.Books.Human, v.stats.Books.Malformed[parser.BadLength] = 1000, 989, 11
	})
}

// Under the thresholds nothing is said, and what happened before the start of
// looking is no news.
func TestAlertsAreQuiet(t *testing.T) {
	r := newAlertRig(t)
	r.v.redisEvicted, r.v.stats.Missing, r.v.stats.Rebuilds, r.v.restoreFailures = 7, 7, 7, 7
	r.v.redisUsed, r.v.redisMax, r.v.lag = 80, 100, time.Minute
	r.v.sinceArchive = 27 * time.Hour // it is off
	r.v.stats.Books.Read, r.v.stats.Books.Human = 500_000, 499_000
	r.v.stats.Books.Malformed[parser.BadLength] = 1000
	r.pass(time.Minute)
	r.v.stats.Commits, r.v.stats.Retries = 100_000, 99
	r.v.stats.Books.Read, r.v.stats.Books.Human = 501_000, 499_990
	r.v.stats.Books.Malformed[parser.BadLength] = 1010
	r.pass(time.Hour)
}

// A log that is read is not stalled, however far behind; one that is not is,
// but for a Redis that is away.
func TestAlertTailStalled(t *testing.T) {
	r := newAlertRig(t)
	r.v.behind, r.v.lag, r.v.redis = 1000, 2*time.Minute, true
	r.rules = slices.DeleteFunc(slices.Clone(r.rules), func(r alertRule) bool { return r.Name != "DdkkTailStalled" })
	for range 40 {
		r.v.handedOut++
		r.pass(alertEvery)
	}
	r.pass(6*time.Minute, "DdkkTailStalled false")
	r.v.redis = false
	r.pass(time.Minute, "DdkkTailStalled true")
}

func TestAlertsRepeat(t *testing.T) {
	r := newAlertRig(t)
	r.v.stats.Parked = 1
	r.pass(alertEvery, "DdkkSitesParked false")
	r.pass(4*time.Hour - alertEvery)
	r.pass(alertEvery, "DdkkSitesParked false")
}

// The two ways to be told agree: each of these alerts is a rule for Prometheus
// as well, of the same name and severity, and the manual has it.
func TestAlertsAreThoseOfPrometheus(t *testing.T) {
	rules := readDoc(t, "deploy/prometheus/alerts.yml")
	manual := readDoc(t, "docs/OPERATIONS.md")
	severity := map[string]string{}
	for _, m := range regexp.MustCompile(`(?s)- alert: (\w+)\n.*?severity: (\w+)`).FindAllStringSubmatch(rules, -1) {
		severity[m[1]] = m[2]
	}
	for _, r := range alertRules {
		if severity[r.Name] != r.Severity {
			t.Errorf("%s is %q here and %q for Prometheus", r.Name, r.Severity, severity[r.Name])
		}
		if row := fmt.Sprintf("| `%s` | %s | %s |", r.Name, r.Severity, r.Threshold); !strings.Contains(manual, row) {
			t.Errorf("docs/OPERATIONS.md has no row %s", row)
		}
	}
}
