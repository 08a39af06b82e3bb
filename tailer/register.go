package tailer

import (
	"slices"
	"sync"
)

// register is what everybody may know of the segments, and what those outside Next
// ask of it.
type register struct {
	mu      sync.Mutex // guards what follows and the shared part of segments
	byID    map[string]*segment
	closed  bool
	rewinds []*rewind
}

func newRegister() *register { return &register{byID: make(map[string]*segment)} }

// add makes a segment known.
func (g *register) add(s *segment) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.byID[s.id] = s
}

// forget drops a segment, unless somebody waits for its rewind.
func (g *register) forget(s *segment) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s.rewinds > 0 {
		return false
	}
	delete(g.byID, s.id)
	return true
}

// known returns a segment, or nil.
func (g *register) known(id string) *segment {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.byID[id]
}

// begun takes over how s begins, for those who look for its file.
func (g *register) begun(s *segment, tr *trace) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s.base, s.keys = tr.Base, slices.Clone(tr.Keys)
}

// source replaces the source that s is read from and returns the one before.
func (g *register) source(s *segment, src source) source {
	g.mu.Lock()
	defer g.mu.Unlock()
	before := s.src
	s.src = src
	return before
}

// close ends what can be asked. It reports false when that was done before.
func (g *register) close() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	was := g.closed
	g.closed = true
	return !was
}

// take returns the rewinds that were asked for and are not carried out yet.
func (g *register) take() []*rewind {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := g.rewinds
	g.rewinds = nil
	return list
}

// rewound counts a rewind as carried out and returns where to.
func (g *register) rewound(s *segment) int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	s.rewinds--
	return s.want
}

// name is where a segment was seen last.
func (g *register) name(s *segment) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return s.info.Name
}

// noteSynced notes that a segment is durable up to size.
func (g *register) noteSynced(s *segment, size int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s.info.Synced = max(s.info.Synced, size)
}

// publish makes the engine's view of s visible to Segments.
func (g *register) publish(s *segment) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s.publish()
}

// hand publishes s and returns what its blocks are called by, unless it is to be
// read from elsewhere by now.
func (g *register) hand(s *segment) (gen uint64, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s.rewinds > 0 {
		return 0, false
	}
	s.publish()
	return s.info.Gen, true
}

// segments returns what is known, oldest first.
func (g *register) segments() []Segment {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make([]Segment, 0, len(g.byID))
	for _, s := range g.byID {
		out = append(out, s.info)
	}
	sortSegments(out)
	return out
}

// lookUp returns a segment and the source that is open for it, if one is.
func (g *register) lookUp(id string) (*segment, source, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, nil, ErrClosed
	}
	s, ok := g.byID[id]
	if !ok {
		return nil, nil, ErrUnknownSegment
	}
	if s.info.Closed {
		return s, nil, nil // about to be let go
	}
	return s, s.src, nil
}

// holds returns the source that is open for s.
func (g *register) holds(s *segment) source {
	g.mu.Lock()
	defer g.mu.Unlock()
	return s.src
}

// request queues r. It answers errMoved when the file that was open is not any
// more, so that there would be nothing to rewind in.
func (g *register) request(r *rewind, offset int64, held source) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := r.seg
	switch {
	case g.closed:
		return ErrClosed
	case g.byID[s.id] != s:
		return ErrUnknownSegment
	case held != nil && (s.info.Closed || s.src != held):
		return errMoved
	}
	if s.rewinds == 0 || offset < s.want {
		s.want = offset
	}
	s.rewinds++
	s.info.Gen++
	g.rewinds = append(g.rewinds, r)
	return nil
}

// begins reports whether a file begins like a segment.
func (g *register) begins(id string, h *head) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.byID[id]
	return s != nil && h.base == s.base && agree(h.lines, s.keys) == min(len(h.lines), len(s.keys))
}

// synced is up to where a segment is known to be durable.
func (g *register) synced(s *segment) int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return s.info.Synced
}
