package archive

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"ddkk-stats/parser"
)

// scan reads the lines of one chunk and yields those that become raw rows.
type scan struct {
	ctx     context.Context // of the chunk; LOAD DATA's reader has no other way to it
	r       *bufio.Reader
	source  *Source
	windows *windows
	fresh   *fresh // nil: no sums are taken on the way
	limit   int    // rows

	pos  int64 // after the last complete line
	size int64 // of the segment
	done bool  // all of the segment was read
	rest bool  // it begins within a line that was archived without its newline
	open bool  // the line that was read last has no newline

	hit   parser.Hit
	row   row
	key   []byte
	tally Tally
	rows  int64
	days  map[siteDay]*touch
	last  *touch
	at    siteDay
	first int64 // time of the earliest and the latest row, in ms
	final int64
	enc   encoder
	calls callSums

	// Of a recount: where it stops, the rows that lines had, and which lines
	// stay as they are.
	until int64 // offset; 0: at the end
	old   map[int64]oldRow
	stays func(*scan) bool
}

// again tells whether the lines were archived before: the last one is a line then,
// though it has no newline.
func (s *scan) again() bool { return s.stays != nil }

// touch is what a chunk does to a day of a site.
type touch struct {
	rows, dedup int64
	again       int64 // of dedup, lines that had a raw row before a recount
	end         int64 // of the last of the lines
	sums        *fold // nil: the day's rows have to be read to add them up
}

// scanBuffer holds a longest line, and makes reads large.
const scanBuffer = 256 << 10

// next returns the next raw row, or nil at the end of the chunk.
func (s *scan) next() (*row, error) {
	for s.rows < int64(s.limit) && s.calls.lines < maxCallLines && (s.until == 0 || s.pos < s.until) {
		line, n, err := s.line()
		if n == 0 || err != nil {
			return nil, err
		}
		if line != nil {
			s.source.parse(line, &s.hit)
		}
		if s.open && !s.again() && (line == nil || s.hit.Kind == parser.Malformed) {
			s.tally.Torn = 1 // the rest of it may still come
			s.done = true
			return nil, nil
		}
		s.pos += n
		s.done = s.open
		s.tally.Lines++
		if line == nil {
			s.tally.Malformed++
			s.tally.reason(parser.BadLength)
			continue
		}
		if s.stays != nil && s.stays(s) {
			continue
		}
		r, err := s.take()
		if r != nil || err != nil {
			return r, err
		}
	}
	return nil, nil
}

// line returns a line without its newline and its length with it; nil if it is
// too long. The length is 0 at the end. The last line may lack its newline.
func (s *scan) line() (line []byte, n int64, err error) {
	if err := s.ctx.Err(); err != nil {
		return nil, 0, err
	}
	if s.rest {
		s.rest = false
		_, n, err := s.line()
		if s.pos += n; n == 0 || err != nil {
			return nil, 0, err
		}
		s.open = false
	}
	line, err = s.r.ReadSlice('\n')
	n = int64(len(line))
	long := n > parser.MaxLine+1
	for errors.Is(err, bufio.ErrBufferFull) {
		long = true
		line, err = s.r.ReadSlice('\n')
		n += int64(len(line))
	}
	switch {
	case errors.Is(err, io.EOF) && n == 0:
		s.done = true
		fallthrough
	case errors.Is(err, io.EOF):
		if s.open = n > 0; s.pos+n != s.size {
			return nil, 0, fmt.Errorf("read segment: it ends at %d and should have %d bytes", s.pos+n, s.size)
		}
		if n > parser.MaxLine {
			line = nil
		}
		return line, n, nil
	case err != nil:
		return nil, 0, fmt.Errorf("read segment: %w", err)
	case long:
		return nil, n, nil
	}
	return line[:len(line)-1], n, nil
}

// take decides what becomes of the hit.
func (s *scan) take() (*row, error) {
	h := &s.hit
	switch h.Kind {
	case parser.Skipped:
		s.tally.Skipped++
		s.tally.reason(h.Reason)
		return nil, nil
	case parser.Malformed:
		s.tally.Malformed++
		s.tally.reason(h.Reason)
		return nil, nil
	case parser.APICall:
		return nil, s.takeCall()
	}
	r := &s.row
	r.hit, r.end = h, s.pos
	dup, err := s.windows.duplicate(s.ctx, r)
	if err != nil {
		return nil, err
	}
	t, err := s.touched()
	if err != nil {
		return nil, err
	}
	t.end = s.pos
	if dup {
		s.tally.Dedup++
		t.dedup++
		if _, had := s.old[s.pos]; had {
			t.again++
		}
		return nil, nil
	}
	r.eventKey = r.eventKey[:0]
	if h.Kind == parser.Event {
		s.key, _, _ = parser.AppendEventKeys(s.key[:0], h)
		r.eventKey = s.key
	}
	if h.Bot {
		s.tally.Bot++
	} else {
		s.tally.Human++
	}
	if s.rows == 0 {
		s.first, s.final = h.Time, h.Time
	}
	s.first, s.final = min(s.first, h.Time), max(s.final, h.Time)
	s.rows++
	t.rows++
	if t.sums != nil {
		t.sums.take(r)
	}
	return r, nil
}

// takeCall adds up a call: it becomes no raw row.
func (s *scan) takeCall() error {
	if err := s.calls.add(s.ctx, &s.hit); err != nil {
		return err
	}
	s.calls.last.day.end = s.pos
	s.tally.Calls++
	if s.calls.lines == 1 {
		s.first, s.final = s.hit.Time, s.hit.Time
	}
	s.first, s.final = min(s.first, s.hit.Time), max(s.final, s.hit.Time)
	return nil
}

func (s *scan) touched() (*touch, error) {
	if k := (siteDay{s.hit.Site, s.hit.Day}); s.last == nil || s.at != k {
		t := s.days[k]
		if t == nil {
			sums, err := s.fresh.of(s.ctx, s.windows, k)
			if err != nil {
				return nil, err
			}
			t = &touch{sums: sums}
			s.days[k] = t
		}
		s.last, s.at = t, k
	}
	return s.last, nil
}
