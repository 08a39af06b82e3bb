package nginx_test

import (
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"ddkk-stats/internal/beacon"
	"ddkk-stats/nginx"
)

// accepts has nginx check a configuration.
func accepts(t *testing.T, dir, file string) {
	t.Helper()
	if out, err := exec.Command(binary(t), "-t", "-p", dir, "-c", file).CombinedOutput(); err != nil {
		t.Errorf("nginx -t: %v\n%s\n%s", err, out, read(t, file))
	} else if strings.Contains(string(out), "[warn]") {
		t.Errorf("nginx -t warns: %s", out)
	}
}

func TestRealNginxAcceptsStandalone(t *testing.T) {
	f := func(c nginx.Conf) {
		t.Helper()
		dir := filepath.Join(t.TempDir(), "a folder")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		c.Standalone, c.Log = true, filepath.Join(dir, "event.log")
		if c.Listen == "" {
			c.Listen = freeAddr(t)
		}
		file := filepath.Join(dir, "nginx.conf")
		save(t, file, c)
		accepts(t, dir, file)
	}
	f(nginx.Conf{})
	f(nginx.Conf{Admin: true, Rate: -1, API: "http://127.0.0.1:8360"})
	f(nginx.Conf{ServerName: "count.example.com *.example.com", API: "unix:/run/ddkk.sock"})
	f(nginx.Conf{Prefix: t.TempDir(), Rate: 1, Burst: 1})
	f(nginx.Conf{Listen: "unix:" + filepath.Join(t.TempDir(), "s"), TrustedProxies: []string{"unix:", "10.0.0.0/8", "2001:db8::/32", "203.0.113.7"}})
	f(nginx.Conf{TrustedProxies: []string{"10.0.0.0/8"}, ProxyProtocol: true})
	f(nginx.Conf{TrustedProxies: []string{"10.0.0.0/8"}, ClientHeader: "CF-Connecting-IP"})
}

func TestRealNginxAcceptsIncludes(t *testing.T) {
	f := func(frame string, parts ...nginx.Conf) {
		t.Helper()
		dir := t.TempDir()
		names := []any{}
		for i, c := range parts {
			name := filepath.Join(dir, fmt.Sprintf("part%d.conf", i))
			c.Log = filepath.Join(dir, "event.log")
			save(t, name, c)
			names = append(names, name)
		}
		file := filepath.Join(dir, "nginx.conf")
		text := fmt.Sprintf("pid %s/pid; events {} http { access_log off; %s }", dir, fmt.Sprintf(frame, names...))
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		accepts(t, dir, file)
	}
	site := fmt.Sprintf("server { listen %s;", freeAddr(t))
	f("include %s;", nginx.Conf{Listen: freeAddr(t)})
	f("include %s; "+site+" include %s; location /api/ { return 404; } }", nginx.Conf{Part: nginx.PartHTTP}, nginx.Conf{Part: nginx.PartLocations})
	f("include %s; "+site+" include %s; }", nginx.Conf{Part: nginx.PartHTTP, Rate: -1}, nginx.Conf{Part: nginx.PartLocations, Rate: -1})
}

func TestRealBeacon(t *testing.T) {
	s := start(t, nginx.Conf{})
	f := func(request string, status int, body int) answer {
		t.Helper()
		a := s.raw(t, request)
		if a.status != status || len(a.body) != body && body >= 0 {
			t.Errorf("%q: status %d, %d bytes; want %d, %d", request, a.status, len(a.body), status, body)
		}
		return a
	}
	a := f(request("GET", "/event.png?page=/"), 200, 43)
	if a.header["content-type"] != beacon.ContentType {
		t.Errorf("content type %q", a.header["content-type"])
	}
	for _, h := range beacon.Headers() { // both beacons say the same
		if got := a.header[strings.ToLower(h.Name)]; got != h.Value {
			t.Errorf("%s: %q, want %q", h.Name, got, h.Value)
		}
	}
	for _, h := range []string{"last-modified", "etag", "accept-ranges", "set-cookie"} {
		if v, ok := a.header[h]; ok {
			t.Errorf("%s: %s", h, v)
		}
	}
	f(request("HEAD", "/event.png"), 200, 0)
	f(request("POST", "/event.png", "Content-Length: 0"), 405, -1)
	f(request("GET", "/event.png", "If-Modified-Since: Mon, 28 Sep 1970 06:00:00 GMT"), 200, 43)
	f(request("GET", "/event.png", `If-None-Match: "x"`, "If-Modified-Since: Fri, 22 Nov 2030 06:00:00 GMT"), 200, 43)
	f(request("GET", "/event.png", "Range: bytes=0-3"), 200, 43)
	f(request("GET", "/other"), 404, -1)
	f("GET / HTTP/1.1\r\nHost: \x01\r\n\r\n", 400, -1)
	f(request("GET", "/event.png", "Cookie: "+strings.Repeat("c", 8000)), 400, -1) // longer than a buffer
	if n := len(s.lines(t)); n != 6 {
		t.Errorf("%d lines; the beacon's 6 requests and no others belong into the log", n)
	}
}

