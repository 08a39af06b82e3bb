package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Faults of Redis that pass: it dies, it hangs, it refuses.

// TestFaultRedisKilled kills Redis under load: what it had not written yet is
// lost to it, and counted again from the log.
func TestFaultRedisKilled(t *testing.T) {
	r := startRig(t, rigOptions{})
	stop := r.feed()
	for range 4 {
		r.some(2000)
		r.redis.Kill()
		r.some(600)
		r.redis.Start()
	}
	r.more(500)
	stop()
	r.exact()
}

func TestFaultAOFCut(t *testing.T) { cutAOF(t, 8, true) }

// cutAOF cuts the end of the AOF at random bytes, also within a command or
// a transaction, with the daemon running and not. Rewrite lets Redis write the
// AOF anew after each cut: Redis 7 leaves the beginning of a transaction in
// the file that it cut itself, and carries it out at the start after that.
func cutAOF(t *testing.T, cuts int, rewrite bool) {
	r := startRig(t, rigOptions{})
	stop := r.feed()
	for n := range cuts {
		r.some(1500)
		r.more(100)
		down := n%2 == 1
		if down {
			r.daemon.Kill()
		}
		r.redis.Stop()
		if size := min(r.redis.AOFSize(), 64<<10); size > 0 {
			r.redis.CutAOF(1 + r.rand.Int64N(size))
		}
		r.redis.Start()
		if rewrite {
			r.rewriteAOF()
		}
		if down {
			r.daemon.Launch()
		}
	}
	r.more(500)
	stop()
	r.daemon.WaitReady(time.Minute)
	r.exact()
}

// rewriteAOF waits until Redis has written its AOF anew.
func (r *rig) rewriteAOF() {
	r.t.Helper()
	ctx := r.t.Context()
	must(r.t, r.client.BgRewriteAOF(ctx).Err())
	Eventually(r.t, 30*time.Second, "the AOF is written anew", func() error {
		info, err := r.client.Info(ctx, "persistence").Result()
		if err != nil {
			return err
		}
		for _, busy := range []string{"aof_rewrite_in_progress:1", "aof_rewrite_scheduled:1"} {
			if strings.Contains(info, busy) {
				return errors.New(busy)
			}
		}
		return nil
	})
}

// TestFaultOldSnapshot brings Redis back with the data of long ago.
func TestFaultOldSnapshot(t *testing.T) {
	r := startRig(t, rigOptions{})
	r.write(1000)
	r.exact()
	r.redis.Stop()
	old := r.redis.Snapshot()
	r.redis.Start()
	stop := r.feed()
	r.more(1000)
	r.rotate()
	r.more(1000)
	for _, down := range []bool{false, true} {
		if down {
			r.daemon.Terminate()
		}
		r.redis.Stop()
		r.redis.Restore(old)
		r.redis.Start()
		if down {
			r.daemon.Start()
		}
		r.more(1000)
	}
	stop()
	r.exact()
}

func TestFaultScriptFlush(t *testing.T) {
	r := startRig(t, rigOptions{})
	stop := r.feed()
	for range 60 {
		r.some(60)
		must(t, r.client.ScriptFlush(t.Context()).Err())
	}
	stop()
	r.exact()
}

// TestFaultLostReplies breaks connections after Redis executed what it was
// sent and before it answered: the commit is sent again and must be told from
// a new one.
func TestFaultLostReplies(t *testing.T) {
	r := startRig(t, rigOptions{})
	stop := r.feed()
	r.more(300)
	for range 25 {
		applied := checkBooks(t, r.daemon).sum("ddkk_commits_total", `result="applied"`)
		r.wantMetric(applied+1, "ddkk_commits_total", `result="applied"`)
		r.proxy.LoseReplies(1 + r.rand.IntN(3))
		r.some(150)
	}
	r.proxy.LoseReplies(0)
	r.more(300)
	for range 10 {
		r.some(150)
		r.proxy.Drop()
	}
	stop()
	b := r.exact()
	b.atLeast(t, 1, "ddkk_commits_total", `result="duplicate"`)
	t.Logf("%d replies were lost, %v commits were duplicates", r.proxy.Lost(), b.sum("ddkk_commits_total", `result="duplicate"`))
}

