package tailer

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// segmentFile is a file that holds a segment.
type segmentFile struct {
	name string
	fi   fs.FileInfo
	head *head  // nil when it could not be read
	id   string // "" while it is not known which segment it is
	gz   bool
	why  string // why it is refused; "" when it is not
}

// hint saves reading the first line of a file again that did not change.
type hint struct {
	fi   fs.FileInfo
	head *head
	why  string // it is none of the log's segments; "" when it may be one

	// What was found of it as a segment's file, see judge.
	judged      bool
	id, refused string
}

func unchanged(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// check looks at the open files and at the live path, without reading the
// directory or any content.
func (t *Tailer) check() {
	for _, s := range t.all {
		if s.src == nil || s.gz {
			continue
		}
		known := s.size
		t.checkSize(s)
		if s.fol != nil {
			t.distrust(s, s.size > known)
		}
	}
	fi, err := t.disk.Stat(t.opt.Path)
	switch {
	case err != nil:
		if t.live.fi != nil {
			t.scanAt = time.Time{}
		}
	case t.live.fi == nil, !os.SameFile(fi, t.live.fi), fi.Size() < t.live.fi.Size():
		t.scanAt = time.Time{}
	case t.live.id == "" && !unchanged(fi, t.live.fi):
		t.scanAt = time.Time{}
	}
}

// checkSize notes growth, and raises the alarm when a file shrank.
func (t *Tailer) checkSize(s *segment) {
	size, err := s.src.Size()
	if err != nil {
		t.trouble(s, err)
		return
	}
	switch {
	case size > s.size:
		s.size, s.changed = size, t.opt.Now()
		t.publish(s)
	case size < s.size && size < s.rd.off:
		t.freeze(s, alarmShrank, "size", size, "read", s.rd.off)
		s.size = size
		t.publish(s)
	case size < s.size:
		s.rd = s.rd.again(s.src, s.rd.off)
		s.size, s.changed = size, t.opt.Now()
		t.raise(s, alarmCut, "size", size, "read", s.rd.off)
	}
}

const (
	alarmShrank      = "the log shrank below what was read of it: copytruncate and editing are not supported, rotate by rename; this segment is frozen"
	alarmCut         = "the log shrank, though not below what was read of it: copytruncate and editing are not supported, rotate by rename"
	alarmShort       = "the segment is shorter than its checkpoint: it was cut or replaced; it is frozen, rotate the log to go on counting"
	alarmRewritten   = "the log was overwritten with other content: copytruncate is not supported, rotate by rename; this segment is frozen"
	alarmOverwritten = "the log was overwritten: what was read of it is not there any more; this segment is frozen, rotate the log to go on counting"
	alarmClosed      = "a closed segment became shorter: it was cut or replaced"
)

// scan reads the directory and brings the segments up to date.
func (t *Tailer) scan() {
	var files []segmentFile
	t.live = liveFile{}
	clear(t.unread)
	if err := t.recall(); err != nil {
		t.complain("recall", "the log is not read yet; trying again", "err", err)
		return
	}
	names, err := t.names()
	whole := err == nil
	for _, name := range names {
		f, ok := t.look(name)
		if !ok {
			continue
		}
		files = append(files, f)
	}
	for _, s := range t.all {
		t.trace(s)
	}
	t.settle(files)
	for _, f := range files {
		if f.name == t.opt.Path {
			t.live = liveFile{fi: f.fi, id: f.id}
		}
	}
	if t.live.fi == nil && t.said[t.opt.Path] == "" {
		t.complain(t.opt.Path, "there is no log yet; waiting for it", "path", t.opt.Path)
	}
	if whole {
		t.forget(names)
	}
	t.merge(files, whole)
	t.remember()
}

// names is list with its complaints. The live log's name is known even if its
// folder may not be read.
func (t *Tailer) names() ([]string, error) {
	names, err := t.list()
	if err != nil {
		t.complain(t.dir, "only the live log is read, rotated ones are not found", "dir", t.dir, "err", err)
		if at, there := slices.BinarySearch(names, t.opt.Path); !there {
			names = slices.Insert(names, at, t.opt.Path)
		}
		return names, err
	}
	t.passed(t.dir, "dir", t.dir)
	return names, nil
}

// look finds out what the file called name holds.
func (t *Tailer) look(name string) (segmentFile, bool) {
	fi, err := t.disk.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return segmentFile{}, false
	}
	if err == nil && !fi.Mode().IsRegular() {
		err = fmt.Errorf("%s: %w", KindOf(fi.Mode()), ErrNotLog)
	}
	if err != nil {
		t.unread[name] = err
		t.complain(name, "cannot read a log; trying again", "file", name, "err", err)
		return segmentFile{}, false
	}
	f := segmentFile{name: name, fi: fi}
	if h, ok := t.hints[name]; ok && unchanged(h.fi, fi) {
		f.head, f.gz = h.head, h.head != nil && h.head.form == gzipped
		t.endClosed(&f)
		return f, h.why == ""
	}
	h, err := t.readHead(name, fi)
	if errors.Is(err, errMoved) || errors.Is(err, fs.ErrNotExist) {
		t.scanAt = time.Time{} // rotated under our eyes: look again at once
		return segmentFile{}, false
	}
	if why := t.foreign(name, fi, &h, err); why != "" {
		t.complain(name, why+"; it is neither read nor deleted", "file", name)
		t.hints[name] = hint{fi: fi, why: why}
		return f, false
	}
	if err != nil {
		t.unread[name] = err
		t.complain(name, "cannot read a log; trying again", "file", name, "err", err)
		// What is already open is known. And a live file is there all the
		// same: the older segment must not wait for it.
		f.id = t.heldAs(fi)
		return f, f.id != "" || name == t.opt.Path
	}
	if name == t.opt.Path && h.form != plain {
		t.compressedLive(h.form)
		return f, true // there, but nothing to read
	}
	t.passed(name, "file", name)
	f.head, f.gz = &h, h.form == gzipped
	t.hints[name] = hint{fi: fi, head: &h}
	t.endClosed(&f)
	return f, true
}