func TestRealLimit(t *testing.T) {
	s := start(t, nginx.Conf{Rate: 1, Burst: 3, TrustedProxies: []string{"127.0.0.1"}})
	const requests = 12
	lines := 0
	// f sends requests from an address in which # is 0, 1, 2...
	f := func(from string, least, most int) {
		t.Helper()
		passed := 0
		for i := range requests {
			a := s.get(t, "/event.png", "X-Forwarded-For: "+strings.ReplaceAll(from, "#", strconv.Itoa(i)))
			switch {
			case a.status == 200:
				passed++
			case a.status != 429 || a.header["cache-control"] != "no-store, max-age=0":
				t.Errorf("status %d, %v", a.status, a.header)
			}
		}
		if passed < least || passed > most {
			t.Errorf("from %s: %d passed, want %d to %d", from, passed, least, most)
		}
		lines += passed
	}
	const burst, more = 4, 5 // one at once, three in the burst, one if a second goes by
	f("203.0.113.99", burst, more)
	f("198.18.0.1#", requests, requests)         // IPv4 addresses each for itself
	f("2001:db8:1:2::#", burst, more)            // a /64
	f("2001:db8:1:2:#:1:2:3", 0, 1)              // the same, spelled in full
	f("2001:db8:2:#::1", requests, requests)     // others
	f("::ffff:198.51.100.#", requests, requests) // IPv4 clients of a dual-stack socket
	f("::ffff:198.51.100.77", burst, more)       // one of them
	f("127.0.0.1", requests, requests)           // this machine is not limited
	f("::1", requests, requests)
	if n := len(s.lines(t)); n != lines {
		t.Errorf("%d lines in the log, %d beacons passed", n, lines)
	}
}

func TestRealForwardedAddress(t *testing.T) {
	address := func(s *server, headers ...string) string {
		t.Helper()
		s.get(t, "/event.png", headers...)
		lines := s.lines(t)
		return strings.Split(lines[len(lines)-1], "\t")[3]
	}
	if got := address(start(t, nginx.Conf{}), "X-Forwarded-For: 203.0.113.7", "X-Real-IP: 203.0.113.8"); got != "127.0.0.1" {
		t.Errorf("a client's own word was believed: %s", got)
	}
	trusting := start(t, nginx.Conf{TrustedProxies: []string{"127.0.0.0/8", "10.0.0.0/8"}})
	if got := address(trusting, "X-Forwarded-For: 6.6.6.6, 203.0.113.7, 10.1.2.3"); got != "203.0.113.7" {
		t.Errorf("the rightmost address that is not a proxy's is 203.0.113.7, got %s", got)
	}
}

// A proxy names the client by the PROXY protocol: it is in the log and reaches the daemon, and
// what the client itself says does not; nor does the word of a proxy that nobody trusts.
func TestRealProxyProtocol(t *testing.T) {
	s := start(t, nginx.Conf{API: daemon(t).URL, TrustedProxies: []string{"127.0.0.0/8"}, ProxyProtocol: true})
	lies := []string{"X-Forwarded-For: 6.6.6.6", "X-Real-IP: 6.6.6.6", "Forwarded: for=6.6.6.6"}
	lastAddress := func(s *server) string {
		t.Helper()
		lines := s.lines(t)
		return strings.Split(lines[len(lines)-1], "\t")[3]
	}
	for head, want := range map[string]string{
		"PROXY TCP4 203.0.113.7 127.0.0.1 40000 80\r\n":   "203.0.113.7",
		"PROXY TCP6 2001:db8::7 2001:db8::1 40000 80\r\n": "2001:db8::7",
	} {
		if a := s.raw(t, head+request("GET", "/event.png", lies...)); a.status != 200 {
			t.Errorf("%q: status %d", head, a.status)
		}
		if got := lastAddress(s); got != want {
			t.Errorf("%q: %s is in the log", head, got)
		}
		if a := s.raw(t, head+request("GET", "/api/hot", lies...)); !strings.Contains(a.body, "|real="+want+"|xff="+want+"|") {
			t.Errorf("%q: the daemon got %s", head, a.body)
		}
	}
	// A health check of the proxy's own names nobody.
	if a := s.raw(t, "PROXY UNKNOWN\r\n"+request("GET", "/event.png")); a.status != 200 || lastAddress(s) != "127.0.0.1" {
		t.Errorf("UNKNOWN: status %d, %s is in the log", a.status, lastAddress(s))
	}
	n := len(s.lines(t))
	if conn, err := net.Dial("tcp", s.addr); err != nil {
		t.Error(err)
	} else { // without the header nothing is answered
		_ = conn.SetDeadline(time.Now().Add(patience))
		_, _ = io.WriteString(conn, request("GET", "/event.png"))
		if b, _ := io.ReadAll(conn); len(b) > 0 || len(s.lines(t)) != n {
			t.Errorf("without the header: %q", b)
		}
		_ = conn.Close()
	}
	other := start(t, nginx.Conf{TrustedProxies: []string{"10.0.0.0/8"}, ProxyProtocol: true})
	other.raw(t, "PROXY TCP4 203.0.113.7 127.0.0.1 40000 80\r\n"+request("GET", "/event.png", lies...))
	if got := lastAddress(other); got != "127.0.0.1" {
		t.Errorf("a proxy that is not trusted was believed: %s", got)
	}
}

