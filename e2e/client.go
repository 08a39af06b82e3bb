package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// replyLimit is how long a beacon's answer may take before its fate counts as
// unknown.
const replyLimit = 30 * time.Second

// LoadOptions describe a load of beacons.
type LoadOptions struct {
	Addr     string // host:port of nginx, or of the daemon for its own beacon
	Ledger   *Ledger
	Total    int // beacons that have to be answered 200
	Clients  int // at once, each with an address of its own; 0: 8
	Visitors int // browsers behind each address; 0: 40
	Seed     uint64
	// Pace is the pause of a client between two beacons; 0: none.
	Pace time.Duration
}

// Load sends beacons from many clients at once over kept-alive connections.
// What is answered 200 is in the ledger; what is refused with another status
// is not, and is sent anew. A beacon is never sent twice by itself, as
// net/http's client does with a GET whose connection broke: then its fate is
// unknown, and Wait fails the test, for no ledger could be right any more.
type Load struct {
	t    testing.TB
	opts LoadOptions

	left    atomic.Int64 // still to be taken by a client
	acked   atomic.Int64
	refused atomic.Int64

	cancel context.CancelFunc
	work   sync.WaitGroup
	mu     sync.Mutex
	errs   []error
}

// StartLoad begins to send. The test has to call Wait.
func StartLoad(t testing.TB, opts LoadOptions) *Load {
	t.Helper()
	if opts.Clients == 0 {
		opts.Clients = 8
	}
	if opts.Visitors == 0 {
		opts.Visitors = 40
	}
	ctx, cancel := context.WithCancel(t.Context())
	l := &Load{t: t, opts: opts, cancel: cancel}
	l.left.Store(int64(opts.Total))
	for i := range opts.Clients {
		l.work.Go(func() { l.client(ctx, i) })
	}
	t.Cleanup(func() {
		cancel()
		l.work.Wait()
	})
	return l
}

// Acked is how many beacons were answered 200 so far.
func (l *Load) Acked() int { return int(l.acked.Load()) }

// Refused is how many were answered otherwise so far.
func (l *Load) Refused() int { return int(l.refused.Load()) }

// WaitAcked waits until so many were answered 200.
func (l *Load) WaitAcked(n int, limit time.Duration) {
	l.t.Helper()
	Eventually(l.t, limit, "beacons are answered", func() error {
		if l.Acked() >= n {
			return nil
		}
		if err := l.err(); err != nil {
			l.t.Fatalf("the load broke off after %d beacons: %v", l.Acked(), err)
		}
		return fmt.Errorf("%d of %d", l.Acked(), n)
	})
}

// Finish sends no more than what is in hand; Wait then returns. For loads that
// go on for as long as something else takes.
func (l *Load) Finish() { l.left.Store(0) }

// Wait waits for the end of the load. A beacon of unknown fate fails the test.
func (l *Load) Wait() {
	l.t.Helper()
	l.work.Wait()
	l.cancel()
	if err := l.err(); err != nil {
		l.t.Fatalf("the load broke off after %d beacons: %v", l.Acked(), err)
	}
}

func (l *Load) err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.errs...)
}

func (l *Load) fail(err error) {
	l.cancel()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.errs = append(l.errs, err)
}

// client sends until nothing is left to be sent.
func (l *Load) client(ctx context.Context, number int) {
	traffic := NewTraffic(l.opts.Seed+uint64(number), sourceAddress(number), l.opts.Visitors)
	conn := &beaconConn{addr: l.opts.Addr, source: traffic.IP}
	defer func() {
		if err := conn.close(); err != nil {
			l.fail(err)
		}
	}()
	for l.left.Add(-1) >= 0 {
		if err := l.one(ctx, conn, traffic); err != nil {
			if ctx.Err() == nil {
				l.fail(fmt.Errorf("client %d: %w", number, err))
			}
			return
		}
	}
}

// one sends requests until one is answered 200.
func (l *Load) one(ctx context.Context, conn *beaconConn, traffic *Traffic) error {
	for {
		if err := l.pause(ctx); err != nil {
			return err
		}
		if err := conn.open(ctx); err != nil {
			return err
		}
		r := traffic.Next()
		r.Time = time.Now()
		status, err := conn.send(&r)
		if err != nil {
			return fmt.Errorf("the fate of a beacon is unknown: %w", err)
		}
		if !sameDay(r.Time, time.Now(), l.opts.Ledger.loc) {
			return errors.New("a beacon took so long that its day is unknown; run the test again")
		}
		if status == http.StatusOK {
			l.opts.Ledger.Record(r.Beacon)
			l.acked.Add(1)
			return nil
		}
		l.refused.Add(1)
	}
}

// pause keeps the pace and stays away from midnight.
func (l *Load) pause(ctx context.Context) error {
	if l.opts.Pace > 0 {
		timer := time.NewTimer(l.opts.Pace)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	for ctx.Err() == nil && nearMidnight(time.Now(), l.opts.Ledger.loc) {
		timer := time.NewTimer(midnightGuard)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
	return ctx.Err()
}

// beaconConn is a kept-alive connection from an address of its own.
type beaconConn struct {
	addr, source string
	conn         net.Conn
	reader       *bufio.Reader
}

// open connects if there is no connection. Nothing was sent yet, so trying
// again is harmless: the server may be starting.
func (c *beaconConn) open(ctx context.Context) error {
	if c.conn != nil {
		return nil
	}
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(c.source)}, Timeout: 5 * time.Second}
	err := poll(replyLimit, func() error {
		conn, err := dialer.DialContext(ctx, "tcp", c.addr)
		if err != nil && ctx.Err() != nil {
			return nil // the test is over
		}
		if err != nil {
			return err
		}
		c.conn, c.reader = conn, bufio.NewReader(conn)
		return nil
	})
	return errors.Join(err, ctx.Err())
}

func (c *beaconConn) close() error {
	if c.conn == nil {
		return nil
	}
	conn := c.conn
	c.conn = nil
	return conn.Close()
}

// send sends one request and reads its answer whole.
func (c *beaconConn) send(r *Request) (int, error) {
	if err := c.conn.SetDeadline(time.Now().Add(replyLimit)); err != nil {
		return 0, err
	}
	if _, err := io.WriteString(c.conn, c.head(r)); err != nil {
		return 0, err
	}
	resp, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return 0, err
	}
	if resp.Close {
		err = c.close()
	}
	return resp.StatusCode, err
}

func (c *beaconConn) head(r *Request) string {
	var b strings.Builder
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\n", r.URI, c.addr, r.UA)
	if r.Referer != "" {
		fmt.Fprintf(&b, "Referer: %s\r\n", r.Referer)
	}
	b.WriteString("Accept: image/*\r\n\r\n")
	return b.String()
}
