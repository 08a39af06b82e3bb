package tailer

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"ddkk-stats/internal/durable"
)

// trace is what a segment is known by once its file is gone, changed or held by
// nobody: how it begins, where it was read up to and what stood there.
type trace struct {
	Name  string   `json:"name"`
	Base  string   `json:"base"`            // identity of its first line
	Keys  []uint64 `json:"keys"`            // of its first lines
	Tell  uint32   `json:"tell"`            // which of them tell it from others, a bit each
	First int64    `json:"first,omitempty"` // times of its first line and its last, 0: unknown
	Last  int64    `json:"last,omitempty"`
	At    int64    `json:"at,omitempty"`    // it was read up to here
	Probe uint64   `json:"seal,omitempty"`  // of the bytes before that
	Whole bool     `json:"whole,omitempty"` // and that was all
	Seen  int64    `json:"seen"`            // when a file had it last, Unix seconds

	// Refused says why its file is not read: it holds what another segment had.
	Refused string `json:"refused,omitempty"`
}

// knowledge are the traces of a log's segments. They are kept in a file, so that a
// start, and whoever lists the segments beside a daemon, knows them apart as
// the daemon does. Where that file is lost, Options.Recall has them.
type knowledge struct {
	traces  map[string]*trace
	saved   map[string]json.RawMessage // as they were saved last; not changed any more
	changed bool                       // since it was saved
	urgent  bool                       // something came or went
	lost    bool                       // there was no file, or it was torn
	savedAt time.Time
}

// saveEvery is how often what was read is noted at most.
const saveEvery = 5 * time.Second

// keepTraces is how many segments without a file are remembered.
const keepTraces = 1000

// loadKnowledge reads the memory file. damage tells why what it had is lost.
func loadKnowledge(path string) (m knowledge, damage, err error) {
	m.traces = map[string]*trace{}
	if path == "" {
		m.lost = true
		return m, nil, nil
	}
	m.traces, damage, err = readMemory(path)
	m.lost = damage != nil || errors.Is(err, fs.ErrNotExist)
	if err != nil && !m.lost {
		return m, nil, fmt.Errorf("read what is known of the log's segments: %w", err)
	}
	return m, damage, nil
}

// save replaces the file, so that a reader has the old one or the new one.
func (m *knowledge) save(path string) error {
	all := make(map[string]json.RawMessage, len(m.traces))
	for id, tr := range m.traces {
		b, err := json.Marshal(tr)
		if err != nil {
			return err
		}
		all[id] = b
	}
	if path != "" {
		b, err := json.Marshal(all)
		if err != nil {
			return err
		}
		if err := durable.Replace(path, b, 0o640); err != nil {
			return err
		}
	}
	m.saved, m.changed, m.urgent = all, false, false
	return nil
}

// trim forgets the oldest of those that have no file.
func (m *knowledge) trim(present map[string]bool) {
	if len(m.traces) <= keepTraces+len(present) {
		return
	}
	var gone []string
	for id := range m.traces {
		if !present[id] {
			gone = append(gone, id)
		}
	}
	slices.SortFunc(gone, func(a, b string) int { return cmp.Compare(m.traces[a].Seen, m.traces[b].Seen) })
	for _, id := range gone[:max(0, len(gone)-keepTraces)] {
		delete(m.traces, id)
		m.changed = true
	}
}

// agree is how many of the first lines are the same.
func agree(a []headLine, b []uint64) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i].key != b[i] {
			return i
		}
	}
	return n
}

// shared counts the lines at the beginning of a file, or of a part of one, that
// tell it from others and that a segment begins with, too.
func (tr *trace) shared(lines []headLine) int {
	n := 0
	seen := map[uint64]bool{}
	for _, l := range lines {
		if !l.tell || seen[l.key] {
			continue
		}
		if i := slices.Index(tr.Keys, l.key); i >= 0 && tr.Tell&(1<<i) != 0 {
			seen[l.key] = true
			n++
		}
	}
	return n
}

// begin makes the trace of a segment that is not known.
func (m *knowledge) begin(id string, f *segmentFile, now time.Time) {
	tr := &trace{Name: f.name, Base: f.head.base, Seen: now.Unix()}
	tr.starts(f.head.lines)
	m.traces[id] = tr
	m.changed, m.urgent = true, true
}

// starts takes over how the segment begins.
func (tr *trace) starts(lines []headLine) {
	tr.Keys, tr.Tell, tr.First = tr.Keys[:0], 0, 0
	for i, l := range lines {
		tr.Keys = append(tr.Keys, l.key)
		if l.tell {
			tr.Tell |= 1 << i
		}
		if tr.First == 0 {
			tr.First = l.at
		}
	}
}

// note takes over what a file tells of a segment that was seen before: more of
// its first lines, a new name when the old one leads elsewhere by now.
func (m *knowledge) note(f *segmentFile, named bool, now time.Time) {
	tr := m.traces[f.id]
	if len(f.head.lines) > len(tr.Keys) {
		tr.starts(f.head.lines)
		m.changed, m.urgent = true, true
	}
	if !named && tr.Name != f.name {
		tr.Name, m.changed, m.urgent = f.name, true, true
	}
	if at := now.Unix(); at-tr.Seen > 3600 {
		tr.Seen, m.changed = at, true
	}
}
