package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
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
	wantFinding(t, all, levelWarn, "configuration", "LOG_SYNC is off")
	wantFinding(t, all, levelWarn, "SITES", "made-up sites")
}

func TestCheckHostNames(t *testing.T) {
	c := newCheckup(t, map[string]string{"SITES": "analytics.ddkk.com", "CORS_ORIGINS": "https://stats.b.com"}, "STATS.c.com", "https://stats.d.com")
	all := c.hostNames(context.Background())
	for _, host := range []string{"analytics.ddkk.com", "stats.b.com", "stats.c.com", "stats.d.com"} {
		wantFinding(t, all, levelWarn, "host name", strconv.Quote(host), "ad-blockers")
	}
	c = newCheckup(t, nil, "count.ddkk.com", "mystats.ddkk.com")
	wantFinding(t, c.hostNames(context.Background()), levelOK, "host name", "2 looked at")
	if all := newCheckup(t, nil).hostNames(context.Background()); len(all) != 0 {
		t.Errorf("no host to look at: %v", all)
	}
}

func TestCheckAdmin(t *testing.T) {
	f := func(env map[string]string, want level) {
		t.Helper()
		wantFinding(t, newCheckup(t, env).admin(context.Background()), want, "ADMIN_TOKEN")
	}
	f(nil, levelOK)
	f(map[string]string{"LISTEN": "::1"}, levelOK)
	f(map[string]string{"LISTEN": "localhost"}, levelOK)
	f(map[string]string{"LISTEN": "0.0.0.0"}, levelWarn)
	f(map[string]string{"LISTEN": "192.0.2.1"}, levelWarn)
	f(map[string]string{"LISTEN": "0.0.0.0", "ADMIN_TOKEN": strings.Repeat("x", 32)}, levelOK)
}

func TestCheckSecretFiles(t *testing.T) {
	c := newCheckup(t, nil)
	if all := c.secretFiles(context.Background()); len(all) != 0 {
		t.Errorf("before the first start: %v", all)
	}
	path := filepath.Join(c.cfg.DataDir, "secret")
	writeTestFile(t, path, "x", 0o644)
	wantFinding(t, c.secretFiles(context.Background()), levelFail, "secret file", "chmod 0600")
	writeTestFile(t, path, "x", 0o600)
	wantFinding(t, c.secretFiles(context.Background()), levelOK, "secret file")

	c.cfg = mustLoad(t, map[string]string{"DATA_DIR": t.TempDir()}, "admin_token: 0123456789abcdef0123456789abcdef\n")
	writeTestFile(t, c.cfg.File, "x", 0o644)
	wantFinding(t, c.secretFiles(context.Background()), levelFail, "configuration file", "chmod 0640")
}

func TestCheckTimezone(t *testing.T) {
	c := newCheckup(t, map[string]string{"TIMEZONE": "Asia/Shanghai"})
	wantFinding(t, c.timezone(context.Background()), levelOK, "TIMEZONE", "2026-11-22 20:00", "+08:00")
}

func TestCheckPort(t *testing.T) {
	wantFinding(t, newCheckup(t, map[string]string{"PORT": "0"}).port(context.Background()), levelWarn, "PORT", "free port")
	wantFinding(t, newCheckup(t, map[string]string{"PORT": freePort(t)}).port(context.Background()), levelOK, "PORT", "is free")

	taken := func(status int, body string) []finding {
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
	wantFinding(t, taken(200, `{"status":"ok"}`), levelOK, "PORT", "numbers are current")
	wantFinding(t, taken(503, `{"error":{"code":"unavailable","message":"Redis does not answer"}}`), levelWarn, "PORT", "Redis does not answer")
	wantFinding(t, taken(200, `<html>`), levelFail, "PORT", "not this daemon")
	wantFinding(t, taken(200, `{"other":1}`), levelFail, "PORT", "not this daemon")
	wantFinding(t, taken(404, `{}`), levelFail, "PORT", "not this daemon")
}
