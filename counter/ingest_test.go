package counter

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/parser"
)

// memoryLog is a Source over segments in memory that hands out blocks cut at
// random lines.
type memoryLog struct {
	mu    sync.Mutex
	rng   *rand.Rand
	order []string
	data  map[string][]byte
	pos   map[string]int64
	wake  chan struct{}
	ask   func(segment string) int64
	block int // lines of a block at most
}

func newMemoryLog(seed uint64) *memoryLog {
	return &memoryLog{rng: rand.New(rand.NewPCG(seed, 1)), data: map[string][]byte{}, pos: map[string]int64{},
		wake: make(chan struct{}, 1), block: 200}
}

func (m *memoryLog) write(segment string, lines ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.data[segment]; !ok {
		m.order = append(m.order, segment)
	}
	m.data[segment] = append(m.data[segment], strings.Join(lines, "\n")+"\n"...)
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

func (m *memoryLog) next() (Block, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, i := range m.rng.Perm(len(m.order)) {
		id := m.order[i]
		if _, ok := m.pos[id]; !ok {
			m.pos[id] = m.ask(id)
		}
		at, data := m.pos[id], m.data[id]
		if at >= int64(len(data)) {
			continue
		}
		end := at
		for n := 1 + m.rng.IntN(m.block); n > 0 && end < int64(len(data)); n-- {
			end += int64(bytes.IndexByte(data[end:], '\n')) + 1
		}
		m.pos[id] = end
		return Block{Segment: id, Start: at, End: end, Data: bytes.Clone(data[at:end]), Live: end == int64(len(data))}, true
	}
	return Block{}, false
}

func (m *memoryLog) Next(ctx context.Context) (Block, error) {
	for {
		if b, ok := m.next(); ok {
			return b, nil
		}
		select {
		case <-m.wake:
		case <-ctx.Done():
			return Block{}, ctx.Err()
		}
	}
}

func (m *memoryLog) Rewind(segment string, offset int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pos[segment] = offset
	select {
	case m.wake <- struct{}{}:
	default:
	}
	return nil
}

func (m *memoryLog) Sync(string, int64) error { return nil }

func (m *memoryLog) Segments() []SegmentInfo {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []SegmentInfo
	for _, id := range m.order {
		out = append(out, SegmentInfo{ID: id, Name: id, Size: int64(len(m.data[id])), Read: m.pos[id]})
	}
	return out
}

// ingestRig is an Ingester under test with its Redis and its log.
type ingestRig struct {
	t   *testing.T
	opt Options
	rdb redis.UniversalClient
	log *memoryLog
	in  *Ingester
	end func() error

	rules *parser.CallRules // nil: the log is a beacon's
}

func newRig(t *testing.T, rdb redis.UniversalClient) *ingestRig {
	t.Helper()
	return &ingestRig{t: t, rdb: rdb, log: newMemoryLog(1), opt: Options{
		Redis: rdb, Keys: NewKeys(DefaultPrefix, false), Location: time.UTC,
		Logger: slog.New(slog.DiscardHandler), Progress: t.TempDir() + "/progress.json", Audit: 100 * time.Millisecond, Grace: time.Minute,
	}}
}

func (r *ingestRig) start() {
	r.t.Helper()
	p, err := parser.New(parser.Config{Secret: []byte("0123456789abcdef"), Location: time.UTC, Calls: r.rules})
	if err != nil {
		r.t.Fatal(err)
	}
	in, err := New(r.opt, Input{Source: r.log, Parser: p})
	if err != nil {
		r.t.Fatal(err)
	}
	r.log.mu.Lock()
	r.log.ask = in.Resume
	clear(r.log.pos)
	r.log.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- in.Run(ctx) }()
	r.in = in
	r.end = func() error { cancel(); return <-done }
}

func (r *ingestRig) stop() {
	r.t.Helper()
	if err := r.end(); err != nil {
		r.t.Fatal(err)
	}
}

func (r *ingestRig) await() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for _, s := range r.log.Segments() {
		if err := r.in.WaitCounted(ctx, s.ID, s.Size); err != nil {
			r.t.Fatalf("segment %s is not counted to %d: %v; %+v", s.ID, s.Size, err, r.in.Stats())
		}
	}
}

// view is a v1 line of one page view, event or bot.
type testHit struct {
	at                     time.Time
	site, page, agent, id  string
	category, action, addr string
	ref                    string
}

