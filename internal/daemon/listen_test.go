package daemon

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ddkk-stats/internal/config/configtest"
)

// The daemon answers on a unix socket, which it takes over from one that is gone, never
// from one that is there, and never in place of something else.
func TestListenOnASocket(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "http.sock")
	log := slog.New(slog.DiscardHandler)
	cfg := configtest.Load(t, map[string]string{"DATA_DIR": filepath.Join(dir, "data"), "LISTEN": "unix:" + path, "ARCHIVE_CRON": "off", "VERIFY_CRON": "off"}, "")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}}}
	for range 2 { // the second takes the socket that the first has left
		s, err := newServer(cfg, "test", log)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		ended := make(chan error, 1)
		go func() { ended <- s.run(ctx, nil) }()
		var said strings.Builder
		s.announce(&said)
		if !strings.Contains(said.String(), "unix:"+path+"/demo") {
			t.Errorf("announced %s", said.String())
		}
		r, err := client.Get("http://localhost/healthz")
		if err != nil || r.StatusCode != http.StatusOK {
			t.Errorf("%v %v", r, err)
		} else if err := r.Body.Close(); err != nil {
			t.Error(err)
		}
		if _, err := listen(cfg.Address(), log); err == nil || !strings.Contains(err.Error(), "somebody listens") {
			t.Errorf("a second daemon: %v", err)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(path); err != nil {
			t.Errorf("the socket went with the daemon: %v", err)
		}
	}
	other := filepath.Join(dir, "file")
	if err := os.WriteFile(other, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listen("unix:"+other, log); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("a file in its place: %v", err)
	}
	if _, err := listen("unix:"+filepath.Join(dir, "none", "s"), log); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}
