package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// The harness is a program as well: an oracle that finds no difference where
// there is one would make every other test worthless.

func TestHarnessRedisForgetsWhatWasCut(t *testing.T) {
	r := StartRedis(t)
	c := r.Client(t)
	ctx := t.Context()
	must(t, c.Set(ctx, "a", "1", 0).Err())
	r.Stop()
	size := r.AOFSize()
	before := r.Snapshot()
	r.Start()
	must(t, c.Set(ctx, "b", "2", 0).Err())
	r.Stop()
	r.CutAOF(r.AOFSize() - size) // the write of b, and no more
	r.Start()
	wantExists(t, c, "a", 1)
	wantExists(t, c, "b", 0)

	must(t, c.Set(ctx, "c", "3", 0).Err())
	r.Stop()
	r.Restore(before)
	r.Start()
	wantExists(t, c, "a", 1)
	wantExists(t, c, "c", 0)

	r.Kill()
	if err := c.Ping(ctx).Err(); err == nil {
		t.Error("a killed redis answers")
	}
	r.Start()
	wantExists(t, c, "a", 1)
	policy, err := c.ConfigGet(ctx, "maxmemory-policy").Result()
	must(t, err)
	if policy["maxmemory-policy"] != "noeviction" {
		t.Errorf("the shipped configuration has %v", policy)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantExists(t *testing.T, c *redis.Client, key string, want int64) {
	t.Helper()
	got, err := c.Exists(t.Context(), key).Result()
	must(t, err)
	if got != want {
		t.Errorf("key %s exists %d times, want %d", key, got, want)
	}
}

func TestMariaDBComesBack(t *testing.T) {
	m := StartMariaDB(t)
	dsn := m.Create("stats")
	if !strings.Contains(dsn, "/stats?") {
		t.Errorf("DSN %q", dsn)
	}
	db := m.Open(t, "stats")
	_, err := db.Exec("CREATE TABLE x (n INT) ENGINE=InnoDB")
	must(t, err)
	_, err = db.Exec("INSERT INTO x VALUES (7)")
	must(t, err)
	m.Kill()
	m.Start()
	var n, local int
	must(t, db.QueryRow("SELECT n FROM x").Scan(&n))
	must(t, db.QueryRow("SELECT @@local_infile").Scan(&local))
	if n != 7 || local != 1 {
		t.Errorf("after kill -9: n = %d, local_infile = %d", n, local)
	}
	m.Stop()
}

func TestHarnessProxyFaults(t *testing.T) {
	r := StartRedis(t)
	p := StartProxy(t, r.Addr)
	c := redis.NewClient(&redis.Options{Addr: p.Addr, MaxRetries: -1, ReadTimeout: 300 * time.Millisecond, PoolSize: 1})
	t.Cleanup(func() { must(t, c.Close()) })
	ctx := t.Context()
	want := func(n int64) {
		t.Helper()
		got, err := r.Client(t).Get(ctx, "n").Int64()
		must(t, err)
		if got != n {
			t.Errorf("n = %d, want %d", got, n)
		}
	}
	must(t, c.Incr(ctx, "n").Err())
	want(1)

	// The connection is there already: the first reply to be lost is INCR's.
	p.LoseReplies(1)
	if err := c.Incr(ctx, "n").Err(); err == nil {
		t.Error("the reply was not lost")
	}
	want(2) // and yet it was executed
	if p.Lost() != 1 {
		t.Errorf("lost %d replies", p.Lost())
	}

	p.Refuse(true)
	if err := c.Incr(ctx, "n").Err(); err == nil {
		t.Error("a refused connection works")
	}
	p.Refuse(false)
	must(t, c.Incr(ctx, "n").Err())
	want(3)

	p.BlackHole(true)
	if err := c.Incr(ctx, "n").Err(); !isTimeout(err) {
		t.Errorf("a black hole gives %v, want a timeout", err)
	}
	want(3)
	p.BlackHole(false)

	p.Delay(50 * time.Millisecond)
	began := time.Now()
	must(t, c.Ping(ctx).Err())
	if took := time.Since(began); took < 100*time.Millisecond {
		t.Errorf("there and back took %v, want 100ms at least", took)
	}
	p.Delay(0)
	p.Drop()
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// TestHarnessNginxLoad sends beacons through an nginx and compares its log,
// line by line, with what the ledger has recorded.
func TestHarnessNginxLoad(t *testing.T) {
	n := startTestNginx(t)
	ledger := NewLedger(time.UTC)
	load := StartLoad(t, LoadOptions{Addr: n.Addr, Ledger: ledger, Total: 4000})
	load.WaitAcked(1500, 30*time.Second)
	old := n.Rotate(".1")
	load.Wait()
	n.Stop() // whatever was still to be written is
	lines := countLines(t, old) + countLines(t, n.Log)
	if lines != 4000 || ledger.Count() != 4000 || load.Acked() != 4000 || load.Refused() != 0 {
		t.Errorf("%d lines, %d in the ledger, %d answered, %d refused; want 4000 three times and 0",
			lines, ledger.Count(), load.Acked(), load.Refused())
	}
	if countLines(t, n.Log) == 0 {
		t.Error("nothing was written after the rotation")
	}
}

// startTestNginx is an nginx that needs no daemon's binary.
func startTestNginx(t *testing.T) *Nginx {
	dir := TempDir(t)
	addr := "127.0.0.1:" + strconv.Itoa(FreePort(t))
	log := filepath.Join(dir, "event.log")
	conf := fmt.Sprintf(`
		worker_processes 2;
		pid %[1]s/nginx.pid;
		error_log %[1]s/error.log;
		events {}
		http {
			log_format plain '$request_uri\t$http_user_agent';
			access_log off;
			client_body_temp_path %[1]s/tmp; proxy_temp_path %[1]s/tmp; fastcgi_temp_path %[1]s/tmp;
			uwsgi_temp_path %[1]s/tmp; scgi_temp_path %[1]s/tmp;
			server {
				listen %[2]s;
				location = /event.png { empty_gif; access_log %[3]s plain; }
			}
		}`, dir, addr, log)
	return startNginx(t, dir, addr, log, []byte(conf))
}

func countLines(t *testing.T, path string) int {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	return strings.Count(string(data), "\n")
}

// TestHarnessWriter has several workers write through rotations that they
// notice late, and finds every line whole in one of the files.
func TestHarnessWriter(t *testing.T) {
	path := filepath.Join(TempDir(t), "event.log")
	ledger := NewLedger(time.UTC)
	var mu sync.Mutex
	now := time.Unix(1_700_000_000, 0)
	clock := func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(time.Millisecond)
		return now
	}
	w := NewWriter(t, path, ledger, WriterOptions{Workers: 3, Late: 900 * time.Millisecond, Halves: true, Now: clock})
	const rounds, perRound = 3, 400
	for round := range rounds {
		var work sync.WaitGroup
		for worker := range 3 {
			work.Go(func() {
				traffic := NewTraffic(uint64(round*3+worker), sourceAddress(worker), 10)
				for range perRound {
					r := traffic.Next()
					r.Time = clock()
					w.Write(worker, r)
				}
			})
		}
		work.Wait()
		w.Rotate(fmt.Sprintf("%s.%d", path, rounds-round))
	}
	w.Settle()
	w.Raw(0, "not a record\n")
	files, err := filepath.Glob(path + "*")
	must(t, err)
	whole := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		must(t, err)
		for line := range strings.Lines(string(data)) {
			if fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t"); len(fields) == 16 && fields[0] == "v1" && fields[15] == "end" {
				whole++
			}
		}
	}
	if want := rounds * 3 * perRound; whole != want || ledger.Count() != want {
		t.Errorf("%d whole lines, %d in the ledger, want %d", whole, ledger.Count(), want)
	}
}

