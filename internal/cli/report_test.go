package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestReportCommand groups and filters what is archived, of one site and of all, in each
// format, and says what it does not know.
func TestReportCommand(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "event.log")
	var b strings.Builder
	line := func(n int, site, page, agent string) {
		fmt.Fprintf(&b, "v1\t%d.000\t%032x\t203.0.113.%d\tstats.example\tGET\t200\t/event.png?site=%s&page=%s\t-\t%s\t-\t-\t-\t0.000\t43\tend\n",
			1795000000+n, n, n%3, site, page, agent)
	}
	const firefox, bot = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
	for i := range 6 {
		line(i, "a.example", "/docs/x", firefox)
	}
	line(6, "a.example", "/docs/y", firefox)
	line(7, "a.example", "/=1", firefox)
	line(8, "b.example", "/docs/x", firefox)
	line(9, "b.example", "/docs/x", bot)
	write := func(name string, data string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(data), 0o640); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-time.Hour)
		if err := os.Chtimes(name, at, at); err != nil {
			t.Fatal(err)
		}
	}
	write(log+".1", b.String())
	write(log, "")
	t.Setenv("DATA_DIR", dir)
	t.Setenv("ACCESS_LOG", log)
	t.Setenv("SECRET", "secret")
	t.Setenv("TIMEZONE", "UTC")
	t.Setenv("RAW_RETENTION_DAYS", "0")
	run := func(args ...string) (out string, status int) {
		t.Helper()
		var stdout, stderr strings.Builder
		status = Run("", args, &stdout, &stderr)
		return stdout.String() + stderr.String(), status
	}
	if out, status := run("archive"); status != 0 {
		t.Fatal(out)
	}
	day := time.Unix(1795000000, 0).UTC().Format(time.DateOnly)
	f := func(want string, args ...string) {
		t.Helper()
		out, status := run(append([]string{"report", "--from", day, "--to", day}, args...)...)
		if status != 0 || !strings.HasPrefix(out, want) {
			t.Errorf("%v: status %d\n%s\nwant\n%s", args, status, out, want)
		}
	}
	f("page,pv,uv\n/docs/x,7,4\n/=1,1,1\n/docs/y,1,1\n", "--format", "csv")
	f("page,pv,uv\n/docs/x,6,3\n", "--format", "csv", "--site", "www.a.example", "--limit", "1")
	f("browser,pv,uv\nFirefox,7,3\n", "--by", "browser", "--where", "page:/docs/*", "--format", "csv", "--site", "a.example")
	f("bot,pv,uv\nno,9,4\nyes,1,1\n", "--by", "bot", "--format", "csv")
	f("  views  visitors  page\n      6         3  /docs/x\n1 of 3 names, 3 rows looked at in ", "--site", "a.example", "--limit", "1")
	out, _ := run("report", "--from", day, "--to", day, "--format", "json", "--where", "!page:/docs/*")
	var got struct {
		By    string
		Rows  []struct{ Name string }
		Total int
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || got.By != "page" || got.Total != 1 || got.Rows[0].Name != "/=1" {
		t.Errorf("%s: %v", out, err)
	}
	g := func(want string, args ...string) {
		t.Helper()
		if out, status := run(append([]string{"report"}, args...)...); status == 0 || !strings.Contains(out, want) {
			t.Errorf("%v: status %d, %s; want %q", args, status, out, want)
		}
	}
	g("--by \"colour\"", "--by", "colour")
	g("where", "--where", "colour:red")
	g("--from \"yesterday\"", "--from", "yesterday")
	g("--to is before --from", "--from", "2026-11-02", "--to", "2026-11-01")
	g("no site", "--site", "a b")
	g("--format", "--format", "xml")
}
