package e2e

import (
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// routes are the paths of OpenAPI with the methods that it names.
func routes(t *testing.T) map[string][]string {
	t.Helper()
	root, err := repository()
	must(t, err)
	text, err := os.ReadFile(filepath.Join(root, "queryapi", "openapi.yaml"))
	must(t, err)
	var doc struct {
		Paths map[string]map[string]any `yaml:"paths"`
	}
	must(t, yaml.Unmarshal(text, &doc))
	all := map[string][]string{}
	parameter := regexp.MustCompile(`\{[a-z]+\}`)
	for path, item := range doc.Paths {
		path = parameter.ReplaceAllString(path, "1")
		for method := range item {
			all[path] = append(all[path], strings.ToUpper(method))
		}
	}
	if len(all) < 40 {
		t.Fatalf("only %d routes in openapi.yaml", len(all))
	}
	return all
}

// methods are those of HTTP, of WebDAV, and some that are none.
var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "MKCOL", "get", "GETX", "PRI"}

// ofAdmin tells which routes nobody may use without the token. What logs in and out,
// and says whether somebody is logged in, everybody may ask.
func ofAdmin(path string) bool {
	switch path {
	case "/metrics", "/api/restore":
		return true
	case "/api/admin/login", "/api/admin/logout", "/api/admin/session":
		return false
	}
	return strings.HasPrefix(path, "/api/admin/")
}

// TestAttackRoutes asks for every route of OpenAPI with every method, without a
// token: through nginx as printed, with the admin's paths opened, through a proxy that
// was told nothing, and directly under a foreign name.
func TestAttackRoutes(t *testing.T) {
	t.Parallel()
	r := startAttack(t, map[string]string{"SITES": "ddkk.com", "API_RATE": "0"}) // the limit is not what keeps strangers out
	open := StartNginx(t, Binary(t), r.daemon.Addr, "--admin", "--rate", "-1")
	fronts := map[string]string{"nginx": r.nginx.Addr, "nginx --admin": open.Addr, "a bare proxy": startBareProxy(t, r.daemon.Addr), "directly": r.daemon.Addr}
	all := routes(t)
	tried, entered := 0, 0
	for front, addr := range fronts {
		s := newStranger(t, addr, 7)
		for _, path := range slices.Sorted(maps.Keys(all)) {
			for _, method := range methods {
				tried++
				body := ""
				if method == "POST" || method == "PUT" || method == "PATCH" || method == "DELETE" {
					body = `{"site":"ddkk.com","page":"","pv":7,"uv":7}`
				}
				a, err := s.send(method, path+"?site=ddkk.com&date=2026-01-01", "Content-Type: application/json\r\nOrigin: https://evil.example\r\n", body)
				if err != nil && method != "get" && method != "PRI" && method != "GETX" {
					t.Errorf("%s: %s %s: %v", front, method, path, err)
				}
				switch {
				case a.status >= 500 && a.status != http.StatusServiceUnavailable && a.status != http.StatusNotImplemented && a.status != http.StatusHTTPVersionNotSupported:
					t.Errorf("%s: %s %s: %d %.200s", front, method, path, a.status, a.body)
				case ofAdmin(path) && (a.status == 200 && method != "OPTIONS" || a.status == 202 || adminAnswer.MatchString(a.body) || strings.Contains(a.body, "no_site_log")):
					t.Errorf("%s: %s %s without a token: %d %.200s", front, method, path, a.status, a.body)
				case !ofAdmin(path) && a.status == 200 && method != "HEAD" && method != "OPTIONS" && !slices.Contains(all[path], method):
					t.Errorf("%s: %s %s, which OpenAPI does not know: %d %.200s", front, method, path, a.status, a.body)
				}
				if a.status == 200 {
					entered++
				}
			}
		}
	}
	// The same door opens for the token, and the sweep has changed nothing.
	for path, with := range all {
		if !ofAdmin(path) || !slices.Contains(with, "GET") {
			continue
		}
		a := newStranger(t, open.Addr, 8).ask("GET", path+"?site=ddkk.com&date=2026-01-01", "Authorization: Bearer "+adminToken+"\r\n", "")
		if a.status == 401 || a.status == 403 || a.status == 404 && !strings.Contains(a.body, "no_site_log") {
			t.Errorf("GET %s with the token: %d %.200s", path, a.status, a.body)
		}
		if strings.HasSuffix(path, "/baselines") && strings.Contains(a.body, `"pv":7`) {
			t.Errorf("a stranger has set a base: %s", a.body)
		}
	}
	if entered < 100 {
		t.Errorf("only %d of %d requests were answered 200: nothing was tried", entered, tried)
	}
	t.Logf("%d requests to %d routes, %d answered 200", tried, len(all), entered)
}
