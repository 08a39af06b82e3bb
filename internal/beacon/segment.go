package beacon

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"syscall"
)

// file is what a segment needs of *os.File; tests put a full disk in between.
type file interface {
	io.Writer
	io.Seeker
	io.ReaderAt
	io.Closer
	Stat() (fs.FileInfo, error)
}

// segment is the file that is written to. It is not safe for concurrent use.
type segment struct {
	file file
	opts Options
	log  *slog.Logger

	id   string // empty until the file has a first line
	torn bool   // the file does not end with a newline
}

// openTries bounds the race with a rotation between open and lock.
const openTries = 10

// openSegment opens or creates the log for appending, locks it, and finds out
// how it begins and ends.
func openSegment(path string, opts Options) (*segment, error) {
	for range openTries {
		f, err := openLocked(path, opts.Mode)
		if err != nil {
			return nil, err
		}
		s := &segment{file: f, opts: opts, log: opts.Logger.With("log", path)}
		// Between open and lock the previous owner may have rotated: then we
		// hold the renamed file.
		current, err := s.named(path)
		if err == nil && current {
			err = s.inspect()
		}
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		if current {
			return s, nil
		}
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%s was renamed %d times while it was being opened", path, openTries)
}

func openLocked(path string, mode os.FileMode) (*os.File, error) {
	// Reading is for the first line and the last byte.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, mode)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	if err == nil {
		err = lock(f)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func lock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return fmt.Errorf("%s: %w", f.Name(), ErrLocked)
	}
	if err != nil {
		return fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return nil
}

// named tells whether path stands for this very file.
func (s *segment) named(path string) (bool, error) {
	mine, err := s.file.Stat()
	if err != nil {
		return false, err
	}
	there, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return os.SameFile(mine, there), nil
}

// inspect reads the identity and whether the last line is torn.
func (s *segment) inspect() error {
	info, err := s.file.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	var last [1]byte
	if _, err := s.file.ReadAt(last[:], info.Size()-1); err != nil {
		return fmt.Errorf("read the log's end: %w", err)
	}
	s.torn = last[0] != '\n'
	return s.identify()
}

// identify sets the identity, once there is a first line.
func (s *segment) identify() error {
	for size := 4 << 10; ; size *= 2 {
		head := make([]byte, size)
		n, err := s.file.ReadAt(head, 0)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read the log's first line: %w", err)
		}
		if i := bytes.IndexByte(head[:n], '\n'); i >= 0 {
			s.id = s.opts.SegmentID(head[:i])
			return nil
		}
		if n >= MaxLine {
			return errors.New("the log's first line is longer than a line can be: move this file away, it is not a beacon log")
		}
		if n < size {
			return nil
		}
	}
}

// append writes whole lines at the end of the file. n bytes of them are in the
// file from base on; where n < len(lines), err says why. A torn line that an
// earlier call or process left is closed first.
func (s *segment) append(lines []byte) (id string, base int64, n int, err error) {
	data, mend := lines, 0
	if s.torn {
		m := tornMark()
		s.log.Warn("closing a torn line", "torn", string(bytes.TrimSpace(m)))
		data, mend = append(m, lines...), len(m)
	}
	// Write goes on after a short write; it comes back early only with an error.
	wrote, err := s.file.Write(data)
	if wrote > 0 {
		s.torn = data[wrote-1] != '\n'
	}
	n = max(wrote-mend, 0)
	if n == 0 {
		return s.id, 0, 0, err
	}
	end, seekErr := s.file.Seek(0, io.SeekCurrent)
	if s.id == "" && seekErr == nil {
		seekErr = s.identify()
	}
	if seekErr != nil {
		// The lines are there and will count, but nobody can say where they
		// are. The callers must not take them for certain.
		return "", 0, 0, errors.Join(err, fmt.Errorf("find the place in the log: %w", seekErr))
	}
	return s.id, end - int64(n), n, err
}

// tornMark ends a torn line. A newline alone would not do: if all but the
// newline of a line is there, it would complete a line whose caller was told
// that it failed, and who may have sent it again. After the mark the line's
// last field is not the end mark, whatever was there before, so the parser
// counts it as torn. The random part gives a segment its identity even where
// the torn line is the first and a few bytes long.
func tornMark() []byte {
	mark := append([]byte("\ttorn\t"), newEncoder().requestID()...)
	return append(mark, '\n')
}
