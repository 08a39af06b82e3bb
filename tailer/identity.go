package tailer

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/klauspost/compress/gzip"
)

const (
	// identifyWithin is how far the end of the first line is looked for.
	identifyWithin = 64 << 10
	// identifyPrefix is how much stands in for a first line without an end.
	identifyPrefix = 4096
)

// identify returns the identity of the file called name, which fi describes, or
// "" while it has no complete first line. The answer depends on nothing but the
// first 64 KiB, so it never changes while the file grows.
func (t *Tailer) identify(name string, fi fs.FileInfo) (id string, err error) {
	f, err := openSame(t.disk, name, fi)
	if err != nil {
		return "", err
	}
	defer func() {
		if cerr := f.Close(); err == nil && cerr != nil {
			err = fmt.Errorf("close %s: %w", name, cerr)
		}
	}()
	var r io.Reader = io.NewSectionReader(f, 0, maxOffset)
	if isGzip(name) {
		zr, err := gzip.NewReader(r)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return "", nil // the compressor has only just begun
		}
		if err != nil {
			return "", fmt.Errorf("decompress %s: %w", name, err)
		}
		r = zr
	}
	head, err := readHead(r)
	if err != nil {
		return "", fmt.Errorf("read the first line of %s: %w", name, err)
	}
	return t.identityOf(head), nil
}

// readHead reads until there is a newline, 64 KiB, or no more.
func readHead(r io.Reader) ([]byte, error) {
	head := make([]byte, 0, identifyPrefix)
	for len(head) < identifyWithin {
		if len(head) == cap(head) {
			head = append(make([]byte, 0, min(4*cap(head), identifyWithin)), head...)
		}
		n, err := r.Read(head[len(head):cap(head)])
		fresh := head[len(head) : len(head)+n]
		head = head[:len(head)+n]
		if bytes.IndexByte(fresh, '\n') >= 0 {
			return head, nil
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return head, nil
		}
		if err != nil {
			return nil, err
		}
	}
	return head, nil
}

func (t *Tailer) identityOf(head []byte) string {
	if i := bytes.IndexByte(head, '\n'); i >= 0 {
		head = head[:i]
	} else if len(head) < identifyWithin {
		return ""
	} else {
		head = head[:identifyPrefix]
	}
	if id := t.opt.Identify(head); id != "" {
		return id
	}
	return hashIdentity(head)
}

// hashIdentity is the identity where the content offers nothing better.
func hashIdentity(head []byte) string {
	sum := sha256.Sum256(head)
	return "sha256-" + hex.EncodeToString(sum[:16])
}
