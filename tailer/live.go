package tailer

import (
	"fmt"
	"time"
)

// tryFollow starts following the live segment once all of it was read. It
// reports whether there is something to read instead.
func (t *Tailer) tryFollow(s *segment, now time.Time) bool {
	if !s.live || !s.linked || s.gz || s.name != t.opt.Path || s.rd.over || now.Before(s.followAt) {
		return false
	}
	if s.rd.unsure {
		buf := t.pool.getLarge()
		err := s.rd.align(buf.data)
		t.pool.put(buf)
		if err != nil {
			return t.failedStep(s, err)
		}
		if s.more() {
			return true
		}
	}
	path, ok := followPath(s.src.raw())
	if !ok {
		return false
	}
	f, err := follow(path, s.rd.off, t.opt, t.pool, t.wake)
	if err != nil {
		t.complain("follow", "cannot follow the log; polling it instead", "file", s.name, "err", err)
		s.followAt = now.Add(t.opt.Rescan)
		return false
	}
	s.fol, s.stalledAt = f, time.Time{}
	return false
}

// readFollowed takes what the follower has, and watches over it.
func (t *Tailer) readFollowed(s *segment, now time.Time) (b Block, ok, again bool) {
	end, _, fault := s.fol.state()
	buf, start := s.fol.take()
	if buf != nil && start == s.rd.off {
		s.stalledAt = time.Time{}
		p := piece{kind: Lines, start: start, end: start + int64(len(buf.data)), n: len(buf.data)}
		s.rd.off, s.rd.seen = p.end, p.end
		if s.size < p.end {
			s.size, s.changed = p.end, t.opt.Now()
		}
		b, ok = t.hand(s, p, buf)
		return b, ok, true
	}
	if buf != nil {
		t.pool.put(buf)
		fault = errFollowJumped
	}
	if fault != nil || s.size-end > followWithin {
		t.opt.Logger.Debug("back to reading blocks", "segment", s.id, "offset", s.rd.off, "err", fault)
		t.giveUpFollowing(s)
		t.checkSize(s)
		return Block{}, false, s.more()
	}
	return t.watch(s, now, end)
}

// watch looks into the file itself when bytes lie in it that the follower does
// not deliver: it may be an unfinished line, or the follower may have stalled.
func (t *Tailer) watch(s *segment, now time.Time, end int64) (b Block, ok, again bool) {
	if s.size <= max(end, s.rd.seen) {
		s.stalledAt = time.Time{}
		return Block{}, false, false
	}
	if s.stalledAt.IsZero() {
		s.stalledAt = now
	}
	if now.Sub(s.stalledAt) < stallAfter {
		return Block{}, false, false
	}
	s.stalledAt = time.Time{}
	buf := t.pool.getLarge()
	p, ok, err := s.rd.step(buf.data, t.opt.MaxLine)
	if err == nil && !ok && !s.rd.over {
		t.pool.put(buf)
		return Block{}, false, false // unfinished, and short enough to wait for
	}
	t.opt.Logger.Debug("back to reading blocks", "segment", s.id, "offset", s.rd.off)
	t.giveUpFollowing(s)
	if err != nil {
		t.pool.put(buf)
		return Block{}, false, t.failedStep(s, err)
	}
	if !ok {
		t.pool.put(buf)
		return Block{}, false, true
	}
	b, ok = t.hand(s, p, buf)
	return b, ok, true
}

// giveUpFollowing leaves the segment to the block reader, which goes on from
// the end of what was handed out.
func (t *Tailer) giveUpFollowing(s *segment) {
	if s.fol == nil {
		return
	}
	if err := t.unfollow(s); err != nil {
		t.opt.Logger.Debug("following ended", "segment", s.id, "err", err)
	}
	s.followAt = time.Now().Add(followAgain)
}

func (t *Tailer) unfollow(s *segment) error {
	if s.fol == nil {
		return nil
	}
	err := s.fol.stop()
	s.fol, s.stalledAt = nil, time.Time{}
	if err != nil {
		return fmt.Errorf("segment %s: %w", s.id, err)
	}
	return nil
}
