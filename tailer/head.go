package tailer

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/klauspost/compress/gzip"
)

const (
	// headWithin is how far from its start a file is looked at to tell what it is.
	headWithin = 64 << 10
	// headLines is how many of its lines are.
	headLines = 32
	// headPrefix is how much stands in for a first line without an end.
	headPrefix = 4096
	// tellingWithin is how many lines are waited for that tell one file from
	// others; a log of which none does is known by so many.
	tellingWithin = 8
	// readableWithin is how far a line is looked for that is of the log's
	// format: after an attack, or a crash, a log may begin with much else.
	readableWithin = 4 << 20
)

// head is the beginning of a file's content.
type head struct {
	form  form
	base  string     // identity of the first line; "" while there is none
	lines []headLine // complete ones, the first is in base too
	size  int        // bytes of content that were looked at
	rest  string     // all that is behind the lines, where those do not tell it from others
}

type headLine struct {
	key  uint64 // of its identity
	end  int    // offset after it
	tell bool   // other files hardly have it
	at   int64  // its time, see Options.Time
}

// form is how a file is stored.
type form string

const (
	plain   form = ""
	gzipped form = "gzip"
)

// forms are told by how a file begins. Only gzip can be read.
var forms = []struct {
	form  form
	magic string
}{
	{gzipped, "\x1f\x8b"}, {"bzip2", "BZh"}, {"xz", "\xfd7zXZ\x00"}, {"zstd", "\x28\xb5\x2f\xfd"},
	{"lz4", "\x04\x22\x4d\x18"}, {"compress", "\x1f\x9d"}, {"zip", "PK\x03\x04"}, {"7-Zip", "7z\xbc\xaf\x27\x1c"},
	{"lzop", "\x89LZO\x00"},
}

func formOf(begin []byte) form {
	for _, f := range forms {
		if bytes.HasPrefix(begin, []byte(f.magic)) {
			return f.form
		}
	}
	return plain
}

// formIn reads how f is stored.
func formIn(f file) (form, error) {
	var begin [8]byte
	n, err := f.ReadAt(begin[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return plain, err
	}
	return formOf(begin[:n]), nil
}

// readHead looks at the file called name, which fi describes.
func (t *Tailer) readHead(name string, fi fs.FileInfo) (h head, err error) {
	f, err := openSame(t.disk, name, fi)
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
	t.analyse(&h, begin)
	if rest := begin[min(h.size, len(begin)):]; h.first() == 0 && len(begin) < headWithin && len(rest) <= t.opt.MaxLine {
		h.rest = string(rest)
	}
	if name == t.opt.Path || h.base == "" || t.opt.Time == nil || h.readable() {
		return h, nil
	}
	return h, t.readFurther(begin, r)
}

// readBegin reads until there are enough lines, 64 KiB, or no more.
func readBegin(r io.Reader) ([]byte, error) {
	begin := make([]byte, 0, headPrefix)
	for newlines := 0; len(begin) < headWithin; {
		if len(begin) == cap(begin) {
			begin = append(make([]byte, 0, min(4*cap(begin), headWithin)), begin...)
		}
		n, err := r.Read(begin[len(begin):cap(begin)])
		newlines += bytes.Count(begin[len(begin):len(begin)+n], []byte{'\n'})
		begin = begin[:len(begin)+n]
		if newlines >= headLines {
			return begin, nil
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return begin, nil
		}
		if err != nil {
			return nil, err
		}
	}
	return begin, nil
}

// analyse takes the lines apart.
func (t *Tailer) analyse(h *head, begin []byte) {
	for len(h.lines) < headLines {
		line, _, whole := bytes.Cut(begin[h.size:], []byte{'\n'})
		if !whole {
			break
		}
		t.add(h, line, len(line)+1)
	}
	if h.base == "" && len(begin) >= headWithin {
		h.base, h.size = t.identity(begin[:headPrefix]), headPrefix
		h.lines = []headLine{{key: hash64(h.base), end: headPrefix, tell: true}}
	}
}

// end takes what is behind the last newline for a line, if it is one.
func (t *Tailer) end(h *head) {
	line := []byte(h.rest)
	if len(line) == 0 || t.opt.Time != nil && t.opt.Time(line) == 0 {
		return
	}
	t.add(h, line, len(line))
	h.rest = ""
}

// add adds a line that takes so many bytes.
func (t *Tailer) add(h *head, line []byte, n int) {
	h.size += n
	id := t.identity(line)
	if len(h.lines) == 0 {
		h.base = id
	}
	l := headLine{key: hash64(id), end: h.size, tell: t.opt.Telling(line)}
	if t.opt.Time != nil {
		l.at = t.opt.Time(line)
	}
	h.lines = append(h.lines, l)
}

// readable reports whether a line is of the log's format.
func (h *head) readable() bool {
	for _, l := range h.lines {
		if l.at != 0 {
			return true
		}
	}
	return false
}

// readFurther looks for a readable line behind the beginning.
func (t *Tailer) readFurther(begin []byte, r io.Reader) error {
	rest := bufio.NewReaderSize(io.MultiReader(bytes.NewReader(begin), io.LimitReader(r, readableWithin)), t.opt.MaxLine+1)
	for {
		line, err := rest.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull): // no line at all
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			if len(line) > 0 && t.opt.Time(line) != 0 {
				return nil
			}
			return errOtherFormat
		case err != nil:
			return err
		case t.opt.Time(line[:len(line)-1]) != 0:
			return nil
		}
	}
}

// errOtherFormat says that a file is somebody else's, whatever it is called.
var errOtherFormat = errors.New("none of its lines is of the log's format")

// IdentityOf is the identity of a segment whose content begins so, by Identify and
// Telling; "" while it has not enough lines.
func IdentityOf(begin []byte, opt Options) string {
	t := &Tailer{opt: opt}
	if opt.Telling == nil {
		t.opt.Telling = telling
	}
	t.opt.Time = nil
	var h head
	t.analyse(&h, begin)
	return h.id(h.first())
}

// identity is the identity of a line.
func (t *Tailer) identity(line []byte) string {
	if id := t.opt.Identify(line); id != "" {
		return id
	}
	return hashIdentity(line)
}

// hashIdentity is the identity where the content offers nothing better.
func hashIdentity(head []byte) string {
	sum := sha256.Sum256(head)
	return "sha256-" + hex.EncodeToString(sum[:16])
}

func hash64(s string) uint64 {
	sum := sha256.Sum256([]byte(s))
	return binary.BigEndian.Uint64(sum[:8])
}

// telling is Options.Telling where none is given: blank lines and comments may
// stand at the head of any file.
func telling(line []byte) bool {
	line = bytes.TrimSpace(line)
	return len(line) > 0 && line[0] != '#'
}

// first is the number of lines, from 1, that are needed to tell a file from
// others as far as it says itself; 0: it has not that many yet.
func (h *head) first() int {
	for i, l := range h.lines {
		if l.tell || i+1 == tellingWithin {
			return i + 1
		}
	}
	return 0
}

// id is the identity by the first n lines. That by the first line alone is the
// line's: so a segment is known by what it was always known by.
func (h *head) id(n int) string {
	if n == 0 {
		return ""
	}
	if n == 1 {
		return h.base
	}
	sum := sha256.New()
	for _, l := range h.lines[1:n] {
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], l.key)
		sum.Write(b[:]) // a hash never fails
	}
	return h.base + "-" + hex.EncodeToString(sum.Sum(nil)[:8])
}
