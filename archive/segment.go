package archive

import (
	"context"
	"io"

	"ddkk-stats/parser"
)

// Segment is one closed segment of a log: rotated and quiet.
type Segment interface {
	// ID is the identity: the same content has the same under any name.
	ID() string
	// Name is the path, for messages.
	Name() string
	// Size is the number of bytes of its uncompressed content.
	Size() int64
	// Open reads the uncompressed content from an offset on. More than Size may
	// come and is left for a later time; an error must not look like io.EOF.
	Open(ctx context.Context, from int64) (io.ReadCloser, error)
}

// Source is one log with its closed segments, oldest first. The parser belongs
// to Run until it returns.
type Source struct {
	Name     string // unique among all hosts that share the archive
	Parser   *parser.Parser
	Segments []Segment
	// Classify, unless nil, is called after each Parse and may change what
	// became of the line: that is how views come from a log without beacons.
	Classify func(p *parser.Parser, h *parser.Hit)
}

// parse reads a line as the source has it read.
func (s *Source) parse(line []byte, h *parser.Hit) {
	s.Parser.Parse(line, h)
	if s.Classify != nil {
		s.Classify(s.Parser, h)
	}
}
