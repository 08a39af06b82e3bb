package tailer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nxadm/tail/watch"
)

// Defaults of Options.
const (
	// DefaultBlockSize is large enough that the cost of a read is nothing and
	// small enough to stay in the processor's cache.
	DefaultBlockSize = 256 << 10
	// DefaultMaxLine is twice what nginx accepts as a request's headers.
	DefaultMaxLine = 64 << 10
	// DefaultPoll is what a view waits at the live edge, against wake-ups.
	DefaultPoll = 3 * time.Millisecond
	// DefaultQuiet must be longer than a worker takes to notice a rotation. It
	// costs an open descriptor; a late line after it is found all the same.
	DefaultQuiet = 60 * time.Second
	// DefaultRescan is how often the directory is read. A rotation of the live
	// file is noticed at once and does not wait for it.
	DefaultRescan = time.Second
)

// Options says which log to read and how. Only Path is required.
type Options struct {
	// Path is the live log; rotated segments are those of its siblings to which
	// a rotation has given their names, see isRotation.
	Path string
	// Segments are patterns of segments that are called otherwise: paths, from
	// the log's folder on, whose last element may be a glob.
	Segments []string
	// Except are paths that are no segments, whatever a pattern says.
	Except []string
	// Identify returns the identity of the segment that begins with this line
	// (given without its newline, or cut at 4096 bytes when 64 KiB go by
	// without one). Equal content must give equal identities. Where it returns
	// "", or is nil, a hash of the line is used.
	Identify func(firstLine []byte) string
	// Telling reports whether a line may tell its log from others: not one that
	// stands at the head of many files. nil: all but blank ones and comments.
	Telling func(line []byte) bool
	// Time returns the time of a line in Unix milliseconds, and 0 for one that
	// is not of the log's format; a file without any that is, is not a segment.
	// nil: every file is. It is called by several goroutines.
	Time func(line []byte) int64
	// Erased reports whether lines of a part of a log were overwritten where they stand: then
	// that part proves nothing of which segment it is of. nil: none ever are.
	Erased func(part []byte) bool
	// Memory is a file in which what is known of the segments is kept from one
	// start to the next, and for others who list them. "": nowhere.
	Memory string
	// Recall returns what those know of segments who keep the offsets. It is asked
	// before segments are told apart, again while it fails, by whoever calls Next or
	// List. nil: nobody does.
	Recall func() (Recollection, error)
	// Note is given all traces of this log by identity, for Recall, when some of them
	// have changed. It is called by Next and Close, must not block, and must not change
	// them. nil: nobody keeps them.
	Note func(traces map[string]json.RawMessage)
	// Resume returns the offset to begin at in a segment that was just found,
	// 0 for a new one. It is called once per segment by Next, no lock held. An
	// offset inside a line begins at the start of that line; one that is the
	// segment's size hands nothing out again, a torn last line included.
	Resume func(segment string) int64

	BlockSize int // bytes read at once; at least MaxLine+1 are
	MaxLine   int // bytes, newline not counted

	// Poll is how often the live edge is looked at. nxadm/tail has one such
	// interval per process: the first tailer that follows a file sets it.
	Poll   time.Duration
	Quiet  time.Duration // how long a rotated segment must not change to be closed
	Rescan time.Duration // how often the directory is read

	Now    func() time.Time // the clock for Quiet and LastWrite
	Logger *slog.Logger     // nil discards

	disk disk // the real one, but for tests
}

// Tailer reads one log. Next may be called by one goroutine at a time, the
// other methods by any.
//
// Its parts, in the order in which a scan passes them: the folder knows names, the
// survey what lies under them, recognition which segment each file holds, the merger
// what that means for the segments; then the round reads them in turns.
type Tailer struct {
	opt  Options
	wake chan struct{} // something happened that Next should look at
	done chan struct{} // closed by Close

	turned atomic.Int64 // when Next last went round, Unix nanoseconds; 0: nobody is in it

	// For whoever calls, at any time.
	reg     *register
	rewinds *rewinder
	syncs   *syncer

	// For whoever is inside Next; guarded by reading, which Close holds at the end, too.
	reading sync.Mutex
	schedule
	roster
	said   *complaints
	folder *folder
	survey *survey
	known  *recognition
	hold   *holder
	merger *merger
	round  *round
}

// schedule is when to look again.
type schedule struct {
	scanAt  time.Time // when to read the directory next
	checkAt time.Time // when to look at the open files next
	timer   *time.Timer
}

