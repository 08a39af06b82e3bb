package daemon

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"ddkk-stats/archive"
	"ddkk-stats/internal/config"
	"ddkk-stats/internal/jobs"
	"ddkk-stats/internal/reports"
	"ddkk-stats/internal/vault"
	"ddkk-stats/nginx"
)

// timetable is everything that happens at set times. newTimetable starts
// nothing; run has a goroutine for each job and waits for them.
type timetable struct {
	zone *time.Location
	log  *slog.Logger
	now  func() time.Time
	// after is a timer; it may be early or late, the clock is looked at again.
	after func(time.Duration) <-chan time.Time
	jobs  []*scheduledJob
}

// scheduledJob is a job and the setting that says when it is due. Its loop owns
// all but changed.
type scheduledJob struct {
	name string
	when func(*config.Config) config.Schedule
	run  func(context.Context) error
	// last is when the job last went well, in earlier lives too; false: that is
	// not known yet. nil: what was missed need not be done.
	last    func() (time.Time, bool)
	changed chan config.Schedule // has room for one
}

// newTimetable has the jobs, scheduled by the configuration in force.
func (s *server) newTimetable() *timetable {
	last := func(name string) func() (time.Time, bool) {
		return func() (time.Time, bool) { return s.vault.LastDone(name) }
	}
	c := &timetable{zone: s.cfg().Timezone, log: s.log, now: time.Now, after: time.After, jobs: []*scheduledJob{
		{name: vault.JobRotate, when: func(c *config.Config) config.Schedule { return c.RotateCron }, run: s.rotate, last: last(vault.JobRotate)},
		{name: vault.JobArchive, when: func(c *config.Config) config.Schedule { return c.ArchiveCron }, run: s.archive, last: last(vault.JobArchive)},
		{name: vault.JobVerify, when: func(c *config.Config) config.Schedule { return c.VerifyCron }, run: s.verifier.verify, last: last(vault.JobVerify)},
		{name: vault.JobReport, when: func(c *config.Config) config.Schedule { return c.ReportCron }, run: s.reports.send, last: s.reports.last},
		{name: "flush", when: func(c *config.Config) config.Schedule { return c.FlushCron }, run: never(s.mirror.flush)},
	}}
	if s.mirror.sender != nil {
		c.jobs = append(c.jobs, &scheduledJob{name: "send", when: func(c *config.Config) config.Schedule { return c.FlushCron }, run: never(s.mirror.send)})
	}
	for _, j := range c.jobs {
		j.changed = make(chan config.Schedule, 1)
	}
	c.apply(s.cfg())
	return c
}

// never fails: the job comes again soon.
func never(job func(context.Context)) func(context.Context) error {
	return func(ctx context.Context) error { job(ctx); return nil }
}

// apply moves the jobs to the times that the configuration says. One goroutine
// at a time calls it.
func (c *timetable) apply(cfg *config.Config) {
	for _, j := range c.jobs {
		select {
		case <-j.changed: // an older one that was not taken
		default:
		}
		j.changed <- j.when(cfg)
	}
}

// run runs the jobs until ctx ends and they have.
func (c *timetable) run(ctx context.Context) {
	var all sync.WaitGroup
	for _, j := range c.jobs {
		all.Go(func() { c.loop(ctx, j) })
	}
	all.Wait()
}

// A job that failed is tried again, at first soon; and a clock that was set is
// noticed after lookAgain.
const (
	minAgain  = 5 * time.Minute
	maxAgain  = time.Hour
	lookAgain = 30 * time.Second
)

// due is when a job runs next. Not safe for concurrent use.
type due struct {
	when   config.Schedule
	since  time.Time // when at was computed
	at     time.Time // zero: never
	again  time.Time // the next try after a failure; zero: it did not fail
	wait   time.Duration
	missed bool // the last time before our start is known to be done, or missed
}

func (d *due) plan(now time.Time) {
	d.since, d.at = now, time.Time{}
	if d.when.On() {
		d.at = d.when.Next(now)
	}
}

