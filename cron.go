package main

import (
	"context"
	"errors"
	"time"

	"github.com/robfig/cron/v3"

	"ddkk-stats/archive"
	"ddkk-stats/nginx"
)

// timetable is everything that happens at set times. A job that still runs when
// its next time comes is left alone. Not safe for concurrent use.
type timetable struct {
	cron *cron.Cron
	jobs []*scheduledJob
}

// scheduledJob is a job and the setting that says when it is due.
type scheduledJob struct {
	when func(*Config) Schedule
	run  cron.Job
	text string // as it is scheduled now; empty: not at all
	id   cron.EntryID
}

// newTimetable has the jobs, scheduled by the configuration in force.
func (s *server) newTimetable(ctx context.Context) *timetable {
	c := &timetable{cron: cron.New(cron.WithLocation(s.cfg().Timezone))}
	once := func(job func(context.Context)) cron.Job {
		return cron.NewChain(cron.SkipIfStillRunning(cron.DiscardLogger)).Then(cron.FuncJob(func() { job(ctx) }))
	}
	c.jobs = []*scheduledJob{
		{when: func(c *Config) Schedule { return c.RotateCron }, run: once(s.rotate)},
		{when: func(c *Config) Schedule { return c.ArchiveCron }, run: once(s.archive)},
		{when: func(c *Config) Schedule { return c.VerifyCron }, run: once(s.verifier.verify)},
		{when: func(c *Config) Schedule { return c.FlushCron }, run: once(s.mirror.flush)},
	}
	if s.mirror.sender != nil {
		c.jobs = append(c.jobs, &scheduledJob{when: func(c *Config) Schedule { return c.FlushCron }, run: once(s.mirror.send)})
	}
	c.apply(s.cfg())
	return c
}

// apply moves the jobs to the times that the configuration says.
func (c *timetable) apply(cfg *Config) {
	for _, j := range c.jobs {
		when := j.when(cfg)
		if when.Text == j.text {
			continue
		}
		if j.text != "" {
			c.cron.Remove(j.id)
		}
		if j.text = when.Text; when.On() {
			j.id = c.cron.Schedule(when.Times, j.run)
		}
	}
}

// days are how many days lie between two of the next times, at most; 1 where
// there are none.
func (s Schedule) days(now time.Time) int {
	most := 24 * time.Hour
	if s.On() {
		at := s.Times.Next(now)
		for range 10 {
			next := s.Times.Next(at)
			most = max(most, next.Sub(at))
			at = next
		}
	}
	return int((most + 23*time.Hour) / (24 * time.Hour))
}

// rotators rotate the logs that are ours to rotate: the built-in beacon's, and
// nginx's, the site's own too, where NGINX_PID says whom to tell.
func (s *server) rotators() []*nginx.Rotator {
	all := []*nginx.Rotator{{Log: s.cfg().BeaconLog(), Reopen: s.beacon.Reopen}}
	for _, log := range []string{s.cfg().AccessLog, s.cfg().SiteLog} {
		if log != "" && s.cfg().NginxPID != "" {
			all = append(all, &nginx.Rotator{Log: log, PIDFile: s.cfg().NginxPID})
		}
	}
	return all
}

func (s *server) rotate(ctx context.Context) {
	for _, r := range s.rotators() {
		done, err := r.Rotate(ctx)
		switch {
		case errors.Is(err, nginx.ErrNotReopened):
			s.log.Warn("rotated, but not everybody writes the new file yet; both are read", "log", r.Log, "err", err)
		case err != nil:
			s.log.Error("log is not rotated", "log", r.Log, "err", err)
		case done.Name != "":
			s.log.Info("rotated", "log", r.Log, "segment", done.Name, "bytes", done.Size)
		}
	}
}

// archive is the nightly archive cycle.
func (s *server) archive(ctx context.Context) {
	if _, err := s.counting.get(ctx); err != nil {
		return // the stop came first
	}
	sum, err := s.vault.archiveLogs(ctx, s.secret)
	switch {
	case errors.Is(err, archive.ErrLocked):
		s.log.Info("another host is archiving")
	case err != nil:
		s.archived.done(time.Now(), err)
		s.log.Error("archiving failed; it goes on at its next time, and the log keeps everything until then", "err", err)
	default:
		s.log.Info("archived", "segments", sum.Segments, "lines", sum.Lines, "rows", sum.Rows, "days", sum.Days, "took", sum.Took)
		s.archived.done(time.Now(), nil)
	}
}
