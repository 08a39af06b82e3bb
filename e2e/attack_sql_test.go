//go:build attack

package e2e

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestAttackSQL sends names that a database could take for something else through
// nginx into a real one: the archive takes them, nothing else changes, and after
// Redis has lost everything all numbers come back.
func TestAttackSQL(t *testing.T) {
	t.Parallel()
	m := StartMariaDB(t)
	r := startAttack(t, map[string]string{"MYSQL_DSN": m.Create("stats")})
	names := []string{
		`'; DROP TABLE access_logs; --`, `" OR "1"="1`, `\'; DELETE FROM daily_stats; #`, "a\\", `\N`, "tab\tnew\nline", "nul\x00", "\xff\xfe\x80", "🎉", "A", "a", "a ", " a", "%", "_", "NULL", "0x41", "`x`",
		"\\\\", "\x1a", strings.Repeat("é", 130), "e\u0301", "é", "/*!50000 x */", "{{.}}", "%s%n", "",
	}
	want := map[string]int64{}
	lines := 0
	for n := range 3 {
		s := r.stranger(256*n + 1)
		for _, name := range names {
			s.beacon("ddkk.com", "/"+name, "&category="+url.QueryEscape(name+"x")+"&action="+url.QueryEscape(name)+"&ref="+url.QueryEscape("https://"+name+".example/")+"&view="+url.QueryEscape(name))
			s.beacon("ddkk.com", "/"+name, "")
			s.beacon(name, "/", "")
			lines += 3
		}
	}
	r.counted(lines)
	read := func() map[string]int64 {
		all := map[string]int64{}
		keys, err := r.client.Keys(t.Context(), "ddkk:*v:*").Result()
		must(t, err)
		for _, key := range keys {
			if n, err := r.client.Get(t.Context(), key).Int64(); err == nil {
				all[key] = n
			}
		}
		return all
	}
	want = read()
	if len(want) < 40 {
		t.Fatalf("only %d counters", len(want))
	}
	renamed := r.nginx.Rotate(".1")
	old := time.Now().Add(-time.Hour)
	must(t, os.Chtimes(renamed, old, old))
	if out, err := Run(t, r.daemon.Env, "archive"); err != nil {
		t.Fatalf("archive: %v\n%s", err, out)
	}
	if out, err := Run(t, r.daemon.Env, "verify"); err != nil {
		t.Errorf("verify: %v\n%s", err, out)
	}
	r.daemon.Terminate()
	must(t, r.client.FlushAll(t.Context()).Err())
	left, err := filepath.Glob(r.nginx.Log + ".*")
	must(t, err)
	for _, name := range left {
		must(t, os.Remove(name))
	}
	r.daemon.Start()
	Eventually(t, settleLimit, "all numbers come back from the database", func() error {
		have := read()
		for key, n := range want {
			if have[key] != n {
				return fmt.Errorf("%q is %d, want %d", key, have[key], n)
			}
		}
		return nil
	})
	if out, err := Run(t, r.daemon.Env, "verify"); err != nil {
		t.Errorf("verify after the restore: %v\n%s", err, out)
	}
}
