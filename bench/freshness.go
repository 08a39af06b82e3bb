package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/valyala/fasthttp"
	"golang.org/x/sync/errgroup"

	"ddkk-stats/counter"
)

// runFreshness measures the way of one view: from nginx's answer to the beacon
// until the number is in Redis, and until the API answers it. One case
// leaves out the sync of the log that comes before each commit: the difference
// is the disk's. 50,000 beacons a second are more than two cores answer that send
// them as well; the figure says how many they were.
func runFreshness(ctx context.Context, b *bench) error {
	for _, c := range []struct {
		rate int
		sync string
	}{{100, "always"}, {5000, "always"}, {5000, "off"}, {50_000, "always"}} {
		if err := b.freshness(ctx, c.rate, c.sync); err != nil {
			return fmt.Errorf("%d beacons/s: %w", c.rate, err)
		}
	}
	return nil
}

func (b *bench) freshness(ctx context.Context, perSecond int, sync string) (err error) {
	port, err := freePort()
	if err != nil {
		return err
	}
	n, err := b.startNginx(ctx, "127.0.0.1:"+port, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.stop()) }()
	rdb, err := b.startRedis(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rdb.stop()) }()
	d, err := b.startDaemon("REDIS_ADDR="+rdb.addr, "ACCESS_LOG="+n.log, "PORT="+port, "LOG_SYNC="+sync)
	if err != nil {
		return err
	}
	d.addr = "127.0.0.1:" + port
	defer func() { err = errors.Join(err, d.stop()) }()
	if err := d.ready(ctx); err != nil {
		return err
	}
	p := newProbe(n.addr, d.addr, rdb.client)
	before, began := d.cpu()+rdb.cpu(), time.Now()
	sent, err := p.run(ctx, perSecond, pick(b.quick, 3*time.Second, 8*time.Second))
	if err != nil {
		return err
	}
	cpu, took := d.cpu()+rdb.cpu()-before, time.Since(began)
	for _, v := range []struct {
		what  string
		took  []time.Duration
		bound bool
	}{{"Redis", p.redisTook, false}, {"the API", p.apiTook, true}} {
		p50, p99 := quantile(v.took, 0.5), quantile(v.took, 0.99)
		r := result{part: "freshness", what: fmt.Sprintf("beacon answered by nginx → visible in %s, %d beacons/s%s", v.what, perSecond, pick(sync == "off", ", LOG_SYNC=off", "")),
			figure: fmt.Sprintf("p50 %s, p99 %s (%d sampled of %d; %s)", ms(p50), ms(p99), len(v.took), sent, rate(float64(sent)/took.Seconds(), "beacons")),
			cpu:    fmt.Sprintf("%.0f%% of a core (daemon and Redis, polled)", 100*cpu.Seconds()/took.Seconds())}
		if v.bound && sync != "off" && perSecond <= 5000 {
			r.target, r.ok = "p50 <= 10 ms, p99 <= 50 ms", p50 <= 10*time.Millisecond && p99 <= 50*time.Millisecond
		}
		b.add(r)
	}
	return nil
}

// probe sends beacons and watches some of them arrive.
type probe struct {
	nginx, api string
	rdb        *redis.Client
	keys       counter.Keys
	client     *fasthttp.Client

	mu                 sync.Mutex
	redisTook, apiTook []time.Duration
}

func newProbe(nginx, api string, rdb *redis.Client) *probe {
	return &probe{nginx: nginx, api: api, rdb: rdb, keys: counter.NewKeys(counter.DefaultPrefix, false),
		client: &fasthttp.Client{MaxConnsPerHost: 64}}
}

// senders is how many connections the beacons come over.
const senders = 16

// samplesPerSecond is how many of the beacons are watched, at most.
const samplesPerSecond = 50

