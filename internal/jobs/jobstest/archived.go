// Package jobstest has an archive with lines in it for the tests of other rooms.
package jobstest

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"ddkk-stats/counter"
	"ddkk-stats/internal/config"
	"ddkk-stats/internal/config/configtest"
	"ddkk-stats/internal/jobs"
	"ddkk-stats/internal/vault"
)

// Archived is an archive with the lines of two days and a Redis that tests fill.
type Archived struct {
	Redis  *miniredis.Miniredis
	Keys   counter.Keys
	Vault  *vault.Vault
	Reader *counter.Reader // whose clock stands at noon of 2026-11-22
}

// NewArchived archives lines: for each day views of /a and /b and an event.
func NewArchived(t *testing.T, days ...string) *Archived {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, "log", "event.log")
	if err := os.MkdirAll(filepath.Dir(log), 0o750); err != nil {
		t.Fatal(err)
	}
	var lines strings.Builder
	n := 0
	for _, d := range days {
		at, err := time.Parse(time.DateOnly, d)
		if err != nil {
			t.Fatal(err)
		}
		for i, query := range []string{"page=/a", "page=/a", "page=/b", "page=/b&category=h5&action=pv"} {
			n++
			fmt.Fprintf(&lines, "v1\t%d.000\t%032x\t203.0.113.%d\tstats.example\tGET\t200\t/event.png?site=a.example&%s\t-\tMozilla/5.0 Firefox/140.0\t-\t-\t-\t0.000\t43\tend\n",
				at.Unix()+int64(3600*i), n, i, query)
		}
	}
	segment := log + ".1"
	if err := os.WriteFile(segment, []byte(lines.String()), 0o640); err != nil {
		t.Fatal(err)
	}
	quietSince := time.Now().Add(-time.Hour)
	if err := os.Chtimes(segment, quietSince, quietSince); err != nil {
		t.Fatal(err)
	}
	cfg := configtest.Load(t, map[string]string{"DATA_DIR": dir, "TIMEZONE": "UTC", "SECRET": "secret"}, "")
	m := miniredis.RunT(t)
	rdb := counter.Connect(counter.ConnectOptions{Addrs: []string{m.Addr()}})
	r := &Archived{Redis: m, Keys: counter.NewKeys("ddkk", false)}
	r.Vault = vault.New(config.NewLive(cfg), rdb, r.Keys, slog.New(slog.DiscardHandler))
	t.Cleanup(func() {
		if err := errors.Join(r.Vault.Close(), rdb.Close()); err != nil {
			t.Error(err)
		}
	})
	if _, err := jobs.Archive(t.Context(), r.Vault, []byte("secret")); err != nil {
		t.Fatal(err)
	}
	reader, err := counter.NewReader(rdb, r.Keys, counter.ReaderOptions{
		Location: time.UTC, Timeout: 10 * time.Second, RetryAfter: time.Nanosecond,
		Now: func() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) },
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Reader = reader
	return r
}
