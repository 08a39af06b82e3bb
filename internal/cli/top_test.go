package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"ddkk-stats/internal/remote"
)

// topDaemon answers as a daemon does.
type topDaemon struct {
	*httptest.Server
	viewer bool
	step   int64
	asked  []string
}

func newTopDaemon(t *testing.T) *topDaemon {
	t.Helper()
	d := &topDaemon{}
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.asked = append(d.asked, r.URL.Path+"?"+r.URL.RawQuery)
		answer := map[string]any{}
		switch r.URL.Path {
		case "/api/admin/session":
			answer["today"] = "2026-11-30"
		case "/api/admin/sites":
			answer["sites"] = []map[string]any{
				{"site": "a.example", "pv": 1000 + 20*d.step, "today": 100, "uv_today": 40, "online": 3, "change": 0.5, "days": []int{0, 1, 2, 3, 4, 5, 100}},
				{"site": "b.example", "pv": 50 + 2*d.step, "today": 300, "uv_today": 4, "online": 1, "days": []int{1}},
			}
		case "/api/admin/health":
			if d.viewer {
				w.WriteHeader(http.StatusForbidden)
				answer["error"] = map[string]string{"message": "no"}
				break
			}
			answer["inputs"] = []map[string]any{{"lag_bytes": 3 << 20, "lag_seconds": 12}}
			answer["books"] = map[string]any{"read": 5000 + 400*d.step}
			answer["alerts"] = []map[string]any{{"name": "behind", "message": "counting is behind\x1b[2J"}}
		case "/api/admin/minutes":
			answer["minutes"] = []map[string]any{{"pv": 0}, {"pv": 4}, {"pv": 8}}
		case "/api/admin/pages":
			answer["pages"] = []map[string]any{{"page": "/文章\u202e\x1b[31m", "pv": 9, "uv": 7}, {"page": "/b", "pv": 1, "uv": nil}}
		}
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(d.Close)
	return d
}

func TestTop(t *testing.T) {
	d := newTopDaemon(t)
	to, err := remote.At(d.URL, "token")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC)
	x := &top{daemon: to, now: func() time.Time { return now }}
	look := func() string {
		t.Helper()
		if err := x.look(t.Context()); err != nil {
			t.Fatal(err)
		}
		return strings.Join(x.lines(100, 40), "\n")
	}
	look()
	d.step, now = 1, now.Add(2*time.Second)
	text := look()
	for _, want := range []string{"08:00:02  200 lines/s, 3.0 MiB behind (12 s)", "! \"behind: counting is behind\\x1b[2J\"", "2 sites", "      400 ", "> ", "10.0", "+50%", "▁▁▁▁▁▁█", "b.example  last 3 minutes ▁▄█", "/文章"} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q:\n%s", want, text)
		}
	}
	if strings.ContainsAny(text, "\x1b\u202e") {
		t.Errorf("a stranger's name steers the terminal:\n%q", text)
	}
	if strings.Index(text, "b.example\n") > strings.Index(text, "a.example\n") {
		t.Errorf("not by today:\n%s", text)
	}
	for _, line := range x.lines(30, 12) {
		if n := len([]rune(line)); n > 30 {
			t.Errorf("%d columns: %q", n, line)
		}
	}
	if n := len(x.lines(80, 12)); n > 12 {
		t.Errorf("%d lines on 12", n)
	}
	x.key("s")
	x.key("s") // by views a second, which a look right behind a key does not change
	now = now.Add(10 * time.Millisecond)
	if text = look(); strings.Index(text, "a.example\n") > strings.Index(text, "b.example\n") {
		t.Errorf("not by views a second:\n%s", text)
	}
	if x.key("k"); x.chosen != "a.example" {
		t.Errorf("chosen %s", x.chosen)
	}
	d.asked = nil
	look()
	if asked := strings.Join(d.asked, " "); !strings.Contains(asked, "/api/admin/pages?from=2026-11-30&limit=50&site=a.example&to=2026-11-30") {
		t.Errorf("asked %s", asked)
	}
	if x.key("\x1b[B"); x.chosen != "b.example" {
		t.Errorf("chosen %s", x.chosen)
	}
	if x.key("x") || !x.key("q") || !x.key("\x03") {
		t.Error("keys")
	}
	d.viewer = true
	if text = look(); !strings.Contains(text, "sees sites") {
		t.Errorf("of a viewer:\n%s", text)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := x.look(ended); err == nil {
		t.Error("a daemon that is away is no error")
	}
}

func TestTopOnce(t *testing.T) {
	d := newTopDaemon(t)
	t.Setenv("DDKK_TOKEN", "t")
	var out, problems bytes.Buffer
	if status := Run("test", []string{"top", "--once", "--url", d.URL, "--site", "a.example"}, &out, &problems); status != 0 || !strings.Contains(out.String(), "a.example  last 3 minutes") {
		t.Errorf("status %d: %s%s", status, out.String(), problems.String())
	}
	if status := Run("test", []string{"top", "--once", "--url", "ftp://x"}, &out, &problems); status != 1 {
		t.Errorf("status %d", status)
	}
}

func TestFit(t *testing.T) {
	for text, want := range map[string]string{"abcdef": "abcd", "文章文章": "文章", "a文章": "a文", "e\u0301e\u0301e\u0301e\u0301e": "e\u0301e\u0301e\u0301e\u0301"} {
		if got := fit(text, 4); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
