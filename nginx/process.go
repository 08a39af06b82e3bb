package nginx

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// readPID reads nginx's process id.
func readPID(file string) (int, error) {
	if file == "" {
		return 0, fmt.Errorf("%w: set NGINX_PID to nginx's pid file (Debian: /run/nginx.pid), or let logrotate rotate the log (deploy/logrotate) and set ROTATE_CRON=off", ErrNoPID)
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("%w: %s is missing: nginx does not run, or NGINX_PID is not its pid file: %w", ErrNoPID, file, err)
	}
	if err != nil {
		return 0, fmt.Errorf("%w: read pid file: %w", ErrNoPID, err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid <= 1 {
		return 0, fmt.Errorf("%w: %s holds %q, not a process id: NGINX_PID is not nginx's pid file", ErrNoPID, file, firstBytes(text))
	}
	return pid, nil
}

func firstBytes(text []byte) []byte { return text[:min(len(text), 32)] }

// probe asks whether pid runs, is nginx, and may be signalled by us. USR1 ends
// a program that does not expect it, and a pid is soon somebody else's: so a
// process that is seen not to be nginx gets no signal.
func probe(pid int, file string) error {
	if err := unreachable(syscall.Kill(pid, 0), pid, file); err != nil {
		return err
	}
	name, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "comm"))
	if err != nil {
		return nil // no /proc here, or the process is just gone: the signal will tell
	}
	if comm := strings.TrimSpace(string(name)); !isNginx(comm) {
		return fmt.Errorf("%w: process %d, which %s names, is %q and not nginx: the file is stale", ErrNoPID, pid, file, comm)
	}
	return nil
}

// isNginx knows nginx and its forks by the name of the process.
func isNginx(comm string) bool {
	return slices.Contains([]string{"nginx", "nginx-debug", "openresty", "angie", "freenginx"}, comm)
}

// unreachable says what the refusal of a signal means.
func unreachable(err error, pid int, file string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ESRCH):
		return fmt.Errorf("%w: no process %d runs, which %s names: the file is stale or nginx has just stopped", ErrNoPID, pid, file)
	case errors.Is(err, syscall.EPERM):
		return fmt.Errorf("%w: this user may not signal nginx (process %d): run the daemon as the user that started nginx, or let logrotate rotate the log with the rule in deploy/logrotate and set ROTATE_CRON=off: %w", ErrNoPID, pid, err)
	}
	return fmt.Errorf("%w: signal process %d: %w", ErrNoPID, pid, err)
}

// signalReopen asks nginx to open its logs anew.
func signalReopen(pid int) error {
	if err := syscall.Kill(pid, syscall.SIGUSR1); err != nil {
		return fmt.Errorf("signal nginx (process %d): %w", pid, err)
	}
	return nil
}

// holding returns those of nginx's processes (the master and its children)
// that have the file open. What we may not look into is passed over: then the
// new file's existence is all the proof there is, and the tailer, which reads
// the renamed file until it is quiet, needs no more.
func holding(master int, path string) []int {
	want, err := os.Stat(path)
	if err != nil {
		return nil
	}
	var found []int
	for _, pid := range append([]int{master}, children(master)...) {
		fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		if err != nil {
			continue
		}
		for _, fd := range fds {
			if is, err := os.Stat(fd); err == nil && os.SameFile(is, want) {
				found = append(found, pid)
				break
			}
		}
	}
	return found
}

func children(pid int) []int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil
	}
	var all []int
	for _, f := range strings.Fields(string(text)) {
		if n, err := strconv.Atoi(f); err == nil {
			all = append(all, n)
		}
	}
	return all
}
