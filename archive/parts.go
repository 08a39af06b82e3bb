package archive

import (
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"
)

// A server takes most of its time for LOAD DATA with looking at the text byte by
// byte, and half of a row's bytes are a user agent and a referrer that thousands
// of rows have. So the rows of a chunk are sent in parts, each by a statement
// that names such texts once, and rows have their numbers. Meanwhile the next
// part is made.
const (
	partBytes = 1 << 20
	// partTexts and partTextBytes bound what a statement names.
	partTexts     = 512
	partTextBytes = 64 << 10
)

// rowPart is a part of a chunk, as text.
type rowPart struct {
	text        []byte
	rows        int64
	assignments string
}

// texts are those that rows name by their numbers, from 1 on; number 0 stands for
// one that is in the row.
type texts struct {
	numbers map[string]int
	list    []byte // as arguments of ELT
	bytes   int
}

func newTexts() *texts {
	t := &texts{numbers: map[string]int{}}
	t.number(nil)
	return t
}

func (t *texts) number(text []byte) int {
	n, ok := t.numbers[string(text)]
	if ok || len(t.numbers) >= partTexts || t.bytes+len(text) > partTextBytes {
		return n
	}
	n = len(t.numbers) + 1
	t.numbers[string(text)] = n
	t.bytes += len(text)
	// In hexadecimal it is a binary string, and nothing has to be escaped.
	t.list = append(hex.AppendEncode(append(t.list, ", x'"...), text), '\'')
	return n
}

// append writes the number of a text, and the text where it has none.
func (t *texts) append(b, text []byte) []byte {
	n := t.number(text)
	b = append(strconv.AppendInt(b, int64(n), 10), '\t')
	if n == 0 {
		b = appendEscaped(b, text)
	}
	return b
}

func (t *texts) assignment(column, variable, own string) string {
	return column + " = IFNULL(ELT(" + variable + string(t.list) + "), " + own + ")"
}

// partWriter makes the parts of a chunk.
type partWriter struct {
	s       *scan
	segment int64
	named   namedTexts
	ended   bool // s must not be asked again
}

// next returns the next part; one without rows is the last.
func (w *partWriter) next(b []byte) (p rowPart, err error) {
	p.text = b
	for !w.ended && len(p.text) < partBytes {
		r, err := w.s.next()
		if err != nil {
			return p, err
		}
		if w.ended = r == nil; w.ended {
			break
		}
		r.segment = w.segment
		p.text = w.s.enc.appendPartRow(p.text, r, &w.named)
		p.rows++
	}
	var set []string
	for i := range columns {
		if c := &columns[i]; c.texts != nil {
			set = append(set, c.texts(&w.named).assignment(c.name, "@"+c.name, "@own_"+c.name))
		}
	}
	p.assignments = " SET " + strings.Join(set, ", ")
	return p, nil
}

// loadParts stores all rows of s, where the server takes LOAD DATA.
func (d *mysqlDialect) loadParts(ctx context.Context, tx *sql.Tx, s *scan, segment int64) error {
	w := &partWriter{s: s, segment: segment, named: namedTexts{newTexts(), newTexts()}}
	parts, used := make(chan rowPart), make(chan []byte, 2)
	used <- nil // two buffers: one is sent while the other is filled
	used <- nil
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(parts)
		for more := true; more; {
			select {
			case <-gctx.Done():
				return gctx.Err()
			case b := <-used:
				p, err := w.next(b[:0])
				if err != nil {
					return &segmentError{err}
				}
				if more = p.rows > 0; !more {
					continue
				}
				select {
				case <-gctx.Done():
					return gctx.Err()
				case parts <- p:
				}
			}
		}
		return nil
	})
	g.Go(func() error {
		for p := range parts {
			if err := d.loadPart(gctx, tx, p); err != nil {
				return err
			}
			used <- p.text
		}
		return nil
	})
	return g.Wait()
}

func (d *mysqlDialect) loadPart(ctx context.Context, tx *sql.Tx, p rowPart) error {
	left := p.text
	stored, taken, err := d.loadInfile(ctx, tx, "access_logs", partColumns, p.assignments, func(b []byte) ([]byte, error) {
		n := min(len(left), infileBytes)
		b = append(b, left[:n]...)
		left = left[n:]
		return b, nil
	})
	switch {
	case err != nil:
		return err
	case !taken:
		return fmt.Errorf("load raw rows: the server takes no LOAD DATA LOCAL any more")
	case stored != p.rows:
		return fmt.Errorf("load raw rows: %d of %d were stored; some were there before", stored, p.rows)
	}
	return nil
}
