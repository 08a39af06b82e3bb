package archive

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"

	"github.com/go-sql-driver/mysql"
)

// segmentError is what went wrong with reading a segment, as against with the
// connection that it was sent on.
type segmentError struct{ err error }

func (e *segmentError) Error() string { return e.err.Error() }
func (e *segmentError) Unwrap() error { return e.err }

// infile is the text of a LOAD DATA, made while the server asks for it.
type infile struct {
	s       *scan
	segment int64
	buf     []byte
	at      int
	err     error
}

// Read fills p as far as it can, since each call becomes a packet.
func (f *infile) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if f.at == len(f.buf) && !f.refill() {
			return n, f.err
		}
		m := copy(p[n:], f.buf[f.at:])
		f.at += m
		n += m
	}
	return n, nil
}

func (f *infile) refill() bool {
	if f.err != nil {
		return false
	}
	f.buf, f.at = f.buf[:0], 0
	for len(f.buf) < 64<<10 {
		r, err := f.s.next()
		if err != nil {
			f.err = &segmentError{err}
			return false
		}
		if r == nil {
			f.err = io.EOF
			break
		}
		f.buf = f.s.enc.appendRow(f.buf, r, f.segment)
	}
	return len(f.buf) > 0
}

func (d *mysqlDialect) load(ctx context.Context, tx *sql.Tx, s *scan, segment int64) error {
	if d.inserts.Load() {
		return insertRows(ctx, tx, s, segment, d, mysqlInsertRows)
	}
	err := d.loadInfile(ctx, tx, s, segment)
	var e *mysql.MySQLError
	if errors.As(err, &e) && (e.Number == errLoadNotAllowed || e.Number == errLoadDisabled || e.Number == errMariaDBLoad) {
		// It refused before it asked for the first byte.
		d.inserts.Store(true)
		d.log.Warn("the server refuses LOAD DATA LOCAL, so that archiving is slower; set local_infile=ON on the server", "err", err)
		return insertRows(ctx, tx, s, segment, d, mysqlInsertRows)
	}
	return err
}

// mysqlInsertRows is the number of rows of one INSERT.
const mysqlInsertRows = 500

// loadInfile streams the rows to the server. LOCAL turns errors into warnings
// and leaves out what it does not like, and a reader that fails ends the file
// as if it were complete; so the result is only good if there was no error, no
// warning, and exactly as many rows were stored as were sent.
func (d *mysqlDialect) loadInfile(ctx context.Context, tx *sql.Tx, s *scan, segment int64) error {
	// Names are global to the process, and the server must not guess one.
	name := "ddkk-" + rand.Text()
	f := &infile{s: s, segment: segment}
	mysql.RegisterReaderHandler(name, func() io.Reader { return f })
	defer mysql.DeregisterReaderHandler(name)
	n, err := execTx(ctx, tx, "load raw rows", `LOAD DATA LOCAL INFILE 'Reader::`+name+`' INTO TABLE access_logs `+
		`CHARACTER SET binary FIELDS TERMINATED BY '\t' ESCAPED BY '\\' LINES TERMINATED BY '\n' (`+rowColumns+`)`)
	if err != nil {
		return err
	}
	if f.err != io.EOF {
		return fmt.Errorf("load raw rows: the server did not take all of them: %w", errors.Join(f.err, io.ErrUnexpectedEOF))
	}
	if err := noWarnings(ctx, tx); err != nil {
		return err
	}
	if n != s.rows {
		return fmt.Errorf("load raw rows: %d of %d were stored; some were there before", n, s.rows)
	}
	return nil
}

func noWarnings(ctx context.Context, tx *sql.Tx) (err error) {
	rows, err := tx.QueryContext(ctx, "SHOW WARNINGS")
	if err != nil {
		return fmt.Errorf("ask for warnings: %w", err)
	}
	defer closeRows(rows, &err)
	if rows.Next() { // one is enough to tell
		var level, text string
		var code int
		if err := rows.Scan(&level, &code, &text); err != nil {
			return fmt.Errorf("read warnings: %w", err)
		}
		return fmt.Errorf("load raw rows: the server warns: %s %d: %s", level, code, text)
	}
	return rows.Err()
}
