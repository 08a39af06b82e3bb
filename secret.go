package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/counter"
)

// visitorSecret is the secret of the visitor hash. SECRET overrides; else it
// is made once and kept in Redis, where all daemons of one Redis find it, and
// in DATA_DIR, so that the loss of either changes no hash. rdb is nil for
// commands beside an embedded store.
func visitorSecret(ctx context.Context, cfg *Config, rdb redis.UniversalClient, keys counter.Keys) ([]byte, error) {
	if cfg.Secret != "" {
		return []byte(cfg.Secret), nil
	}
	path := filepath.Join(cfg.DataDir, "secret")
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read secret: %w", err)
	}
	kept := strings.TrimSpace(string(b))
	mine := kept
	if mine == "" {
		var r [32]byte
		rand.Read(r[:]) // never fails, by its documentation
		mine = hex.EncodeToString(r[:])
	}
	shared := mine
	if rdb != nil {
		if shared, err = counter.ShareSecret(ctx, rdb, keys, mine); err != nil {
			return nil, err
		}
	}
	if shared != kept {
		if err := replaceFile(path, []byte(shared+"\n")); err != nil {
			return nil, fmt.Errorf("keep secret: %w", err)
		}
	}
	return []byte(shared), nil
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
