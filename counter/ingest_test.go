package counter

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/parser"
)

func TestIngestCountsExactly(t *testing.T) {
	t.Parallel()
	s := startReadServer(t)
	r := newRig(t, readClient(t, s.addr()))
	hits := randomHits(rand.New(rand.NewPCG(1, 2)), 20_000, 2000)
	r.log.write("a", lines(hits[:10_000])...)
	r.start()
	for i := 10_000; i < 20_000; i += 100 {
		seg := "a"
		if i%200 == 0 {
			seg = "b"
		}
		r.log.write(seg, lines(hits[i:i+100])...)
	}
	r.await()
	r.stop()
	r.check(hits)
	r.books(len(hits))
}

func TestIngestSurvivesRestarts(t *testing.T) {
	t.Parallel()
	s := startReadServer(t)
	r := newRig(t, readClient(t, s.addr()))
	rng := rand.New(rand.NewPCG(3, 4))
	hits := randomHits(rng, 6000, 500)
	for i := 0; i < len(hits); i += 500 {
		r.log.write(fmt.Sprintf("seg%d", i/1500), lines(hits[i:i+500])...)
		r.start()
		if rng.IntN(2) == 0 {
			r.await()
		}
		if rng.IntN(3) == 0 { // as if killed: the progress file is older than Redis
			r.opt.Progress = t.TempDir() + "/lost.json"
		}
		r.stop()
	}
	r.start()
	r.await()
	r.stop()
	r.check(hits)
}

func TestIngestHealsFlushedRedis(t *testing.T) {
	t.Parallel()
	s := startReadServer(t)
	r := newRig(t, readClient(t, s.addr()))
	hits := randomHits(rand.New(rand.NewPCG(5, 6)), 5000, 300)
	r.start()
	for i := 0; i < len(hits); i += 50 {
		r.log.write(fmt.Sprintf("seg%d", i/2000), lines(hits[i:i+50])...)
		if i == 2500 || i == 4000 {
			r.await()
			if err := r.rdb.FlushAll(context.Background()).Err(); err != nil {
				t.Fatal(err)
			}
		}
		if i == 3500 {
			r.await()
			r.rdb.Del(context.Background(), "ddkk:ckpt:s1.example")
		}
	}
	r.await()
	eventually(t, func() bool { return maps.Equal(tallyUp(hits), dump(t, r.rdb)) }, func() { r.check(hits) })
	r.stop()
	r.check(hits)
	if n := r.in.Stats().Rebuilds; n < 3 {
		t.Fatalf("%d rebuilds, want some for each loss", n)
	}
}

