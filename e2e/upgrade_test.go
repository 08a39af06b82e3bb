package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// apiLoad asks the API without end, by connections of its own that it keeps and
// by new ones, and gathers what went wrong.
type apiLoad struct {
	asked   atomic.Int64
	slowest atomic.Int64
	stop    func()

	mu   sync.Mutex
	errs []error
}

func startAPILoad(t *testing.T, addr string) *apiLoad {
	a := &apiLoad{}
	end := make(chan struct{})
	var work sync.WaitGroup
	for i := range 4 {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: i%2 == 0}, Timeout: 20 * time.Second}
		work.Go(func() {
			defer client.CloseIdleConnections()
			tick := time.NewTicker(3 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-end:
					return
				case <-tick.C:
				}
				began := time.Now()
				_, err := readResponse(client.Post("http://"+addr+"/api/stats", "application/json",
					strings.NewReader(`{"site":"ddkk.com","page":"/","fields":["site_pv","page_pv"]}`)))
				a.asked.Add(1)
				a.slowest.Store(max(a.slowest.Load(), int64(time.Since(began))))
				if err != nil {
					a.mu.Lock()
					a.errs = append(a.errs, err)
					a.mu.Unlock()
				}
			}
		})
	}
	a.stop = sync.OnceFunc(func() { close(end); work.Wait() })
	t.Cleanup(a.stop)
	return a
}

// end stops asking and fails the test for each request without an answer.
func (a *apiLoad) end(t *testing.T) {
	t.Helper()
	a.stop()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, err := range a.errs[:min(len(a.errs), 5)] {
		t.Errorf("the API: %v", err)
	}
	t.Logf("%d requests, %d without an answer, the slowest took %v", a.asked.Load(), len(a.errs), time.Duration(a.slowest.Load()).Round(time.Millisecond))
}

// upgraded waits until the daemon has become its next version so often.
func upgraded(t *testing.T, d *Daemon, pid, n int) {
	t.Helper()
	Eventually(t, 30*time.Second, "the daemon has become the new binary", func() error {
		if starts := strings.Count(d.Log(), "demo page"); starts < n+1 {
			return fmt.Errorf("started %d times", starts)
		}
		return nil
	})
	d.WaitReady(30 * time.Second)
	if d.PID() != pid {
		t.Errorf("the process is another one")
	}
}

// TestUpgrade has the daemon become a new binary under load, again and again:
// each beacon and each request is answered, and all is counted once.
func TestUpgrade(t *testing.T) {
	server := StartRedis(t)
	d := NewDaemon(t, map[string]string{"REDIS_ADDR": server.Addr, "TIMEZONE": "UTC"})
	// A binary of its own, which the test replaces.
	binary := filepath.Join(TempDir(t), "ddkk-stats")
	install := func(from string) {
		t.Helper()
		data, err := os.ReadFile(from)
		must(t, err)
		must(t, os.WriteFile(binary+".new", data, 0o755))
		must(t, os.Rename(binary+".new", binary))
	}
	install(Binary(t))
	d.path = binary
	d.Start()
	pid := d.PID()
	ledger := NewLedger(time.UTC)
	load := StartLoad(t, LoadOptions{Addr: d.Addr, Ledger: ledger, Total: 6000, Clients: 6, Pace: 4 * time.Millisecond})
	api := startAPILoad(t, d.Addr)
	for n := range 3 {
		load.WaitAcked(1200*(n+1), time.Minute)
		install(Binary(t))
		d.signal(syscall.SIGUSR2)
		upgraded(t, d, pid, n+1)
	}

	// A binary that would not start changes nothing.
	broken := filepath.Join(TempDir(t), "broken")
	must(t, os.WriteFile(broken, []byte("#!/bin/sh\necho it is broken >&2\nexit 1\n"), 0o755))
	install(broken)
	d.signal(syscall.SIGUSR2)
	Eventually(t, 20*time.Second, "the daemon says that it is cannot upgrade", func() error {
		if log := d.Log(); !strings.Contains(log, "cannot upgrade") || !strings.Contains(log, "it is broken") {
			return errors.New("it does not")
		}
		return nil
	})
	load.Wait()
	if load.Refused() != 0 {
		t.Errorf("%d beacons were refused", load.Refused())
	}
	api.end(t)
	ledger.WaitEqual(t, server.Client(t), settleLimit)
	checkBooks(t, d)
	d.Terminate()
}

// serviceManager is systemd as far as the daemon sees it: it hears what the
// daemon tells, and keeps the sockets that it is given.
type serviceManager struct {
	t    *testing.T
	path string

	mu    sync.Mutex
	told  []string
	files []*os.File
	names []string
}

