package tailer

import (
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// faulty is a disk that refuses what it is told to; root may open anything, so
// taking away the mode bits would show nothing.
type faulty struct {
	osDisk
	mu     sync.Mutex
	open   error // for every Open
	list   error // for every Names
	read   error // for every ReadAt from readAt on
	readAt int64
}

func (d *faulty) set(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
}

func (d *faulty) Open(name string) (file, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: d.open}
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	return &faultyFile{File: f, disk: d}, nil
}

func (d *faulty) Names(dir string) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.list != nil {
		return nil, d.list
	}
	return d.osDisk.Names(dir)
}

type faultyFile struct {
	*os.File
	disk *faulty
}

func (f *faultyFile) ReadAt(p []byte, off int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.disk.read != nil && off+int64(len(p)) > f.disk.readAt {
		if off >= f.disk.readAt {
			return 0, f.disk.read
		}
		n, err := f.File.ReadAt(p[:f.disk.readAt-off], off)
		if err == nil {
			err = f.disk.read
		}
		return n, err
	}
	return f.File.ReadAt(p, off)
}

func on(d disk) func(*Tailer) { return func(t *Tailer) { t.opt.disk = d } }

func TestPermissionDeniedIsWaitedOut(t *testing.T) {
	path := logPath(t)
	write(t, path, lines("a", 0, 10))
	d := &faulty{open: syscall.EACCES}
	r := read(t, testOptions(path), on(d))
	r.during(100 * time.Millisecond)
	if n := r.log.count("level=WARN"); n != 1 {
		t.Errorf("warned %d times", n)
	}
	d.set(func() { d.open = nil })
	r.until("read", r.has("a", lines("a", 0, 10)))

	// The new log of a rotation is denied: the old one is read and closed.
	d.set(func() { d.open = syscall.EACCES })
	put(t, create(t, path), lines("a", 10, 5))
	must(t, os.Rename(path, path+".1"))
	write(t, path, lines("b", 0, 7))
	r.until("the old one is closed", func() bool { return r.closed["a"] == 1 })
	r.during(50 * time.Millisecond)
	d.set(func() { d.open = nil })
	r.until("the new one is read", r.has("b", lines("b", 0, 7)))
	if !r.has("a", lines("a", 0, 15))() {
		t.Error("lines are missing")
	}
	r.once()
}

func TestReadErrorIsRetriedAndNothingPassedOver(t *testing.T) {
	path := logPath(t)
	want := lines("a", 0, 300)
	write(t, path, want)
	bad := int64(len(lines("a", 0, 150)))
	d := &faulty{read: syscall.EIO, readAt: bad}
	r := read(t, testOptions(path), on(d))
	r.until("read up to the error", func() bool { return r.handed["a"] == 150 })
	r.during(200 * time.Millisecond)
	if s := r.segment("a"); r.handed["a"] != 150 || s.Alarm == "" || s.Frozen {
		t.Errorf("%d lines, segment %+v", r.handed["a"], s)
	}
	if n := r.log.count("level=WARN"); n != 1 {
		t.Errorf("warned %d times", n)
	}
	d.set(func() { d.read = nil })
	r.until("read on", r.has("a", want))
	r.once()
	if s := r.segment("a"); s.Alarm != "" {
		t.Errorf("segment %+v", s)
	}
}

func TestFolderThatCannotBeListed(t *testing.T) {
	path := logPath(t)
	write(t, path, lines("a", 0, 10))
	d := &faulty{list: syscall.EACCES}
	r := read(t, testOptions(path), on(d))
	r.until("the live log is read", r.has("a", lines("a", 0, 10)))
	must(t, os.Rename(path, path+".1"))
	write(t, path, lines("b", 0, 7))
	r.until("the old one is closed", func() bool { return r.closed["a"] == 1 })
	r.during(60 * time.Millisecond)
	if r.segment("a").Deleted {
		t.Error("taken for deleted because the folder could not be listed")
	}
	d.set(func() { d.list = nil })
	put(t, create(t, path+".1"), lines("a", 10, 1))
	r.until("late lines are found", r.has("a", lines("a", 0, 11)))
	r.once()
}

func TestLogAndFolderAreMissingAtFirst(t *testing.T) {
	path := filepath.Join(t.TempDir(), "var", "access.log")
	r := read(t, testOptions(path))
	r.during(100 * time.Millisecond)
	must(t, os.Mkdir(filepath.Dir(path), 0o755))
	r.during(50 * time.Millisecond)
	if n := r.log.count("there is no log yet"); n != 1 {
		t.Errorf("said %d times", n)
	}
	write(t, path, lines("a", 0, 3))
	r.until("read", r.has("a", lines("a", 0, 3)))
}

func TestPathBecomesAFIFO(t *testing.T) {
	path := logPath(t)
	must(t, syscall.Mkfifo(path+".1", 0o644))
	r := read(t, testOptions(path))
	must(t, syscall.Mkfifo(path, 0o644))
	r.during(50 * time.Millisecond)
	must(t, os.Remove(path))
	write(t, path, lines("a", 0, 3))
	r.until("read", r.has("a", lines("a", 0, 3)))
	if _, err := Open(Options{Path: path + ".1"}); err == nil {
		t.Error("a FIFO was accepted")
	}
}

// A log that is open already goes on being read when its name is denied.
func TestDeniedWhileOpen(t *testing.T) {
	path := logPath(t)
	w := create(t, path)
	put(t, w, lines("a", 0, 10))
	d := &faulty{}
	r := read(t, testOptions(path), on(d))
	r.until("read", r.has("a", lines("a", 0, 10)))
	d.set(func() { d.open = syscall.EACCES })
	for i := range 10 {
		put(t, w, lines("a", 10+i, 1))
		r.until("read on", r.has("a", lines("a", 0, 11+i)))
		r.during(20 * time.Millisecond)
	}
	if s := r.segment("a"); !s.Live || s.Closed || s.Deleted {
		t.Errorf("segment %+v", s)
	}
	r.once()
}