// hurry has the directory read at once.
func (s *schedule) hurry() { s.scanAt = time.Time{} }

// roster is what is read.
type roster struct {
	all  []*segment // oldest first
	live liveFile
}

// liveFile is what was found under Options.Path.
type liveFile struct {
	fi fs.FileInfo // nil: nothing there
	id string      // "" while it has no first line
}

// heldAs returns the identity of the segment that is read from this very file.
func (ro *roster) heldAs(fi fs.FileInfo) string {
	for _, s := range ro.all {
		if s.src != nil && os.SameFile(s.fi, fi) {
			return s.id
		}
	}
	return ""
}

// followed returns the segment that is followed, or nil. There is one at most,
// since it is the one that has the live log's name.
func (ro *roster) followed() *segment {
	for _, s := range ro.all {
		if s.fol != nil {
			return s
		}
	}
	return nil
}

// Open prepares to read a log. It reads nothing and starts nothing; a log that
// is missing or may not be read yet is waited for by Next. A path that leads to
// something else than a file is an error.
func Open(opt Options) (*Tailer, error) {
	if opt.Path == "" {
		return nil, errors.New("open log: no path given")
	}
	path, err := filepath.Abs(opt.Path)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	if err := isLog(path); err != nil {
		return nil, fmt.Errorf("open log %s: %w", path, err)
	}
	patterns, err := parsePatterns(opt.Segments, filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("open log: segments %w", err)
	}
	opt.Path = path
	opt.setDefaults()
	mem, damage, err := loadKnowledge(opt.Memory)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	t := &Tailer{opt: opt, wake: make(chan struct{}, 1), done: make(chan struct{}), reg: newRegister(), said: newComplaints(opt.Logger)}
	t.wire(patterns, mem)
	if damage != nil {
		t.opt.Logger.Warn("what was known of the log's segments is lost: its file is damaged. It is made anew from where they were counted and from the files themselves", "file", opt.Memory, "err", damage)
	}
	return t, nil
}

// wire makes the parts and gives each what it needs of the others.
func (t *Tailer) wire(patterns []pattern, mem knowledge) {
	opt := &t.opt
	content := &contents{opt: opt}
	t.folder = &folder{opt: opt, dir: filepath.Dir(opt.Path), base: filepath.Base(opt.Path), patterns: patterns}
	t.survey = &survey{opt: opt, folder: t.folder, content: content, roster: &t.roster, plan: &t.schedule, said: t.said,
		hints: make(map[string]hint), unread: make(map[string]error)}
	t.known = &recognition{opt: opt, content: content, roster: &t.roster, said: t.said, mem: mem, verdicts: make(map[string]verdict)}
	t.hold = &holder{opt: opt, reg: t.reg, plan: &t.schedule, said: t.said}
	t.merger = &merger{opt: opt, roster: &t.roster, reg: t.reg, hold: t.hold, said: t.said, mem: &t.known.mem}
	t.round = &round{opt: opt, roster: &t.roster, reg: t.reg, hold: t.hold, pool: newBuffers(max(opt.BlockSize, opt.MaxLine+1) + probeLen)}
	find := &locator{opt: opt, folder: t.folder, content: content, reg: t.reg}
	t.rewinds = &rewinder{reg: t.reg, find: find, hold: t.hold}
	t.syncs = &syncer{reg: t.reg, find: find}
}

