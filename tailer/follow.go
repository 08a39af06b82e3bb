package tailer

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/nxadm/tail"
	"github.com/nxadm/tail/watch"
)

// pollInterval guards nxadm/tail's own poll interval, which is a variable of
// that package that its goroutines read without a lock: it is set by the first
// follower of the process and left alone.
var pollInterval sync.Once

// follower has nxadm/tail watch an open file from an offset on and gathers its
// lines. Nothing of what it says is believed unless each line begins where the
// last one ended.
//
// Two goroutines of nxadm/tail and one of ours live until stop returns (its
// poller may sleep out one last interval).
type follower struct {
	tail    *tail.Tail
	maxLine int
	limit   int
	pool    *buffers
	ready   chan<- struct{} // told when there is something to take
	room    chan struct{}   // told when it was taken
	stopped chan struct{}
	done    chan struct{}

	mu    sync.Mutex
	buf   *buffer // lines [start, end), nil when empty
	start int64
	end   int64
	fault error // why it must not be used any more
}

// follow starts following path at off; ready must have room for one.
func follow(path string, off int64, opt Options, pool *buffers, ready chan<- struct{}) (*follower, error) {
	pollInterval.Do(func() { watch.POLL_DURATION = opt.Poll })
	tl, err := tail.TailFile(path, tail.Config{
		Location:      &tail.SeekInfo{Offset: off, Whence: io.SeekStart},
		Follow:        true,
		Poll:          true,
		CompleteLines: true,
		Logger:        tail.DiscardingLogger,
	})
	if err != nil {
		return nil, fmt.Errorf("follow %s: %w", path, err)
	}
	f := &follower{
		tail: tl, maxLine: opt.MaxLine, limit: opt.BlockSize, pool: pool, ready: ready,
		room: make(chan struct{}, 1), stopped: make(chan struct{}), done: make(chan struct{}),
		start: off, end: off,
	}
	go f.pump()
	return f, nil
}

// pump gathers lines until nxadm/tail closes its channel. After a fault it goes
// on receiving, so that nxadm/tail can end.
func (f *follower) pump() {
	defer close(f.done)
	for line := range f.tail.Lines {
		for !f.add(line) {
			select {
			case <-f.room:
			case <-f.stopped:
			}
		}
	}
	f.mu.Lock()
	if f.fault == nil {
		f.fault = errFollowEnded
	}
	f.mu.Unlock()
	f.tell()
}

// add appends a line; false means that there is no room for it now.
func (f *follower) add(line *tail.Line) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fault != nil || f.isStopped() {
		return true
	}
	length := int64(len(line.Text)) + 1
	switch {
	case line.Err != nil:
		f.fault = line.Err
	case line.SeekInfo.Offset != f.end+length:
		f.fault = fmt.Errorf("%w: line ends at %d, not at %d", errFollowJumped, line.SeekInfo.Offset, f.end+length)
	case len(line.Text) > f.maxLine:
		f.fault = errFollowLong
	case f.buf != nil && len(f.buf.data)+len(line.Text) >= f.limit:
		return false
	default:
		f.gather(line.Text)
	}
	f.tell()
	return true
}

func (f *follower) gather(text string) {
	if f.buf == nil {
		f.buf = f.pool.getSmall()
	}
	f.buf.data = append(append(f.buf.data, text...), '\n')
	f.end += int64(len(text)) + 1
}

func (f *follower) tell() {
	select {
	case f.ready <- struct{}{}:
	default:
	}
}

func (f *follower) isStopped() bool {
	select {
	case <-f.stopped:
		return true
	default:
		return false
	}
}

// take returns the lines gathered since the last call, or nil.
func (f *follower) take() (buf *buffer, start int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	buf, start = f.buf, f.start
	f.buf, f.start = nil, f.end
	select {
	case f.room <- struct{}{}:
	default:
	}
	return buf, start
}

// state returns how far it got and why it must be given up, if it must.
func (f *follower) state() (end int64, held bool, fault error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.end, f.buf != nil, f.fault
}

// stop ends it and waits for that. Lines that were not taken are forgotten.
func (f *follower) stop() error {
	close(f.stopped)
	err := f.tail.Stop()
	<-f.done
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.buf != nil {
		f.pool.put(f.buf)
		f.buf = nil
	}
	if err != nil && !errors.Is(err, tail.ErrStop) {
		return fmt.Errorf("stop following: %w", err)
	}
	return nil
}

const (
	// followWithin is how near the end a segment must be to be followed.
	followWithin = 1 << 20
	// stallAfter is how long bytes may lie in the file without the follower
	// delivering anything before we look ourselves.
	stallAfter = 50 * time.Millisecond
	// followAgain is how long the block reader keeps a segment after the
	// follower failed on it.
	followAgain = 200 * time.Millisecond
)
