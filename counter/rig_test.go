package counter

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/counter/keys"
	"ddkk-stats/parser"
)

// memoryLog is a Source over segments in memory that hands out blocks cut at
// random lines.
type memoryLog struct {
	mu      sync.Mutex
	rng     *rand.Rand
	order   []string
	data    map[string][]byte
	pos     map[string]int64
	wake    chan struct{}
	ask     func(segment string) int64
	block   int // lines of a block at most
	watched atomic.Int64
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

func (m *memoryLog) Watch() { m.watched.Add(1) }

func (m *memoryLog) Sync(string, int64) error { return nil }

func (m *memoryLog) Segments() []SegmentInfo {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []SegmentInfo
	for _, id := range m.order {
		out = append(out, SegmentInfo{ID: id, Name: id, Size: int64(len(m.data[id])), Read: m.pos[id], Looked: m.pos[id]})
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
	off   parser.FacetSet   // nothing, or all facets but those of layout 2
}

func newRig(t *testing.T, rdb redis.UniversalClient) *ingestRig {
	t.Helper()
	return &ingestRig{t: t, rdb: rdb, log: newMemoryLog(1), opt: Options{
		Redis: rdb, Keys: NewKeys(DefaultPrefix, false), Location: time.UTC,
		Logger: slog.New(slog.DiscardHandler), Progress: t.TempDir() + "/progress.json", Audit: 100 * time.Millisecond, Grace: time.Minute,
		Uniques: parser.UniquesMonth,
	}}
}

func (r *ingestRig) start() {
	r.t.Helper()
	r.startOn(r.log)
}

// startOn starts counting a source that stands in for the rig's log.
func (r *ingestRig) startOn(source Source) {
	r.t.Helper()
	p, err := parser.New(parser.Config{Secret: []byte("0123456789abcdef"), Location: time.UTC, Calls: r.rules, Off: r.off, Uniques: r.opt.Uniques})
	if err != nil {
		r.t.Fatal(err)
	}
	in, err := New(r.opt, Input{Source: source, Parser: p})
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

// facets are the fields of what a view is counted by that every view has.
func (h testHit) facets() []string {
	browser, os, device, channel := "", "", "", "referral"
	if strings.Contains(h.agent, "Firefox") {
		browser = "Firefox"
	}
	if strings.Contains(h.agent, "Linux") {
		os, device = "Linux", "desktop"
	}
	switch h.ref {
	case "":
		channel = "direct"
	case h.site:
		channel = "internal"
	}
	return []string{"b" + browser, "o" + os, "d" + device, "k" + channel}
}

var lineNumber atomic.Int64 // tests run beside each other

func (h testHit) line() string {
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
	return strings.Join([]string{"v1", fmt.Sprintf("%.3f", float64(h.at.UnixMilli())/1000), fmt.Sprintf("%032x", lineNumber.Add(1)),
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
			n["facet:"+h.site+":"+d+" H"+h.at.UTC().Format("15")]++
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
		n["facet:"+h.site+":"+d+" h"+h.at.UTC().Format("15")]++
		if time.Since(h.at) < 40*time.Hour {
			n["site:minutes:"+h.site+":"+d+" "+h.at.UTC().Format("1504")]++
		}
		if h.ref != h.site {
			n["facet:"+h.site+":"+d+" r"+h.ref]++
		}
		for _, field := range h.facets() {
			n["facet:"+h.site+":"+d+" "+field]++
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
	for t := range parser.NumTerms {
		tallyTerm(out, hits, t)
	}
	return out
}

// dump reads all counters there are, in the form of expected. What is spread from a list
// meanwhile may be seen in neither place: then it is read again.
func dump(t *testing.T, rdb redis.UniversalClient) expected {
	t.Helper()
	for range 20 {
		if out, still := dumpOnce(t, rdb); still {
			return out
		}
	}
	out, _ := dumpOnce(t, rdb) // lines come all the time
	return out
}

// dumpOnce tells whether the lists were the same before and after.
func dumpOnce(t *testing.T, rdb redis.UniversalClient) (out expected, still bool) {
	t.Helper()
	ctx := context.Background()
	out = expected{}
	all, err := rdb.Keys(ctx, "ddkk:*").Result()
	if err != nil {
		t.Fatal(err)
	}
	lists := func() (n []int64) {
		for _, k := range all {
			if strings.HasPrefix(k, "ddkk:facets:") || strings.HasPrefix(k, "ddkk:pending:") {
				n = append(n, rdb.LLen(ctx, k).Val())
			}
		}
		return n
	}
	before := lists()
	_, cluster := rdb.(*redis.ClusterClient)
	for _, k := range all {
		n, ok := NewKeys(DefaultPrefix, cluster).Parse(k)
		if _, former := NewKeys(DefaultPrefix, cluster).ParseFormerPairs(k); former && !ok {
			continue
		} else if _, former := NewKeys(DefaultPrefix, cluster).SiteOf(k); former && !ok {
			continue // referrers of a day
		} else if !ok {
			t.Fatalf("%s is no key of ours", k)
		}
		name := strings.TrimPrefix(NewKeys(DefaultPrefix, false).Key(n), "ddkk:")
		switch {
		case n.Family == keys.Visitors, n.Family == keys.Pairs:
		case n.Family == keys.TermPairs:
			out[name] = strconv.Itoa(len(rdb.Get(ctx, k).Val()) / 8)
		case strings.HasPrefix(name, "hot:"):
			for _, z := range rdb.ZRangeWithScores(ctx, k, 0, -1).Val() {
				out[name+" "+z.Member.(string)] = strconv.FormatInt(int64(z.Score), 10)
			}
		case strings.HasPrefix(name, "event:"), strings.HasPrefix(name, "page:bot:"),
			strings.HasPrefix(name, "site:minutes:"), n.Family == keys.TermVisitors:
			for f, v := range rdb.HGetAll(ctx, k).Val() {
				out[name+" "+f] = v
			}
		case n.Family == keys.Facets:
			for f, v := range rdb.HGetAll(ctx, k).Val() {
				out.add(t, name+" "+f, v)
			}
		case n.Family == keys.FacetsPending:
			out.addElements(t, n.Site, rdb.LRange(ctx, k, 0, -1).Val())
		case strings.HasPrefix(name, "site:books:"):
			for f, v := range rdb.HGetAll(ctx, k).Val() {
				if f != "pc" && f != "mobile" {
					out[strings.TrimPrefix(name, "site:")+" "+f] = v
				}
			}
		case strings.HasPrefix(name, "pending:"):
			out[name] = "not folded"
		case strings.HasPrefix(name, "ckpt:"), strings.HasPrefix(name, "seen:"),
			strings.HasPrefix(name, "online:"), strings.HasPrefix(name, "made:"), name == "sites", name == "held", name == "rebuilds", name == "uniques":
		default:
			out[name] = rdb.Get(ctx, k).Val()
		}
	}
	return out, slices.Equal(before, lists()) && !slices.Contains(before, 0)
}

// add adds a number to what is there.
func (e expected) add(t *testing.T, name, text string) {
	t.Helper()
	n, err := strconv.ParseInt(text, 10, 64)
	was, _ := strconv.ParseInt(e[name], 10, 64) // none: 0
	if err != nil {
		t.Fatal(err)
	}
	e[name] = strconv.FormatInt(was+n, 10)
}

// addElements adds facets that are not spread yet.
func (e expected) addElements(t *testing.T, site string, elements []string) {
	t.Helper()
	for _, x := range elements {
		err := readPending(x, func(p pendingPage) {
			key := fmt.Sprintf("facet:%s:%d ", site, p.day)
			if p.pv > 0 {
				e.add(t, key+p.name, strconv.FormatInt(p.pv, 10))
			}
			if p.uv > 0 {
				e.add(t, key+parser.BotField(p.name), strconv.FormatInt(p.uv, 10))
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// tally is what the keys must hold, by the rig's rules.
func (r *ingestRig) tally(hits []testHit) expected {
	want := tallyUp(hits)
	maps.DeleteFunc(want, func(key, _ string) bool {
		key, _, _ = strings.Cut(key, " ")
		t, _, _ := parser.TermNamed(key[strings.LastIndexByte(key, ':')+1:])
		return strings.HasPrefix(key, "uniques:") && !r.opt.Uniques.Has(t)
	})
	if r.off != 0 {
		maps.DeleteFunc(want, func(key, _ string) bool {
			_, field, _ := strings.Cut(key, " ")
			return strings.HasPrefix(key, "facet:") && strings.Trim(field[:1], "bodk") == ""
		})
	}
	return want
}

// tallyTerm adds the visitors of weeks or of months whose keys live.
func tallyTerm(want expected, hits []testHit, t parser.Term) {
	seen, n := map[string]bool{}, map[string]int{}
	for _, h := range hits {
		d := parser.DayOf(h.at.UTC())
		if h.category != "" || strings.Contains(h.agent, "Googlebot") || time.Until(t.End(d).Date(time.UTC).Add(72*time.Hour)) < time.Hour {
			continue
		}
		for _, field := range []string{TermSite, TermPage + h.page} {
			key := h.site + ":" + t.Name(d)
			if k := key + " " + field; !seen[k+"\x00"+h.agent+h.addr] {
				seen[k+"\x00"+h.agent+h.addr] = true
				n["uniques:uv:"+k]++
				n["uniques:pairs:"+key]++
			}
		}
	}
	for k, v := range n {
		want[k] = strconv.Itoa(v)
	}
}

func (r *ingestRig) check(hits []testHit) {
	r.t.Helper()
	want, got := r.tally(hits), dump(r.t, r.rdb)
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

// eventually polls ok until it holds, then or after 20 seconds calls last.
func eventually(t *testing.T, ok func() bool, last func()) {
	t.Helper()
	deadline := time.After(time.Minute) // a loaded machine is no fault
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
