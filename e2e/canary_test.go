package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestCanary sets every secret to a text that is nowhere else, and has the daemon and its
// commands fail with each of them, and work: nothing that they write or answer has it,
// as it is or encoded.
func TestCanary(t *testing.T) {
	t.Parallel()
	const canary = "hushCanary7319"
	server := StartRedis(t)
	log := filepath.Join(TempDir(t), "event.log")
	ledger := NewLedger(time.UTC)
	w := NewWriter(t, log, ledger, WriterOptions{})
	nobody := freeAddr(t) // nobody listens there
	set := map[string]string{
		"ACCESS_LOG": log, "TIMEZONE": "UTC", "LOG_LEVEL": "debug", "FLUSH_CRON": "*/2 * * * * *", "REDIS_ADDR": server.Addr,
		"REDIS_PASSWORD": canary + "rp",
		"MYSQL_DSN":      canary + "user:" + canary + "my@tcp(" + nobody + ")/ddkk", "SECRET": canary + "secret", "BEACON_KEY": canary + "beacon",
		"ADMIN_TOKEN": canary + "token", "ALERT_URL": "http://" + nobody + "/" + canary + "?access_token=" + canary, "ALERT_FORMAT": "dingtalk", "ALERT_SECRET": canary + "sign",
		"SMTP_URL": "smtp://anna:" + canary + "smtp@" + nobody, "ALERT_TO": "a@a.example", "REPORT_URL": "http://" + nobody + "/" + canary, "REPORT_TO": "a@a.example", "REPORT_CRON": "*/2 * * * * *",
		"ES_URL": "http://" + nobody, "ES_USER": "elastic", "ES_PASSWORD": canary + "es", "ES_API_KEY": canary + "key",
	}
	var all []string
	heard := func(what, text string) {
		t.Helper()
		for _, form := range []string{canary, url.QueryEscape(canary), fmt.Sprintf("%x", canary), base64.RawStdEncoding.EncodeToString([]byte(canary))[:16]} {
			if at := strings.Index(strings.ToLower(text), strings.ToLower(form)); at >= 0 {
				t.Errorf("%s has the canary: ...%q", what, text[max(0, at-60):min(len(text), at+60)])
			}
		}
		all = append(all, text)
	}
	run := func(d *Daemon, args ...string) string {
		cmd := exec.Command(Binary(t), args...)
		cmd.Dir, cmd.Env = d.dir, environment(d.Env)
		out, _ := cmd.CombinedOutput() // many of them must fail
		heard(strings.Join(args, " "), string(out))
		return string(out)
	}

	// Redis refuses the password; then SQL is away and Redis empty.
	bad := NewDaemon(t, set)
	delete(bad.Env, "ES_API_KEY") // not together with a user
	var secrets map[string]string
	printed := run(bad, "config", "--json")
	if err := json.Unmarshal([]byte(printed), &secrets); err != nil {
		t.Fatalf("config --json: %v in %s", err, printed)
	}
	for name := range bad.Env {
		if strings.Contains(bad.Env[name], canary) && strings.Contains(secrets[name], canary) {
			t.Errorf("config prints %s", name)
		}
	}
	c := server.Client(t)
	must(t, c.ConfigSet(t.Context(), "requirepass", "another").Err())
	bad.Launch()
	names := func(d *Daemon, want string) {
		t.Helper()
		Eventually(t, 30*time.Second, "/readyz says "+want, func() error {
			r, err := http.Get(d.URL("/readyz"))
			if err != nil {
				return err
			}
			defer r.Body.Close()
			b, err := io.ReadAll(r.Body)
			if heard("/readyz", string(b)); err == nil && !strings.Contains(string(b), want) {
				err = fmt.Errorf("%d %s", r.StatusCode, b)
			}
			return err
		})
	}
	names(bad, "redis-refuses")
	must(t, c.ConfigSet(t.Context(), "requirepass", set["REDIS_PASSWORD"]).Err())
	names(bad, "archive-away")
	for _, args := range [][]string{{"check"}, {"config", "--print"}, {"alert", "--test"}, {"archive"}, {"verify"}, {"server", "--validate"}} {
		run(bad, args...)
	}
	bad.Terminate()
	heard("the log of a daemon without SQL", bad.Log())

	// All works but for those who are told.
	delete(set, "MYSQL_DSN")
	delete(set, "BEACON_KEY")
	delete(set, "ES_USER")
	delete(set, "ES_PASSWORD")
	d := StartDaemon(t, set)
	w.Write(0, NewTraffic(1, "192.0.2.1", 3).Next())
	for _, path := range []string{"/readyz", "/healthz", "/metrics", "/api/admin/health", "/api/admin/session", "/api/admin/verify", "/api/admin/sites", "/openapi.json", "/api/nothing"} {
		for _, token := range []string{set["ADMIN_TOKEN"], set["ADMIN_TOKEN"] + "x", ""} {
			req, err := http.NewRequest(http.MethodGet, d.URL(path), nil)
			must(t, err)
			if token != "" {
				req.Header.Set("Authorization", "Bearer "+token)
			}
			r, err := http.DefaultClient.Do(req)
			must(t, err)
			b, err := io.ReadAll(r.Body)
			must(t, err)
			must(t, r.Body.Close())
			heard(path, fmt.Sprint(r.Header, string(b)))
		}
	}
	for _, args := range [][]string{{"check"}, {"config", "--print"}, {"config", "--print", "ALERT_URL"}, {"alert", "--test"}, {"archive"}, {"verify"}, {"mirror"}} {
		run(d, args...)
	}
	Eventually(t, 30*time.Second, "the search index is missed", func() error {
		if !strings.Contains(d.Log(), "ES_URL") {
			return fmt.Errorf("the log does not name it yet")
		}
		return nil
	})
	d.HangUp()
	d.Terminate()
	heard("the log", d.Log())
	if n := len(strings.Join(all, "")); n < 20_000 {
		t.Errorf("only %d bytes were looked at", n)
	}
}
