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

// merger brings the segments in line with the files that a scan found.
type merger struct {
	opt    *Options
	roster *roster
	reg    *register
	hold   *holder
	said   *complaints
	mem    *knowledge
}

// merge brings the segments in line with the files that a scan found. Unless
// whole, only the live name is known to have been looked for.
func (m *merger) merge(files []segmentFile, whole bool) {
	m.findRewritten(files)
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
	m.refuse(refused)
	for _, s := range m.roster.all {
		if s.refused {
			continue
		}
		if copies := groups[s.id]; len(copies) > 0 {
			slices.SortFunc(copies, m.prefer)
			m.seen(s, copies)
			delete(groups, s.id)
		} else {
			m.unseen(s, whole)
		}
		m.learn(s)
		m.reg.publish(s)
	}
	for id, copies := range groups {
		slices.SortFunc(copies, m.prefer)
		m.found(id, copies)
	}
	slices.SortStableFunc(m.roster.all, func(a, b *segment) int {
		return cmp.Or(compareBool(a.live, b.live), a.changed.Compare(b.changed), cmp.Compare(a.id, b.id))
	})
	m.trim()
}

// refusedID stands for a file that is not read among the segments.
func refusedID(name string) string { return "refused:" + name }

// refuse raises the alarms of files that are not read, and ends those of files
// that are not there any more.
func (m *merger) refuse(files map[string]segmentFile) {
	m.roster.all = slices.DeleteFunc(m.roster.all, func(s *segment) bool {
		if _, there := files[s.id]; !s.refused || there {
			return false
		}
		m.opt.Logger.Info("resolved: a file that was not read is gone", "file", s.name)
		return m.reg.forget(s)
	})
	for id, f := range files {
		s := m.reg.known(id)
		if s == nil {
			s = &segment{id: id, refused: true, frozen: true}
			m.roster.all = append(m.roster.all, s)
			m.reg.add(s)
		}
		s.name, s.fi, s.gz, s.size, s.live = f.name, f.fi, f.gz, f.fi.Size(), f.name == m.opt.Path
		s.changed, s.rd.off = f.fi.ModTime(), s.size
		m.hold.raise(s, f.why)
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
func (m *merger) findRewritten(files []segmentFile) {
	for _, s := range m.roster.all {
		if s.src == nil || s.gz {
			continue
		}
		for _, f := range files {
			if f.id != "" && f.id != s.id && os.SameFile(f.fi, s.fi) {
				m.hold.freeze(s, alarmRewritten, "read", s.rd.off)
				break
			}
		}
	}
}

// learn takes over how s begins, for those who look for its file.
func (m *merger) learn(s *segment) {
	tr := m.mem.traces[s.id]
	if tr == nil || len(tr.Keys) == len(s.keys) {
		return
	}
	m.reg.begun(s, tr)
}

// seen updates a known segment; copies are its files, best first.
func (m *merger) seen(s *segment, copies []segmentFile) {
	s.deleted = false
	s.live = slices.ContainsFunc(copies, func(f segmentFile) bool { return f.name == m.opt.Path })
	i := slices.IndexFunc(copies, func(f segmentFile) bool { return os.SameFile(f.fi, s.fi) })
	s.linked = i >= 0
	if s.linked {
		if !unchanged(copies[i].fi, s.fi) {
			s.retryAt = time.Time{} // a compressor that was not done yet
		}
		s.name, s.fi = copies[i].name, copies[i].fi
	}
	if s.name != m.opt.Path {
		m.hold.unfollow(s)
	}
	switch {
	case s.frozen:
		m.thaw(s, copies)
	case s.src != nil:
		m.moveOn(s, copies[0])
	default:
		m.recheck(s, copies[0])
	}
}

// unseen notes that no file holds the segment any more (as far as the folder
// could be listed); one that is open is read to its end all the same.
func (m *merger) unseen(s *segment, whole bool) {
	s.live = false
	m.hold.unfollow(s)
	if whole {
		s.linked, s.deleted = false, s.src == nil
	}
}

// moveOn changes to another file of the same content once the present one is
// read: the live log was replaced by an edited copy, or a fuller copy exists.
func (m *merger) moveOn(s *segment, best segmentFile) {
	if s.gz || best.gz || !s.drained() || os.SameFile(best.fi, s.fi) {
		return
	}
	isLive := best.name == m.opt.Path
	switch {
	case isLive && best.fi.Size() < s.rd.off:
		s.fi, s.name = best.fi, best.name
		m.hold.freeze(s, alarmShort, "size", best.fi.Size(), "read", s.rd.off)
	case isLive, best.fi.Size() > s.size:
		m.hold.rebind(s, best)
	}
}

// recheck looks whether a closed segment has more to read.
func (m *merger) recheck(s *segment, best segmentFile) {
	if best.gz {
		m.recheckGzip(s, best)
		return
	}
	switch size := best.fi.Size(); {
	case size > s.size:
		m.reopen(s, best)
	case size < s.size:
		m.hold.raise(s, alarmClosed, "size", size, "read", s.size)
	default:
		s.name, s.fi, s.gz = best.name, best.fi, false
	}
}

// recheckGzip compares the size of a compressed file with what was read.
func (m *merger) recheckGzip(s *segment, best segmentFile) {
	if s.checked != nil && unchanged(s.checked, best.fi) {
		return
	}
	f, err := openSame(m.opt.disk, best.name, best.fi)
	if err != nil {
		m.said.complain(best.name, "cannot read a log; trying again", "file", best.name, "err", err)
		return
	}
	hint, err := sizeHint(f)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		m.said.complain(best.name, "cannot read a log; trying again", "file", best.name, "err", err)
		return
	}
	s.checked = best.fi
	if hint != uint32(s.size) {
		m.reopen(s, best)
		return
	}
	s.name, s.fi, s.gz = best.name, best.fi, true
}

// reopen goes on reading a segment that was closed and has grown.
func (m *merger) reopen(s *segment, f segmentFile) {
	if !m.hold.rebind(s, f) {
		return
	}
	s.closed = false
	if !s.grew {
		s.grew = true
		m.opt.Logger.Warn("a closed log grew: a worker could not reopen its log and keeps the rotated one; its lines are read",
			"segment", s.id, "file", s.name)
	}
}

// thaw goes on in a whole copy of a frozen segment's content, if there is one.
func (m *merger) thaw(s *segment, copies []segmentFile) {
	for _, c := range copies {
		if os.SameFile(c.fi, s.fi) || (!c.gz && c.fi.Size() < s.rd.off) {
			continue
		}
		if m.hold.rebind(s, c) {
			s.frozen = false
			m.opt.Logger.Info("going on in a copy of the log", "segment", s.id, "file", s.name)
			return
		}
	}
}

// found begins a segment.
func (m *merger) found(id string, copies []segmentFile) {
	off := max(0, m.opt.Resume(id))
	f := copies[0]
	if i := slices.IndexFunc(copies, func(c segmentFile) bool { return c.gz || c.fi.Size() >= off }); i > 0 {
		f = copies[i]
	}
	h, err := openSame(m.opt.disk, f.name, f.fi)
	if err != nil {
		m.said.complain(f.name, "cannot read a log; trying again", "file", f.name, "err", err)
		return
	}
	s := &segment{id: id}
	m.learn(s)
	m.hold.attach(s, f, newSource(f.gz, h), off)
	s.live = f.name == m.opt.Path
	m.roster.all = append(m.roster.all, s)
	m.reg.add(s)
	switch {
	case f.gz:
		m.hold.skipReadThrough(s, off)
	case s.size < off:
		m.hold.freeze(s, alarmShort, "size", s.size, "checkpoint", off)
	}
	m.reg.publish(s)
	m.warnOfTwins(id, copies)
}

// warnOfTwins tells of plain files with the same first line that were not made
// by compressing: only one of them is read.
func (m *merger) warnOfTwins(id string, copies []segmentFile) {
	if len(copies) > 1 && !copies[1].gz && !os.SameFile(copies[0].fi, copies[1].fi) {
		m.opt.Logger.Warn("two logs begin with the same line and are taken for copies; only one is read",
			"segment", id, "read", copies[0].name, "not read", copies[1].name)
	}
}

// trim forgets the oldest of the deleted segments.
func (m *merger) trim() {
	gone := 0
	for _, s := range m.roster.all {
		if s.deleted {
			gone++
		}
	}
	m.roster.all = slices.DeleteFunc(m.roster.all, func(s *segment) bool {
		if !s.deleted || gone <= keepDeleted {
			return false
		}
		gone--
		return m.reg.forget(s)
	})
}

// isOther reports whether fi is there and another file than s is read from.
func isOther(fi fs.FileInfo, s *segment) bool { return fi != nil && !os.SameFile(fi, s.fi) }
