package tailer

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// settle tells which segment each file holds, and which files hold what other
// segments had: those are refused. Files that begin alike are told apart by
// the first line in which they differ; a live log that has not come to it yet is
// held: it has no identity.
func (t *Tailer) settle(files []segmentFile) {
	t.inOrder(files)
	present := map[string]bool{}
	fresh := map[string]bool{}
	for i := range files {
		f := &files[i]
		if f.id != "" { // it could not be read, and is open
			present[f.id] = true
			continue
		}
		if f.head == nil || f.head.first() == 0 {
			continue
		}
		known := false
		f.id, known = t.recognise(f, present)
		if f.id == "" {
			continue
		}
		present[f.id] = true
		switch {
		case !known:
			fresh[f.id] = true
			t.mem.begin(f.id, f, t.opt.Now())
		case fresh[f.id] && len(f.head.lines) < len(t.mem.traces[f.id].Keys):
			// A shorter copy: what the longer one has behind it may be another's.
			t.mem.traces[f.id].starts(f.head.lines)
		}
	}
	for i := range files {
		if f := &files[i]; f.id != "" && f.head != nil {
			t.judge(f, files, present, fresh[f.id])
		}
	}
	t.noteAll(files)
	t.mem.trim(present)
}

// noteAll remembers what the files tell that are read.
func (t *Tailer) noteAll(files []segmentFile) {
	named := map[string]bool{} // segments that have their file where it was
	for _, f := range files {
		if tr := t.mem.traces[f.id]; f.head != nil && f.why == "" && tr != nil && tr.Name == f.name {
			named[f.id] = true
		}
	}
	for i := range files {
		f := &files[i]
		if f.id == "" || f.head == nil || f.why != "" {
			continue
		}
		t.mem.note(f, named[f.id], t.opt.Now())
		named[f.id] = true
	}
}

