//go:build chaos

package e2e

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The long versions of the tests of faults, and faults at random. All chance
// comes from CHAOS_SEED, which is printed at the start.

func TestChaosKills(t *testing.T) { killStorm(t, 200) }

func TestChaosKillBesideCommit(t *testing.T) { killBesideCommit(t, 40) }

func TestChaosAOFCut(t *testing.T) { cutAOF(t, 60, true) }

func TestChaosDuplicateIDs(t *testing.T) { dedupeStorm(t, true, 10) }

func TestChaosDedupeWindow(t *testing.T) { dedupeStorm(t, false, 10) }

func TestChaosRotationWhileCatchingUp(t *testing.T) { rotateWhileCatchingUp(t, 400_000) }

// TestChaosClosedSegmentGrows has a worker that writes to a segment again
// after it was closed for long: its lines are read, and it is told.
func TestChaosClosedSegmentGrows(t *testing.T) {
	r := startRig(t, rigOptions{writer: WriterOptions{Late: 24 * time.Hour}})
	r.write(500)
	r.rotate()
	other := NewWriter(t, r.log, r.ledger, WriterOptions{})
	other.Write(0, r.traffic.Next())
	r.exact()
	// While a segment is open its size is among the metrics.
	Eventually(t, 3*time.Minute, "the rotated segment is closed", func() error {
		b, err := readBooks(r.daemon)
		if err != nil {
			return err
		}
		if n := b.series("ddkk_segment_size_bytes", r.log); n != 1 {
			return fmt.Errorf("%d segments are open", n)
		}
		return nil
	})
	r.write(300)
	r.exact()
	r.wantMetric(1, "ddkk_segments_grew_after_close")
	r.wantLogged("a closed log grew")
}

// TestChaosRotationStorm rotates ten times a second for half a minute.
func TestChaosRotationStorm(t *testing.T) {
	r := startRig(t, rigOptions{writer: WriterOptions{Workers: 4, Late: 250 * time.Millisecond, Halves: true}})
	stop := r.feed()
	for range 300 {
		r.more(feedRate / 10)
		r.rotate()
	}
	stop()
	b := r.exact()
	b.want(t, float64(r.ledger.Count()), "ddkk_log_lines_read_total")
	b.want(t, 0, "ddkk_log_gaps_total")
}

// TestChaosEverything strikes at random, one fault after the other and some at
// once, and looks every few strikes whether all is exact.
func TestChaosEverything(t *testing.T) {
	r := startRig(t, rigOptions{
		redis:  []string{"--enable-debug-command", "yes", "--busy-reply-threshold", "50"},
		writer: WriterOptions{Workers: 3, Late: 200 * time.Millisecond, Halves: true},
	})
	c := &chaos{rig: r, up: true}
	strikes := []struct {
		name string
		do   func()
	}{
		{"kill the daemon", c.kill}, {"end the daemon", c.terminate}, {"rotate", func() { r.rotate() }},
		{"kill Redis", c.killRedis}, {"restart Redis", c.restartRedis}, {"cut the AOF", c.cutAOF},
		{"drop connections", r.proxy.Drop},
		{"lose replies", func() { r.proxy.LoseReplies(1 + r.rand.IntN(4)) }},
		{"black hole", c.blackHole}, {"delay", c.delay}, {"full Redis", c.full},
		{"SCRIPT FLUSH", func() { must(t, r.client.ScriptFlush(t.Context()).Err()) }},
		{"FLUSHALL", func() { must(t, r.client.FlushAll(t.Context()).Err()) }},
		{"delete a key", c.deleteKey}, {"DEBUG SLEEP", c.sleep},
	}
	rounds := chaosRounds(t)
	began := time.Now()
	n := 0
	for ; n < rounds || rounds == 0 && time.Since(began) < everythingTakes; n++ {
		stop := r.feed()
		var done []string
		for range 1 + r.rand.IntN(5) {
			r.some(400)
			s := strikes[r.rand.IntN(len(strikes))]
			done = append(done, s.name)
			s.do()
		}
		r.some(400)
		stop()
		t.Logf("%d: %s", n, strings.Join(done, ", "))
		r.writer.Settle()
		c.start()
		r.exact()
	}
	t.Logf("%d rounds, %d lines, %d rotations", n, r.ledger.Count(), r.rotations)
}

// everythingTakes is how long faults strike at random, unless CHAOS_ROUNDS says how
// often.
const everythingTakes = 10 * time.Minute

// chaosRounds is CHAOS_ROUNDS, 0 for none: the round that failed on a slower machine
// may come after everythingTakes on this one.
func chaosRounds(t *testing.T) int {
	text := os.Getenv("CHAOS_ROUNDS")
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("CHAOS_ROUNDS=%q is no number of rounds", text)
	}
	return n
}

// chaos are the strikes.
type chaos struct {
	*rig
	up bool // the daemon was started
}

func (c *chaos) start() {
	c.proxy.BlackHole(false)
	c.proxy.Delay(0)
	c.proxy.LoseReplies(0)
	must(c.t, c.client.ConfigSet(c.t.Context(), "maxmemory", "0").Err())
	if !c.up {
		c.daemon.Launch()
		c.up = true
	}
	c.daemon.WaitReady(time.Minute)
}

func (c *chaos) kill() {
	c.daemon.Kill()
	c.up = false
	c.again()
}

func (c *chaos) terminate() {
	c.proxy.BlackHole(false)
	if c.up {
		// Before its first lines have run, a program is ended by the signal itself.
		Eventually(c.t, time.Minute, "the daemon is there", func() error {
			_, err := c.daemon.Get("/healthz")
			return err
		})
		c.daemon.Terminate()
	}
	c.up = false
	c.again()
}

// again starts the daemon soon or leaves it down for now.
func (c *chaos) again() {
	if c.rand.IntN(2) == 0 {
		c.some(500)
		c.daemon.Launch()
		c.up = true
	}
}

func (c *chaos) killRedis() {
	c.redis.Kill()
	c.some(300)
	c.redis.Start()
}

func (c *chaos) restartRedis() {
	c.redis.Stop()
	c.redis.Start()
}

func (c *chaos) cutAOF() {
	c.redis.Stop()
	if size := min(c.redis.AOFSize(), 16<<10); size > 0 {
		c.redis.CutAOF(1 + c.rand.Int64N(size))
	}
	c.redis.Start()
	c.rewriteAOF()
}

func (c *chaos) blackHole() {
	c.proxy.BlackHole(true)
	c.some(1500)
	c.proxy.BlackHole(false)
}

func (c *chaos) delay() {
	c.proxy.Delay(time.Duration(c.rand.IntN(60)) * time.Millisecond)
	c.some(500)
	c.proxy.Delay(0)
}

func (c *chaos) full() {
	must(c.t, c.client.ConfigSet(c.t.Context(), "maxmemory", "1mb").Err())
	c.some(600)
	must(c.t, c.client.ConfigSet(c.t.Context(), "maxmemory", "0").Err())
}

func (c *chaos) deleteKey() {
	keys := []string{"checkpoint", "site pv", "visitor set", "pairs", "page pv"}
	must(c.t, c.client.Del(c.t.Context(), counterKeys()[keys[c.rand.IntN(len(keys))]]).Err())
}

func (c *chaos) sleep() {
	must(c.t, c.client.Do(c.t.Context(), "DEBUG", "SLEEP", fmt.Sprint(c.rand.Float64())).Err())
}
