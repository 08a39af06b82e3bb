package tailer

import (
	"cmp"
	"io/fs"
	"os"
	"slices"
	"time"
)

// keepDeleted is how many deleted segments are remembered, so that a late Sync
// or Rewind of one gets a fitting answer.
const keepDeleted = 256

// merge brings the segments in line with the files that a scan found. Unless
// whole, only the live name is known to have been looked for.
func (t *Tailer) merge(files []segmentFile, whole bool) {
	t.findRewritten(files)
	groups := make(map[string][]segmentFile, len(files))
	refused := make(map[string]segmentFile)
	for _, f := range files {
		switch {
		case f.why != "":
			refused[refusedID(f.name)] = f
		case f.id != "":
			groups[f.id] = append(groups[f.id], f)
		}
	}
	t.refuse(refused)
	for _, s := range t.all {
		if s.refused {
			continue
		}
		if copies := groups[s.id]; len(copies) > 0 {
			slices.SortFunc(copies, t.prefer)
			t.seen(s, copies)
			delete(groups, s.id)
		} else {
			t.unseen(s, whole)
		}
		t.learn(s)
		t.publish(s)
	}
	for id, copies := range groups {
		slices.SortFunc(copies, t.prefer)
		t.found(id, copies)
	}
	slices.SortStableFunc(t.all, func(a, b *segment) int {
		return cmp.Or(compareBool(a.live, b.live), a.changed.Compare(b.changed), cmp.Compare(a.id, b.id))
	})
	t.trim()
}

// refusedID stands for a file that is not read among the segments.
func refusedID(name string) string { return "refused:" + name }

// refuse raises the alarms of files that are not read, and ends those of files
// that are not there any more.
func (t *Tailer) refuse(files map[string]segmentFile) {
	t.all = slices.DeleteFunc(t.all, func(s *segment) bool {
		if _, there := files[s.id]; !s.refused || there {
			return false
		}
		t.opt.Logger.Info("resolved: a file that was not read is gone", "file", s.name)
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.byID, s.id)
		return true
	})
	for id, f := range files {
		s := t.byID[id]
		if s == nil {
			s = &segment{id: id, refused: true, frozen: true}
			t.all = append(t.all, s)
			t.mu.Lock()
			t.byID[id] = s
			t.mu.Unlock()
		}
		s.name, s.fi, s.gz, s.size, s.live = f.name, f.fi, f.gz, f.fi.Size(), f.name == t.opt.Path
		s.changed, s.rd.off = f.fi.ModTime(), s.size
		t.raise(s, f.why)
	}
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// findRewritten freezes segments whose file got another first line.
func (t *Tailer) findRewritten(files []segmentFile) {
	for _, s := range t.all {
		if s.src == nil || s.gz {
			continue
		}
		for _, f := range files {
			if f.id != "" && f.id != s.id && os.SameFile(f.fi, s.fi) {
				t.freeze(s, alarmRewritten, "read", s.rd.off)
				break
			}
		}
	}
}

// learn takes over how s begins, for those who look for its file.
func (t *Tailer) learn(s *segment) {
	tr := t.mem.traces[s.id]
	if tr == nil || len(tr.Keys) == len(s.keys) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s.base, s.keys = tr.Base, slices.Clone(tr.Keys)
}

// seen updates a known segment; copies are its files, best first.
func (t *Tailer) seen(s *segment, copies []segmentFile) {
	s.deleted = false
	s.live = slices.ContainsFunc(copies, func(f segmentFile) bool { return f.name == t.opt.Path })
	i := slices.IndexFunc(copies, func(f segmentFile) bool { return os.SameFile(f.fi, s.fi) })
	s.linked = i >= 0
	if s.linked {
		if !unchanged(copies[i].fi, s.fi) {
			s.retryAt = time.Time{} // a compressor that was not done yet
		}
		s.name, s.fi = copies[i].name, copies[i].fi
	}
	if s.name != t.opt.Path {
		t.unfollow(s)
	}
	switch {
	case s.frozen:
		t.thaw(s, copies)
	case s.src != nil:
		t.moveOn(s, copies[0])
	default:
		t.recheck(s, copies[0])
	}
}

// unseen notes that no file holds the segment any more (as far as the folder
// could be listed); one that is open is read to its end all the same.
func (t *Tailer) unseen(s *segment, whole bool) {
	s.live = false
	t.unfollow(s)
	if whole {
		s.linked, s.deleted = false, s.src == nil
	}
}

// moveOn changes to another file of the same content once the present one is
// read: the live log was replaced by an edited copy, or a fuller copy exists.
func (t *Tailer) moveOn(s *segment, best segmentFile) {
	if s.gz || best.gz || !s.drained() || os.SameFile(best.fi, s.fi) {
		return
	}
	isLive := best.name == t.opt.Path
	switch {
	case isLive && best.fi.Size() < s.rd.off:
		s.fi, s.name = best.fi, best.name
		t.freeze(s, alarmShort, "size", best.fi.Size(), "read", s.rd.off)
	case isLive, best.fi.Size() > s.size:
		t.rebind(s, best)
	}
}

// recheck looks whether a closed segment has more to read.
func (t *Tailer) recheck(s *segment, best segmentFile) {
	if best.gz {
		t.recheckGzip(s, best)
		return
	}
	switch size := best.fi.Size(); {
	case size > s.size:
		t.reopen(s, best)
	case size < s.size:
		t.raise(s, alarmClosed, "size", size, "read", s.size)
	default:
		s.name, s.fi, s.gz = best.name, best.fi, false
	}
}

