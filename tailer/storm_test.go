package tailer

import (
	"fmt"
	"os"
	"sync"
	"testing"
	"time"
)

// ledger is what a storm's writers wrote, by segment.
type ledger struct {
	mu      sync.Mutex
	content map[string]string
}

func (l *ledger) add(segment, s string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.content[segment] += s
}

// rotator writes a log as nginx does it and rotates it as logrotate does: all
// numbered names move up by one. Old descriptors are written to for a while.
type rotator struct {
	path  string
	book  *ledger
	count int
	file  *os.File
	n     int
}

func (r *rotator) segment() string { return fmt.Sprint("s", r.count) }

func (r *rotator) open() error {
	f, err := os.OpenFile(r.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	r.file, r.n = f, 0
	return err
}

func (r *rotator) write(f *os.File, segment string, n int) error {
	s := lines(segment, r.n, n)
	r.n += n
	if _, err := f.WriteString(s); err != nil {
		return err
	}
	r.book.add(segment, s)
	return nil
}

func (r *rotator) rotate() (old *os.File, name string, err error) {
	for i := r.count; i > 0; i-- {
		from, to := fmt.Sprintf("%s.%d", r.path, i), fmt.Sprintf("%s.%d", r.path, i+1)
		if err := os.Rename(from, to); err != nil {
			return nil, "", err
		}
	}
	if err := os.Rename(r.path, r.path+".1"); err != nil {
		return nil, "", err
	}
	old, name = r.file, r.segment()
	r.count++
	return old, name, r.open()
}

func TestRotationStorm(t *testing.T) {
	path := logPath(t)
	w := &rotator{path: path, book: &ledger{content: map[string]string{}}}
	must(t, w.open())
	r := read(t, testOptions(path))
	const rotations = 40
	done := make(chan error, 1)
	go func() { done <- w.storm(rotations) }()
	finished := false
	r.until("all rotated segments are closed", func() bool {
		select {
		case err := <-done:
			must(t, err)
			finished = true
		default:
		}
		return finished && len(r.closed) == rotations
	})
	live := w.segment()
	r.until("the live one is read", r.has(live, w.book.content[live]))
	r.during(100 * time.Millisecond)
	for id, want := range w.book.content {
		if !r.has(id, want)() {
			t.Errorf("%s: %d bytes of %d", id, len(r.image[id]), len(want))
		}
	}
	if len(r.image) != rotations+1 {
		t.Errorf("%d segments", len(r.image))
	}
	r.once()
}

// storm rotates n times; the old descriptor gets lines until 8 ms later.
func (r *rotator) storm(n int) error {
	for i := range n {
		for range 5 {
			if err := r.write(r.file, r.segment(), 4); err != nil {
				return err
			}
		}
		old, name, err := r.rotate()
		if err != nil {
			return err
		}
		last := r.n
		r.n = 1000
		pause := time.NewTimer(time.Duration(i%3) * 4 * time.Millisecond)
		<-pause.C
		if err := r.write(old, name, 3); err != nil {
			return err
		}
		r.n = last
		if err := old.Close(); err != nil {
			return err
		}
	}
	if err := r.write(r.file, r.segment(), 5); err != nil {
		return err
	}
	return r.file.Close()
}

// Rotations while a backlog is still being read.
func TestRotationDuringCatchUp(t *testing.T) {
	path := logPath(t)
	w := &rotator{path: path, book: &ledger{content: map[string]string{}}}
	must(t, w.open())
	must(t, w.write(w.file, "s0", 20000))
	opt := testOptions(path)
	opt.BlockSize, opt.MaxLine = 4096, 1000
	r := read(t, opt)
	r.until("some is read", func() bool { return r.handed["s0"] > 100 })
	for range 3 {
		old, _, err := w.rotate()
		must(t, err)
		must(t, old.Close())
		must(t, w.write(w.file, w.segment(), 3000))
		at := r.handed[w.segment()]
		r.until("the new live one is begun with", func() bool { return r.handed[w.segment()] > at })
		if r.handed["s0"] == 20000 {
			t.Fatal("the backlog was read before the live log")
		}
	}
	must(t, w.file.Close())
	r.until("all is closed", func() bool { return len(r.closed) == 3 })
	for id, want := range w.book.content {
		r.until("all is read", r.has(id, want))
	}
	r.once()
}
