package importer

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/klauspost/compress/gzip"

	"ddkk-stats/parser"
)

// File is a log to import, plain or compressed by gzip, whatever its name. It
// stays open until Close, so that a rotation meanwhile does not matter. After
// Survey it can be read as a segment: its complete lines up to what was
// surveyed, and nothing that was written later.
type File struct {
	name string
	f    *os.File
	fi   os.FileInfo
	gz   bool
	id   string
	end  int64
}

var gzipMagic = []byte{0x1f, 0x8b}

// Open opens a log and tells its identity: the one that the log has for a
// daemon that counts it.
func Open(name string) (*File, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	file := &File{name: name, f: f}
	if err := file.identify(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return file, nil
}

func (f *File) identify() (err error) {
	if f.fi, err = f.f.Stat(); err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	if !f.fi.Mode().IsRegular() {
		return fmt.Errorf("%s is no regular file: a log is recognised by its content, which must stay to be read again", f.name)
	}
	magic := make([]byte, 2)
	n, err := f.f.ReadAt(magic, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read %s: %w", f.name, err)
	}
	f.gz = bytes.Equal(magic[:n], gzipMagic)
	r, err := f.content(context.Background())
	if err != nil {
		return err
	}
	line, err := bufio.NewReaderSize(r, parser.MaxLine+2).ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return fmt.Errorf("%s is no log: its first line is longer than 64 KiB", f.name)
	case errors.Is(err, io.EOF) && len(line) == 0:
		return fmt.Errorf("%s is empty: nothing to import", f.name)
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%s has no complete line yet", f.name)
	case err != nil:
		return f.damaged(err)
	}
	f.id = parser.SegmentID(line[:len(line)-1])
	return nil
}

func (f *File) damaged(err error) error {
	if f.gz && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s is damaged: %w; nothing of it is imported. What can be saved: gzip -dc < FILE > NEW, and import that", f.name, err)
	}
	return fmt.Errorf("read %s: %w", f.name, err)
}

// content reads the whole uncompressed content.
func (f *File) content(ctx context.Context) (io.Reader, error) {
	r := io.Reader(&contextReader{ctx, io.NewSectionReader(f.f, 0, math.MaxInt64)})
	if !f.gz {
		return r, nil
	}
	zr, err := gzip.NewReader(r)
	if err != nil {
		return nil, f.damaged(err)
	}
	return zr, nil
}

// contextReader ends with its context.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// Close closes the file.
func (f *File) Close() error { return f.f.Close() }

// ID is the identity: the same content has the same under any name.
func (f *File) ID() string { return f.id }

// Name is the path as it was given.
func (f *File) Name() string { return f.name }

// Same tells whether the file lies at a path, too.
func (f *File) Same(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && os.SameFile(fi, f.fi)
}

// Size is the length of the complete lines that were surveyed.
func (f *File) Size() int64 { return f.end }

// Open reads the uncompressed content from an offset on.
func (f *File) Open(ctx context.Context, from int64) (io.ReadCloser, error) {
	if !f.gz {
		return io.NopCloser(&contextReader{ctx, io.NewSectionReader(f.f, from, math.MaxInt64-from)}), nil
	}
	r, err := f.content(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := io.CopyN(io.Discard, r, from); err != nil {
		return nil, f.damaged(err)
	}
	return io.NopCloser(r), nil
}
