package archive

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// reference is what a run without faults leaves.
func reference(t *testing.T, like place, segs ...*memory) string {
	t.Helper()
	at := sqlitePlace(t)
	if like.dsn != "" {
		at = mariaPlace(t)
	}
	a := open(t, at)
	run(t, a, segs...)
	return contents(t, a)
}

func twoSegments() []*memory {
	return []*memory{
		segmentOf("one", traffic(1, 120, now.Add(-72*time.Hour), 20*time.Minute)...),
		segmentOf("two", traffic(2, 120, now.Add(-60*time.Hour), 20*time.Minute)...),
	}
}

// stoppable ends a context before the nth step of a database.
type stoppable struct {
	dialect
	steps, at atomic.Int64
	stop      context.CancelFunc
}

func (s *stoppable) bytes(b []byte) any {
	if s.steps.Add(1) == s.at.Load() {
		s.stop()
	}
	return s.dialect.bytes(b)
}

// TestCancelledAnywhere ends a run at each of its steps (each one is about to
// send something), one after the other, and compares once one gets through.
func TestCancelledAnywhere(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		segs := twoSegments()
		want := reference(t, at, segs...)
		a := open(t, at, func(o *Options) { o.ChunkRows = 50 })
		ended := 0
		for n := int64(1); ; n += 3 {
			ctx, cancel := context.WithCancel(t.Context())
			st := *a.store
			s := &stoppable{dialect: a.dialect, stop: cancel}
			s.at.Store(n)
			st.dialect = s
			b := newArchive(&st)
			_, err := b.Run(ctx, source(t, segs...))
			stopped := ctx.Err() != nil
			cancel()
			if err == nil && !stopped {
				break
			}
			if err != nil && !stopped {
				t.Fatal(err)
			}
			ended++
		}
		if ended < 5 {
			t.Errorf("ended only %d times", ended)
		}
		diff(t, contents(t, a), want)
	})
}

// proxy passes bytes on to the server and cuts connections.
type proxy struct {
	t    *testing.T
	ln   net.Listener
	wg   sync.WaitGroup
	mu   sync.Mutex
	cut  func(packet string) bool // asked before a client's bytes are passed on
	late func(packet string) bool // asked after; the server's answer is lost
	open []net.Conn
}

func newProxy(t *testing.T) *proxy {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	p := &proxy{t: t, ln: ln}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		p.ln.Close()
		p.mu.Lock()
		for _, c := range p.open {
			c.Close()
		}
		p.mu.Unlock()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) accept() {
	for {
		c, err := p.ln.Accept()
		if err != nil {
			return
		}
		s, err := net.Dial("tcp", server.addr)
		if err != nil {
			c.Close()
			continue
		}
		p.mu.Lock()
		p.open = append(p.open, c, s)
		p.mu.Unlock()
		p.wg.Go(func() { p.forward(c, s) })
		p.wg.Go(func() { _, _ = io.Copy(c, s); c.Close() })
	}
}

