package counter

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/parser"
)

// benchTraffic is a backlog of one day.
type benchTraffic struct {
	lines, pages, visitors, sites int
	ids                           bool // with view ids, as the widget sends them
	even                          bool // each site has all pages, and none comes more often
	uniques                       parser.Uniques
	off                           parser.FacetSet
}

// log writes the lines: pages by Zipf's law, of one site each, visitors evenly.
func (t benchTraffic) log() []byte {
	rng := rand.New(rand.NewPCG(1, 2))
	zipf := rand.NewZipf(rng, 1.1, 8, uint64(t.pages-1))
	start := time.Now().UTC().Add(-24 * time.Hour).Truncate(24 * time.Hour).UnixMilli()
	var b bytes.Buffer
	for i := range t.lines {
		ms := start + int64(float64(i)*86_400_000/float64(t.lines))
		visitor, page := rng.IntN(t.visitors), int(zipf.Uint64())
		site, n := "ddkk.com", page%t.sites
		if t.even {
			page, n = rng.IntN(t.pages), rng.IntN(t.sites)
		}
		if n > 0 {
			site = fmt.Sprintf("s%d.ddkk.com", n)
		}
		id := ""
		if t.ids {
			id = fmt.Sprintf("&id=%016x", rng.Uint64())
		}
		fmt.Fprintf(&b, "v1\t%d.%03d\t%032x\t11.%d.%d.%d\tcount.example.net\tGET\t200\t/event.png?site=%s&page=%%2Fposts%%2F%d%%2Fan-article%%2F%s\t"+
			"https://%s/posts/%d/an-article/\tMozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 Safari/537.36\t-\t-\t-\t0.000\t43\tend\n",
			ms/1000, ms%1000, rng.Uint64(), visitor>>16, visitor>>8&255, visitor&255, site, page, id, site, page, 90+visitor%100)
	}
	return b.Bytes()
}

// benchLog is a Source over one segment in memory, in blocks as large as the
// tailer's. It is read from the start and never rewound: an ingester that asks
// for it has lost something.
type benchLog struct {
	data []byte
	at   int
}

const benchBlock = 256 << 10

func (l *benchLog) Next(ctx context.Context) (Block, error) {
	if l.at == len(l.data) {
		<-ctx.Done()
		return Block{}, ctx.Err()
	}
	from, end := l.at, min(l.at+benchBlock, len(l.data))
	end = from + bytes.LastIndexByte(l.data[from:end], '\n') + 1
	l.at = end
	return Block{Segment: "bench", Start: int64(from), End: int64(end), Data: l.data[from:end], Live: end == len(l.data)}, nil
}

func (l *benchLog) Watch() {}

func (l *benchLog) Rewind(segment string, offset int64) error {
	return fmt.Errorf("%s is rewound to %d", segment, offset)
}

func (l *benchLog) Sync(string, int64) error { return nil }

func (l *benchLog) Segments() []SegmentInfo {
	return []SegmentInfo{{ID: "bench", Name: "bench", Size: int64(len(l.data)), Read: int64(l.at), Looked: int64(l.at)}}
}

// benchRedis starts a real Redis as it is meant to run: AOF, everysec.
func benchRedis(b *testing.B) redis.UniversalClient {
	b.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	port := ln.Addr().(*net.TCPAddr).Port
	if err := ln.Close(); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command("redis-server", "--bind", "127.0.0.1", "--port", strconv.Itoa(port), "--dir", b.TempDir(),
		"--save", "", "--appendonly", "yes", "--appendfsync", "everysec")
	if err := cmd.Start(); err != nil {
		b.Fatalf("start redis-server: %v; run `make deps`", err)
	}
	b.Cleanup(func() {
		if err := cmd.Process.Kill(); err != nil {
			b.Error(err)
		}
		if err := cmd.Wait(); err == nil {
			b.Error("redis-server ended by itself")
		}
	})
	rdb := Connect(ConnectOptions{Addrs: []string{net.JoinHostPort("127.0.0.1", strconv.Itoa(port))}})
	b.Cleanup(func() {
		if err := rdb.Close(); err != nil {
			b.Error(err)
		}
	})
	awaitBench(b, func() error { return rdb.Ping(context.Background()).Err() })
	return rdb
}

