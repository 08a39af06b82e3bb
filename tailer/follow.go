package tailer

import (
	"fmt"
	"sync"
	"time"

	"github.com/nxadm/tail/watch"
	"gopkg.in/tomb.v1"
)

// pollInterval guards nxadm/tail's own poll interval, which is a variable of
// that package that its goroutines read without a lock: it is set by the first
// follower of the process and left alone.
var pollInterval sync.Once

// follower has nxadm/tail's poller watch an open file and say when it changes.
// What it says only wakes: how large the file is and what is in it is asked of
// the file itself.
//
// It is nxadm/tail's poller and not its tail, which gathers a line until its
// newline comes, however much that is, and cannot be stopped in between.
//
// The poller is a goroutine that ends one interval after stop; nothing can wait
// for it. It ends by itself when the path leads nowhere or to another file, so
// it does no harm when the descriptor was closed or taken by another file
// meanwhile. At any other error of stat it ends the process: see followPath.
type follower struct {
	tomb    tomb.Tomb
	changes *watch.FileChanges
	owes    time.Time // since when it owes word of a growth; zero: it does not
}

// follow starts watching path, of which size bytes are known.
func follow(path string, size int64, poll time.Duration) (*follower, error) {
	pollInterval.Do(func() { watch.POLL_DURATION = poll })
	f := &follower{}
	changes, err := watch.NewPollingFileWatcher(path).ChangeEvents(&f.tomb, size)
	if err != nil {
		return nil, fmt.Errorf("follow %s: %w", path, err)
	}
	f.changes = changes
	return f, nil
}

func (f *follower) stop() { f.tomb.Kill(nil) }

// heard reports whether word of a change lies here, and takes it.
func (f *follower) heard() bool {
	select {
	case <-f.changes.Modified:
		return true
	default:
		return false
	}
}

const (
	// stallAfter is how long a growth may go unmentioned by the follower.
	stallAfter = 50 * time.Millisecond
	// followAgain is how long a segment is looked at every Poll after the
	// follower failed on it.
	followAgain = 200 * time.Millisecond
)

// tryFollow starts following the live segment, all of which was read.
func (hd *holder) tryFollow(s *segment, now time.Time) {
	if s.fol != nil || !s.live || !s.linked || s.gz || s.name != hd.opt.Path || now.Before(s.followAt) {
		return
	}
	path, ok := followPath(s.src.raw())
	if !ok {
		s.followAt = now.Add(hd.opt.Rescan)
		return
	}
	// A growth since then is told at the first look.
	f, err := follow(path, s.rd.seen, hd.opt.Poll)
	if err != nil {
		hd.said.complain("follow", "cannot follow the log; polling it instead", "file", s.name, "err", err)
		s.followAt = now.Add(hd.opt.Rescan)
		return
	}
	s.fol = f
}

// awake looks at a followed segment because its follower said so.
func (hd *holder) awake(s *segment) {
	s.fol.owes = time.Time{}
	hd.checkSize(s)
}

// distrust gives the follower of s up when it does not say that the segment
// grew.
func (hd *holder) distrust(s *segment, grew bool) {
	now := time.Now()
	switch f := s.fol; {
	case f.heard():
		f.owes = time.Time{}
	case f.owes.IsZero():
		if grew {
			f.owes = now
		}
	case now.Sub(f.owes) >= stallAfter:
		hd.giveUpFollowing(s, "it does not tell of growth")
	}
}

// giveUpFollowing leaves a segment to our own looks for a while.
func (hd *holder) giveUpFollowing(s *segment, why string) {
	hd.opt.Logger.Debug("following ended", "segment", s.id, "why", why)
	hd.unfollow(s)
	s.followAt = time.Now().Add(followAgain)
}

func (hd *holder) unfollow(s *segment) {
	if s.fol != nil {
		s.fol.stop()
		s.fol = nil
	}
}
