package counter

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"
)

// away is a hook that fails what is asked of Redis while it is gone.
type away struct{ gone, audits atomic.Bool }

var errAway = errors.New("connection refused")

func (a *away) DialHook(next redis.DialHook) redis.DialHook { return next }

func (a *away) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == "smismember" {
			a.audits.Store(true)
		}
		if a.gone.Load() {
			cmd.SetErr(errAway)
			return errAway
		}
		return next(ctx, cmd)
	}
}

func (a *away) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if a.gone.Load() {
			return errAway
		}
		return next(ctx, cmds)
	}
}

// TestSizesAreRememberedWhileRedisIsAway has Redis go in the middle of an
// audit: what the log grows by meanwhile is remembered, and nothing of it is
// said to be counted.
func TestSizesAreRememberedWhileRedisIsAway(t *testing.T) {
	t.Parallel()
	s := startReadServer(t)
	rdb := readClient(t, s.addr())
	hook := &away{}
	rdb.AddHook(hook)
	r := newRig(t, rdb)
	hits := randomHits(rand.New(rand.NewPCG(31, 32)), 300, 20)
	r.log.write("a", lines(hits[:100])...)
	r.start()
	r.await()
	remembered := func(segment string) bool {
		p, err := readProgress(r.opt.Progress)
		if err != nil {
			t.Fatal(err)
		}
		return p.Segments[segment].Size == int64(len(r.log.data[segment]))
	}
	never := func() { t.Fatalf("no audit, or a size that is not remembered: %+v", r.in.Stats()) }
	eventually(t, func() bool { return remembered("a") }, never)
	hook.audits.Store(false)
	eventually(t, hook.audits.Load, never)
	hook.gone.Store(true)
	r.log.write("a", lines(hits[100:200])...)
	r.log.write("b", lines(hits[200:])...)
	eventually(t, func() bool { return remembered("a") && remembered("b") }, never)
	p, err := readProgress(r.opt.Progress)
	if err != nil {
		t.Fatal(err)
	}
	if p.Segments["a"].Floor >= p.Segments["a"].Size || p.Segments["b"].Floor != 0 {
		t.Errorf("what was not counted is behind the floor: %+v", p.Segments)
	}
	hook.gone.Store(false)
	r.await()
	r.stop()
	r.check(hits)
}

// farArchive has nothing, and is away until it was asked some times.
type farArchive struct{ asked atomic.Int64 }

const farUntil = 8 // with the back-off between tries more than saveEvery

func (*farArchive) Sites() []string       { return nil }
func (*farArchive) Knows(string) bool     { return false }
func (*farArchive) Visitors(string) int64 { return 0 }
func (*farArchive) Covers(string) bool    { return false }
func (*farArchive) Lacking(context.Context, []Stand, map[string]bool) ([]string, error) {
	return nil, nil
}
func (a *farArchive) Restore(context.Context, string) (map[string]int64, error) {
	if a.asked.Add(1) < farUntil {
		return nil, errAway
	}
	return map[string]int64{}, nil
}

// TestRebuildWaitsBesideTheLoop has the archive be away while a site is rebuilt:
// the progress file is the loop's alone (by the race detector), and all is
// counted in the end.
func TestRebuildWaitsBesideTheLoop(t *testing.T) {
	t.Parallel()
	s := startReadServer(t)
	r := newRig(t, readClient(t, s.addr()))
	far := &farArchive{}
	r.opt.Archive = far
	hits := randomHits(rand.New(rand.NewPCG(41, 42)), 400, 20)
	r.log.write("a", lines(hits[:200])...)
	r.start()
	r.await()
	if err := r.rdb.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	for i := 200; i < 400; i++ {
		r.log.write("a", lines(hits[i:i+1])...)
		n := far.asked.Load()
		if i%20 == 0 && n < farUntil {
			eventually(t, func() bool { return far.asked.Load() != n }, func() { t.Fatal("no rebuild goes on") })
		}
	}
	r.await()
	eventually(t, func() bool { return maps.Equal(tallyUp(hits), dump(t, r.rdb)) }, func() { r.check(hits) })
	r.stop()
}

func (*farArchive) Reachable(context.Context) error { return nil }
