package doctor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ddkk-stats/internal/config"
	"ddkk-stats/internal/config/configtest"
)

func TestCheckDataDir(t *testing.T) {
	f := func(dir string, want level, words ...string) {
		t.Helper()
		wantFinding(t, newCheckup(t, map[string]string{"DATA_DIR": dir}).dataDir(context.Background()), want, "DATA_DIR", words...)
	}
	dir := t.TempDir()
	f(dir, LevelOK, "is writable")
	f(filepath.Join(dir, "a", "b"), LevelOK, "will be made")
	file := filepath.Join(dir, "file")
	configtest.WriteFile(t, file, "", 0o644)
	f(file, LevelFail, "not a folder")
	f(filepath.Join(file, "below"), LevelFail)
	if left, err := filepath.Glob(filepath.Join(dir, ".check-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestCheckDataDirOfOthers(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	want := LevelFail
	if os.Geteuid() == 0 {
		want = LevelOK // root may write everywhere
	}
	wantFinding(t, newCheckup(t, map[string]string{"DATA_DIR": dir}).dataDir(context.Background()), want, "DATA_DIR")
}

func TestCheckLogFile(t *testing.T) {
	dir := t.TempDir()
	f := func(path string, want level, words ...string) {
		t.Helper()
		wantFinding(t, newCheckup(t, map[string]string{"ACCESS_LOG": path}).logFiles(context.Background()), want, "ACCESS_LOG", words...)
	}
	log := filepath.Join(dir, "event.log")
	f(log, LevelWarn, "nginx makes it")
	f(filepath.Join(dir, "none", "event.log"), LevelFail, "folder is not there")
	f(dir, LevelFail, "a folder")
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	f(fifo, LevelFail, "a FIFO", "access_log")
	configtest.WriteFile(t, log, "x\n", 0o640)
	f(log, LevelOK, "2 bytes")
	if os.Geteuid() != 0 {
		configtest.WriteFile(t, filepath.Join(dir, "closed.log"), "x\n", 0)
		f(filepath.Join(dir, "closed.log"), LevelFail, "group")
	}
}

func TestCheckOneLogForTwoWriters(t *testing.T) {
	dir := t.TempDir()
	own := filepath.Join(dir, "log", "event.log")
	f := func(path string) []Finding {
		t.Helper()
		return newCheckup(t, map[string]string{"DATA_DIR": dir, "ACCESS_LOG": path}).logFiles(context.Background())
	}
	if _, err := config.Load("", configtest.Lookup(map[string]string{"DATA_DIR": dir, "ACCESS_LOG": own})); err == nil || !strings.Contains(err.Error(), "built-in beacon") {
		t.Errorf("the same path is taken: %v", err)
	}
	configtest.WriteFile(t, own, "x\n", 0o640)
	link := filepath.Join(dir, "link.log")
	if err := os.Symlink(own, link); err != nil {
		t.Fatal(err)
	}
	wantFinding(t, f(link), LevelFail, "ACCESS_LOG", "built-in beacon")
}

func TestCheckDisk(t *testing.T) {
	all := newCheckup(t, nil).disk("ACCESS_LOG", filepath.Join(t.TempDir(), "gone"))
	wantFinding(t, all, LevelWarn, "ACCESS_LOG", "no such file")
}

func TestCheckSegments(t *testing.T) {
	log := filepath.Join(t.TempDir(), "event.log")
	c := newCheckup(t, map[string]string{"ACCESS_LOG": log})
	if all := c.segments(context.Background()); len(all) != 0 {
		t.Errorf("without any: %v", all)
	}
	for i, name := range []string{log, log + ".1", log + ".2.gz", log + ".3.xz", log + "-20261101", log + "-blog.example.com", log + ".4", filepath.Dir(log) + "/other.log"} {
		text := fmt.Sprintf("v1\t1795315000.500\t%032x\t203.0.113.7\tc\tGET\t200\t/event.png?page=/\t-\tua\t-\t-\t-\t0.000\t43\tend\n", i)
		switch name {
		case log + ".3.xz":
			text = "\xfd7zXZ\x00" + text
		case log + ".4":
			text = "Dear lawyer,\n"
		}
		configtest.WriteFile(t, name, text, 0o640)
		if err := os.Chtimes(name, checkNow, checkNow.Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	all := c.segments(context.Background())
	wantFinding(t, all, LevelOK, "ACCESS_LOG", "3 rotated segments", "1h0m0s old")
	wantFinding(t, all, LevelWarn, "ACCESS_LOG", "event.log.3.xz", "gzip")
	wantFinding(t, all, LevelWarn, "ACCESS_LOG", "event.log-blog.example.com", "neither read nor deleted", "LOG_SEGMENTS")
	wantFinding(t, all, LevelWarn, "ACCESS_LOG", "event.log.4", "neither read nor deleted", "format")
}

func TestCheckNginxPID(t *testing.T) {
	file := filepath.Join(t.TempDir(), "nginx.pid")
	f := func(text string, want level, words ...string) {
		t.Helper()
		configtest.WriteFile(t, file, text, 0o644)
		wantFinding(t, newCheckup(t, map[string]string{"NGINX_PID": file}).nginxPID(context.Background()), want, "NGINX_PID", words...)
	}
	f("", LevelFail, "process id")
	f("many words", LevelFail, "process id")
	f("1\n", LevelFail, "process id")
	f("999999999\n", LevelFail, "does not run")
	if processName(os.Getpid()) != "" {
		f(strconv.Itoa(os.Getpid()), LevelFail, "not nginx")
	}
	c := newCheckup(t, map[string]string{"NGINX_PID": file + ".none"})
	wantFinding(t, c.nginxPID(context.Background()), LevelFail, "NGINX_PID", "start nginx")
	if all := newCheckup(t, nil).nginxPID(context.Background()); len(all) != 0 {
		t.Errorf("not in use: %v", all)
	}
}

func TestLogrotateRules(t *testing.T) {
	const text = `
# a comment with {
/var/log/a.log /var/log/b/*.log {
	daily
	postrotate
		kill -USR1 1 # copytruncate
	endscript
}
"/var/log/c d.log"
/var/log/e.log
{
	copytruncate
}
`
	// The pattern with a blank is beyond this reader; the others must come out.
	var shared logrotateOptions
	rules := parseLogrotate("f", text, &shared)
	if len(rules) != 2 || !rules[0].postrotate || rules[0].copyTruncate || !rules[1].copyTruncate || rules[1].postrotate {
		t.Fatalf("got %+v", rules)
	}
	if !rules[0].matches("/var/log/b/x.log") || rules[0].matches("/var/log/b/x/y.log") || !rules[1].matches("/var/log/e.log") {
		t.Errorf("patterns: %+v", rules)
	}
	parseLogrotate("f", "copytruncate\n", &shared)
	if rules := parseLogrotate("g", "/x {\n}\n", &shared); !rules[0].copyTruncate {
		t.Error("copytruncate outside of blocks is for all that follow")
	}
}

func TestCheckRotation(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "event.log")
	f := func(rule string, env map[string]string, want level, words ...string) {
		t.Helper()
		all := map[string]string{"ACCESS_LOG": log}
		for k, v := range env {
			all[k] = v
		}
		c := newCheckup(t, all)
		file := filepath.Join(dir, "rule")
		configtest.WriteFile(t, file, strings.ReplaceAll(rule, "LOG", log), 0o644)
		c.Logrotate = []string{file}
		wantFinding(t, c.rotation(context.Background()), want, "rotation", words...)
	}
	good := "LOG {\n rotate -1\n postrotate\n kill -USR1\n endscript\n}\n"
	pid := map[string]string{"NGINX_PID": "/run/nginx.pid"}
	f("", nil, LevelWarn, "nobody")
	f("", pid, LevelOK, "the daemon rotates")
	f(good, nil, LevelOK, "by rename and reopen")
	f(good, pid, LevelWarn, "both")
	f("LOG {\n copytruncate\n}\n", nil, LevelFail, "copytruncate")
	for rule, words := range map[string][]string{
		strings.Replace(good, "-1", "30", 1):                        {"after 30 rotations", "rotate -1", "LOG_RETENTION=720h"},
		strings.Replace(good, "-1", "-1\n maxage 14", 1):            {"after 14 days"},
		strings.Replace(good, " rotate -1\n", "", 1):                {"at once"},
		"rotate 4\n" + strings.Replace(good, " rotate -1\n", "", 1): {"after 4 rotations"}, // Debian's logrotate.conf
	} {
		f(rule, nil, LevelWarn, append(words, "archived or not")...)
	}
	f("rotate 4\nmaxage 3\n"+strings.Replace(good, "-1", "-1\n maxage 0", 1), nil, LevelOK, "deletes nothing")
	f(strings.Replace(good, "-1", "-1\n olddir /old", 1), nil, LevelFail, "olddir")
	f(strings.Replace(good, "-1", "7", 1), map[string]string{"LOG_RETENTION": "0"}, LevelWarn, "keeps all")
	f("LOG {\n daily\n}\n", nil, LevelFail, "tells nobody")
	if all := newCheckup(t, nil).rotation(context.Background()); len(all) != 0 {
		t.Errorf("the built-in beacon's log alone: %v", all)
	}
	// The site's own log is looked at as well.
	c := newCheckup(t, map[string]string{"SITE_LOG": log, "SITES": "a.example"})
	wantFinding(t, c.rotation(context.Background()), LevelWarn, "rotation", "nobody", log)
}

// The rule that is shipped passes the check for the log that it names.
func TestCheckOfTheShippedLogrotateRule(t *testing.T) {
	c := newCheckup(t, map[string]string{"ACCESS_LOG": "/var/log/ddkk/event.log", "ROTATE_CRON": "off"})
	c.Logrotate = []string{"../../deploy/logrotate/ddkk-stats"}
	wantFinding(t, c.rotation(context.Background()), LevelOK, "rotation", "by rename and reopen, and deletes nothing")
}
