package tailer

import (
	"errors"
	"fmt"
	"math"
)

// Sync returns once everything before upTo is on stable storage: a checkpoint
// at upTo can then not lie beyond what a power loss leaves of the log. One
// fdatasync covers all that was in the file when it began, and is shared by
// those who wait for it.
//
// A segment whose file is gone has nothing left that could be lost: nil.
func (t *Tailer) Sync(segment string, upTo int64) error {
	s, _, err := t.lookUp(segment)
	if err != nil {
		return fmt.Errorf("sync %s: %w", segment, err)
	}
	s.syncing.Lock()
	defer s.syncing.Unlock()
	if t.synced(s) >= upTo {
		return nil
	}
	_, held, err := t.lookUp(segment)
	if err == nil && held != nil {
		err = t.syncSource(s, held, upTo)
	}
	if held == nil && err == nil || held != nil && err != nil && t.holds(s) != held {
		err = t.syncClosed(s, upTo)
	}
	if err != nil {
		return fmt.Errorf("sync %s: %w", segment, err)
	}
	return nil
}

func (t *Tailer) synced(s *segment) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return s.info.Synced
}

// syncClosed syncs a segment of which no file is open.
func (t *Tailer) syncClosed(s *segment, upTo int64) error {
	_, src, err := t.locate(s)
	if errors.Is(err, ErrGone) {
		return nil
	}
	if err != nil {
		return err
	}
	err = t.syncSource(s, src, upTo)
	if cerr := src.Close(); err == nil {
		err = cerr
	}
	return err
}

func (t *Tailer) syncSource(s *segment, src source, upTo int64) error {
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
	t.mu.Lock()
	defer t.mu.Unlock()
	s.info.Synced = max(s.info.Synced, size)
	return nil
}