// recheckGzip compares the size of a compressed file with what was read.
func (t *Tailer) recheckGzip(s *segment, best segmentFile) {
	if s.checked != nil && unchanged(s.checked, best.fi) {
		return
	}
	f, err := openSame(t.disk, best.name, best.fi)
	if err != nil {
		t.complain(best.name, "cannot read a log; trying again", "file", best.name, "err", err)
		return
	}
	hint, err := sizeHint(f)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		t.complain(best.name, "cannot read a log; trying again", "file", best.name, "err", err)
		return
	}
	s.checked = best.fi
	if hint != uint32(s.size) {
		t.reopen(s, best)
		return
	}
	s.name, s.fi, s.gz = best.name, best.fi, true
}

// reopen goes on reading a segment that was closed and has grown.
func (t *Tailer) reopen(s *segment, f segmentFile) {
	if !t.rebind(s, f) {
		return
	}
	s.closed = false
	if !s.grew {
		s.grew = true
		t.opt.Logger.Warn("a closed log grew: a worker could not reopen its log and keeps the rotated one; its lines are read",
			"segment", s.id, "file", s.name)
	}
}

// thaw goes on in a whole copy of a frozen segment's content, if there is one.
func (t *Tailer) thaw(s *segment, copies []segmentFile) {
	for _, c := range copies {
		if os.SameFile(c.fi, s.fi) || (!c.gz && c.fi.Size() < s.rd.off) {
			continue
		}
		if t.rebind(s, c) {
			s.frozen = false
			t.opt.Logger.Info("going on in a copy of the log", "segment", s.id, "file", s.name)
			return
		}
	}
}

// rebind makes f the file that s is read from, from where s is.
func (t *Tailer) rebind(s *segment, f segmentFile) bool {
	h, err := openSame(t.disk, f.name, f.fi)
	if err != nil {
		t.complain(f.name, "cannot read a log; trying again", "file", f.name, "err", err)
		return false
	}
	t.letGo(s)
	t.attach(s, f, newSource(f.gz, h), s.rd.off)
	return true
}

// attach begins reading s from off in src, which is f opened.
func (t *Tailer) attach(s *segment, f segmentFile, src source, off int64) {
	t.hold(s, src)
	s.name, s.fi, s.gz, s.linked = f.name, f.fi, f.gz, true
	s.rd = s.rd.again(src, off)
	s.size = -1
	if f.gz {
		s.checked = f.fi
	} else {
		s.size = f.fi.Size()
	}
	s.changed = f.fi.ModTime()
	if now := t.opt.Now(); s.changed.After(now) {
		s.changed = now
	}
	s.retryAt, s.failed = time.Time{}, 0
	s.followAt = time.Time{}
}

// found begins a segment.
func (t *Tailer) found(id string, copies []segmentFile) {
	off := max(0, t.opt.Resume(id))
	f := copies[0]
	if i := slices.IndexFunc(copies, func(c segmentFile) bool { return c.gz || c.fi.Size() >= off }); i > 0 {
		f = copies[i]
	}
	h, err := openSame(t.disk, f.name, f.fi)
	if err != nil {
		t.complain(f.name, "cannot read a log; trying again", "file", f.name, "err", err)
		return
	}
	s := &segment{id: id}
	t.learn(s)
	t.attach(s, f, newSource(f.gz, h), off)
	s.live = f.name == t.opt.Path
	t.all = append(t.all, s)
	t.mu.Lock()
	t.byID[id] = s
	t.mu.Unlock()
	switch {
	case f.gz:
		t.skipReadThrough(s, off)
	case s.size < off:
		t.freeze(s, alarmShort, "size", s.size, "checkpoint", off)
	}
	t.publish(s)
	t.warnOfTwins(id, copies)
}

// skipReadThrough spares a compressed segment that was read to its end before
// from being decompressed only to find that out.
func (t *Tailer) skipReadThrough(s *segment, off int64) {
	g, ok := s.src.(*gzipSource)
	if !ok || off == 0 {
		return
	}
	hint, err := sizeHint(g.file)
	if err != nil {
		t.trouble(s, err)
		return
	}
	if hint == uint32(off) {
		g.end, s.size = off, off
	}
}

// warnOfTwins tells of plain files with the same first line that were not made
// by compressing: only one of them is read.
func (t *Tailer) warnOfTwins(id string, copies []segmentFile) {
	if len(copies) > 1 && !copies[1].gz && !os.SameFile(copies[0].fi, copies[1].fi) {
		t.opt.Logger.Warn("two logs begin with the same line and are taken for copies; only one is read",
			"segment", id, "read", copies[0].name, "not read", copies[1].name)
	}
}

// trim forgets the oldest of the deleted segments.
func (t *Tailer) trim() {
	gone := 0
	for _, s := range t.all {
		if s.deleted {
			gone++
		}
	}
	t.all = slices.DeleteFunc(t.all, func(s *segment) bool {
		if !s.deleted || gone <= keepDeleted {
			return false
		}
		gone--
		t.mu.Lock()
		defer t.mu.Unlock()
		if s.rewinds > 0 {
			return false
		}
		delete(t.byID, s.id)
		return true
	})
}

// isOther reports whether fi is there and another file than s is read from.
func isOther(fi fs.FileInfo, s *segment) bool { return fi != nil && !os.SameFile(fi, s.fi) }
