package tailer

import (
	"sync"
	"sync/atomic"
)

// Kind says what a Block is.
type Kind uint8

const (
	// Lines is a run of one or more complete lines, each with its newline.
	Lines Kind = iota
	// Oversize is one complete line that is longer than Options.MaxLine. Its
	// bytes are not handed out: Data is nil.
	Oversize
	// Torn is the unfinished last line of a segment that is about to be
	// closed. Data holds its first bytes, at most Options.MaxLine of them.
	//
	// Should the writer finish the line after all, the segment is read again
	// from Start, so that the whole line is handed out once, as Lines.
	Torn
	// Closed says that all of a segment has been handed out and that it has
	// been quiet: Data is nil and Start == End == its size. A segment that
	// grows or is rewound after that is closed again later.
	Closed
)

// String returns the kind's name in lower case.
func (k Kind) String() string {
	switch k {
	case Lines:
		return "lines"
	case Oversize:
		return "oversize"
	case Torn:
		return "torn"
	case Closed:
		return "closed"
	}
	return "unknown"
}

// Block is a piece of one segment.
//
// Data belongs to whoever received the block, until Release is called on it (or
// on a copy of it); after that the bytes are overwritten by later blocks. Any
// number of blocks may be held while Next reads on. A block that is never
// released is left to the garbage collector.
type Block struct {
	Segment string // identity
	Name    string // path of the file when it was read, for messages
	Kind    Kind
	Start   int64 // offset of the first byte
	End     int64 // offset after the last byte
	Data    []byte

	// Live: when this block was made there was nothing more to read in any
	// segment, so there is no point in waiting for a fuller batch.
	Live bool

	// Gen is the number of times that Rewind had succeeded on this segment
	// when the block was read. Whoever calls Rewind drops blocks of a lower
	// Gen that are still on their way.
	Gen uint64

	buf   *buffer
	lease uint32
}

// Release gives the block's memory back. Releasing a block, or copies of one,
// more than once is harmless.
func (b *Block) Release() {
	buf := b.buf
	b.buf, b.Data = nil, nil
	if buf != nil && buf.lease.CompareAndSwap(b.lease, b.lease+1) {
		buf.home.Put(buf)
	}
}

// buffer is a recycled piece of memory. Its lease changes each time it is
// released, so that a second Release of the same block is noticed.
type buffer struct {
	data  []byte
	lease atomic.Uint32
	home  *sync.Pool
}

// buffers recycles memory of one size.
type buffers struct{ pool sync.Pool }

func newBuffers(size int) *buffers {
	p := &buffers{}
	p.pool.New = func() any { return &buffer{data: make([]byte, size), home: &p.pool} }
	return p
}

func (p *buffers) get() *buffer { return p.pool.Get().(*buffer) }

// put takes back a buffer that was never part of a block.
func (p *buffers) put(b *buffer) { p.pool.Put(b) }
