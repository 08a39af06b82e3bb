package counter

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// TestReadKnowsAnOldRedis: what has less than was committed is not read as current,
// be it that its state is older, of another life, or gone.
func TestReadKnowsAnOldRedis(t *testing.T) {
	g := newLagRig(t)
	day := g.r.Today()
	all := func(when string, stale bool) {
		t.Helper()
		g.clock.Add(25 * time.Millisecond)
		for name, q := range lagQueries {
			g.read(when+": "+name, q.Query, stale)
		}
		if s := g.r.Days(t.Context(), readSite, day, day); s.Stale != stale {
			t.Errorf("%s: days %+v", when, s)
		}
		if sites, err := g.r.Overview(t.Context(), []string{readSite}); err != nil || sites[0].Stale != stale {
			t.Errorf("%s: overview %+v, %v", when, sites, err)
		}
	}
	all("nothing is known", false)
	g.r.Committed(readSite, "e1", 1)
	all("as committed", false)
	g.r.Committed(readSite, "e1", 2)
	if err := g.m.Set(g.r.keys.SitePV(readSite), "3"); err != nil {
		t.Fatal(err)
	}
	all("a commit is missing", true)
	var a Answer
	if err := g.r.Read(t.Context(), &Query{Site: readSite, Fields: FieldSitePV, Fresh: true}, &a); err != nil || a.SitePV != 100 {
		t.Errorf("an old Redis was read: %+v, %v", a, err)
	}
	g.m.HSet(g.ckpt, fieldDone, "5") // another host was busy
	all("more than was committed here", false)
	g.r.Committed(readSite, "e2", 0)
	all("another life", true)
	g.r.Committed(readSite, "e1", 3)
	all("again", false)
	g.m.Del(g.ckpt)
	all("gone", true)
	g.r.Committed(readSite, "", 0)
	all("to be counted anew", false)
}

// crossing leads new connections to where they shall go by now, and leaves those
// that are there where they are, as a name or a balancer does after a failover.
type crossing struct {
	net.Listener
	mu sync.Mutex
	to string
	wg sync.WaitGroup
}

func (c *crossing) lead(to string) { c.mu.Lock(); c.to = to; c.mu.Unlock() }

func (c *crossing) serve(t *testing.T) {
	for {
		in, err := c.Accept()
		if err != nil {
			return
		}
		c.mu.Lock()
		out, err := net.Dial("tcp", c.to)
		c.mu.Unlock()
		if err != nil {
			t.Error(err)
			return
		}
		pass := func(to, from net.Conn) {
			_, err := io.Copy(to, from)
			if err = errors.Join(err, to.Close()); err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, io.EOF) {
				t.Log(err) // the other end was faster
			}
		}
		c.wg.Go(func() { pass(out, in) })
		c.wg.Go(func() { pass(in, out) })
	}
}

// TestReadsFollowTheWriter: after a failover that closes no connection reads come from
// the new master soon, though the old one would answer for ever.
func TestReadsFollowTheWriter(t *testing.T) {
	old, master := miniredis.RunT(t), miniredis.RunT(t)
	for m, pv := range map[*miniredis.Miniredis]string{old: "20", master: "31"} {
		if err := m.Set("ddkk:site:pv:"+readSite, pv); err != nil {
			t.Fatal(err)
		}
		m.HSet("ddkk:ckpt:"+readSite, fieldEpoch, "e1", fieldDone, pv)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &crossing{Listener: ln, to: old.Addr()}
	c.wg.Go(func() { c.serve(t) })
	rdb := Connect(ConnectOptions{Addrs: []string{ln.Addr().String()}, Life: 50 * time.Millisecond})
	t.Cleanup(func() {
		if err := errors.Join(rdb.Close(), ln.Close()); err != nil {
			t.Error(err)
		}
		c.wg.Wait()
	})
	r, err := NewReader(rdb, NewKeys(DefaultPrefix, false), ReaderOptions{Location: time.UTC, FreshFor: 2 * time.Millisecond, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	read := func() SiteStats {
		var a Answer
		if err := r.Read(t.Context(), &Query{Site: readSite, Fields: FieldSitePV, Fresh: true}, &a); err != nil {
			t.Fatal(err)
		}
		return a.SiteStats
	}
	if st := read(); st.SitePV != 20 || st.Stale {
		t.Fatalf("%+v", st)
	}
	c.lead(master.Addr())
	r.Committed(readSite, "e1", 31) // by the writer, whose connection is new
	eventually(t, func() bool {
		st := read()
		if st.SitePV == 20 && !st.Stale {
			t.Fatal("the demoted Redis is read as if it were current")
		}
		return st.SitePV == 31 && !st.Stale
	}, func() { t.Fatal("reads stay with the old master") })
}
