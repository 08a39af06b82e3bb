package archive

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// insertRows stores all rows of s by INSERT statements of so many rows each:
// the way that every database knows.
func insertRows(ctx context.Context, tx *sql.Tx, s *scan, segment int64, d dialect, batch int) (err error) {
	var full *sql.Stmt
	defer func() {
		if full != nil {
			err = errors.Join(err, full.Close())
		}
	}()
	args := make([]any, 0, batch*len(columns))
	for more := true; more; {
		args = args[:0]
		for len(args) < cap(args) {
			r, err := s.next()
			if err != nil {
				return &segmentError{err}
			}
			if more = r != nil; !more {
				break
			}
			r.segment = segment
			args = s.enc.appendArgs(args, r, d)
		}
		if len(args) == cap(args) {
			if full == nil {
				if full, err = tx.PrepareContext(ctx, insertOf(batch)); err != nil {
					return fmt.Errorf("prepare insert: %w", err)
				}
			}
			if _, err := full.ExecContext(ctx, args...); err != nil {
				return fmt.Errorf("insert raw rows: %w", err)
			}
		} else if len(args) > 0 {
			if _, err := execTx(ctx, tx, "insert raw rows", insertOf(len(args)/len(columns)), args...); err != nil {
				return err
			}
		}
	}
	return nil
}

func insertOf(rows int) string {
	one := "(" + strings.TrimSuffix(strings.Repeat("?,", len(columns)), ",") + ")"
	return "INSERT INTO access_logs (" + rowColumns + ") VALUES " + strings.TrimSuffix(strings.Repeat(one+",", rows), ",")
}
