package tailer

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// rewind is a request that the next round of Next carries out.
type rewind struct {
	seg  *segment
	file segmentFile // where src was found
	src  source      // for a segment that was not open; nil otherwise
}

// Rewind makes Next read a segment again from offset on, whatever state it is
// in: one that was closed is opened again (ErrGone when no file is left), one
// that was frozen thaws. When several rewinds meet, the lowest offset wins.
//
// Blocks that were read before may still be on their way to the consumer; they
// have a lower Gen than those read afterwards. Gen counts the calls that
// returned nil.
func (t *Tailer) Rewind(segment string, offset int64) error {
	for {
		err := t.rewind(segment, offset)
		if errors.Is(err, errMoved) {
			continue // closed or renamed just then: look again
		}
		if err != nil {
			return fmt.Errorf("rewind %s: %w", segment, err)
		}
		t.poke()
		return nil
	}
}

func (t *Tailer) rewind(segment string, offset int64) error {
	s, held, err := t.lookUp(segment)
	if err != nil {
		return err
	}
	r := &rewind{seg: s}
	src := held
	if held == nil {
		if r.file, r.src, err = t.locate(s); err != nil {
			return err
		}
		src = r.src
	}
	size, err := src.Size()
	switch {
	case err != nil && held != nil && t.holds(s) != held:
		err = errMoved
	case err != nil:
	case offset < 0 || (size >= 0 && offset > size):
		err = fmt.Errorf("%w: %d of %d", ErrBeyond, offset, size)
	default:
		err = t.request(r, offset, held)
	}
	if err != nil && r.src != nil {
		return closeAfter(r.src, err)
	}
	return err
}

// lookUp returns a segment and the source that is open for it, if one is.
func (t *Tailer) lookUp(id string) (*segment, source, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, nil, ErrClosed
	}
	s, ok := t.byID[id]
	if !ok {
		return nil, nil, ErrUnknownSegment
	}
	if s.info.Closed {
		return s, nil, nil // about to be let go
	}
	return s, s.src, nil
}

// holds returns the source that is open for s.
func (t *Tailer) holds(s *segment) source {
	t.mu.Lock()
	defer t.mu.Unlock()
	return s.src
}

// request queues r. It answers errMoved when the file that was open is not any
// more, so that there would be nothing to rewind in.
func (t *Tailer) request(r *rewind, offset int64, held source) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := r.seg
	switch {
	case t.closed:
		return ErrClosed
	case t.byID[s.id] != s:
		return ErrUnknownSegment
	case held != nil && (s.info.Closed || s.src != held):
		return errMoved
	}
	if s.rewinds == 0 || offset < s.want {
		s.want = offset
	}
	s.rewinds++
	s.info.Gen++
	t.rewinds = append(t.rewinds, r)
	return nil
}

// applyRewinds carries out what was asked for.
func (t *Tailer) applyRewinds() {
	t.mu.Lock()
	list := t.rewinds
	t.rewinds = nil
	t.mu.Unlock()
	for _, r := range list {
		t.applyRewind(r)
	}
}

func (t *Tailer) applyRewind(r *rewind) {
	s := r.seg
	if r.src != nil {
		t.letGo(s)
		t.attach(s, r.file, r.src, 0)
	}
	t.mu.Lock()
	off := s.want
	s.rewinds--
	t.mu.Unlock()
	s.closed, s.torn, s.deleted = false, false, false
	if s.src == nil {
		// It was frozen between the request and now; ask again.
		t.raise(s, alarmNotRewound, "offset", off)
		return
	}
	s.frozen, s.alarm = false, ""
	s.rd = newReader(s.src, off)
	t.publish(s)
}

const alarmNotRewound = "the segment could not be read again, since its file shrank just then; ask for it again"

// locate opens the file that holds a segment, wherever it is by now.
func (t *Tailer) locate(s *segment) (segmentFile, source, error) {
	names, err := t.list()
	if err != nil {
		return segmentFile{}, nil, err
	}
	t.mu.Lock()
	last := s.info.Name
	t.mu.Unlock()
	if slices.Contains(names, last) {
		f, src, err := t.openIf(s.id, last)
		switch {
		case err != nil: // others may have it
		case !f.gz:
			return f, src, nil
		default:
			if err := src.Close(); err != nil {
				return f, nil, err
			}
		}
	}
	return t.locateAmong(s.id, names)
}

// locateAmong prefers a plain file to a compressed one.
func (t *Tailer) locateAmong(id string, names []string) (segmentFile, source, error) {
	var zipped segmentFile
	var zsrc source
	var errs []error
	for _, name := range names {
		f, src, err := t.openIf(id, name)
		switch {
		case errors.Is(err, errNotIt), errors.Is(err, fs.ErrNotExist):
		case err != nil:
			errs = append(errs, err)
		case f.gz && zsrc != nil:
			errs = append(errs, src.Close())
		case f.gz:
			zipped, zsrc = f, src
		default:
			if zsrc != nil {
				if err := zsrc.Close(); err != nil {
					return f, nil, closeAfter(src, err)
				}
			}
			return f, src, nil
		}
	}
	if zsrc != nil {
		return zipped, zsrc, nil
	}
	return segmentFile{}, nil, errors.Join(append([]error{ErrGone}, errs...)...)
}

// begins reports whether a file begins like a segment.
func (t *Tailer) begins(id string, h *head) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.byID[id]
	return s != nil && h.base == s.base && agree(h.lines, s.keys) == min(len(h.lines), len(s.keys))
}

var errNotIt = errors.New("another segment")

// openIf opens the file called name if it holds the segment.
func (t *Tailer) openIf(id, name string) (segmentFile, source, error) {
	fi, err := t.disk.Stat(name)
	if err != nil {
		return segmentFile{}, nil, err
	}
	if !fi.Mode().IsRegular() {
		return segmentFile{}, nil, errNotIt
	}
	head, err := t.readHead(name, fi)
	if errors.Is(err, errOtherFormat) {
		err = nil // it is what the identity says
	}
	if err == nil {
		t.end(&head)
	}
	if err == nil && !t.begins(id, &head) {
		err = errNotIt
	}
	if err != nil {
		return segmentFile{}, nil, err
	}
	h, err := openSame(t.disk, name, fi)
	if err != nil {
		return segmentFile{}, nil, err
	}
	f := segmentFile{name: name, fi: fi, id: id, gz: head.form == gzipped}
	return f, newSource(f.gz, h), nil
}
