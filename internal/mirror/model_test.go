package mirror

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
)

// world is a Redis and a database, with counters that a test moves as commits
// do.
type world struct {
	t      *testing.T
	redis  *miniredis.Miniredis
	rdb    redis.UniversalClient
	keys   counter.Keys
	db     *archive.Archive
	file   string // of the database
	rand   *rand.Rand
	totals map[string][2]int64 // page -> people, bots: what Redis has
	fail   int                 // steps from here on at which a flusher is killed; 0: none
}

const worldSite = "a.example"

var errKilled = errors.New("killed")

func newWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	w := &world{t: t, redis: miniredis.RunT(t), keys: counter.NewKeys(counter.DefaultPrefix, false),
		rand: rand.New(rand.NewPCG(seed, 1)), totals: map[string][2]int64{}}
	w.rdb = counter.Connect(counter.ConnectOptions{Addrs: []string{w.redis.Addr()}})
	t.Cleanup(func() { check(t, w.rdb.Close()) })
	var err error
	w.file = filepath.Join(t.TempDir(), "archive.db")
	w.db, err = archive.Open(t.Context(), "", w.file, archive.Options{})
	check(t, err)
	t.Cleanup(func() { check(t, w.db.Close()) })
	w.begin()
	return w
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// begin makes the site exist, as its first commit does.
func (w *world) begin() {
	w.t.Helper()
	ctx := w.t.Context()
	check(w.t, w.rdb.SAdd(ctx, w.keys.Sites(), worldSite).Err())
	check(w.t, w.rdb.HSet(ctx, w.keys.Checkpoint(worldSite), "epoch", fmt.Sprint("e", w.rand.Uint64())).Err())
}

// view counts views as a commit does.
func (w *world) view(page string, people, bots int64) {
	w.t.Helper()
	ctx := w.t.Context()
	if people != 0 {
		check(w.t, w.rdb.ZIncrBy(ctx, w.keys.HotAll(worldSite), float64(people), page).Err())
	}
	if bots != 0 {
		check(w.t, w.rdb.HIncrBy(ctx, w.keys.PageBots(worldSite), page, bots).Err())
	}
	if w.redis.Exists(w.keys.MirrorState(worldSite)) {
		check(w.t, w.rdb.SAdd(ctx, w.keys.MirrorDue(worldSite), page).Err())
	}
	n := w.totals[page]
	w.totals[page] = [2]int64{n[0] + people, n[1] + bots}
}

func (w *world) flusher(host string, slot int) *Flusher {
	m := counter.NewMirror(w.rdb, w.keys, host, true)
	return New(Options{
		Counters: faultyCounters{m, w}, Slot: slot, Logger: slog.New(slog.DiscardHandler), Now: time.Now, Sink: true,
		Store: func(context.Context) (Store, error) { return faultyStore{w.db, w}, nil },
	})
}

// killed tells whether the flusher dies at this step.
func (w *world) killed() bool {
	if w.fail == 0 {
		return false
	}
	w.fail--
	return w.fail == 0
}

// faultyStore dies before or after a transaction was committed.
type faultyStore struct {
	*archive.Archive
	w *world
}

func (s faultyStore) ApplyFlush(ctx context.Context, f *archive.Flush) (int, error) {
	if s.w.killed() {
		return 0, errKilled
	}
	n, err := s.Archive.ApplyFlush(ctx, f)
	if err == nil && s.w.killed() {
		return 0, errKilled
	}
	return n, err
}

func (s faultyStore) BeginLife(ctx context.Context, site, life string) error {
	if s.w.killed() {
		return errKilled
	}
	err := s.Archive.BeginLife(ctx, site, life)
	if err == nil && s.w.killed() {
		return errKilled
	}
	return err
}

// faultyCounters dies before or after a script.
type faultyCounters struct {
	*counter.Mirror
	w *world
}

func (c faultyCounters) Take(ctx context.Context, site string, s *counter.MirrorState) (int64, counter.Verdict, error) {
	if c.w.killed() {
		return 0, "", errKilled
	}
	n, v, err := c.Mirror.Take(ctx, site, s)
	if err == nil && c.w.killed() {
		return 0, "", errKilled
	}
	return n, v, err
}

