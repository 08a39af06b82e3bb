package archive

import (
	"fmt"
	"math/rand"
	"strconv"
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
			var load, all time.Duration
			for range b.N {
				a := open(b, at(b))
				began := time.Now()
				var sum Summary
				check(b, a.loadSource(b.Context(), source(b, segs...), &sum))
				load += time.Since(began)
				_, err := a.RollUp(b.Context())
				check(b, err)
				all += time.Since(began)
				if sum.Lines != lines {
					b.Fatalf("%+v", sum)
				}
			}
			b.ReportMetric(float64(b.N)*lines/all.Seconds(), "lines/s")
			b.ReportMetric(float64(b.N)*lines/load.Seconds(), "loaded/s")
		})
	}
	f("mariadb", mariaPlace)
	f("sqlite", sqlitePlace)
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