// run sends perSecond beacons a second for a while over a few connections. Some
// are of pages that nobody else asks for, and are watched. It returns how many
// were sent.
func (p *probe) run(ctx context.Context, perSecond int, long time.Duration) (sent int, err error) {
	var g, watchers errgroup.Group
	counts := make([]int, senders)
	for i := range senders {
		g.Go(func() error {
			n, err := p.sender(ctx, &watchers, i, perSecond, long)
			counts[i] = n
			return err
		})
	}
	err = errors.Join(g.Wait(), watchers.Wait())
	for _, n := range counts {
		sent += n
	}
	return sent, err
}

// sender sends its share of the beacons over one connection.
func (p *probe) sender(ctx context.Context, watchers *errgroup.Group, id, perSecond int, long time.Duration) (n int, err error) {
	conn, err := net.Dial("tcp", p.nginx)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	in := bufio.NewReader(conn)
	// redial comes before nginx ends the connection (keepalive_requests, 1000).
	redial := func() error {
		next, err := net.Dial("tcp", p.nginx)
		if err != nil {
			return err
		}
		err = conn.Close()
		conn = next
		in.Reset(conn)
		return err
	}
	every := time.Duration(senders) * time.Second / time.Duration(perSecond)
	watch := max(1, perSecond/samplesPerSecond)
	tick := time.NewTicker(min(every, time.Millisecond))
	defer tick.Stop()
	began := time.Now().Add(every * time.Duration(id) / senders)
	for {
		select {
		case <-ctx.Done():
			return n, ctx.Err()
		case now := <-tick.C:
			if now.Sub(began) > long {
				return n, nil
			}
			for ; began.Add(time.Duration(n) * every).Before(now); n++ {
				if n%900 == 899 {
					if err := redial(); err != nil {
						return n, err
					}
				}
				sample := (n*senders+id)%watch == 0
				if err := p.beacon(ctx, watchers, conn, in, id, n, sample); err != nil {
					return n, err
				}
			}
		}
	}
}

// beacon asks nginx for the pixel and, for a sample, has its page watched from
// the moment of the answer.
func (p *probe) beacon(ctx context.Context, watchers *errgroup.Group, conn net.Conn, in *bufio.Reader, id, n int, sample bool) error {
	page := pagePath((id*7919 + n) % distinctPages)
	if sample {
		page = fmt.Sprintf("/sample/%d/%d", id, n)
	}
	_, err := fmt.Fprintf(conn, "GET /event.png?site=%s&page=%s&id=%d-%d-%d HTTP/1.1\r\nHost: count.example.net\r\n"+
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 Safari/537.36\r\n"+
		"Referer: https://%s/\r\n\r\n", siteName, page, id, n, time.Now().UnixNano(), 100+n%40, siteName)
	if err != nil {
		return fmt.Errorf("send a beacon: %w", err)
	}
	if err := readPixel(in); err != nil {
		return err
	}
	if !sample {
		return nil
	}
	answered := time.Now()
	watchers.Go(func() error { return p.watch(ctx, page, answered, (n+id)%2 == 0) })
	return nil
}

// readPixel reads one answer: nginx gives the pixel's length.
func readPixel(in *bufio.Reader) error {
	var resp fasthttp.Response
	if err := resp.Read(in); err != nil {
		return fmt.Errorf("read nginx's answer: %w", err)
	}
	if resp.StatusCode() != fasthttp.StatusOK {
		return fmt.Errorf("nginx answers %d", resp.StatusCode())
	}
	return nil
}

// watch asks Redis, or the API, every millisecond until the page has its view.
func (p *probe) watch(ctx context.Context, page string, answered time.Time, redisItself bool) error {
	key := p.keys.PagePV(siteName, page)
	err := poll(ctx, 10*time.Second, time.Millisecond, func() error {
		if redisItself {
			return p.rdb.Get(ctx, key).Err()
		}
		pv, err := readFieldWith(ctx, p.client, p.api, "page_pv", page)
		if err == nil && pv == 0 {
			err = errors.New("the view is not there yet")
		}
		return err
	})
	took := time.Since(answered)
	if err != nil {
		return fmt.Errorf("wait for a view of %s: %w", page, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if redisItself {
		p.redisTook = append(p.redisTook, took)
	} else {
		p.apiTook = append(p.apiTook, took)
	}
	return nil
}