// awaitBench polls ok, which says what is missing.
func awaitBench(b *testing.B, ok func() error) {
	b.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(time.Minute); ; {
		err := ok()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-end:
			b.Fatal(err)
		}
	}
}

// BenchmarkIngest counts a backlog into a real Redis, from the first line until
// the last one is committed and every page's keys are written. One operation is
// the whole backlog; run it with -benchtime 3x. cpu-ns/line is the processor
// time of this side, Redis not included.
func BenchmarkIngest(b *testing.B) {
	for _, c := range []struct {
		name string
		benchTraffic
	}{
		{"pixels", benchTraffic{lines: 500_000, pages: 20_000, visitors: 147_000, sites: 1}},
		{"widget", benchTraffic{lines: 500_000, pages: 20_000, visitors: 147_000, sites: 1, ids: true}},
		{"pixels-none", benchTraffic{lines: 500_000, pages: 20_000, visitors: 147_000, sites: 1, off: 1<<parser.Hour - 1}},
		{"widget-none", benchTraffic{lines: 500_000, pages: 20_000, visitors: 147_000, sites: 1, ids: true, off: 1<<parser.Hour - 1}},
		{"sites", benchTraffic{lines: 200_000, pages: 20_000, visitors: 147_000, sites: 100}},
		{"pixels-week", benchTraffic{lines: 500_000, pages: 20_000, visitors: 147_000, sites: 1, uniques: parser.UniquesWeek}},
		{"pixels-month", benchTraffic{lines: 500_000, pages: 20_000, visitors: 147_000, sites: 1, uniques: parser.UniquesMonth}},
		{"hosting", benchTraffic{lines: 200_000, pages: 10_000, visitors: 10_000, sites: 10_000, ids: true, even: true}},
	} {
		b.Run(c.name, func(b *testing.B) { benchIngest(b, c.benchTraffic) })
	}
}

func benchIngest(b *testing.B, t benchTraffic) {
	rdb, data := benchRedis(b), t.log()
	b.SetBytes(int64(len(data)))
	cpu := cpuTime(b)
	for b.Loop() {
		b.StopTimer()
		if err := rdb.FlushAll(context.Background()).Err(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		countBacklog(b, rdb, data, t)
	}
	lines := float64(b.N) * float64(t.lines)
	b.ReportMetric(lines/b.Elapsed().Seconds(), "lines/s")
	b.ReportMetric(float64(cpuTime(b)-cpu)/lines, "cpu-ns/line")
}

func countBacklog(b *testing.B, rdb redis.UniversalClient, data []byte, t benchTraffic) {
	b.Helper()
	p, err := parser.New(parser.Config{Secret: []byte("0123456789abcdef"), Location: time.UTC, RefererCheck: true, Uniques: t.uniques, Off: t.off})
	if err != nil {
		b.Fatal(err)
	}
	in, err := New(Options{Redis: rdb, Keys: NewKeys(DefaultPrefix, false), Location: time.UTC, Logger: slog.New(slog.DiscardHandler), Uniques: t.uniques},
		Input{Source: &benchLog{data: data}, Parser: p})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- in.Run(ctx) }()
	awaitBench(b, func() error {
		if s, lines := in.Stats(), int64(t.lines); s.Books.Read < lines || s.Books.Human < lines {
			return fmt.Errorf("%d lines are read and %d counted, of %d", s.Books.Read, s.Books.Human, lines)
		}
		return nil
	})
	stop() // folds what is pending
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
}

// cpuTime is what this process has used, in nanoseconds.
func cpuTime(b *testing.B) int64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
