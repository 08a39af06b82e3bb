package doctor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// nginxPID is the process that a rotation signals.
func (c *Checkup) nginxPID(context.Context) []Finding {
	path := c.Cfg.NginxPID
	if path == "" {
		return nil // rotation says what that means
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return []Finding{Bad("NGINX_PID", "%v; start nginx, or name the file of its directive pid (Debian: /run/nginx.pid)", err)}
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid <= 1 {
		return []Finding{Bad("NGINX_PID", "%s does not hold a process id but %.32q; name nginx's pid file", path, text)}
	}
	switch err := syscall.Kill(pid, 0); {
	case errors.Is(err, syscall.ESRCH):
		return []Finding{Bad("NGINX_PID", "%s names process %d, which does not run; start nginx, or remove the stale file", path, pid)}
	case err != nil:
		return []Finding{Bad("NGINX_PID", "process %d may not be signalled: %v; run the daemon as the user that started nginx, or let logrotate rotate (deploy/logrotate) and leave NGINX_PID empty", pid, err)}
	}
	if name := processName(pid); name != "" && !strings.Contains(name, "nginx") && name != "openresty" && name != "angie" {
		return []Finding{Bad("NGINX_PID", "%s names process %d, which is %q and not nginx: the file is stale", path, pid, name)}
	}
	return []Finding{Fine("NGINX_PID", "nginx runs as process %d and may be signalled", pid)}
}

// processName is empty where /proc does not tell.
func processName(pid int) string {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "comm"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
