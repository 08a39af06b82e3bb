package tailer

import (
	"bytes"
	"errors"
	"io"
)

// reader cuts a source into runs of complete lines. It remembers positions
// only; the memory is the caller's.
type reader struct {
	src source
	off int64 // where the next line begins
	// seen is how far was looked: there is no newline in [off, seen).
	seen int64
	// over: the line at off is longer than allowed, only its end is wanted.
	over bool
	// unsure: off came from outside and may lie inside a line (the end of a
	// torn one that has grown since).
	unsure bool
	back   int64 // while unsure: there is no newline in [back, off)
	// ended: the last step saw the end of the source.
	ended bool
}

// piece is what a step found; data is the first n bytes of the caller's buffer.
type piece struct {
	kind       Kind
	start, end int64
	n          int
}

func newReader(src source, off int64) reader {
	return reader{src: src, off: off, seen: off, back: off, unsure: off > 0}
}

// step reads once, at most len(buf) bytes, which must be more than maxLine. It
// reports false when no complete line was found by it; there may be more to
// look at all the same, unless ended says otherwise.
func (r *reader) step(buf []byte, maxLine int) (piece, bool, error) {
	if err := r.align(buf); err != nil {
		return piece{}, false, err
	}
	if r.over {
		return r.skipLine(buf)
	}
	n, err := r.read(buf, r.off)
	cut, long := cutLines(buf[:n], maxLine)
	if cut == 0 {
		if err != nil && !long {
			return piece{}, false, err
		}
		r.over, r.seen = long, r.off
		if !long {
			r.seen = r.off + int64(n)
		}
		return piece{}, false, nil
	}
	// What was read is good; an error will come again with the next step.
	p := piece{kind: Lines, start: r.off, end: r.off + int64(cut), n: cut}
	r.off, r.seen = p.end, p.end
	if !long {
		r.seen = p.start + int64(n)
	}
	return p, true, nil
}

// read is ReadAt for which the end is no error.
func (r *reader) read(p []byte, off int64) (int, error) {
	n, err := r.src.ReadAt(p, off)
	r.ended = errors.Is(err, io.EOF)
	if r.ended {
		err = nil
	}
	return n, err
}

func (r *reader) skipLine(buf []byte) (piece, bool, error) {
	n, err := r.read(buf, r.seen)
	i := bytes.IndexByte(buf[:n], '\n')
	if i < 0 {
		r.seen += int64(n)
		return piece{}, false, err
	}
	p := piece{kind: Oversize, start: r.off, end: r.seen + int64(i) + 1}
	r.off, r.seen, r.over, r.ended = p.end, p.end, false, false
	return p, true, nil
}

// torn returns the beginning of the unfinished line and passes over all of it.
func (r *reader) torn(buf []byte, maxLine int, size int64) (piece, error) {
	want := min(int64(maxLine), size-r.off)
	n, err := r.read(buf[:want], r.off)
	if err != nil {
		return piece{}, err
	}
	p := piece{kind: Torn, start: r.off, end: size, n: n}
	*r = newReader(r.src, size)
	return p, nil
}

// align moves an offset that lies inside a line back to where the line begins.
func (r *reader) align(buf []byte) error {
	if !r.unsure {
		return nil
	}
	for r.back > 0 {
		from := max(0, r.back-int64(len(buf)))
		part := buf[:r.back-from]
		n, err := r.read(part, from)
		if err != nil {
			return err
		}
		if n < len(part) {
			return errShort
		}
		if i := bytes.LastIndexByte(part, '\n'); i >= 0 {
			r.back = from + int64(i) + 1
			break
		}
		r.back = from
	}
	if r.back < r.off {
		r.off, r.seen = r.back, r.back
	}
	r.unsure = false
	return nil
}

// cutLines returns the length of the longest run of complete lines at the start
// of data of which none is longer than maxLine, and whether an overlong line
// follows. It hops from the last newline of one window to the next, so it looks
// at a few hundred bytes per 64 KiB.
func cutLines(data []byte, maxLine int) (cut int, long bool) {
	for len(data)-cut > maxLine {
		i := bytes.LastIndexByte(data[cut:cut+maxLine+1], '\n')
		if i < 0 {
			return cut, true
		}
		cut += i + 1
	}
	return cut + bytes.LastIndexByte(data[cut:], '\n') + 1, false
}
