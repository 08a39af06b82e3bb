package archive

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// A transaction is run again this often, with pauses that grow up to the
// longest: about a minute altogether. After Options.Patience it is not run again
// whatever it was: the server is not there.
const (
	maxTries   = 20
	firstPause = 20 * time.Millisecond
	maxPause   = 4 * time.Second
)

// transact runs f in a transaction, and again as a whole where it failed for a
// reason that passes: a deadlock, a lock that is held for long, a cluster that
// gave another node's transaction precedence, or a lost connection.
//
// When the connection is lost at COMMIT nobody knows whether it happened. So f
// must begin with locking and reading what it is about to move, and do nothing
// where that was done already.
func (st *store) transact(ctx context.Context, f func(context.Context, *sql.Tx) error) error {
	wait, began := firstPause, time.Now()
	for try := 1; ; try++ {
		err := st.transactOnce(ctx, f)
		if err == nil || ctx.Err() != nil || try == maxTries || !st.dialect.retryable(err) || time.Since(began) > st.opt.Patience {
			return err
		}
		st.log.Info("the archive's transaction is run again", "try", try, "err", err)
		if err := st.pause(ctx, wait); err != nil {
			return err
		}
		wait = min(2*wait, maxPause)
	}
}

func (st *store) transactOnce(ctx context.Context, f func(context.Context, *sql.Tx) error) error {
	tx, err := st.db.BeginTx(ctx, &sql.TxOptions{Isolation: st.dialect.level()})
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := f(ctx, tx); err != nil {
		if rerr := tx.Rollback(); rerr != nil && !errors.Is(rerr, sql.ErrTxDone) {
			err = errors.Join(err, fmt.Errorf("roll back: %w", rerr))
		}
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// execTx runs one statement and tells how many rows it touched.
func execTx(ctx context.Context, tx *sql.Tx, what, query string, args ...any) (int64, error) {
	r, err := tx.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", what, err)
	}
	n, err := r.RowsAffected()
	if err != nil {
		return 0, fmt.Errorf("%s: %w", what, err)
	}
	return n, nil
}