// inOrder puts files into the order in which they are recognised: those that are
// open here, then the older ones, the live log last. So a newcomer is compared
// with what was there, and not the other way round.
func (t *Tailer) inOrder(files []segmentFile) {
	rank := func(f *segmentFile) int {
		switch {
		case t.heldAs(f.fi) != "":
			return 0
		case f.name != t.opt.Path:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(files, func(a, b segmentFile) int {
		return cmp.Or(cmp.Compare(rank(&a), rank(&b)), a.fi.ModTime().Compare(b.fi.ModTime()), cmp.Compare(a.name, b.name))
	})
}

// recognise finds the segment that a file holds by how it begins. present are
// those that other files hold.
func (t *Tailer) recognise(f *segmentFile, present map[string]bool) (id string, known bool) {
	lines, n := f.head.lines, f.head.first()
	best, cut := "", ""
	for other, tr := range t.mem.traces {
		if tr.Base != f.head.base {
			continue
		}
		same := agree(lines, tr.Keys)
		switch {
		case same == len(tr.Keys): // it begins like that and may go on
			if best == "" || same > len(t.mem.traces[best].Keys) || same == len(t.mem.traces[best].Keys) && other < best {
				best = other
			}
		case same == len(lines): // it is shorter
			if cut == "" || other < cut {
				cut = other
			}
		default:
			n = max(n, same+1) // the first line in which they differ
		}
	}
	if best == "" {
		id, apart, err := t.proven(f)
		if err != nil {
			t.complain(f.name, "cannot read a log; trying again", "file", f.name, "err", err)
			return "", false
		}
		if id != "" {
			return id, true
		}
		if n = max(n, apart); n > len(lines) && cut == "" {
			return t.undecided(f)
		}
	}
	switch {
	case best != "":
		return best, true
	case cut != "" && f.name == t.opt.Path && t.heldAs(f.fi) != cut && (present[cut] || t.mayBeNew(f, t.mem.traces[cut])):
		if what := "the log begins like another segment; it is read as soon as they differ"; t.said[f.name] != what {
			t.said[f.name] = what
			t.opt.Logger.Info(what, "file", f.name, "other", t.mem.traces[cut].Name)
		}
		return "", false
	case cut != "":
		return cut, true
	}
	return f.head.id(n), false
}

// mayBeNew reports whether a live log that begins like a segment that was read
// further, and is gone, has too little in it to be taken for what is left of that.
func (t *Tailer) mayBeNew(f *segmentFile, tr *trace) bool {
	return tr.At > f.fi.Size() && tr.shared(f.head.lines) < 2
}

// undecided deals with a file all of whose lines another segment begins with, of
// which nothing else is left: the live log is held until it has more, any other is
// taken for a part of that segment.
func (t *Tailer) undecided(f *segmentFile) (id string, known bool) {
	if f.name == t.opt.Path && len(f.head.lines) < headLines {
		if what := "the log begins like a segment that was counted and is gone; it is read as soon as it has another line"; t.said[f.name] != what {
			t.said[f.name] = what
			t.opt.Logger.Info(what, "file", f.name)
		}
		return "", false
	}
	id = f.head.id(len(f.head.lines))
	if t.mem.traces[id] == nil {
		t.mem.begin(id, f, t.opt.Now())
	}
	return id, true
}

// judge refuses a file that holds what was counted under another identity, or
// something else than what it held.
func (t *Tailer) judge(f *segmentFile, files []segmentFile, present map[string]bool, fresh bool) {
	h := t.hints[f.name]
	defer func() { t.hints[f.name] = h }()
	tr := t.mem.traces[f.id]
	if tr.Refused == "" && fresh && tr.Name == f.name {
		if other := t.original(f, present); other != nil {
			tr.Refused = fmt.Sprintf("%s holds lines that were counted from %s: it was edited, joined, copied or written over. It is not read, so nothing is counted twice; move it away. New lines in a live log like that are not counted: rotate it now",
				f.name, other.Name)
			t.mem.changed, t.mem.urgent = true, true
		}
	}
	if tr.Refused != "" {
		f.why = tr.Refused
		return
	}
	if t.heldAs(f.fi) == f.id {
		return // the reader looks at what it reads
	}
	if h.judged && h.id == f.id {
		f.why = h.refused
		return
	}
	h.judged, h.id, h.refused = true, f.id, ""
	if why, err := t.altered(f, files); err != nil {
		h.judged = false
		t.complain(f.name, "cannot read a log; trying again", "file", f.name, "err", err)
	} else {
		h.refused, f.why = why, why
	}
}

// clockSlack is how far lines of two segments may overlap in time, since a
// worker may finish a request late.
const clockSlack = 2000

// original finds the segment whose lines a file holds that was never seen.
func (t *Tailer) original(f *segmentFile, present map[string]bool) *trace {
	for id, tr := range t.mem.traces {
		if id == f.id || tr.Refused != "" {
			continue
		}
		if tr.shared(f.head.lines) >= 2 { // one alone may be a probe's
			return tr
		}
		if !present[id] && tr.At > 0 && t.sameTime(f, tr, tr.firstOther(f.head.lines)) {
			return tr
		}
	}
	return nil
}

// firstOther is the time of the first line that a segment does not begin with: one
// that both begin with may be a probe's, too.
func (tr *trace) firstOther(lines []headLine) int64 {
	for _, l := range lines {
		if l.at != 0 && !slices.Contains(tr.Keys, l.key) {
			return l.at
		}
	}
	return 0
}

// sameTime reports whether a file begins in the time of a segment whose content
// is nowhere any more: under its name, or with a line of the very time of its
// first. Lines that were edited keep their times.
func (t *Tailer) sameTime(f *segmentFile, tr *trace, first int64) bool {
	if first <= 1 || tr.First <= 1 {
		return false
	}
	same, long := plainName(f.name) == plainName(tr.Name), tr.Last-tr.First > clockSlack
	switch {
	case first == tr.First:
		return long || same && f.name != t.opt.Path
	case same:
		return tr.First-clockSlack <= first && first < tr.Last-clockSlack
	}
	return false
}

// plainName is a name without what a compressor appended.
func plainName(name string) string {
	if ext := filepath.Ext(name); slices.Contains(compressions, ext) {
		return strings.TrimSuffix(name, ext)
	}
	return name
}

// altered tells what is wrong with a file that begins like a segment that was
// read: it does not have what was read, or goes on with another segment's lines.
func (t *Tailer) altered(f *segmentFile, files []segmentFile) (string, error) {
	tr := t.mem.traces[f.id]
	from := tr.At
	for i := range files { // a shorter copy says where its own lines end
		o := &files[i]
		if o.id != f.id || o.name == f.name || os.SameFile(o.fi, f.fi) {
			continue
		}
		size, err := t.contentSize(o)
		if err != nil {
			return "", err
		}
		if from == 0 || size < from {
			from = size
		}
	}
	if from == 0 {
		return "", nil
	}
	before, behind, err := t.around(f, from)
	if err != nil {
		return "", err
	}
	if from == tr.At && len(before) > 0 && tr.Probe != 0 && hash64(string(before)) != tr.Probe {
		return fmt.Sprintf("%s begins like what was counted from %s and goes on differently: it was edited or written over. It is not read, so nothing is counted twice; put the original back, or move it away", f.name, tr.Name), nil
	}
	for id, other := range t.mem.traces {
		if id != f.id && other.Refused == "" && other.shared(behind) > 0 {
			return fmt.Sprintf("%s goes on with lines of %s behind those of %s: they were joined. What it adds is not read, so nothing is counted twice; move it away", f.name, other.Name, tr.Name), nil
		}
	}
	return "", nil
}

// contentSize is the size of a file's content, as far as that is known without
// reading it.
func (t *Tailer) contentSize(f *segmentFile) (int64, error) {
	if !f.gz {
		return f.fi.Size(), nil
	}
	h, err := openSame(t.disk, f.name, f.fi)
	if err != nil {
		return 0, err
	}
	hint, err := sizeHint(h)
	if cerr := h.Close(); err == nil {
		err = cerr
	}
	return int64(hint), err
}

// around reads the bytes before an offset of a file's content and the lines
// behind it. A file that ends before has neither.
func (t *Tailer) around(f *segmentFile, at int64) (before []byte, behind []headLine, err error) {
	if !f.gz && f.fi.Size() < at {
		return nil, nil, nil
	}
	h, err := openSame(t.disk, f.name, f.fi)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if cerr := h.Close(); err == nil && cerr != nil {
			err = fmt.Errorf("close %s: %w", f.name, cerr)
		}
	}()
	from := max(0, at-probeLen)
	var r io.Reader = io.NewSectionReader(h, from, maxOffset-from)
	if f.gz {
		if hint, err := sizeHint(h); err != nil || hint == uint32(at) {
			return nil, nil, err // as long as it was: compressed, and nothing behind
		}
		zr, err := gzip.NewReader(io.NewSectionReader(h, 0, maxOffset))
		if err != nil {
			return nil, nil, fmt.Errorf("decompress %s: %w", f.name, err)
		}
		if _, err := io.CopyN(io.Discard, zr, from); err != nil {
			return nil, nil, ignoreEnd(err)
		}
		r = zr
	}
	before = make([]byte, at-from)
	if _, err := io.ReadFull(r, before); err != nil {
		return nil, nil, ignoreEnd(err)
	}
	begin, err := readBegin(r)
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", f.name, err)
	}
	if i := bytes.IndexByte(before, '\n'); len(before) > 0 && before[len(before)-1] != '\n' && i < 0 {
		return before, nil, nil
	}
	var next head
	t.analyse(&next, begin)
	return before, next.lines, nil
}

