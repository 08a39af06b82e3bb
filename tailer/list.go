package tailer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/klauspost/compress/gzip"
)

// File is a segment as it lies on the disk, for those who read a whole segment
// by themselves: the archive, an import, a recount.
type File struct {
	ID, Name   string
	Base       string // identity by the first line alone, mostly the same as ID
	Live       bool   // it is the log that is being written
	Compressed bool
	LastWrite  time.Time
	stored     int64 // bytes of the file
	fi         fs.FileInfo
}

// Listing is what lies in a log's folders.
type Listing struct {
	Files  []File   // the log's segments, oldest first, each content once
	Names  []string // of all files that belong to the log, copies too
	Passed []Passed // what was passed over, by name
}

// List finds the segments of a log, oldest first, each content once. It reads
// first lines only and follows nothing. A file that cannot be read is told to
// opt.Logger and left out.
func List(opt Options) ([]File, error) {
	t, err := Open(opt)
	if err != nil {
		return nil, err
	}
	l, err := t.list()
	return l.Files, errors.Join(err, t.Close())
}

// Look is List that also tells what it passed over.
func Look(opt Options) (l Listing, err error) {
	t, err := Open(opt)
	if err != nil {
		return l, err
	}
	if l, err = t.list(); err == nil {
		var similar []Passed
		similar, err = t.folder.similar()
		l.Passed = append(l.Passed, similar...)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // no folder, no files
	}
	for name, h := range t.survey.hints {
		if h.why != "" {
			l.Passed = append(l.Passed, Passed{Name: name, Why: h.why})
		} else {
			l.Names = append(l.Names, name)
		}
	}
	for name, err := range t.survey.unread {
		l.Passed = append(l.Passed, Passed{Name: name, Why: err.Error(), Err: err})
	}
	slices.SortFunc(l.Passed, func(a, b Passed) int { return cmp.Compare(a.Name, b.Name) })
	return l, errors.Join(err, t.Close())
}

// list finds the files that hold the log's segments, and those that are refused.
func (t *Tailer) list() (l Listing, err error) {
	if err := t.known.recall(); err != nil {
		return l, err
	}
	names, err := t.survey.names()
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // there may be segments that nobody sees
		return l, err
	}
	var found []segmentFile
	for _, name := range names {
		if f, ok := t.survey.look(name); ok {
			found = append(found, f)
		}
	}
	t.known.settle(found)
	slices.SortFunc(found, func(a, b segmentFile) int { return cmp.Compare(a.name, b.name) })
	at := map[string]int{}
	for _, f := range found {
		if f.why != "" {
			l.Passed = append(l.Passed, Passed{Name: f.name, Why: f.why, Counted: true})
			t.said.complain(f.name, f.why, "file", f.name)
			continue
		}
		if f.id == "" {
			continue
		}
		file := File{ID: f.id, Base: f.head.base, Name: f.name, Live: f.name == t.opt.Path, Compressed: f.gz,
			LastWrite: f.fi.ModTime(), stored: f.fi.Size(), fi: f.fi}
		if i, twice := at[f.id]; twice {
			if l.Files[i].Compressed || (!file.Compressed && file.stored > l.Files[i].stored) {
				l.Files[i] = file // plain before compressed, then the longer one
			}
			continue
		}
		at[f.id] = len(l.Files)
		l.Files = append(l.Files, file)
	}
	slices.SortStableFunc(l.Files, func(a, b File) int { return a.LastWrite.Compare(b.LastWrite) })
	return l, nil
}

// Size is the size of the content in bytes. That of a compressed segment is
// found by decompressing it.
func (f File) Size(ctx context.Context) (int64, error) {
	if !f.Compressed {
		return f.stored, nil
	}
	r, err := f.Open(ctx, 0)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(io.Discard, r)
	if cerr := r.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return 0, fmt.Errorf("measure %s: %w", f.Name, err)
	}
	return n, nil
}

// Open reads the content from an offset on. A file that was renamed since List
// is an error: another one may have its name.
func (f File) Open(ctx context.Context, from int64) (io.ReadCloser, error) {
	file, err := os.Open(f.Name)
	if err != nil {
		return nil, fmt.Errorf("open segment: %w", err)
	}
	fi, err := file.Stat()
	if err == nil && (fi.Size() < f.stored || (f.Compressed && fi.Size() != f.stored) || fi.ModTime().Before(f.LastWrite)) {
		err = errMoved
	}
	if err != nil {
		return nil, closeAfter(file, fmt.Errorf("open segment %s: %w", f.Name, err))
	}
	r := &segmentReader{ctx: ctx, file: file, from: file}
	if f.Compressed {
		if r.from, err = gzip.NewReader(file); err != nil {
			return nil, closeAfter(file, fmt.Errorf("decompress %s: %w", f.Name, err))
		}
		_, err = io.CopyN(io.Discard, r, from)
	} else {
		_, err = file.Seek(from, io.SeekStart)
	}
	if err != nil {
		return nil, closeAfter(file, fmt.Errorf("open %s at %d: %w", f.Name, from, err))
	}
	return r, nil
}

// segmentReader ends when its context does, and never takes a damaged archive
// for the end of the content.
type segmentReader struct {
	ctx  context.Context
	file *os.File
	from io.Reader
}

func (r *segmentReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.from.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("read segment: %w", err)
	}
	return n, err
}

func (r *segmentReader) Close() error { return r.file.Close() }
