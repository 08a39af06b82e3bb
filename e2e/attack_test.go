package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// raw sends bytes as no client library would and returns the status and the
// body of the answer.
func raw(t testing.TB, addr, request string) (int, string) {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, 5*time.Second)
	must(t, err)
	defer func() { must(t, c.Close()) }()
	must(t, c.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = io.WriteString(c, request)
	must(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, err.Error() // hung up on: refused as well
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return resp.StatusCode, err.Error()
	}
	must(t, resp.Body.Close())
	return resp.StatusCode, string(body)
}

// spoofs are what a client sends to look like somebody on the machine.
var spoofs = []string{
	"", "X-Real-IP: 127.0.0.1", "X-Forwarded-For: 127.0.0.1", "X-Forwarded-For: ::1, 127.0.0.1", "Forwarded: for=127.0.0.1;host=localhost",
	"X-Forwarded-Host: localhost", "X-Client-IP: 127.0.0.1", "True-Client-IP: 127.0.0.1", "CF-Connecting-IP: 127.0.0.1", "X-Original-URL: /metrics",
	"X-Rewrite-URL: /metrics", "Via: 1.1 localhost", "Origin: http://127.0.0.1", "Referer: http://127.0.0.1:8360/admin/",
	"Authorization: Bearer ", "Authorization: Bearer null", "Authorization: Basic YWRtaW46YWRtaW4=", "Cookie: ddkk_admin=1; session=admin; token=",
	"Connection: X-Real-IP, X-Forwarded-For", "Connection: close, x-forwarded-for",
}

// adminPaths are the admin's, in spellings by which rules are got round.
var adminPaths = []string{
	"/metrics", "/api/restore", "/api/admin/sites", "/api/admin/health", "/api/admin/summary?site=ddkk.com", "//metrics", "/./metrics", "/api/../metrics", "/%6detrics", "/metrics/", "/metrics%00",
	"/metrics?x", "/demo/../metrics", "/demo%2f..%2fmetrics", "/api/%2e%2e/metrics", "/api//restore", "/API/RESTORE", "/api/restore;x", "/api/hot/../admin/health", "/healthz/..;/metrics",
	"http://127.0.0.1/metrics", "http://localhost:8360/api/restore",
}

// secrets of an admin's answer that must not come out.
var adminAnswer = regexp.MustCompile(`ddkk_log_lines|"running"|"sites"|"version"|"books"`)

// TestAttackAdmin tries to get at the admin's paths without the token: through
// nginx as configured, with the admin's paths opened, through a proxy that was
// told nothing, and directly under foreign names.
func TestAttackAdmin(t *testing.T) {
	t.Parallel()
	for _, token := range []string{"", "right-token-of-the-admin"} {
		env := map[string]string{"TIMEZONE": "UTC", "ADMIN_TOKEN": token}
		d := NewDaemon(t, env)
		closed, open := StartNginx(t, Binary(t), d.Addr), StartNginx(t, Binary(t), d.Addr, "--admin")
		bare := startBareProxy(t, d.Addr)
		d.Start()
		// Wrong tokens are answered late after a few; the right one enters at the end, too.
		direct := func(want int, headers string) {
			t.Helper()
			if status, body := raw(t, d.Addr, "GET /metrics HTTP/1.1\r\n"+headers+"Connection: close\r\n\r\n"); status != want {
				t.Errorf("token %q, directly with %q: %d %.100s, want %d", token, headers, status, body, want)
			}
		}
		local := 200
		if token != "" {
			local = 401
			direct(200, "Host: x\r\nAuthorization: Bearer "+token+"\r\n")
			direct(401, "Host: x\r\nAuthorization: Bearer "+token+"x\r\n")
			direct(401, "Host: x\r\nAuthorization: Bearer "+token[:8]+"\r\n")
		}
		direct(local, "Host: 127.0.0.1\r\n")
		direct(401, "Host: rebound.example\r\n")
		direct(401, "Host: 127.0.0.1\r\nOrigin: https://evil.example\r\n")
		direct(401, "Host: 127.0.0.1.evil.example\r\n")
		if token != "" {
			if status, body := raw(t, open.Addr, "GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+token+"\r\nConnection: close\r\n\r\n"); status != 200 {
				t.Errorf("the token through nginx: %d %s", status, body)
			}
		}
		tried := 0
		for _, front := range []string{closed.Addr, open.Addr, bare} {
			for _, path := range adminPaths {
				for _, spoof := range spoofs {
					if spoof != "" {
						spoof += "\r\n"
					}
					for _, host := range []string{"ddkk.com", "127.0.0.1:8360", "localhost"} {
						if strings.Contains(spoof, "Bearer null") && host != "localhost" {
							continue // each wrong token is held back
						}
						tried++
						status, body := raw(t, front, "GET "+path+" HTTP/1.1\r\nHost: "+host+"\r\n"+spoof+"Connection: close\r\n\r\n")
						if status == 200 || adminAnswer.MatchString(body) {
							t.Errorf("token %q, %s %s %q: %d %.200s", token, host, path, spoof, status, body)
						}
					}
				}
			}
			status, body := raw(t, front, "POST /api/restore HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 19\r\nConnection: close\r\n\r\n{\"site\":\"ddkk.com\"}")
			if status == 200 || strings.Contains(body, "unknown_site") {
				t.Errorf("restore through a proxy: %d %s", status, body)
			}
		}
		if token != "" {
			direct(200, "Host: x\r\nAuthorization: Bearer "+token+"\r\n")
		}
		t.Logf("token %q: %d requests tried", token, tried)
		if token != "" && strings.Contains(d.Log(), token) {
			t.Error("the token is in the daemon's log")
		}
	}
}

