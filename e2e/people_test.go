package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestPeople gives tokens by the command and asks every route of OpenAPI with each of
// them, through nginx: a person sees its own site, and no other.
func TestPeople(t *testing.T) {
	t.Parallel()
	r := startAttack(t, map[string]string{"SITES": "ddkk.com,other.com", "API_RATE": "0"})
	open := StartNginx(t, Binary(t), r.daemon.Addr, "--admin", "--rate", "-1")
	give := func(args ...string) string {
		t.Helper()
		out, err := Run(t, r.daemon.Env, append([]string{"token"}, args...)...)
		if err != nil {
			t.Fatalf("token %s: %v: %s", strings.Join(args, " "), err, out)
		}
		lines := strings.Fields(out)
		return lines[len(lines)-1]
	}
	roles := map[string]string{
		"view":  give("add", "--name", "anna", "--role", "view", "--sites", "ddkk.com"),
		"api":   give("add", "--name", "robot", "--role", "api", "--sites", "ddkk.com", "--expires", "30d"),
		"admin": give("add", "--name", "ben", "--role", "admin", "--sites", "ddkk.com"),
		"all":   give("add", "--name", "cleo", "--role", "admin"),
		"link":  strings.TrimPrefix(give("share", "--site", "ddkk.com"), "/admin/#share="),
	}
	ask := func(token, method, target, body string) (int, string) {
		a := newStranger(t, open.Addr, 9).ask(method, target, "Authorization: Bearer "+token+"\r\nContent-Type: application/json\r\n", body)
		return a.status, a.body
	}
	Eventually(t, 30*time.Second, "the last token is known", func() error {
		if status, body := ask(roles["link"], "GET", "/api/admin/sites", ""); status != 200 {
			return fmt.Errorf("%d %s", status, body)
		}
		return nil
	})

	tried := 0
	all := routes(t)
	for _, path := range slices.Sorted(maps.Keys(all)) {
		if !ofAdmin(path) || slices.Contains([]string{"/api/admin/login", "/api/admin/logout"}, path) || path == "/api/admin/session" {
			continue
		}
		for _, method := range all[path] {
			if method != "GET" && !strings.HasSuffix(path, "/baselines") {
				continue // a restore and a verification change what is counted here
			}
			for role, token := range roles {
				for _, site := range []string{"ddkk.com", "other.com"} {
					tried++
					target, body := path+"?site="+site+"&date=2026-01-01", ""
					if method != "GET" {
						target, body = path, fmt.Sprintf(`{"site":%q,"page":"/a"}`, site)
						if method == "PUT" {
							body = fmt.Sprintf(`{"site":%q,"page":"/a","pv":3}`, site)
						}
					}
					status, text := ask(token, method, target, body)
					if status == 401 || status >= 500 && status != 503 {
						t.Errorf("%s of %s: %s %s: %d %.200s", role, site, method, path, status, text)
					}
					if role == "all" {
						if status == 403 {
							t.Errorf("%s of %s: %s %s: %d %.200s", role, site, method, path, status, text)
						}
						continue
					}
					changes := method != "GET" && role != "admin"
					if (site == "other.com" || changes) && status < 300 {
						t.Errorf("%s of %s: %s %s: %d %.200s", role, site, method, path, status, text)
					}
				}
			}
		}
	}
	if tried < 200 {
		t.Errorf("only %d requests: nothing was tried", tried)
	}

	var list struct{ Sites []struct{ Site string } }
	_, text := ask(roles["view"], "GET", "/api/admin/sites", "")
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatal(err)
	}
	for _, s := range list.Sites {
		if s.Site != "ddkk.com" {
			t.Errorf("a viewer of ddkk.com sees %s", s.Site)
		}
	}

	// A token that was revoked is nobody's on this daemon a moment later. This address has sent
	// wrong ones before, so it may be slowed by now, as the holder of a right one never is.
	give("revoke", "anna")
	Eventually(t, 30*time.Second, "the token is out of force", func() error {
		if status, _ := ask(roles["view"], "GET", "/api/admin/sites", ""); status != http.StatusUnauthorized && status != http.StatusTooManyRequests {
			return fmt.Errorf("%d", status)
		}
		return nil
	})
	out, err := Run(t, r.daemon.Env, "token", "log")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"token added", "link added", "token revoked", "ben (", "set base"} {
		if !strings.Contains(out, want) {
			t.Errorf("the audit log lacks %q:\n%s", want, out)
		}
	}
	for _, secret := range roles {
		if strings.Contains(out, secret) {
			t.Error("the audit log has a token")
		}
	}
}
