package nginx_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ddkk-stats/internal/beacon"
	"ddkk-stats/nginx"
	"ddkk-stats/parser"
)

func nginxConf() nginx.Conf { return nginx.Conf{} }

// Every beacon that was answered while the log was rotated again and again is
// in one of the files, once.
func TestRealRotationUnderLoad(t *testing.T) {
	s := start(t, nginxConf())
	const clients, rotations = 6, 15
	stop := make(chan struct{})
	counts := make([]int, clients)
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			n, err := s.send(c, stop)
			if err != nil {
				t.Error(err)
			}
			counts[c] = n
		})
	}
	until(t, "the first line is there", func() bool { return len(read(t, s.conf.Log)) > 0 })
	names := map[string]bool{}
	for range rotations {
		until(t, "the new log has a line", func() bool { return len(read(t, s.conf.Log)) > 0 })
		done, err := s.rotator().Rotate(t.Context())
		if err != nil || done.Size == 0 || names[done.Name] {
			t.Errorf("%v, %v", done, err)
		}
		names[done.Name] = true
	}
	close(stop)
	wg.Wait()
	if len(names) != rotations {
		t.Errorf("%d names for %d rotations", len(names), rotations)
	}
	checkAllThere(t, s.conf.Log, counts)
}

// send sends numbered beacons until stop is closed and returns how many were
// answered.
func (s *server) send(client int, stop <-chan struct{}) (int, error) {
	c, err := s.dial()
	if err != nil {
		return 0, err
	}
	for n := 0; ; n++ {
		last := false
		select {
		case <-stop:
			last = true
		default:
			// nginx closes a connection after 1000 requests unless asked to.
			last = n%500 == 499
		}
		if err := c.beacon(fmt.Sprintf("/event.png?c=%d&n=%d", client, n), last); err != nil {
			return n, err
		}
		if !last {
			continue
		}
		select {
		case <-stop:
			return n + 1, nil
		default:
		}
		if c, err = s.dial(); err != nil {
			return n + 1, err
		}
	}
}

func checkAllThere(t *testing.T, log string, counts []int) {
	t.Helper()
	files, err := filepath.Glob(log + "*")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, f := range files {
		for _, line := range strings.Split(strings.TrimSuffix(read(t, f), "\n"), "\n") {
			if line != "" {
				seen[strings.Split(line, "\t")[7]]++
			}
		}
	}
	total := 0
	for c, n := range counts {
		total += n
		for i := range n {
			if uri := fmt.Sprintf("/event.png?c=%d&n=%d", c, i); seen[uri] != 1 {
				t.Fatalf("%s is there %d times", uri, seen[uri])
			}
		}
	}
	if len(seen) != total {
		t.Errorf("%d lines, %d beacons were answered", len(seen), total)
	}
	t.Logf("%d beacons in %d files", total, len(files))
}

// A master that hangs does not open the new log: Rotate says so, nothing is
// lost, and when it wakes up all is well.
func TestRealMasterHangs(t *testing.T) {
	s := start(t, nginxConf())
	s.get(t, "/event.png?n=1")
	s.signal(t, syscall.SIGSTOP)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	done, err := s.rotator().Rotate(ctx)
	if !errors.Is(err, nginx.ErrNotReopened) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	s.get(t, "/event.png?n=2")
	if n := strings.Count(read(t, done.Name), "\n"); n != 2 {
		t.Errorf("%d lines in the renamed log, want 2", n)
	}
	s.signal(t, syscall.SIGCONT)
	until(t, "nginx opens the new log", func() bool { _, err := os.Stat(s.conf.Log); return err == nil })
}

// A worker that hangs keeps the old file: Rotate names it.
func TestRealWorkerHangs(t *testing.T) {
	s := start(t, nginxConf())
	s.get(t, "/event.png?n=1")
	children := strings.Fields(read(t, fmt.Sprintf("/proc/%d/task/%d/children", s.pid, s.pid)))
	worker, err := strconv.Atoi(children[0])
	if err != nil {
		t.Fatal(err)
	}
	stopped := func(sig syscall.Signal) {
		if err := syscall.Kill(worker, sig); err != nil {
			t.Error(err)
		}
	}
	stopped(syscall.SIGSTOP)
	defer stopped(syscall.SIGCONT)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = s.rotator().Rotate(ctx)
	if !errors.Is(err, nginx.ErrNotReopened) || !strings.Contains(err.Error(), fmt.Sprint([]int{worker})) {
		t.Errorf("worker %d hangs, error %v", worker, err)
	}
}

// Workers whose user may not enter the log's folder: what a folder of mode
// 0750 does to a packaged nginx. Only root can start an nginx whose workers
// are somebody else; other users check that the printed user is not needed.
func TestRealWorkersMayNotReopen(t *testing.T) {
	if os.Geteuid() != 0 {
		s := start(t, nginxConf())
		s.get(t, "/event.png")
		if _, err := s.rotator().Rotate(t.Context()); err != nil {
			t.Error(err)
		}
		return
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	group, err := user.LookupGroupId(nobody.Gid)
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, nginx.Conf{User: "nobody:" + group.Name}) // a folder above the log is 0700
	s.get(t, "/event.png?n=1")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	done, err := s.rotator().Rotate(ctx)
	if !errors.Is(err, nginx.ErrNotReopened) || !strings.Contains(err.Error(), "may not enter the folder") {
		t.Errorf("error %v", err)
	}
	s.get(t, "/event.png?n=2")
	if n := strings.Count(read(t, done.Name), "\n"); n != 2 {
		t.Errorf("%d lines in the renamed log, want 2", n)
	}
}

// The same rotation for the built-in beacon.
func TestRotateBuiltInBeacon(t *testing.T) {
	path := filepath.Join(t.TempDir(), "event.log")
	l, err := beacon.OpenLog(path, beacon.Options{SegmentID: parser.SegmentID})
	if err != nil {
		t.Fatal(err)
	}
	r := &nginx.Rotator{Log: path, Reopen: l.Reopen}
	segments := map[string]bool{}
	for i := range 5 {
		pos, err := l.Append(beacon.Record{Time: time.UnixMilli(1), URI: []byte("/")})
		if err != nil {
			t.Fatal(err)
		}
		segments[pos.Segment] = true
		if done, err := r.Rotate(t.Context()); err != nil || done.Size != pos.End {
			t.Errorf("rotation %d: %v, %v", i, done, err)
		}
	}
	if done, err := r.Rotate(t.Context()); err != nil || done.Name != "" {
		t.Errorf("an empty log was rotated: %v, %v", done, err)
	}
	if len(segments) != 5 {
		t.Errorf("%d segments after 5 rotations", len(segments))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}
