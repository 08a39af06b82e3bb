package vault

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"ddkk-stats/internal/config"
	"ddkk-stats/internal/durable"
)

// secretKeeper is a place that shares the secret.
type secretKeeper struct {
	name string
	// share returns what it has, or keeps mine and returns that. "" only asks.
	share func(ctx context.Context, mine string) (string, error)
}

// visitorSecret is the secret of the visitor hash. SECRET overrides; else it
// is made once and kept in DATA_DIR and by all keepers (Redis, where all its
// daemons find it, and the archive), so that no loss of one changes a hash. The
// first keeper's word counts, then that of DATA_DIR. A keeper that cannot be asked
// may have another one than would be made: then there is a *waitError.
func visitorSecret(ctx context.Context, cfg *config.Config, log *slog.Logger, keepers ...secretKeeper) ([]byte, error) {
	if cfg.Secret != "" {
		return []byte(cfg.Secret), nil
	}
	path := filepath.Join(cfg.DataDir, "secret")
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read secret: %w; does all in DATA_DIR belong to this user (%d)?", err, os.Geteuid())
	}
	kept := strings.TrimSpace(string(b))
	secret, err := findSecret(ctx, kept, keepers)
	if err != nil {
		return nil, err
	}
	for i, k := range keepers {
		theirs, err := k.share(ctx, secret)
		switch {
		case err != nil && i == 0:
			return nil, &WaitError{k.name, err}
		case err != nil:
			log.Warn("the visitors' secret is not kept everywhere yet; the next start tries again", "where", k.name, "err", err)
		case i == 0:
			secret = theirs
		case theirs != secret:
			log.Warn("the archive has another secret of the visitor hash than Redis; the one in Redis is used")
		}
	}
	if secret != kept {
		if err := durable.Replace(path, []byte(secret+"\n"), 0o600); err != nil {
			return nil, fmt.Errorf("keep secret: %w", err)
		}
	}
	return []byte(secret), nil
}

// findSecret is what the first keeper has, or DATA_DIR, or another keeper. It is made
// only where all of them say that they have none.
func findSecret(ctx context.Context, kept string, keepers []secretKeeper) (string, error) {
	var failed error
	for i, k := range keepers {
		theirs, err := k.share(ctx, "")
		if err != nil && failed == nil {
			failed = &WaitError{k.name, err}
		}
		if theirs != "" {
			return theirs, nil
		}
		if i == 0 && kept != "" {
			return kept, failed // failed: the first one's word counts
		}
	}
	if kept != "" || failed != nil {
		return kept, failed
	}
	var r [32]byte
	rand.Read(r[:]) // never fails, by its documentation
	return hex.EncodeToString(r[:]), nil
}
