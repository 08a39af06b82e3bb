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
	StartLoad(t, LoadOptions{Addr: n.Addr, Ledger: ledger, Total: perRound, Seed: rounds * 1000}).Wait()
	// What it would do next: with all these files it deletes none.
	dry := runTool(t, nil, "", program(t, "logrotate"), "-d", "-f", "-s", state, file)
	if !strings.Contains(dry, "rotateCount is -1") || strings.Contains(dry, "removing") || strings.Contains(dry, "error:") {
		t.Errorf("logrotate -d:\n%s", dry)
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
	if len(names) != rounds || lines != (rounds+1)*perRound {
		t.Errorf("%d rotated files with %d lines, want %d and %d: %v", len(names), lines, rounds, (rounds+1)*perRound, names)
	}
}
