package parser

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

// gzLines reads a compressed text file.
func gzLines(t testing.TB, name string) []string {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zr, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := b.ReadFrom(zr); err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
}

// realAgents are the user agents of the real log, each once.
func realAgents(t testing.TB) []string {
	seen := map[string]bool{}
	var agents []string
	for _, line := range gzLines(t, realLog) {
		parts := strings.Split(line, `"`)
		if len(parts) < 6 || seen[parts[5]] || strings.Contains(parts[5], `\`) {
			continue
		}
		seen[parts[5]] = true
		agents = append(agents, parts[5])
	}
	return agents
}

// v1Line writes one line as nginx does.
func v1Line(ms int64, id uint64, addr, uri, referer, agent string) []byte {
	return fmt.Appendf(nil, "v1\t%d.%03d\t%032x\t%s\tstats-host.example\tGET\t200\t%s\t%s\t%s\t-\t-\t-\t0.000\t43\tend",
		ms/1000, ms%1000, id, addr, uri, referer, agent)
}

// benchLines are beacons of one day: 20k pages by Zipf's law, 50k visitors with
// the real log's user agents.
func benchLines(t testing.TB, n int) [][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	agents, zipf := realAgents(t), rand.NewZipf(r, 1.1, 8, 20000-1)
	start := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC).UnixMilli()
	lines := make([][]byte, n)
	var block []byte // lines lie one after the other, as a reader hands them out
	ends := make([]int, n)
	for i := range lines {
		article := int(zipf.Uint64())
		page := fmt.Sprintf("/posts/%d/an-article-about-%d/", 2015+article%10, article)
		visitor := r.IntN(50000)
		uri := fmt.Sprintf("/event.png?site=ddkk.com&page=%s&id=%010x&_=%x",
			url.QueryEscape(page), r.Uint64()&0xffffffffff, r.Uint64()&0xffffffff)
		addr := fmt.Sprintf("203.%d.%d.%d", visitor>>16, visitor>>8&255, visitor&255)
		block = append(block, v1Line(start+int64(i)*10, r.Uint64(), addr, uri, "https://www.ddkk.com"+page, agents[visitor%min(500, len(agents))])...)
		ends[i] = len(block)
	}
	from := 0
	for i, end := range ends {
		lines[i], from = block[from:end:end], end
	}
	return lines
}

func benchConfig() Config {
	return Config{Secret: []byte("0123456789abcdef"), Sites: []string{"ddkk.com"}, RefererCheck: true}
}

func BenchmarkParseV1(b *testing.B) {
	p, err := New(benchConfig())
	if err != nil {
		b.Fatal(err)
	}
	lines := benchLines(b, 100000)
	size := 0
	for _, line := range lines {
		size += len(line) + 1
	}
	b.SetBytes(int64(size / len(lines)))
	b.ReportAllocs()
	var h Hit
	best := newQuiet(len(lines))
	i := 0
	for b.Loop() {
		best.at(i)
		p.Parse(lines[i], &h)
		if h.Kind != Pageview {
			b.Fatalf("%v %v: %s", h.Kind, h.Reason, lines[i])
		}
		if i++; i == len(lines) {
			i = 0
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lines/s")
	b.ReportMetric(best.perLine(), "quiet-ns/line")
}

// quiet measures what lines cost where nothing disturbs: of each stretch of
// them the quickest pass counts. On a machine that does other things as well
// the mean of all passes says more about those.
type quiet struct {
	best  []time.Duration // of each stretch
	lines int
	begun time.Time
}

const quietStretch = 250

func newQuiet(lines int) *quiet {
	return &quiet{best: make([]time.Duration, (lines+quietStretch-1)/quietStretch), lines: lines}
}

// at says that line i comes next; lines come in their order, again and again.
func (q *quiet) at(i int) {
	if i%quietStretch != 0 {
		return
	}
	now := time.Now()
	if last := (i/quietStretch + len(q.best) - 1) % len(q.best); !q.begun.IsZero() {
		if took := now.Sub(q.begun); q.best[last] == 0 || took < q.best[last] {
			q.best[last] = took
		}
	}
	q.begun = now
}

// perLine is in nanoseconds, of the stretches that were measured.
func (q *quiet) perLine() float64 {
	var sum time.Duration
	n := 0
	for _, t := range q.best {
		if t > 0 {
			sum, n = sum+t, n+1
		}
	}
	return float64(sum.Nanoseconds()) / float64(max(n, 1)*min(quietStretch, q.lines))
}

func BenchmarkParseCombined(b *testing.B) {
	c := benchConfig()
	c.Format = FormatCombined
	p, err := New(c)
	if err != nil {
		b.Fatal(err)
	}
	var lines [][]byte
	for _, line := range gzLines(b, realLog) {
		lines = append(lines, []byte(line))
	}
	b.ReportAllocs()
	var h Hit
	i := 0
	for b.Loop() {
		p.Parse(lines[i], &h)
		p.PageOf(&h, "ddkk.com", h.URI)
		if i++; i == len(lines) {
			i = 0
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}

// BenchmarkAgentMiss is what a user agent costs that is not cached.
func BenchmarkAgentMiss(b *testing.B) {
	m, err := crawlers()
	if err != nil {
		b.Fatal(err)
	}
	agents := realAgents(b)
	i := 0
	for b.Loop() {
		m.match([]byte(agents[i]))
		if i++; i == len(agents) {
			i = 0
		}
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		if _, err := newBotMatcher(crawlerPatterns); err != nil {
			b.Fatal(err)
		}
	}
}
