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
}
