package jobs

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ddkk-stats/counter"
	"ddkk-stats/internal/config"
	"ddkk-stats/internal/config/configtest"
	"ddkk-stats/internal/vault"
)

// TestArchiveWithoutTheMemoryOfSegments: segments that begin alike are archived once
// and each, although what was known of them is lost and one is gone.
func TestArchiveWithoutTheMemoryOfSegments(t *testing.T) {
	for how, lose := range map[string]func(path string) error{
		"deleted": os.Remove,
		"empty":   func(path string) error { return os.Truncate(path, 0) },
		"torn":    func(path string) error { return os.Truncate(path, 40) },
		"old": func(path string) error {
			return os.WriteFile(path, []byte(`{"x":{"name":"x","base":"x","keys":[1],"tell":1,"seen":1}}`), 0o640)
		},
	} {
		t.Run(how, func(t *testing.T) {
			dir := t.TempDir()
			log := filepath.Join(dir, "log", "event.log")
			if err := os.MkdirAll(filepath.Dir(log), 0o750); err != nil {
				t.Fatal(err)
			}
			v := vault.New(config.NewLive(configtest.Load(t, map[string]string{"DATA_DIR": dir, "TIMEZONE": "UTC", "SECRET": "secret", "LOG_RETENTION": "0"}, "")),
				nil, counter.NewKeys("ddkk", false), slog.New(slog.DiscardHandler))
			t.Cleanup(func() {
				if err := v.Close(); err != nil {
					t.Error(err)
				}
			})
			put := func(name string, from, n int) {
				t.Helper()
				var b strings.Builder
				for i := range n + 1 {
					at := from + i
					if i == 0 {
						at = 0 // the probe
					}
					fmt.Fprintf(&b, "v1\t%d.000\t%032x\t203.0.113.7\tstats.example\tGET\t200\t/event.png?site=a.example&page=/%d\t-\tMozilla/5.0 Firefox/140.0\t-\t-\t-\t0.000\t43\tend\n",
						1790000000+at, at, at)
				}
				if err := os.WriteFile(name, []byte(b.String()), 0o640); err != nil {
					t.Fatal(err)
				}
				at := time.Now().Add(time.Duration(from-9000) * time.Second)
				if err := os.Chtimes(name, at, at); err != nil {
					t.Fatal(err)
				}
			}
			archived := func(want int64) {
				t.Helper()
				sum, err := Archive(t.Context(), v, []byte("secret"))
				if err != nil {
					t.Fatal(err)
				}
				if sum.Lines != want || len(sum.Shrunk) > 0 {
					t.Errorf("%d lines were archived, want %d; shrunk: %q", sum.Lines, want, sum.Shrunk)
				}
			}
			put(log+".2", 100, 6)
			put(log+".1", 200, 20)
			archived(28)
			if err := os.Remove(log + ".2"); err != nil {
				t.Fatal(err)
			}
			if err := lose(filepath.Join(dir, "segments.beacon.json")); err != nil {
				t.Fatal(err)
			}
			archived(0)
			if err := lose(filepath.Join(dir, "segments.beacon.json")); err != nil {
				t.Fatal(err)
			}
			put(log+".0", 300, 3)
			archived(4)
			archived(0)
		})
	}
}
