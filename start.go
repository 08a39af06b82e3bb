package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ddkk-stats/counter"
)

// Counting begins when everything answers that it needs to know something from:
// Redis, also one that is full, loading or refuses us, and in some cases the archive.
// All of it is waited for; meanwhile requests are served, views go into the log, and
// /readyz says by name what is missing.

// Where a start waits.
const (
	whereRedis   = "Redis"
	whereArchive = "the archive"
)

// waitError says what cannot be done yet; it is tried again.
type waitError struct {
	where string
	err   error
}

func (e *waitError) Error() string { return fmt.Sprintf("%s: %v", e.where, e.err) }
func (e *waitError) Unwrap() error { return e.err }

// archiveDown is the name of the archive's trouble, beside those of counter.Trouble.
const archiveDown counter.Trouble = "archive-down"

// trouble is the name of what is waited for.
func (e *waitError) trouble() counter.Trouble {
	if e.where == whereArchive {
		return archiveDown
	}
	return counter.TroubleOf(e.err)
}

// adviceOn is what an operator does about a trouble.
func adviceOn(name counter.Trouble) string {
	if name == archiveDown {
		return "Is MYSQL_DSN right? Does the database run? Nothing is counted without what it has"
	}
	return name.Advice()
}

// startAgain is how long a start waits before it tries again, sayAgain how many
// tries pass before the same trouble is told again.
const (
	startAgain = time.Second
	sayAgain   = 30
)

// awaitStart tries what a start needs until it is done, fails for good, or ctx ends.
func (s *server) awaitStart(ctx context.Context, try func(context.Context) error) error {
	wait := time.NewTicker(startAgain)
	defer wait.Stop()
	var said counter.Trouble
	for tries := 0; ; tries++ {
		err := try(ctx)
		var w *waitError
		if !errors.As(err, &w) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.counting.hold(w)
		s.reader.Wait(true)
		if name := w.trouble(); name != said || tries%sayAgain == 0 {
			s.log.Error("counting cannot begin: "+string(name)+"; views wait in the log until it can; "+adviceOn(name), "waits_for", w.where, "err", w.err)
			said = name
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-wait.C:
		}
	}
}

// startRedis makes sure that Redis answers, runs the scripts, and keeps what it is
// given. One that evicts, or cannot run them, is refused.
func (s *server) startRedis(ctx context.Context) error {
	if err := s.ingestDB.Ping(ctx).Err(); err != nil {
		return &waitError{whereRedis, err}
	}
	if err := counter.CheckScripts(ctx, s.ingestDB, s.embedded != nil); err != nil {
		if counter.TroubleOf(err) == counter.ScriptsUnsupported {
			return fmt.Errorf("cannot count into this Redis: %w; %s", err, counter.ScriptsUnsupported.Advice())
		}
		return &waitError{whereRedis, err}
	}
	if s.embedded != nil || s.cfg().AllowEviction {
		return nil
	}
	unknown, err := counter.CheckEviction(ctx, s.ingestDB)
	switch {
	case counter.Evicts(err):
		return err
	case err != nil:
		return &waitError{whereRedis, err}
	case unknown != "":
		s.log.Warn("cannot tell whether Redis evicts keys; make sure that its maxmemory-policy is noeviction", "reason", unknown)
	}
	return nil
}

// startArchive makes sure that sites are not counted anew that the archive has:
// where Redis knows no site, counting waits for the archive. Else MySQL may
// come later.
func (s *server) startArchive(ctx context.Context) error {
	err := s.vault.learn(ctx)
	if err == nil {
		return nil
	}
	if known, rerr := s.ingestDB.SCard(ctx, s.keys.Sites()).Result(); rerr == nil && known > 0 {
		return nil
	}
	return &waitError{whereArchive, err}
}

// startSecret learns the secret of the visitor hash.
func (s *server) startSecret(ctx context.Context) (err error) {
	s.secret, err = s.vault.visitorSecret(ctx)
	return err
}
