package archive

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"
)

// A host that is in the middle of a flush, however long, holds up those that
// share its slot and nobody else.
func TestFlushersOfOtherSlotsDoNotWait(t *testing.T) {
	at := mariaPlace(t)
	a := open(t, at)
	check(t, a.BeginLife(t.Context(), "a.example", "l"))
	for slot := range 3 {
		_, err := a.ApplyFlush(t.Context(), flushOf(int64(slot+1), slot, PageChange{"/a", false, 1}))
		check(t, err)
	}
	held, release, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	slow := open(t, at)
	go func() {
		first := true
		done <- slow.transact(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
			f := flushOf(9, 1, PageChange{"/a", false, 5})
			if err := slow.enterSlot(ctx, tx, f); err != nil {
				return err
			}
			if err := slow.addCounts(ctx, tx, f); err != nil {
				return err
			}
			if first {
				first = false
				close(held)
			}
			<-release
			return nil
		})
	}()
	<-held
	start := time.Now()
	_, err := a.ApplyFlush(t.Context(), flushOf(10, 2, PageChange{"/a", false, 1}))
	check(t, err)
	t.Log("a flush into another slot took ", time.Since(start))
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := a.ApplyFlush(short, flushOf(11, 1, PageChange{"/a", false, 1})); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a flush into the slot that is held: %v, want that it waits", err)
	}
	close(release)
	check(t, <-done)
	wants(t, a, "0|1\n1|6\n2|2", "SELECT slot_id, count FROM page_counts ORDER BY slot_id")
}
