package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"ddkk-stats/internal/alert"
	"ddkk-stats/internal/config/configtest"
	"ddkk-stats/internal/health"
)

// The archive of a whole daemon fails: after a day somebody is told, once, and
// again when it works. Only the clock of the looks is the test's.
func TestAlertOfAnArchiveThatFails(t *testing.T) {
	var got []string
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		var m alert.Message
		if err := json.NewDecoder(req.Body).Decode(&m); err != nil {
			t.Error(err)
		}
		if m.Name == "DdkkLogDenied" {
			return // which it is as well, meanwhile
		}
		got = append(got, fmt.Sprintf("%s %v", m.Name, m.Resolved))
	}))
	t.Cleanup(hook.Close)
	dir := t.TempDir()
	logs := filepath.Join(dir, "log")
	if err := os.Mkdir(logs, 0o755); err != nil {
		t.Fatal(err)
	}
	cfg := configtest.Load(t, map[string]string{"DATA_DIR": filepath.Join(dir, "data"), "PORT": "0", "ACCESS_LOG": filepath.Join(logs, "event.log"),
		"ALERT_URL": hook.URL, "ARCHIVE_CRON": "0 3 * * *", "FLUSH_CRON": "off"}, "")
	s, err := newServer(cfg, "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx, nil) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	if _, err := s.counting.get(ctx); err != nil {
		t.Fatal(err)
	}

	limit := time.After(time.Minute)
	for look := time.Tick(5 * time.Millisecond); !isReady(s); { // till Redis has answered
		select {
		case <-look:
		case <-limit:
			t.Fatal(s.ready(ctx))
		}
	}

	a, err := newAlerter(s) // beside the daemon's own, whose clock is right
	if err != nil {
		t.Fatal(err)
	}
	want := func(when string, at time.Time, messages ...string) {
		t.Helper()
		got = nil
		a.once(ctx, at)
		if !slices.Equal(got, messages) {
			t.Errorf("%s: %q, want %q", when, got, messages)
		}
	}
	// A file is where the log's folder was.
	if err := errors.Join(os.Rename(logs, logs+".away"), os.WriteFile(logs, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	s.archive(ctx)
	if at, err := s.archived.last(); err == nil || !at.IsZero() {
		t.Fatalf("archiving went well at %v, want an error", at)
	}
	begun := s.started // the archive was first looked for a moment later
	want("at first", begun.Add(time.Hour))
	want("before the limit", begun.Add(health.ArchiveGrace))
	want("just over it", begun.Add(health.ArchiveGrace+time.Minute))
	want("for less than ten minutes", begun.Add(health.ArchiveGrace+10*time.Minute))
	want("for ten minutes", begun.Add(health.ArchiveGrace+11*time.Minute+time.Second), "DdkkArchiveMissed false")
	want("later", begun.Add(health.ArchiveGrace+time.Hour))
	if err := errors.Join(os.Remove(logs), os.Rename(logs+".away", logs)); err != nil {
		t.Fatal(err)
	}
	s.archive(ctx)
	if _, err := s.archived.last(); err != nil {
		t.Fatal(err)
	}
	want("after one that went well", time.Now().Add(time.Minute), "DdkkArchiveMissed true")
	want("from then on", time.Now().Add(2*time.Minute))
}

func isReady(s *server) bool {
	_, err := s.ready(context.Background())
	return err == nil
}