// TestFaultSlowRedis has a Redis that is far away and one that is cut off for
// a while.
func TestFaultSlowRedis(t *testing.T) {
	r := startRig(t, rigOptions{})
	stop := r.feed()
	r.proxy.Delay(150 * time.Millisecond)
	r.more(2000)
	r.proxy.Delay(0)
	for range 3 {
		r.proxy.BlackHole(true)
		r.some(2000)
		r.proxy.BlackHole(false)
		r.some(500)
	}
	r.proxy.Refuse(true)
	r.more(500)
	r.proxy.Refuse(false)
	stop()
	r.exact()
}

// refused runs a fault that makes Redis refuse writes, shows that it did and that
// /readyz has one of its names, and lets it pass.
func (r *rig) refused(names string, on, off func()) {
	r.t.Helper()
	r.more(200)
	before := checkBooks(r.t, r.daemon).sum("ddkk_redis_retries_total")
	on()
	r.more(400)
	r.wantMetric(before+1, "ddkk_redis_retries_total")
	r.wantNotReady(strings.Fields(names)...)
	off()
	r.more(200)
	r.daemon.WaitReady(30 * time.Second)
}

// TestFaultFullRedis fills Redis up: the script is refused as a whole, reading
// waits, and goes on when there is room again.
func TestFaultFullRedis(t *testing.T) {
	r := startRig(t, rigOptions{})
	stop := r.feed()
	for range 3 {
		r.refused("redis-full",
			func() { must(t, r.client.ConfigSet(t.Context(), "maxmemory", "1mb").Err()) },
			func() { must(t, r.client.ConfigSet(t.Context(), "maxmemory", "0").Err()) })
	}
	// It becomes full by what is counted, in the middle of it.
	info, err := r.client.Info(t.Context(), "memory").Result()
	must(t, err)
	var used int
	for line := range strings.Lines(info) {
		if rest, ok := strings.CutPrefix(line, "used_memory:"); ok {
			used, err = strconv.Atoi(strings.TrimSpace(rest))
			must(t, err)
		}
	}
	must(t, r.client.ConfigSet(t.Context(), "maxmemory", strconv.Itoa(used+64<<10)).Err())
	r.wantNotReady()
	must(t, r.client.ConfigSet(t.Context(), "maxmemory", "0").Err())
	stop()
	r.exact()
}

// TestFaultRefusals has every answer by which Redis says "not now".
func TestFaultRefusals(t *testing.T) {
	r := startRig(t, rigOptions{redis: []string{
		"--enable-debug-command", "yes", "--enable-protected-configs", "yes", "--busy-reply-threshold", "50",
		"--repl-diskless-sync-delay", "0",
	}})
	ctx := t.Context()
	set := func(name, value string) func() {
		return func() { must(t, r.client.ConfigSet(ctx, name, value).Err()) }
	}
	stop := r.feed()
	r.more(500)

	t.Log("DEBUG SLEEP: no answer at all")
	must(t, r.redis.Client(t).Do(ctx, "DEBUG", "SLEEP", "1.5").Err())

	t.Log("BUSY: somebody's endless script")
	loop := r.redis.Client(t)
	ended := make(chan error, 1)
	r.refused("redis-busy",
		func() { go func() { ended <- loop.Eval(context.WithoutCancel(ctx), "while true do end", nil).Err() }() },
		func() {
			must(t, r.client.ScriptKill(ctx).Err())
			if err := <-ended; err == nil {
				t.Error("the endless script ended by itself")
			}
		})

	t.Log("NOREPLICAS")
	r.refused("redis-read-only", set("min-replicas-to-write", "1"), set("min-replicas-to-write", "0"))

	t.Log("READONLY: demoted to a replica of a dead host")
	host, port, err := net.SplitHostPort(freeAddr(t))
	must(t, err)
	r.refused("redis-read-only",
		func() { must(t, r.client.ReplicaOf(ctx, host, port).Err()) },
		func() { must(t, r.client.ReplicaOf(ctx, "NO", "ONE").Err()) })
	t.Log("MASTERDOWN: the same, and it answers no reads either")
	set("replica-serve-stale-data", "no")()
	r.refused("redis-read-only",
		func() { must(t, r.client.ReplicaOf(ctx, host, port).Err()) },
		func() { must(t, r.client.ReplicaOf(ctx, "NO", "ONE").Err()) })

	t.Log("MISCONF: it cannot save")
	must(t, os.Mkdir(filepath.Join(r.redis.Dir, "taken"), 0o755))
	r.refused("redis-cannot-save",
		func() {
			set("dbfilename", "taken")()
			set("stop-writes-on-bgsave-error", "yes")()
			set("save", "3600 1")()
			must(t, r.client.BgSave(ctx).Err())
		},
		func() {
			set("dbfilename", "dump.rdb")()
			set("save", "")()
			set("stop-writes-on-bgsave-error", "no")()
		})

	t.Log("NOAUTH: a password that nobody told us")
	r.refused("redis-refuses", // only new connections are asked for it
		func() { set("requirepass", "secret")(); r.proxy.Drop() },
		set("requirepass", ""))

	t.Log("max number of clients")
	r.refused("redis-refuses redis-down", // its last word may get lost
		func() { set("maxclients", "1")(); r.proxy.Drop() },
		set("maxclients", "1000"))

	t.Log("LOADING: it reads its data")
	must(t, r.client.BgRewriteAOF(ctx).Err())
	r.redis.Stop()
	r.redis.args = append(r.redis.args, "--key-load-delay", "400", "--loading-process-events-interval-bytes", "1024")
	r.redis.Start()
	stop()
	r.exact()
}

