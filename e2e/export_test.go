package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestExport carries all sites to another instance: days with sums alone, days with raw rows, bases. All numbers
// there are those that were here, also after imports that were killed and a second one, and nothing differs in verify.
func TestExport(t *testing.T) {
	eachArchive(t, rigOptions{env: map[string]string{"RAW_RETENTION_DAYS": "2"}}, func(r *rig) {
		r.daemon.Start()
		noon := time.Now().In(r.ledger.loc).Truncate(24 * time.Hour).Add(12 * time.Hour)
		for _, ago := range []int{5, 1} {
			for i := range 400 {
				x := r.traffic.Next()
				x.Time = noon.AddDate(0, 0, -ago).Add(time.Duration(i) * time.Second)
				r.writer.Write(0, x)
			}
			r.archive()
		}
		r.write(300)
		r.archive()
		csv := filepath.Join(TempDir(r.t), "old.csv")
		writeFile(r.t, csv, "site,page,pv,uv\nddkk.com,,1000,40\nddkk.com,/old,70,20\n")
		r.command("import-counts", "csv", csv)
		r.deleteSegments()
		r.forget()
		r.command("restore-from-mysql")
		agrees := func(x *rig, what string) {
			r.t.Helper()
			if out := x.command("verify"); !strings.Contains(out, " 0 differences, 0 problems") || strings.Contains(out, "DOES NOT CLOSE") {
				r.t.Errorf("verify %s:\n%s", what, out)
			}
		}
		agrees(r, "here")
		want := r.numbers()

		server := StartRedis(r.t)
		to := &rig{t: r.t, redis: server, client: server.Client(r.t), log: filepath.Join(TempDir(r.t), "event.log"), rand: rand.New(rand.NewPCG(7, 7)), ledger: r.ledger}
		to.daemon = NewDaemon(r.t, map[string]string{"REDIS_ADDR": server.Addr, "ACCESS_LOG": to.log, "TIMEZONE": "UTC"})
		to.daemon.Start()
		folder := TempDir(r.t)
		files := []string{"import"}
		for _, site := range r.ledger.Sites() {
			file := filepath.Join(folder, site+".ndjson.gz")
			if out := r.command("export", "--site", site, "--to", file); strings.Contains(out, "not archived yet") || !strings.Contains(out, site+": ") {
				r.t.Errorf("export said:\n%s", out)
			}
			files = append(files, file)
		}
		killed := 0
		for range 4 {
			if to.killed(700*time.Millisecond, files...) {
				killed++
			}
			to.unlock()
		}
		r.t.Logf("%d of 4 imports were killed before they ended", killed)
		for range 2 {
			to.command(files...)
			to.wantNumbers("the numbers are those that were there", want)
			agrees(to, "there")
		}
		Eventually(r.t, settleLimit, "the API says the same there", func() error {
			if a, b := r.totals(), to.totals(); a != b {
				return fmt.Errorf("there %s\nhere  %s", b, a)
			}
			return nil
		})
		to.forget()
		to.command("restore-from-mysql")
		to.wantNumbers("Redis was lost there", want)
		r.command("export", "--site", "ddkk.com", "--format", "csv", "--to", filepath.Join(folder, "csv"))
		b, err := os.ReadFile(filepath.Join(folder, "csv", "daily_stats.csv"))
		must(r.t, err)
		if text := string(b); strings.Count(text, "\n") != 4 || !strings.HasPrefix(text, "date,pv,uv,") {
			r.t.Errorf("daily_stats.csv:\n%s", text)
		}
	})
}