// is tells whether the job is due.
func (d *due) is(now time.Time) bool {
	if now.Before(d.since) {
		d.plan(now) // the clock was set back: what was planned may be years ahead
		d.again = time.Time{}
	}
	if !d.when.On() {
		return false
	}
	return !d.at.IsZero() && !now.Before(d.at) || !d.again.IsZero() && !now.Before(d.again)
}

// ended plans the next time after a run.
func (d *due) ended(now time.Time, err error) {
	d.plan(now)
	if err == nil {
		d.again, d.wait = time.Time{}, 0
		return
	}
	d.wait = min(max(2*d.wait, minAgain), maxAgain)
	d.again = now.Add(d.wait)
}

// sleep is how long nothing is to be done.
func (d *due) sleep(now time.Time) time.Duration {
	wait := lookAgain
	for _, at := range []time.Time{d.at, d.again} {
		if !at.IsZero() {
			wait = min(wait, max(at.Sub(now), 0))
		}
	}
	return wait
}

// missing tells, once it is known, whether the job should have run when nobody
// did: after it last went well there was a time before the start.
func (d *due) missing(j *scheduledJob, zone *time.Location, started time.Time) bool {
	if d.missed || j.last == nil || !d.when.On() {
		return false
	}
	last, known := j.last()
	if !known {
		return false
	}
	d.missed = true
	return !last.IsZero() && !d.when.Next(last.In(zone)).After(started)
}

func (c *timetable) loop(ctx context.Context, j *scheduledJob) {
	started := c.now().In(c.zone)
	d := &due{since: started}
	for {
		now := c.now().In(c.zone)
		missed := d.missing(j, c.zone, started)
		if missed {
			c.log.Info("running a missed job now", "job", j.name)
		}
		if missed || d.is(now) {
			err := j.run(ctx)
			if ctx.Err() != nil {
				return
			}
			d.ended(c.now().In(c.zone), err)
			if err != nil && !errors.Is(err, reports.ErrElsewhere) {
				c.log.Warn("a job failed; will retry", "job", j.name, "in", d.wait)
			}
			continue
		}
		wait := d.sleep(now)
		if j.last != nil && !d.missed {
			wait = min(wait, time.Second)
		}
		select {
		case <-ctx.Done():
			return
		case s := <-j.changed:
			d.take(s, now)
		case <-c.after(wait):
		}
	}
}

// take changes the schedule.
func (d *due) take(s config.Schedule, now time.Time) {
	if s.Text != d.when.Text {
		d.when = s
		d.plan(now)
	}
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

// rotate says itself what is wrong. One that failed is not tried again before its
// next time: what is not rotated is read all the same.
func (s *server) rotate(ctx context.Context) error {
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
	if err := s.vault.NoteDone(ctx, vault.JobRotate, time.Now(), ""); err != nil {
		s.log.Debug("cannot note that logs were rotated; a restart may rotate them once more", "err", err)
	}
	return nil
}

// archive is the nightly archive cycle.
func (s *server) archive(ctx context.Context) error {
	if _, err := s.counting.get(ctx); err != nil {
		return nil // the stop came first
	}
	began := time.Now()
	sum, err := jobs.Archive(ctx, s.vault, s.secret)
	if ctx.Err() == nil {
		s.metrics.cycles.ended(time.Since(began), err)
	}
	switch {
	case ctx.Err() != nil:
	case errors.Is(err, archive.ErrLocked):
		s.archived.done(time.Now(), err)
		s.log.Error("another archive run held the lock; this host's logs wait", "waited", jobs.LockLimit)
	case err != nil:
		s.archived.done(time.Now(), err)
		s.log.Error("cannot archive; will retry; the log keeps everything until then", "err", err)
	default:
		s.log.Info("archived", "segments", sum.Segments, "lines", sum.Lines, "rows", sum.Rows, "days", sum.Days, "took", sum.Took)
		s.archived.done(time.Now(), nil)
		if err := jobs.GiveBack(ctx, s.vault, sum.Now); err != nil && ctx.Err() == nil {
			s.log.Error("cannot give places of sites back; the next archive run tries again", "err", err)
		}
	}
	return err
}
