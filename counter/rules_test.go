package counter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"ddkk-stats/parser"
)

// rulesFor is a parser that counts one site only.
func rulesFor(t *testing.T, site string) *parser.Parser {
	t.Helper()
	p, err := parser.New(parser.Config{Secret: []byte("0123456789abcdef"), Location: time.UTC, Sites: []string{site}, Uniques: parser.UniquesMonth})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// logged gets word when the log says that rules changed.
type logged chan struct{}

func (l logged) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte("new rules apply to lines from here on")) {
		l <- struct{}{}
	}
	return len(b), nil
}

// Rules that change under load: each line counts by one of them, lines that
// were there before the change by the old ones, and no commit has both.
func TestRulesChangeBetweenBatches(t *testing.T) {
	s := startReadServer(t)
	r := newRig(t, readClient(t, s.addr()))
	switched := make(logged, 1)
	r.opt.Logger = slog.New(slog.NewTextHandler(switched, nil))
	r.start()
	defer r.stop()
	at := time.Now().UTC()
	var want []testHit
	write := func(counts, not string) {
		for range 300 {
			h := testHit{at: at, site: counts, page: "/a", agent: "Mozilla/5.0 Firefox/140.0"}
			want = append(want, h)
			r.log.write("s1", h.line(), testHit{at: at, site: not, page: "/a", agent: h.agent}.line())
		}
	}
	for i := range 6 {
		counts, not := "a.example", "b.example"
		if i%2 == 1 {
			counts, not = not, counts
		}
		if err := r.in.Apply(Rules{Parsers: []*parser.Parser{rulesFor(t, counts)}, BatchSize: 1000 + i, BatchInterval: time.Millisecond}); err != nil {
			t.Fatal(err)
		}
		<-switched
		write(counts, not)
		r.await()
	}
	r.check(want)
	b := r.in.Stats().Books
	if got := b.Human + b.Skipped[parser.SkipSite]; got != b.Read || b.Human != int64(len(want)) {
		t.Errorf("books: %+v", b)
	}
	if err := r.in.Apply(Rules{Parsers: make([]*parser.Parser, 2)}); err == nil {
		t.Error("parsers for more logs than there are were taken")
	}
}

// changing is a source whose rules change each time before it hands out lines.
type changing struct {
	Source
	change func(lines int)
}

func (c *changing) Next(ctx context.Context) (Block, error) {
	b, err := c.Source.Next(ctx)
	if err == nil && b.Kind == Lines {
		c.change(bytes.Count(b.Data, newline))
	}
	return b, err
}

