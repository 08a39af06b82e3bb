package archive

import (
	"fmt"
	"math/rand"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// BenchmarkRun archives and rolls up 300,000 lines of three days: 20,000
// pages, and some 20,000 visitors with browsers of their own.
func BenchmarkRun(b *testing.B) {
	const lines = 300_000
	var segs []*memory
	for d := range 3 {
		segs = append(segs, segmentOf(fmt.Sprint("day", d), busy(int64(d), lines/3, now.Add(time.Duration(d-3)*24*time.Hour))...))
	}
	f := func(name string, at func(testing.TB) place) {
		b.Run(name, func(b *testing.B) {
			var load, all, ours, theirs time.Duration
			for range b.N {
				a := open(b, at(b))
				mine, served := cpuOf(b, os.Getpid()), cpuOf(b, server.cmd.Process.Pid)
				began := time.Now()
				var sum Summary
				known := a.newFresh()
				check(b, a.loadSource(b.Context(), source(b, segs...), known, &sum))
				load += time.Since(began)
				_, err := a.rollUp(b.Context(), "", known)
				check(b, err)
				all += time.Since(began)
				ours += cpuOf(b, os.Getpid()) - mine
				theirs += cpuOf(b, server.cmd.Process.Pid) - served
				if sum.Lines != lines {
					b.Fatalf("%+v", sum)
				}
			}
			b.ReportMetric(float64(b.N)*lines/all.Seconds(), "lines/s")
			b.ReportMetric(float64(b.N)*lines/load.Seconds(), "loaded/s")
			b.ReportMetric(float64(ours.Microseconds())/float64(b.N*lines), "cpu-us/line")
			b.ReportMetric(float64(theirs.Microseconds())/float64(b.N*lines), "server-us/line")
		})
	}
	f("mariadb", mariaPlace)
	f("sqlite", sqlitePlace)
}

// cpuOf is the processor time that a process has used, in steps of 10 ms.
func cpuOf(b *testing.B, pid int) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	check(b, err)
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	var ticks int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		check(b, err)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

func busy(seed int64, n int, from time.Time) []view {
	r := rand.New(rand.NewSource(seed))
	pages := rand.NewZipf(r, 1.1, 10, 20_000)
	all := make([]view, n)
	for i := range all {
		visitor := int(r.ExpFloat64() * 5_000)
		all[i] = view{
			at: from.Add(time.Duration(i) * 24 * time.Hour / time.Duration(n)), site: "blog.example",
			addr:    fmt.Sprintf("198.51.%d.%d", visitor/250%250, visitor%250),
			page:    "/2026/11/an-article-about-things-" + strconv.Itoa(int(pages.Uint64())) + "/",
			agent:   "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/" + strconv.Itoa(100+visitor%40) + ".0.0.0 Safari/537.36",
			referer: "https://blog.example/2026/11/an-article-about-things/",
			id:      strconv.FormatInt(r.Int63(), 36),
		}
	}
	return all
}

// BenchmarkScan reads and encodes 100,000 lines as a load does, for nobody.
func BenchmarkScan(b *testing.B) {
	const lines = 100_000
	seg := segmentOf("day", busy(1, lines, now.Add(-24*time.Hour))...)
	a := open(b, sqlitePlace(b))
	b.ReportAllocs()
	began := cpuOf(b, os.Getpid())
	for b.Loop() {
		l := a.newLoader(source(b, seg))
		l.seg = seg
		s, err := l.scan(b.Context(), 0)
		check(b, err)
		w := &partWriter{s: s, named: namedTexts{newTexts(), newTexts()}}
		for p := (rowPart{rows: 1}); p.rows > 0; {
			p, err = w.next(p.text[:0])
			check(b, err)
		}
		if s.rows != lines {
			b.Fatal(s.rows)
		}
	}
	b.ReportMetric(float64((cpuOf(b, os.Getpid())-began).Nanoseconds())/float64(b.N)/lines, "cpu-ns/line")
}
