package cli

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
	"ddkk-stats/internal/answers"
	"ddkk-stats/internal/config"
	"ddkk-stats/internal/config/configtest"
	"ddkk-stats/internal/jobs"
	"ddkk-stats/internal/vault"
	"ddkk-stats/parser"
)

// TestArchivedCallsAreKept: a day of the archive is read once, and again when a
// line came late, and when it was counted by other rules though nothing else
// changed.
func TestArchivedCallsAreKept(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "api.log")
	day := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -3)
	open := func(routes string) *vault.Vault {
		cfg := configtest.Load(t, map[string]string{"DATA_DIR": dir, "TIMEZONE": "UTC", "SECRET": "secret", "SITE_LOG": log, "API_ROUTES": routes}, "")
		v := vault.New(config.NewLive(cfg), nil, counter.NewKeys("ddkk", false), slog.New(slog.DiscardHandler))
		t.Cleanup(func() {
			if err := v.Close(); err != nil {
				t.Error(err)
			}
		})
		return v
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	v := open("")
	kept, d := answers.NewKeptCallDays(), archive.SiteDay{Site: "api.example", Day: parser.DayOf(day)}
	want := func(v *vault.Vault, calls int64, endpoints ...string) {
		t.Helper()
		a, err := v.Open(t.Context())
		must(err)
		for range 2 {
			r, err := kept.Get(t.Context(), a.Read(), d)
			must(err)
			var names []string
			for _, e := range r.Endpoints {
				names = append(names, e.Endpoint)
			}
			if r.Calls != calls || fmt.Sprint(names) != fmt.Sprint(endpoints) {
				t.Errorf("%d calls of %q, want %d of %q", r.Calls, names, calls, endpoints)
			}
		}
	}
	want(v, 0)
	callLog(t, log+".1", day, "/users/1", "/users/2")
	archiveNow := func() {
		t.Helper()
		_, err := jobs.Archive(t.Context(), v, []byte("secret"))
		must(err)
	}
	archiveNow()
	want(v, 2, "GET /users/:id")
	before := kept.Version(d)
	want(v, 2, "GET /users/:id")
	if kept.Version(d) != before {
		t.Error("the version changed by itself")
	}
	callLog(t, log+".22", day, "/users/3")
	archiveNow()
	want(v, 3, "GET /users/:id")

	v = open("/users/*")
	r := &recounting{Recount: jobs.Recount{V: v, Secret: []byte("secret"), From: parser.DayOf(day), To: parser.DayOf(day)}, out: t.Output(), progress: t.Output()}
	must(r.run(t.Context()))
	want(v, 3, "GET /users/*")
}
