package tailer

import (
	"errors"
	"fmt"
	"math"
)

// syncer makes segments durable.
type syncer struct {
	reg  *register
	find *locator
}

// Sync returns once everything before upTo is on stable storage: a checkpoint
// at upTo can then not lie beyond what a power loss leaves of the log. One
// fdatasync covers all that was in the file when it began, and is shared by
// those who wait for it.
//
// A segment whose file is gone has nothing left that could be lost: nil.
func (t *Tailer) Sync(segment string, upTo int64) error {
	if err := t.syncs.sync(segment, upTo); err != nil {
		return fmt.Errorf("sync %s: %w", segment, err)
	}
	return nil
}

func (y *syncer) sync(segment string, upTo int64) error {
	s, _, err := y.reg.lookUp(segment)
	if err != nil {
		return err
	}
	s.syncing.Lock()
	defer s.syncing.Unlock()
	if y.reg.synced(s) >= upTo {
		return nil
	}
	_, held, err := y.reg.lookUp(segment)
	if err == nil && held != nil {
		err = y.syncSource(s, held, upTo)
	}
	if held == nil && err == nil || held != nil && err != nil && y.reg.holds(s) != held {
		err = y.syncClosed(s, upTo)
	}
	return err
}

// syncClosed syncs a segment of which no file is open.
func (y *syncer) syncClosed(s *segment, upTo int64) error {
	_, src, err := y.find.locate(s)
	if errors.Is(err, ErrGone) {
		return nil
	}
	if err != nil {
		return err
	}
	err = y.syncSource(s, src, upTo)
	if cerr := src.Close(); err == nil {
		err = cerr
	}
	return err
}

func (y *syncer) syncSource(s *segment, src source, upTo int64) error {
	size := int64(math.MaxInt64) // a compressed file is written once
	if p, ok := src.(plainSource); ok {
		var err error
		if size, err = p.Size(); err != nil {
			return err
		}
	}
	if size < upTo {
		return fmt.Errorf("%w: %d of %d", ErrBeyond, upTo, size)
	}
	if err := datasync(src.raw()); err != nil {
		return err
	}
	y.reg.noteSynced(s, size)
	return nil
}
