package tailer

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
)

// survey finds out what lies under the names of the log's files. It reads their
// beginnings only, and those only when they changed.
type survey struct {
	opt     *Options
	folder  *folder
	content *contents
	roster  *roster
	plan    *schedule
	said    *complaints
	hints   map[string]hint
	unread  map[string]error // what the last scan could not read
}

// names is list with its complaints. The live log's name is known even if its
// folder may not be read.
func (v *survey) names() ([]string, error) {
	names, err := v.folder.list()
	if err != nil {
		v.said.complain(v.folder.dir, "only the live log is read, rotated ones are not found", "dir", v.folder.dir, "err", err)
		if at, there := slices.BinarySearch(names, v.opt.Path); !there {
			names = slices.Insert(names, at, v.opt.Path)
		}
		return names, err
	}
	v.said.passed(v.folder.dir, "dir", v.folder.dir)
	return names, nil
}

// look finds out what the file called name holds.
func (v *survey) look(name string) (segmentFile, bool) {
	fi, err := v.opt.disk.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return segmentFile{}, false
	}
	if err == nil && !fi.Mode().IsRegular() {
		err = fmt.Errorf("%s: %w", KindOf(fi.Mode()), ErrNotLog)
	}
	if err != nil {
		v.unread[name] = err
		v.said.complain(name, "cannot read a log; trying again", "file", name, "err", err)
		return segmentFile{}, false
	}
	f := segmentFile{name: name, fi: fi}
	if h, ok := v.hints[name]; ok && unchanged(h.fi, fi) {
		f.head, f.gz = h.head, h.head != nil && h.head.form == gzipped
		v.endClosed(&f)
		return f, h.why == ""
	}
	h, err := v.content.readHead(name, fi)
	if errors.Is(err, errMoved) || errors.Is(err, fs.ErrNotExist) {
		v.plan.hurry() // rotated under our eyes: look again at once
		return segmentFile{}, false
	}
	if why := v.foreign(name, fi, &h, err); why != "" {
		v.said.complain(name, why+"; it is neither read nor deleted", "file", name)
		v.hints[name] = hint{fi: fi, why: why}
		return f, false
	}
	if err != nil {
		v.unread[name] = err
		v.said.complain(name, "cannot read a log; trying again", "file", name, "err", err)
		// What is already open is known. And a live file is there all the
		// same: the older segment must not wait for it.
		f.id = v.roster.heldAs(fi)
		return f, f.id != "" || name == v.opt.Path
	}
	if name == v.opt.Path && h.form != plain {
		v.compressedLive(h.form)
		return f, true // there, but nothing to read
	}
	v.said.passed(name, "file", name)
	f.head, f.gz = &h, h.form == gzipped
	v.hints[name] = hint{fi: fi, head: &h}
	v.endClosed(&f)
	return f, true
}

// endClosed has a file that nobody writes any more be known by its last line, where it
// has no other: that lacks its newline.
func (v *survey) endClosed(f *segmentFile) {
	if f.head == nil || f.head.rest == "" || f.name == v.opt.Path {
		return
	}
	if f.gz || v.opt.Now().Sub(f.fi.ModTime()) >= v.opt.Quiet {
		v.content.end(f.head)
	}
}

// among tells whether a name is among names, which are sorted.
func among(names []string, name string) bool {
	_, there := slices.BinarySearch(names, name)
	return there
}

// foreign tells why a file with a segment's name is none; "" when it is one. A
// file that was read here as the live log is one whatever is in it.
func (v *survey) foreign(name string, fi fs.FileInfo, h *head, err error) string {
	switch {
	case name == v.opt.Path:
		return ""
	case h.form != plain && h.form != gzipped:
		return fmt.Sprintf("a rotated log that is compressed by %s cannot be read; use gzip, or decompress it", h.form)
	case errors.Is(err, errOtherFormat) && v.roster.heldAs(fi) == "":
		return errOtherFormat.Error()
	}
	return ""
}

// compressedLive complains about a live log that its writer compresses.
func (v *survey) compressedLive(by form) {
	v.said.once(slog.LevelError, v.opt.Path, compressedBy(by).Error(), "path", v.opt.Path)
}

// forget drops what was remembered about names that are gone.
func (v *survey) forget(names []string) {
	maps.DeleteFunc(v.hints, func(name string, _ hint) bool { return !among(names, name) })
	v.said.forget(names, v.folder.dir, v.opt.Path, v.opt.Memory)
}

// hint saves reading the first line of a file again that did not change.
type hint struct {
	fi   fs.FileInfo
	head *head
	why  string // it is none of the log's segments; "" when it may be one
}

func unchanged(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}
