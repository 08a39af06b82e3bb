package tailer

import (
	"errors"
	"time"
)

// round reads the segments in turns.
type round struct {
	opt    *Options
	roster *roster
	reg    *register
	hold   *holder
	pool   *buffers
	order  []*segment // who may read now, see readers
	turn   int        // whose turn it is
}

// readOnce lets the segments try in turns to find a block. With no block, again
// reports that trying once more at once is worth it.
func (r *round) readOnce() (b Block, ok, again bool) {
	now := time.Now()
	order := r.readers(now)
	r.turn++
	for i := range order {
		s := order[(r.turn+i)%len(order)]
		b, ok, more := r.readSegment(s, now)
		if ok {
			return b, true, false
		}
		again = again || more
	}
	for _, s := range r.roster.all {
		if b, ok := r.tryClose(s, now); ok {
			return b, true, false
		}
	}
	return Block{}, false, again
}

// readers returns the segments that may read now: the oldest of the backlog and
// all that are live or were written lately. They take turns, so neither a large
// backlog nor a busy live edge keeps the other waiting for more than a block of
// each.
func (r *round) readers(now time.Time) []*segment {
	r.order = r.order[:0]
	backlog := false
	clock := r.opt.Now()
	for _, s := range r.roster.all {
		if s.src == nil || s.frozen || now.Before(s.retryAt) {
			continue
		}
		front := !s.gz && (s.live || clock.Sub(s.changed) < r.opt.Quiet)
		switch {
		case front && (s.live || s.more()):
			r.order = append(r.order, s)
		case !front && !backlog && s.more():
			backlog = true
			r.order = append(r.order, s)
		}
	}
	return r.order
}

// readSegment takes one step in one segment.
func (r *round) readSegment(s *segment, now time.Time) (b Block, ok, again bool) {
	if !s.more() {
		r.hold.tryFollow(s, now)
		return Block{}, false, false
	}
	buf := r.pool.get()
	p, ok, err := s.rd.step(buf.data, r.opt.MaxLine)
	if err != nil {
		r.pool.put(buf)
		return Block{}, false, r.failedStep(s, err)
	}
	r.hold.readable(s)
	if s.gz {
		r.hold.endOfGzip(s)
	} else if s.rd.ended == s.more() {
		r.hold.checkSize(s) // less is there than stat said, or more
	}
	if !ok {
		r.pool.put(buf)
		r.reg.publish(s) // that it was looked
		return Block{}, false, s.more()
	}
	s.torn = false // it was completed, or something else was
	b, ok = r.hand(s, p, buf)
	return b, ok, true
}

// failedStep sorts out why a step failed; true means go on at once.
func (r *round) failedStep(s *segment, err error) bool {
	switch {
	case errors.Is(err, errSkipping):
		return true
	case errors.Is(err, errOverwritten):
		r.hold.freeze(s, alarmOverwritten, "read", s.rd.off)
	case errors.Is(err, errShort) && s.gz:
		r.hold.endOfGzip(s)
	case errors.Is(err, errShort):
		r.hold.checkSize(s)
	}
	if !s.frozen {
		r.hold.trouble(s, err)
	}
	return false
}

// hand makes a block of a piece, unless the segment is to be read from
// elsewhere by now. It takes over buf, which may be nil.
func (r *round) hand(s *segment, p piece, buf *buffer) (Block, bool) {
	gen, ok := r.reg.hand(s)
	if !ok {
		if buf != nil {
			r.pool.put(buf)
		}
		return Block{}, false
	}
	b := Block{
		Segment: s.id, Name: s.name, Kind: p.kind, Start: p.start, End: p.end, Gen: gen,
	}
	switch {
	case buf == nil:
	case p.n == 0:
		r.pool.put(buf)
	default:
		b.Data, b.buf, b.lease = buf.data[p.at:p.at+p.n:p.at+p.n], buf, buf.lease.Load()
	}
	b.Live = !r.moreAnywhere()
	return b, true
}

func (r *round) moreAnywhere() bool {
	for _, s := range r.roster.all {
		if s.more() && s.failed == 0 {
			return true
		}
	}
	return false
}

// tryClose closes a segment that has been read and is quiet: first its torn
// line, if it has one, then the word that it is closed.
func (r *round) tryClose(s *segment, now time.Time) (Block, bool) {
	if s.src == nil || s.frozen || s.live || !s.drained() || now.Before(s.retryAt) || !r.quiet(s) {
		return Block{}, false
	}
	if !s.gz {
		known := s.size
		if r.hold.checkSize(s); s.src == nil || s.size != known {
			return Block{}, false
		}
	}
	if s.rd.off < s.size {
		return r.handTorn(s)
	}
	s.closed = true
	b, ok := r.hand(s, piece{kind: Closed, start: s.size, end: s.size}, nil)
	if !ok {
		s.closed = false
		return Block{}, false
	}
	r.hold.letGo(s)
	return b, true
}

func (r *round) handTorn(s *segment) (Block, bool) {
	buf := r.pool.get()
	p, err := s.rd.torn(buf.data, r.opt.MaxLine, s.size)
	if err != nil {
		r.pool.put(buf)
		r.failedStep(s, err)
		return Block{}, false
	}
	s.torn = true
	return r.hand(s, p, buf)
}

// quiet reports whether nobody is expected to write to s any more. A segment
// that was renamed away while nothing took its place is still being written.
func (r *round) quiet(s *segment) bool {
	if s.gz {
		return true
	}
	if r.opt.Now().Sub(s.changed) < r.opt.Quiet {
		return false
	}
	if !s.linked || isOther(r.roster.live.fi, s) {
		return true
	}
	for _, o := range r.roster.all {
		if o != s && !o.refused && o.changed.After(s.changed) {
			return true
		}
	}
	return false
}
