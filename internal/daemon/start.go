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
		var w *vault.WaitError
		if !errors.As(err, &w) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.counting.hold(w)
		s.reader.Wait(true)
		if name := w.Trouble(); name != said || tries%sayAgain == 0 {
			s.log.Error("counting cannot begin: "+string(name)+"; views wait in the log until it can; "+health.Advice(name), "waits_for", w.Where, "err", w.Err)
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
		return &vault.WaitError{Where: vault.WhereRedis, Err: err}
	}
	if err := counter.CheckScripts(ctx, s.ingestDB, s.embedded != nil); err != nil {
		if counter.TroubleOf(err) == counter.ScriptsUnsupported {
			name := "this server"
			if info, infoErr := counter.Info(ctx, s.ingestDB); infoErr == nil && counter.ServerName(info) != "" {
				name = counter.ServerName(info)
			}
			return fmt.Errorf("cannot count into %s: it lacks what a script needs: %w; %s", name, err, health.Advice(counter.ScriptsUnsupported))
		}
		return &vault.WaitError{Where: vault.WhereRedis, Err: err}
	}
	if s.embedded != nil || s.cfg().AllowEviction {
		return nil
	}
	unknown, err := counter.CheckEviction(ctx, s.ingestDB)
	switch {
	case counter.Evicts(err):
		return err
	case err != nil:
		return &vault.WaitError{Where: vault.WhereRedis, Err: err}
	case unknown != "":
		s.log.Warn("cannot tell whether Redis evicts keys; make sure that its maxmemory-policy is noeviction", "reason", unknown)
	}
	return nil
}

// startArchive makes sure that sites are not counted anew that the archive has:
// where Redis knows no site, counting waits for the archive. Else MySQL may
// come later.
func (s *server) startArchive(ctx context.Context) error {
	err := s.vault.Learn(ctx)
	if err == nil {
		return nil
	}
	if known, rerr := s.ingestDB.SCard(ctx, s.keys.Sites()).Result(); rerr == nil && known > 0 {
		return nil
	}
	return &vault.WaitError{Where: vault.WhereArchive, Err: err}
}

// startSecret learns the secret of the visitor hash.
func (s *server) startSecret(ctx context.Context) (err error) {
	s.secret, err = s.vault.VisitorSecret(ctx)
	return err
}
