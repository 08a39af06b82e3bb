package jobs

import (
	"context"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/counter"
	"ddkk-stats/internal/config"
	"ddkk-stats/internal/mirror"
	"ddkk-stats/internal/vault"
)

// hostHash tells flushers of one Redis apart: by host and data folder, so that
// one that is started again is the same.
func hostHash(cfg *config.Config) (uint32, error) {
	host, err := os.Hostname()
	if err != nil {
		return 0, fmt.Errorf("name this host: %w", err)
	}
	dir, err := filepath.Abs(cfg.DataDir)
	if err != nil {
		return 0, fmt.Errorf("name DATA_DIR: %w", err)
	}
	h := fnv.New32a()
	h.Write([]byte(host + "\x00" + dir)) // never fails, by its documentation
	return h.Sum32(), nil
}

// NewFlusher makes what flushes into the vault's archive.
func NewFlusher(v *vault.Vault, rdb redis.UniversalClient, embedded bool, stale func(string) bool) (*mirror.Flusher, *counter.Mirror, error) {
	host, err := hostHash(v.Cfg())
	if err != nil {
		return nil, nil, err
	}
	m := counter.NewMirror(rdb, v.Keys, fmt.Sprintf("%08x", host), embedded)
	return mirror.New(mirror.Options{
		Counters: m, Slot: int(host % uint32(v.Cfg().MirrorSlots)), Sink: v.Cfg().Elastic.URL != "",
		Store: func(ctx context.Context) (mirror.Store, error) {
			a, err := v.Open(ctx)
			if err != nil {
				return nil, err
			}
			return a, nil
		},
		Logger: v.Log, Now: time.Now, Stale: stale,
	}), m, nil
}
