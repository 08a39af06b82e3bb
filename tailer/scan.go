package tailer

import (
	"cmp"
	"io/fs"
	"os"
	"slices"
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

// check looks at the open files and at the live path, without reading the
// directory or any content.
func (t *Tailer) check() {
	for _, s := range t.all {
		if s.src == nil || s.gz {
			continue
		}
		known := s.size
		t.hold.checkSize(s)
		if s.fol != nil {
			t.hold.distrust(s, s.size > known)
		}
	}
	fi, err := t.opt.disk.Stat(t.opt.Path)
	switch {
	case err != nil:
		if t.live.fi != nil {
			t.hurry()
		}
	case t.live.fi == nil, !os.SameFile(fi, t.live.fi), fi.Size() < t.live.fi.Size():
		t.hurry()
	case t.live.id == "" && !unchanged(fi, t.live.fi):
		t.hurry()
	}
}

// scan reads the directory and brings the segments up to date.
func (t *Tailer) scan() {
	var files []segmentFile
	t.live = liveFile{}
	clear(t.survey.unread)
	if err := t.known.recall(); err != nil {
		t.said.complain("recall", "the log is not read yet; trying again", "err", err)
		return
	}
	names, err := t.survey.names()
	whole := err == nil
	for _, name := range names {
		f, ok := t.survey.look(name)
		if !ok {
			continue
		}
		files = append(files, f)
	}
	for _, s := range t.all {
		t.known.trace(s)
	}
	t.known.settle(files)
	for _, f := range files {
		if f.name == t.opt.Path {
			t.live = liveFile{fi: f.fi, id: f.id}
		}
	}
	if t.live.fi == nil && t.said.silent(t.opt.Path) {
		t.said.complain(t.opt.Path, "there is no log yet; waiting for it", "path", t.opt.Path)
	}
	if whole {
		t.survey.forget(names)
		t.known.forget(names)
	}
	t.merger.merge(files, whole)
	t.known.remember()
}

// prefer orders files of the same content: live, plain, longest, by name.
func (m *merger) prefer(a, b segmentFile) int {
	if a.gz != b.gz {
		if b.gz {
			return -1
		}
		return 1
	}
	if al, bl := a.name == m.opt.Path, b.name == m.opt.Path; al != bl {
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