func (p *proxy) forward(c, s net.Conn) {
	defer c.Close()
	defer s.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		p.mu.Lock()
		cut, late := p.cut, p.late
		p.mu.Unlock()
		if cut != nil && cut(string(buf[:n])) {
			return
		}
		if late != nil && late(string(buf[:n])) {
			// The client is gone before the answer can come.
			c.Close()
		}
		if _, err := s.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (p *proxy) set(cut, late func(string) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut, p.late = cut, late
}

func (p *proxy) place(at place) place {
	at.dsn = strings.Replace(at.dsn, server.addr, p.ln.Addr().String(), 1)
	return at
}

// once reports the nth packet that contains text.
func once(n int64, text string) func(string) bool {
	var seen atomic.Int64
	return func(packet string) bool { return strings.Contains(packet, text) && seen.Add(1) == n }
}

func quick(o *Options) { o.ChunkRows = 50 }

func TestConnectionLostAtCommit(t *testing.T) {
	f := func(name string, set func(p *proxy)) {
		t.Run(name, func(t *testing.T) {
			segs := twoSegments()
			at := mariaPlace(t)
			want := reference(t, at, segs...)
			p := newProxy(t)
			a := open(t, p.place(at), quick)
			a.pause = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
			set(p)
			sum := run(t, a, segs...)
			if sum.Lines != 240 {
				t.Errorf("lines told: %d", sum.Lines)
			}
			diff(t, contents(t, a), want)
		})
	}
	for _, n := range []int64{1, 2, 5} {
		// The server rolls back.
		f("before", func(p *proxy) { p.set(once(n, "COMMIT"), nil) })
		// The server commits, and nobody hears of it.
		f("after", func(p *proxy) { p.set(nil, once(n, "COMMIT")) })
	}
}

// TestConnectionLostAnywhere cuts the connection before each packet of a run.
func TestConnectionLostAnywhere(t *testing.T) {
	segs := twoSegments()
	at := mariaPlace(t)
	want := reference(t, at, segs...)
	p := newProxy(t)
	a := open(t, p.place(at), func(o *Options) { o.ChunkRows = 100 })
	a.pause = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	var packets atomic.Int64
	p.set(func(string) bool { return packets.Add(1)%9 == 0 }, nil)
	var err error
	for range 20 {
		if _, err = a.Run(t.Context(), source(t, segs...)); err == nil {
			break
		}
		if !lostConnection(err) {
			t.Logf("run ended with: %v", err)
		}
	}
	p.set(nil, nil)
	run(t, a, segs...)
	diff(t, contents(t, a), want)
}

func TestReaderFailsInTheMiddle(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		segs := twoSegments()
		want := reference(t, at, segs...)
		a := open(t, at)
		broken := errors.New("disk fault")
		bad := &memory{id: "one", data: segs[0].data}
		bad.opened = func(from int64, r io.Reader) io.Reader {
			return io.MultiReader(io.LimitReader(r, int64(len(bad.data))/2), errorReader{broken})
		}
		if _, err := a.Run(t.Context(), source(t, bad)); !errors.Is(err, broken) {
			t.Fatalf("error %v", err)
		}
		wants(t, a, "0|0", "SELECT (SELECT COUNT(*) FROM access_logs), (SELECT COUNT(*) FROM segments)")
		// An end that comes too soon is an error as well.
		bad.opened = func(_ int64, r io.Reader) io.Reader { return io.LimitReader(r, int64(len(bad.data))/2) }
		if _, err := a.Run(t.Context(), source(t, bad, segs[1])); err == nil {
			t.Fatal("a short segment is archived")
		}
		wants(t, a, "two", "SELECT id FROM segments")
		run(t, a, segs...)
		diff(t, contents(t, a), want)
	})
}

type errorReader struct{ err error }

func (e errorReader) Read([]byte) (int, error) { return 0, e.err }

// TestRowsThatAreThere: LOAD DATA LOCAL leaves out rows whose key is there and
// says nothing but a warning. That must not pass.
func TestRowsThatAreThere(t *testing.T) {
	at := mariaPlace(t)
	a := open(t, at)
	seg := segmentOf("one", view{page: "/a"}, view{page: "/b"})
	run(t, a, seg)
	_, err := a.db.Exec("UPDATE segments SET size = 0, read_to = 0")
	check(t, err)
	if _, err := a.Run(t.Context(), source(t, seg)); err == nil {
		t.Fatal("rows were loaded twice")
	}
	wants(t, a, "2|0", "SELECT (SELECT COUNT(*) FROM access_logs), (SELECT MAX(read_to) FROM segments)")
}

// TestWithoutLocalInfile takes the portable way, to the same result.
func TestWithoutLocalInfile(t *testing.T) {
	at := mariaPlace(t)
	segs := twoSegments()
	want := reference(t, at, segs...)
	admin, err := sql.Open("mysql", server.dsn(""))
	check(t, err)
	defer admin.Close()
	_, err = admin.Exec("SET GLOBAL local_infile = OFF")
	check(t, err)
	defer func() {
		_, err := admin.Exec("SET GLOBAL local_infile = ON")
		check(t, err)
	}()
	a := open(t, at)
	run(t, a, segs...)
	if !a.dialect.(*mysqlDialect).inserts.Load() {
		t.Error("LOAD DATA was not refused")
	}
	diff(t, contents(t, a), want)
}