// startBareProxy is an nginx with a proxy_pass and nothing else, as many have it.
func startBareProxy(t *testing.T, api string) string {
	t.Helper()
	dir, addr := TempDir(t), fmt.Sprintf("127.0.0.1:%d", FreePort(t))
	conf := fmt.Sprintf(`pid %[1]s/nginx.pid; error_log %[1]s/error.log; events {}
		http { access_log off; client_body_temp_path %[1]s/tmp; proxy_temp_path %[1]s/tmp; fastcgi_temp_path %[1]s/tmp; uwsgi_temp_path %[1]s/tmp; scgi_temp_path %[1]s/tmp;
			server { listen %[2]s; location / { proxy_pass http://%[3]s; } } }`, dir, addr, api)
	startNginx(t, dir, addr, filepath.Join(dir, "none.log"), []byte(conf))
	return addr
}

// originTricks look like https://ddkk.com to who compares carelessly.
var originTricks = []string{
	"null", "http://ddkk.com", "https://ddkk.com:8443", "https://ddkk.com.evil.example", "https://evilddkk.com", "https://evil.example/?ddkk.com", "https://ddkk.com@evil.example",
	"https://ddkk.com%60.evil.example", "https://ddkk.com_.evil.example", "https://ddkk.comx", "https://sub.ddkk.com", "https://www.ddkk.com", "https://ddkk.com.", "https://ddkk.com/", "https://ddkk.com,https://evil.example",
	"https://ddkk.com https://evil.example", "file://ddkk.com", "https:\\\\ddkk.com", "https://ddkk\x2ecom.evil.example", "https://ddkkxcom", "https://ddk.com", "HTTPS://DDKK.COM", "ddkk.com", "//ddkk.com", "https://xn--ddkk-.com", "about:blank", "chrome-extension://ddkk.com",
}

func TestAttackOrigins(t *testing.T) {
	t.Parallel()
	d := NewDaemon(t, map[string]string{"TIMEZONE": "UTC", "CORS_ORIGINS": "https://ddkk.com", "SITES": "ddkk.com"})
	n := StartNginx(t, Binary(t), d.Addr)
	d.Start()
	for _, addr := range []string{d.Addr, n.Addr} {
		ask := func(method, origin string) (int, string) {
			return raw(t, addr, method+" /api/hot?site=ddkk.com HTTP/1.1\r\nHost: count.ddkk.com\r\nOrigin: "+origin+"\r\nAccess-Control-Request-Method: GET\r\nConnection: close\r\n\r\n")
		}
		if status, body := ask("GET", "https://ddkk.com"); status != 200 {
			t.Errorf("the allowed origin: %d %s", status, body)
		}
		for _, origin := range originTricks {
			if status, body := ask("GET", origin); status != 401 || !strings.Contains(body, `"40010"`) {
				t.Errorf("GET from %q: %d %s", origin, status, body)
			}
			if status, _ := ask("OPTIONS", origin); status != 401 {
				t.Errorf("OPTIONS from %q: %d", origin, status)
			}
		}
	}
}