func (c faultyCounters) Done(ctx context.Context, site, life string, seq int64, nonce string, sink bool) error {
	if c.w.killed() {
		return errKilled
	}
	return c.Mirror.Done(ctx, site, life, seq, nonce, sink)
}

func (c faultyCounters) Fill(ctx context.Context, site, life string, sums []counter.PageTotal) (counter.Verdict, error) {
	if c.w.killed() {
		return "", errKilled
	}
	return c.Mirror.Fill(ctx, site, life, sums)
}

func (c faultyCounters) Open(ctx context.Context, site, life string) (counter.Verdict, error) {
	if c.w.killed() {
		return "", errKilled
	}
	return c.Mirror.Open(ctx, site, life)
}

// patience lets the time pass after which a life that nobody goes on filling may
// be begun anew.
func (w *world) patience() { w.redis.SetTime(w.redisNow().Add(2 * time.Minute)) }

func (w *world) redisNow() time.Time {
	w.t.Helper()
	now, err := w.rdb.Time(w.t.Context()).Result()
	check(w.t, err)
	return now
}

// settle flushes without faults until nothing is left to do, and compares.
func (w *world) settle(what string, all ...*Flusher) {
	w.t.Helper()
	w.fail = 0
	w.patience()
	for range 4 { // what others left is looked at for the second time, and begun anew
		for _, f := range all {
			check(w.t, f.Flush(w.t.Context()))
		}
	}
	have := map[string][2]int64{}
	for c, err := range w.db.Read().PageCounts(w.t.Context(), worldSite) {
		check(w.t, err)
		if c.PV != 0 || c.Bots != 0 {
			have[c.Page] = [2]int64{c.PV, c.Bots}
		}
	}
	if !maps.Equal(have, w.totals) {
		w.t.Fatalf("%s: page_counts has %v, want %v", what, have, w.totals)
	}
	if left := w.redis.Keys(); len(left) > 0 {
		for _, k := range left {
			if strings.Contains(k, ":mirror:take:") {
				w.t.Errorf("%s: %s is left", what, k)
			}
		}
	}
}

func TestFlush(t *testing.T) {
	w := newWorld(t, 1)
	a, b := w.flusher("a", 0), w.flusher("b", 3)
	w.view("/a", 3, 1)
	w.view("/A", 1, 0)
	w.view("/bot", 0, 2)
	w.settle("first fill", a, b)
	w.view("/a", 1, 0)
	w.view("/new\xff", 5, 0)
	w.settle("changes", a, b)
	was := a.Stats()
	w.settle("nothing", a, b)
	if now := a.Stats(); now.Rows != was.Rows || now.Flushes != was.Flushes || now.Refills != 1 {
		t.Errorf("a flush of nothing did something: %+v, was %+v", now, was)
	}
	check(t, b.Rebuild(t.Context(), worldSite))
	w.settle("rebuild", a, b)
	for i := range 2500 { // more than one take
		w.view(fmt.Sprintf("/%d", i), 1, int64(i%3))
	}
	w.settle("many pages", b, a)
}

// snapshot is a moment of Redis.
type snapshot struct {
	hashes map[string]map[string]string
	sets   map[string][]string
	ranks  map[string][]redis.Z
	totals map[string][2]int64
}

func (w *world) save() *snapshot {
	w.t.Helper()
	ctx := w.t.Context()
	s := &snapshot{hashes: map[string]map[string]string{}, sets: map[string][]string{},
		ranks: map[string][]redis.Z{}, totals: maps.Clone(w.totals)}
	for _, k := range w.redis.Keys() {
		switch w.redis.Type(k) {
		case "hash":
			s.hashes[k] = w.rdb.HGetAll(ctx, k).Val()
		case "set":
			s.sets[k] = w.rdb.SMembers(ctx, k).Val()
		case "zset":
			s.ranks[k] = w.rdb.ZRangeWithScores(ctx, k, 0, -1).Val()
		default:
			w.t.Fatalf("%s is a %s", k, w.redis.Type(k))
		}
	}
	return s
}

func (w *world) load(s *snapshot) {
	w.t.Helper()
	ctx := w.t.Context()
	w.redis.FlushAll()
	for k, v := range s.hashes {
		check(w.t, w.rdb.HSet(ctx, k, v).Err())
	}
	for k, v := range s.sets {
		check(w.t, w.rdb.SAdd(ctx, k, v).Err())
	}
	for k, v := range s.ranks {
		check(w.t, w.rdb.ZAdd(ctx, k, v...).Err())
	}
	w.totals = maps.Clone(s.totals)
}