func TestHarnessLineIsEscaped(t *testing.T) {
	line := Line(Request{
		Beacon: Beacon{IP: "192.0.2.1", UA: "a\t\"b\"\\é\x7f", Time: time.UnixMilli(1_700_000_000_042)},
		URI:    "/event.png?page=%2F",
	})
	fields := strings.Split(line, "\t")
	if len(fields) != 16 || fields[1] != "1700000000.042" || fields[9] != `a\x09\x22b\x22\x5C\xC3\xA9\x7F` || fields[8] != "-" {
		t.Errorf("%d fields: %q", len(fields), fields)
	}
}

// TestHarnessBeaconConnTellsUnknownFate: a server that takes the request and
// hangs up must not be asked a second time behind the test's back.
func TestHarnessBeaconConnTellsUnknownFate(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var requests int
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			buffer := make([]byte, 4096)
			if n, err := conn.Read(buffer); n > 0 && err == nil {
				requests++
			}
			if err := conn.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		}
	}()
	c := &beaconConn{addr: listener.Addr().String(), source: sourceAddress(3)}
	must(t, c.open(t.Context()))
	r := NewTraffic(1, c.source, 1).Next()
	if _, err := c.send(&r); err == nil {
		t.Error("no error")
	}
	must(t, c.close())
	must(t, listener.Close())
	<-done
	if requests != 1 {
		t.Errorf("the request was sent %d times", requests)
	}
}

func TestHarnessTrafficIsRepeatable(t *testing.T) {
	a, b := NewTraffic(7, "127.0.0.1", 5), NewTraffic(7, "127.0.0.1", 5)
	seen := map[string]bool{}
	for range 2000 {
		x, y := a.Next(), b.Next()
		if x.URI != y.URI || x.UA != y.UA {
			t.Fatalf("%q and %q", x.URI, y.URI)
		}
		if _, err := http.NewRequest(http.MethodGet, "http://x"+x.URI, nil); err != nil {
			t.Fatal(err)
		}
		seen[x.Site] = true
	}
	if len(seen) != 4 {
		t.Errorf("sites: %v", seen)
	}
}

func TestHarnessEventuallyReportsTheLastError(t *testing.T) {
	calls := 0
	err := poll(20*time.Millisecond, func() error { calls++; return io.ErrUnexpectedEOF })
	if !errors.Is(err, io.ErrUnexpectedEOF) || calls < 2 {
		t.Errorf("%v after %d calls", err, calls)
	}
	if err := poll(0, func() error { return nil }); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := &beaconConn{addr: "127.0.0.1:1", source: "127.0.0.1"}
	if err := c.open(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("opening after the end: %v", err)
	}
}
