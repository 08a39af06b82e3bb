package tailer

import (
	"time"
)

// holder does what is done to one segment and its open file.
type holder struct {
	opt  *Options
	reg  *register
	plan *schedule
	said *complaints
}

const (
	alarmShrank      = "the log shrank below what was read of it: copytruncate and editing are not supported, rotate by rename; this segment is frozen"
	alarmCut         = "the log shrank, though not below what was read of it: copytruncate and editing are not supported, rotate by rename"
	alarmShort       = "the segment is shorter than its checkpoint: it was cut or replaced; it is frozen, rotate the log to go on counting"
	alarmRewritten   = "the log was overwritten with other content: copytruncate is not supported, rotate by rename; this segment is frozen"
	alarmOverwritten = "the log was overwritten: what was read of it is not there any more; this segment is frozen, rotate the log to go on counting"
	alarmClosed      = "a closed segment became shorter: it was cut or replaced"
)

// Pauses after errors: short for a plain file, where a try costs a read, long
// for a compressed one, where it may cost decompressing all of it.
const (
	firstPause   = 10 * time.Millisecond
	longestPlain = time.Second
	longestGzip  = 5 * time.Minute
)

// rebind makes f the file that s is read from, from where s is.
func (hd *holder) rebind(s *segment, f segmentFile) bool {
	h, err := openSame(hd.opt.disk, f.name, f.fi)
	if err != nil {
		hd.said.complain(f.name, "cannot read a log; trying again", "file", f.name, "err", err)
		return false
	}
	hd.letGo(s)
	hd.attach(s, f, newSource(f.gz, h), s.rd.off)
	return true
}

// attach begins reading s from off in src, which is f opened.
func (hd *holder) attach(s *segment, f segmentFile, src source, off int64) {
	hd.hold(s, src)
	s.name, s.fi, s.gz, s.linked = f.name, f.fi, f.gz, true
	s.rd = s.rd.again(src, off)
	s.size = -1
	if f.gz {
		s.checked = f.fi
	} else {
		s.size = f.fi.Size()
	}
	s.changed = f.fi.ModTime()
	if now := hd.opt.Now(); s.changed.After(now) {
		s.changed = now
	}
	s.retryAt, s.failed = time.Time{}, 0
	s.followAt = time.Time{}
}

// skipReadThrough spares a compressed segment that was read to its end before
// from being decompressed only to find that out.
func (hd *holder) skipReadThrough(s *segment, off int64) {
	g, ok := s.src.(*gzipSource)
	if !ok || off == 0 {
		return
	}
	hint, err := sizeHint(g.file)
	if err != nil {
		hd.trouble(s, err)
		return
	}
	if hint == uint32(off) {
		g.end, s.size = off, off
	}
}

// hold makes src the file that s is read from.
func (hd *holder) hold(s *segment, src source) {
	hd.reg.source(s, src)
	s.rd.src = src
}

// drop ends the following of s and closes the file that it is read from, if
// there is one.
func (hd *holder) drop(s *segment) error {
	hd.unfollow(s)
	src := hd.reg.source(s, nil)
	s.rd.src = nil
	if src == nil {
		return nil
	}
	return src.Close()
}

// letGo is drop where an error of close(2) on a file that was only read is
// worth a line in the log and nothing more.
func (hd *holder) letGo(s *segment) {
	if err := hd.drop(s); err != nil {
		hd.opt.Logger.Warn("close segment", "segment", s.id, "file", s.name, "err", err)
	}
}

// raise sets a segment's alarm and logs it, once per alarm.
func (hd *holder) raise(s *segment, alarm string, args ...any) {
	if s.alarm != alarm {
		s.alarm = alarm
		hd.opt.Logger.Error(alarm, append([]any{"segment", s.id, "file", s.name}, args...)...)
	}
	hd.reg.publish(s)
}

// freeze stops reading s, because what is in its file is not what was read.
func (hd *holder) freeze(s *segment, alarm string, args ...any) {
	hd.letGo(s)
	s.frozen = true
	hd.raise(s, alarm, args...)
	hd.plan.hurry() // the file may hold a new segment, or a copy exist
}

// trouble notes that reading failed and puts off the next try.
func (hd *holder) trouble(s *segment, err error) {
	longest := longestPlain
	if s.gz {
		longest = longestGzip
	}
	s.failed = min(max(2*s.failed, firstPause), longest)
	s.retryAt = time.Now().Add(s.failed)
	if s.alarm != alarmTrouble {
		s.alarm = alarmTrouble
		hd.opt.Logger.Warn(alarmTrouble, "segment", s.id, "file", s.name, "err", err)
	}
	hd.reg.publish(s)
}

// readable notes that reading works (again).
func (hd *holder) readable(s *segment) {
	if s.failed == 0 {
		return
	}
	s.failed, s.retryAt = 0, time.Time{}
	if s.alarm == alarmTrouble {
		s.alarm = ""
		hd.opt.Logger.Info("resolved: the log can be read again", "segment", s.id, "file", s.name)
	}
	hd.reg.publish(s)
}

// endOfGzip takes over the size of a compressed segment once it is known.
func (hd *holder) endOfGzip(s *segment) {
	size, err := s.src.Size()
	if err != nil || size < 0 {
		return // a gzipSource's Size has no error of its own
	}
	s.size = size
	if size < s.rd.off {
		hd.freeze(s, alarmShort, "size", size, "checkpoint", s.rd.off)
	}
}

const alarmTrouble = "the log cannot be read; trying again, nothing is passed over"

// checkSize notes growth, and raises the alarm when a file shrank.
func (hd *holder) checkSize(s *segment) {
	size, err := s.src.Size()
	if err != nil {
		hd.trouble(s, err)
		return
	}
	switch {
	case size > s.size:
		s.size, s.changed = size, hd.opt.Now()
		hd.reg.publish(s)
	case size < s.size && size < s.rd.off:
		hd.freeze(s, alarmShrank, "size", size, "read", s.rd.off)
		s.size = size
		hd.reg.publish(s)
	case size < s.size:
		s.rd = s.rd.again(s.src, s.rd.off)
		s.size, s.changed = size, hd.opt.Now()
		hd.raise(s, alarmCut, "size", size, "read", s.rd.off)
	}
}
