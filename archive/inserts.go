package archive

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"
)

// rowBatch are the arguments of one statement.
type rowBatch []any

// insertRows stores all rows of s by INSERT statements of so many rows each: the way
// that every database knows. While one is carried out the next ones are made.
func insertRows(ctx context.Context, tx *sql.Tx, s *scan, segment int64, d dialect, batch int) error {
	const ahead = 8
	made, used := make(chan rowBatch, ahead), make(chan rowBatch, ahead+2)
	for range ahead + 2 {
		used <- nil // those that are made, one that is stored and one that is filled
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(made)
		for {
			var args rowBatch
			select {
			case <-gctx.Done():
				return gctx.Err()
			case args = <-used:
			}
			if args == nil {
				args = make(rowBatch, 0, batch*len(columns))
			}
			args, err := fillBatch(args[:0], s, segment, d)
			if err != nil {
				return &segmentError{err}
			}
			if len(args) == 0 {
				return nil
			}
			select {
			case <-gctx.Done():
				return gctx.Err()
			case made <- args:
			}
			if len(args) < cap(args) {
				return nil
			}
		}
	})
	g.Go(func() error { return storeBatches(gctx, tx, d, batch, made, used) })
	return g.Wait()
}

// fillBatch appends rows until the batch is full; fewer: there are no more.
func fillBatch(args rowBatch, s *scan, segment int64, d dialect) (rowBatch, error) {
	for len(args) < cap(args) {
		r, err := s.next()
		if r == nil || err != nil {
			return args, err
		}
		r.segment = segment
		args = s.enc.appendArgs(args, r, d)
	}
	return args, nil
}

func storeBatches(ctx context.Context, tx *sql.Tx, d dialect, batch int, made <-chan rowBatch, used chan<- rowBatch) (err error) {
	var full *sql.Stmt
	defer func() {
		if full != nil {
			err = errors.Join(err, full.Close())
		}
	}()
	for args := range made {
		if rows := len(args) / len(columns); rows < batch {
			if _, err := execTx(ctx, tx, "insert raw rows", insertOf(d, rows), args...); err != nil {
				return err
			}
			continue
		}
		if full == nil {
			if full, err = tx.PrepareContext(ctx, insertOf(d, batch)); err != nil {
				return fmt.Errorf("prepare insert: %w", err)
			}
		}
		if _, err := full.ExecContext(ctx, args...); err != nil {
			return fmt.Errorf("insert raw rows: %w", err)
		}
		used <- args
	}
	return nil
}

func insertOf(d dialect, rows int) string {
	one := "(" + strings.TrimSuffix(strings.Repeat("?,", len(columns)), ",") + ")"
	return d.insert() + " INTO access_logs (" + rowColumns + ") VALUES " + strings.TrimSuffix(strings.Repeat(one+",", rows), ",")
}
