package tailer

import (
	"errors"
	"fmt"
)

// rewind is a request that the next round of Next carries out.
type rewind struct {
	seg  *segment
	file segmentFile // where src was found
	src  source      // for a segment that was not open; nil otherwise
}

// rewinder has segments read again. What is asked for is carried out inside Next.
type rewinder struct {
	reg  *register
	find *locator
	hold *holder
}

// Rewind makes Next read a segment again from offset on, whatever state it is
// in: one that was closed is opened again (ErrGone when no file is left), one
// that was frozen thaws. When several rewinds meet, the lowest offset wins.
//
// Blocks that were read before may still be on their way to the consumer; they
// have a lower Gen than those read afterwards. Gen counts the calls that
// returned nil.
func (t *Tailer) Rewind(segment string, offset int64) error {
	if err := t.rewinds.ask(segment, offset); err != nil {
		return fmt.Errorf("rewind %s: %w", segment, err)
	}
	t.poke()
	return nil
}

// ask has a segment read again from offset on.
func (w *rewinder) ask(segment string, offset int64) error {
	for {
		err := w.try(segment, offset)
		if !errors.Is(err, errMoved) {
			return err
		} // closed or renamed just then: look again
	}
}

func (w *rewinder) try(segment string, offset int64) error {
	s, held, err := w.reg.lookUp(segment)
	if err != nil {
		return err
	}
	r := &rewind{seg: s}
	src := held
	if held == nil {
		if r.file, r.src, err = w.find.locate(s); err != nil {
			return err
		}
		src = r.src
	}
	size, err := src.Size()
	switch {
	case err != nil && held != nil && w.reg.holds(s) != held:
		err = errMoved
	case err != nil:
	case offset < 0 || (size >= 0 && offset > size):
		err = fmt.Errorf("%w: %d of %d", ErrBeyond, offset, size)
	default:
		err = w.reg.request(r, offset, held)
	}
	if err != nil && r.src != nil {
		return closeAfter(r.src, err)
	}
	return err
}

// carryOut does what was asked for.
func (w *rewinder) carryOut() {
	for _, r := range w.reg.take() {
		w.apply(r)
	}
}

func (w *rewinder) apply(r *rewind) {
	s := r.seg
	if r.src != nil {
		w.hold.letGo(s)
		w.hold.attach(s, r.file, r.src, 0)
	}
	off := w.reg.rewound(s)
	s.closed, s.torn, s.deleted = false, false, false
	if s.src == nil {
		// It was frozen between the request and now; ask again.
		w.hold.raise(s, alarmNotRewound, "offset", off)
		return
	}
	s.frozen, s.alarm = false, ""
	s.rd = newReader(s.src, off)
	w.reg.publish(s)
}

const alarmNotRewound = "the segment could not be read again, since its file shrank just then; ask for it again"
