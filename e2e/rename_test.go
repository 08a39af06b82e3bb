package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestRenameSite moves a site to a new name, and merges one into another, with days of which
// the log is there, of which raw rows are left, and of which there are sums alone, and with
// what an earlier counter had. Everything follows, and nothing is left under the old name.
func TestRenameSite(t *testing.T) {
	eachArchive(t, rigOptions{}, func(r *rig) {
		names := map[string]string{"docs.ddkk.com": "ddkk.com", "example.org": "new.example"}
		moved := NewLedger(r.ledger.loc)
		r.ledger.Follow(moved, func(b Beacon) (Beacon, bool) {
			if to := names[b.Site]; to != "" {
				b.Site = to
			}
			if to := names[b.Ref]; to != "" {
				b.Ref = to
			}
			return b, true
		})
		r.daemon.Start()
		noon := time.Now().In(r.ledger.loc).Truncate(24 * time.Hour).Add(-36 * time.Hour)
		for day := range 2 {
			for i := range 300 {
				x := r.traffic.Next()
				x.Time = noon.AddDate(0, 0, day).Add(time.Duration(i) * time.Second)
				r.writer.Write(0, x)
			}
			r.archive()
			if day == 0 {
				r.exact()
				r.deleteSegments()
			}
		}
		r.write(300)
		r.exact()
		csv := filepath.Join(TempDir(r.t), "old.csv")
		writeFile(r.t, csv, "site,page,pv,uv\nexample.org,,1000,40\nexample.org,/old,70,20\ndocs.ddkk.com,,5,5\nddkk.com,,7,7\n")
		r.command("import-counts", "csv", csv)

		for _, from := range []string{"docs.ddkk.com", "example.org"} {
			if out := r.command("rename-site", from, names[from], "--dry-run"); !strings.Contains(out, "nothing was changed") {
				r.t.Errorf("dry run:\n%s", out)
			}
			out := r.command("rename-site", from, names[from])
			if !strings.Contains(out, from+" counts for "+names[from]) {
				r.t.Errorf("rename-site said:\n%s", out)
			}
		}
		r.ledger = moved
		r.write(200) // of the old names, too
		r.verified()
		both := func() {
			r.t.Helper()
			r.noKeysOf("docs.ddkk.com")
			r.noKeysOf("example.org")
			r.wantStats("new.example", "/old", moved.PV("new.example")+1000, moved.UV("new.example")+40, 70, 20)
			r.wantStats("example.org", "/old", moved.PV("new.example")+1000, moved.UV("new.example")+40, 70, 20)
			r.wantStats("ddkk.com", "/none", moved.PV("ddkk.com")+12, moved.UV("ddkk.com")+12, 0, 0)
		}
		both()
		r.forget()
		r.verified()
		both()
		r.daemon.Kill()
		r.forget()
		r.daemon.Start()
		r.verified()
		both()
		if out := r.command("rename-site", "--list"); strings.Count(out, "\n") != 2 {
			r.t.Errorf("rename-site --list:\n%s", out)
		}
	})
}

// TestRenameSums: a site moves whose raw rows are all deleted (RAW_RETENTION_DAYS): days and totals follow.
func TestRenameSums(t *testing.T) {
	eachArchive(t, rigOptions{env: map[string]string{"RAW_RETENTION_DAYS": "1"}}, func(r *rig) {
		r.daemon.Start()
		noon := time.Now().In(r.ledger.loc).Truncate(24 * time.Hour).Add(-84 * time.Hour)
		for i := range 300 {
			x := r.traffic.Next()
			x.Time = noon.Add(time.Duration(i) * time.Second)
			r.writer.Write(0, x)
		}
		pv, uv := r.ledger.PV("example.org"), r.ledger.UV("example.org")
		r.wantStats("example.org", "/none", pv, uv, 0, 0) // its hot lists are dead already
		r.archive()
		r.deleteSegments()
		csv := filepath.Join(TempDir(r.t), "old.csv")
		writeFile(r.t, csv, "site,page,pv,uv\nexample.org,,1000,40\n")
		r.command("import-counts", "csv", csv)
		r.command("rename-site", "example.org", "new.example")
		for range 2 {
			r.noKeysOf("example.org")
			r.wantStats("new.example", "/none", pv+1000, uv+40, 0, 0)
			r.forget()
			r.command("restore-from-mysql")
		}
		if out := r.command("verify"); !strings.Contains(out, " 0 differences, 0 problems") {
			r.t.Error(out)
		}
		if body, err := r.daemon.Post("/api/stats", fmt.Sprintf(`{"site":%q,"fields":["site_pv"]}`, "example.org")); err != nil || !strings.Contains(string(body), fmt.Sprintf(`"site_pv":%d`, pv+1000)) {
			r.t.Errorf("%s, %v", body, err)
		}
	})
}