func startServiceManager(t *testing.T) *serviceManager {
	m := &serviceManager{t: t, path: filepath.Join(TempDir(t), "notify")}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.path, Net: "unixgram"})
	must(t, err)
	var work sync.WaitGroup
	work.Go(func() {
		text, rights := make([]byte, 4096), make([]byte, 256)
		for {
			n, r, _, _, err := conn.ReadMsgUnix(text, rights)
			if err != nil {
				return
			}
			m.heard(string(text[:n]), rights[:r])
		}
	})
	t.Cleanup(func() {
		must(t, conn.Close())
		work.Wait()
		for _, f := range m.files {
			must(t, f.Close())
		}
	})
	return m
}

func (m *serviceManager) heard(text string, rights []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.told = append(m.told, text)
	messages, err := syscall.ParseSocketControlMessage(rights)
	if err != nil {
		m.t.Error(err)
	}
	for _, message := range messages {
		fds, err := syscall.ParseUnixRights(&message)
		if err != nil {
			m.t.Error(err)
		}
		_, name, _ := strings.Cut(text, "FDNAME=")
		for _, fd := range fds {
			syscall.CloseOnExec(fd)
			m.files = append(m.files, os.NewFile(uintptr(fd), name))
			m.names = append(m.names, name)
		}
	}
}

// count is how often something was told that begins so.
func (m *serviceManager) count(text string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, told := range m.told {
		if strings.HasPrefix(told, text) {
			n++
		}
	}
	return n
}

func (m *serviceManager) wait(text string, n int) {
	m.t.Helper()
	Eventually(m.t, 30*time.Second, "the service manager is told "+text, func() error {
		if have := m.count(text); have < n {
			return fmt.Errorf("%d times of %d", have, n)
		}
		return nil
	})
}

// passOn has the daemon started with the socket that was kept, as systemd does.
func (m *serviceManager) passOn(d *Daemon) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d.path, d.args = "/bin/sh", []string{"-c", `LISTEN_PID=$$ exec "$0" server`, Binary(m.t)}
	d.pass = m.files[len(m.files)-1:]
	d.Env["LISTEN_FDS"], d.Env["LISTEN_FDNAMES"] = "1", m.names[len(m.names)-1]
}

// TestServiceManager restarts the daemon under load as `systemctl restart`
// does: the socket is kept meanwhile, so nobody is refused.
func TestServiceManager(t *testing.T) {
	server := StartRedis(t)
	m := startServiceManager(t)
	d := NewDaemon(t, map[string]string{"REDIS_ADDR": server.Addr, "TIMEZONE": "UTC", "NOTIFY_SOCKET": m.path, "WATCHDOG_USEC": "2000000"})
	d.Start()
	m.wait("READY=1", 1)
	m.wait("FDSTORE=1", 1)
	m.wait("WATCHDOG=1", 2)
	m.wait("STATUS=", 1)

	ledger := NewLedger(time.UTC)
	load := StartLoad(t, LoadOptions{Addr: d.Addr, Ledger: ledger, Total: 4000, Clients: 6, Pace: 4 * time.Millisecond})
	api := startAPILoad(t, d.Addr)
	m.passOn(d)
	for n := range 2 {
		load.WaitAcked(1200*(n+1), time.Minute)
		d.Terminate()
		m.wait("STOPPING=1", n+1)
		d.Start()
		m.wait("READY=1", n+2)
	}
	d.HangUp()
	m.wait("RELOADING=1\nMONOTONIC_USEC=", 1)
	m.wait("READY=1", 4)
	load.Wait()
	if load.Refused() != 0 {
		t.Errorf("%d beacons were refused", load.Refused())
	}
	api.end(t)
	ledger.WaitEqual(t, server.Client(t), settleLimit)

	// A Redis that is away is no reason to be killed, also at a start.
	server.Stop()
	fed := m.count("WATCHDOG=1")
	m.wait("WATCHDOG=1", fed+6) // longer than the watchdog's two seconds
	d.Kill()
	d.Launch()
	m.wait("READY=1", 5)
	fed = m.count("WATCHDOG=1")
	m.wait("WATCHDOG=1", fed+4)
	server.Start()
	d.WaitReady(time.Minute)
	d.Terminate()
}

// Socket activation: the daemon serves the socket that it is given, wherever
// PORT points.
func TestSocketActivation(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	file, err := ln.(*net.TCPListener).File()
	must(t, err)
	m := &serviceManager{t: t, files: []*os.File{file}, names: []string{"ddkk-stats.socket"}}
	d := NewDaemon(t, nil)
	m.passOn(d)
	d.Addr = ln.Addr().String()
	must(t, ln.Close())
	d.Start()
	must(t, file.Close())
	resp, err := http.Get(d.URL("/healthz"))
	must(t, err)
	body, err := io.ReadAll(resp.Body)
	must(t, errors.Join(err, resp.Body.Close()))
	if !bytes.Contains(body, []byte("ok")) {
		t.Errorf("%s", body)
	}
	d.Terminate()
}
