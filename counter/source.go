package counter

import (
	"context"

	"ddkk-stats/parser"
)

// BlockKind says what a Block holds.
type BlockKind uint8

const (
	Lines    BlockKind = iota // complete lines
	Oversize                  // one line longer than the limit; Data is nil
	Torn                      // the unfinished last line of a closed segment
	Closed                    // nothing more will come of this segment
)

// Block is a run of one segment: Data are the bytes from Start to End.
type Block struct {
	Segment    string
	Kind       BlockKind
	Start, End int64
	Data       []byte
	Live       bool   // nothing more could be read at that moment
	Release    func() // gives Data back; may be nil
}

// SegmentInfo is what a Source knows of a segment.
type SegmentInfo struct {
	ID, Name string
	Size     int64
	Read     int64 // handed out up to here
	Looked   int64 // from there to here no line is whole
	Whole    bool  // Size is that of all of it; of a compressed one it is not known before its end
}

// Source is one log: it hands out blocks and reads again where it is told to.
// Next and Watch are called by one goroutine, the rest by another.
type Source interface {
	Next(ctx context.Context) (Block, error)
	// Watch is called while nobody takes what Next returned: the source opens what
	// a rotation brings, so that it can be read even when its file is deleted.
	Watch()
	Rewind(segment string, offset int64) error
	Sync(segment string, upTo int64) error
	Segments() []SegmentInfo
}

// Input is a Source and the parser for its format. The parser is used by the
// ingest loop only.
type Input struct {
	Source Source
	Parser *parser.Parser
}
