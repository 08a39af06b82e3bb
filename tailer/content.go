package tailer

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/klauspost/compress/gzip"
)

// contents reads what files hold, to tell what they are.
type contents struct{ opt *Options }

// readHead looks at the file called name, which fi describes.
func (c *contents) readHead(name string, fi fs.FileInfo) (h head, err error) {
	f, err := openSame(c.opt.disk, name, fi)
	if err != nil {
		return h, err
	}
	defer func() {
		if cerr := f.Close(); err == nil && cerr != nil {
			err = fmt.Errorf("close %s: %w", name, cerr)
		}
	}()
	if h.form, err = formIn(f); err != nil {
		return h, fmt.Errorf("read the first line of %s: %w", name, err)
	}
	var r io.Reader = io.NewSectionReader(f, 0, maxOffset)
	switch h.form {
	case plain:
	case gzipped:
		zr, err := gzip.NewReader(r)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return h, nil // the compressor has only just begun
		}
		if err != nil {
			return h, fmt.Errorf("decompress %s: %w", name, err)
		}
		r = zr
	default:
		return h, nil
	}
	begin, err := readBegin(r)
	if err != nil {
		return h, fmt.Errorf("read the first line of %s: %w", name, err)
	}
	c.analyse(&h, begin)
	if rest := begin[min(h.size, len(begin)):]; h.first() == 0 && len(begin) < headWithin && len(rest) <= c.opt.MaxLine {
		h.rest = string(rest)
	}
	if name == c.opt.Path || h.base == "" || c.opt.Time == nil || h.readable() {
		return h, nil
	}
	return h, c.readFurther(begin, r)
}

// analyse takes the lines apart.
func (c *contents) analyse(h *head, begin []byte) {
	for len(h.lines) < headLines {
		line, _, whole := bytes.Cut(begin[h.size:], []byte{'\n'})
		if !whole {
			break
		}
		c.add(h, line, len(line)+1)
	}
	if h.base == "" && len(begin) >= headWithin {
		h.base, h.size = c.identity(begin[:headPrefix]), headPrefix
		h.lines = []headLine{{key: hash64(h.base), end: headPrefix, tell: true}}
	}
}

// end takes what is behind the last newline for a line, if it is one.
func (c *contents) end(h *head) {
	line := []byte(h.rest)
	if len(line) == 0 || c.opt.Time != nil && c.opt.Time(line) == 0 {
		return
	}
	c.add(h, line, len(line))
	h.rest = ""
}

// add adds a line that takes so many bytes.
func (c *contents) add(h *head, line []byte, n int) {
	h.size += n
	id := c.identity(line)
	if len(h.lines) == 0 {
		h.base = id
	}
	l := headLine{key: hash64(id), end: h.size, tell: c.opt.Telling(line)}
	if c.opt.Time != nil {
		l.at = c.opt.Time(line)
	}
	h.lines = append(h.lines, l)
}

// readFurther looks for a readable line behind the beginning.
func (c *contents) readFurther(begin []byte, r io.Reader) error {
	rest := bufio.NewReaderSize(io.MultiReader(bytes.NewReader(begin), io.LimitReader(r, readableWithin)), c.opt.MaxLine+1)
	for {
		line, err := rest.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull): // no line at all
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			if len(line) > 0 && c.opt.Time(line) != 0 {
				return nil
			}
			return errOtherFormat
		case err != nil:
			return err
		case c.opt.Time(line[:len(line)-1]) != 0:
			return nil
		}
	}
}

// identity is the identity of a line.
func (c *contents) identity(line []byte) string {
	if id := c.opt.Identify(line); id != "" {
		return id
	}
	return hashIdentity(line)
}

// errOtherFormat says that a file is somebody else's, whatever it is called.
var errOtherFormat = errors.New("none of its lines is of the log's format")

// contentSize is the size of a file's content, as far as that is known without
// reading it.
func (c *contents) contentSize(f *segmentFile) (int64, error) {
	if !f.gz {
		return f.fi.Size(), nil
	}
	h, err := openSame(c.opt.disk, f.name, f.fi)
	if err != nil {
		return 0, err
	}
	hint, err := sizeHint(h)
	if cerr := h.Close(); err == nil {
		err = cerr
	}
	return int64(hint), err
}

