package counter

import (
	"net"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

// readServer is a real redis-server on a free loopback port that keeps its
// data in a temporary folder.
type readServer struct {
	t       *testing.T
	options []string
	port    int
	dir     string
	cmd     *exec.Cmd
}

func (s *readServer) addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

func startReadServer(t *testing.T, options ...string) *readServer {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Fatal("redis-server is missing: run `make deps`")
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &readServer{t: t, options: options, port: ln.Addr().(*net.TCPAddr).Port, dir: t.TempDir()}
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	s.start()
	t.Cleanup(s.kill)
	return s
}

func (s *readServer) start() {
	s.t.Helper()
	s.cmd = exec.Command("redis-server", append([]string{"--bind", "127.0.0.1", "--port", strconv.Itoa(s.port), "--dir", s.dir,
		"--save", "", "--appendonly", "yes", "--appendfsync", "always", "--daemonize", "no"}, s.options...)...)
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	probe := readClient(s.t, s.addr())
	for tick, end := time.NewTicker(5*time.Millisecond), time.After(10*time.Second); ; {
		if probe.Ping(s.t.Context()).Err() == nil {
			return
		}
		select {
		case <-tick.C:
		case <-end:
			s.t.Fatal("redis-server does not answer")
		}
	}
}

// kill ends the server as a crash would.
func (s *readServer) kill() {
	if s.cmd.ProcessState != nil {
		return
	}
	if err := s.cmd.Process.Kill(); err != nil {
		s.t.Error(err)
	}
	if err := s.cmd.Wait(); err == nil {
		s.t.Error("redis-server ended by itself")
	}
}

func TestReadSurvivesDeadRedis(t *testing.T) {
	s := startReadServer(t)
	rdb := readClient(t, s.addr())
	if err := rdb.Set(t.Context(), "ddkk:site:pv:ddkk.com", 41, 0).Err(); err != nil {
		t.Fatal(err)
	}
	r := newTestReader(t, rdb, readMoment(), func(o *ReaderOptions) { o.Now = time.Now })
	stat := func() SiteStats {
		t.Helper()
		st, err := r.Stats(t.Context(), readSite, "", FieldSitePV)
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	if st := stat(); st != (SiteStats{SitePV: 41}) {
		t.Fatalf("before: %+v", st)
	}
	trips := watchTrips(t, rdb)
	s.kill()
	const reads = 10_000
	for range reads {
		if st := stat(); st != (SiteStats{SitePV: 41, Stale: true}) {
			t.Fatalf("dead: %+v", st)
		}
	}
	// It is tried again each DefaultRetryAfter, however slow the machine is.
	if n := trips.count(); n == 0 || n > reads/10 {
		t.Errorf("%d reads asked a dead Redis %d times", reads, n)
	}
	s.start()
	for tick, end := time.NewTicker(5*time.Millisecond), time.After(10*time.Second); ; {
		if st := stat(); st == (SiteStats{SitePV: 41}) {
			return
		}
		select {
		case <-tick.C:
		case <-end:
			t.Fatal("reads stay stale although Redis is back")
		}
	}
}

// A server that is stopped accepts connections and never answers.
func TestReadDoesNotWaitForHangingRedis(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := ln.Close(); err != nil {
			t.Error(err)
		}
	}()
	rdb, trips := readClient(t, ln.Addr().String()), &readTrips{}
	rdb.AddHook(trips)
	r := newTestReader(t, rdb, readMoment(), func(o *ReaderOptions) {
		o.Now, o.Timeout, o.RetryAfter = time.Now, 50*time.Millisecond, time.Hour
	})
	for range 100 {
		if st, err := r.Stats(t.Context(), readSite, "", FieldSitePV); err != nil || !st.Stale {
			t.Fatalf("%+v, %v", st, err)
		}
	}
	// What a connection says first are questions, too.
	if n := trips.count(); n == 0 || n > 10 {
		t.Errorf("100 reads asked a hanging Redis %d times, want once and the connection's hello", n)
	}
}
