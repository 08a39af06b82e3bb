package tailer

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
)

// memory is a source in memory.
type memory struct{ *bytes.Reader }

func (m memory) Size() (int64, error) { return m.Reader.Size(), nil }
func (m memory) Close() error         { return nil }
func (m memory) raw() file            { return nil }

func inMemory(b []byte) memory { return memory{bytes.NewReader(b)} }

// outcome is what a segment's content amounts to: lines, and overlong ones by
// their length alone.
func outcome(content []byte, maxLine int) (out []string) {
	for len(content) > 0 {
		i := bytes.IndexByte(content, '\n')
		if i < 0 {
			return append(out, "torn "+string(content[:min(len(content), maxLine)]))
		}
		if i > maxLine {
			out = append(out, fmt.Sprint("oversize ", i))
		} else {
			out = append(out, "line "+string(content[:i]))
		}
		content = content[i+1:]
	}
	return out
}

// readAll reads content that grows from cut to cut and returns its outcome.
func readAll(t testing.TB, content []byte, cuts []int, maxLine, blockSize int) (out []string) {
	t.Helper()
	buf := make([]byte, max(blockSize, maxLine+1))
	r := newReader(nil, 0)
	at := int64(0)
	note := func(p piece) {
		if p.start != at {
			t.Fatalf("piece at %d, expected %d", p.start, at)
		}
		at = p.end
		switch p.kind {
		case Oversize:
			out = append(out, fmt.Sprint("oversize ", p.end-p.start-1))
		case Torn:
			out = append(out, "torn "+string(buf[p.at:p.at+p.n]))
		default:
			for line := range bytes.Lines(buf[p.at : p.at+p.n]) {
				out = append(out, "line "+strings.TrimSuffix(string(line), "\n"))
			}
		}
	}
	for _, cut := range append(cuts, len(content)) {
		r.src = inMemory(content[:cut])
		for r.seen < int64(cut) {
			p, ok, err := r.step(buf, maxLine)
			if err != nil {
				t.Fatal(err)
			}
			if ok {
				note(p)
			}
		}
	}
	if r.off < int64(len(content)) {
		p, err := r.torn(buf, maxLine, int64(len(content)))
		if err != nil {
			t.Fatal(err)
		}
		note(p)
	}
	return out
}

func FuzzReader(f *testing.F) {
	f.Add([]byte("a\nbb\n\nccc\r\n"), uint8(4), uint16(3), uint16(5))
	f.Add([]byte("no newline at all"), uint8(3), uint16(1), uint16(9))
	f.Add([]byte(strings.Repeat("x", 99)+"\n"+strings.Repeat("y", 7)), uint8(10), uint16(50), uint16(60))
	f.Add([]byte("\n\n\n\x00\n\xff"), uint8(0), uint16(0), uint16(2))
	f.Fuzz(func(t *testing.T, content []byte, maxLine uint8, blockSize, cut uint16) {
		limit := int(maxLine) + 1
		var cuts []int
		for c := int(cut); c > 0 && c < len(content); c += int(cut) {
			cuts = append(cuts, c)
		}
		got := readAll(t, content, cuts, limit, int(blockSize)%1024)
		if want := outcome(content, limit); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%q\ngot  %q\nwant %q", content, got, want)
		}
	})
}

// From whatever offset reading is resumed, it goes on at the start of a line.
func FuzzResumeAnywhere(f *testing.F) {
	f.Add([]byte("a\nbb\n\nccc\r\nd"), uint16(3))
	f.Add([]byte(strings.Repeat("x", 99)), uint16(98))
	f.Fuzz(func(t *testing.T, content []byte, at uint16) {
		off := int64(at) % int64(len(content)+1)
		r := newReader(inMemory(content), off)
		if err := r.align(make([]byte, 5)); err != nil {
			t.Fatal(err)
		}
		if want := startOfLine(string(content), off); r.off != want {
			t.Errorf("%q from %d: aligned to %d, want %d", content, off, r.off, want)
		}
	})
}

func TestGzipSourceReadsAnywhere(t *testing.T) {
	content := []byte(lines("a", 0, 300))
	f := rawBytes{bytes.NewReader([]byte(zipped(t, string(content))))}
	g := &gzipSource{file: f, end: -1}
	buf := make([]byte, 1000)
	for _, off := range []int64{0, 1000, 1900, 1950, 100, int64(len(content)) - 10, 0, int64(len(content)), 5, int64(len(content)) + 5} {
		n, err := g.ReadAt(buf, off)
		if err != nil && err != io.EOF {
			t.Fatalf("at %d: %v", off, err)
		}
		from := min(off, int64(len(content)))
		want := content[from:min(int64(len(content)), from+int64(len(buf)))]
		if !bytes.Equal(buf[:n], want) {
			t.Errorf("at %d: %d bytes, want %d", off, n, len(want))
		}
	}
}

// rawBytes is a file in memory.
type rawBytes struct{ *bytes.Reader }

func (rawBytes) Close() error               { return nil }
func (rawBytes) Stat() (fs.FileInfo, error) { return nil, fs.ErrInvalid }
