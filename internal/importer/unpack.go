package importer

import (
	"bytes"
	"compress/bzip2"
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// packing is how a file is compressed, told by how it begins, whatever its name.
type packing struct {
	name, magic string
	// open reads what is in it, all members; nil: that is left to others.
	open func(io.Reader) (io.Reader, error)
	// tool writes the content to its output; with open, what can be saved of it.
	tool string
}

var packings = []packing{
	{"gzip", "\x1f\x8b", func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }, "gzip -dc"},
	{"zstd", "\x28\xb5\x2f\xfd", openZstd, "zstd -dc"},
	{"bzip2", "BZh", func(r io.Reader) (io.Reader, error) { return bzip2.NewReader(r), nil }, "bzip2 -dc"},
	{"xz", "\xfd7zXZ\x00", func(r io.Reader) (io.Reader, error) { return xz.NewReader(r) }, "xz -dc"},
	{"lz4", "\x04\x22\x4d\x18", nil, "lz4 -dc"},
	{"lzop", "\x89LZO\x00", nil, "lzop -dc"},
	{"compress", "\x1f\x9d", nil, "gzip -dc"},
	{"zip", "PK\x03\x04", nil, "unzip -p"},
	{"7-Zip", "7z\xbc\xaf\x27\x1c", nil, "7z x -so"},
	{"RAR", "Rar!\x1a\x07", nil, "unrar p -inul"},
}

// maxZstdWindow is what a zstd file may ask for in memory, as "zstd --long" does.
const maxZstdWindow = 128 << 20

func openZstd(r io.Reader) (io.Reader, error) {
	// Without goroutines of its own: a reader that nobody closes leaves nothing.
	return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxZstdWindow))
}

// packingOf tells how a file that begins so is compressed, nil if it is not.
func packingOf(begin []byte) *packing {
	i := slices.IndexFunc(packings, func(p packing) bool { return bytes.HasPrefix(begin, []byte(p.magic)) })
	if i < 0 {
		return nil
	}
	return &packings[i]
}

// refuse says what to do with a file that is compressed in a way that is not read.
func (p *packing) refuse(name string) error {
	if p.open != nil {
		return nil
	}
	return fmt.Errorf("%s is compressed (%s), which is not read here: %s FILE > NEW, and import that", name, p.name, p.tool)
}

// noLog says what a content is that cannot be read as lines, and what makes some
// of it; nil for a content that may be a log.
func noLog(name string, begin []byte) error {
	const tarMark = 257
	switch {
	case bytes.HasPrefix(begin, []byte("\xff\xfe")), bytes.HasPrefix(begin, []byte("\xfe\xff")):
		return fmt.Errorf("%s is UTF-16, as Windows PowerShell writes: iconv -f UTF-16 -t UTF-8 FILE > NEW, and import that", name)
	case len(begin) > tarMark+5 && string(begin[tarMark:tarMark+5]) == "ustar":
		return fmt.Errorf("%s is a tar archive: tar -xf FILE, and import the logs that are in it", name)
	case bytes.IndexByte(begin, '\n') < 0 && bytes.IndexByte(begin, '\r') >= 0:
		return fmt.Errorf("the lines of %s end in CR alone: tr '\\r' '\\n' < FILE > NEW, and import that", name)
	}
	return nil
}
