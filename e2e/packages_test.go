//go:build packages

package e2e

import (
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The packages of make release, installed into clean roots of Debian: make
// test-packages. It needs root, mmdebstrap, rpm and Debian's mirror.

// cleanRoot is a Debian of its own in a folder.
type cleanRoot struct {
	t   *testing.T
	dir string
}

// run runs a shell script in the root, with a network of its own that has nothing but
// loopback, and ends all that it left running.
func (r cleanRoot) run(script string) string {
	r.t.Helper()
	return runTool(r.t, []string{"ROOT=" + r.dir, "SCRIPT=set -eu\n" + script, "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive"}, "",
		"unshare", "--net", "--pid", "--mount", "--fork", "--kill-child", "sh", "-ec",
		`ip link set lo up
		mount -t proc proc "$ROOT/proc"
		exec chroot "$ROOT" /bin/sh -c "$SCRIPT"`)
}

func (r cleanRoot) path(name string) string { return filepath.Join(r.dir, name) }

// mode is what ls says of a file: rights and owners.
func (r cleanRoot) mode(name string) string {
	r.t.Helper()
	return strings.TrimSpace(r.run("stat -c '%a %U:%G' " + name))
}

func (r cleanRoot) wantFiles(want map[string]string) {
	r.t.Helper()
	for name, mode := range want {
		if got := r.mode(name); got != mode {
			r.t.Errorf("%s is %s, want %s", name, got, mode)
		}
	}
}

func (r cleanRoot) wantText(name, want string) {
	r.t.Helper()
	text, err := os.ReadFile(r.path(name))
	if err != nil || string(text) != want {
		r.t.Errorf("%s: %q, %v; want %q", name, text, err, want)
	}
}

func (r cleanRoot) wantGone(names ...string) {
	r.t.Helper()
	for _, name := range names {
		if _, err := os.Lstat(r.path(name)); !os.IsNotExist(err) {
			r.t.Errorf("%s is still there: %v", name, err)
		}
	}
}

// release builds a release of a version and returns its folder; an environment variable
// names one that was built as that before.
func release(t *testing.T, built, version string, platforms ...string) string {
	t.Helper()
	if dir := os.Getenv(built); dir != "" {
		return dir
	}
	root, err := repository()
	must(t, err)
	out := TempDir(t)
	runTool(t, []string{"OUT=" + out}, "", filepath.Join(root, ".ci/release"), append([]string{version}, platforms...)...)
	return out
}

func TestPackages(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("needs root, to make roots and install into them")
	}
	before := release(t, "PACKAGES_BEFORE", "v1.0.0", "linux/amd64")
	now := release(t, "PACKAGES_NOW", "v1.1.0", "linux/amd64", "linux/arm64")
	for _, file := range []string{"ddkk-stats_1.1.0-1_amd64.deb", "ddkk-stats_1.1.0-1_arm64.deb", "ddkk-stats-1.1.0-1.x86_64.rpm", "ddkk-stats-1.1.0-1.aarch64.rpm"} {
		info, err := os.Stat(filepath.Join(now, file))
		must(t, err)
		t.Logf("%s: %.1f MB", file, float64(info.Size())/1e6)
		if sums, err := os.ReadFile(filepath.Join(now, "SHA256SUMS")); err != nil || !strings.Contains(string(sums), "  "+file+"\n") {
			t.Errorf("%s has no checksum: %v", file, err)
		}
	}
	base := filepath.Join(TempDir(t), "base")
	runTool(t, nil, "", program(t, "mmdebstrap"), "--quiet", "--variant=essential",
		"--include=systemd,procps,nginx-light,redis-server,logrotate,curl", "bookworm", base, "http://deb.debian.org/debian")
	root := func(t *testing.T) cleanRoot {
		r := cleanRoot{t, filepath.Join(TempDir(t), "root")}
		runTool(t, nil, "", "cp", "-a", base, r.dir)
		for _, from := range []string{before, now} {
			for _, file := range []string{"ddkk-stats_*_amd64.deb", "ddkk-stats-*.x86_64.rpm"} {
				runTool(t, nil, "", "sh", "-c", fmt.Sprintf("cp %s/%s %s/tmp", from, file, r.dir))
			}
		}
		return r
	}
	t.Run("deb", func(t *testing.T) { debLife(root(t)) })
	t.Run("rpm", func(t *testing.T) { rpmLife(root(t)) })
	t.Run("arm64", func(t *testing.T) {
		dir := TempDir(t)
		runTool(t, nil, "", "dpkg-deb", "-x", filepath.Join(now, "ddkk-stats_1.1.0-1_arm64.deb"), dir)
		f, err := elf.Open(filepath.Join(dir, "usr/bin/ddkk-stats"))
		must(t, err)
		defer func() { must(t, f.Close()) }()
		arch := runTool(t, nil, "", program(t, "rpm"), "-qp", "--qf", "%{arch}", filepath.Join(now, "ddkk-stats-1.1.0-1.aarch64.rpm"))
		if f.Machine != elf.EM_AARCH64 || !strings.HasSuffix(arch, "aarch64") {
			t.Errorf("the packages for arm64 are for %v and %s", f.Machine, arch)
		}
	})
}

