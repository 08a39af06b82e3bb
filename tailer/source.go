package tailer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/klauspost/compress/gzip"
)

const maxOffset = math.MaxInt64

// errSkipping says that a compressed segment is not yet at the wanted offset:
// nothing is wrong, call again.
var errSkipping = errors.New("skipping to the offset")

// source is the uncompressed content of one file.
type source interface {
	io.ReaderAt
	io.Closer
	// Size is how much content there is by now, or -1 when that is not known
	// before it has been read.
	Size() (int64, error)
	// raw is the file underneath.
	raw() file
}

func newSource(gz bool, f file) source {
	if gz {
		return &gzipSource{file: f, end: -1}
	}
	return plainSource{f}
}

// plainSource is a file as it is.
type plainSource struct{ file }

func (p plainSource) Size() (int64, error) {
	fi, err := p.Stat()
	if err != nil {
		return 0, fmt.Errorf("stat segment: %w", err)
	}
	return fi.Size(), nil
}

func (p plainSource) raw() file { return p.file }

// gzipSource decompresses. It reads forwards; what it returned last is kept, so
// that the reader can come back for the half line at the end of a block. An
// offset before that starts over.
type gzipSource struct {
	file
	zr      *gzip.Reader
	pos     int64  // content decompressed so far
	last    []byte // content of [lastPos, pos)
	lastPos int64
	end     int64 // size of the content; -1 until the end was seen
}

// skipAtOnce bounds how much one call decompresses only to reach its offset.
const skipAtOnce = 4 << 20

func (g *gzipSource) raw() file            { return g.file }
func (g *gzipSource) Size() (int64, error) { return g.end, nil }

func (g *gzipSource) ReadAt(p []byte, off int64) (int, error) {
	if g.end >= 0 && off >= g.end {
		return 0, io.EOF
	}
	if g.zr == nil || off < g.lastPos {
		if err := g.restart(); err != nil {
			return 0, err
		}
	}
	if off > g.pos {
		if err := g.skip(off); err != nil {
			return 0, err
		}
	}
	n := copy(p, g.last[off-g.lastPos:])
	if n == len(p) {
		return n, nil
	}
	n, err := g.fill(p, n)
	g.last, g.lastPos = append(g.last[:0], p[:n]...), off
	return n, err
}

func (g *gzipSource) fill(p []byte, n int) (int, error) {
	for n < len(p) {
		m, err := g.zr.Read(p[n:])
		n += m
		g.pos += int64(m)
		if err != nil {
			return n, g.ended(err)
		}
	}
	return n, nil
}

// ended notes the end; on any other error the next read starts over.
func (g *gzipSource) ended(err error) error {
	if errors.Is(err, io.EOF) {
		g.end = g.pos
		return io.EOF
	}
	if errors.Is(err, errSkipping) {
		return err
	}
	g.zr = nil
	return fmt.Errorf("decompress segment: %w", err)
}

func (g *gzipSource) restart() error {
	r := io.NewSectionReader(g.file, 0, maxOffset)
	g.pos, g.lastPos, g.last = 0, 0, g.last[:0]
	zr, err := gzip.NewReader(r)
	if err != nil {
		g.zr = nil
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF // not even a header yet
		}
		return fmt.Errorf("decompress segment: %w", err)
	}
	g.zr = zr
	return nil
}

func (g *gzipSource) skip(off int64) error {
	n, err := io.CopyN(io.Discard, g.zr, min(off-g.pos, skipAtOnce))
	g.pos += n
	g.last, g.lastPos = g.last[:0], g.pos
	if err == nil && g.pos < off {
		err = errSkipping
	}
	if err != nil {
		return g.ended(err)
	}
	return nil
}

// sizeHint is the size that the file's trailer claims, modulo 4 GiB (of the last
// member). It saves decompressing a segment that was read through before.
func sizeHint(f file) (uint32, error) {
	fi, err := f.Stat()
	if err != nil {
		return 0, fmt.Errorf("stat segment: %w", err)
	}
	var tail [4]byte
	if _, err := f.ReadAt(tail[:], max(0, fi.Size()-4)); err != nil {
		return 0, fmt.Errorf("read gzip trailer: %w", err)
	}
	return binary.LittleEndian.Uint32(tail[:]), nil
}
