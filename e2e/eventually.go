package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// How often Eventually looks. Fast enough to measure tens of milliseconds,
// slow enough to leave the machine to what is being waited for.
const (
	pollFirst = 2 * time.Millisecond
	pollMost  = 50 * time.Millisecond
)

// Eventually calls check until it returns nil, or fails the test with check's
// last error when limit has passed. Nothing else in this package waits.
func Eventually(t testing.TB, limit time.Duration, what string, check func() error) {
	t.Helper()
	if err := poll(limit, check); err != nil {
		t.Fatalf("%s: not within %v: %v", what, limit, err)
	}
}

// poll is Eventually for places that cannot fail a test.
func poll(limit time.Duration, check func() error) error {
	deadline := time.Now().Add(limit)
	pause := pollFirst
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		err := check()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		<-timer.C
		pause = min(pause*3/2, pollMost)
		timer.Reset(pause)
	}
}

// FreePort is a TCP port of loopback that nobody listens on. Another process
// may take it before it is used; the servers here then fail to start and say
// so, which has to be rare enough to run the test again.
func FreePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("find a free port: %v", err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		t.Fatalf("find a free port: %v", err)
	}
	return port
}

// TempDir is a folder that other users can enter, unlike t.TempDir: workers of
// nginx that root starts are another user and open the log there. Its path is
// short enough for a socket (108 bytes). It is removed after the test.
func TempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ddkk-e2e-")
	if err != nil {
		t.Fatalf("make a temporary folder: %v", err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove the temporary folder: %v", err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatalf("open the temporary folder to others: %v", err)
	}
	return dir
}

// repository is the folder of go.mod, above the one that tests run in.
func repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("find the repository: no go.mod above %s", dir)
		}
		dir = parent
	}
}