// daemon stands for the daemon behind nginx and tells what reached it.
func daemon(t *testing.T) *httptest.Server {
	t.Helper()
	d := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		fmt.Fprintf(w, "%s %s|host=%s|real=%s|xff=%s|proto=%s|fwd=%s|%d bytes", r.Method, r.RequestURI, r.Host,
			r.Header.Get("X-Real-IP"), strings.Join(r.Header.Values("X-Forwarded-For"), ";"),
			r.Header.Get("X-Forwarded-Proto"), r.Header.Get("Forwarded"), len(body))
	}))
	t.Cleanup(d.Close)
	return d
}

func TestRealProxy(t *testing.T) {
	s := start(t, nginx.Conf{API: daemon(t).URL})
	f := func(uri, want string) {
		t.Helper()
		a := s.get(t, uri, "X-Forwarded-For: 6.6.6.6", "X-Real-IP: 6.6.6.6", "Forwarded: for=6.6.6.6", "X-Forwarded-Proto: https")
		if want == "" && a.status != 404 || want != "" && (a.status != 200 || !strings.HasSuffix(a.body, want)) {
			t.Errorf("%s: status %d, %s", uri, a.status, a.body)
		}
	}
	f("/api/hot?site=a&x=%2F", "GET /api/hot?site=a&x=%2F|host=ddkk.com|real=127.0.0.1|xff=127.0.0.1|proto=http|fwd=|0 bytes")
	for _, uri := range []string{
		"/ddkk-stats.js", "/ddkk-stats.lite.js", "/ddkk-stats.v1.js", "/ddkk-stats.mjs", "/ddkk-stats.d.mts", "/ddkk-stats.json", "/demo", "/demo/post-1", "/healthz", "/openapi.json", "/openapi.yaml", "/public/ddkk.com", "/badge/ddkk.com.svg?field=site_pv",
		"/busuanzi.pure.mini.js", "/busuanzi/2.3/busuanzi.pure.mini.js", "/busuanzi/3.6.9/busuanzi.min.js", "/bsz.js", "/js", "/js/lite", "/js/lite_pjax", "/js/jsonp", "/count.js",
		"/busuanzi?jsonpCallback=x", "/busuanzi/api", "/jsonp?callback=x", "/api", "/api.php", "/api/v1/log", "/api/v2/log?url=x", "/api/count?site=x", "/counter?host=x",
	} {
		f(uri, "GET "+uri+"|host=ddkk.com|real=127.0.0.1|xff=127.0.0.1|proto=http|fwd=|0 bytes")
	}
	// Closed, however the path is spelled.
	for _, uri := range []string{
		"/admin/", "/admin", "/api/admin/stats/overview", "/api/restore", "/metrics", "/",
		"/api//admin/x", "//admin/", "/api/%61dmin/x", "/api/x/../admin/x", "/api/x/%2e%2e/restore", "/api/./restore", "/demo/../metrics",
	} {
		f(uri, "")
	}
	// The API itself says what is too large, in JSON.
	big := strings.Repeat("x", 100<<10)
	if a := s.raw(t, request("POST", "/api/stats", fmt.Sprint("Content-Length: ", len(big)))+big); !strings.HasSuffix(a.body, "|102400 bytes") {
		t.Errorf("status %d: %s", a.status, a.body)
	}
	if n := len(s.lines(t)); n != 0 {
		t.Errorf("%d lines in the beacon log", n)
	}
}

