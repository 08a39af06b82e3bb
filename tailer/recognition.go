package tailer

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// recognition tells which segment a file holds, by what is remembered of all.
type recognition struct {
	opt      *Options
	content  *contents
	roster   *roster
	said     *complaints
	mem      knowledge
	others   map[string]*trace // see Recollection
	sums     map[string]Sum
	recalled bool
	verdicts map[string]verdict // by file
}

// verdict is what judge found of a file as it is.
type verdict struct {
	fi          fs.FileInfo
	id, refused string
}

// forget drops the verdicts on files that are gone. names are sorted.
func (rc *recognition) forget(names []string) {
	maps.DeleteFunc(rc.verdicts, func(name string, _ verdict) bool { return !among(names, name) })
}

// settle tells which segment each file holds, and which files hold what other
// segments had: those are refused. Files that begin alike are told apart by
// the first line in which they differ; a live log that has not come to it yet is
// held: it has no identity.
func (rc *recognition) settle(files []segmentFile) {
	rc.inOrder(files)
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
		f.id, known = rc.recognise(f, present)
		if f.id == "" {
			continue
		}
		present[f.id] = true
		switch {
		case !known:
			fresh[f.id] = true
			rc.mem.begin(f.id, f, rc.opt.Now())
		case fresh[f.id] && len(f.head.lines) < len(rc.mem.traces[f.id].Keys):
			// A shorter copy: what the longer one has behind it may be another's.
			rc.mem.traces[f.id].starts(f.head.lines)
		}
	}
	for i := range files {
		if f := &files[i]; f.id != "" && f.head != nil {
			rc.judge(f, files, present, fresh[f.id])
		}
	}
	rc.noteAll(files)
	rc.mem.trim(present)
}

// noteAll remembers what the files tell that are read.
func (rc *recognition) noteAll(files []segmentFile) {
	named := map[string]bool{} // segments that have their file where it was
	for _, f := range files {
		if tr := rc.mem.traces[f.id]; f.head != nil && f.why == "" && tr != nil && tr.Name == f.name {
			named[f.id] = true
		}
	}
	for i := range files {
		f := &files[i]
		if f.id == "" || f.head == nil || f.why != "" {
			continue
		}
		rc.mem.note(f, named[f.id], rc.opt.Now())
		named[f.id] = true
	}
}

