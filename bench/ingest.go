package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/counter"
)

// ingestLimit bounds the counting of one backlog.
const ingestLimit = time.Minute

// How many lines the slow opponents get: their cost is per line.
const (
	embeddedLines = 200_000
	naiveLines    = 30_000
)

func runIngest(ctx context.Context, b *bench) error {
	t := traffic{lines: b.lines, pages: distinctPages, visitors: distinctVisitors}
	l, err := b.log(t)
	if err != nil {
		return err
	}
	theirs, err := b.benchGoAccess(ctx, l)
	if err != nil {
		return err
	}
	if err := b.benchBacklogs(ctx, l, theirs); err != nil {
		return err
	}
	return errors.Join(
		b.benchBacklogReads(ctx, l),
		b.benchEmbedded(ctx, theirs),
		b.benchNaive(ctx, l, theirs),
		b.benchStages(ctx, l, theirs),
		b.benchRedisLimit(ctx),
	)
}

// benchBacklogs counts the log as the widget writes it and as bare pixels.
func (b *bench) benchBacklogs(ctx context.Context, l *hitLog, theirs run) error {
	pixels := l.traffic
	pixels.pixel = true
	bare, err := b.log(pixels)
	if err != nil {
		return err
	}
	for _, c := range []struct {
		log  *hitLog
		what string
	}{
		{l, "backlog into Redis, beacons of the widget (with view ids)"},
		{bare, "backlog into Redis, bare pixels"},
	} {
		var spreads []float64
		all, err := repeat(3, func() (run, error) {
			g, err := b.ingest(ctx, c.log, nil)
			if g.partly {
				err = fmt.Errorf("%d of %d lines counted in %v", g.lines, c.log.lines, ingestLimit)
			}
			spreads = append(spreads, (g.spread - g.took).Seconds())
			return g.run, err
		})
		if err != nil {
			return err
		}
		r := median(all)
		// Both ratios have to be there: what else runs changes the one by wall
		// time, and the other knows nothing of a second core.
		ratio := min(r.perSecond()/theirs.perSecond(), theirs.cpuSeconds()/r.cpuSeconds())
		b.add(result{part: "ingest", what: c.what, figure: rate(r.perSecond(), "lines"), cpu: r.cpuText(),
			ratio: against(r, theirs), target: ">= 10 x GoAccess", ok: ratio >= 10})
		b.add(result{part: "ingest", what: "— from the last line counted until every page's own keys are written",
			figure: fmt.Sprintf("%.2f s", spreads[len(spreads)/2])})
		if err := b.benchCores(ctx, c.log, r); err != nil {
			return err
		}
	}
	return bare.remove()
}

// benchCores counts the log with a daemon that may use fewer cores than there are; Redis
// has them all. whole is the run with all of them.
func (b *bench) benchCores(ctx context.Context, l *hitLog, whole run) error {
	for n := 1; n < b.machine.cores; n *= 2 {
		g, err := b.ingest(ctx, l, nil, fmt.Sprintf("GOMAXPROCS=%d", n))
		if err != nil {
			return err
		}
		if g.partly {
			return fmt.Errorf("%d of %d lines counted in %v", g.lines, l.lines, ingestLimit)
		}
		b.add(result{part: "ingest", what: fmt.Sprintf("— the same, the daemon on %d of %d cores", n, b.machine.cores), figure: rate(g.perSecond(), "lines"),
			cpu: g.cpuText(), ratio: fmt.Sprintf("%.2f of all cores", g.perSecond()/whole.perSecond())})
	}
	return nil
}

// ingested is what counting a backlog showed.
type ingested struct {
	run
	partly bool          // ingestLimit was over before all lines were counted: lines are those that were
	spread time.Duration // from the start until also the pages' keys are written
	memory int64         // peak of the daemon, bytes
	redis  int64         // memory that Redis uses afterwards, bytes
	beside []time.Duration
	listed listing // of all sites, where there are several
}

