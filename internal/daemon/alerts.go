package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"ddkk-stats/counter"
	"ddkk-stats/internal/alert"
	"ddkk-stats/internal/logs"
	"ddkk-stats/internal/vault"
	"ddkk-stats/parser"
)

// alertRule is a row of the table of what ALERT_URL is told. Names and
// thresholds are those of deploy/prometheus/alerts.yml, for those who have no
// Prometheus.
type alertRule struct {
	Name, Severity string
	For            time.Duration // how long it must last
	Threshold      string        // for the manual
	// wrong says what is wrong now, compared with earlier if need be; empty:
	// nothing.
	wrong func(now, earlier *vitals) string
}

// Thresholds of alerts.
const (
	lagLimit       = time.Minute
	memoryShare    = 0.8
	malformedShare = 0.01
	failureShare   = 0.001
	archiveLimit   = 26 * time.Hour
	// fewEvents is how many must have happened before a share means something.
	fewEvents = 1000
)

// alertRules is the table.
var alertRules = []alertRule{
	{"DdkkRedisDown", alert.Critical, time.Minute, "for a minute", func(v, _ *vitals) string {
		return when(!v.redis, "Redis does not answer or takes no writes; views wait in the log")
	}},
	{"DdkkRedisMemory", alert.Warning, 5 * time.Minute, "over 80% of maxmemory for 5 minutes", func(v, _ *vitals) string {
		return when(v.redisMax > 0 && float64(v.redisUsed) > memoryShare*float64(v.redisMax),
			"Redis uses %d of %d bytes; when it is full, counting waits", v.redisUsed, v.redisMax)
	}},
	{"DdkkRedisEvicts", alert.Critical, 0, "any, within a quarter of an hour", func(v, was *vitals) string {
		return grown(v.redisEvicted, was.redisEvicted, "Redis evicted %d keys; set maxmemory-policy noeviction")
	}},
	{"DdkkWriteFailures", alert.Warning, 5 * time.Minute, "over 0.1% of the writes within a quarter of an hour, for 5 minutes", func(v, was *vitals) string {
		tries, failed := v.stats.Commits-was.stats.Commits, v.stats.Retries-was.stats.Retries
		return when(failed > 0 && float64(failed) > failureShare*float64(max(tries, fewEvents)), "%d writes to Redis were tried again, of %d", failed, tries)
	}},
	{"DdkkLag", alert.Warning, 5 * time.Minute, "a minute behind, for 5 minutes", func(v, _ *vitals) string {
		return when(v.lag > lagLimit, "counting is %v behind", v.lag.Round(time.Second))
	}},
	{"DdkkTailStalled", alert.Critical, 5 * time.Minute, "there are lines, Redis is there, and none was read for 5 minutes", func(v, was *vitals) string {
		return when(v.redis && v.behind > 0 && v.handedOut == v.before.handedOut && v.lag > lagLimit, "%d bytes of the log are there and not read", v.behind)
	}},
	{"DdkkMalformed", alert.Warning, 10 * time.Minute, "over 1% of the lines within a quarter of an hour, for 10 minutes", func(v, was *vitals) string {
		lines, bad := v.stats.Books.Read-was.stats.Books.Read, malformed(&v.stats)-malformed(&was.stats)
		return when(lines >= fewEvents/10 && float64(bad) > malformedShare*float64(lines), "%d of %d lines cannot be read; `ddkk-stats check` tells why", bad, lines)
	}},
	{"DdkkBooks", alert.Critical, 5 * time.Minute, "not closed for 5 minutes", func(v, _ *vitals) string {
		b := &v.stats.Books
		return when(b.Read != b.Outcomes(), "%d lines were read and %d accounted for; please report it", b.Read, b.Outcomes())
	}},
	{"DdkkLogGap", alert.Critical, 0, "any, within a quarter of an hour", func(v, was *vitals) string {
		return grown(v.stats.Missing, was.stats.Missing, "%d segments were gone before they were read; the daemon's log names them")
	}},
	{"DdkkSegmentAlarm", alert.Critical, 0, "any", func(v, _ *vitals) string {
		return when(v.alarms > 0 || v.stats.Cut > 0, "a segment of the log was cut, truncated or replaced; the daemon's log names it")
	}},
	{"DdkkSitesParked", alert.Critical, 0, "any", func(v, _ *vitals) string {
		return when(v.stats.Parked > 0, "%d sites wait for an operator: their keys are damaged and their log is not complete", v.stats.Parked)
	}},
	{"DdkkArchiveMissed", alert.Warning, 10 * time.Minute, "26 hours without a cycle that went well, or two more than ARCHIVE_CRON says", func(v, _ *vitals) string {
		return when(v.archives && v.sinceArchive > v.archiveLimit, "nothing was archived for %v; the log keeps everything until then", v.sinceArchive.Round(time.Hour))
	}},
	{"DdkkNamesFull", alert.Warning, 0, "any", func(v, _ *vitals) string {
		return when(v.stats.Full > 0, "%d tables of names are full: new names count as "+parser.OtherPage+", new sites not at all; the daemon's log names them", v.stats.Full)
	}},
	{"DdkkLogBudget", alert.Warning, 0, "over 80% of LOG_BUDGET", func(v, _ *vitals) string {
		return when(v.logs.Over(), "%s; find out what writes so much before the disk is full", v.logs)
	}},
	{"DdkkClock", alert.Critical, 0, "any", func(v, _ *vitals) string {
		return when(v.clock != "", "the clock is in doubt: %s", v.clock)
	}},
	{"DdkkDifference", alert.Critical, 0, "any", func(v, _ *vitals) string {
		return when(v.differences > 0, "the last verification found %d wrong numbers; `ddkk-stats verify --repair` mends them", v.differences)
	}},
	{"DdkkVerifyProblem", alert.Warning, 0, "any", func(v, _ *vitals) string {
		return when(v.problems > 0, "the last verification could not verify everything (%d problems); the daemon's log says what", v.problems)
	}},
	{"DdkkRestoreFailed", alert.Critical, 0, "any, within a quarter of an hour", func(v, was *vitals) string {
		return grown(v.restoreFailures, was.restoreFailures, "%d restores failed; they may be repeated, the daemon's log says why")
	}},
	{"DdkkRebuilds", alert.Warning, 0, "any, within a quarter of an hour", func(v, was *vitals) string {
		return grown(v.stats.Rebuilds, was.stats.Rebuilds, "%d sites were rebuilt because Redis lost their keys; find out why")
	}},
}

