package tailer

import (
	"errors"
	"fmt"
)

var (
	// ErrClosed is returned by every method after Close.
	ErrClosed = errors.New("the tailer is closed")
	// ErrUnknownSegment is returned for a segment that was never found.
	ErrUnknownSegment = errors.New("no such segment was found yet")
	// ErrGone is returned by Rewind when no file with the segment's content is
	// left beside the log.
	ErrGone = errors.New("the segment's file is gone: bring it back beside the log, or restore what it held from the archive")
	// ErrBeyond is returned for an offset that the segment does not reach.
	ErrBeyond = errors.New("the segment does not reach that offset")
	// ErrCompressed is returned by Open for a live log that is compressed as it
	// is written: its writer holds lines back, and nothing can be read at its end.
	ErrCompressed = errors.New("the live log is compressed by its writer, so it cannot be read as it grows: leave out gzip= in access_log, and have rotated logs compressed")
	// ErrNotLog is returned by Open when the path is something that lines
	// cannot be read from at offsets.
	ErrNotLog = errors.New("not a regular file: set the path to the log file itself")
)

// compressedBy is the error of a live log that its writer compresses.
func compressedBy(f form) error {
	return fmt.Errorf("%w (%s)", ErrCompressed, f)
}

var (
	errMoved       = errors.New("another file took the name")
	errShort       = errors.New("the segment is shorter than it was")
	errNotSyncable = errors.New("the file cannot be synced")
)