// theFiles are what both packages set up, but for the user of nginx.
func theFiles(web string) map[string]string {
	return map[string]string{
		"/usr/bin/ddkk-stats": "755 root:root", "/usr/lib/systemd/system/ddkk-stats.service": "644 root:root",
		"/etc/ddkk-stats.yaml": "640 root:ddkk", "/etc/ddkk-stats-backup.conf": "600 root:root", "/etc/logrotate.d/ddkk-stats": "644 root:root",
		"/etc/nginx/snippets/ddkk-stats-http.conf": "644 root:root", "/etc/nginx/snippets/ddkk-stats-locations.conf": "644 root:root",
		"/var/log/ddkk": "750 ddkk:" + web, "/var/log/ddkk/event.log": "640 " + web + ":ddkk", "/var/lib/ddkk-stats": "700 ddkk:ddkk",
		"/var/backups/ddkk-stats": "700 root:root",
	}
}

// serve starts Redis, nginx with the snippets and the daemon as its unit would, and
// waits until a view that curl makes is counted as the n-th.
func serve(n int) string {
	return fmt.Sprintf(`
redis-server --daemonize yes --appendonly yes --dir /var/lib/redis >/dev/null
echo 'include snippets/ddkk-stats-http.conf;' >/etc/nginx/conf.d/ddkk-stats.conf
cat >/etc/nginx/sites-enabled/default <<'EOF'
server { listen 127.0.0.1:80; server_name ddkk.com; include snippets/ddkk-stats-locations.conf; }
EOF
nginx -t 2>&1
nginx
cd /var/lib/ddkk-stats
setpriv --reuid ddkk --regid ddkk --init-groups ddkk-stats server --config /etc/ddkk-stats.yaml >/tmp/daemon.log 2>&1 &
daemon=$!
curl -fsS --max-time 5 -o /dev/null -H 'User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0' \
	-H 'Referer: http://ddkk.com/' 'http://127.0.0.1/event.png?site=ddkk.com&page=/' -H 'Host: ddkk.com'
tries=0
until curl -fsS --max-time 5 -H 'Host: ddkk.com' -d '{"site":"ddkk.com","page":"/"}' -H 'Content-Type: application/json' http://127.0.0.1/api/stats 2>/dev/null | grep -q '"site_pv":%d[,}]'; do
	tries=$((tries + 1))
	if [ $tries = 300 ]; then cat /tmp/daemon.log; tail -n 3 /var/log/ddkk/event.log; exit 1; fi
	sleep 0.2
done
kill $daemon && wait $daemon || true
redis-cli shutdown save
`, n)
}

