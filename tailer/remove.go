package tailer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/klauspost/compress/gzip"
)

var (
	// ErrBusy is returned for a file that another program may still write to.
	ErrBusy = errors.New("another program has it open and may still write to it")
	// ErrChanged is returned for a file that is not what it was, or not what it
	// should be.
	ErrChanged = errors.New("its content is not what was counted")
)

// Content is what a file holds, uncompressed.
type Content struct {
	Size  int64
	Lines int64  // newlines
	Sum   string // SHA-256 in hex
}

// unsureFor is how long a file must not have changed whose writers cannot be
// seen, as those of another user.
const unsureFor = 24 * time.Hour

// Remove deletes the file if it is the one that was listed, nobody has it open
// to write, and same agrees with what is in it now. Nothing is deleted by name
// alone: the file is held open from the first look to the last. quiet is for how
// long it did not change.
func (f File) Remove(ctx context.Context, quiet time.Duration, same func(Content) bool) (err error) {
	file, err := os.Open(f.Name)
	if err != nil {
		return fmt.Errorf("open segment: %w", err)
	}
	defer func() {
		if cerr := file.Close(); err == nil && cerr != nil {
			err = fmt.Errorf("close %s: %w", f.Name, cerr)
		}
	}()
	if err := f.untouched(file, quiet); err != nil {
		return err
	}
	c, err := f.content(ctx, file)
	if err != nil {
		return err
	}
	if !same(c) {
		return fmt.Errorf("%s: %w", f.Name, ErrChanged)
	}
	if err := f.untouched(file, quiet); err != nil {
		return err
	}
	if err := os.Remove(f.Name); err != nil {
		return fmt.Errorf("delete segment: %w", err)
	}
	return nil
}

// untouched makes sure that file is the one that was listed, is what its name
// leads to, and is open for nobody to write.
func (f File) untouched(file *os.File, quiet time.Duration) error {
	now, err := file.Stat()
	if err != nil {
		return fmt.Errorf("stat segment: %w", err)
	}
	there, err := os.Lstat(f.Name)
	if err != nil {
		return fmt.Errorf("stat segment: %w", err)
	}
	if !unchanged(now, f.fi) || !os.SameFile(there, now) || !there.Mode().IsRegular() {
		return fmt.Errorf("%s: %w", f.Name, ErrChanged)
	}
	busy, known := writers(file)
	if busy || !known && quiet < unsureFor {
		return fmt.Errorf("%s: %w", f.Name, ErrBusy)
	}
	return nil
}

// content reads all of an open file.
func (f File) content(ctx context.Context, file *os.File) (Content, error) {
	r := &segmentReader{ctx: ctx, file: file, from: io.NewSectionReader(file, 0, maxOffset)}
	if f.Compressed {
		zr, err := gzip.NewReader(r.from)
		if err != nil {
			return Content{}, fmt.Errorf("decompress %s: %w", f.Name, err)
		}
		r.from = zr
	}
	sum := sha256.New()
	count := &lineCounter{}
	n, err := io.Copy(io.MultiWriter(sum, count), r)
	if err != nil {
		return Content{}, fmt.Errorf("read %s: %w", f.Name, err)
	}
	return Content{Size: n, Lines: count.n, Sum: hex.EncodeToString(sum.Sum(nil))}, nil
}

type lineCounter struct{ n int64 }

func (c *lineCounter) Write(p []byte) (int, error) {
	c.n += int64(bytes.Count(p, []byte{'\n'}))
	return len(p), nil
}