// inOrder puts files into the order in which they are recognised: those that are
// open here, then the older ones, the live log last. So a newcomer is compared
// with what was there, and not the other way round.
func (rc *recognition) inOrder(files []segmentFile) {
	rank := func(f *segmentFile) int {
		switch {
		case rc.roster.heldAs(f.fi) != "":
			return 0
		case f.name != rc.opt.Path:
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
func (rc *recognition) recognise(f *segmentFile, present map[string]bool) (id string, known bool) {
	lines, n := f.head.lines, f.head.first()
	best, cut := "", ""
	for other, tr := range rc.mem.traces {
		if tr.Base != f.head.base {
			continue
		}
		same := agree(lines, tr.Keys)
		switch {
		case same == len(tr.Keys): // it begins like that and may go on
			if best == "" || same > len(rc.mem.traces[best].Keys) || same == len(rc.mem.traces[best].Keys) && other < best {
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
		id, apart, err := rc.proven(f)
		if err != nil {
			rc.said.complain(f.name, "cannot read a log; trying again", "file", f.name, "err", err)
			return "", false
		}
		if id != "" {
			return id, true
		}
		if n = max(n, apart); n > len(lines) && cut == "" {
			return rc.undecided(f)
		}
	}
	switch {
	case best != "":
		return best, true
	case cut != "" && f.name == rc.opt.Path && rc.roster.heldAs(f.fi) != cut && (present[cut] || rc.mayBeNew(f, rc.mem.traces[cut])):
		rc.said.once(slog.LevelInfo, f.name, "the log begins like another segment; it is read as soon as they differ", "file", f.name, "other", rc.mem.traces[cut].Name)
		return "", false
	case cut != "":
		return cut, true
	}
	return f.head.id(n), false
}

// mayBeNew reports whether a live log that begins like a segment that was read
// further, and is gone, has too little in it to be taken for what is left of that.
func (rc *recognition) mayBeNew(f *segmentFile, tr *trace) bool {
	return tr.At > f.fi.Size() && tr.shared(f.head.lines) < 2
}

// undecided deals with a file all of whose lines another segment begins with, of
// which nothing else is left: the live log is held until it has more, any other is
// taken for a part of that segment.
func (rc *recognition) undecided(f *segmentFile) (id string, known bool) {
	if f.name == rc.opt.Path && len(f.head.lines) < headLines {
		rc.said.once(slog.LevelInfo, f.name, "the log begins like a segment that was counted and is gone; it is read as soon as it has another line", "file", f.name)
		return "", false
	}
	id = f.head.id(len(f.head.lines))
	if rc.mem.traces[id] == nil {
		rc.mem.begin(id, f, rc.opt.Now())
	}
	return id, true
}

// judge refuses a file that holds what was counted under another identity, or
// something else than what it held.
func (rc *recognition) judge(f *segmentFile, files []segmentFile, present map[string]bool, fresh bool) {
	tr := rc.mem.traces[f.id]
	if tr.Refused == "" && fresh && tr.Name == f.name {
		if other := rc.original(f, present); other != nil {
			tr.Refused = fmt.Sprintf("%s holds lines that were counted from %s: it was edited, joined, copied or written over. It is not read, so nothing is counted twice; move it away. New lines in a live log like that are not counted: rotate it now",
				f.name, other.Name)
			rc.mem.changed, rc.mem.urgent = true, true
		}
	}
	if tr.Refused != "" {
		f.why = tr.Refused
		return
	}
	if rc.roster.heldAs(f.fi) == f.id {
		return // the reader looks at what it reads
	}
	if v, judged := rc.verdicts[f.name]; judged && v.id == f.id && unchanged(v.fi, f.fi) {
		f.why = v.refused
		return
	}
	why, err := rc.altered(f, files)
	if err != nil {
		delete(rc.verdicts, f.name)
		rc.said.complain(f.name, "cannot read a log; trying again", "file", f.name, "err", err)
		return
	}
	f.why = why
	rc.verdicts[f.name] = verdict{fi: f.fi, id: f.id, refused: why}
}

// clockSlack is how far lines of two segments may overlap in time, since a
// worker may finish a request late.
const clockSlack = 2000

// original finds the segment whose lines a file holds that was never seen.
func (rc *recognition) original(f *segmentFile, present map[string]bool) *trace {
	for id, tr := range rc.mem.traces {
		if id == f.id || tr.Refused != "" {
			continue
		}
		if tr.shared(f.head.lines) >= 2 { // one alone may be a probe's
			return tr
		}
		if !present[id] && tr.At > 0 && rc.sameTime(f, tr, tr.firstOther(f.head.lines)) {
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
func (rc *recognition) sameTime(f *segmentFile, tr *trace, first int64) bool {
	if first <= 1 || tr.First <= 1 {
		return false
	}
	same, long := plainName(f.name) == plainName(tr.Name), tr.Last-tr.First > clockSlack
	switch {
	case first == tr.First:
		return long || same && f.name != rc.opt.Path
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
func (rc *recognition) altered(f *segmentFile, files []segmentFile) (string, error) {
	tr := rc.mem.traces[f.id]
	from := tr.At
	for i := range files { // a shorter copy says where its own lines end
		o := &files[i]
		if o.id != f.id || o.name == f.name || os.SameFile(o.fi, f.fi) {
			continue
		}
		size, err := rc.content.contentSize(o)
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
	before, behind, err := rc.content.around(f, from)
	if err != nil {
		return "", err
	}
	if from == tr.At && len(before) > 0 && tr.Probe != 0 && hash64(string(before)) != tr.Probe && !rc.content.erased(before) {
		return fmt.Sprintf("%s begins like what was counted from %s and goes on differently: it was edited or written over. It is not read, so nothing is counted twice; put the original back, or move it away", f.name, tr.Name), nil
	}
	for id, other := range rc.mem.traces {
		if id != f.id && other.Refused == "" && other.shared(behind) > 0 {
			return fmt.Sprintf("%s goes on with lines of %s behind those of %s: they were joined. What it adds is not read, so nothing is counted twice; move it away", f.name, other.Name, tr.Name), nil
		}
	}
	return "", nil
}

// remember notes how far segments were read, and has the memory saved.
func (rc *recognition) remember() {
	if rc.opt.Memory == "" && rc.opt.Note == nil {
		return
	}
	now := rc.opt.Now()
	due := now.Sub(rc.mem.savedAt) >= saveEvery || now.Before(rc.mem.savedAt)
	if rc.mem.urgent || due && (rc.mem.changed || rc.memoryGone()) {
		rc.mem.savedAt = now
		rc.saveMemory()
	}
}

// memoryGone reports whether the memory file was deleted under our eyes.
func (rc *recognition) memoryGone() bool {
	if rc.opt.Memory == "" || len(rc.mem.traces) == 0 {
		return false
	}
	_, err := os.Stat(rc.opt.Memory)
	return errors.Is(err, fs.ErrNotExist)
}

func (rc *recognition) saveMemory() {
	if err := rc.mem.save(rc.opt.Memory); err != nil {
		rc.said.complain(rc.opt.Memory, "what is known of the log's segments is not saved; a file that is edited while the daemon is down is then taken for a new one", "err", err)
		return
	}
	rc.said.passed(rc.opt.Memory)
	if rc.opt.Note != nil {
		rc.opt.Note(rc.mem.saved)
	}
}

// trace notes how far a segment was read.
func (rc *recognition) trace(s *segment) {
	tr := rc.mem.traces[s.id]
	if tr == nil || s.refused || s.frozen || tr.At == s.rd.off && tr.Whole == s.closed {
		return
	}
	probe := s.rd.probe()
	if len(probe) == 0 {
		return
	}
	rc.mem.urgent = rc.mem.urgent || tr.At == 0 || tr.Whole != s.closed
	tr.At, tr.Probe, tr.Whole = s.rd.off, hash64(string(probe)), s.closed
	if s.rd.last != nil && rc.opt.Time != nil {
		if at := rc.opt.Time(s.rd.last); at > tr.Last {
			tr.Last = at
		}
	}
	rc.mem.changed = true
}
