package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Nginx is a real nginx.
type Nginx struct {
	*process
	Addr    string // 127.0.0.1:port
	Dir     string
	Log     string // the beacon log
	PIDFile string
}

// StartNginx starts an nginx with the configuration that the binary prints,
// on a free port, with the daemon's API at api (host:port). The log is in a
// folder of its own.
func StartNginx(t testing.TB, binary, api string, args ...string) *Nginx {
	t.Helper()
	dir := TempDir(t)
	log := filepath.Join(dir, "log", "event.log")
	if err := os.Mkdir(filepath.Dir(log), 0o755); err != nil {
		t.Fatalf("make a folder for the log: %v", err)
	}
	addr := fmt.Sprintf("127.0.0.1:%d", FreePort(t))
	all := append([]string{
		"nginx-conf", "--standalone", "--listen", addr, "--server-name", "_", "--log", log, "--api", api,
	}, args...)
	cmd := exec.Command(binary, all...)
	var problems bytes.Buffer
	cmd.Dir, cmd.Stderr = dir, &problems
	conf, err := cmd.Output()
	if err != nil {
		t.Fatalf("ddkk-stats %s: %v\n%s", strings.Join(all, " "), err, problems.String())
	}
	return startNginx(t, dir, addr, log, conf)
}

var pidDirective = regexp.MustCompile(`(?m)^\s*pid\s+"?([^";]+)"?;`)

// startNginx runs a configuration that listens on addr and writes log.
func startNginx(t testing.TB, dir, addr, log string, conf []byte) *Nginx {
	t.Helper()
	m := pidDirective.FindSubmatch(conf)
	if m == nil {
		t.Fatal("the nginx configuration names no pid file")
	}
	pid := string(m[1])
	if !filepath.IsAbs(pid) {
		pid = filepath.Join(dir, pid)
	}
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, conf, 0o644); err != nil {
		t.Fatalf("write the nginx configuration: %v", err)
	}
	n := &Nginx{
		process: newProcess(t, "nginx", program(t, "nginx"),
			"-p", dir, "-c", file, "-e", filepath.Join(dir, "start.log"), "-g", "daemon off;"),
		Addr: addr, Dir: dir, Log: log, PIDFile: pid,
	}
	n.Start()
	return n
}

// Start starts nginx and waits until it answers. The request is none that is
// written to the beacon log.
func (n *Nginx) Start() {
	n.t.Helper()
	n.start()
	n.waitReady(20*time.Second, func() error {
		if _, err := n.masterPID(); err != nil {
			return err
		}
		resp, err := http.Get("http://" + n.Addr + "/ready-for-tests")
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, resp.Body)
		return errors.Join(err, resp.Body.Close())
	})
}

// Kill kills master and workers at once.
func (n *Nginx) Kill() { n.kill() }

// Stop lets requests in hand finish.
func (n *Nginx) Stop() {
	n.t.Helper()
	if _, err := n.terminate(syscall.SIGQUIT, stopLimit); err != nil {
		n.t.Errorf("nginx stopped with %v", err)
	}
}

// Reload makes new workers with the configuration as it is in the file.
func (n *Nginx) Reload() {
	n.t.Helper()
	n.signal(syscall.SIGHUP)
}

// Rotate is what logrotate does: rename, then USR1. It returns the new name
// and waits until nginx has made the log anew; workers may write to the
// renamed file for a moment longer.
func (n *Nginx) Rotate(suffix string) string {
	n.t.Helper()
	renamed := n.Log + suffix
	if err := os.Rename(n.Log, renamed); err != nil {
		n.t.Fatalf("rotate: %v", err)
	}
	pid, err := n.masterPID()
	if err != nil {
		n.t.Fatalf("rotate: %v", err)
	}
	if err := syscall.Kill(pid, syscall.SIGUSR1); err != nil {
		n.t.Fatalf("rotate: %v", err)
	}
	Eventually(n.t, 10*time.Second, "nginx makes the log anew", func() error {
		_, err := os.Stat(n.Log)
		return err
	})
	return renamed
}

// masterPID reads the pid file, as the daemon does, and checks it against what
// was started here.
func (n *Nginx) masterPID() (int, error) {
	data, err := os.ReadFile(n.PIDFile)
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return 0, fmt.Errorf("the pid file has %q: %w", data, err)
	}
	if own := n.PID(); pid != own {
		return 0, fmt.Errorf("the pid file has %d, nginx is %d", pid, own)
	}
	return pid, nil
}
