package tailer

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/klauspost/compress/gzip"
)

// HeadLines is how many lines at the beginning of a file tell which one it is.
const HeadLines = headLines

// Edit changes the bytes of a line in place, given without its newline and with its
// number from 0, and tells whether it did. One that is longer than Options.MaxLine does
// not come.
type Edit func(n int64, line []byte) bool

// Rewritten is what became of a file.
type Rewritten struct {
	Lines   int64 // that were changed
	Skipped bool  // it is not there any more
}

// Rewrite has edit change lines of a rotated file: a new file takes its place at once and
// durably, with its rights, its owner where that is allowed, and its time. Content has
// the same size afterwards, so offsets stay as they are. A file is left alone, with
// ErrBusy or ErrChanged, where somebody may still write to it, and if it changes meanwhile. quiet is for
// how long a file must not have changed.
func Rewrite(ctx context.Context, name string, now time.Time, quiet time.Duration, maxLine int, edit Edit) (done Rewritten, err error) {
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return Rewritten{Skipped: true}, nil
	}
	if err != nil {
		return done, fmt.Errorf("open segment: %w", err)
	}
	defer func() {
		if cerr := file.Close(); err == nil && cerr != nil {
			err = fmt.Errorf("close %s: %w", name, cerr)
		}
	}()
	fi, err := file.Stat()
	if err != nil {
		return done, fmt.Errorf("stat segment: %w", err)
	}
	form, err := formIn(file)
	if err != nil {
		return done, fmt.Errorf("read %s: %w", name, err)
	}
	f := File{Name: name, Compressed: form == gzipped, LastWrite: fi.ModTime(), stored: fi.Size(), fi: fi}
	if form != plain && form != gzipped {
		return done, fmt.Errorf("%s: a log that is compressed by %s cannot be read", name, form)
	}
	if done.Lines, err = f.edit(ctx, file, io.Discard, maxLine, edit); err != nil || done.Lines == 0 {
		return done, err
	}
	age := now.Sub(fi.ModTime())
	if age < quiet {
		return done, fmt.Errorf("%s: %w", name, ErrBusy)
	}
	if err := f.untouched(file, age); err != nil {
		return done, err
	}
	return done, f.replace(ctx, file, age, maxLine, edit)
}

// Matching has edit look at the lines of a file, of which nothing is changed, and tells how
// many it would have changed.
func Matching(ctx context.Context, name string, maxLine int, edit Edit) (n int64, err error) {
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("open segment: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	form, err := formIn(file)
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", name, err)
	}
	return File{Name: name, Compressed: form == gzipped}.edit(ctx, file, io.Discard, maxLine, edit)
}

// edit copies the content, line by line.
func (f File) edit(ctx context.Context, file *os.File, to io.Writer, maxLine int, edit Edit) (changed int64, err error) {
	var r io.Reader = &segmentReader{ctx: ctx, file: file, from: io.NewSectionReader(file, 0, maxOffset)}
	if f.Compressed {
		if r, err = gzip.NewReader(r); err != nil {
			return 0, fmt.Errorf("decompress %s: %w", f.Name, err)
		}
	}
	in := bufio.NewReaderSize(r, maxLine+2)
	for n, long := int64(0), false; ; {
		line, err := in.ReadSlice('\n')
		whole := !errors.Is(err, bufio.ErrBufferFull)
		if err != nil && whole && !errors.Is(err, io.EOF) {
			return changed, fmt.Errorf("read %s: %w", f.Name, err)
		}
		if text := bytes.TrimSuffix(line, []byte{'\n'}); whole && !long && len(text) > 0 && edit(n, text) {
			changed++
		}
		if _, werr := to.Write(line); werr != nil {
			return changed, fmt.Errorf("write %s: %w", f.Name, werr)
		}
		if errors.Is(err, io.EOF) {
			return changed, nil
		}
		if long = !whole; whole {
			n++
		}
	}
}

// replace writes the new file beside the old one and gives it its name.
func (f File) replace(ctx context.Context, file *os.File, quiet time.Duration, maxLine int, edit Edit) (err error) {
	dir := filepath.Dir(f.Name)
	tmp, err := os.CreateTemp(dir, ".erase-*.tmp") // no segment is called so
	if err != nil {
		return fmt.Errorf("rewrite %s: %w", f.Name, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("rewrite %s: %w", f.Name, err), ignoreGone(tmp.Close()), ignoreGone(os.Remove(tmp.Name())))
		}
	}()
	out := bufio.NewWriterSize(tmp, 1<<20)
	var to io.Writer = out
	var zip *gzip.Writer
	if f.Compressed {
		zip = gzip.NewWriter(out)
		to = zip
	}
	if _, err := f.edit(ctx, file, to, maxLine, edit); err != nil {
		return err
	}
	if zip != nil {
		if err := zip.Close(); err != nil {
			return err
		}
	}
	if err := errors.Join(out.Flush(), tmp.Chmod(f.fi.Mode().Perm()), f.sameOwner(tmp), tmp.Sync()); err != nil {
		return err
	}
	if err := os.Chtimes(tmp.Name(), f.fi.ModTime(), f.fi.ModTime()); err != nil {
		return err
	}
	if err := f.untouched(file, quiet); err != nil {
		return err
	}
	if err := errors.Join(tmp.Close(), os.Rename(tmp.Name(), f.Name)); err != nil {
		return err
	}
	return syncFolder(dir)
}

// ignoreGone drops the error of cleaning up what is closed, or gone, already.
func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrClosed) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// sameOwner gives a file the old one's owner and group. Who may not do that owns it from
// now on, which is enough to read it.
func (f File) sameOwner(tmp *os.File) error {
	st, ok := f.fi.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	err := tmp.Chown(int(st.Uid), int(st.Gid))
	if errors.Is(err, fs.ErrPermission) {
		err = tmp.Chown(-1, int(st.Gid))
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}

// syncFolder makes a new name durable.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
