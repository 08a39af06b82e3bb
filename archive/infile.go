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

// infileBytes is how much of it is made at once.
const infileBytes = 64 << 10

// infile is the text of a LOAD DATA, made while the server asks for it.
type infile struct {
	// fill appends some rows; none: there are no more.
	fill func([]byte) ([]byte, error)
	buf  []byte
	at   int
	err  error
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
	var err error
	f.buf, err = f.fill(f.buf[:0])
	f.at = 0
	switch {
	case err != nil:
		f.err = &segmentError{err}
		f.buf = f.buf[:0]
	case len(f.buf) == 0:
		f.err = io.EOF
	}
	return len(f.buf) > 0
}

func (d *mysqlDialect) load(ctx context.Context, tx *sql.Tx, s *scan, segment int64) error {
	if takes, err := d.takesInfile(ctx, tx); err != nil {
		return err
	} else if !takes {
		return insertRows(ctx, tx, s, segment, d, mysqlInsertRows)
	}
	return d.loadParts(ctx, tx, s, segment)
}

// takesInfile finds out whether the server takes LOAD DATA LOCAL, by one of no
// rows: a row that was scanned cannot be scanned again for an INSERT.
func (d *mysqlDialect) takesInfile(ctx context.Context, tx *sql.Tx) (bool, error) {
	if d.infiles.Load() {
		return true, nil
	}
	_, taken, err := d.loadInfile(ctx, tx, "access_logs", rowColumns, "", func(b []byte) ([]byte, error) { return b, nil })
	if err == nil && taken {
		d.infiles.Store(true)
	}
	return taken, err
}

func (d *mysqlDialect) loadNames(ctx context.Context, tx *sql.Tx, w *nameRows, r rawRows) (bool, error) {
	if len(w.rows) < namesPerInsert {
		return false, nil
	}
	names := w.sorted()
	stored, taken, err := d.loadInfile(ctx, tx, w.table, w.columns(), "", func(b []byte) ([]byte, error) {
		for len(b) < infileBytes && len(names) > 0 {
			b = appendEscaped(append(append(b, r.date...), '\t'), []byte(r.name))
			b = appendEscaped(append(b, '\t'), []byte(names[0]))
			for _, n := range w.rows[names[0]] {
				b = appendInt(append(b, '\t'), n)
			}
			b = append(b, '\n')
			names = names[1:]
		}
		return b, nil
	})
	if err == nil && taken && stored != int64(len(w.rows)) {
		err = fmt.Errorf("load %s: %d of %d were stored; some were there before", w.table, stored, len(w.rows))
	}
	return taken, err
}

// mysqlInsertRows is the number of rows of one INSERT.
const mysqlInsertRows = 500

// loadInfile streams the rows to the server. LOCAL turns errors into warnings
// and leaves out what it does not like, and a reader that fails ends the file
// as if it were complete; so the result is only good if there was no error, no
// warning, and exactly as many rows were stored as were sent. Nothing is taken
// where the server does not allow it.
func (d *mysqlDialect) loadInfile(ctx context.Context, tx *sql.Tx, table, columns, assignments string, fill func([]byte) ([]byte, error)) (stored int64, taken bool, err error) {
	if d.inserts.Load() {
		return 0, false, nil
	}
	// Names are global to the process, and the server must not guess one.
	name := "ddkk-" + rand.Text()
	f := &infile{fill: fill}
	mysql.RegisterReaderHandler(name, func() io.Reader { return f })
	defer mysql.DeregisterReaderHandler(name)
	n, err := execTx(ctx, tx, "load "+table, `LOAD DATA LOCAL INFILE 'Reader::`+name+`' INTO TABLE `+table+` `+
		`CHARACTER SET binary FIELDS TERMINATED BY '\t' ESCAPED BY '\\' LINES TERMINATED BY '\n' (`+columns+`)`+assignments)
	var e *mysql.MySQLError
	if errors.As(err, &e) && (e.Number == errLoadNotAllowed || e.Number == errLoadDisabled || e.Number == errMariaDBLoad) {
		// It refused before it asked for the first byte.
		d.inserts.Store(true)
		d.log.Warn("the server refuses LOAD DATA LOCAL, so that archiving is slower; set local_infile=ON on the server", "err", err)
		return 0, false, nil
	}
	if err != nil {
		return 0, true, err
	}
	if f.err != io.EOF {
		return 0, true, fmt.Errorf("load %s: the server did not take all of them: %w", table, errors.Join(f.err, io.ErrUnexpectedEOF))
	}
	return n, true, noWarnings(ctx, tx)
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
		return fmt.Errorf("load data: the server warns: %s %d: %s", level, code, text)
	}
	return rows.Err()
}
