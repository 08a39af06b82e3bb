package tailer

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
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

// readable reports whether a line is of the log's format.
func (h *head) readable() bool {
	for _, l := range h.lines {
		if l.at != 0 {
			return true
		}
	}
	return false
}

// IdentityOf is the identity of a segment whose content begins so, by Identify and
// Telling; "" while it has not enough lines.
func IdentityOf(begin []byte, opt Options) string {
	if opt.Telling == nil {
		opt.Telling = telling
	}
	opt.Time = nil
	c := &contents{opt: &opt}
	var h head
	c.analyse(&h, begin)
	return h.id(h.first())
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
