package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// connections at which reads are measured.
func connections() []int { return []int{1, 64, 512} }

// besideRate is how many lines a second are written to the log while reads are
// measured "beside counting": a very busy site.
const besideRate = 5000

// contender is one server whose reads are measured.
type contender struct {
	name, addr, path string
	bodies           []string
	server           *process
}

func runReads(ctx context.Context, b *bench) (err error) {
	l, err := b.log(traffic{lines: 200_000, pages: distinctPages, visitors: distinctVisitors})
	if err != nil {
		return err
	}
	rdb, err := b.startRedis(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rdb.stop()) }()
	d, err := b.startDaemon("REDIS_ADDR="+rdb.addr, "ACCESS_LOG="+l.v1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.stop()) }()
	err = d.await(ctx, ingestLimit, func() error {
		return errors.Join(counted(ctx, rdb.client, 1, int64(l.lines)), nothingPending(ctx, rdb.client, 1))
	})
	if err != nil {
		return err
	}
	constant, err := b.startOpponent(ctx, "constant")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, constant.server.stop()) }()
	plain, err := b.startOpponent(ctx, "mget", rdb.addr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, plain.server.stop()) }()
	stats, batch := statsBodies(), batchBodies()
	all := []contender{
		{"a constant answer (the unit)", constant.addr, "/api/stats", stats, constant.server},
		{"plain handler, 4 keys", plain.addr, "/api/stats", stats, plain.server},
		{"POST /api/stats, 4 fields", d.addr, "/api/stats", stats, d.process},
		{"POST /api/stats, 4 fields, one page", d.addr, "/api/stats?one", stats[:1], d.process},
		{"plain handler, 20 keys", plain.addr, "/api/batch", batch, plain.server},
		{"POST /api/batch, 20 pages", d.addr, "/api/batch", batch, d.process},
	}
	if err := b.measureReads(ctx, all, ""); err != nil {
		return err
	}
	return b.besideCounting(ctx, l, func(ctx context.Context) error {
		return b.measureReads(ctx, all, fmt.Sprintf(", beside %d lines/s", besideRate))
	})
}

func (b *bench) startOpponent(ctx context.Context, name string, args ...string) (*contender, error) {
	dir, err := b.folder(name)
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	c := &contender{addr: net.JoinHostPort("127.0.0.1", port)}
	if c.server, err = b.start(dir, name, nil, b.self, append([]string{name, c.addr}, args...)...); err != nil {
		return nil, err
	}
	return c, c.server.await(ctx, 10*time.Second, func() error {
		conn, err := net.Dial("tcp", c.addr)
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// statsBodies ask for many pages, so that nobody answers from one cached value.
func statsBodies() []string {
	var all []string
	for i := range 1000 {
		all = append(all, fmt.Sprintf(`{"site":%q,"page":%q,"fields":["site_pv","site_uv","page_pv","page_uv"]}`, siteName, pagePath(i)))
	}
	return all
}

func batchBodies() []string {
	var all []string
	for i := range 500 {
		var pages []string
		for j := range 20 {
			pages = append(pages, fmt.Sprintf("%q", pagePath((i*20+j)%distinctPages)))
		}
		all = append(all, fmt.Sprintf(`{"site":%q,"pages":[%s]}`, siteName, strings.Join(pages, ",")))
	}
	return all
}

// measureReads measures all contenders one after the other.
func (b *bench) measureReads(ctx context.Context, all []contender, where string) error {
	scripts := map[string]string{}
	for _, n := range connections() {
		var unit wrkResult
		for i, c := range all {
			if scripts[c.path] == "" {
				scripts[c.path] = filepath.Join(b.dir, strings.NewReplacer("/", "-", "?", "-").Replace(c.path)+".lua")
				if err := os.WriteFile(scripts[c.path], []byte(wrkScript(c.path, c.bodies)), 0o644); err != nil {
					return err
				}
			}
			before := c.server.cpu()
			r, err := b.wrk(ctx, n, pick(b.quick, 1, 3), scripts[c.path], "http://"+c.addr+c.path)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			if i == 0 {
				unit = r
			}
			b.add(readResult(c, n, where, r, unit, c.server.cpu()-before))
		}
	}
	return nil
}

func readResult(c contender, n int, where string, r, unit wrkResult, cpu time.Duration) result {
	res := result{
		part: "reads", what: fmt.Sprintf("%s; %d conn.%s", c.name, n, where),
		figure: fmt.Sprintf("%s; p50 %s, p99 %s, p99.9 %s", rate(r.perSecond, "req"), ms(r.p50), ms(r.p99), ms(r.p999)),
		cpu:    fmt.Sprintf("%.1f us/req", cpu.Seconds()*1e6/max(1, r.requests)),
		ratio:  fmt.Sprintf("%.2f", r.perSecond/unit.perSecond),
	}
	switch {
	case n == 64 && where == "" && c.name == "POST /api/stats, 4 fields":
		res.target, res.ok = ">= 0.60 and p99 < 5 ms", r.perSecond >= 0.6*unit.perSecond && r.p99 < 5*time.Millisecond
	case n == 64 && strings.HasPrefix(c.name, "POST /api/batch"):
		res.target, res.ok = "p99 < 10 ms", r.p99 < 10*time.Millisecond
	}
	return res
}

// besideCounting writes new lines to the log, paced, while f runs.
func (b *bench) besideCounting(ctx context.Context, l *hitLog, f func(context.Context) error) (err error) {
	out, err := os.OpenFile(l.v1, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	ctx, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- writePaced(ctx, out, l.traffic) }()
	err = f(ctx)
	stop()
	return errors.Join(err, <-done)
}

// writePaced appends besideRate lines a second until ctx ends, one write each,
// as nginx does.
func writePaced(ctx context.Context, out *os.File, t traffic) error {
	agents := userAgents()
	var line []byte
	began, n := time.Now(), 0
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			for due := int(now.Sub(began).Seconds() * besideRate); n < due; n++ {
				h := hit{ms: now.UnixMilli(), id: [2]uint64{uint64(n), uint64(began.UnixNano())}, page: n % t.pages, visitor: n * 7919 % t.visitors}
				line = appendV1(line[:0], &h, agents, false)
				if _, err := out.Write(line); err != nil {
					return err
				}
			}
		}
	}
}
