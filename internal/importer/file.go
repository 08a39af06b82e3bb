package importer

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"ddkk-stats/parser"
)

// File is a log to import, plain or compressed, whatever its name. It stays open
// until Close, so that a rotation meanwhile does not matter. After Survey it can be
// read as a segment: its complete lines up to what was surveyed, and nothing that
// was written later.
type File struct {
	name   string
	f      *os.File
	fi     os.FileInfo
	packed *packing // nil: plain
	whole  bool     // nobody writes it any more: its last line is complete without a newline
	begin  []byte   // of the content: as much as a line may have
	first  string   // identity of the first line
	id     string
	end    int64
	like   []Likeness // how the first lines read, where no format was wanted
}

// NothingError says that a file has no line to import yet, which is no fault.
type NothingError struct{ Name, Why string }

func (e *NothingError) Error() string { return e.Name + " " + e.Why }

// settled is how long a file must not have changed for its last line to be one
// although it has no newline: many logs are exported so.
const settled = time.Minute

// Open opens a log and tells its identity by the first line.
func Open(name string, now time.Time) (*File, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	file := &File{name: name, f: f}
	if err := file.identify(now); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return file, nil
}

func (f *File) identify(now time.Time) (err error) {
	if f.fi, err = f.f.Stat(); err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	if !f.fi.Mode().IsRegular() {
		return fmt.Errorf("%s is no regular file: a log is recognised by its content, which must stay to be read again", f.name)
	}
	f.whole = now.Sub(f.fi.ModTime()) >= settled
	magic := make([]byte, 8)
	n, err := f.f.ReadAt(magic, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read %s: %w", f.name, err)
	}
	if f.packed = packingOf(magic[:n]); f.packed != nil {
		if err := f.packed.refuse(f.name); err != nil {
			return err
		}
	}
	r, err := f.content(context.Background(), 0)
	if err != nil {
		return err
	}
	begin, err := bufio.NewReaderSize(r, parser.MaxLine+2).Peek(parser.MaxLine + 2)
	if err != nil && !errors.Is(err, io.EOF) {
		return f.damaged(err)
	}
	return f.begins(begin)
}

// firstPrefix is how much stands in for a first line that is too long to be one,
// such as the block of NULs that a power loss leaves.
const firstPrefix = 4096

// begins tells the identity by the first line.
func (f *File) begins(begin []byte) error {
	if len(begin) == 0 {
		return &NothingError{f.name, "is empty: nothing to import"}
	}
	if err := noLog(f.name, begin); err != nil {
		return err
	}
	line, _, complete := bytes.Cut(begin, []byte("\n"))
	switch {
	case !complete && len(begin) <= parser.MaxLine+1:
		return &NothingError{f.name, "has no complete line yet"}
	case !complete:
		line = begin[:firstPrefix]
	}
	f.begin, f.first = bytes.Clone(begin), parser.SegmentID(line)
	f.id = f.first
	return nil
}

func (f *File) damaged(err error) error {
	if f.packed != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s is damaged: %w; nothing of it is imported. What can be saved: %s < FILE > NEW, and import that", f.name, err, f.packed.tool)
	}
	return fmt.Errorf("read %s: %w", f.name, err)
}

// content reads the uncompressed content that the file had when it was opened,
// from an offset on.
func (f *File) content(ctx context.Context, from int64) (io.Reader, error) {
	start := int64(0)
	if f.packed == nil {
		start = min(from, f.fi.Size())
	}
	r := io.Reader(&contextReader{ctx, io.NewSectionReader(f.f, start, f.fi.Size()-start)})
	if f.packed != nil {
		unpacked, err := f.packed.open(r)
		if err != nil {
			return nil, f.damaged(err)
		}
		r = unpacked
	}
	if f.whole {
		r = &lastLine{r: r}
	}
	if f.packed != nil && from > 0 {
		if _, err := io.CopyN(io.Discard, r, from); err != nil && !errors.Is(err, io.EOF) {
			return nil, f.damaged(err)
		}
	}
	return r, nil
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

// lastLine gives the last line its newline.
type lastLine struct {
	r    io.Reader
	last byte
	some bool // a byte was read
}

func (l *lastLine) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if n > 0 {
		l.last, l.some = p[n-1], true
		if errors.Is(err, io.EOF) {
			err = nil // it comes again
		}
		return n, err
	}
	if errors.Is(err, io.EOF) && l.some && l.last != '\n' && len(p) > 0 {
		p[0], l.last = '\n', '\n'
		return 1, nil
	}
	return 0, err
}

// Close closes the file.
func (f *File) Close() error { return f.f.Close() }

// ID is the identity: the same content has the same under any name.
func (f *File) ID() string { return f.id }

// Begin is how the content begins, 64 KiB of it at most.
func (f *File) Begin() []byte { return f.begin }

// FirstID is the identity of the first line alone, which other files may share.
func (f *File) FirstID() string { return f.first }

// Become gives the file the identity under which its content was imported, or
// will be, where its first line is another file's, too.
func (f *File) Become(id string) { f.id = id }

// Name is the path as it was given.
func (f *File) Name() string { return f.name }

// Same tells whether the file lies at a path, too.
func (f *File) Same(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && os.SameFile(fi, f.fi)
}

// Size is the length of the complete lines that were surveyed.
func (f *File) Size() int64 { return f.end }

// Sums are the SHA-256 of the first so many bytes, for each of some lengths; ""
// where the content has not that many.
func (f *File) Sums(ctx context.Context, lengths []int64) ([]string, error) {
	sums := make([]string, len(lengths))
	r, err := f.content(ctx, 0)
	if err != nil {
		return nil, err
	}
	hash, at := sha256.New(), int64(0)
	for _, i := range byLength(lengths) {
		n, err := io.CopyN(hash, r, lengths[i]-at)
		if at += n; errors.Is(err, io.EOF) {
			return sums, nil
		}
		if err != nil {
			return nil, f.damaged(err)
		}
		sums[i] = hex.EncodeToString(hash.Sum(nil))
	}
	return sums, nil
}

// Open reads the uncompressed content from an offset on.
func (f *File) Open(ctx context.Context, from int64) (io.ReadCloser, error) {
	r, err := f.content(ctx, from)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(r), nil
}