func TestIngestRedisWentBack(t *testing.T) {
	t.Parallel()
	s := startReadServer(t)
	r := newRig(t, readClient(t, s.addr()))
	ctx := context.Background()
	hits := randomHits(rand.New(rand.NewPCG(7, 8)), 3000, 300)
	r.start()
	r.log.write("a", lines(hits[:1000])...)
	r.await()
	eventually(t, func() bool { return maps.Equal(tallyUp(hits[:1000]), dump(t, r.rdb)) }, func() { r.check(hits[:1000]) })
	// One script reads all: the daemon spreads a list and deletes it at any moment.
	old, err := r.rdb.Eval(ctx, `local all = {}
for _, k in ipairs(redis.call('KEYS', '*')) do
	all[#all + 1] = k
	all[#all + 1] = redis.call('DUMP', k)
end
return all`, nil).StringSlice()
	if err != nil {
		t.Fatal(err)
	}
	r.log.write("a", lines(hits[1000:2000])...)
	r.await()
	_, err = r.rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.FlushAll(ctx)
		for kv := range slices.Chunk(old, 2) {
			p.RestoreReplace(ctx, kv[0], 0, kv[1])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r.log.write("b", lines(hits[2000:])...)
	eventually(t, func() bool { return maps.Equal(tallyUp(hits), dump(t, r.rdb)) }, func() { r.check(hits) })
	r.stop()
	r.books(len(hits))
}

func TestIngestTwoDaemonsOnOneLog(t *testing.T) {
	s := startReadServer(t)
	rdb := readClient(t, s.addr())
	a, b := newRig(t, rdb), newRig(t, rdb)
	b.log = newMemoryLog(2)
	hits := randomHits(rand.New(rand.NewPCG(9, 10)), 2000, 200)
	a.start()
	b.start()
	for i := 0; i < len(hits); i += 20 {
		l := lines(hits[i : i+20])
		a.log.write("a", l...)
		b.log.write("a", l...)
	}
	a.await()
	b.await()
	a.stop()
	b.stop()
	a.check(hits)
}

func TestIngestDedupeWindow(t *testing.T) {
	s := startReadServer(t)
	r := newRig(t, readClient(t, s.addr()))
	r.opt.DedupeWindow = func(string) time.Duration { return time.Hour }
	now := time.Now().UTC().Add(-3 * time.Hour)
	view := func(after time.Duration, page, agent string) testHit {
		return testHit{at: now.Add(after), site: "s.example", page: page, agent: "Mozilla/5.0 " + agent}
	}
	for i, h := range []testHit{
		view(0, "/a", "x"), view(time.Minute, "/a", "y"), view(59*time.Minute, "/a", "x"),
		view(60*time.Minute, "/a", "x"), view(2*time.Minute, "/b", "x"),
	} {
		r.start() // the rule must not depend on what is in memory
		r.log.write("a"+strconv.Itoa(i), h.line())
		r.await()
		r.stop()
	}
	ctx := context.Background()
	if pv := r.rdb.Get(ctx, "ddkk:page:pv:s.example:/a").Val(); pv != "2" {
		t.Errorf("/a has %s views, want 2", pv)
	}
	if pv := r.rdb.Get(ctx, "ddkk:page:pv:s.example:/b").Val(); pv != "1" {
		t.Errorf("/b has %s views, want 1", pv)
	}
}

func TestIngestCapsPages(t *testing.T) {
	s := startReadServer(t)
	r := newRig(t, readClient(t, s.addr()))
	r.opt.MaxPages = 10
	now := time.Now().UTC()
	var hits []testHit
	for i := range 100 {
		hits = append(hits, testHit{at: now, site: "s.example", page: "/" + strconv.Itoa(i), agent: "Mozilla/5.0"})
	}
	for i := range 10 { // restarts must not make room for more
		r.log.write("a", lines(hits[i*10:i*10+10])...)
		r.start()
		r.await()
		r.stop()
	}
	ctx := context.Background()
	if n := len(r.rdb.Keys(ctx, "ddkk:page:pv:*").Val()); n != 11 {
		t.Errorf("%d pages have counters, want 10 and the one for the rest", n)
	}
	if v := r.rdb.Get(ctx, "ddkk:page:pv:s.example:"+parser.OtherPage).Val(); v != "90" {
		t.Errorf("%s views are over the cap, want 90", v)
	}
	if v := r.rdb.Get(ctx, "ddkk:site:pv:s.example").Val(); v != "100" {
		t.Errorf("the site has %s views, want 100", v)
	}
}

func TestIngestDamagedKeyIsRebuilt(t *testing.T) {
	t.Parallel()
	s := startReadServer(t)
	r := newRig(t, readClient(t, s.addr()))
	ctx := context.Background()
	hits := randomHits(rand.New(rand.NewPCG(11, 12)), 2000, 50)
	for i := range hits { // a page is known to exist by its day
		hits[i].at = hits[0].at
	}
	r.start()
	r.log.write("a", lines(hits[:1000])...)
	r.await()
	r.rdb.Del(ctx, "ddkk:page:pv:s0.example:/p1")
	r.rdb.LPush(ctx, "ddkk:page:pv:s0.example:/p1", "x")
	r.rdb.Del(ctx, "ddkk:page:pv:s1.example:/p2")
	r.rdb.Del(ctx, "ddkk:site:pv:s2.example")
	r.log.write("a", lines(hits[1000:])...)
	eventually(t, func() bool { return maps.Equal(tallyUp(hits), dump(t, r.rdb)) }, func() { r.check(hits) })
	r.stop()
}

func TestSet64(t *testing.T) {
	var s set64
	want := map[uint64]bool{}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 20_000 {
		v := rng.Uint64N(10_000) << rng.IntN(50)
		if s.add(v) == want[v] {
			t.Fatalf("add(%d) is wrong about whether it was there", v)
		}
		want[v] = true
	}
	if s.len() != len(want) {
		t.Fatalf("len = %d, want %d", s.len(), len(want))
	}
}

func FuzzReadPending(f *testing.F) {
	f.Add(appendPending(binary.LittleEndian.AppendUint32(nil, 20261122), "/a", 3, 1))
	f.Add(appendPending(binary.LittleEndian.AppendUint32(nil, 20261122|ofBots), "/a", 3, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		again := []byte{}
		err := readPending(string(b), func(p pendingPage) {
			if len(again) == 0 {
				again = binary.LittleEndian.AppendUint32(again, p.list())
			}
			again = appendPending(again, p.name, p.pv, p.uv)
		})
		if err != nil || len(again) == 0 {
			return
		}
		n := 0
		if err := readPending(string(again), func(pendingPage) { n++ }); err != nil || n == 0 {
			t.Fatalf("what was read does not read again: %v", err)
		}
	})
}

func TestIngestKeysDeletedWhileDown(t *testing.T) {
	t.Parallel()
	s := startReadServer(t)
	r := newRig(t, readClient(t, s.addr()))
	ctx := context.Background()
	hits := randomHits(rand.New(rand.NewPCG(13, 14)), 1400, 30)
	now := time.Now().UTC()
	for i := range hits { // the current day is what is looked at
		hits[i].at, hits[i].site = now, "s.example"
	}
	d := now.Format("20060102")
	keys := []string{"site:pv:s.example", "site:uv:s.example", "site:pv:s.example:" + d, "site:uv:set:s.example:" + d,
		"page:pv:s.example:/p1", "hot:s.example:day:" + d, "site:books:s.example:" + d}
	for i, key := range keys {
		r.log.write("a", lines(hits[i*200:i*200+200])...)
		r.start()
		eventually(t, func() bool { return maps.Equal(tallyUp(hits[:i*200+200]), dump(t, r.rdb)) }, func() { r.check(hits[:i*200+200]) })
		r.stop()
		if n := r.rdb.Del(ctx, "ddkk:"+key).Val(); n != 1 {
			t.Fatalf("there is no %s", key)
		}
	}
	hits = append(hits, testHit{at: now, site: "s.example", page: "/last", agent: "Mozilla/5.0"})
	r.log.write("a", hits[len(hits)-1].line())
	r.start()
	eventually(t, func() bool { return maps.Equal(tallyUp(hits), dump(t, r.rdb)) }, func() { r.check(hits) })
	r.stop()
}