// TestAttackReferers: a view counts when the Referer's host is the site's, by an
// exact comparison; all else is skipped and in the books as such.
func TestAttackReferers(t *testing.T) {
	t.Parallel()
	d := NewDaemon(t, map[string]string{"TIMEZONE": "UTC", "SITES": "ddkk.com"})
	n := StartNginx(t, Binary(t), d.Addr)
	d.Env["ACCESS_LOG"] = n.Log
	d.Start()
	good := []string{"https://ddkk.com/", "http://DDKK.com:80/x", "https://www.ddkk.com/a?b", "https://ddkk.com./"}
	bad := []string{
		"https://evil.example/?ddkk.com", "https://ddkk.com.evil.example/", "https://evilddkk.com/", "https://ddkk.com@evil.example/", "https://evil.example/ddkk.com", "https://evil.example/#https://ddkk.com/",
		"https://evil.example\\@ddkk.com/", "https:\\\\evil.example", "android-app://evil.example", "https://ddkk.co/", "https://ddkk.com.com/", "https://xddkk.com/", "https://sub.ddkk.com/",
	}
	for _, list := range [][]string{good, bad} {
		for _, referer := range list {
			status, body := raw(t, n.Addr, "GET /event.png?site=ddkk.com&page=/x HTTP/1.1\r\nHost: count.ddkk.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0\r\nReferer: "+referer+"\r\nConnection: close\r\n\r\n")
			if status != 200 {
				t.Errorf("Referer %q: %d %s", referer, status, body)
			}
		}
	}
	Eventually(t, 20*time.Second, "all lines are read", func() error {
		b, err := readBooks(d)
		if err == nil && b.sum("ddkk_log_lines_read_total") < float64(len(good)+len(bad)) {
			err = fmt.Errorf("%v lines", b.sum("ddkk_log_lines_read_total"))
		}
		return err
	})
	b := checkBooks(t, d)
	if human := b.sum("ddkk_log_lines_total", `result="human"`); human != float64(len(good)) {
		t.Errorf("%v views counted, want %d\n%s", human, len(good), b.lines())
	}
	if skipped := b.sum("ddkk_log_lines_total", `result="skipped"`, `reason="referer"`); skipped != float64(len(bad)) {
		t.Errorf("%v lines skipped for their Referer, want %d\n%s", skipped, len(bad), b.lines())
	}
}

