package doctor

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"ddkk-stats/internal/config/configtest"
)

// freePort is a port that nobody uses at this moment.
func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)
}

func TestCheckConfig(t *testing.T) {
	all := newCheckup(t, map[string]string{"LOG_SYNC": "off"}).config(context.Background())
	wantFinding(t, all, LevelWarn, "configuration", "LOG_SYNC is off")
	wantFinding(t, all, LevelWarn, "SITES", "made-up sites")
}

func TestCheckHostNames(t *testing.T) {
	c := newCheckup(t, map[string]string{"SITES": "analytics.ddkk.com", "CORS_ORIGINS": "https://stats.b.com"}, "STATS.c.com", "https://stats.d.com")
	all := c.hostNames(context.Background())
	for _, host := range []string{"analytics.ddkk.com", "stats.b.com", "stats.c.com", "stats.d.com"} {
		wantFinding(t, all, LevelWarn, "host name", strconv.Quote(host), "ad-blockers")
	}
	c = newCheckup(t, nil, "count.ddkk.com", "mystats.ddkk.com")
	wantFinding(t, c.hostNames(context.Background()), LevelOK, "host name", "2 looked at")
	if all := newCheckup(t, nil).hostNames(context.Background()); len(all) != 0 {
		t.Errorf("no host to look at: %v", all)
	}
}

func TestCheckAdmin(t *testing.T) {
	f := func(env map[string]string, want level) {
		t.Helper()
		wantFinding(t, newCheckup(t, env).admin(context.Background()), want, "ADMIN_TOKEN")
	}
	f(nil, LevelOK)
	f(map[string]string{"LISTEN": "::1"}, LevelOK)
	f(map[string]string{"LISTEN": "localhost"}, LevelOK)
	f(map[string]string{"LISTEN": "0.0.0.0"}, LevelWarn)
	f(map[string]string{"LISTEN": "192.0.2.1"}, LevelWarn)
	f(map[string]string{"LISTEN": "0.0.0.0", "ADMIN_TOKEN": strings.Repeat("x", 32)}, LevelOK)
}

func TestCheckSecretFiles(t *testing.T) {
	c := newCheckup(t, nil)
	if all := c.secretFiles(context.Background()); len(all) != 0 {
		t.Errorf("before the first start: %v", all)
	}
	path := filepath.Join(c.Cfg.DataDir, "secret")
	configtest.WriteFile(t, path, "x", 0o644)
	wantFinding(t, c.secretFiles(context.Background()), LevelFail, "secret file", "chmod 0600")
	configtest.WriteFile(t, path, "x", 0o600)
	wantFinding(t, c.secretFiles(context.Background()), LevelOK, "secret file")

	c.Cfg = configtest.Load(t, map[string]string{"DATA_DIR": t.TempDir()}, "admin_token: 0123456789abcdef0123456789abcdef\n")
	configtest.WriteFile(t, c.Cfg.File, "x", 0o644)
	wantFinding(t, c.secretFiles(context.Background()), LevelFail, "configuration file", "chmod 0640")
}

func TestCheckTimezone(t *testing.T) {
	c := newCheckup(t, map[string]string{"TIMEZONE": "Asia/Shanghai"})
	wantFinding(t, c.timezone(context.Background()), LevelOK, "TIMEZONE", "2026-11-22 20:00", "+08:00")
}

func TestCheckPort(t *testing.T) {
	wantFinding(t, newCheckup(t, map[string]string{"PORT": "0"}).port(context.Background()), LevelWarn, "PORT", "free port")
	wantFinding(t, newCheckup(t, map[string]string{"PORT": freePort(t)}).port(context.Background()), LevelOK, "PORT", "is free")

	taken := func(status int, body string) []Finding {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			if _, err := w.Write([]byte(body)); err != nil {
				t.Error(err)
			}
		}))
		defer srv.Close()
		_, port, err := net.SplitHostPort(srv.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return newCheckup(t, map[string]string{"PORT": port}).port(context.Background())
	}
	wantFinding(t, taken(200, `{"status":"ok"}`), LevelOK, "PORT", "numbers are current")
	wantFinding(t, taken(503, `{"error":{"code":"unavailable","message":"Redis does not answer"}}`), LevelWarn, "PORT", "Redis does not answer")
	wantFinding(t, taken(200, `<html>`), LevelFail, "PORT", "not this daemon")
	wantFinding(t, taken(200, `{"other":1}`), LevelFail, "PORT", "not this daemon")
	wantFinding(t, taken(404, `{}`), LevelFail, "PORT", "not this daemon")
}
