//go:build servers

package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What Debian has of servers that speak Redis's protocol or MySQL's, each unpacked with
// its libraries into a folder of its own: docs/INSTALL.md has the results.

// unpacked makes a folder with a package of Debian; SERVERS names one where the folders
// stay for the next time.
func unpacked(t *testing.T, suite, pack string) string {
	t.Helper()
	keep := os.Getenv("SERVERS")
	if keep == "" {
		keep = TempDir(t)
	}
	dir := filepath.Join(keep, suite+"-"+pack)
	if _, err := os.Stat(dir); err != nil {
		runTool(t, nil, "", program(t, "mmdebstrap"), "--quiet", "--variant=extract", "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
			`--aptopt=Acquire::Check-Valid-Until "false"`, // a mirror may lag behind sid
			"--include="+pack, suite, dir, "http://deb.debian.org/debian")
	}
	return dir
}

// TestServerRedis counts, loses the server, goes back in time and archives with each.
func TestServerRedis(t *testing.T) {
	for _, s := range []struct{ suite, pack, program, name string }{
		{"bullseye", "redis-server", "redis-server", "Redis 6.0"}, // too old: it has to say so
		{"trixie", "redis-server", "redis-server", "Redis 8.0"},
		{"trixie", "valkey-server", "valkey-server", "Valkey 8.1"},
		{"sid", "valkey-server", "valkey-server", "Valkey 9"},
		{"sid", "redict-server", "redict-server", "Redict 7.3"},
	} {
		t.Run(strings.ReplaceAll(s.name, " ", ""), func(t *testing.T) {
			root := unpacked(t, s.suite, s.pack)
			port := fmt.Sprint(FreePort(t))
			data := filepath.Join(root, "tmp", "data-"+port)
			must(t, os.MkdirAll(data, 0o777))
			t.Cleanup(func() { must(t, os.RemoveAll(data)) })
			server := &Redis{Addr: net.JoinHostPort("127.0.0.1", port), Dir: data}
			server.process = newProcess(t, "redis", program(t, "chroot"), root, "/usr/bin/"+s.program, "--port", port, "--bind", "127.0.0.1",
				"--dir", "/tmp/data-"+port, "--appendonly", "yes", "--maxmemory-policy", "noeviction", "--save", "")
			server.env = []string{"LC_ALL=C"}
			server.Start()
			r := newRig(t, rigOptions{env: map[string]string{"REDIS_ADDR": server.Addr}})
			r.redis, r.client = server, server.Client(t)
			info, err := r.client.Info(t.Context(), "server").Result()
			must(t, err)
			t.Logf("%s: %s", s.name, versions(info))
			if strings.HasPrefix(s.name, "Redis 6") {
				r.daemon.Launch()
				Eventually(t, 20*time.Second, "it says why it does not start", func() error {
					if log := r.daemon.Log(); !strings.Contains(log, "cannot count into Redis 6.0") {
						return fmt.Errorf("its log is %q", log)
					}
					return nil
				})
				return
			}
			counts(t, r, server)
		})
	}
}

// counts is what a server is tested by.
func counts(t *testing.T, r *rig, server *Redis) {
	r.daemon.Start()
	stop := r.feed()
	r.more(2000)
	server.Kill()
	r.more(500)
	server.Start()
	r.more(2000)
	stop()
	r.exact()
	r.archive()
	r.forget()
	r.write(500)
	r.verified()
	must(t, r.client.Del(t.Context(), prefix+"page:pv:ddkk.com").Err()) // a key goes alone
	r.write(500)
	r.verified()
	if out := r.command("check"); strings.Contains(out, "fail  Redis") {
		t.Errorf("check:\n%s", out)
	}
}

// versions are the lines of INFO that tell a version.
func versions(info string) string {
	var all []string
	for line := range strings.Lines(info) {
		if strings.Contains(line, "version:") {
			all = append(all, strings.TrimSpace(line))
		}
	}
	return strings.Join(all, ", ")
}

// TestServerMySQL archives into MySQL itself (all other tests use MariaDB), makes Redis anew
// from there, and verifies.
func TestServerMySQL(t *testing.T) {
	for _, s := range []struct{ suite, pack, name, server string }{
		{"sid", "mysql-server-core", "MySQL", "mysqld"},
	} {
		t.Run(s.name, func(t *testing.T) {
			root := unpacked(t, s.suite, s.pack)
			port := FreePort(t)
			data := fmt.Sprintf("/tmp/data-%d", port)
			t.Cleanup(func() { must(t, os.RemoveAll(root+data)) })
			runTool(t, []string{"LC_ALL=C"}, "", "chroot", root, "/usr/sbin/"+s.server, "--no-defaults", "--initialize-insecure", "--user=root", "--datadir="+data)
			m := &MariaDB{Addr: fmt.Sprintf("127.0.0.1:%d", port), Dir: root + data}
			m.process = newProcess(t, s.server, program(t, "chroot"), root, "/usr/sbin/"+s.server, "--no-defaults", "--user=root", "--datadir="+data,
				fmt.Sprintf("--port=%d", port), "--bind-address=127.0.0.1", "--socket="+data+"/s", "--local-infile=1", "--skip-log-bin", "--secure-file-priv=NULL", "--pid-file="+data+"/pid")
			m.Start()
			dsn := m.Create("stats")
			var version string
			must(t, m.Open(t, "").QueryRow("SELECT VERSION()").Scan(&version))
			t.Logf("%s %s", s.name, version)
			r := newRig(t, rigOptions{env: map[string]string{"MYSQL_DSN": dsn, "RAW_RETENTION_DAYS": "2"}})
			r.daemon.Start()
			r.write(2000)
			r.exact()
			r.archive()
			m.Kill()
			r.write(500)
			r.exact()
			m.Start()
			r.archive()
			r.deleteSegments()
			r.forget()
			r.write(500)
			r.verified()
		})
	}
}