// ignoreEnd drops the error of a file that is shorter than expected, or not
// finished by its compressor yet: whoever reads it will tell.
func ignoreEnd(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return nil
	}
	return err
}

// remember notes how far segments were read, and has the memory saved.
func (t *Tailer) remember() {
	if t.opt.Memory == "" && t.opt.Note == nil {
		return
	}
	now := t.opt.Now()
	due := now.Sub(t.mem.savedAt) >= saveEvery || now.Before(t.mem.savedAt)
	if t.mem.urgent || due && (t.mem.changed || t.memoryGone()) {
		t.mem.savedAt = now
		t.saveMemory()
	}
}

// memoryGone reports whether the memory file was deleted under our eyes.
func (t *Tailer) memoryGone() bool {
	if t.opt.Memory == "" || len(t.mem.traces) == 0 {
		return false
	}
	_, err := os.Stat(t.opt.Memory)
	return errors.Is(err, fs.ErrNotExist)
}

func (t *Tailer) saveMemory() {
	if err := t.mem.save(t.opt.Memory); err != nil {
		t.complain(t.opt.Memory, "what is known of the log's segments is not saved; a file that is edited while the daemon is down is then taken for a new one", "err", err)
		return
	}
	t.passed(t.opt.Memory)
	if t.opt.Note != nil {
		t.opt.Note(t.mem.saved)
	}
}

// trace notes how far a segment was read.
func (t *Tailer) trace(s *segment) {
	tr := t.mem.traces[s.id]
	if tr == nil || s.refused || s.frozen || tr.At == s.rd.off && tr.Whole == s.closed {
		return
	}
	probe := s.rd.probe()
	if len(probe) == 0 {
		return
	}
	t.mem.urgent = t.mem.urgent || tr.At == 0 || tr.Whole != s.closed
	tr.At, tr.Probe, tr.Whole = s.rd.off, hash64(string(probe)), s.closed
	if s.rd.last != nil && t.opt.Time != nil {
		if at := t.opt.Time(s.rd.last); at > tr.Last {
			tr.Last = at
		}
	}
	t.mem.changed = true
}