// TestFlushFaults does everything that can happen, at random.
func TestFlushFaults(t *testing.T) {
	for seed := range uint64(24) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { faults(t, seed) })
	}
}

func faults(t *testing.T, seed uint64) {
	w := newWorld(t, seed)
	hosts := []*Flusher{w.flusher("a", 0), w.flusher("b", 1), w.flusher("c", 1)}
	var saved *snapshot
	var backup bool
	var log []string
	step := func(what string) { log = append(log, what) }
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(strings.Join(log, ", "))
		}
	})
	// A test has some of the faults, each rarely: else one hides another.
	with := func() bool { return w.rand.IntN(2) == 0 }
	redisBack, redisGone, sqlBack, sqlGone := with(), with(), with(), with()
	for range 120 {
		switch n := w.rand.IntN(100); {
		case n < 40:
			for range 1 + w.rand.IntN(5) {
				w.view(fmt.Sprintf("/%d", w.rand.IntN(12)), w.rand.Int64N(4), w.rand.Int64N(2))
			}
		case n < 80:
			i := w.rand.IntN(len(hosts))
			if w.rand.IntN(2) == 0 {
				w.fail = 1 + w.rand.IntN(8)
			}
			err := hosts[i].Flush(t.Context())
			if err != nil && !errors.Is(err, errKilled) {
				t.Fatal(err)
			}
			w.fail = 0
			step(fmt.Sprintf("flush %d: %v", i, err))
			if w.rand.IntN(4) == 0 { // it is started again and remembers nothing
				hosts[i] = w.flusher(string(rune('a'+i)), w.rand.IntN(3))
			}
		case n < 84:
			saved = w.save()
			step("save")
		case n < 87:
			if saved == nil || !redisBack {
				continue
			}
			w.load(saved)
			step("Redis goes back")
		case n < 88:
			if !redisGone {
				continue
			}
			w.redis.FlushAll()
			w.totals = map[string][2]int64{}
			w.begin()
			step("Redis is rebuilt")
		case n < 89:
			if !sqlGone {
				continue
			}
			check(t, w.db.ForgetMirror(t.Context(), worldSite))
			step("SQL is lost")
		case n < 92:
			w.sql("DROP TABLE IF EXISTS saved_%s", "CREATE TABLE saved_%s AS SELECT * FROM %s")
			backup = true
			step("SQL is saved")
		case n < 95:
			if !backup || !sqlBack {
				continue
			}
			w.sql("DELETE FROM %s", "INSERT INTO %s SELECT * FROM saved_%s")
			step("SQL goes back")
		case n < 98:
			w.patience()
		}
	}
	for page, n := range w.totals {
		if n == [2]int64{} {
			delete(w.totals, page)
		}
	}
	w.view("/last", 1, 0) // an idle site is looked at when something changes
	w.settle("at last", hosts...)
}

// sql runs statements for each table of the mirror; %s is its name.
func (w *world) sql(statements ...string) {
	w.t.Helper()
	db, err := sql.Open("sqlite", w.file)
	check(w.t, err)
	for _, table := range []string{"page_counts", "page_count_slots", "page_count_flushes"} {
		for _, s := range statements {
			_, err := db.ExecContext(w.t.Context(), strings.ReplaceAll(s, "%s", table))
			check(w.t, err)
		}
	}
	check(w.t, db.Close())
}

// TestFlushLeftOpen has a host die between SQL and Redis, and another one flush
// so much that what SQL remembers of flushes would be over.
func TestFlushLeftOpen(t *testing.T) {
	w := newWorld(t, 1)
	a, b := w.flusher("a", 0), w.flusher("b", 1)
	w.view("/a", 3, 1)
	w.settle("first fill", a, b)
	w.view("/a", 5, 0)
	w.fail = 4 // before and after Take, after the flush was committed, before it is done
	if err := a.Flush(t.Context()); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	w.fail = 0
	for i := range 3*archive.KeptFlushes + 1 {
		w.view("/b", 1, 0)
		f := w.flusher("b", 1) // which remembers nothing of what others left
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(i, err)
		}
	}
	w.settle("at last", a, b)
}