var lineNumber int

func (h testHit) line() string {
	lineNumber++
	uri := "/event.png?site=" + h.site + "&page=" + h.page
	if h.id != "" {
		uri += "&id=" + h.id
	}
	if h.category != "" {
		uri += "&category=" + h.category + "&action=" + h.action
	}
	if h.ref != "" {
		uri += "&ref=" + h.ref
	}
	addr := h.addr
	if addr == "" {
		addr = "192.0.2.7"
	}
	return strings.Join([]string{"v1", fmt.Sprintf("%.3f", float64(h.at.UnixMilli())/1000), fmt.Sprintf("%032x", lineNumber),
		addr, "stats.example", "GET", "200", uri, "-", h.agent, "-", "-", "-", "0.000", "43", "end"}, "\t")
}

// expected is what the keys of the hits must hold, worked out the plain way.
type expected map[string]string

func tallyUp(hits []testHit) expected {
	n := map[string]int64{}
	seen := map[string]bool{}
	first := func(parts ...string) bool {
		k := strings.Join(parts, "\x00")
		was := seen[k]
		seen[k] = true
		return !was
	}
	for _, h := range hits {
		d := h.at.UTC().Format("20060102")
		y, w := h.at.UTC().ISOWeek()
		who := h.agent + h.addr
		if h.id != "" && !first("id", h.site, who, h.id, d) {
			n["books:"+h.site+":"+d+" dedup"]++
			continue
		}
		if strings.Contains(h.agent, "Googlebot") {
			n["books:"+h.site+":"+d+" bot"]++
			n["books:"+h.site+":"+d+" b"+h.at.UTC().Format("15")]++
			if time.Since(h.at) < 40*time.Hour {
				n["site:minutes:"+h.site+":"+d+" b"+h.at.UTC().Format("1504")]++
			}
			n["page:bot:"+h.site+" "+h.page]++
			n["page:bot:"+h.site+":"+d+" "+h.page]++
			continue
		}
		if h.category != "" {
			n["books:"+h.site+":"+d+" events"]++
			for _, k := range []string{h.category, h.category + "." + h.action} {
				n["event:"+h.site+":"+d+" "+k]++
				if first("event", h.site, d, who, k) {
					n["event:"+h.site+":"+d+" "+k+"|uv"]++
				}
			}
			continue
		}
		n["books:"+h.site+":"+d+" h"+h.at.UTC().Format("15")]++
		if time.Since(h.at) < 40*time.Hour {
			n["site:minutes:"+h.site+":"+d+" "+h.at.UTC().Format("1504")]++
		}
		if h.ref != h.site {
			n["referrer:"+h.site+":"+d+" "+h.ref]++
		}
		n["site:pv:"+h.site]++
		n["site:pv:"+h.site+":"+d]++
		n["page:pv:"+h.site+":"+h.page]++
		for _, z := range []string{"all", "day:" + d, fmt.Sprintf("week:%dW%02d", y, w), "month:" + d[:6]} {
			n["hot:"+h.site+":"+z+" "+h.page]++
		}
		if first("site", h.site, d, who) {
			n["site:uv:"+h.site]++
			n["site:uv:"+h.site+":"+d]++
		}
		if first("page", h.site, d, who, h.page) {
			n["page:uv:"+h.site+":"+h.page]++
		}
	}
	out := expected{}
	for k, v := range n {
		out[k] = strconv.FormatInt(v, 10)
	}
	return out
}

// dump reads all counters there are, in the form of expected.
func dump(t *testing.T, rdb redis.UniversalClient) expected {
	t.Helper()
	ctx := context.Background()
	out := expected{}
	keys, err := rdb.Keys(ctx, "ddkk:*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		name := strings.TrimPrefix(k, "ddkk:")
		switch {
		case strings.HasPrefix(name, "hot:"):
			for _, z := range rdb.ZRangeWithScores(ctx, k, 0, -1).Val() {
				out[name+" "+z.Member.(string)] = strconv.FormatInt(int64(z.Score), 10)
			}
		case strings.HasPrefix(name, "event:"), strings.HasPrefix(name, "page:bot:"),
			strings.HasPrefix(name, "site:minutes:"), strings.HasPrefix(name, "referrer:"):
			for f, v := range rdb.HGetAll(ctx, k).Val() {
				out[name+" "+f] = v
			}
		case strings.HasPrefix(name, "site:books:"):
			for f, v := range rdb.HGetAll(ctx, k).Val() {
				if f != "pc" && f != "mobile" {
					out[strings.TrimPrefix(name, "site:")+" "+f] = v
				}
			}
		case strings.HasPrefix(name, "pending:"):
			out[name] = "not folded"
		case strings.Contains(name, ":set:"), strings.HasPrefix(name, "ckpt:"), strings.HasPrefix(name, "seen:"),
			strings.HasPrefix(name, "online:"), name == "sites":
		default:
			out[name] = rdb.Get(ctx, k).Val()
		}
	}
	return out
}

