package main

import (
	"context"
	"errors"
	"time"

	"github.com/robfig/cron/v3"

	"ddkk-stats/archive"
	"ddkk-stats/nginx"
)

// newCron is the schedule of everything that happens at set times. A job that
// still runs when its next time comes is left alone.
func (s *server) newCron(ctx context.Context) *cron.Cron {
	c := cron.New(cron.WithLocation(s.cfg.Timezone))
	once := cron.NewChain(cron.SkipIfStillRunning(cron.DiscardLogger))
	add := func(when Schedule, job func(context.Context)) {
		if when.On() {
			c.Schedule(when.Times, once.Then(cron.FuncJob(func() { job(ctx) })))
		}
	}
	add(s.cfg.RotateCron, s.rotate)
	add(s.cfg.ArchiveCron, s.archive)
	add(s.cfg.VerifyCron, s.verifier.verify)
	add(s.cfg.FlushCron, s.mirror.flush)
	if s.mirror.sender != nil {
		add(s.cfg.FlushCron, s.mirror.send)
	}
	return c
}

// rotators rotate the logs that are ours to rotate: the built-in beacon's, and
// nginx's, the site's own too, where NGINX_PID says whom to tell.
func (s *server) rotators() []*nginx.Rotator {
	all := []*nginx.Rotator{{Log: s.cfg.BeaconLog(), Reopen: s.beacon.Reopen}}
	for _, log := range []string{s.cfg.AccessLog, s.cfg.SiteLog} {
		if log != "" && s.cfg.NginxPID != "" {
			all = append(all, &nginx.Rotator{Log: log, PIDFile: s.cfg.NginxPID})
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
