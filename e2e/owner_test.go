package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestOwnerOfDataDir has root type commands before the daemon, which is somebody
// else, and beside it. What they make is the daemon's, and they read what only
// root can.
func TestOwnerOfDataDir(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can act as another user")
	}
	t.Parallel()
	const nobody = 65534
	redis := StartRedis(t)
	logs := TempDir(t)
	log := filepath.Join(logs, "event.log")
	d := NewDaemon(t, map[string]string{"REDIS_ADDR": redis.Addr, "ACCESS_LOG": log, "TIMEZONE": "UTC"})
	must(t, os.MkdirAll(d.Dir, 0o750))
	for _, dir := range []string{filepath.Dir(d.Dir), d.Dir, logs, d.dir} {
		must(t, os.Chown(dir, nobody, nobody))
	}
	secret := filepath.Join(TempDir(t), "old.log") // an access log that root alone may read
	line := func(n int) string {
		return fmt.Sprintf("203.0.113.%d - - [%s] \"GET /post HTTP/1.1\" 200 43 \"-\" \"Mozilla/5.0 Firefox/140.0\"\n", n, time.Now().Add(-time.Hour).Format("02/Jan/2006:15:04:05 -0700"))
	}
	must(t, os.WriteFile(secret, []byte(line(1)+line(2)), 0o600))
	command := func(args ...string) {
		t.Helper()
		if out, err := Run(t, d.Env, args...); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	command("import", "--site", "ddkk.com", secret)
	command("archive")
	command("verify")

	d.user = &syscall.Credential{Uid: nobody, Gid: nobody}
	d.Start()
	must(t, os.WriteFile(log+".1", nil, 0o640))
	must(t, os.Chown(log+".1", nobody, nobody))
	command("archive")
	command("verify")
	command("restore-from-mysql")
	Eventually(t, 30*time.Second, "the daemon takes the restored site up", func() error {
		body, err := d.Post("/api/stats", `{"site":"ddkk.com","fields":["site_pv"]}`)
		if err == nil && !strings.Contains(string(body), `"site_pv":2}`) {
			err = errors.New(string(body))
		}
		return err
	})
	must(t, filepath.WalkDir(d.Dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := e.Info()
		if err == nil && fi.Sys().(*syscall.Stat_t).Uid != nobody {
			t.Errorf("%s belongs to %d", path, fi.Sys().(*syscall.Stat_t).Uid)
		}
		return nil
	}))
	d.Terminate()
	d.Start()

	// What an earlier version left is found, with what to do.
	left := filepath.Join(d.Dir, "left")
	must(t, os.WriteFile(left, nil, 0o600))
	out, err := Run(t, d.Env, "check")
	if err == nil || !strings.Contains(out, left) || !strings.Contains(out, "chown -R 65534:65534 "+d.Dir) {
		t.Errorf("check: %v\n%s", err, out)
	}
}
