package tailer

import "errors"

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
	// ErrNotLog is returned by Open when the path is something that lines
	// cannot be read from at offsets.
	ErrNotLog = errors.New("not a regular file: set the path to the log file itself")
)

var (
	errMoved       = errors.New("another file took the name")
	errShort       = errors.New("the segment is shorter than it was")
	errNotSyncable = errors.New("the file cannot be synced")
)
