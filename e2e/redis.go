package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Redis is a real redis-server with the shipped deploy/redis.conf.
type Redis struct {
	*process
	Addr string // 127.0.0.1:port
	Dir  string // of its data
}

// StartRedis starts a Redis of its own for the test. Further arguments are
// added to the command line, such as "--maxmemory", "20mb".
func StartRedis(t testing.TB, args ...string) *Redis {
	t.Helper()
	return startRedisOn(t, FreePort(t), args...)
}

func startRedisOn(t testing.TB, port int, args ...string) *Redis {
	t.Helper()
	root, err := repository()
	if err != nil {
		t.Fatal(err)
	}
	dir := TempDir(t)
	all := append([]string{
		filepath.Join(root, "deploy", "redis.conf"),
		"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir, "--daemonize", "no",
	}, args...)
	r := &Redis{
		process: newProcess(t, "redis", program(t, "redis-server"), all...),
		Addr:    net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
		Dir:     dir,
	}
	r.Start()
	return r
}

// Start starts the server, on the same port and folder, and waits until it
// answers PING, which it does not before the AOF is read.
func (r *Redis) Start() {
	r.t.Helper()
	r.start()
	client := r.connect()
	defer r.close(client)
	r.waitReady(30*time.Second, func() error { return client.Ping(context.Background()).Err() })
}

// Kill is kill -9: what the server had not written yet is lost.
func (r *Redis) Kill() { r.kill() }

// Stop stops the server as its service would: nothing is lost.
func (r *Redis) Stop() {
	r.t.Helper()
	if _, err := r.terminate(syscall.SIGTERM, stopLimit); err != nil {
		r.t.Errorf("redis stopped with %v", err)
	}
}

// Client is a plain client that is closed after the test.
func (r *Redis) Client(t testing.TB) *redis.Client {
	t.Helper()
	c := r.connect()
	t.Cleanup(func() { r.close(c) })
	return c
}

func (r *Redis) connect() *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr: r.Addr, DialTimeout: 2 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second,
		MaxRetries: -1,
	})
}

func (r *Redis) close(c *redis.Client) {
	if err := c.Close(); err != nil {
		r.t.Errorf("close the connection to redis: %v", err)
	}
}

// aofTail is the file that commands are appended to.
func (r *Redis) aofTail() (string, error) {
	files, err := filepath.Glob(filepath.Join(r.Dir, "appendonlydir", "*.incr.aof"))
	if err != nil {
		return "", err
	}
	if len(files) == 0 {
		return "", errors.New("no AOF yet")
	}
	slices.SortFunc(files, func(a, b string) int { return aofNumber(a) - aofNumber(b) })
	return files[len(files)-1], nil
}

// aofNumber is the 12 in appendonly.aof.12.incr.aof; 0 when there is none.
func aofNumber(path string) int {
	var n int
	if _, err := fmt.Sscanf(filepath.Base(path), "appendonly.aof.%d.incr.aof", &n); err != nil {
		return 0
	}
	return n
}

// AOFSize is how many bytes CutAOF could cut.
func (r *Redis) AOFSize() int64 {
	r.t.Helper()
	path, err := r.aofTail()
	if err != nil {
		r.t.Fatalf("look at the AOF: %v", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		r.t.Fatalf("look at the AOF: %v", err)
	}
	return info.Size()
}

// CutAOF removes the last n bytes, as a crash does that loses what was not
// synced. The server must not be running.
func (r *Redis) CutAOF(n int64) {
	r.t.Helper()
	if r.PID() != 0 {
		r.t.Fatal("cut the AOF: redis runs")
	}
	path, err := r.aofTail()
	if err != nil {
		r.t.Fatalf("cut the AOF: %v", err)
	}
	if err := os.Truncate(path, max(0, r.AOFSize()-n)); err != nil {
		r.t.Fatalf("cut the AOF: %v", err)
	}
}

// Snapshot copies the data folder away, to be brought back by Restore: a
// server that comes back with yesterday's data. The server must not be
// running, for a copy in the middle of a write would be a third state.
func (r *Redis) Snapshot() string {
	r.t.Helper()
	if r.PID() != 0 {
		r.t.Fatal("copy the data of redis: it runs")
	}
	copied := filepath.Join(TempDir(r.t), "data")
	if err := os.CopyFS(copied, os.DirFS(r.Dir)); err != nil {
		r.t.Fatalf("copy the data of redis: %v", err)
	}
	return copied
}

// Restore puts a Snapshot in place of the data.
func (r *Redis) Restore(snapshot string) {
	r.t.Helper()
	if r.PID() != 0 {
		r.t.Fatal("put back the data of redis: it runs")
	}
	if err := os.RemoveAll(r.Dir); err != nil {
		r.t.Fatalf("put back the data of redis: %v", err)
	}
	if err := os.CopyFS(r.Dir, os.DirFS(snapshot)); err != nil {
		r.t.Fatalf("put back the data of redis: %v", err)
	}
}
