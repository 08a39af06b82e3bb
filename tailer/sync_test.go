package tailer

import (
	"errors"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// syncDisk counts how often a file is reached for its descriptor, which is what
// a sync does.
type syncDisk struct {
	osDisk
	syncs atomic.Int64
}

type syncFile struct {
	*os.File
	disk *syncDisk
}

func (d *syncDisk) Open(name string) (file, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	return &syncFile{File: f, disk: d}, nil
}

func (f *syncFile) SyscallConn() (syscall.RawConn, error) {
	f.disk.syncs.Add(1)
	return f.File.SyscallConn()
}

func (f *syncFile) Sync() error {
	f.disk.syncs.Add(1)
	return f.File.Sync()
}

func TestSyncIsRememberedAndShared(t *testing.T) {
	path := logPath(t)
	w := create(t, path)
	all := lines("a", 0, 100)
	put(t, w, all)
	d := &syncDisk{}
	r := read(t, testOptions(path), on(d))
	r.until("read", r.has("a", all))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if err := r.Sync("a", int64(len(all)-i)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := d.syncs.Load(); n != 1 {
		t.Errorf("%d syncs", n)
	}
	put(t, w, lines("a", 100, 1))
	must(t, r.Sync("a", int64(len(all))+1))
	must(t, r.Sync("a", int64(len(all))+1))
	if n := d.syncs.Load(); n != 2 {
		t.Errorf("%d syncs", n)
	}
	if s := r.segment("a"); s.Synced != int64(len(all)+len(lines("a", 100, 1))) {
		t.Errorf("segment %+v", s)
	}
	if err := r.Sync("a", 1<<40); !errors.Is(err, ErrBeyond) {
		t.Errorf("beyond: %v", err)
	}
	if err := r.Sync("b", 0); !errors.Is(err, ErrUnknownSegment) {
		t.Errorf("unknown: %v", err)
	}
}

func TestSyncOfAClosedSegment(t *testing.T) {
	path := logPath(t)
	all := lines("a", 0, 100)
	write(t, path+".1", all)
	write(t, path, "b 0\n")
	r := read(t, testOptions(path))
	r.until("closed", func() bool { return r.closed["a"] == 1 })
	must(t, r.Sync("a", int64(len(all))))
	if s := r.segment("a"); s.Synced != int64(len(all)) {
		t.Errorf("segment %+v", s)
	}
}

func TestSyncReportsFailure(t *testing.T) {
	if err := datasync(noSync{}); err == nil {
		t.Error("a file that cannot be synced was")
	}
}

type noSync struct{}

func (noSync) ReadAt([]byte, int64) (int, error) { return 0, fs.ErrInvalid }
func (noSync) Stat() (fs.FileInfo, error)        { return nil, fs.ErrInvalid }
func (noSync) Close() error                      { return nil }
