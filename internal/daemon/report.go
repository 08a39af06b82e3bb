package daemon

import (
	"context"
	"sync"
	"time"

	"ddkk-stats/counter"
	"ddkk-stats/internal/health"
	"ddkk-stats/internal/logs"
	"ddkk-stats/internal/vault"
	"ddkk-stats/parser"
	"ddkk-stats/queryapi"
	"ddkk-stats/tailer"
)

// archiveRuns remembers how the archive cycles of this daemon went.
type archiveRuns struct {
	mu      sync.Mutex
	success time.Time // zero: none since the start
	err     error     // of the last one; nil: it went well
}

func (a *archiveRuns) done(at time.Time, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err = err; err == nil {
		a.success = at
	}
}

func (a *archiveRuns) last() (time.Time, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.success, a.err
}

// lastArchived is when this host's logs were last archived, also before a restart
// or by hand; zero: never.
func (s *server) lastArchived() time.Time {
	at, _ := s.archived.last()
	if done, _ := s.vault.LastDone(vault.JobArchive); done.After(at) {
		return done
	}
	return at
}

// report gathers how the daemon is. What does not answer in time is left out.
func (s *server) report(ctx context.Context) queryapi.Report {
	stats := s.counting.stats()
	r := queryapi.Report{Version: s.version, Started: s.started.UTC(), Books: bookReport(&stats.Books)}
	for _, in := range s.inputs {
		bytes, seconds := lagOf(in.Tail.Segments())
		r.Inputs = append(r.Inputs, queryapi.InputReport{Path: in.Name(), LagBytes: bytes, LagSeconds: seconds})
	}
	r.Redis = queryapi.RedisReport{Up: stats.Redis, Embedded: s.embedded != nil}
	if s.embedded == nil {
		if info, err := redisInfo(ctx, s.readDB); err == nil {
			r.Redis.Memory, r.Redis.MaxMemory, r.Redis.Evicted = info["used_memory"], info["maxmemory"], info["evicted_keys"]
			r.Redis.Clients, r.Redis.Replicas, r.Redis.Saving = info["connected_clients"], info["connected_slaves"], saves(info)
			if n := info["oldest_save"]; n > 0 {
				at := time.Unix(n, 0).UTC()
				r.Redis.Saved = &at
			}
		}
	}
	pool, open := s.metrics.sql.pool()
	r.SQL = queryapi.SQLReport{Up: open && !s.vault.Away(), Open: pool.Open, Idle: pool.Idle, Waits: pool.Waits,
		Slow: s.metrics.sql.slowTotal.Load(), WriteLagSeconds: s.mirror.lag(time.Now()).Seconds()}
	r.SQL.Statements, r.SQL.StatementMillis = s.metrics.sql.mean()
	beacons, beaconsFailed, answers, failed := s.metrics.answered()
	r.Service = queryapi.ServiceReport{Requests: beacons + answers, Errors: beaconsFailed + failed,
		Cycles: s.metrics.cycles.well.Load(), CyclesFailed: s.metrics.cycles.failed.Load(),
		AlertsSent: s.alerter.hook.Sent.Load(), AlertsFailed: s.alerter.hook.Failed.Load()}
	r.Archive = s.archiveReport(ctx)
	r.Alerts = alertsOf(s.findings(time.Now()))
	return r
}

func bookReport(b *counter.Tally) queryapi.BookReport {
	r := queryapi.BookReport{
		Read: b.Read, Human: b.Human, Bot: b.Bot, Calls: b.Calls, Dedup: b.Dedup, Before: b.Before, Torn: b.Torn,
		Skipped: map[string]int64{}, Malformed: map[string]int64{}, Closes: b.Read == b.Outcomes(),
	}
	for reason := parser.Reason(1); reason < parser.NumReasons; reason++ {
		if n := b.Skipped[reason]; n > 0 {
			r.Skipped[reason.String()] = n
		}
		if n := b.Malformed[reason]; n > 0 {
			r.Malformed[reason.String()] = n
		}
	}
	return r
}

// lagOf is what is not read yet of a log, and for how long the oldest segment
// with such lines was not written to.
func lagOf(segments []tailer.Segment) (bytes int64, seconds float64) {
	var oldest time.Time
	for _, x := range segments {
		if behind := x.Size - x.Offset; behind > 0 && !x.Torn && !x.Refused {
			bytes += behind
			if oldest.IsZero() || x.LastWrite.Before(oldest) {
				oldest = x.LastWrite
			}
		}
	}
	if !oldest.IsZero() {
		seconds = max(0, time.Since(oldest).Seconds())
	}
	return bytes, seconds
}

// logUsage is how much of their budget the logs take. That it begins to be too much is
// logged once; what cannot be looked at counts for nothing.
func (s *server) logUsage() logs.Usage {
	u, err := logs.UsageOf(s.cfg())
	if err != nil {
		s.log.Debug("the size of the logs is not known whole", "err", err)
	}
	if over := u.Over(); s.overBudget.Swap(over) != over && over {
		s.log.Warn(u.String() + "; find out what writes so much before the disk is full")
	}
	return u
}

func (s *server) archiveReport(ctx context.Context) (r queryapi.ArchiveReport) {
	_, err := s.archived.last()
	at := s.lastArchived()
	if !at.IsZero() {
		at = at.UTC()
		r.LastSuccess = &at
	}
	if err != nil {
		text := err.Error()
		r.LastError = &text
	}
	if a, err := s.vault.Opened(); err == nil {
		if n, err := a.Read().DirtyDays(ctx); err == nil {
			r.DirtyDays = &n
		}
	}
	return r
}

// alertsOf are the states that an operator should look at.
func alertsOf(found []health.Finding) (all []queryapi.Alert) {
	for _, f := range found {
		effect := f.Effect
		if f.Halts {
			effect = health.Waits
		}
		all = append(all, queryapi.Alert{Name: string(f.Name), Effect: string(effect), Message: f.Text, Do: f.Do, Alert: f.Alert, Since: f.Since.UTC()})
	}
	return all
}