func TestRealProxyTrustedScheme(t *testing.T) {
	s := start(t, nginx.Conf{API: daemon(t).URL, TrustedProxies: []string{"127.0.0.1"}})
	a := s.get(t, "/api/hot", "X-Forwarded-For: 6.6.6.6, 203.0.113.7", "X-Forwarded-Proto: https")
	if !strings.Contains(a.body, "|real=203.0.113.7|xff=203.0.113.7|proto=https|") {
		t.Errorf("%s", a.body)
	}
}

func TestRealAdminOpened(t *testing.T) {
	s := start(t, nginx.Conf{API: daemon(t).URL, Admin: true})
	for _, uri := range []string{"/admin/", "/api/admin/stats/overview", "/api/restore", "/metrics"} {
		if a := s.get(t, uri); a.status != 200 || !strings.Contains(a.body, "|real=127.0.0.1|") {
			t.Errorf("%s: status %d, %s", uri, a.status, a.body)
		}
	}
}

func TestRealDaemonDown(t *testing.T) {
	s := start(t, nginx.Conf{API: freeAddr(t)})
	a := s.get(t, "/api/stats")
	if a.status != 503 || a.header["content-type"] != "application/json" || !strings.HasPrefix(a.body, `{"error":{"code":"unavailable",`) {
		t.Errorf("status %d, %v, %s", a.status, a.header, a.body)
	}
	if a := s.get(t, "/event.png"); a.status != 200 {
		t.Errorf("the beacon answers %d without the daemon", a.status)
	}
}

// TestRealCacheAndMemory: what the daemon lets caches keep is asked for once, and is
// there without the daemon; numbers are asked for each time; and an answer that
// nobody takes is not put on the disk.
func TestRealCacheAndMemory(t *testing.T) {
	asked := map[string]int{}
	var mu sync.Mutex
	large := strings.Repeat("x", 8<<20)
	stuck := make(chan struct{})
	d := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked[r.URL.Path]++
		mu.Unlock()
		switch {
		case r.URL.Path == "/api/events":
			w.Header().Set("Cache-Control", "no-store")
			for range 8 {
				if _, err := io.WriteString(w, large); err != nil {
					return
				}
			}
			close(stuck) // all of it was taken: by whom?
		case strings.HasPrefix(r.URL.Path, "/api/"), r.URL.Path == "/healthz":
			w.Header().Set("Cache-Control", "no-store")
		case r.URL.Path == "/ddkk-stats.json":
			w.Header().Set("Cache-Control", "no-cache")
		default:
			w.Header().Set("Cache-Control", "public, max-age=86400")
			w.Header().Set("Vary", "Accept-Encoding")
		}
		fmt.Fprint(w, "of the daemon ", r.URL.Path)
	}))
	s := start(t, nginx.Conf{API: d.URL})
	f := func(uri string, want int) {
		t.Helper()
		for range 3 {
			if a := s.get(t, uri); a.status != 200 || !strings.HasSuffix(a.body, "of the daemon "+strings.Split(uri, "?")[0]) {
				t.Errorf("%s: %d %.100s", uri, a.status, a.body)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		if n := asked[strings.Split(uri, "?")[0]]; n != want {
			t.Errorf("%s was asked for %d times, want %d", uri, n, want)
		}
	}
	f("/ddkk-stats.js", 1)
	f("/badge/ddkk.com.svg?field=site_pv", 1)
	f("/js/lite", 1)
	f("/ddkk-stats.json", 3)
	f("/api/hot?site=ddkk.com", 3)

	// A client that asks for 64 MiB and takes nothing.
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, request("GET", "/api/events")); err != nil {
		t.Fatal(err)
	}
	until(t, "the daemon is asked", func() bool { mu.Lock(); defer mu.Unlock(); return asked["/api/events"] == 1 })
	for range 100 { // time enough to take much more than fits into memory
		f("/healthz", 3)
		mu.Lock()
		clear(asked)
		mu.Unlock()
	}
	select {
	case <-stuck:
		t.Error("nginx took 64 MiB that nobody wants")
	default:
	}
	spooled := int64(0)
	err = filepath.WalkDir(filepath.Dir(s.conf.ErrorLog()), func(_ string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			if fi, err := e.Info(); err == nil {
				spooled += fi.Size()
			}
		}
		return err
	})
	if err != nil || spooled > 1<<20 {
		t.Errorf("%d bytes in nginx's folder, %v", spooled, err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	d.CloseClientConnections()
	d.Close()
	if a := s.get(t, "/ddkk-stats.js"); a.status != 200 {
		t.Errorf("the widget's script without the daemon: %d", a.status)
	}
}