func debLife(r cleanRoot) {
	t := r.t
	out := r.run("dpkg -i /tmp/ddkk-stats_1.0.0-1_amd64.deb")
	for _, want := range []string{"what check says", "127.0.0.1:6379 does not answer", "8 ok, 2 warn, 1 fail", "installed and not started"} {
		if !strings.Contains(out, want) {
			t.Errorf("the installation does not say %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, "systemd-tmpfiles") || strings.Contains(out, "Failed to") {
		t.Errorf("the installation:\n%s", out)
	}
	r.wantFiles(theFiles("www-data"))
	verifyUnit(r)
	if out := r.run("logrotate -d /etc/logrotate.d/ddkk-stats 2>&1"); strings.Contains(out, "error:") {
		t.Errorf("logrotate:\n%s", out)
	}
	r.run(serve(1))

	// The operator's settings and the data stay over everything.
	must(t, os.WriteFile(r.path("etc/ddkk-stats.yaml"), []byte(settingsOfMine), 0o640))
	out = r.run("dpkg -i /tmp/ddkk-stats_1.1.0-1_amd64.deb && ddkk-stats version")
	if !strings.Contains(out, "ddkk-stats v1.1.0 ") {
		t.Errorf("after the upgrade:\n%s", out)
	}
	r.wantText("etc/ddkk-stats.yaml", settingsOfMine)
	r.wantFiles(theFiles("www-data"))
	r.run(serve(2))
	log, err := os.ReadFile(r.path("var/log/ddkk/event.log"))
	must(t, err)
	if strings.Count(string(log), "\n") != 2 {
		t.Errorf("the log has %q", log)
	}

	r.run("dpkg -r ddkk-stats")
	r.wantGone("usr/bin/ddkk-stats", "usr/lib/systemd/system/ddkk-stats.service", "usr/lib/tmpfiles.d/ddkk-stats.conf")
	r.wantText("etc/ddkk-stats.yaml", settingsOfMine)
	r.wantText("var/log/ddkk/event.log", string(log))
	r.run("dpkg -i /tmp/ddkk-stats_1.1.0-1_amd64.deb") // it comes back
	r.wantText("etc/ddkk-stats.yaml", settingsOfMine)
	r.run(serve(3))
	log, err = os.ReadFile(r.path("var/log/ddkk/event.log"))
	must(t, err)

	out = r.run("dpkg -P ddkk-stats")
	if !strings.Contains(out, "/var/log/ddkk") {
		t.Errorf("the purge does not say what stays:\n%s", out)
	}
	r.wantGone("etc/ddkk-stats.yaml", "etc/ddkk-stats-backup.conf", "etc/logrotate.d/ddkk-stats", "etc/nginx/snippets/ddkk-stats-http.conf", "usr/bin/ddkk-stats")
	r.wantText("var/log/ddkk/event.log", string(log))
	if _, err := os.Stat(r.path("var/lib/ddkk-stats/archive.db")); err != nil {
		t.Errorf("the purge took the archive: %v", err)
	}
	if got := r.mode("/var/lib/ddkk-stats"); got != "700 ddkk:ddkk" {
		t.Errorf("the data's owner went: %s", got)
	}
}

// settingsOfMine are valid and not the shipped ones.
const settingsOfMine = "access_log: /var/log/ddkk/event.log\ndata_dir: /var/lib/ddkk-stats\nredis_addr: 127.0.0.1:6379\nsites: ddkk.com\n"

// rpmLife does the same by rpm. The root is Debian's all the same: what it shows is the
// package's own doing, and no more of Fedora than that.
func rpmLife(r cleanRoot) {
	t := r.t
	do := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(program(t, "rpm"), append([]string{"--root=" + r.dir}, args...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("rpm %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	// Scripts find /proc, as on a machine that runs.
	must(t, exec.Command("mount", "-t", "proc", "proc", r.path("proc")).Run())
	defer func() { must(t, exec.Command("umount", r.path("proc")).Run()) }()
	out := do("-i", "--nodeps", r.path("tmp/ddkk-stats-1.0.0-1.x86_64.rpm"))
	if !strings.Contains(out, "what check says") || !strings.Contains(out, "installed and not started") || strings.Contains(out, "Failed to") {
		t.Errorf("the installation:\n%s", out)
	}
	r.wantFiles(theFiles("nginx"))
	verifyUnit(r)
	must(t, os.WriteFile(r.path("etc/ddkk-stats.yaml"), []byte(settingsOfMine), 0o640))
	must(t, os.WriteFile(r.path("var/log/ddkk/event.log"), []byte("data\n"), 0o640))
	out = do("-U", "--nodeps", r.path("tmp/ddkk-stats-1.1.0-1.x86_64.rpm"))
	if strings.Contains(out, "not started") || strings.Contains(out, "stay, if they are there") {
		t.Errorf("the upgrade:\n%s", out)
	}
	if out := r.run("ddkk-stats version"); !strings.HasPrefix(out, "ddkk-stats v1.1.0 ") {
		t.Errorf("after the upgrade: %s", out)
	}
	r.wantText("etc/ddkk-stats.yaml", settingsOfMine)
	r.wantFiles(theFiles("nginx"))
	// Its status is 1, for the settings are another's.
	if out, err := exec.Command(program(t, "rpm"), "--root="+r.dir, "-V", "ddkk-stats").CombinedOutput(); strings.Contains(string(out), "missing") || !strings.Contains(string(out), "/etc/ddkk-stats.yaml") {
		t.Errorf("rpm -V: %v\n%s", err, out)
	}
	if out := do("-ql", "ddkk-stats"); strings.Contains(out, "/usr/bin\n") || strings.Contains(out, "/usr/lib/systemd/system\n") {
		t.Errorf("folders of the system are the package's:\n%s", out)
	}
	out = do("-e", "ddkk-stats")
	if !strings.Contains(out, "/var/log/ddkk") {
		t.Errorf("the removal does not say what stays:\n%s", out)
	}
	r.wantGone("usr/bin/ddkk-stats", "usr/lib/systemd/system/ddkk-stats.service")
	r.wantText("etc/ddkk-stats.yaml.rpmsave", settingsOfMine)
	r.wantText("var/log/ddkk/event.log", "data\n")
}

// verifyUnit has systemd look at the unit where it lies, and at how much it may do.
func verifyUnit(r cleanRoot) {
	r.t.Helper()
	for _, unit := range []string{"ddkk-stats.service", "ddkk-stats-backup.service", "ddkk-stats-backup.timer"} {
		if out := r.run("systemd-analyze verify --man=no " + unit + " 2>&1"); strings.Contains(out, "ddkk-stats") {
			r.t.Errorf("systemd-analyze verify %s:\n%s", unit, out)
		}
	}
	out := r.run("systemd-analyze security --offline=yes --no-pager --threshold=20 /usr/lib/systemd/system/ddkk-stats.service 2>&1")
	if !strings.Contains(out, "service: 0.9 ") {
		r.t.Errorf("the hardening is not what it was, 0.9:\n%s", out[max(0, len(out)-300):])
	}
}