func when(wrong bool, format string, args ...any) string {
	if !wrong {
		return ""
	}
	return fmt.Sprintf(format, args...)
}

func grown(now, was int64, format string) string { return when(now > was, format, now-was) }

// malformed are the lines that the format does not explain. Bytes of a scanner's
// where a request should be are none: they say nothing about the format.
func malformed(s *counter.IngestStats) (n int64) {
	for r := range parser.NumReasons {
		if r != parser.BadRequest {
			n += s.Books.Malformed[r]
		}
	}
	return n
}

// vitals are the figures of one look.
type vitals struct {
	at              time.Time
	stats           counter.IngestStats
	redis           bool // as far as counting has begun
	redisUsed       int64
	redisMax        int64
	redisEvicted    int64
	behind          int64 // bytes
	handedOut       int64 // bytes of all segments
	lag             time.Duration
	alarms          int
	logs            logs.Usage
	archives        bool // ARCHIVE_CRON is on
	sinceArchive    time.Duration
	archiveLimit    time.Duration
	clock           string // what is wrong with it
	differences     int64
	problems        int64
	restoreFailures int64
	before          *vitals // the look before; itself at the first
}

// How often figures are looked at, and over how long what grows is compared.
const (
	alertEvery  = 15 * time.Second
	alertWindow = 15 * time.Minute
)

