package daemon

import (
	"context"
	"fmt"
	"sync"
	"time"

	"ddkk-stats/counter"
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
		r.Inputs = append(r.Inputs, queryapi.InputReport{Path: in.Path, LagBytes: bytes, LagSeconds: seconds})
	}
	r.Redis = queryapi.RedisReport{Up: stats.Redis, Embedded: s.embedded != nil}
	evicted := int64(0)
	if s.embedded == nil {
		if info, err := redisInfo(ctx, s.readDB); err == nil {
			r.Redis.Memory, r.Redis.MaxMemory, evicted = info["used_memory"], info["maxmemory"], info["evicted_keys"]
		}
	}
	r.Archive = s.archiveReport(ctx)
	r.Alerts = s.alerts(&r, &stats, evicted)
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

// How far behind counting is before somebody is told, and how full Redis.
const (
	alertLagSeconds = 60
	alertMemory     = 0.9
)

// alerts are what an operator should look at.
func (s *server) alerts(r *queryapi.Report, stats *counter.IngestStats, evicted int64) (all []queryapi.Alert) {
	say := func(wrong bool, name, format string, args ...any) {
		if wrong {
			all = append(all, queryapi.Alert{Name: name, Message: fmt.Sprintf(format, args...)})
		}
	}
	say(!r.Redis.Up, "redis_down", "Redis does not answer; views wait in the log")
	say(evicted > 0, "redis_evicts", "Redis evicted %d keys: set maxmemory-policy noeviction, then run verify --repair", evicted)
	used := float64(r.Redis.Memory)
	say(r.Redis.MaxMemory > 0 && used > alertMemory*float64(r.Redis.MaxMemory), "redis_full",
		"Redis uses %.0f%% of its maxmemory", 100*used/float64(max(r.Redis.MaxMemory, 1)))
	say(!r.Books.Closes, "books", "the books do not close: %d lines were read, and what became of them adds up to another number", r.Books.Read)
	for _, in := range r.Inputs {
		say(in.LagSeconds > alertLagSeconds, "lag", "%s: %d bytes are not counted yet, the oldest for %.0f s", in.Path, in.LagBytes, in.LagSeconds)
	}
	for _, in := range s.inputs {
		for _, x := range in.Tail.Segments() {
			say(x.Alarm != "", "segment", "%s: %s", x.Name, x.Alarm)
		}
	}
	say(stats.Full > 0, "names_full", "%d tables of names are full: new names count as "+parser.OtherPage+", new sites not at all; the daemon's log names them", stats.Full)
	usage := s.logUsage()
	say(usage.Over(), "log_budget", "%s; find out what writes so much before the disk is full", usage)
	say(stats.Parked > 0, "parked", "%d sites are not counted: their keys are damaged and their log is not complete; the daemon's log names them", stats.Parked)
	say(stats.Missing > 0, "gap", "%d segments were gone before they were read, with %d bytes at least", stats.Missing, stats.MissingBytes)
	say(stats.Cut > 0, "cut", "%d segments are shorter than what was counted of them: rotate the log now", stats.Cut)
	say(r.Archive.LastError != nil, "archive", "the last archive cycle failed; it is tried again")
	clock := s.vault.ClockTrouble()
	say(clock != "", "clock", "the clock is in doubt: %s", clock)
	if n := s.verifier.differences.Load(); n > 0 {
		say(true, "verify", "the last verification found %d wrong numbers; verify --repair mends them", n)
	}
	return all
}
