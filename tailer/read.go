package tailer

import (
	"errors"
	"time"
)

// readOnce lets the segments try in turns to find a block. With no block, again
// reports that trying once more at once is worth it.
func (t *Tailer) readOnce() (b Block, ok, again bool) {
	now := time.Now()
	order := t.readers(now)
	t.turn++
	for i := range order {
		s := order[(t.turn+i)%len(order)]
		b, ok, more := t.readSegment(s, now)
		if ok {
			return b, true, false
		}
		again = again || more
	}
	for _, s := range t.all {
		if b, ok := t.tryClose(s, now); ok {
			return b, true, false
		}
	}
	return Block{}, false, again
}

// readers returns the segments that may read now: the oldest of the backlog and
// all that are live or were written lately. They take turns, so neither a large
// backlog nor a busy live edge keeps the other waiting for more than a block of
// each.
func (t *Tailer) readers(now time.Time) []*segment {
	t.order = t.order[:0]
	backlog := false
	clock := t.opt.Now()
	for _, s := range t.all {
		if s.src == nil || s.frozen || now.Before(s.retryAt) {
			continue
		}
		front := !s.gz && (s.live || clock.Sub(s.changed) < t.opt.Quiet)
		switch {
		case front && (s.live || s.more()):
			t.order = append(t.order, s)
		case !front && !backlog && s.more():
			backlog = true
			t.order = append(t.order, s)
		}
	}
	return t.order
}

// readSegment takes one step in one segment.
func (t *Tailer) readSegment(s *segment, now time.Time) (b Block, ok, again bool) {
	if !s.more() {
		t.tryFollow(s, now)
		return Block{}, false, false
	}
	buf := t.pool.get()
	p, ok, err := s.rd.step(buf.data, t.opt.MaxLine)
	if err != nil {
		t.pool.put(buf)
		return Block{}, false, t.failedStep(s, err)
	}
	t.readable(s)
	if s.gz {
		t.endOfGzip(s)
	} else if s.rd.ended == s.more() {
		t.checkSize(s) // less is there than stat said, or more
	}
	if !ok {
		t.pool.put(buf)
		return Block{}, false, s.more()
	}
	s.torn = false // it was completed, or something else was
	b, ok = t.hand(s, p, buf)
	return b, ok, true
}

// failedStep sorts out why a step failed; true means go on at once.
func (t *Tailer) failedStep(s *segment, err error) bool {
	switch {
	case errors.Is(err, errSkipping):
		return true
	case errors.Is(err, errOverwritten):
		t.freeze(s, alarmOverwritten, "read", s.rd.off)
	case errors.Is(err, errShort) && s.gz:
		t.endOfGzip(s)
	case errors.Is(err, errShort):
		t.checkSize(s)
	}
	if !s.frozen {
		t.trouble(s, err)
	}
	return false
}

// endOfGzip takes over the size of a compressed segment once it is known.
func (t *Tailer) endOfGzip(s *segment) {
	size, err := s.src.Size()
	if err != nil || size < 0 {
		return // a gzipSource's Size has no error of its own
	}
	s.size = size
	if size < s.rd.off {
		t.freeze(s, alarmShort, "size", size, "checkpoint", s.rd.off)
	}
}

// hand makes a block of a piece, unless the segment is to be read from
// elsewhere by now. It takes over buf, which may be nil.
func (t *Tailer) hand(s *segment, p piece, buf *buffer) (Block, bool) {
	t.mu.Lock()
	if s.rewinds > 0 {
		t.mu.Unlock()
		if buf != nil {
			t.pool.put(buf)
		}
		return Block{}, false
	}
	s.publish()
	b := Block{
		Segment: s.id, Name: s.name, Kind: p.kind, Start: p.start, End: p.end, Gen: s.info.Gen,
	}
	t.mu.Unlock()
	switch {
	case buf == nil:
	case p.n == 0:
		t.pool.put(buf)
	default:
		b.Data, b.buf, b.lease = buf.data[p.at:p.at+p.n:p.at+p.n], buf, buf.lease.Load()
	}
	b.Live = !t.moreAnywhere()
	return b, true
}

func (t *Tailer) moreAnywhere() bool {
	for _, s := range t.all {
		if s.more() && s.failed == 0 {
			return true
		}
	}
	return false
}

// tryClose closes a segment that has been read and is quiet: first its torn
// line, if it has one, then the word that it is closed.
func (t *Tailer) tryClose(s *segment, now time.Time) (Block, bool) {
	if s.src == nil || s.frozen || s.live || !s.drained() || now.Before(s.retryAt) || !t.quiet(s) {
		return Block{}, false
	}
	if !s.gz {
		known := s.size
		if t.checkSize(s); s.src == nil || s.size != known {
			return Block{}, false
		}
	}
	if s.rd.off < s.size {
		return t.handTorn(s)
	}
	s.closed = true
	b, ok := t.hand(s, piece{kind: Closed, start: s.size, end: s.size}, nil)
	if !ok {
		s.closed = false
		return Block{}, false
	}
	t.letGo(s)
	return b, true
}

func (t *Tailer) handTorn(s *segment) (Block, bool) {
	buf := t.pool.get()
	p, err := s.rd.torn(buf.data, t.opt.MaxLine, s.size)
	if err != nil {
		t.pool.put(buf)
		t.failedStep(s, err)
		return Block{}, false
	}
	s.torn = true
	return t.hand(s, p, buf)
}

// quiet reports whether nobody is expected to write to s any more. A segment
// that was renamed away while nothing took its place is still being written.
func (t *Tailer) quiet(s *segment) bool {
	if s.gz {
		return true
	}
	if t.opt.Now().Sub(s.changed) < t.opt.Quiet {
		return false
	}
	if !s.linked || isOther(t.live.fi, s) {
		return true
	}
	for _, o := range t.all {
		if o != s && !o.refused && o.changed.After(s.changed) {
			return true
		}
	}
	return false
}

// Pauses after errors: short for a plain file, where a try costs a read, long
// for a compressed one, where it may cost decompressing all of it.
const (
	firstPause   = 10 * time.Millisecond
	longestPlain = time.Second
	longestGzip  = 5 * time.Minute
)

const alarmTrouble = "the log cannot be read; trying again, nothing is passed over"

// trouble notes that reading failed and puts off the next try.
func (t *Tailer) trouble(s *segment, err error) {
	longest := longestPlain
	if s.gz {
		longest = longestGzip
	}
	s.failed = min(max(2*s.failed, firstPause), longest)
	s.retryAt = time.Now().Add(s.failed)
	if s.alarm != alarmTrouble {
		s.alarm = alarmTrouble
		t.opt.Logger.Warn(alarmTrouble, "segment", s.id, "file", s.name, "err", err)
	}
	t.publish(s)
}

// readable notes that reading works (again).
func (t *Tailer) readable(s *segment) {
	if s.failed == 0 {
		return
	}
	s.failed, s.retryAt = 0, time.Time{}
	if s.alarm == alarmTrouble {
		s.alarm = ""
		t.opt.Logger.Info("resolved: the log can be read again", "segment", s.id, "file", s.name)
	}
	t.publish(s)
}
