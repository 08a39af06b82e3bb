package e2e

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// settleLimit is how long the daemon may take to be exact after a fault.
const settleLimit = 90 * time.Second

// rig is the set-up of the tests of faults: a log writer in nginx's place, the
// daemon, and Redis behind a proxy.
type rig struct {
	t      *testing.T
	redis  *Redis
	proxy  *Proxy
	client *redis.Client // past the proxy
	daemon *Daemon
	ledger *Ledger
	writer *Writer
	log    string
	rand   *rand.Rand

	traffic   *Traffic
	rotations int
	feeds     uint64
}

// rigOptions are what a test may want otherwise.
type rigOptions struct {
	env    map[string]string
	redis  []string // arguments
	writer WriterOptions
}

// newRig starts Redis and opens the log; the daemon is not started yet. The
// test runs beside others.
func newRig(t *testing.T, opts rigOptions) *rig {
	t.Helper()
	t.Parallel()
	server := StartRedis(t, opts.redis...)
	proxy := StartProxy(t, server.Addr)
	r := &rig{
		t: t, redis: server, proxy: proxy, client: server.Client(t), ledger: NewLedger(time.UTC),
		log:  filepath.Join(TempDir(t), "event.log"),
		rand: rand.New(rand.NewPCG(seed(t), 1)),
	}
	env := map[string]string{
		"REDIS_ADDR": proxy.Addr, "ACCESS_LOG": r.log, "TIMEZONE": "UTC",
	}
	for name, value := range opts.env {
		env[name] = value
	}
	r.daemon = NewDaemon(t, env)
	r.traffic = NewTraffic(r.rand.Uint64(), "192.0.2.1", 60)
	r.writer = NewWriter(t, r.log, r.ledger, opts.writer)
	return r
}

// startRig is newRig with the daemon running.
func startRig(t *testing.T, opts rigOptions) *rig {
	t.Helper()
	r := newRig(t, opts)
	r.daemon.Start()
	return r
}

// seed is what all chance of a test comes from: CHAOS_SEED, or the time. It is
// printed, so that a failure can be had again (as far as the machine plays
// along).
func seed(t testing.TB) uint64 {
	t.Helper()
	n := uint64(time.Now().UnixNano())
	if text := os.Getenv("CHAOS_SEED"); text != "" {
		var err error
		if n, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("CHAOS_SEED: %v", err)
		}
	}
	t.Logf("CHAOS_SEED=%d", n)
	return n
}

// write writes n lines at once, by all workers in turn.
func (r *rig) write(n int) {
	r.t.Helper()
	for i := range n {
		r.writer.Write(i%len(r.writer.workers), r.traffic.Next())
	}
}

// feedRate is how many lines a second a feed writes: what a busy site has, and
// few enough for a daemon with the race detector to keep up.
const feedRate = 1500

// feed writes lines until the function that it returns is called.
func (r *rig) feed() (stop func()) {
	r.t.Helper()
	r.feeds++
	traffic := NewTraffic(r.rand.Uint64(), fmt.Sprintf("198.51.100.%d", r.feeds%250), 60)
	ended, work := make(chan struct{}), sync.WaitGroup{}
	work.Go(func() {
		const tick = 5 * time.Millisecond
		ticker := time.NewTicker(tick)
		defer ticker.Stop()
		for n := 0; ; {
			select {
			case <-ended:
				return
			case <-ticker.C:
			}
			for range feedRate * tick / time.Second {
				n++
				r.writer.Write(n%len(r.writer.workers), traffic.Next())
			}
		}
	})
	stop = sync.OnceFunc(func() {
		close(ended)
		work.Wait()
	})
	r.t.Cleanup(stop)
	return stop
}

// more lets n more lines be written by a feed: time under load is counted in
// lines.
func (r *rig) more(n int) {
	r.t.Helper()
	want := r.ledger.Count() + n
	Eventually(r.t, time.Minute, "lines are written", func() error {
		if have := r.ledger.Count(); have < want {
			return fmt.Errorf("%d of %d", have, want)
		}
		return nil
	})
}

// some lets up to n more lines be written, at random.
func (r *rig) some(n int) {
	r.t.Helper()
	r.more(r.rand.IntN(n))
}

// rotate renames the log as our own rotation does and returns the new name.
func (r *rig) rotate() string {
	r.t.Helper()
	r.rotations++
	name := fmt.Sprintf("%s.20260101T000000Z-%03d", r.log, r.rotations)
	r.writer.Rotate(name)
	return name
}

