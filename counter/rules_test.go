package counter

import (
	"bytes"
	"errors"
	"log/slog"
	"testing"
	"time"

	"ddkk-stats/parser"
)

// rulesFor is a parser that counts one site only.
func rulesFor(t *testing.T, site string) *parser.Parser {
	t.Helper()
	p, err := parser.New(parser.Config{Secret: []byte("0123456789abcdef"), Location: time.UTC, Sites: []string{site}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// logged gets word when the log says that rules changed.
type logged chan struct{}

func (l logged) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte("by the new rules from here on")) {
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

// Standing still is told of the part that does, and only while it has work.
func TestPulse(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	in := &Ingester{opt: Options{Now: func() time.Time { return now }}}
	in.committing.rest.Store(true)
	f := func(want error) {
		t.Helper()
		if err := in.Alive(30 * time.Second); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	f(nil) // not begun
	in.looping.beat(now)
	in.committing.beat(now)
	now = now.Add(20 * time.Second)
	f(nil)
	now = now.Add(11 * time.Second)
	f(errLoopStill)
	in.looping.beat(now)
	f(nil) // the committer rests
	in.committing.rest.Store(false)
	f(errCommitStill)
	in.committing.beat(now)
	f(nil)
	now = now.Add(time.Minute)
	f(errLoopStill)
	in.looping.rest.Store(true) // ended
	f(errCommitStill)
}

// Redis that does not answer is waited for, which is no standstill: each try
// that fails shows that the committer lives.
func TestPulseWhileRedisIsAway(t *testing.T) {
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
