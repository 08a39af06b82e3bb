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

	"ddkk-stats/counter"
	"ddkk-stats/internal/alert"
	"ddkk-stats/internal/health"
	"ddkk-stats/parser"
)

// alertRig is an alerter with figures and a clock of the test's own.
type alertRig struct {
	*alerter
	t   *testing.T
	now time.Time
	v   health.Vitals
	got []string

	mailed []string
	only   string // other alerts are not looked at; empty: all are
}

func newAlertRig(t *testing.T) *alertRig {
	r := &alertRig{t: t, now: time.Unix(1_700_000_000, 0), v: health.Vitals{Begun: true}}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		var m alert.Message
		if err := json.NewDecoder(req.Body).Decode(&m); err != nil {
			t.Error(err)
		}
		if r.only == "" || r.only == m.Name {
			r.got = append(r.got, fmt.Sprintf("%s %v", m.Name, m.Resolved))
		}
	}))
	t.Cleanup(server.Close)
	r.alerter = &alerter{
		mails: alert.NewOutbox("host1", "ALERT_TO", slog.New(slog.DiscardHandler)),
		mail: func() ([]string, mailTo) {
			return []string{"a@a.example"}, func(_ context.Context, _ []string, m *alert.Message) error {
				if r.only == "" || r.only == m.Name {
					r.mailed = append(r.mailed, fmt.Sprintf("%s %v", m.Name, m.Resolved))
				}
				return nil
			}
		},
		monitor: health.NewMonitor(), watch: alert.NewWatch(), hook: alert.NewWebhook("host1", slog.New(slog.DiscardHandler)),
		target: func() (alert.Target, time.Duration) { return alert.Target{URL: server.URL}, 4 * time.Hour },
		look:   func(_ context.Context, now time.Time) *health.Vitals { v := r.v; v.At = now; return &v },
	}
	return r
}

// pass lets time go by, a look every alertEvery, and tells what was posted.
func (r *alertRig) pass(d time.Duration, want ...string) {
	r.t.Helper()
	r.got, r.mailed = nil, nil
	for range max(1, d/alertEvery) {
		r.now = r.now.Add(alertEvery)
		r.once(r.t.Context(), r.now)
	}
	if !slices.Equal(r.got, want) || !slices.Equal(r.mailed, want) {
		r.t.Errorf("after %v: posted %q, mailed %q, want %q", d, r.got, r.mailed, want)
	}
}

