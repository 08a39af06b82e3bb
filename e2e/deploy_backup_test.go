package e2e

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestDeployBackupDrill backs up a system that counts, and restores the backup
// into fresh servers, with what Redis had and without.
func TestDeployBackupDrill(t *testing.T) {
	eachArchive(t, rigOptions{env: map[string]string{"SITE_ALIASES": "blog.ddkk.com=ddkk.com"}}, func(r *rig) {
		r.daemon.Start()
		r.write(1500)
		r.exact()
		r.archive()
		r.write(700)
		r.rotate() // closed and not archived
		r.write(300)
		r.exact()
		b := newBackup(r.t, r.daemon, r.redis, "")
		stop := r.feed() // while views come in
		r.more(200)
		first := b.run()
		r.more(500)
		stop()
		b.drill(first)
		b.drill("--empty-redis", first)
		if info, err := os.Stat(first); err != nil || info.Mode().Perm() != 0o700 {
			r.t.Errorf("the backup's folder: %v, %v", info.Mode(), err)
		}

		// The next one shares what has not changed.
		second := b.next(first)
		b.wantLinked(first, second)
		b.drill(second)

		// One that is damaged is told.
		name := filepath.Join(second, "ddkk-stats.yaml")
		must(r.t, os.WriteFile(name, []byte("sites: other.example\n"), 0o600))
		if out, err := b.tryDrill(second); err == nil || !strings.Contains(out, "damaged") {
			r.t.Errorf("a damaged backup: %v\n%s", err, out)
		}
	})
}

// TestDeployBackupOfCalls backs up a daemon that reads the site's own log as
// well: what its segments hold and the archive does not is counted again from
// the backup, and every series of calls agrees.
func TestDeployBackupOfCalls(t *testing.T) {
	r := newCallRig(t)
	r.daemon.Start()
	r.call(30)
	r.rotate(".1")
	old := time.Now().Add(-time.Hour)
	must(t, os.Chtimes(r.log+".1", old, old))
	r.command("archive")
	r.call(20)
	r.rotate(".2") // closed and not archived
	r.call(10)
	r.exact()
	b := newBackup(t, r.daemon, r.redis, "SITE_LOG="+r.log+"\n")
	first, calls := b.run(), r.calls["total"]
	r.call(5) // is in no backup
	for _, out := range []string{b.drill(first), b.drill("--empty-redis", first)} {
		if all := fmt.Sprintf(" %d API calls\n", calls); !strings.Contains(out, all) {
			t.Errorf("not all %d calls are in the backup:\n%s", calls, out)
		}
	}
	for _, name := range []string{"api.log", "api.log.1", "api.log.2"} {
		if _, err := os.Stat(filepath.Join(first, "site-segments", name)); err != nil {
			t.Error(err)
		}
	}
	second := b.next(first)
	b.wantLinked(first, second)
}

// backup runs the scripts of deploy/backup on a daemon's data.
type backup struct {
	t    *testing.T
	dir  string
	conf string
	temp string // folder of the drills
}

// newBackup makes the settings; more are lines for the backup's.
func newBackup(t *testing.T, d *Daemon, server *Redis, more string) *backup {
	t.Helper()
	b := &backup{t: t, dir: filepath.Join(TempDir(t), "backups"), temp: TempDir(t)}
	yaml := filepath.Join(b.dir, "..", "ddkk-stats.yaml")
	b.conf = filepath.Join(b.dir, "..", "backup.conf")
	options := filepath.Join(b.dir, "..", "my.cnf")
	must(t, os.WriteFile(yaml, []byte("timezone: UTC\nsite_aliases: other.ddkk.com=ddkk.com\nredis_addr:\n  - 192.0.2.1:6379\n  - 192.0.2.2:6379\naccess_log: /nonexistent\nsite_log: /nonexistent/site\napi_routes: /users/:id\nreferer_check: "+cmp.Or(d.Env["REFERER_CHECK"], "on")+"\n"), 0o600))
	// As systemd reads it; a shell would run a command, and look for a variable.
	environment := filepath.Join(b.dir, "..", "environment")
	must(t, os.WriteFile(environment, []byte("BOT_AGENTS=curious $crawler of mine\nES_URL=http://192.0.2.1:9200/\nSITE_ALIASES=blog.ddkk.com=ddkk.com\n"), 0o600))
	conf := fmt.Sprintf("BACKUP_DIR=%s\nCONFIG=%s\nENV_FILE=%s\nDATA_DIR=%s\nACCESS_LOG=%s\nREDIS_CLI='redis-cli -h 127.0.0.1 -p %s'\n",
		b.dir, yaml, environment, d.Dir, d.Env["ACCESS_LOG"], server.Addr[strings.LastIndexByte(server.Addr, ':')+1:])
	if dsn := d.Env["MYSQL_DSN"]; dsn != "" {
		port := regexp.MustCompile(`:(\d+)\)`).FindStringSubmatch(dsn)[1]
		must(t, os.WriteFile(options, []byte("[client]\nuser=root\nhost=127.0.0.1\nport="+port+"\n"), 0o600))
		conf += "MYSQL_DATABASE=stats\nMYSQL_OPTIONS=" + options + "\n"
	}
	must(t, os.WriteFile(b.conf, []byte(conf+more), 0o600))
	return b
}