// isLog refuses what is there and can never be followed.
func isLog(path string) error {
	fi, err := os.Stat(path)
	if err != nil {
		return nil // waited for
	}
	if !fi.Mode().IsRegular() {
		return fmt.Errorf("%s: %w", KindOf(fi.Mode()), ErrNotLog)
	}
	f, err := osDisk{}.Open(path)
	if err != nil {
		return nil // the same
	}
	how, err := formIn(f)
	if err == nil && how != plain {
		err = compressedBy(how)
	} else {
		err = nil
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

func (o *Options) setDefaults() {
	if o.Telling == nil {
		o.Telling = telling
	}
	if o.Identify == nil {
		o.Identify = hashIdentity
	}
	if o.Resume == nil {
		o.Resume = func(string) int64 { return 0 }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.disk = osDisk{}
	o.BlockSize = orDefault(o.BlockSize, DefaultBlockSize)
	o.MaxLine = orDefault(o.MaxLine, DefaultMaxLine)
	o.Poll = orDefault(o.Poll, DefaultPoll)
	o.Quiet = orDefault(o.Quiet, DefaultQuiet)
	o.Rescan = orDefault(o.Rescan, DefaultRescan)
}

func orDefault[T int | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

// KindOf says in words what is at a path in place of a file.
func KindOf(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a folder"
	case m&fs.ModeNamedPipe != 0:
		return "a FIFO"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	}
	return fmt.Sprintf("of mode %s", m)
}

// Next returns the next block of any segment, and waits until there is one. It
// ends with ctx's error, or with ErrClosed after Close. Trouble with the log is
// not its caller's: it is logged once, shows in Segments, and is tried again.
func (t *Tailer) Next(ctx context.Context) (Block, error) {
	t.reading.Lock()
	defer t.reading.Unlock()
	defer t.turned.Store(0)
	for {
		select {
		case <-t.done:
			return Block{}, ErrClosed
		default:
		}
		if err := ctx.Err(); err != nil {
			return Block{}, err
		}
		now := time.Now()
		t.turned.Store(now.UnixNano())
		t.rewinds.carryOut()
		t.refresh(now)
		b, ok, again := t.round.readOnce()
		if ok {
			return b, nil
		}
		if !again {
			t.wait(ctx)
		}
	}
}

// Watch looks at the folder without reading lines: what was rotated is opened and
// held, so that it can be read even if its file is deleted before Next comes to it.
// It is for a caller of Next who cannot take more lines for a while.
func (t *Tailer) Watch() {
	t.reading.Lock()
	defer t.reading.Unlock()
	select {
	case <-t.done:
		return
	default:
	}
	t.rewinds.carryOut()
	t.refresh(time.Now())
}

// Still is for how long somebody has been inside Next without its going round,
// which it does many times a second whether there are lines or not: more than
// some seconds means that a read hangs, or a deadlock. 0: nobody is inside.
func (t *Tailer) Still() time.Duration {
	at := t.turned.Load()
	if at == 0 {
		return 0
	}
	return time.Since(time.Unix(0, at))
}

// refresh looks at the files, when it is time to.
func (t *Tailer) refresh(now time.Time) {
	if !now.Before(t.checkAt) {
		t.checkAt = now.Add(t.pace())
		t.check()
	}
	if !now.Before(t.scanAt) {
		t.scanAt = now.Add(t.opt.Rescan)
		t.scan()
	}
}

// idlePace is how often files are looked at that are followed or not expected
// to change.
const idlePace = 20 * time.Millisecond

// eagerFor is how long after its last change a file is looked at every Poll.
const eagerFor = 5 * time.Second

// pace is the time until the open files should be looked at again.
func (t *Tailer) pace() time.Duration {
	if t.opt.Poll >= idlePace || t.live.fi == nil || t.live.id == "" {
		return t.opt.Poll
	}
	now := t.opt.Now()
	for _, s := range t.all {
		if s.src != nil && s.fol == nil && !s.gz && (s.live || now.Sub(s.changed) < eagerFor) {
			return t.opt.Poll
		}
	}
	return idlePace
}

// wait returns when something may have happened.
func (t *Tailer) wait(ctx context.Context) {
	d := time.Until(t.checkAt)
	if t.timer == nil {
		t.timer = time.NewTimer(d)
	} else {
		t.timer.Reset(d)
	}
	defer t.timer.Stop()
	s := t.roster.followed()
	var says watch.FileChanges // channels that are never ready
	if s != nil {
		says = *s.fol.changes
	}
	select {
	case <-ctx.Done():
	case <-t.done:
	case <-t.wake:
	case <-t.timer.C:
	case <-says.Modified:
		t.hold.awake(s)
	case <-says.Truncated:
		t.hold.awake(s)
	case <-says.Deleted:
		t.hold.giveUpFollowing(s, "it took the file for gone")
	}
}

// poke makes a waiting Next look again.
func (t *Tailer) poke() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// Close ends a Next that is waiting, stops following and closes the files.
// Blocks that were handed out stay valid.
func (t *Tailer) Close() error {
	if t.reg.close() {
		close(t.done)
	}
	t.reading.Lock()
	defer t.reading.Unlock()
	for _, s := range t.all {
		t.known.trace(s)
	}
	if t.known.mem.changed && (t.opt.Memory != "" || t.opt.Note != nil) {
		t.known.saveMemory()
	}
	var errs []error
	for _, s := range t.all {
		errs = append(errs, t.hold.drop(s))
	}
	for _, r := range t.reg.take() {
		if r.src != nil {
			errs = append(errs, r.src.Close())
		}
	}
	return errors.Join(errs...)
}