// ingest counts a log with a daemon and a Redis of their own, from the start of
// the daemon until Redis has all lines. beside runs meanwhile and ends with its
// context.
func (b *bench) ingest(ctx context.Context, l *hitLog, beside func(ctx context.Context, api string) ([]time.Duration, error), env ...string) (g ingested, err error) {
	r, err := b.startRedis(ctx)
	if err != nil {
		return g, err
	}
	defer func() { err = errors.Join(err, r.stop()) }()
	cpu, began := r.cpu(), time.Now()
	d, err := b.startDaemon(append([]string{"REDIS_ADDR=" + r.addr, "ACCESS_LOG=" + l.v1}, env...)...)
	if err != nil {
		return g, err
	}
	defer func() { err = errors.Join(err, d.stop()) }()
	reading, stop := context.WithCancel(ctx)
	defer stop()
	type outcome struct {
		took []time.Duration
		err  error
	}
	read := make(chan outcome, 1)
	if beside != nil {
		go func() {
			took, err := beside(reading, d.addr)
			read <- outcome{took, err}
		}()
	}
	total := int64(l.lines)
	err = d.await(ctx, ingestLimit, func() error { return counted(ctx, r.client, l.sites, total) })
	g.run = run{lines: l.lines, took: time.Since(began)}
	var part *uncounted
	if errors.As(err, &part) && part.sum > 0 && part.sum < total {
		g.lines, g.partly, err = int(part.sum), true, nil
	}
	stop()
	if beside != nil {
		o := <-read
		g.beside, err = o.took, errors.Join(err, o.err)
	}
	if err != nil {
		return g, err
	}
	ours, theirs := d.cpu(), r.cpu()-cpu
	g.cpu, g.note = ours+theirs, fmt.Sprintf("daemon %.2f, Redis %.2f", ours.Seconds()/float64(g.lines)*1e6, theirs.Seconds()/float64(g.lines)*1e6)
	if g.partly {
		g.memory = d.peakMemory()
		return g, nil
	}
	err = d.await(ctx, ingestLimit, func() error { return nothingPending(ctx, r.client, l.sites) })
	g.spread, g.memory = time.Since(began), d.peakMemory()
	if err != nil {
		return g, err
	}
	if g.redis, err = usedMemory(ctx, r.client); err == nil && l.sites > 1 {
		g.listed, err = listSites(ctx, d.addr, l.sites)
	}
	return g, err
}

// siteOf is the name of the n-th site.
func siteOf(n int) string { return string(appendSite(nil, n)) }

// forSites sends one command for each site and waits for all answers.
func forSites(ctx context.Context, rdb *redis.Client, sites int, ask func(p redis.Pipeliner, site string)) error {
	p := rdb.Pipeline()
	for i := range sites {
		ask(p, siteOf(i))
	}
	if _, err := p.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return fmt.Errorf("ask Redis: %w", err)
	}
	return nil
}

// counted is nil once the sites' page views are total; more would be a line
// counted twice.
func counted(ctx context.Context, rdb *redis.Client, sites int, total int64) error {
	k := counter.NewKeys(counter.DefaultPrefix, false)
	var got []*redis.StringCmd
	err := forSites(ctx, rdb, sites, func(p redis.Pipeliner, s string) { got = append(got, p.Get(ctx, k.SitePV(s))) })
	if err != nil {
		return err
	}
	var sum int64
	for _, c := range got {
		n, err := c.Int64()
		if err != nil && !errors.Is(err, redis.Nil) {
			return fmt.Errorf("read page views: %w", err)
		}
		sum += n
	}
	if sum != total {
		return &uncounted{sum: sum, total: total}
	}
	return nil
}

// uncounted says how far a backlog is.
type uncounted struct{ sum, total int64 }

func (e *uncounted) Error() string { return fmt.Sprintf("%d of %d lines are counted", e.sum, e.total) }

// nothingPending is nil once no site has page changes that wait to be spread.
func nothingPending(ctx context.Context, rdb *redis.Client, sites int) error {
	k := counter.NewKeys(counter.DefaultPrefix, false)
	var got []*redis.IntCmd
	err := forSites(ctx, rdb, sites, func(p redis.Pipeliner, s string) { got = append(got, p.LLen(ctx, k.Pending(s))) })
	if err != nil {
		return err
	}
	for _, c := range got {
		if c.Val() > 0 {
			return fmt.Errorf("%d page changes wait", c.Val())
		}
	}
	return nil
}

func usedMemory(ctx context.Context, rdb *redis.Client) (int64, error) {
	info, err := rdb.Info(ctx, "memory").Result()
	if err != nil {
		return 0, fmt.Errorf("ask Redis for its memory: %w", err)
	}
	for line := range strings.Lines(info) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "used_memory:"); ok {
			return strconv.ParseInt(v, 10, 64)
		}
	}
	return 0, errors.New("ask Redis for its memory: it does not tell")
}

