package main

import (
	"context"
	"errors"

	"github.com/robfig/cron/v3"

	"ddkk-stats/nginx"
)

// newCron is the schedule of everything that happens at set times. A job that
// still runs when its next time comes is left alone.
func (s *server) newCron() *cron.Cron {
	c := cron.New(cron.WithLocation(s.cfg.Timezone))
	once := cron.NewChain(cron.SkipIfStillRunning(cron.DiscardLogger))
	if s.cfg.RotateCron.On() {
		c.Schedule(s.cfg.RotateCron.Times, once.Then(cron.FuncJob(s.rotate)))
	}
	return c
}

// rotators rotate the logs that are ours to rotate: the built-in beacon's, and
// nginx's where NGINX_PID says whom to tell.
func (s *server) rotators() []*nginx.Rotator {
	all := []*nginx.Rotator{{Log: s.cfg.BeaconLog(), Reopen: s.beacon.Reopen}}
	if s.cfg.AccessLog != "" && s.cfg.NginxPID != "" {
		all = append(all, &nginx.Rotator{Log: s.cfg.AccessLog, PIDFile: s.cfg.NginxPID})
	}
	return all
}

func (s *server) rotate() {
	for _, r := range s.rotators() {
		done, err := r.Rotate(context.Background())
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
