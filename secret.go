package main

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
)

// secretKeeper is a place that shares the secret: it returns what it has, or
// keeps mine and returns that.
type secretKeeper func(ctx context.Context, mine string) (string, error)

// visitorSecret is the secret of the visitor hash. SECRET overrides; else it
// is made once and kept in DATA_DIR and by all keepers (Redis, where all its
// daemons find it, and the archive), so that no loss of one changes a hash. The
// first keeper's word counts.
func visitorSecret(ctx context.Context, cfg *Config, log *slog.Logger, keepers ...secretKeeper) ([]byte, error) {
	if cfg.Secret != "" {
		return []byte(cfg.Secret), nil
	}
	path := filepath.Join(cfg.DataDir, "secret")
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read secret: %w", err)
	}
	kept := strings.TrimSpace(string(b))
	secret := kept
	if secret == "" {
		if secret, err = findSecret(ctx, keepers); err != nil {
			return nil, err
		}
	}
	for i, share := range keepers {
		theirs, err := share(ctx, secret)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			secret = theirs
		} else if theirs != secret {
			log.Warn("the archive has another secret of the visitor hash than Redis; the one in Redis is used")
		}
	}
	if secret != kept {
		if err := replaceFile(path, []byte(secret+"\n")); err != nil {
			return nil, fmt.Errorf("keep secret: %w", err)
		}
	}
	return []byte(secret), nil
}

// findSecret is what the last keeper has: the archive, which survives the loss
// of Redis. Where nobody has one, it is made.
func findSecret(ctx context.Context, keepers []secretKeeper) (string, error) {
	var r [32]byte
	rand.Read(r[:]) // never fails, by its documentation
	fresh := hex.EncodeToString(r[:])
	if len(keepers) < 2 {
		return fresh, nil
	}
	return keepers[len(keepers)-1](ctx, fresh)
}

// replaceFile writes a file that only we may read; a crash leaves the old one
// or the new one.
func replaceFile(path string, b []byte) error {
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