// benchBacklogReads is how long reads take while a backlog is counted.
func (b *bench) benchBacklogReads(ctx context.Context, l *hitLog) error {
	g, err := b.ingest(ctx, l, func(ctx context.Context, api string) ([]time.Duration, error) { return pacedReads(ctx, api, 100) })
	if err != nil {
		return err
	}
	p99 := quantile(g.beside, 0.99)
	b.add(result{part: "ingest", what: "POST /api/stats at 100/s while a backlog is counted, p99",
		figure: fmt.Sprintf("%s (p50 %s, %d reads)", ms(p99), ms(quantile(g.beside, 0.5)), len(g.beside)),
		cpu:    g.cpuText(), target: "< 5 ms", ok: p99 < 5*time.Millisecond})
	b.add(result{part: "ingest", what: "memory of the daemon, peak", figure: fmt.Sprintf("%d MB", g.memory>>20),
		target: "<= 150 MB", ok: g.memory <= 150<<20})
	return nil
}

// benchEmbedded counts into the store inside the daemon.
func (b *bench) benchEmbedded(ctx context.Context, theirs run) (err error) {
	l, err := b.log(traffic{lines: min(b.lines, pick(b.quick, embeddedLines/4, embeddedLines)), pages: distinctPages, visitors: distinctVisitors})
	if err != nil {
		return err
	}
	began := time.Now()
	d, err := b.startDaemon("ACCESS_LOG=" + l.v1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.stop(), l.remove()) }()
	err = d.await(ctx, ingestLimit, func() error {
		pv, err := readField(ctx, d.addr, "site_pv", "/")
		if err == nil && pv != int64(l.lines) {
			err = fmt.Errorf("%d of %d lines are counted", pv, l.lines)
		}
		return err
	})
	if err != nil {
		return err
	}
	r := run{lines: l.lines, took: time.Since(began), cpu: d.cpu()}
	b.add(result{part: "ingest", what: "backlog into the embedded store", figure: rate(r.perSecond(), "lines"), cpu: r.cpuText(), ratio: against(r, theirs)})
	return nil
}

// benchNaive is a counter as one would write it first.
func (b *bench) benchNaive(ctx context.Context, l *hitLog, theirs run) (err error) {
	data, err := l.head(l.size * naiveLines / int64(l.lines))
	if err != nil {
		return err
	}
	file := b.dir + "/naive.log"
	if err := os.WriteFile(file, data, 0o644); err != nil {
		return err
	}
	srv, err := b.startRedis(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, srv.stop()) }()
	before := srv.cpu()
	out, cpu, err := b.output(ctx, b.dir, b.self, "naive", file, srv.addr)
	if err != nil {
		return err
	}
	r := run{cpu: cpu + srv.cpu() - before}
	var nanoseconds int64
	if _, err := fmt.Sscan(string(out), &r.lines, &nanoseconds); err != nil {
		return fmt.Errorf("read what the naive counter says: %w", err)
	}
	r.took = time.Duration(nanoseconds)
	b.add(result{part: "ingest", what: "naive counter: a pipeline of four commands for each line, no checkpoint", figure: rate(r.perSecond(), "lines"),
		cpu: r.cpuText(), ratio: against(r, theirs)})
	return nil
}

// benchRedisLimit is what this Redis does of the cheapest write there is.
func (b *bench) benchRedisLimit(ctx context.Context) (err error) {
	path, err := program("redis-benchmark")
	if err != nil {
		return err
	}
	srv, err := b.startRedis(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, srv.stop()) }()
	n := pick(b.quick, 500_000, 2_000_000)
	all, err := repeat(3, func() (run, error) {
		before := srv.cpu()
		_, port, _ := strings.Cut(srv.addr, ":")
		out, _, err := b.output(ctx, b.dir, path, "-p", port, "-t", "incr", "-r", strconv.Itoa(distinctPages),
			"-P", "500", "-c", "2", "-n", strconv.Itoa(n), "--csv")
		if err != nil {
			return run{}, err
		}
		for line := range strings.Lines(string(out)) {
			if f := strings.Split(line, ","); len(f) > 1 && f[0] == `"INCR"` {
				v, err := strconv.ParseFloat(strings.Trim(f[1], `"`), 64)
				return run{lines: n, took: time.Duration(float64(n) / v * 1e9), cpu: srv.cpu() - before, note: "Redis alone"}, err
			}
		}
		return run{}, fmt.Errorf("redis-benchmark said %q", out)
	})
	if err != nil {
		return err
	}
	r := median(all)
	b.add(result{part: "ingest", what: "redis-benchmark, INCR of 20,000 keys, 500 a pipeline (the limit of one write a line)", figure: rate(r.perSecond(), "writes"), cpu: r.cpuText()})
	return nil
}
