package e2e

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestImportHistory: the days of another counter are added to totals and shown beside what is
// counted; days that were counted here are left out; setting again adds nothing, the loss of
// Redis loses nothing, and undo takes all of it back.
func TestImportHistory(t *testing.T) {
	eachArchive(t, rigOptions{}, func(r *rig) {
		r.daemon.Start()
		r.write(300)
		r.exact()
		pv, uv := r.ledger.PV("ddkk.com"), r.ledger.UV("ddkk.com")
		today := time.Now().UTC().Format(time.DateOnly)
		csv := filepath.Join(TempDir(r.t), "imported_pages_20261001_20301231.csv")
		writeFile(r.t, csv, "date,hostname,page,visits,visitors,pageviews\n2026-10-01,ddkk.com,/only old,9,8,40\n2026-10-02,www.ddkk.com,/only old,9,8,2\n"+today+",ddkk.com,/only old,1,1,1000\n2026-10-01,other.example,/,1,1,7\n")
		out := r.command("import-counts", "plausible", "--site", "ddkk.com", "--dry-run", csv)
		if !strings.Contains(out, "42 views") || !strings.Contains(out, "left out: 1000 views of 1 days") || !strings.Contains(out, "rows of other sites") {
			r.t.Errorf("dry run: %s", out)
		}
		r.wantStats("ddkk.com", "/only old", pv, uv, 0, 0)
		for range 2 {
			r.command("import-counts", "plausible", "--site", "ddkk.com", csv)
			r.wantStats("ddkk.com", "/only old", pv+42, uv, 42, 16)
		}
		r.verified()
		r.daemon.Terminate() // a start learns at once what else comes within a minute
		must(r.t, r.client.FlushAll(r.t.Context()).Err())
		r.daemon.Start()
		r.exact()
		r.wantStats("ddkk.com", "/only old", pv+42, uv, 42, 16)
		Eventually(r.t, settleLimit, "the history has the base apart", func() error {
			body, err := r.daemon.Get("/api/history?site=ddkk.com&from=2026-10-01&to=2026-10-02")
			if err == nil && !strings.Contains(string(body), `{"date":"2026-10-01","pv":0,"uv":0,"base_pv":40,"base_uv":0}`) {
				r.t.Errorf("history %s", body)
			}
			return err
		})
		r.command("import-counts", "undo", "--source", "plausible", "--site", "ddkk.com")
		r.wantStats("ddkk.com", "/only old", pv, uv, 0, 0)
		r.verified()
		if out := r.command("token", "log", "--site", "ddkk.com"); strings.Count(out, "history set") != 2 || !strings.Contains(out, "history taken back") {
			r.t.Errorf("audit log: %s", out)
		}
	})
}