// Each alert comes when its time is over, not before, and goes.
func TestAlerts(t *testing.T) {
	f := func(name string, lasts time.Duration, wrong func(*health.Vitals)) {
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
	f("DdkkRedisDown", time.Minute, func(v *health.Vitals) { v.Waits = counter.RedisDown })
	f("DdkkRedisMemory", 5*time.Minute, func(v *health.Vitals) { v.RedisUsed, v.RedisMax = 81, 100 })
	f("DdkkRedisEvicts", 0, func(v *health.Vitals) { v.RedisEvicted = 1 })
	f("DdkkWriteFailures", 5*time.Minute, func(v *health.Vitals) { v.Stats.Commits, v.Stats.Retries = 10_000, 11 })
	f("DdkkLag", 5*time.Minute, func(v *health.Vitals) { v.Lag = 61 * time.Second })
	f("DdkkBooks", 5*time.Minute, func(v *health.Vitals) { v.Stats.Books.Read = 1 })
	f("DdkkLogGap", 0, func(v *health.Vitals) { v.Stats.Missing = 1 })
	f("DdkkSegmentAlarm", 0, func(v *health.Vitals) { v.Alarms = 1 })
	f("DdkkSegmentAlarm", 0, func(v *health.Vitals) { v.Stats.Cut = 1 })
	f("DdkkSitesParked", 0, func(v *health.Vitals) { v.Stats.Parked = 1 })
	f("DdkkClock", 0, func(v *health.Vitals) { v.Clock = "it is 2033" })
	f("DdkkArchiveMissed", 10*time.Minute, func(v *health.Vitals) { v.SinceArchive, v.ArchiveLimit = 27*time.Hour, health.ArchiveGrace })
	f("DdkkDifference", 0, func(v *health.Vitals) { v.Differences = 1 })
	f("DdkkVerifyProblem", 0, func(v *health.Vitals) { v.Problems = 1 })
	f("DdkkRestoreFailed", 0, func(v *health.Vitals) { v.RestoreFailures = 1 })
	f("DdkkRedisDown", time.Minute, func(v *health.Vitals) { v.Waits = counter.RedisFull })
	f("DdkkLogDenied", time.Minute, func(v *health.Vitals) { v.Denied = "/var/log/ddkk/event.log" })
	f("DdkkArchiveAway", 15*time.Minute, func(v *health.Vitals) { v.ArchiveAway = true })
	f("DdkkStandby", 5*time.Minute, func(v *health.Vitals) { v.Stats.Standby = true })
	f("DdkkQueue", 5*time.Minute, func(v *health.Vitals) { v.Behind = 257 << 20 })
	f("DdkkSitesIncomplete", 0, func(v *health.Vitals) { v.Stats.Incomplete = 1 })
	f("DdkkWriteLag", 5*time.Minute, func(v *health.Vitals) { v.WriteLag, v.WriteLimit = 11*time.Second, health.WriteLimit })
	f("DdkkBeaconFailures", 2*time.Minute, func(v *health.Vitals) { v.Beacons, v.BeaconsFailed = 900, 1 })
	f("DdkkErrors", 5*time.Minute, func(v *health.Vitals) { v.Answers, v.AnswersFailed = 1000, 11 })
	f("DdkkSettings", 5*time.Minute, func(v *health.Vitals) { v.SettingsRefused = true })
	f("DdkkLogBudget", 0, func(v *health.Vitals) { v.LogsOver = "81 of 100 bytes" })
	f("DdkkNamesFull", 0, func(v *health.Vitals) { v.Stats.Full = 1 })
	f("DdkkRebuilds", 0, func(v *health.Vitals) { v.Stats.Rebuilds = 1 })
	f("DdkkMalformed", 10*time.Minute, func(v *health.Vitals) {
		v.Stats.Books.Read, v.Stats.Books.Human, v.Stats.Books.Malformed[parser.BadLength] = 1000, 989, 11
	})
}

// Under the thresholds nothing is said, and what happened before the start of
// looking is no news.
func TestAlertsAreQuiet(t *testing.T) {
	r := newAlertRig(t)
	r.v.RedisEvicted, r.v.Stats.Missing, r.v.Stats.Rebuilds, r.v.RestoreFailures = 7, 7, 7, 7
	r.v.RedisUsed, r.v.RedisMax, r.v.Lag = 80, 100, time.Minute
	r.v.SinceArchive = 27 * time.Hour // it is off
	r.v.Stats.Books.Read, r.v.Stats.Books.Human = 500_000, 499_000
	r.v.Stats.Books.Malformed[parser.BadLength] = 1000
	r.pass(time.Minute)
	r.v.Stats.Commits, r.v.Stats.Retries = 100_000, 99
	r.v.Stats.Books.Read, r.v.Stats.Books.Human = 501_000, 499_990
	r.v.Stats.Books.Malformed[parser.BadLength] = 1010
	r.pass(time.Hour)
}

// A log that is read is not stalled, however far behind; one that is not is,
// but for a Redis that is away.
func TestAlertTailStalled(t *testing.T) {
	r := newAlertRig(t)
	r.v.Behind, r.v.Lag = 1000, 2*time.Minute
	r.only = "DdkkTailStalled"
	for range 40 {
		r.v.HandedOut++
		r.pass(alertEvery)
	}
	r.pass(6*time.Minute, "DdkkTailStalled false")
	r.v.Waits = counter.RedisDown
	r.pass(time.Minute, "DdkkTailStalled true")
}

func TestAlertsRepeat(t *testing.T) {
	r := newAlertRig(t)
	r.v.Stats.Parked = 1
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
	for i := range health.Table {
		r := &health.Table[i]
		if r.Alert == "" {
			continue
		}
		if severity[r.Alert] != r.Severity {
			t.Errorf("%s is %q here and %q for Prometheus", r.Alert, r.Severity, severity[r.Alert])
		}
		if row := fmt.Sprintf("| `%s` | %s | %s |", r.Alert, r.Severity, r.Threshold); !strings.Contains(manual, row) {
			t.Errorf("docs/OPERATIONS.md has no row %s", row)
		}
	}
}
