package main

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
	f := func(env map[string]string, args ...string) []finding {
		t.Helper()
		all := map[string]string{"REDIS_ADDR": startCheckRedis(t, args...)}
		for k, v := range env {
			all[k] = v
		}
		return newCheckup(t, all).redis(context.Background())
	}
	all := f(nil, "--appendonly", "yes", "--maxmemory", "100mb")
	wantNothingWorse(t, all, levelOK)
	wantFinding(t, all, levelOK, "Redis", "answers, version 7.")
	wantFinding(t, all, levelOK, "maxmemory", "of 100 MiB")
	wantFinding(t, all, levelOK, "appendonly")

	all = f(nil, "--maxmemory-policy", "allkeys-lru", "--maxmemory", "3mb")
	wantFinding(t, all, levelFail, "maxmemory-policy", "allkeys-lru", "noeviction")
	wantFinding(t, all, levelWarn, "appendonly", "appendonly yes")

	all = f(map[string]string{"ALLOW_EVICTION": "1"}, "--maxmemory-policy", "volatile-ttl")
	wantFinding(t, all, levelWarn, "maxmemory-policy", "volatile-ttl")

	all = f(nil, "--requirepass", "sesame")
	wantFinding(t, all, levelFail, "Redis", "REDIS_PASSWORD")
	all = f(map[string]string{"REDIS_PASSWORD": "sesame"}, "--requirepass", "sesame")
	wantFinding(t, all, levelOK, "Redis", "answers")

	all = f(nil, "--cluster-enabled", "yes")
	wantFinding(t, all, levelFail, "REDIS_CLUSTER", "REDIS_CLUSTER=1")
	all = f(map[string]string{"REDIS_CLUSTER": "1"})
	wantFinding(t, all, levelFail, "REDIS_CLUSTER", "no cluster")
}

// A cluster of one node that has no slots yet: each named node is judged, and
// the rest of the cluster is asked for.
func TestCheckRedisCluster(t *testing.T) {
	addr := startCheckRedis(t, "--cluster-enabled", "yes")
	all := newCheckup(t, map[string]string{"REDIS_ADDR": addr, "REDIS_CLUSTER": "1"}).redis(context.Background())
	wantFinding(t, all, levelOK, "REDIS_CLUSTER", "as configured")
}

func TestCheckRedisAway(t *testing.T) {
	all := newCheckup(t, map[string]string{"REDIS_ADDR": "127.0.0.1:" + freePort(t)}).redis(context.Background())
	wantFinding(t, all, levelFail, "Redis", "does not answer", "wait in the log")
}

func TestJudgeRedis(t *testing.T) {
	f := func(f finding, want level, words ...string) {
		t.Helper()
		wantFinding(t, []finding{f}, want, f.what, words...)
	}
	f(redisVersion("a", map[string]string{"redis_version": "6.2.14"}), levelFail, "7.0")
	f(redisVersion("a", map[string]string{"redis_version": "7.0.15"}), levelOK)
	f(redisVersion("a", map[string]string{"redis_version": "10.1.0"}), levelOK)
	f(redisVersion("a", map[string]string{}), levelWarn)

	memory := func(used, limit string) finding {
		return redisMemory("a", map[string]string{"used_memory": used, "maxmemory": limit})
	}
	f(memory("1048576", "0"), levelOK, "no limit")
	f(memory("70", "100"), levelOK, "70 %")
	f(memory("80", "100"), levelWarn, "raise maxmemory")
	f(memory("97", "100"), levelFail, "stands still")
	f(memory("", ""), levelWarn)

	f(redisDurability("a", map[string]string{"aof_enabled": "1", "aof_last_write_status": "err"}), levelFail, "disk")
	f(redisDurability("a", map[string]string{}), levelWarn)
}
