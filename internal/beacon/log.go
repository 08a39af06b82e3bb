package beacon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
)

var (
	// ErrClosed is returned by Append after Close.
	ErrClosed = errors.New("beacon log is closed")
	// ErrLocked means that another process writes to the log.
	ErrLocked = errors.New("another process writes to this log; give each daemon a DATA_DIR of its own")
	// ErrTooLong means that the record's line would be longer than MaxLine,
	// which the parser would refuse. Nothing was written.
	ErrTooLong = errors.New("record is too long for a line of the log")
)

// Position is a place in the log: just after a line.
type Position struct {
	// Segment is the identity of the file, from its first line
	// (parser.SegmentID).
	Segment string
	// End is the offset just after the line's newline.
	End int64
}

// Options of OpenLog.
type Options struct {
	// SegmentID tells the identity of a file from its first line without the
	// newline: parser.SegmentID. Needed.
	SegmentID func(firstLine []byte) string
	// Mode of a log that is created; default 0640: it holds addresses.
	Mode os.FileMode
	// Logger is told about torn lines that were closed; nil means nobody.
	Logger *slog.Logger
}

// Log appends v1 lines to a file, as nginx does: O_APPEND, and every write
// ends with a newline. Callers that come while a write is under way share the
// next one (group commit), so the cost of write(2) is divided by the load and
// an idle log adds no delay. It has no goroutine: in each group the caller
// that came first writes for all.
//
// Only one process may write to the file (flock on the file itself). That is
// not needed for the lines, which the kernel appends whole, but for a torn one:
// two writers cannot tell whose it is. The offsets come from the kernel (the
// descriptor's position after an O_APPEND write), so they hold even if a
// stranger without the lock appends.
//
// Append does not sync: like nginx's, a line is safe from the death of the
// process, and from a power loss once the tailer has synced the file, which it
// does before it commits.
type Log struct {
	path string
	opts Options

	encoders sync.Pool // *encoder

	// mu guards the group that is being collected.
	mu    sync.Mutex
	group *group
	spare []byte // buffer for the next group
	done  bool

	// write is held by whoever writes or changes seg.
	write sync.Mutex
	seg   *segment
}

// group is the lines of the callers that share one write. The caller that made
// it leads: it writes, fills in the result and closes written.
type group struct {
	buf     []byte
	written chan struct{}

	// The result, to be read after written is closed.
	segment string
	base    int64 // offset of buf's first byte in the file
	n       int   // bytes of buf that are in the file
	err     error // why the rest is not
}

// OpenLog opens or creates the log at path and takes its lock. A torn last line,
// left by a power loss or a full disk, is closed before the next line.
func OpenLog(path string, opts Options) (*Log, error) {
	if opts.SegmentID == nil {
		return nil, errors.New("open beacon log: Options.SegmentID is not set")
	}
	if opts.Mode == 0 {
		opts.Mode = 0o640
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	l := &Log{path: path, opts: opts}
	l.encoders.New = func() any { return newEncoder() }
	seg, err := openSegment(path, opts)
	if err != nil {
		return nil, fmt.Errorf("open beacon log: %w", err)
	}
	l.seg = seg
	return l, nil
}

// Path is the log's path.
func (l *Log) Path() string { return l.path }

// Append writes the record's line and returns where it ends. After an error
// the line is not in the log and will not be: if a part of it is, that part is
// closed as a torn line, which does not count.
func (l *Log) Append(rec Record) (Position, error) {
	enc := l.encoders.Get().(*encoder)
	defer l.encoders.Put(enc)
	line := enc.line(&rec)
	if len(line) > MaxLine {
		enc.buf = nil
		return Position{}, fmt.Errorf("append to beacon log: %w (%d bytes, at most %d)", ErrTooLong, len(line), MaxLine)
	}
	g, end, leads, err := l.join(line)
	if err != nil {
		return Position{}, err
	}
	if leads {
		l.lead(g)
	} else {
		<-g.written
	}
	if end > g.n {
		return Position{}, fmt.Errorf("append to beacon log: %w", g.err)
	}
	return Position{Segment: g.segment, End: g.base + int64(end)}, nil
}

// join adds the line to the group that is being collected, or starts one.
func (l *Log) join(line []byte) (g *group, end int, leads bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done {
		return nil, 0, false, fmt.Errorf("append to beacon log: %w", ErrClosed)
	}
	if l.group == nil {
		l.group = &group{buf: l.spare[:0], written: make(chan struct{})}
		l.spare = nil
		leads = true
	}
	g = l.group
	g.buf = append(g.buf, line...)
	return g, len(g.buf), leads, nil
}

// lead waits for its turn, closes the group to newcomers and writes it.
func (l *Log) lead(g *group) {
	l.write.Lock()
	defer l.write.Unlock()
	defer close(g.written)

	l.mu.Lock()
	l.group = nil
	l.mu.Unlock()

	if l.seg == nil {
		g.err = ErrClosed
		return
	}
	g.segment, g.base, g.n, g.err = l.seg.append(g.buf)

	// Two buffers take turns; one that a burst has blown up is let go.
	if cap(g.buf) <= 1<<20 {
		l.mu.Lock()
		l.spare = g.buf
		l.mu.Unlock()
	}
	g.buf = nil
}

// Reopen follows a rotation: the log was renamed, and from here on lines go to
// a new file under the old name (or to the one that logrotate made). Where the
// name still stands for the same file nothing happens. After an error the log
// goes on in the file it has, and nothing is lost. The context is looked at
// once, before the work, which is a few system calls.
func (l *Log) Reopen(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("reopen beacon log: %w", err)
	}
	l.write.Lock()
	defer l.write.Unlock()
	if l.seg == nil {
		return fmt.Errorf("reopen beacon log: %w", ErrClosed)
	}
	same, err := l.seg.named(l.path)
	if err != nil {
		return fmt.Errorf("reopen beacon log: %w", err)
	}
	if same {
		return nil
	}
	fresh, err := openSegment(l.path, l.opts)
	if err != nil {
		return fmt.Errorf("reopen beacon log: %w", err)
	}
	old := l.seg
	l.seg = fresh
	if err := old.file.Close(); err != nil {
		return fmt.Errorf("reopen beacon log: close the renamed file: %w", err)
	}
	return nil
}

// Close waits for the write under way and closes the file. Calls of Append that
// have not begun to write by then fail with ErrClosed, as do later ones, so stop
// the callers first. A second Close does nothing.
func (l *Log) Close() error {
	l.mu.Lock()
	l.done = true
	l.mu.Unlock()
	l.write.Lock()
	defer l.write.Unlock()
	if l.seg == nil {
		return nil
	}
	err := l.seg.file.Close()
	l.seg = nil
	if err != nil {
		return fmt.Errorf("close beacon log: %w", err)
	}
	return nil
}
