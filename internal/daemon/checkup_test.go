package daemon

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ddkk-stats/internal/config"
	"ddkk-stats/internal/config/configtest"
)

// A start warns once of each thing that is wrong, with what to do, and of nothing that is well.
func TestCheckupAtTheStart(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "event.log")
	if err := os.WriteFile(log, []byte("no line of ours\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cfg := configtest.Load(t, map[string]string{"DATA_DIR": filepath.Join(dir, "data"), "ACCESS_LOG": log, "SITES": "a.example,stats.b.example", "ADMIN_TOKEN": "0123456789abcdef0123"}, "")
	if err := os.Mkdir(cfg.DataDir, 0o700); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	s := &server{live: config.NewLive(cfg), log: slog.New(slog.NewTextHandler(&out, nil))}
	s.checkup(t.Context())
	for _, want := range []string{"ad-blockers block the beacon there; serve the widget", "what=ACCESS_LOG"} {
		if n := strings.Count(out.String(), want); n == 0 {
			t.Errorf("it does not warn of %q:\n%s", want, out.String())
		}
	}
	seen := map[string]bool{}
	for line := range strings.Lines(out.String()) {
		_, text, _ := strings.Cut(line, " ")
		if seen[text] || !strings.HasPrefix(text, "level=WARN msg=\"check: ") {
			t.Errorf("twice, or no warning: %s", line)
		}
		seen[text] = true
	}
	if strings.Contains(out.String(), "what=SITES") || strings.Contains(out.String(), "0123456789abcdef") {
		t.Errorf("it warns of what is well, or shows a secret:\n%s", out.String())
	}
}

// A look that hangs keeps no stop waiting.
func TestCheckupEndsWithTheDaemon(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "rules")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := configtest.Load(t, map[string]string{"DATA_DIR": dir, "ACCESS_LOG": filepath.Join(dir, "event.log")}, "")
	s := &server{live: config.NewLive(cfg), log: slog.New(slog.DiscardHandler), logrotate: []string{fifo}}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); s.checkup(ctx) }()
	// It has come to the pipe when that can be opened to be written.
	w, err := os.OpenFile(fifo, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	stop()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("it does not end")
	}
}