// alerter looks at the daemon's figures and tells ALERT_URL what is wrong. One
// goroutine calls run.
type alerter struct {
	rules  []alertRule
	look   func(ctx context.Context, now time.Time) *vitals
	target func() (address string, repeat time.Duration)
	watch  *alert.Watch
	hook   *alert.Webhook
	past   []*vitals // of the window, oldest first
}

func newAlerter(s *server) (*alerter, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("name this host: %w", err)
	}
	return &alerter{
		rules: alertRules, look: s.vitals, watch: alert.NewWatch(), hook: alert.NewWebhook(host, s.log),
		target: func() (string, time.Duration) { c := s.cfg(); return string(c.AlertURL), c.AlertRepeat },
	}, nil
}

// run looks until ctx ends.
func (a *alerter) run(ctx context.Context) {
	tick := time.NewTicker(alertEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			a.once(ctx, now)
		}
	}
}

// once looks one time. Without an address only the figures are kept, so that
// what grows is known when there is one.
func (a *alerter) once(ctx context.Context, now time.Time) {
	v := a.look(ctx, now)
	for len(a.past) > 0 && now.Sub(a.past[0].at) > alertWindow {
		a.past = a.past[1:]
	}
	v.before = v
	if n := len(a.past); n > 0 {
		v.before = a.past[n-1]
		a.past[n-1].before = nil // keeps no chain of looks alive
	}
	a.past = append(a.past, v)
	address, repeat := a.target()
	if address != "" {
		a.hook.Add(a.watch.Look(now, repeat, a.findings(v))...)
	}
	a.hook.Post(ctx, now, address)
}

func (a *alerter) findings(v *vitals) []alert.Finding {
	var all []alert.Finding
	for _, r := range a.rules {
		if what := r.wrong(v, a.past[0]); what != "" {
			all = append(all, alert.Finding{Name: r.Name, Severity: r.Severity, Summary: what, For: r.For})
		}
	}
	return all
}

// vitals looks at the daemon's figures.
func (s *server) vitals(ctx context.Context, now time.Time) *vitals {
	v := &vitals{at: now, stats: s.counting.stats(),
		differences: s.verifier.differences.Load(), problems: s.verifier.problems.Load(),
		restoreFailures: s.restores.failures.Load(), archives: s.cfg().ArchiveCron.On()}
	v.clock = s.vault.ClockTrouble()
	v.restoreFailures += v.stats.Unrebuilt
	v.redis = s.counting.in.Load() != nil && v.stats.Redis
	v.archiveLimit = archiveLimit + time.Duration(s.cfg().ArchiveCron.Days(now)-1)*24*time.Hour
	v.sinceArchive = now.Sub(s.started)
	if at := s.lastArchived(); !at.IsZero() {
		v.sinceArchive = now.Sub(at)
	} else if j, _ := s.vault.Job(vault.JobArchive); !j.Since.IsZero() {
		v.sinceArchive = now.Sub(j.Since)
	}
	for _, in := range s.inputs {
		segments := in.Tail.Segments()
		bytes, seconds := lagOf(segments)
		v.behind += bytes
		v.lag = max(v.lag, time.Duration(seconds*float64(time.Second)))
		for _, x := range segments {
			v.handedOut += x.Offset
			if x.Alarm != "" {
				v.alarms++
			}
		}
	}
	v.logs = s.logUsage()
	if s.embedded == nil {
		ctx, cancel := context.WithTimeout(ctx, infoTimeout)
		defer cancel()
		sums, err := redisInfo(ctx, s.readDB)
		if err == nil {
			v.redisUsed, v.redisMax, v.redisEvicted = sums["used_memory"], sums["maxmemory"], sums["evicted_keys"]
		} else if !errors.Is(err, context.Canceled) {
			s.log.Debug("Redis tells nothing about itself", "err", err)
		}
	}
	return v
}
