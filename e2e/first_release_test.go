//go:build servers

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// firstRelease is the oldest commit that leaves all three behind: keys in Redis, an
// archive in SQL and a progress file.
const firstRelease = "4eb91c9"

// TestUpgradeFromTheFirstRelease: what the first release counted and archived is taken
// up by this one, which goes on where it stopped. FIRST_RELEASE names a binary of it.
func TestUpgradeFromTheFirstRelease(t *testing.T) {
	first := os.Getenv("FIRST_RELEASE")
	if first == "" {
		first = buildFirstRelease(t)
	}
	for _, sql := range []string{"SQLite", "MySQL"} {
		t.Run(sql, func(t *testing.T) {
			r := newRig(t, rigOptions{})
			if sql == "MySQL" {
				r.daemon.Env["MYSQL_DSN"] = StartMariaDB(t).Create("stats")
			}
			now := r.daemon.path
			r.daemon.path = first
			r.daemon.Start()
			r.write(2000)
			r.rotate()
			r.write(1000)
			r.oldCounted(3000)
			runTool(t, environment(r.daemon.Env), "", first, "archive")
			r.write(1000)
			r.oldCounted(4000)
			r.daemon.Terminate()
			for _, file := range []string{"progress.json", "archive.db"} {
				if _, err := os.Stat(filepath.Join(r.daemon.Env["DATA_DIR"], file)); err != nil && (sql == "SQLite" || file != "archive.db") {
					t.Errorf("the first release left no %s: %v", file, err)
				}
			}
			r.write(500) // while nobody counts

			r.daemon.path = now
			r.daemon.Start()
			r.write(500)
			b := r.exact()
			if read := b.sum("ddkk_log_lines_read_total"); read < 1000 {
				t.Errorf("%v lines were read", read)
			}
			r.archive()
			r.verified()
			r.forget() // made anew from the archive of both
			r.verified()
			r.daemon.Kill()
			r.daemon.Start()
			r.write(500)
			r.verified()
		})
	}
}

// oldCounted waits until the first release has counted so many lines.
func (r *rig) oldCounted(n float64) {
	r.t.Helper()
	r.wantMetric(n, "ddkk_log_lines_total")
}

func buildFirstRelease(t *testing.T) string {
	t.Helper()
	root, err := repository()
	must(t, err)
	dir := TempDir(t)
	runTool(t, nil, "", "sh", "-ec", "git -C '"+root+"' archive "+firstRelease+" | tar -x -C '"+dir+"'")
	out := filepath.Join(dir, "first")
	runTool(t, []string{"CGO_ENABLED=0"}, "", "go", "build", "-C", dir, "-o", out, ".")
	if text := runTool(t, nil, "", out, "version"); !strings.HasPrefix(text, "ddkk-stats ") {
		t.Fatalf("version of the first release: %s", text)
	}
	return out
}
