package doctor

import (
	"bufio"
	"context"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// startCheckRedis runs a real redis-server on a free loopback port until the
// test ends, and returns its address.
func startCheckRedis(t *testing.T, args ...string) string {
	t.Helper()
	port := freePort(t)
	cmd := exec.Command("redis-server", append([]string{"--bind", "127.0.0.1", "--port", port,
		"--dir", t.TempDir(), "--save", ""}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: run `make deps`", err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		for s := bufio.NewScanner(out); s.Scan(); { // to its end, so that it can end
		}
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("redis-server ended: %v", err)
		}
		if strings.Contains(line, "Ready to accept connections") {
			return "127.0.0.1:" + port
		}
	}
}

func TestCheckRedis(t *testing.T) {
	f := func(env map[string]string, args ...string) []Finding {
		t.Helper()
		all := map[string]string{"REDIS_ADDR": startCheckRedis(t, args...)}
		for k, v := range env {
			all[k] = v
		}
		return newCheckup(t, all).redis(context.Background())
	}
	all := f(nil, "--appendonly", "yes", "--maxmemory", "100mb")
	wantNothingWorse(t, all, LevelOK)
	wantFinding(t, all, LevelOK, "Redis", "answers, version 7.")
	wantFinding(t, all, LevelOK, "maxmemory", "of 100 MiB")
	wantFinding(t, all, LevelOK, "appendonly")

	all = f(nil, "--maxmemory-policy", "allkeys-lru", "--maxmemory", "3mb")
	wantFinding(t, all, LevelFail, "maxmemory-policy", "allkeys-lru", "noeviction")
	wantFinding(t, all, LevelWarn, "appendonly", "appendonly yes")

	all = f(map[string]string{"ALLOW_EVICTION": "1"}, "--maxmemory-policy", "volatile-ttl")
	wantFinding(t, all, LevelWarn, "maxmemory-policy", "volatile-ttl")

	all = f(nil, "--requirepass", "sesame")
	wantFinding(t, all, LevelFail, "Redis", "REDIS_PASSWORD")
	all = f(map[string]string{"REDIS_PASSWORD": "sesame"}, "--requirepass", "sesame")
	wantFinding(t, all, LevelOK, "Redis", "answers")

	all = f(nil, "--cluster-enabled", "yes")
	wantFinding(t, all, LevelFail, "REDIS_CLUSTER", "REDIS_CLUSTER=1")
	all = f(map[string]string{"REDIS_CLUSTER": "1"})
	wantFinding(t, all, LevelFail, "REDIS_CLUSTER", "no cluster")
}

// A cluster of one node that has no slots yet: each named node is judged, and
// the rest of the cluster is asked for.
func TestCheckRedisCluster(t *testing.T) {
	addr := startCheckRedis(t, "--cluster-enabled", "yes")
	all := newCheckup(t, map[string]string{"REDIS_ADDR": addr, "REDIS_CLUSTER": "1"}).redis(context.Background())
	wantFinding(t, all, LevelOK, "REDIS_CLUSTER", "as configured")
}

func TestCheckRedisAway(t *testing.T) {
	all := newCheckup(t, map[string]string{"REDIS_ADDR": "127.0.0.1:" + freePort(t)}).redis(context.Background())
	wantFinding(t, all, LevelFail, "Redis", "does not answer", "wait in the log")
}

func TestJudgeRedis(t *testing.T) {
	f := func(f Finding, want level, words ...string) {
		t.Helper()
		wantFinding(t, []Finding{f}, want, f.What, words...)
	}
	f(redisVersion("a", map[string]string{"redis_version": "6.2.14"}), LevelFail, "7.0")
	f(redisVersion("a", map[string]string{"redis_version": "7.0.15"}), LevelOK)
	f(redisVersion("a", map[string]string{"redis_version": "10.1.0"}), LevelOK)
	f(redisVersion("a", map[string]string{}), LevelWarn)

	memory := func(used, limit string) Finding {
		return redisMemory("a", map[string]string{"used_memory": used, "maxmemory": limit})
	}
	f(memory("1048576", "0"), LevelOK, "no limit")
	f(memory("70", "100"), LevelOK, "70 %")
	f(memory("80", "100"), LevelWarn, "raise maxmemory")
	f(memory("97", "100"), LevelFail, "stands still")
	f(memory("", ""), LevelWarn)

	f(redisDurability("a", map[string]string{"aof_enabled": "1", "aof_last_write_status": "err"}), LevelFail, "disk")
	f(redisDurability("a", map[string]string{}), LevelWarn)
}
