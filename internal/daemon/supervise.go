package daemon

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

const (
	// readyAtLatest is when the service manager is told that the daemon is up
	// although counting has not begun: it serves requests, and what it waits for
	// is in the status line. Else a Redis that is away would have it killed.
	readyAtLatest = 10 * time.Second
	// statusEvery is how often the status line follows.
	statusEvery = 5 * time.Second
	// exchange is longer than one exchange with Redis takes when it hangs, with
	// the pause after it: the least time that counts as standing still.
	exchange = 15 * time.Second
	// hungRead is how long one read of a log may take; skipping to the place in
	// a large compressed segment is one.
	hungRead = 5 * time.Minute
	// standstill is how long /healthz lets the pipeline stand still, longer than
	// any exchange with Redis may take.
	standstill = time.Minute
)

// alive tells whether the pipeline moves or knows what it waits for. A Redis
// that is away is known; a deadlock is not.
func (s *server) alive(limit time.Duration) error {
	if in := s.counting.in.Load(); in != nil {
		if err := in.Alive(limit); err != nil {
			return err
		}
	}
	for _, in := range s.inputs {
		if still := in.Tail.Still(); still > max(limit, hungRead) {
			return fmt.Errorf("reading %s has been stuck for %v", in.Name(), still.Round(time.Second))
		}
	}
	return nil
}

// healthy answers /healthz.
func (s *server) healthy(ctx context.Context) error {
	if err := s.counting.healthy(ctx); err != nil {
		return err
	}
	return s.alive(standstill)
}

// supervise tells the service manager that the daemon is up, how it is, and,
// for as long as the pipeline lives, that it must not be killed.
func (s *server) supervise(ctx context.Context) {
	window, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		s.log.Warn("no watchdog: the service manager's settings for it are not understood", "err", err)
	}
	if err := s.keep(); err != nil {
		s.log.Warn("clients will be refused during a restart", "err", err)
	}
	late := time.NewTimer(readyAtLatest)
	defer late.Stop()
	select {
	case <-ctx.Done():
		return
	case <-s.counting.begun:
	case <-s.counting.waits:
	case <-late.C:
	}
	s.notify.ready()
	every := statusEvery
	if window > 0 {
		every = min(every, window/4)
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for stuck := false; ; {
		s.notify.state(s.status())
		switch err := s.alive(max(window/2, exchange)); {
		case err == nil:
			s.notify.alive()
			stuck = false
		case !stuck:
			stuck = true
			s.log.Error("the pipeline stands still; the service manager will restart the daemon", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// status is a line for people.
func (s *server) status() string {
	trouble := s.counting.trouble()
	if s.counting.in.Load() == nil {
		return fmt.Sprintf("waiting (%s); views wait in the log", cmp.Or(trouble, "starting"))
	}
	st := s.counting.stats()
	var behind int64
	for _, in := range s.inputs {
		bytes, _ := lagOf(in.Tail.Segments())
		behind += bytes
	}
	waits := ""
	if trouble != "" {
		waits = "; waiting: " + string(trouble)
	}
	return fmt.Sprintf("%d lines counted, %d bytes behind%s", st.Books.Read, behind, waits)
}