// endClosed has a file that nobody writes any more be known by its last line, where it
// has no other: that lacks its newline.
func (t *Tailer) endClosed(f *segmentFile) {
	if f.head == nil || f.head.rest == "" || f.name == t.opt.Path {
		return
	}
	if f.gz || t.opt.Now().Sub(f.fi.ModTime()) >= t.opt.Quiet {
		t.end(f.head)
	}
}

// foreign tells why a file with a segment's name is none; "" when it is one. A
// file that was read here as the live log is one whatever is in it.
func (t *Tailer) foreign(name string, fi fs.FileInfo, h *head, err error) string {
	switch {
	case name == t.opt.Path:
		return ""
	case h.form != plain && h.form != gzipped:
		return fmt.Sprintf("a rotated log that is compressed by %s cannot be read; use gzip, or decompress it", h.form)
	case errors.Is(err, errOtherFormat) && t.heldAs(fi) == "":
		return errOtherFormat.Error()
	}
	return ""
}

// compressedLive complains about a live log that its writer compresses.
func (t *Tailer) compressedLive(by form) {
	if what := compressedBy(by).Error(); t.said[t.opt.Path] != what {
		t.said[t.opt.Path] = what
		t.opt.Logger.Error(what, "path", t.opt.Path)
	}
}

// heldAs returns the identity of the segment that is read from this very file.
func (t *Tailer) heldAs(fi fs.FileInfo) string {
	for _, s := range t.all {
		if s.src != nil && os.SameFile(s.fi, fi) {
			return s.id
		}
	}
	return ""
}

// forget drops what was remembered about names that are gone.
func (t *Tailer) forget(names []string) {
	for name := range t.hints {
		if _, there := slices.BinarySearch(names, name); !there {
			delete(t.hints, name)
		}
	}
	for about := range t.said {
		if about == t.dir || about == t.opt.Path || about == t.opt.Memory {
			continue
		}
		if _, there := slices.BinarySearch(names, about); !there && filepath.IsAbs(about) {
			delete(t.said, about)
		}
	}
}

// prefer orders files of the same content: live, plain, longest, by name.
func (t *Tailer) prefer(a, b segmentFile) int {
	if a.gz != b.gz {
		if b.gz {
			return -1
		}
		return 1
	}
	if al, bl := a.name == t.opt.Path, b.name == t.opt.Path; al != bl {
		if al {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(b.fi.Size(), a.fi.Size()), cmp.Compare(a.name, b.name))
}

func sortSegments(list []Segment) {
	slices.SortFunc(list, func(a, b Segment) int {
		return cmp.Or(a.LastWrite.Compare(b.LastWrite), cmp.Compare(a.ID, b.ID))
	})
}
