package vault

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
	"ddkk-stats/internal/config"
	"ddkk-stats/parser"
)

// BenchmarkRestore restores a site into a real Redis: each of its pages was seen
// twice on one day, by two of as many visitors. It comes from SQLite, or from the
// empty database that RESTORE_DSN names; RESTORE_PAGES is how many pages it has.
// The processor time of Redis is told beside this program's own.
func BenchmarkRestore(b *testing.B) {
	pages := 100_000
	if text := os.Getenv("RESTORE_PAGES"); text != "" {
		var err error
		if pages, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	rdb, server := benchRedis(b)
	cfg, err := config.Load("", func(name string) (string, bool) {
		switch name {
		case "DATA_DIR":
			return b.TempDir(), true
		case "TIMEZONE":
			return "UTC", true
		case "MYSQL_DSN":
			return os.LookupEnv("RESTORE_DSN")
		case "MAX_PAGES_PER_SITE":
			return strconv.Itoa(max(pages, 1)), true
		}
		return "", false
	})
	if err != nil {
		b.Fatal(err)
	}
	v := New(config.NewLive(cfg), rdb, counter.NewKeys("ddkk", false), slog.New(slog.DiscardHandler))
	defer func() {
		if err := v.Close(); err != nil {
			b.Error(err)
		}
	}()
	a, err := v.Open(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	p, err := parser.New(cfg.Parser(parser.FormatV1, []byte("secret")))
	if err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	if _, err := a.Run(b.Context(), archive.Source{Name: "bench", Parser: p, Segments: []archive.Segment{twice(pages)}}); err != nil {
		b.Fatal(err)
	}
	b.Logf("archived %d lines in %v", 2*pages, time.Since(began))
	var mine, theirs time.Duration
	for b.Loop() {
		b.StopTimer()
		if err := rdb.FlushAll(b.Context()).Err(); err != nil {
			b.Fatal(err)
		}
		mine -= cpuOf(b, os.Getpid())
		theirs -= cpuOf(b, server)
		b.StartTimer()
		done, err := v.Rebuild(b.Context(), "blog.example", func(int64) {})
		if err != nil || done.Pages != int64(pages) {
			b.Fatal(done, err)
		}
		mine += cpuOf(b, os.Getpid())
		theirs += cpuOf(b, server)
	}
	b.ReportMetric(mine.Seconds()/float64(b.N), "cpu-s/op")
	b.ReportMetric(theirs.Seconds()/float64(b.N), "redis-cpu-s/op")
}

// cpuOf is the processor time that a process has used, in steps of 10 ms.
func cpuOf(b *testing.B, pid int) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	var ticks int64
	for _, field := range strings.Fields(rest)[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// benchSegment is a log in memory, of yesterday.
type benchSegment []byte

func (s benchSegment) ID() string { return "bench" }

func (s benchSegment) Name() string { return "bench.log" }

func (s benchSegment) Size() int64 { return int64(len(s)) }

func (s benchSegment) Open(_ context.Context, from int64) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(s[from:])), nil
}

// twice is a log of n pages that were seen twice.
func twice(n int) benchSegment {
	at := time.Now().UTC().Truncate(24 * time.Hour).Add(-24 * time.Hour).UnixMilli()
	var b bytes.Buffer
	for i := range 2 * n {
		ms := at + int64(i)*86_400_000/int64(2*n)
		fmt.Fprintf(&b, "v1\t%d.%03d\t%032x\t10.%d.%d.%d\th\tGET\t200\t/event.png?site=blog.example&page=/2026/11/an-article-about-things-%d/&id=%x\t-\tMozilla/5.0 Firefox/140.0\t-\t-\t-\t0.000\t43\tend\n",
			ms/1000, ms%1000, i+1, i/2>>16&255, i/2>>8&255, i/2&255, i*7919%n, i)
	}
	return b.Bytes()
}

// benchRedis starts a Redis on a free port, and tells its process.
func benchRedis(b *testing.B) (*redis.Client, int) {
	b.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	addr := ln.Addr().String()
	if err := ln.Close(); err != nil {
		b.Fatal(err)
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes", "--dir", b.TempDir())
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	rdb := redis.NewClient(&redis.Options{Addr: addr, ReadTimeout: time.Minute, WriteTimeout: time.Minute})
	b.Cleanup(func() {
		if err := rdb.Close(); err != nil {
			b.Error(err)
		}
		if err := cmd.Process.Kill(); err != nil {
			b.Error(err)
		}
		cmd.Wait() // it was killed, which is its error
	})
	for range 200 {
		if err = rdb.Ping(b.Context()).Err(); err == nil {
			return rdb, cmd.Process.Pid
		}
		time.Sleep(20 * time.Millisecond)
	}
	b.Fatal(err)
	return nil, 0
}
