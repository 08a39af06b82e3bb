package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// The files of deploy/ are run as they are shipped, but for the passwords and
// paths.

// deployFile reads a file of deploy/.
func deployFile(t testing.TB, name string) string {
	t.Helper()
	root, err := repository()
	must(t, err)
	text, err := os.ReadFile(filepath.Join(root, "deploy", name))
	must(t, err)
	return string(text)
}

// runTool runs a program that has to end well.
func runTool(t testing.TB, env []string, stdin, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

var userDirective = regexp.MustCompile(`(?m)^user (\S+) (.*)$`)

// useRedisUsers sets the shipped users up, all but the default one, which the
// tests themselves go on using.
func useRedisUsers(t *testing.T, client *redis.Client) {
	t.Helper()
	for _, m := range userDirective.FindAllStringSubmatch(deployFile(t, "redis-users.conf"), -1) {
		if m[1] == "default" {
			continue
		}
		args := []any{"ACL", "SETUSER", m[1]}
		for rule := range strings.FieldsSeq(m[2]) {
			args = append(args, rule)
		}
		must(t, client.Do(t.Context(), args...).Err())
	}
}

// TestDeployRedisUsers runs everything that the daemon does with Redis under
// the shipped user, and then tries what that user must not do.
func TestDeployRedisUsers(t *testing.T) {
	r := newRig(t, rigOptions{env: map[string]string{"REDIS_USERNAME": "ddkk", "REDIS_PASSWORD": "CHANGE-ME-DAEMON", "DEDUPE_WINDOW": "0"}})
	useRedisUsers(r.t, r.client)
	r.daemon.Start()
	r.write(1500)
	r.verified()
	r.archive()
	r.forget() // rebuilt by itself
	r.write(300)
	r.verified()
	r.command("restore-from-mysql")
	r.verified()
	r.command("verify", "--repair")
	r.daemon.Kill()
	r.write(20_000) // a backlog: pages are folded
	r.daemon.Start()
	r.verified()
	body, err := r.daemon.Post("/api/stats", `{"site":"ddkk.com","page":"/","fields":["site_pv","page_pv","site_online","hot_pages_all"]}`)
	must(r.t, err)
	if strings.Contains(string(body), "stale") {
		r.t.Errorf("reads under the user: %s", body)
	}
	if out := r.command("check"); strings.Contains(out, "NOPERM") {
		r.t.Errorf("check:\n%s", out)
	}
	ctx := r.t.Context()
	denied, err := r.client.Do(ctx, "ACL", "LOG").Slice()
	must(r.t, err)
	if len(denied) > 0 {
		r.t.Errorf("the daemon was denied: %v", denied)
	}

	as := redis.NewClient(&redis.Options{Addr: r.redis.Addr, Username: "ddkk", Password: "CHANGE-ME-DAEMON", MaxRetries: -1})
	defer r.redis.close(as)
	must(r.t, as.Ping(ctx).Err())
	for _, c := range [][]any{
		{"FLUSHALL"}, {"FLUSHDB"}, {"KEYS", "*"}, {"CONFIG", "SET", "maxmemory", "1mb"}, {"SHUTDOWN"}, {"ACL", "LIST"}, {"DEBUG", "SLEEP", "0"},
		{"REPLICAOF", "NO", "ONE"}, {"MONITOR"}, {"SAVE"}, {"SWAPDB", "0", "1"}, {"MODULE", "LIST"}, {"CLIENT", "KILL", "ID", "1"}, {"SCRIPT", "FLUSH"},
		{"FUNCTION", "FLUSH"}, {"MIGRATE", "127.0.0.1", "1", "ddkk:x", "0", "1"}, {"GET", "other:key"}, {"SET", "other:key", "1"}, {"DEL", "other"},
		{"EVAL", "return redis.call('SET', KEYS[1], 1)", "1", "other"}, {"EVAL", "return redis.call('FLUSHALL')", "0"}, {"SUBSCRIBE", "x"},
	} {
		if err := as.Do(ctx, c...).Err(); err == nil || !strings.Contains(err.Error(), "permission") && !strings.Contains(err.Error(), "NOPERM") && !strings.Contains(err.Error(), "can't run") && !strings.Contains(err.Error(), "not allowed") {
			r.t.Errorf("%v: %v, want a refusal", c, err)
		}
	}
}

// TestDeployRedisConf starts a Redis as redis.conf with the users included.
func TestDeployRedisConf(t *testing.T) {
	t.Parallel()
	users := filepath.Join(TempDir(t), "redis-users.conf")
	must(t, os.WriteFile(users, []byte(deployFile(t, "redis-users.conf")), 0o600))
	root, err := repository()
	must(t, err)
	dir := TempDir(t)
	p := newProcess(t, "redis", program(t, "redis-server"), filepath.Join(root, "deploy", "redis.conf"),
		"--port", "0", "--unixsocket", dir+"/s", "--dir", dir, "--include", users)
	p.start()
	as := func(user, password string) *redis.Client {
		c := redis.NewClient(&redis.Options{Network: "unix", Addr: dir + "/s", Username: user, Password: password, MaxRetries: -1})
		t.Cleanup(func() { must(t, c.Close()) })
		return c
	}
	admin := as("admin", "CHANGE-ME-ADMIN")
	p.waitReady(20*time.Second, func() error { return admin.Ping(t.Context()).Err() })
	must(t, as("ddkk", "CHANGE-ME-DAEMON").Set(t.Context(), "ddkk:x", "1", 0).Err())
	if err := as("", "").Get(t.Context(), "ddkk:x").Err(); err == nil || !strings.Contains(err.Error(), "NOAUTH") {
		t.Errorf("without a name: %v", err)
	}
	// The backup's user: a copy, and nothing else.
	if err := as("ddkk-backup", "CHANGE-ME-BACKUP").Get(t.Context(), "ddkk:x").Err(); err == nil || !strings.Contains(err.Error(), "permission") && !strings.Contains(err.Error(), "NOPERM") {
		t.Errorf("the backup's user may read keys: %v", err)
	}
	rdb := filepath.Join(dir, "copy.rdb")
	runTool(t, []string{"REDISCLI_AUTH=CHANGE-ME-BACKUP"}, "", "redis-cli", "-s", dir+"/s", "--user", "ddkk-backup", "--rdb", rdb)
	if data, err := os.ReadFile(rdb); err != nil || !bytes.Contains(data, []byte("ddkk:x")) {
		t.Errorf("the copy of %d bytes lacks a key: %v", len(data), err)
	}
}

// TestDeployMySQLAccounts: tables are made by one account; the daemon's own can
// do its work with rows and partitions and no more.
func TestDeployMySQLAccounts(t *testing.T) {
	m := StartMariaDB(t)
	r := newRig(t, rigOptions{env: map[string]string{"RAW_RETENTION_DAYS": "2"}})
	runTool(r.t, nil, deployFile(r.t, "mysql.sql"), "mariadb", "--no-defaults", "--socket="+filepath.Join(m.Dir, "db.sock"), "--user=root")
	dsn := func(user, password string) string {
		return fmt.Sprintf("%s:%s@tcp(%s)/ddkk?timeout=5s", user, password, m.Addr)
	}
	r.daemon.Env["MYSQL_DSN"] = dsn("ddkk", "CHANGE-ME-DAEMON")
	if out, err := Run(r.t, r.daemon.Env, "archive"); err == nil || !strings.Contains(out, "CREATE") {
		r.t.Errorf("the daemon's account made the tables: %v\n%s", err, out)
	}
	schema := map[string]string{}
	for name, value := range r.daemon.Env {
		schema[name] = value
	}
	schema["MYSQL_DSN"] = dsn("ddkk_schema", "CHANGE-ME-SCHEMA")
	if out, err := Run(r.t, schema, "archive"); err != nil {
		r.t.Fatalf("archive with the schema's account: %v\n%s", err, out)
	}

	r.daemon.Start()
	r.write(1000)
	r.verified()
	var said strings.Builder
	said.WriteString(r.archive())
	r.write(500)
	r.exact()
	said.WriteString(r.archive())
	r.forget()
	r.verified()
	said.WriteString(r.command("restore-from-mysql"))
	r.verified()
	csv := filepath.Join(TempDir(r.t), "counts.csv")
	must(r.t, os.WriteFile(csv, []byte("site,page,pv,uv\nddkk.com,/old,5,2\n"), 0o600))
	said.WriteString(r.command("import-counts", "csv", csv))
	for _, bad := range []string{"would not", "denied", "refuses"} {
		if strings.Contains(said.String()+r.daemon.Log(), bad) {
			r.t.Errorf("something was %q:\n%s\n%s", bad, said.String(), r.daemon.Log())
		}
	}
	db := m.Open(r.t, "ddkk")
	var partitions int
	must(r.t, db.QueryRow("SELECT COUNT(*) FROM information_schema.partitions WHERE table_schema = 'ddkk' AND table_name = 'access_logs'").Scan(&partitions))
	if partitions < 3 {
		r.t.Errorf("%d partitions: the account could not make them", partitions)
	}

	try := func(user, password, statement string) error {
		cmd := exec.Command("mariadb", "--no-defaults", "--socket="+filepath.Join(m.Dir, "db.sock"), "--user="+user, "--password="+password, "ddkk", "-e", statement)
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}
	for _, statement := range []string{
		"CREATE TABLE x (n INT)", "DROP TABLE days", "ALTER TABLE days ADD x INT", "TRUNCATE daily_stats", "CREATE USER x", "SELECT * FROM mysql.user",
		"SELECT 1 INTO OUTFILE '/tmp/ddkk-outfile'", "SET GLOBAL max_connections = 1", "GRANT ALL ON ddkk.* TO ddkk@localhost", "DROP DATABASE ddkk", "SHUTDOWN",
	} {
		if err := try("ddkk", "CHANGE-ME-DAEMON", statement); err == nil || !strings.Contains(err.Error(), "denied") {
			r.t.Errorf("the daemon's account: %s: %v", statement, err)
		}
		if err := try("ddkk_backup", "CHANGE-ME-BACKUP", statement); err == nil || !strings.Contains(err.Error(), "denied") {
			r.t.Errorf("the backup's account: %s: %v", statement, err)
		}
	}
	var name string
	must(r.t, db.QueryRow("SELECT partition_name FROM information_schema.partitions WHERE table_schema = 'ddkk' AND table_name = 'access_logs' ORDER BY partition_ordinal_position LIMIT 1").Scan(&name))
	must(r.t, try("ddkk", "CHANGE-ME-DAEMON", "ALTER TABLE access_logs DROP PARTITION "+name))
}

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
		b := newBackup(r)
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

// backup runs the scripts of deploy/backup on a rig.
type backup struct {
	r    *rig
	dir  string
	conf string
}

func newBackup(r *rig) *backup {
	r.t.Helper()
	b := &backup{r: r, dir: filepath.Join(TempDir(r.t), "backups")}
	yaml := filepath.Join(b.dir, "..", "ddkk-stats.yaml")
	b.conf = filepath.Join(b.dir, "..", "backup.conf")
	options := filepath.Join(b.dir, "..", "my.cnf")
	must(r.t, os.WriteFile(yaml, []byte("timezone: UTC\nsite_aliases: blog.ddkk.com=ddkk.com\nredis_addr: 192.0.2.1:6379\naccess_log: /nonexistent\n"), 0o600))
	conf := fmt.Sprintf("BACKUP_DIR=%s\nCONFIG=%s\nENV_FILE=/nonexistent\nDATA_DIR=%s\nACCESS_LOG=%s\nREDIS_CLI='redis-cli -h 127.0.0.1 -p %s'\n",
		b.dir, yaml, r.daemon.Dir, r.log, r.redis.Addr[strings.LastIndexByte(r.redis.Addr, ':')+1:])
	if dsn := r.daemon.Env["MYSQL_DSN"]; dsn != "" {
		port := regexp.MustCompile(`:(\d+)\)`).FindStringSubmatch(dsn)[1]
		must(r.t, os.WriteFile(options, []byte("[client]\nuser=root\nhost=127.0.0.1\nport="+port+"\n"), 0o600))
		conf += "MYSQL_DATABASE=stats\nMYSQL_OPTIONS=" + options + "\n"
	}
	must(r.t, os.WriteFile(b.conf, []byte(conf), 0o600))
	return b
}

func (b *backup) script(name string) string {
	b.r.t.Helper()
	root, err := repository()
	must(b.r.t, err)
	return filepath.Join(root, "deploy", "backup", name)
}

// run makes a backup and returns its folder.
func (b *backup) run() string {
	b.r.t.Helper()
	out := runTool(b.r.t, nil, "", b.script("ddkk-stats-backup"), b.conf)
	m := regexp.MustCompile(`(?m)^backup: (\S+): \d+ segments`).FindStringSubmatch(out)
	if m == nil {
		b.r.t.Fatalf("the backup said:\n%s", out)
	}
	return m[1]
}

// next makes another one, whose name is that of a later second.
func (b *backup) next(last string) string {
	b.r.t.Helper()
	Eventually(b.r.t, 5*time.Second, "the next second begins", func() error {
		if time.Now().UTC().Format("20060102T150405Z") == filepath.Base(last) {
			return errors.New("not yet")
		}
		return nil
	})
	return b.run()
}

func (b *backup) tryDrill(args ...string) (string, error) {
	b.r.t.Helper()
	cmd := exec.Command(b.script("ddkk-stats-restore-drill"), args...)
	cmd.Env = append(os.Environ(), "DDKK_STATS="+Binary(b.r.t), fmt.Sprintf("DRILL_PORT=%d", FreePort(b.r.t)), "TMPDIR="+TempDir(b.r.t), "DRILL_WAIT=60")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// drill restores a backup, which has to go without a difference.
func (b *backup) drill(args ...string) {
	b.r.t.Helper()
	out, err := b.tryDrill(args...)
	if err != nil || !strings.Contains(out, " 0 differences, 0 problems") || !strings.Contains(out, "drill: passed") {
		b.r.t.Errorf("drill %v: %v\n%s", args, err, out)
	}
}

// wantLinked: closed segments take their room once.
func (b *backup) wantLinked(first, second string) {
	b.r.t.Helper()
	linked := 0
	names, err := filepath.Glob(second + "/segments/*")
	must(b.r.t, err)
	for _, name := range names {
		info, err := os.Stat(name)
		must(b.r.t, err)
		old, err := os.Stat(filepath.Join(first, "segments", filepath.Base(name)))
		if err == nil && os.SameFile(info, old) {
			linked++
		}
	}
	if linked < 2 {
		b.r.t.Errorf("%d of %d segments are shared by two backups", linked, len(names))
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

// TestDeployLogrotate runs the shipped rule with a real logrotate and a real
// nginx, more often than any count of files that others keep.
func TestDeployLogrotate(t *testing.T) {
	t.Parallel()
	n := startTestNginx(t)
	rule := strings.NewReplacer("/var/log/ddkk/event.log", n.Log, "/run/nginx.pid", n.PIDFile, "create 0640 www-data ddkk", "create 0644").Replace(deployFile(t, "logrotate/ddkk-stats"))
	dir := TempDir(t)
	file, state := filepath.Join(dir, "rule"), filepath.Join(dir, "state")
	must(t, os.WriteFile(file, []byte(rule), 0o644))
	must(t, os.Chmod(filepath.Dir(n.Log), 0o755))
	ledger := NewLedger(time.UTC)
	const rounds, perRound = 4, 50
	for round := range rounds {
		StartLoad(t, LoadOptions{Addr: n.Addr, Ledger: ledger, Total: perRound, Seed: uint64(round) * 1000}).Wait()
		before := time.Now().Unix()
		runTool(t, nil, "", program(t, "logrotate"), "-f", "-s", state, file)
		Eventually(t, 5*time.Second, "the next second begins", func() error {
			if time.Now().Unix() == before {
				return errors.New("not yet")
			}
			return nil
		})
	}
	n.Stop()
	names, err := filepath.Glob(n.Log + ".*")
	must(t, err)
	lines := 0
	for _, name := range append(names, n.Log) {
		if strings.HasSuffix(name, ".gz") {
			lines += strings.Count(runTool(t, nil, "", "gzip", "-dc", name), "\n")
		} else {
			lines += countLines(t, name)
		}
	}
	if len(names) != rounds || lines != rounds*perRound {
		t.Errorf("%d rotated files with %d lines, want %d and %d: %v", len(names), lines, rounds, rounds*perRound, names)
	}
}