// around reads the bytes before an offset of a file's content and the lines
// behind it. A file that ends before has neither.
func (c *contents) around(f *segmentFile, at int64) (before []byte, behind []headLine, err error) {
	if !f.gz && f.fi.Size() < at {
		return nil, nil, nil
	}
	h, err := openSame(c.opt.disk, f.name, f.fi)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if cerr := h.Close(); err == nil && cerr != nil {
			err = fmt.Errorf("close %s: %w", f.name, cerr)
		}
	}()
	from := max(0, at-probeLen)
	var r io.Reader = io.NewSectionReader(h, from, maxOffset-from)
	if f.gz {
		if hint, err := sizeHint(h); err != nil || hint == uint32(at) {
			return nil, nil, err // as long as it was: compressed, and nothing behind
		}
		zr, err := gzip.NewReader(io.NewSectionReader(h, 0, maxOffset))
		if err != nil {
			return nil, nil, fmt.Errorf("decompress %s: %w", f.name, err)
		}
		if _, err := io.CopyN(io.Discard, zr, from); err != nil {
			return nil, nil, ignoreEnd(err)
		}
		r = zr
	}
	before = make([]byte, at-from)
	if _, err := io.ReadFull(r, before); err != nil {
		return nil, nil, ignoreEnd(err)
	}
	begin, err := readBegin(r)
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", f.name, err)
	}
	if i := bytes.IndexByte(before, '\n'); len(before) > 0 && before[len(before)-1] != '\n' && i < 0 {
		return before, nil, nil
	}
	var next head
	c.analyse(&next, begin)
	return before, next.lines, nil
}

// ignoreEnd drops the error of a file that is shorter than expected, or not
// finished by its compressor yet: whoever reads it will tell.
func ignoreEnd(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return nil
	}
	return err
}

// hasContent reports whether a file begins with a content. Without its sum the
// beginning that made its identity has to do.
func (c *contents) hasContent(f *segmentFile, sum Sum) (bool, error) {
	if sum.SHA256 == "" {
		return true, nil
	}
	if !f.gz && f.fi.Size() < sum.Size {
		return false, nil
	}
	r, err := c.openContent(f)
	if err != nil {
		return false, err
	}
	h := sha256.New()
	_, err = io.CopyN(h, r, sum.Size)
	if cerr := r.Close(); err == nil && cerr != nil {
		return false, fmt.Errorf("close %s: %w", f.name, cerr)
	}
	if err != nil {
		return false, ignoreEnd(err)
	}
	return hex.EncodeToString(h.Sum(nil)) == sum.SHA256, nil
}

// hasProbe reports whether a file has what was read last of a segment.
func (c *contents) hasProbe(f *segmentFile, tr *trace) (bool, error) {
	if !f.gz && f.fi.Size() < tr.At {
		return false, nil
	}
	r, err := c.openContent(f)
	if err != nil {
		return false, err
	}
	before := make([]byte, min(tr.At, probeLen))
	if _, err = io.CopyN(io.Discard, r, tr.At-int64(len(before))); err == nil {
		_, err = io.ReadFull(r, before)
	}
	if cerr := r.Close(); err == nil && cerr != nil {
		return false, fmt.Errorf("close %s: %w", f.name, cerr)
	}
	if err != nil {
		return false, ignoreEnd(err)
	}
	return hash64(string(before)) == tr.Probe || c.erased(before), nil
}

// erased reports whether a part of a file is not what was read, as somebody had lines of
// it deleted.
func (c *contents) erased(part []byte) bool { return c.opt.Erased != nil && c.opt.Erased(part) }

// openContent opens a file to read its content.
func (c *contents) openContent(f *segmentFile) (io.ReadCloser, error) {
	h, err := openSame(c.opt.disk, f.name, f.fi)
	if err != nil {
		return nil, err
	}
	o := &opened{Reader: io.NewSectionReader(h, 0, maxOffset), file: h}
	if f.gz {
		if o.Reader, err = gzip.NewReader(o.Reader); err != nil {
			return nil, closeAfter(h, fmt.Errorf("decompress %s: %w", f.name, err))
		}
	}
	return o, nil
}

// opened is a file's content while it is read.
type opened struct {
	io.Reader
	file file
}

func (o *opened) Close() error { return o.file.Close() }
