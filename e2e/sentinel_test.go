//go:build servers

package e2e

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// sentinels are three of them over one master with a replica.
type sentinels struct {
	t     *testing.T
	redis []*Redis
	addrs []string
	ask   *redis.SentinelClient
}

func startSentinels(t *testing.T) *sentinels {
	t.Helper()
	s := &sentinels{t: t}
	master := startWatched(t)
	host, port, err := net.SplitHostPort(master.Addr)
	must(t, err)
	s.redis = []*Redis{master, startWatched(t, "--replicaof", host, port)}
	for i := range 3 {
		own := FreePort(t)
		file := filepath.Join(TempDir(t), "sentinel.conf")
		must(t, os.WriteFile(file, fmt.Appendf(nil, "port %d\nbind 127.0.0.1\ndir %s\nsentinel monitor stats %s %s 2\nsentinel down-after-milliseconds stats 2000\nsentinel failover-timeout stats 10000\n",
			own, filepath.Dir(file), host, port), 0o600))
		p := newProcess(t, fmt.Sprintf("sentinel%d", i), program(t, "redis-server"), file, "--sentinel")
		p.start()
		addr := net.JoinHostPort("127.0.0.1", fmt.Sprint(own))
		client := redis.NewSentinelClient(&redis.Options{Addr: addr, MaxRetries: -1})
		t.Cleanup(func() { must(t, client.Close()) })
		p.waitReady(20*time.Second, func() error { return client.Ping(t.Context()).Err() })
		s.addrs, s.ask = append(s.addrs, addr), client
	}
	s.waitWhole()
	return s
}

// startWatched starts a Redis on a copy of the shipped settings: sentinels have it write
// them anew.
func startWatched(t *testing.T, args ...string) *Redis {
	t.Helper()
	dir, port := TempDir(t), fmt.Sprint(FreePort(t))
	conf := filepath.Join(dir, "redis.conf")
	must(t, os.WriteFile(conf, []byte(deployFile(t, "redis.conf")), 0o600))
	all := append([]string{conf, "--port", port, "--bind", "127.0.0.1", "--dir", dir, "--daemonize", "no"}, args...)
	r := &Redis{process: newProcess(t, "redis", program(t, "redis-server"), all...), Addr: net.JoinHostPort("127.0.0.1", port), Dir: dir}
	r.Start()
	return r
}

// waitWhole waits until the sentinels know each other and a replica that follows.
func (s *sentinels) waitWhole() {
	s.t.Helper()
	Eventually(s.t, time.Minute, "the sentinels know all of it", func() error {
		m, err := s.ask.Master(s.t.Context(), "stats").Result()
		if err != nil {
			return err
		}
		if m["num-other-sentinels"] != "2" || m["num-slaves"] != "1" || m["flags"] != "master" {
			return fmt.Errorf("sentinels %s, replicas %s, flags %s", m["num-other-sentinels"], m["num-slaves"], m["flags"])
		}
		replicas, err := s.ask.Replicas(s.t.Context(), "stats").Result()
		if err == nil && (len(replicas) != 1 || replicas[0]["master-link-status"] != "ok" || replicas[0]["flags"] != "slave") {
			err = fmt.Errorf("replicas %v", replicas)
		}
		return err
	})
}

// master and the other one.
func (s *sentinels) master() (master, replica *Redis) {
	s.t.Helper()
	at, err := s.ask.GetMasterAddrByName(s.t.Context(), "stats").Result()
	must(s.t, err)
	if s.redis[0].Addr == net.JoinHostPort(at[0], at[1]) {
		return s.redis[0], s.redis[1]
	}
	return s.redis[1], s.redis[0]
}

// failover kills the master and waits until the other one is it.
func (s *sentinels) failover() (killed, now *Redis) {
	s.t.Helper()
	killed, now = s.master()
	killed.Kill()
	Eventually(s.t, time.Minute, "the replica takes over", func() error {
		if master, _ := s.master(); master != now {
			return errors.New("not yet")
		}
		return nil
	})
	return killed, now
}

// TestSentinelFailover: the master dies under load twice, once with a replica that has
// all of it, once with one that lacks what the master acknowledged last. Every view
// counts once.
func TestSentinelFailover(t *testing.T) {
	s := startSentinels(t)
	r := newRig(t, rigOptions{env: map[string]string{"REDIS_ADDR": "redis+sentinel://" + strings.Join(s.addrs, ",") + "/stats/0"}})
	r.daemon.Start()
	if out := r.command("check"); strings.Count(out, "says that stats is at") != 3 {
		t.Errorf("check:\n%s", out)
	}
	stop := r.feed()
	r.more(2000)
	killed, now := s.failover()
	r.more(2000)
	killed.Start() // it learns that it is a replica
	s.waitWhole()
	r.more(2000)

	// The replica loses its master; what comes now is acknowledged by one server alone.
	lost, ctx := killed.Client(t), t.Context()
	must(t, lost.ConfigSet(ctx, "masterauth", "nobody-knows").Err())
	must(t, lost.Do(ctx, "CLIENT", "KILL", "TYPE", "master").Err())
	committed := now.Client(t)
	before, err := lost.HGetAll(ctx, prefix+"ckpt:ddkk.com").Result()
	must(t, err)
	Eventually(t, time.Minute, "the master has what the replica has not", func() error {
		have, err := committed.HGetAll(ctx, prefix+"ckpt:ddkk.com").Result()
		if err == nil && fmt.Sprint(have) == fmt.Sprint(before) {
			err = errors.New("they are the same")
		}
		return err
	})
	r.more(3000)
	now.Kill()
	Eventually(t, time.Minute, "the replica takes over", func() error {
		if master, _ := s.master(); master == now {
			return errors.New("not yet")
		}
		return nil
	})
	must(t, lost.ConfigSet(ctx, "masterauth", "").Err())
	r.more(2000)
	now.Start()
	s.waitWhole()
	r.more(1000)
	stop()
	r.client = killed.Client(t) // the master now
	r.exact()
	b := checkBooks(t, r.daemon)
	if n := b.sum("ddkk_log_lines_reread_total"); n == 0 {
		t.Error("no line was read again: the failover lost nothing")
	}
	r.verified()
}
