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
	// before are the bytes before off as they were read, at most probeLen, and
	// last is the last line: they are looked at again with every read, so that
	// a file that was written over is not read on.
	before []byte
	last   []byte
}

// probeLen is how many bytes before the offset are looked at again: a line and more,
// since lines often end alike.
const probeLen = 512

// errOverwritten says that the source does not have any more what was read.
var errOverwritten = errors.New("what was read of the segment is not there any more")

// piece is what a step found; its data lies in the caller's buffer.
type piece struct {
	kind       Kind
	start, end int64
	at, n      int // the data is n bytes of the buffer from at on
}

func newReader(src source, off int64) reader {
	return reader{src: src, off: off, seen: off, back: off, unsure: off > 0}
}

// again is a reader of src, which has the same content or should have it.
func (r *reader) again(src source, off int64) reader {
	n := newReader(src, off)
	if off == r.off {
		n.before, n.last = r.before, r.last
	}
	return n
}

// step reads once, at most len(buf) bytes, which must be more than maxLine; what
// is over that is for the bytes before the offset. It
// reports false when no complete line was found by it; there may be more to
// look at all the same, unless ended says otherwise.
func (r *reader) step(buf []byte, maxLine int) (piece, bool, error) {
	if err := r.align(buf); err != nil {
		return piece{}, false, err
	}
	if r.over {
		return r.skipLine(buf)
	}
	lead := min(len(r.before), len(buf)-maxLine-1)
	n, err := r.read(buf, r.off-int64(lead))
	if n < lead {
		if err == nil {
			err = errShort
		}
		return piece{}, false, err
	}
	if !bytes.Equal(buf[:lead], r.before[len(r.before)-lead:]) {
		return piece{}, false, errOverwritten
	}
	whole := buf[:n]
	buf, n = buf[lead:], n-lead
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
	p := piece{kind: Lines, start: r.off, end: r.off + int64(cut), at: lead, n: cut}
	r.off, r.seen = p.end, p.end
	r.keep(whole[:lead+cut])
	if !long {
		r.seen = p.start + int64(n)
	}
	return p, true, nil
}

// keep notes what lies before off: data ends there, and with a newline.
func (r *reader) keep(data []byte) {
	r.before = append(r.before[:0], data[max(0, len(data)-probeLen):]...)
	line := data[:max(0, len(data)-1)]
	r.last = append(r.last[:0], line[bytes.LastIndexByte(line, '\n')+1:]...)
}

// probe are the bytes before off, as many as are kept of every segment that has
// them; nil when they were not read yet.
func (r *reader) probe() []byte {
	if int64(len(r.before)) < min(probeLen, r.off) {
		return nil
	}
	return r.before
}

// lookBack reads what lies before off, where reading begins there.
func (r *reader) lookBack() error {
	if r.off == 0 || r.probe() != nil {
		return nil
	}
	data := make([]byte, min(r.off, headPrefix))
	n, err := r.src.ReadAt(data, r.off-int64(len(data)))
	if n < len(data) {
		return err
	}
	if data[n-1] == '\n' {
		r.keep(data)
	}
	return nil
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
	r.before, r.last = append(r.before[:0], buf[max(0, i+1-probeLen):i+1]...), r.last[:0]
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
		r.off, r.seen, r.before = r.back, r.back, r.before[:0]
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