// exact waits until all counters are the ledger's and the books close.
func (r *rig) exact() books {
	r.t.Helper()
	r.ledger.WaitEqual(r.t, r.client, settleLimit)
	return checkBooks(r.t, r.daemon)
}

// wantLogged waits for a message in the daemon's log.
func (r *rig) wantLogged(text string) {
	r.t.Helper()
	Eventually(r.t, 30*time.Second, "the daemon says why", func() error {
		if !strings.Contains(r.daemon.Log(), text) {
			return fmt.Errorf("its log has no %q", text)
		}
		return nil
	})
}

// wantNotReady waits until /readyz answers 503 with one of the names of what is
// wrong, any if there are none.
func (r *rig) wantNotReady(names ...string) {
	r.t.Helper()
	Eventually(r.t, 30*time.Second, fmt.Sprint("/readyz answers 503 ", names), func() error {
		_, err := r.daemon.Get("/readyz")
		named := func(name string) bool { return strings.Contains(err.Error(), name+":") }
		if err == nil || !strings.Contains(err.Error(), "status 503") || len(names) > 0 && !slices.ContainsFunc(names, named) {
			return fmt.Errorf("it answers %v", err)
		}
		return nil
	})
}

// books are the daemon's metrics by series, such as
// ddkk_commits_total{result="gap"}.
type books map[string]float64

// checkBooks reads the metrics and checks the closing equation: every line
// that was read has become exactly one of the results.
func checkBooks(t testing.TB, d *Daemon) books {
	t.Helper()
	b, err := readBooks(d)
	if err != nil {
		t.Fatalf("read the books: %v", err)
	}
	read, sum := b.sum("ddkk_log_lines_read_total"), b.sum("ddkk_log_lines_total")
	if read != sum {
		t.Errorf("the books do not close: %v lines were read, their results are %v:\n%s", read, sum, b.lines())
	}
	return b
}

func readBooks(d *Daemon) (books, error) {
	text, err := d.Get("/metrics")
	if err != nil {
		return nil, err
	}
	return parseBooks(text)
}

func parseBooks(text []byte) (b books, err error) {
	b = books{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		i := strings.LastIndexByte(line, ' ')
		if i < 0 || line[0] == '#' {
			continue
		}
		if b[line[:i]], err = strconv.ParseFloat(line[i+1:], 64); err != nil {
			return nil, fmt.Errorf("metric %s: %w", line, err)
		}
	}
	return b, nil
}

// sum adds up the series of a metric that have all of the labels, each written
// name="value".
func (b books) sum(name string, labels ...string) float64 {
	var sum float64
series:
	for series, value := range b {
		if rest, ok := strings.CutPrefix(series, name); !ok || rest != "" && rest[0] != '{' {
			continue
		}
		for _, label := range labels {
			if !strings.Contains(series, label) {
				continue series
			}
		}
		sum += value
	}
	return sum
}

// result is the number of lines that became this.
func (b books) result(result string) float64 {
	return b.sum("ddkk_log_lines_total", fmt.Sprintf("result=%q", result))
}

// lines shows what became of lines.
func (b books) lines() string {
	var out strings.Builder
	for series, value := range b {
		if strings.HasPrefix(series, "ddkk_log_lines_total") && value != 0 {
			fmt.Fprintf(&out, "  %s %v\n", series, value)
		}
	}
	return out.String()
}

// want checks a metric.
func (b books) want(t testing.TB, value float64, name string, labels ...string) {
	t.Helper()
	if got := b.sum(name, labels...); got != value {
		t.Errorf("%s%v is %v, want %v", name, labels, got, value)
	}
}

// atLeast checks that a metric shows what happened.
func (b books) atLeast(t testing.TB, value float64, name string, labels ...string) {
	t.Helper()
	if got := b.sum(name, labels...); got < value {
		t.Errorf("%s%v is %v, want at least %v", name, labels, got, value)
	}
}

// wantMetric waits until a metric is at least value.
func (r *rig) wantMetric(value float64, name string, labels ...string) {
	r.t.Helper()
	Eventually(r.t, 30*time.Second, fmt.Sprintf("%s%v is at least %v", name, labels, value), func() error {
		b, err := readBooks(r.daemon)
		if err != nil {
			return err
		}
		if got := b.sum(name, labels...); got < value {
			return fmt.Errorf("it is %v", got)
		}
		return nil
	})
}

// freeAddr is an address that nobody listens on.
func freeAddr(t testing.TB) string {
	t.Helper()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(FreePort(t)))
}
