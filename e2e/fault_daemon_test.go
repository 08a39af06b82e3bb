package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// Faults of the daemon itself.

func TestFaultKills(t *testing.T) { killStorm(t, 10) }

// killStorm kills the daemon at random moments under load, some before it is
// ready, while the log is rotated in between.
func killStorm(t *testing.T, kills int) {
	r := startRig(t, rigOptions{writer: WriterOptions{Workers: 3, Late: 300 * time.Millisecond, Halves: true}})
	stop := r.feed()
	for n := range kills {
		r.some(1500)
		if r.rand.IntN(3) == 0 {
			r.rotate()
		}
		r.daemon.Kill()
		if r.rand.IntN(3) == 0 {
			r.some(1500)
			r.rotate()
		}
		r.daemon.Launch()
		if n%4 != 0 {
			r.daemon.WaitReady(time.Minute)
		}
	}
	r.daemon.WaitReady(time.Minute)
	stop()
	r.exact().want(t, 0, "ddkk_log_gaps_total")
	t.Logf("%d lines, %d kills, %d rotations", r.ledger.Count(), kills, r.rotations)
}

func TestFaultKillBesideCommit(t *testing.T) { killBesideCommit(t, 4) }

// killBesideCommit kills the daemon after Redis executed a commit and before
// the daemon knows, and before Redis got the commit, which then may arrive
// when the next daemon is at work already.
func killBesideCommit(t *testing.T, rounds int) {
	r := startRig(t, rigOptions{})
	stop := r.feed()
	for range rounds {
		r.some(800)
		lost := r.proxy.Lost()
		r.proxy.LoseReplies(1)
		Eventually(t, 10*time.Second, "a reply is lost", func() error {
			if r.proxy.Lost() == lost {
				return fmt.Errorf("lost %d", lost)
			}
			return nil
		})
		r.daemon.Kill()
		r.daemon.Start()

		r.some(800)
		r.proxy.BlackHole(true)
		r.some(800)
		r.daemon.Kill()
		r.daemon.Launch()
		r.some(400)
		r.proxy.BlackHole(false)
		r.daemon.WaitReady(time.Minute)
	}
	stop()
	r.exact()
}

func TestFaultTerminate(t *testing.T) {
	r := startRig(t, rigOptions{})
	stop := r.feed()
	for range 3 {
		r.some(1500)
		took := r.daemon.Terminate()
		t.Logf("under load: ended after %v", took)
		r.daemon.Start()
	}
	stop()
	r.exact()
}

// TestFaultTwoDaemons starts a second daemon on the same log by mistake.
func TestFaultTwoDaemons(t *testing.T) {
	r := startRig(t, rigOptions{writer: WriterOptions{Workers: 2, Late: 200 * time.Millisecond}})
	env := map[string]string{"REDIS_ADDR": r.redis.Addr, "ACCESS_LOG": r.log, "TIMEZONE": "UTC"}
	stop := r.feed()
	r.more(1000)
	second := StartDaemon(t, env)
	r.more(3000)
	r.rotate()
	r.more(3000)
	first := checkBooks(t, r.daemon)
	other := checkBooks(t, second)
	if first.sum("ddkk_commits_total", `result="gap"`)+other.sum("ddkk_commits_total", `result="gap"`) == 0 {
		t.Error("no commit of either daemon was refused")
	}
	if !strings.Contains(r.daemon.Log()+second.Log(), "another daemon is counting this log") {
		t.Error("neither daemon said that there is another one")
	}
	r.daemon.Kill()
	r.more(2000)
	r.daemon.Start()
	r.more(500)
	second.Terminate()
	r.more(500)
	stop()
	r.exact()
}

func TestFaultDataDirLost(t *testing.T) {
	r := startRig(t, rigOptions{})
	stop := r.feed()
	for range 2 {
		r.more(1500)
		r.rotate()
		r.more(500)
		r.daemon.Kill()
		must(t, os.RemoveAll(r.daemon.Dir))
		r.more(500)
		r.daemon.Start()
	}
	stop()
	r.exact().want(t, 0, "ddkk_rebuilds_total")
}

func TestFaultSameDataDir(t *testing.T) {
	r := startRig(t, rigOptions{})
	r.write(100)
	env := map[string]string{}
	for name, value := range r.daemon.Env {
		env[name] = value
	}
	env["PORT"] = fmt.Sprint(FreePort(t))
	out, err := Run(t, env, "server")
	if err == nil || !strings.Contains(out, "another daemon uses "+r.daemon.Dir) {
		t.Errorf("the second daemon ended with %v and said %s", err, out)
	}
	r.write(100)
	r.exact()
}