// TestAttackSecrets: what is secret is in no output, and in no file that others
// may read.
func TestAttackSecrets(t *testing.T) {
	t.Parallel()
	secrets := map[string]string{
		"ADMIN_TOKEN": "s3cret-admin-token", "REDIS_PASSWORD": "s3cret-redis-password", "SECRET": "s3cret-key-of-hashes",
		"MYSQL_DSN": "ddkk:s3cret-sql-password@tcp(127.0.0.1:1)/ddkk?timeout=1s",
	}
	server := StartRedis(t)
	must(t, server.Client(t).ConfigSet(t.Context(), "requirepass", secrets["REDIS_PASSWORD"]).Err())
	env := map[string]string{"REDIS_ADDR": server.Addr, "TIMEZONE": "UTC", "LOG_LEVEL": "debug"}
	for name, value := range secrets {
		env[name] = value
	}
	d := NewDaemon(t, env)
	d.Launch()
	Eventually(t, 30*time.Second, "it answers", func() error { _, err := d.Get("/healthz"); return err })
	raw(t, d.Addr, "GET /event.png?site=ddkk.com&page=/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer s3cret-admin-token\r\nConnection: close\r\n\r\n")
	raw(t, d.Addr, "GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer s3cret-wrong\r\nConnection: close\r\n\r\n")
	var said strings.Builder
	for _, args := range [][]string{{"check"}, {"archive"}, {"verify"}, {"restore-from-mysql"}} {
		out, err := Run(t, d.Env, args...)
		if err == nil && args[0] != "check" {
			t.Errorf("%v ended well without SQL", args)
		}
		said.WriteString(out)
	}
	for name, value := range map[string]string{"MYSQL_DSN": "ddkk:s3cret-sql-password@nonsense(", "ADMIN_TOKEN": "s3cret with blanks", "REDIS_PASSWORD": "s3cret\nline"} {
		bad := map[string]string{name: value, "DATA_DIR": TempDir(t)}
		out, err := Run(t, bad, "server")
		if err == nil {
			t.Errorf("%s=%q was taken", name, value)
		}
		said.WriteString(out)
	}
	d.Terminate()
	if text := d.Log() + said.String(); strings.Contains(text, "s3cret") {
		for line := range strings.Lines(text) {
			if strings.Contains(line, "s3cret") {
				t.Errorf("a secret is told: %s", line)
			}
		}
	}

	// Without SQL there is an SQLite file; the secret is kept in one of its own.
	delete(d.Env, "MYSQL_DSN")
	delete(d.Env, "SECRET")
	d.Start()
	raw(t, d.Addr, "GET /event.png?site=ddkk.com&page=/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	must(t, filepath.WalkDir(d.Dir, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o007 != 0 {
			t.Errorf("%s has mode %v: others may get at it", path, info.Mode())
		}
		if e.Name() == "secret" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return nil
	}))
	if _, err := os.Stat(filepath.Join(d.Dir, "secret")); err != nil {
		t.Error(err)
	}
}

// TestAttackSlowAndHuge: clients that send slowly, much, or nothing do not keep
// others from being answered.
func TestAttackSlowAndHuge(t *testing.T) {
	t.Parallel()
	d := StartDaemon(t, map[string]string{"TIMEZONE": "UTC"})
	const slow = 600
	var held []net.Conn
	for i := range slow {
		c, err := net.DialTimeout("tcp", d.Addr, 5*time.Second)
		must(t, err)
		held = append(held, c)
		text := "POST /api/stats HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n{"
		if i%2 == 0 {
			text = "GET /api/hot HTTP/1.1\r\nHost: x\r\nX-Slow: "
		}
		_, err = io.WriteString(c, text)
		must(t, err)
	}
	answered := func(when string) {
		t.Helper()
		began := time.Now()
		if _, err := d.Post("/api/stats", `{"site":"ddkk.com","fields":["site_pv"]}`); err != nil || time.Since(began) > 3*time.Second {
			t.Errorf("%s: %v after %v", when, err, time.Since(began))
		}
	}
	answered("with slow clients")
	for _, request := range []string{
		"POST /api/stats HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000000\r\n\r\n" + strings.Repeat("x", 100_000),
		"POST /api/stats HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", "POST /api/stats HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
		"POST /api/stats HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nFFFFFFFFFFFFFFFF\r\n", "POST /api/stats HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
		"GET /" + strings.Repeat("a", 100_000) + " HTTP/1.1\r\nHost: x\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("A: b\r\n", 20_000) + "\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", strings.Repeat("\x00", 5000) + "\r\n\r\n",
	} {
		c, err := net.DialTimeout("tcp", d.Addr, 5*time.Second)
		must(t, err)
		must(t, c.SetDeadline(time.Now().Add(5*time.Second)))
		// The server may hang up before all is sent.
		if _, err := io.WriteString(c, request); err == nil {
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err == nil && resp.StatusCode < 400 {
				t.Errorf("%.60q: %d", request, resp.StatusCode)
			}
		}
		must(t, c.Close())
	}
	answered("after odd requests")
	// Slow ones are hung up on by themselves.
	must(t, held[0].SetReadDeadline(time.Now().Add(30*time.Second)))
	if _, err := io.Copy(io.Discard, held[0]); err != nil && isTimeout(err) {
		t.Error("a client that sends nothing is still connected after 30 s")
	}
	for _, c := range held {
		must(t, c.Close())
	}
}
