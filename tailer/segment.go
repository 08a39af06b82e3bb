package tailer

import (
	"io/fs"
	"sync"
	"time"
)

// Segment is a snapshot of what is known of one segment.
type Segment struct {
	ID   string
	Name string // path where it was seen last

	// Size is the content's size in bytes as seen last. Of a compressed
	// segment it is what was read, until its end is reached.
	Size   int64
	Offset int64 // everything before it has been handed out
	Looked int64 // from Offset to here there is no whole line: it was looked for, or nothing more is handed out
	Synced int64 // everything before it is known to be durable

	Live       bool // it is the file under Options.Path
	Compressed bool
	Closed     bool // all was handed out and it is quiet; no file is held open
	Deleted    bool // no file beside the log has this content any more
	Torn       bool // its last line was unfinished when it was closed

	// GrewAfterClose: lines came after it was closed, as when a worker could
	// not reopen its log and keeps the rotated one. They are handed out.
	GrewAfterClose bool
	// Frozen: nothing more is handed out, see Alarm.
	Frozen bool
	// Refused: its file holds what was counted from another, and was not read.
	Refused bool
	// Alarm says what an operator must look at; "" when nothing.
	Alarm string

	LastWrite time.Time // when it was last seen to change
	Gen       uint64    // number of successful Rewinds, see Block.Gen
}

// segment is one segment as the engine sees it. What is not marked belongs to
// the goroutine inside Next.
type segment struct {
	id      string
	name    string
	gz      bool
	fi      fs.FileInfo // of the file that is or was read
	rd      reader
	fol     *follower
	live    bool
	linked  bool  // a name beside the log leads to the file being read
	size    int64 // as seen last; of a compressed one -1 until its end is known
	changed time.Time

	refused                             bool // its file is not read at all, see settle
	frozen, torn, grew, closed, deleted bool
	alarm                               string

	failed  time.Duration // the present pause after errors
	retryAt time.Time     // no reading before

	followAt time.Time // no following before

	checked fs.FileInfo // compressed file that was compared after closing

	// Guarded by register.mu.
	src     source // nil when no file is held; set by the engine only
	base    string // how it begins, see trace
	keys    []uint64
	info    Segment
	rewinds int   // requested, not yet applied
	want    int64 // where to, when rewinds > 0

	syncing sync.Mutex // held during a Sync, so that others share it
}

// more reports whether there are bytes that were not looked at.
func (s *segment) more() bool {
	return s.src != nil && !s.frozen && (s.size < 0 || s.size > s.rd.seen)
}

// drained reports whether everything there is was looked at.
func (s *segment) drained() bool { return s.size >= 0 && s.size <= s.rd.seen }

// publish needs register.mu.
func (s *segment) publish() {
	i := &s.info
	i.ID, i.Name, i.Compressed = s.id, s.name, s.gz
	i.Size, i.Offset = max(s.size, s.rd.off), s.rd.off
	if s.frozen && s.size >= 0 {
		i.Size = s.size
	}
	if i.Looked = max(s.rd.seen, s.rd.off); s.frozen {
		i.Looked = i.Size
	}
	i.Live, i.Closed, i.Deleted = s.live, s.closed, s.deleted
	i.Torn, i.GrewAfterClose = s.torn, s.grew
	i.Refused = s.refused
	i.Frozen, i.Alarm = s.frozen, s.alarm
	i.LastWrite = s.changed
}

// Segments returns what is known of every segment, oldest first. It is empty
// until Next has looked at the directory.
func (t *Tailer) Segments() []Segment {
	return t.reg.segments()
}
