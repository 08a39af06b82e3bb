package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// exitLimit is how long the daemon may take to stop after SIGTERM.
const exitLimit = 10 * time.Second

// buildOnce holds the one binary of a test run.
var buildOnce = sync.OnceValues(build)

// Binary is the path of the daemon under test, built at the first call.
func Binary(t testing.TB) string {
	t.Helper()
	path, err := buildOnce()
	if err != nil {
		t.Fatalf("build the daemon: %v", err)
	}
	return path
}

// build makes dist/e2e/ddkk-stats. It is built under another name and renamed,
// so that a second test run beside this one keeps the file that it executes.
func build() (string, error) {
	if path := os.Getenv("DDKK_E2E_BINARY"); path != "" {
		return filepath.Abs(path)
	}
	root, err := repository()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(root, "dist", "e2e")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	path := filepath.Join(dir, "ddkk-stats")
	fresh := fmt.Sprintf("%s.%d", path, os.Getpid())
	args := []string{"build", "-o", fresh, "-ldflags", "-X main.version=e2e"}
	if os.Getenv("DDKK_E2E_RACE") != "0" {
		args = append(args, "-race", "-gcflags=modernc.org/...=-race=false") // as in the Makefile
	}
	cmd := exec.Command("go", append(args, ".")...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, os.Rename(fresh, path)
}

// Daemon is ddkk-stats, running or not.
type Daemon struct {
	*process
	Addr string            // 127.0.0.1:port
	Dir  string            // DATA_DIR
	Env  map[string]string // as set; may be changed before the next Start
}

// StartDaemon starts `ddkk-stats server` with exactly this environment and
// waits until it is ready. PORT and DATA_DIR are chosen when env has none. A
// data race or a panic that shows in its log fails the test.
func StartDaemon(t testing.TB, env map[string]string) *Daemon {
	t.Helper()
	d := NewDaemon(t, env)
	d.Start()
	return d
}

// NewDaemon is StartDaemon without the start, for those who need the address
// before.
func NewDaemon(t testing.TB, env map[string]string) *Daemon {
	t.Helper()
	d := &Daemon{Env: map[string]string{
		"PORT": strconv.Itoa(FreePort(t)), "DATA_DIR": filepath.Join(TempDir(t), "data"),
	}}
	for name, value := range env {
		d.Env[name] = value
	}
	d.Addr, d.Dir = net.JoinHostPort("127.0.0.1", d.Env["PORT"]), d.Env["DATA_DIR"]
	d.process = newProcess(t, "ddkk-stats", Binary(t), "server")
	d.dir = TempDir(t) // away from any ddkk-stats.yaml
	t.Cleanup(d.checkLog)
	return d
}

// checkLog fails the test for what must never be in the log.
func (d *Daemon) checkLog() {
	for line := range strings.Lines(d.output()) {
		if strings.Contains(line, "WARNING: DATA RACE") || strings.HasPrefix(line, "panic:") || strings.HasPrefix(line, "fatal error:") {
			d.t.Errorf("the daemon's log has %q", strings.TrimSpace(line))
			return
		}
	}
}

// Start starts the daemon and waits until it is ready to serve.
func (d *Daemon) Start() {
	d.t.Helper()
	d.Launch()
	d.WaitReady(60 * time.Second)
}

// Launch starts the daemon and does not wait, as when Redis is down.
func (d *Daemon) Launch() {
	d.t.Helper()
	d.env = environment(d.Env)
	d.start()
}

// environment is the given one and what any program needs; nothing else of
// the test's own leaks in.
func environment(set map[string]string) []string {
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.TempDir(), "TMPDIR=" + os.TempDir()}
	for name, value := range set {
		env = append(env, name+"="+value)
	}
	slices.Sort(env)
	return env
}

// WaitReady waits until /readyz answers 200.
func (d *Daemon) WaitReady(limit time.Duration) {
	d.t.Helper()
	d.waitReady(limit, func() error {
		_, err := d.Get("/readyz")
		return err
	})
}

// URL is the address of a path on the daemon's own port.
func (d *Daemon) URL(path string) string { return "http://" + d.Addr + path }

// Get fetches a path from the daemon's own port. Other statuses than 200 are
// errors.
func (d *Daemon) Get(path string) ([]byte, error) {
	resp, err := http.Get(d.URL(path))
	return readResponse(resp, err)
}

// getWith is Get with a token in the header.
func (d *Daemon) getWith(path, token string) ([]byte, error) {
	req, err := http.NewRequest(http.MethodGet, d.URL(path), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	return readResponse(resp, err)
}

// Post sends a JSON body.
func (d *Daemon) Post(path, body string) ([]byte, error) {
	resp, err := http.Post(d.URL(path), "application/json", strings.NewReader(body))
	return readResponse(resp, err)
}

func readResponse(resp *http.Response, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return body, fmt.Errorf("status %d: %s", resp.StatusCode, body)
	}
	return body, nil
}

// Kill is kill -9.
func (d *Daemon) Kill() { d.kill() }

// Terminate sends SIGTERM, checks that the daemon ends by itself, with status
// 0 and in time, and returns how long it took.
func (d *Daemon) Terminate() time.Duration {
	d.t.Helper()
	took, err := d.terminate(syscall.SIGTERM, exitLimit)
	if err != nil {
		log := d.Log() // of all its lives: what it says at the end of this one is not at the end of the test
		d.t.Errorf("the daemon ended after SIGTERM with %v:\n%s", err, log[max(0, len(log)-2000):])
	}
	return took
}

// HangUp sends SIGHUP: read the configuration again.
func (d *Daemon) HangUp() {
	d.t.Helper()
	d.signal(syscall.SIGHUP)
}

// Log is everything that the daemon has logged so far, over all its starts.
func (d *Daemon) Log() string { return d.output() }

// Run runs another command of the binary with this environment until it ends
// and returns what it printed.
func Run(t testing.TB, env map[string]string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(Binary(t), args...)
	cmd.Env, cmd.Dir = environment(env), TempDir(t)
	out, err := cmd.CombinedOutput()
	return string(out), err
}