// A line that is written after the rules changed is read by none that are older, however
// busy the loop is.
func TestRulesChangeBeforeLines(t *testing.T) {
	s := startReadServer(t)
	r := newRig(t, readClient(t, s.addr()))
	var all []*parser.Parser // each allows one site more
	var sites []string
	for i := range 100 {
		sites = append(sites, fmt.Sprintf("s%d.example", i))
		p, err := parser.New(parser.Config{Secret: []byte("0123456789abcdef"), Location: time.UTC, Sites: sites})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	ready, read, blocks := make(chan struct{}), 0, 0
	r.startOn(&changing{Source: r.log, change: func(lines int) {
		<-ready
		read, blocks = read+lines, blocks+1
		if err := r.in.Apply(Rules{Parsers: []*parser.Parser{all[read-1]}}); err != nil {
			t.Error(err)
		}
	}})
	close(ready)
	for i, site := range sites {
		r.log.write("s1", testHit{at: time.Now().UTC(), site: site, page: "/a", agent: "Mozilla/5.0 Firefox/140.0"}.line())
		if i%10 == 9 {
			r.await()
		}
	}
	r.await()
	if b := r.in.Stats().Books; b.Human != int64(len(sites)) || b.Read != b.Human {
		t.Errorf("books: %+v", b)
	}
	r.stop()
	if blocks < 10 {
		t.Errorf("%d blocks", blocks)
	}
}

// Standing still is told of the part that does, and only while it has work.
func TestPulse(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	in := &Ingester{opt: Options{Now: func() time.Time { return now }}, commit: &committer{}}
	in.commit.pulse.rest.Store(true)
	f := func(want error) {
		t.Helper()
		if err := in.Alive(30 * time.Second); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	f(nil) // not begun
	in.looping.beat(now)
	in.commit.pulse.beat(now)
	now = now.Add(20 * time.Second)
	f(nil)
	now = now.Add(11 * time.Second)
	f(errLoopStill)
	in.looping.beat(now)
	f(nil) // the committer rests
	in.commit.pulse.rest.Store(false)
	f(errCommitStill)
	in.commit.pulse.beat(now)
	f(nil)
	now = now.Add(time.Minute)
	f(errLoopStill)
	in.looping.rest.Store(true) // ended
	f(errCommitStill)
}

// Redis that does not answer is waited for, which is no standstill: each try
// that fails shows that the committer lives.
func TestPulseWhileRedisIsAway(t *testing.T) {
	t.Parallel()
	s := startReadServer(t)
	r := newRig(t, readClient(t, s.addr()))
	r.start()
	defer func() {
		if err := r.end(); err != nil {
			t.Error(err)
		}
	}()
	r.log.write("s1", testHit{at: time.Now(), site: "a.example", page: "/a", agent: "Mozilla/5.0 Firefox/140.0"}.line())
	r.await()
	s.kill()
	retries := r.in.Stats().Retries
	r.log.write("s1", testHit{at: time.Now(), site: "a.example", page: "/b", agent: "Mozilla/5.0 Firefox/140.0"}.line())
	for tick := time.Tick(5 * time.Millisecond); r.in.Stats().Retries < retries+6; <-tick {
		if err := r.in.Alive(5 * time.Second); err != nil {
			t.Fatal(err)
		}
	}
	s.start()
	r.await()
}

// limitsRig counts while limits change.
type limitsRig struct {
	*ingestRig
	switched logged
}

func startLimits(t *testing.T) *limitsRig {
	t.Helper()
	r := &limitsRig{ingestRig: newRig(t, readClient(t, startReadServer(t).addr())), switched: make(logged, 1)}
	r.opt.Logger = slog.New(slog.NewTextHandler(r.switched, nil))
	r.start()
	return r
}

func (r *limitsRig) limit(l Limits) {
	r.t.Helper()
	if err := r.in.Apply(Rules{Limits: &l}); err != nil {
		r.t.Fatal(err)
	}
	<-r.switched
}

func (r *limitsRig) want(key, value string) {
	r.t.Helper()
	if v := r.rdb.Get(r.t.Context(), "ddkk:"+key).Val(); v != value {
		r.t.Errorf("%s is %q, want %q", key, v, value)
	}
}

// DEDUPE_WINDOW is turned on, changed and turned off under load, with a restart
// between: each stretch of the log is judged by one window.
func TestDedupeWindowChanges(t *testing.T) {
	r := startLimits(t)
	now := time.Now().UTC().Add(-time.Hour)
	views := 0
	write := func(pages int) { // each page four times, by one address
		for range 4 {
			for p := range pages {
				r.log.write("s1", testHit{at: now, site: "a.example", page: "/" + strconv.Itoa(p), agent: "Mozilla/5.0"}.line())
			}
		}
		views += 4 * pages
		r.await()
	}
	window := func(d time.Duration) Limits {
		return Limits{DedupeWindow: func(site string) time.Duration { return d }}
	}
	write(50)
	r.want("site:pv:a.example", "200")
	r.limit(window(time.Hour))
	write(50)
	r.want("site:pv:a.example", "250")
	r.limit(window(2 * time.Hour)) // knows nothing of the views before
	write(60)
	r.want("site:pv:a.example", "310")
	r.stop()
	r.opt.DedupeWindow = window(2 * time.Hour).DedupeWindow
	r.start()
	write(60)
	r.want("site:pv:a.example", "310")
	r.limit(window(0))
	write(10)
	r.want("site:pv:a.example", "350")
	r.want("page:pv:a.example:/1", "10")
	r.stop()
	if b := r.in.Stats().Books; b.Read != 280 || b.Human != 40 || b.Dedup != 240 {
		t.Errorf("books of the second run: %+v", b)
	}
}

// Caps that are raised let further names in, and lowered ones keep those that
// are there.
func TestCapsChange(t *testing.T) {
	r := startLimits(t)
	now := time.Now().UTC()
	write := func(site string, from, to int) {
		for p := from; p < to; p++ {
			r.log.write("s1", testHit{at: now, site: site, page: "/" + strconv.Itoa(p), agent: "Mozilla/5.0"}.line())
		}
		r.await()
	}
	r.limit(Limits{MaxPages: 5, MaxSites: 1})
	write("a.example", 0, 10)
	r.want("page:pv:a.example:"+parser.OtherPage, "5")
	write("b.example", 0, 3) // there is no room for it
	r.want("site:pv:b.example", "")
	eventually(t, func() bool { return r.in.Stats().Full == 2 }, func() { t.Errorf("%d tables are full, want 2", r.in.Stats().Full) }) // a.example's pages, and the sites
	r.limit(Limits{MaxPages: 20, MaxSites: 2})
	write("a.example", 0, 10)
	r.want("page:pv:a.example:/9", "1")
	write("b.example", 0, 3)
	r.want("site:pv:b.example", "3")
	r.limit(Limits{MaxPages: 1, MaxSites: 1})
	write("a.example", 0, 12)
	r.want("page:pv:a.example:/9", "2")
	r.want("page:pv:a.example:"+parser.OtherPage, "7")
	r.want("site:pv:a.example", "32")
	r.stop()
	if b := r.in.Stats().Books; b.Skipped[parser.SkipSite] != 3 || b.Human != 35 {
		t.Errorf("books: %+v", b)
	}
}

// A change that comes while another one waits is added to it.
func TestRulesAddUp(t *testing.T) {
	b := newRulesBox()
	parsers, limits := []*parser.Parser{nil}, &Limits{MaxPages: 3}
	b.put(Rules{Parsers: parsers, BatchSize: 7, BatchInterval: time.Second})
	b.put(Rules{Limits: limits, BatchInterval: time.Minute})
	b.put(Rules{BatchInterval: time.Hour})
	r := b.take()
	if r == nil || len(r.Parsers) != 1 || r.Limits != limits || r.BatchSize != 7 || r.BatchInterval != time.Hour {
		t.Errorf("%+v", r)
	}
	if r = b.take(); r != nil {
		t.Errorf("%+v was taken twice", r)
	}
}