func (b *backup) script(name string) string {
	b.t.Helper()
	root, err := repository()
	must(b.t, err)
	return filepath.Join(root, "deploy", "backup", name)
}

// run makes a backup and returns its folder.
func (b *backup) run() string {
	b.t.Helper()
	out := runTool(b.t, nil, "", b.script("ddkk-stats-backup"), b.conf)
	m := regexp.MustCompile(`(?m)^backup: (\S+): \d+ segments`).FindStringSubmatch(out)
	if m == nil {
		b.t.Fatalf("the backup said:\n%s", out)
	}
	return m[1]
}

// next makes another one, whose name is that of a later second.
func (b *backup) next(last string) string {
	b.t.Helper()
	Eventually(b.t, 5*time.Second, "the next second begins", func() error {
		if time.Now().UTC().Format("20060102T150405Z") == filepath.Base(last) {
			return errors.New("not yet")
		}
		return nil
	})
	return b.run()
}

func (b *backup) tryDrill(args ...string) (string, error) {
	b.t.Helper()
	cmd := exec.Command(b.script("ddkk-stats-restore-drill"), args...)
	cmd.Env = append(os.Environ(), "DDKK_STATS="+Binary(b.t), fmt.Sprintf("DRILL_PORT=%d", FreePort(b.t)), "TMPDIR="+b.temp, "DRILL_WAIT=60")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// drill restores a backup, which has to go without a difference and with every
// line counted.
func (b *backup) drill(args ...string) string {
	b.t.Helper()
	out, err := b.tryDrill(args...)
	if err != nil || !strings.Contains(out, " 0 differences, 0 problems") || !strings.Contains(out, "drill: passed") || strings.Contains(out, "not counted yet") {
		b.t.Errorf("drill %v: %v\n%s", args, err, out)
	}
	// Its daemon ends with it: the folder is gone, and so is who was in it.
	left, err := filepath.Glob("/proc/[0-9]*/cmdline")
	must(b.t, err)
	for _, name := range left {
		if cmd, err := os.ReadFile(name); err == nil && strings.Contains(string(cmd), b.temp) {
			b.t.Errorf("the drill left a process: %q", cmd)
		}
	}
	return out
}

// wantLinked: closed segments take their room once.
func (b *backup) wantLinked(first, second string) {
	b.t.Helper()
	linked := 0
	names, err := filepath.Glob(second + "/*segments/*")
	must(b.t, err)
	for _, name := range names {
		info, err := os.Stat(name)
		must(b.t, err)
		old, err := os.Stat(strings.Replace(name, second, first, 1))
		if err == nil && os.SameFile(info, old) {
			linked++
		}
	}
	if linked < 2 {
		b.t.Errorf("%d of %d segments are shared by two backups", linked, len(names))
	}
}

// TestDeployBackupRetention: old backups go, the newest never, and none when
// the new one fails.
func TestDeployBackupRetention(t *testing.T) {
	t.Parallel()
	dir := TempDir(t)
	log := filepath.Join(dir, "event.log")
	must(t, os.WriteFile(log, []byte("line\n"), 0o600))
	old := []string{"20250101T000000Z", "20250201T000000Z", "20250301T000000Z"}
	for _, name := range old {
		must(t, os.MkdirAll(filepath.Join(dir, "b", name, "segments"), 0o700))
	}
	must(t, os.MkdirAll(filepath.Join(dir, "b", ".part-20250401T000000Z"), 0o700))
	conf := filepath.Join(dir, "conf")
	write := func(more string) {
		must(t, os.WriteFile(conf, []byte("BACKUP_DIR="+dir+"/b\nKEEP_DAYS=30\nKEEP_LEAST=2\nCONFIG=/x\nENV_FILE=/x\nDATA_DIR="+dir+"\nACCESS_LOG="+log+"\n"+more), 0o600))
	}
	root, err := repository()
	must(t, err)
	script := filepath.Join(root, "deploy", "backup", "ddkk-stats-backup")
	list := func() string {
		entries, err := os.ReadDir(filepath.Join(dir, "b"))
		must(t, err)
		var names []string
		for _, e := range entries {
			if e.IsDir() {
				names = append(names, e.Name())
			}
		}
		return strings.Join(names, " ")
	}
	write("REDIS_CLI='redis-cli -s /nonexistent/socket'\n")
	if out, err := exec.Command(script, conf).CombinedOutput(); err == nil || !strings.Contains(string(out), "Redis") {
		t.Errorf("without Redis: %v\n%s", err, out)
	}
	if got := list(); got != ".part-20250401T000000Z "+strings.Join(old, " ") {
		t.Errorf("after a failure: %s", got)
	}
	write("REDIS_CLI=off\n")
	runTool(t, nil, "", script, conf)
	if got := strings.Fields(list()); len(got) != 2 || got[0] != old[2] {
		t.Errorf("kept %v", got)
	}
	if out, err := exec.Command(script, "/nonexistent").CombinedOutput(); err == nil {
		t.Errorf("a missing configuration: %s", out)
	}
}
