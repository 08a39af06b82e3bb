package e2e

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestAttackAnswers prepares the longest answers that strangers can have, and asks
// every public route for them: none has more than a mebibyte, nginx writes none to
// the disk, and who asks for much waits.
func TestAttackAnswers(t *testing.T) {
	t.Parallel()
	r := startAttack(t, map[string]string{"PUBLIC_SITES": "ddkk.com"})
	lines, padding := 0, strings.Repeat("<", 190) // six bytes each, where JSON is written carelessly
	for n := range 24 {
		s := r.stranger(256*n + 1)
		for i := range 100 {
			s.beacon("ddkk.com", fmt.Sprintf("/%d-%d%s", n, i, padding), "")
			s.beacon("ddkk.com", "/", fmt.Sprintf("&category=%d%s&action=%d%s&label=%s", n, padding, i, padding, padding))
			lines += 2
		}
	}
	r.counted(lines)
	queries := []string{"?site=ddkk.com", "?site=ddkk.com&limit=10000", "?site=ddkk.com&limit=1000&period=today", "?site=ddkk.com&from=2026-01-01&to=2026-12-31", "?site=" + strings.Repeat("a", 5000)}
	longest, all := 0, routes(t)
	for i, path := range slices.Sorted(maps.Keys(all)) {
		for j, query := range queries {
			method, body := all[path][0], ""
			if method == "POST" {
				body = `{"site":"ddkk.com","pages":["/` + strings.Repeat(`/","/`, 98) + `"],"fields":["site_pv","page_pv"]}`
			}
			a := r.stranger(1000+8*i+j).ask(method, path+query, "Referer: https://ddkk.com/\r\nContent-Type: application/json\r\n", body)
			longest = max(longest, len(a.body))
			if len(a.body) > 1<<20 {
				t.Errorf("%s %s%s: %d bytes", method, path, query, len(a.body))
			}
		}
	}
	if longest < 100_000 {
		t.Errorf("the longest answer has %d bytes: nothing was tried", longest)
	}
	greedy, bytes, refused := r.stranger(90_000), 0, 0
	for range 100 {
		a := greedy.ask("GET", "/api/events?site=ddkk.com&limit=10000", "", "")
		if bytes += len(a.body); a.status == 429 {
			refused++
		}
	}
	if refused == 0 {
		t.Errorf("one address had %d bytes and was never told to wait", bytes)
	}
	must(t, filepath.WalkDir(filepath.Join(r.nginx.Dir, "log"), func(path string, e fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil
		}
		if err == nil && e.Type().IsRegular() && strings.Contains(path, "nginx-tmp") {
			t.Errorf("nginx has written %s", path)
		}
		return err
	}))
	t.Logf("the longest answer has %d bytes; one address got %d bytes with 100 requests, %d of them refused", longest, bytes, refused)
}
