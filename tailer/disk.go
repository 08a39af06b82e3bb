package tailer

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// disk is what the tailer asks of the file system; tests put faults behind it.
type disk interface {
	Open(name string) (file, error)
	Stat(name string) (fs.FileInfo, error)
	Names(dir string) ([]string, error)
}

// file is an open log file. A file that also has Fd can be followed and synced.
type file interface {
	io.ReaderAt
	io.Closer
	Stat() (fs.FileInfo, error)
}

// osDisk is the real one.
type osDisk struct{}

// Open opens without blocking, should the name have become a FIFO meanwhile.
func (osDisk) Open(name string) (file, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (osDisk) Stat(name string) (fs.FileInfo, error) { return os.Stat(name) }

func (osDisk) Names(dir string) ([]string, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	names, err := d.Readdirnames(-1)
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	return names, err
}

// openSame opens name and makes sure that it is the file that fi describes and
// not another one that took its name since.
func openSame(d disk, name string, fi fs.FileInfo) (file, error) {
	f, err := d.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open segment: %w", err)
	}
	now, err := f.Stat()
	if err == nil && !os.SameFile(now, fi) {
		err = errMoved
	}
	if err != nil {
		return nil, closeAfter(f, fmt.Errorf("open segment %s: %w", name, err))
	}
	return f, nil
}

// closeAfter closes c because of err and returns err, with the close's own
// error behind it if there is one.
func closeAfter(c io.Closer, err error) error {
	if cerr := c.Close(); cerr != nil {
		return fmt.Errorf("%w (and close: %w)", err, cerr)
	}
	return err
}
