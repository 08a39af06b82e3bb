package verify

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"ddkk-stats/parser"
)

// Segment is one segment of a log as it lies on the disk, live ones too.
type Segment interface {
	// ID is its identity and Name its path.
	ID() string
	Name() string
	// Live tells whether it is the log that is being written.
	Live() bool
	// Open reads the uncompressed content from an offset on.
	Open(ctx context.Context, from int64) (io.ReadCloser, error)
}

// Log is one log of this host.
type Log struct {
	Parser *parser.Parser // used by one Verifier alone
	// List finds the segments, oldest first.
	List func(ctx context.Context) ([]Segment, error)
}

// found is a segment and the parser of its log.
type found struct {
	Segment
	parser *parser.Parser
}

// shelf are the segments of all logs.
type shelf struct {
	logs []Log
	all  []found
	byID map[string]found
}

func (s *shelf) list(ctx context.Context) error {
	s.all, s.byID = nil, map[string]found{}
	for _, l := range s.logs {
		segments, err := l.List(ctx)
		if err != nil {
			return fmt.Errorf("list segments: %w", err)
		}
		for _, seg := range segments {
			f := found{seg, l.Parser}
			if _, twice := s.byID[seg.ID()]; !twice {
				s.all = append(s.all, f)
				s.byID[seg.ID()] = f
			}
		}
	}
	return nil
}

// open opens a segment; one that was renamed meanwhile is looked for again.
func (s *shelf) open(ctx context.Context, id string, from int64) (found, io.ReadCloser, error) {
	var err error
	for range 3 {
		if seg, ok := s.byID[id]; ok {
			var r io.ReadCloser
			if r, err = seg.Open(ctx, from); err == nil {
				return seg, r, nil
			}
		}
		if lerr := s.list(ctx); lerr != nil {
			return found{}, nil, lerr
		}
	}
	if err == nil {
		err = errGone
	}
	return found{}, nil, fmt.Errorf("read segment %s: %w", id, err)
}

var errGone = errors.New("it is not in the log folder any more")

// lines reads lines. What is behind the last newline is torn.
type lines struct {
	r     *bufio.Reader
	start int64 // of the line that was read last
	pos   int64 // after the last complete line
}

const readBuffer = 1 << 20

func newLines(r io.Reader, from int64) *lines {
	return &lines{r: bufio.NewReaderSize(r, readBuffer), start: from, pos: from}
}

// openLines reads a segment's lines from an offset on. One within a line is where that
// was counted before its newline came: the rest of it is passed over.
func (s *shelf) openLines(ctx context.Context, id string, from int64) (found, *lines, io.Closer, error) {
	before := max(from-1, 0)
	seg, r, err := s.open(ctx, id, before)
	if err != nil {
		return seg, nil, nil, err
	}
	l := newLines(r, from)
	if from == 0 {
		return seg, l, r, nil
	}
	b, err := l.r.ReadByte()
	if err == nil && b != '\n' {
		var n int64
		if _, n, err = l.next(); err != nil {
			l.pos += n
		}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return seg, nil, nil, errors.Join(err, r.Close())
	}
	return seg, l, r, nil
}

// next returns the next line without its newline; nil for one that is longer
// than a line may be. At the end it returns io.EOF and, if there are any, the torn
// bytes, as many as a line may have.
func (l *lines) next() (line []byte, torn int64, err error) {
	n := int64(0)
	l.start = l.pos
	for {
		part, err := l.r.ReadSlice('\n')
		n += int64(len(part))
		switch {
		case err == nil && n == int64(len(part)) && n <= parser.MaxLine+1:
			l.pos += n
			return part[:n-1], 0, nil
		case err == nil:
			l.pos += n
			return nil, 0, nil
		case errors.Is(err, io.EOF) && (n > int64(len(part)) || n > parser.MaxLine):
			return nil, n, io.EOF
		case errors.Is(err, io.EOF):
			return part, n, io.EOF
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, 0, fmt.Errorf("read log: %w", err)
		}
	}
}