// TestFaultReplicaPromoted loses the primary, and its replica, which is
// behind, takes over.
func TestFaultReplicaPromoted(t *testing.T) {
	r := startRig(t, rigOptions{})
	ctx := t.Context()
	link := StartProxy(t, r.redis.Addr)
	host, port, err := net.SplitHostPort(link.Addr)
	must(t, err)
	replica := StartRedis(t, "--replicaof", host+" "+port, "--repl-diskless-sync-delay", "0")
	client := replica.Client(t)
	stop := r.feed()
	r.more(500)
	Eventually(t, 30*time.Second, "the replica follows", func() error {
		n, err := client.Exists(ctx, prefix+"site:pv:ddkk.com").Result()
		if err == nil && n == 0 {
			err = fmt.Errorf("it has no counters yet")
		}
		return err
	})
	r.more(500)
	link.BlackHole(true) // the lag
	r.more(2000)
	r.redis.Kill()
	r.some(500)
	must(t, client.ReplicaOf(ctx, "NO", "ONE").Err())
	r.proxy.Retarget(replica.Addr)
	r.more(1000)
	stop()
	r.client = client
	b := r.exact()
	b.atLeast(t, 1, "ddkk_rewinds_total")
}

// TestFaultWrongAddress starts with an address where no Redis is, and with a
// right one later.
func TestFaultWrongAddress(t *testing.T) {
	r := newRig(t, rigOptions{})
	right := r.daemon.Env["REDIS_ADDR"]
	r.daemon.Env["REDIS_ADDR"] = freeAddr(t)
	r.write(500)
	r.daemon.Launch()
	r.wantNotReady()
	r.wantLogged("Is REDIS_ADDR right?")
	r.write(500)
	r.daemon.Terminate()
	r.daemon.Env["REDIS_ADDR"] = right
	r.proxy.Refuse(true) // Redis comes later than the daemon
	r.daemon.Launch()
	r.wantNotReady()
	r.write(500)
	r.proxy.Refuse(false)
	r.daemon.WaitReady(30 * time.Second)
	r.exact().want(t, 1500, "ddkk_log_lines_read_total")
}

func TestFaultEvictionRefused(t *testing.T) {
	r := newRig(t, rigOptions{})
	for _, policy := range []string{"allkeys-lru", "volatile-ttl"} {
		must(t, r.client.ConfigSet(t.Context(), "maxmemory-policy", policy).Err())
		out, err := Run(t, r.daemon.Env, "server")
		if err == nil || !strings.Contains(out, policy) || !strings.Contains(out, "noeviction") {
			t.Errorf("with %s the daemon ended with %v and said:\n%s", policy, err, out)
		}
	}
	must(t, r.client.ConfigSet(t.Context(), "maxmemory-policy", "noeviction").Err())
	r.write(100)
	r.daemon.Start()
	r.exact()
}
