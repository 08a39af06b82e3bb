package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// callSite is what an nginx on loopback is asked for.
const callSite = "127.0.0.1"

// callRig is a real nginx that writes a site's own log, and the daemon.
type callRig struct {
	t      *testing.T
	redis  *Redis
	client *redis.Client
	nginx  *Nginx
	daemon *Daemon
	log    string
	calls  map[string]int64 // by endpoint, status and user, as fields of a day
}

func newCallRig(t *testing.T) *callRig {
	t.Helper()
	t.Parallel()
	r := &callRig{t: t, redis: StartRedis(t), calls: map[string]int64{}}
	r.client = r.redis.Client(t)
	dir := TempDir(t)
	must(t, os.Mkdir(filepath.Join(dir, "log"), 0o755))
	event := filepath.Join(dir, "log", "event.log")
	r.log = filepath.Join(dir, "log", "api.log")
	r.daemon = NewDaemon(t, map[string]string{"REDIS_ADDR": r.redis.Addr, "ACCESS_LOG": event, "SITE_LOG": r.log,
		"API_ROUTES": "/users/:id", "TIMEZONE": "UTC", "REFERER_CHECK": "off"})
	addr := fmt.Sprintf("127.0.0.1:%d", FreePort(t))
	cmd := exec.Command(Binary(t), "nginx-conf", "--standalone", "--listen", addr, "--log", event, "--site-log", r.log, "--api", freeAddr(t))
	cmd.Dir = dir
	conf, err := cmd.Output()
	must(t, err)
	const api = "server_tokens off;\nlocation /users/ { return 200; }\nlocation /fail { return 503; }\nlocation /post/ { return 200; }\n"
	r.nginx = startNginx(t, dir, addr, event, []byte(strings.Replace(string(conf), "server_tokens off;", api, 1)))
	r.calls["total"]++ // nginx was asked whether it is ready
	r.calls["endpoint:GET /ready-for-tests"]++
	r.calls["status:404"]++
	return r
}

// call asks nginx n times for each of its endpoints, and records what it did.
func (r *callRig) call(n int) {
	r.t.Helper()
	for i := range n {
		r.get(fmt.Sprintf("/users/%d?x=1", i), "GET /users/:id", 200, fmt.Sprintf("user%d", i%3))
		r.get("/fail", "GET /fail", 503, "")
		r.get(fmt.Sprintf("/nowhere/%d/", 1000+i), "GET /nowhere/:id", 404, "")
		r.get("/event.png?site=ddkk.com&page=%2F", "", 200, "")
	}
}

func (r *callRig) get(uri, endpoint string, status int, user string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, "http://"+r.nginx.Addr+uri, nil)
	must(r.t, err)
	if user != "" {
		req.SetBasicAuth(user, "x")
	}
	resp, err := http.DefaultClient.Do(req)
	must(r.t, err)
	_, err = io.Copy(io.Discard, resp.Body)
	must(r.t, err)
	must(r.t, resp.Body.Close())
	if resp.StatusCode != status {
		r.t.Fatalf("%s: status %d, want %d", uri, resp.StatusCode, status)
	}
	if endpoint == "" {
		return // a beacon is no call
	}
	r.calls["total"]++
	r.calls["endpoint:"+endpoint]++
	r.calls[fmt.Sprintf("status:%d", status)]++
	if user != "" {
		r.calls["user:"+user]++
	}
	if status >= 500 {
		r.calls["failed"]++
		r.calls["failed:"+endpoint]++
	}
}

// rotate is what logrotate does.
func (r *callRig) rotate(suffix string) {
	r.t.Helper()
	must(r.t, os.Rename(r.log, r.log+suffix))
	pid, err := r.nginx.masterPID()
	must(r.t, err)
	must(r.t, syscall.Kill(pid, syscall.SIGUSR1))
	Eventually(r.t, 10*time.Second, "nginx makes the log anew", func() error {
		_, err := os.Stat(r.log)
		return err
	})
}

// exact waits until Redis has what was recorded.
func (r *callRig) exact() {
	r.t.Helper()
	Eventually(r.t, settleLimit, "calls are exact", func() error { return r.differs(r.calls) })
	checkBooks(r.t, r.daemon)
}

// differs compares what Redis has with a ledger: all of it, over all days and,
// added up, hours and minutes.
func (r *callRig) differs(ledger map[string]int64) error {
	for _, kind := range []string{"day", "hour", "minute"} {
		keys, err := r.client.Keys(r.t.Context(), prefix+"api:"+callSite+":"+kind+":*").Result()
		if err != nil {
			return err
		}
		got, want := map[string]int64{}, maps.Clone(ledger)
		if kind == "minute" {
			maps.DeleteFunc(want, func(f string, _ int64) bool { return strings.Contains(f, ":") })
		}
		for _, k := range keys {
			if strings.HasSuffix(k, ":latency") {
				continue
			}
			fields, err := r.client.HGetAll(r.t.Context(), k).Result()
			if err != nil {
				return err
			}
			for f, v := range fields {
				var n int64
				if _, err := fmt.Sscan(v, &n); err != nil {
					return err
				}
				got[f] += n
			}
		}
		maps.DeleteFunc(got, func(f string, _ int64) bool { return f == "ms" || strings.HasPrefix(f, "ms:") })
		if !maps.Equal(got, want) {
			return fmt.Errorf("%s: %v, want %v", kind, got, want)
		}
	}
	return nil
}

func (r *callRig) command(args ...string) string {
	r.t.Helper()
	out, err := Run(r.t, r.daemon.Env, args...)
	if err != nil {
		r.t.Fatalf("ddkk-stats %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// TestCallsEndToEnd: a real nginx writes an API's log; the daemon is killed
// while it is rotated; segments are archived and deleted; Redis loses
// everything. The numbers are those of the requests throughout.
func TestCallsEndToEnd(t *testing.T) {
	r := newCallRig(t)
	r.daemon.Start()
	r.call(40)
	r.daemon.Kill()
	r.call(10)
	r.rotate(".1")
	r.call(20)
	r.rotate(".2")
	r.call(10)
	r.daemon.Start()
	r.call(10)
	r.exact()

	for _, suffix := range []string{".1", ".2"} {
		old := time.Now().Add(-time.Hour)
		must(t, os.Chtimes(r.log+suffix, old, old))
	}
	r.command("archive")
	for _, suffix := range []string{".1", ".2"} {
		must(t, os.Remove(r.log+suffix))
	}
	r.call(10)
	r.exact()
	must(t, r.redis.Client(t).FlushAll(t.Context()).Err())
	r.call(5)
	r.exact()
	if out := r.command("verify"); !strings.Contains(out, " 0 differences, 0 problems") {
		t.Errorf("verify:\n%s", out)
	}
	// The site's numbers are stale for a moment after it was rebuilt.
	Eventually(t, settleLimit, "the report is exact", func() error {
		body, err := r.daemon.Get("/api/admin/reports/daily?site=" + callSite)
		if err != nil {
			return err
		}
		var report struct {
			Total struct{ Calls, Failed int64 }
		}
		if err := json.Unmarshal(body, &report); err != nil {
			return err
		}
		if report.Total.Calls != r.calls["total"] || report.Total.Failed != r.calls["failed"] {
			return fmt.Errorf("it is %s", body)
		}
		return nil
	})
}
