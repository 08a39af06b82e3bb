package importer

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// exportBegins is how an export of a site begins.
const exportBegins = `{"ddkk_export":`

// Export is a file that "export" wrote, plain or compressed. It can be read several times.
type Export struct {
	name string
	f    *os.File
}

// OpenExport opens an export; nil: the file is something else.
func OpenExport(name string) (_ *Export, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, nil // whoever opens it as a log says so, and what became of the others
	}
	e := &Export{name, f}
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		return nil, f.Close() // it cannot be read twice: whoever opens it as a log says so
	}
	var r io.Reader
	if err == nil {
		r, err = e.Read()
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	begin, err := bufio.NewReader(r).Peek(len(exportBegins))
	if err != nil || !bytes.Equal(begin, []byte(exportBegins)) {
		return nil, f.Close() // what cannot be unpacked is told by whoever reads it as a log
	}
	return e, nil
}

// Name is the file's.
func (e *Export) Name() string { return e.name }

// Read reads the content from its beginning.
func (e *Export) Read() (io.Reader, error) {
	if _, err := e.f.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("read %s: %w", e.name, err)
	}
	magic := make([]byte, 8)
	n, err := e.f.ReadAt(magic, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read %s: %w", e.name, err)
	}
	p := packingOf(magic[:n])
	if p == nil || p.open == nil {
		return e.f, nil
	}
	r, err := p.open(bufio.NewReader(e.f))
	if err != nil {
		return nil, fmt.Errorf("unpack %s: %w", e.name, err)
	}
	return r, nil
}

// Close closes the file.
func (e *Export) Close() error { return e.f.Close() }
