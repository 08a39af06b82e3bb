package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ddkk-stats/counter"
	"ddkk-stats/internal/health"
	"ddkk-stats/internal/vault"
)

// vitals looks at the daemon's figures, asks Redis for its own, and looks through the
// logs' folders.
func (s *server) vitals(ctx context.Context, now time.Time) *health.Vitals {
	v := s.vitalsNow(now)
	v.LogsOver = ""
	if u := s.logUsage(); u.Over() {
		v.LogsOver = u.String()
	}
	if s.embedded != nil {
		return v
	}
	ctx, cancel := context.WithTimeout(ctx, infoTimeout)
	defer cancel()
	sums, err := redisInfo(ctx, s.readDB)
	if err == nil {
		v.RedisUsed, v.RedisMax, v.RedisEvicted = sums["used_memory"], sums["maxmemory"], sums["evicted_keys"]
	} else if !errors.Is(err, context.Canceled) {
		s.log.Debug("Redis tells nothing about itself", "err", err)
	}
	return v
}

// vitalsNow looks at what is known without asking anybody: /readyz may be asked often.
// Redis' own figures and the size of the logs are those of the look before.
func (s *server) vitalsNow(now time.Time) *health.Vitals {
	v := &health.Vitals{At: now, Begun: s.counting.in.Load() != nil, Waits: s.counting.trouble(), Denied: s.denied(), Stats: s.counting.stats(),
		Differences: s.verifier.differences.Load(), Problems: s.verifier.problems.Load(),
		RestoreFailures: s.restores.failures.Load(), ArchiveAway: s.vault.Away(), Clock: s.vault.ClockTrouble()}
	v.RestoreFailures += v.Stats.Unrebuilt
	v.SettingsRefused = s.reloader != nil && s.reloader.failed.Load()
	v.SinceArchive, v.ArchiveLimit = s.sinceArchive(now), s.archiveLimit(now)
	v.WriteLag = s.mirror.lag(now)
	if s.cfg().FlushCron.On() {
		v.WriteLimit = health.WriteLimit
	}
	if s.metrics != nil {
		v.Beacons, v.BeaconsFailed, v.Answers, v.AnswersFailed = s.metrics.answered()
	}
	for _, in := range s.inputs {
		segments := in.Tail.Segments()
		bytes, seconds := lagOf(segments)
		v.Behind += bytes
		v.Lag = max(v.Lag, time.Duration(seconds*float64(time.Second)))
		for _, x := range segments {
			v.HandedOut += x.Offset
			if x.Alarm != "" {
				v.Alarms++
			}
		}
	}
	if was := s.monitor.Last(); was != nil {
		v.RedisUsed, v.RedisMax, v.RedisEvicted, v.LogsOver = was.RedisUsed, was.RedisMax, was.RedisEvicted, was.LogsOver
	}
	return v
}

// denied names a log that cannot be opened; "": all can.
func (s *server) denied() string {
	for _, in := range s.inputs {
		if in.Denied() != nil {
			return in.Path
		}
	}
	return ""
}

// findings are the states that the daemon is in, the gravest first.
func (s *server) findings(now time.Time) []health.Finding { return s.monitor.Judge(s.vitalsNow(now)) }

// ready tells whether the numbers are current, and by name why not; and which other
// states the daemon is in. Anybody may ask, so that it says no address.
func (s *server) ready(ctx context.Context) (states []string, err error) {
	found := s.findings(time.Now())
	if f := health.Halt(found); f != nil {
		return nil, fmt.Errorf("%s: %s; counting waits, and views wait in the log; %s", f.Name, f.Means, f.Do)
	}
	for _, f := range found {
		states = append(states, string(f.Name))
	}
	return states, s.counting.healthy(ctx)
}

// staleReason is why the numbers of a site are stale.
func (s *server) staleReason(site string) string {
	switch {
	case s.counting.trouble() != "":
		return string(s.counting.trouble())
	case s.denied() != "":
		return string(health.LogDenied)
	case s.counting.in.Load() == nil:
		return string(health.Starting)
	case site == "":
		return string(counter.CatchingUp)
	}
	return string(s.reader.Reason(site))
}

// archiveLimit is from when on archiving is late: it follows ARCHIVE_CRON; 0: it is off.
func (s *server) archiveLimit(now time.Time) time.Duration {
	if !s.cfg().ArchiveCron.On() {
		return 0
	}
	return health.ArchiveGrace + time.Duration(s.cfg().ArchiveCron.Days(now)-1)*24*time.Hour
}

// sinceArchive is for how long nothing was archived.
func (s *server) sinceArchive(now time.Time) time.Duration {
	if at := s.lastArchived(); !at.IsZero() {
		return now.Sub(at)
	}
	if j, _ := s.vault.Job(vault.JobArchive); !j.Since.IsZero() {
		return now.Sub(j.Since)
	}
	return now.Sub(s.started)
}
