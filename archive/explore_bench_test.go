package archive

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"ddkk-stats/parser"
)

// BenchmarkExplore groups and filters raw rows as /api/admin/explore and "report" do: thirty
// days of three sites, of which one has half of the rows. EXPLORE_ROWS says how many there are
// (100,000), EXPLORE_AT whether sqlite or mariadb alone. One operation is one question about all
// days; run it with -benchtime 3x.
func BenchmarkExplore(b *testing.B) {
	rows := 100_000
	if text := os.Getenv("EXPLORE_ROWS"); text != "" {
		var err error
		rows, err = strconv.Atoi(text)
		check(b, err)
	}
	for _, x := range []struct {
		name string
		at   func(testing.TB) place
	}{{"sqlite", sqlitePlace}, {"mariadb", mariaPlace}} {
		if only := os.Getenv("EXPLORE_AT"); only == "" || only == x.name {
			b.Run(x.name, func(b *testing.B) { benchExplore(b, x.at(b), rows) })
		}
	}
}

const exploreDays = 30

func benchExplore(b *testing.B, at place, rows int) {
	p, err := parser.New(parser.Config{Secret: []byte("secret"), Country: func(a netip.Addr) string {
		return [...]string{"DE", "US", "CN", "FR", "JP", "BR", "IN", ""}[a.As4()[3]%8]
	}})
	check(b, err)
	src := Source{Name: "host:/log/event.log", Parser: p}
	for d := range exploreDays {
		src.Segments = append(src.Segments, &exploreDay{day: d, rows: rows / exploreDays})
	}
	a := open(b, at, func(o *Options) { o.Workers = 1 })
	sum, err := a.Run(b.Context(), src)
	check(b, err)
	if sum.Rows < int64(rows/exploreDays*exploreDays) {
		b.Fatalf("%+v", sum)
	}
	first, last := parser.DayOf(now.AddDate(0, 0, -exploreDays)), parser.DayOf(now)
	ask := func(site, by string, terms ...Term) (names int) {
		days, _, err := a.Read().RowsOfDays(b.Context(), site, first, last)
		check(b, err)
		for _, d := range days {
			_, err := a.Read().ExploreDay(b.Context(), site, d, by, terms, func(NameTotals) { names++ })
			check(b, err)
		}
		return names
	}
	for _, q := range []struct {
		name, by string
		sites    int
		terms    []Term
	}{
		{"country", "country", 1, nil},
		{"browser", "browser", 1, nil},
		{"page", "page", 1, nil},
		{"page of a country", "page", 1, []Term{{Name: "country", Value: "DE"}}},
		{"country of pages", "country", 1, []Term{{Name: "page", Value: "/docs/", Prefix: true}}},
		{"country of all sites", "country", 3, nil},
		{"pages below a path", "page", 1, []Term{{Name: "page", Value: "/docs/", Prefix: true}}},
		{"days of a page", "day", 1, []Term{{Name: "page", Value: "/docs/1"}}},
	} {
		b.Run(strings.ReplaceAll(q.name, " ", "-"), func(b *testing.B) {
			cpu := cpuOf(b, os.Getpid()) + cpuOf(b, server.cmd.Process.Pid)
			for b.Loop() {
				names := 0
				for site := range q.sites {
					names += ask(exploreSites[site], q.by, q.terms...)
				}
				if names == 0 {
					b.Fatal("nothing was found")
				}
			}
			cpu = cpuOf(b, os.Getpid()) + cpuOf(b, server.cmd.Process.Pid) - cpu
			b.ReportMetric(float64(cpu.Milliseconds())/float64(b.N), "cpu-ms/op") // here and in MariaDB
		})
	}
}

var exploreSites = [...]string{"docs.example", "blog.example", "shop.example"}

// exploreDay is a day of a log, made when it is read.
type exploreDay struct {
	day, rows int
	data      []byte
}

func (d *exploreDay) ID() string   { return fmt.Sprintf("%032d", d.day) }
func (d *exploreDay) Name() string { return fmt.Sprintf("/log/event.log.%d", d.day) }

func (d *exploreDay) Size() int64 {
	if d.data == nil {
		d.data = d.lines()
	}
	return int64(len(d.data))
}

func (d *exploreDay) Open(_ context.Context, from int64) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(string(d.data[from:]))), nil
}

func (d *exploreDay) lines() []byte {
	rng := rand.New(rand.NewPCG(uint64(d.day), 19))
	pages := rand.NewZipf(rng, 1.1, 10, 20_000)
	agents := [...]string{browser, "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"}
	from := now.AddDate(0, 0, d.day-exploreDays).Truncate(24 * time.Hour).UnixMilli()
	b := make([]byte, 0, 200*d.rows)
	for i := range d.rows {
		at, who := from+int64(i)*86_400_000/int64(d.rows), rng.IntN(20_000)
		page := "/blog/" + strconv.FormatUint(pages.Uint64(), 10)
		if rng.IntN(3) == 0 {
			page = "/docs/" + page[len("/blog/"):]
		}
		b = fmt.Appendf(b, "v2\t%d.%03d\t%032x\t198.51.%d.%d\th\tGET\t200\t/event.png?site=%s&page=%s&w=1440\t-\t%s\t-\t-\t-\t0.000\t43\tde\tend\n",
			at/1000, at%1000, i, who/250, who%250, exploreSites[max(0, rng.IntN(4)-1)], page, agents[who%len(agents)])
	}
	return b
}