func (r *ingestRig) check(hits []testHit) {
	r.t.Helper()
	want, got := tallyUp(hits), dump(r.t, r.rdb)
	if maps.Equal(want, got) {
		return
	}
	n := 0
	for k, v := range want {
		if got[k] != v && n < 15 {
			r.t.Errorf("%s = %q, want %q", k, got[k], v)
			n++
		}
	}
	for k, v := range got {
		if _, ok := want[k]; !ok && n < 20 {
			r.t.Errorf("%s = %q, want nothing", k, v)
			n++
		}
	}
	r.t.Fatalf("Redis differs from the log: %+v", r.in.Stats())
}

// randomHits makes n hits over the last two days with some of everything.
func randomHits(rng *rand.Rand, n, pages int) []testHit {
	now := time.Now().UTC().Truncate(time.Second)
	hits := make([]testHit, 0, n)
	for i := range n {
		h := testHit{
			at:    now.Add(-time.Duration(rng.IntN(26*3600)) * time.Second),
			site:  fmt.Sprintf("s%d.example", rng.IntN(3)),
			page:  fmt.Sprintf("/p%d", rng.IntN(pages)),
			agent: fmt.Sprintf("Mozilla/5.0 (X11; Linux x86_64; rv:%d.0) Gecko/20100101 Firefox/140.0", rng.IntN(n/5+2)),
		}
		if k := rng.IntN(8); k < 4 {
			h.ref = fmt.Sprintf("r%d.example", k)
		} else if k == 4 {
			h.ref = h.site
		}
		switch rng.IntN(10) {
		case 0:
			h.category, h.action = "video", fmt.Sprintf("a%d", rng.IntN(5))
		case 1:
			h.agent = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
		case 2:
			h.id = fmt.Sprintf("id%d", i)
		case 3:
			if i > 0 && hits[i-1].id != "" {
				h = hits[i-1]
			}
		}
		hits = append(hits, h)
	}
	return hits
}

func lines(hits []testHit) []string {
	out := make([]string, len(hits))
	for i, h := range hits {
		out[i] = h.line()
	}
	return out
}

func (r *ingestRig) books(n int) {
	r.t.Helper()
	b := r.in.Stats().Books
	if b.Read != b.Outcomes() || b.Read != int64(n) {
		r.t.Fatalf("the books do not close: %d lines written, %d read, %d booked: %+v", n, b.Read, b.Outcomes(), b)
	}
}

func TestIngestCountsExactly(t *testing.T) {
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

// eventually polls ok until it holds, then or after 20 seconds calls last.
func eventually(t *testing.T, ok func() bool, last func()) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			last()
			return
		case <-tick.C:
		}
	}
}

func TestIngestRedisWentBack(t *testing.T) {
	s := startReadServer(t)
	r := newRig(t, readClient(t, s.addr()))
	ctx := context.Background()
	hits := randomHits(rand.New(rand.NewPCG(7, 8)), 3000, 300)
	r.start()
	r.log.write("a", lines(hits[:1000])...)
	r.await()
	eventually(t, func() bool { return maps.Equal(tallyUp(hits[:1000]), dump(t, r.rdb)) }, func() { r.check(hits[:1000]) })
	old := map[string]string{}
	keys := r.rdb.Keys(ctx, "*").Val()
	for _, k := range keys {
		old[k] = r.rdb.Dump(ctx, k).Val()
	}
	r.log.write("a", lines(hits[1000:2000])...)
	r.await()
	_, err := r.rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.FlushAll(ctx)
		for k, v := range old {
			p.RestoreReplace(ctx, k, 0, v)
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
