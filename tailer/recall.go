package tailer

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// Recollection is what those who keep offsets know of the segments that they have
// offsets of. It is kept where they are, so an offset never outlives the proof of
// which content it is of: the memory file may be lost, old, or torn.
type Recollection struct {
	// Ours are traces of this very log, as Options.Note was given them, Others
	// those of other logs, other hosts' too: a file of ours may have moved here.
	Ours, Others map[string]json.RawMessage
	// Sums are of contents that were counted under an identity.
	Sums map[string]Sum
}

// Sum is the SHA-256, in hex, of the first Size bytes of a segment's content; ""
// where it is not known.
type Sum struct {
	Size   int64
	SHA256 string
}

// recall adds what others remember to what is known, once. Without a memory file
// it must be had: an identity that is guessed may be another segment's.
func (rc *recognition) recall() error {
	if rc.recalled || rc.opt.Recall == nil {
		return nil
	}
	r, err := rc.opt.Recall()
	switch {
	case err != nil && rc.mem.lost:
		return fmt.Errorf("tell the log's segments apart: %s is lost, and what else knows them cannot be asked: %w", rc.opt.Memory, err)
	case err != nil:
		rc.said.complain("recall", "cannot compare what is known of the log's segments with where they were counted; going by "+rc.opt.Memory+" alone", "err", err)
		return nil
	}
	rc.said.passed("recall")
	rc.recalled, rc.mem.lost = true, false
	ours, err := parseTraces(r.Ours)
	others, oerr := parseTraces(r.Others)
	if err = errors.Join(err, oerr); err != nil {
		rc.said.complain("recall", "a part of what is known of the log's segments is damaged and left out", "err", err)
	}
	for id, tr := range ours {
		// Offsets only grow: the greater one is the later one.
		if have := rc.mem.traces[id]; have == nil || tr.At > have.At {
			rc.mem.traces[id], rc.mem.changed, rc.mem.urgent = tr, true, true
		}
	}
	rc.others, rc.sums = others, r.Sums
	return nil
}

// parseTraces leaves out what cannot be read.
func parseTraces(all map[string]json.RawMessage) (map[string]*trace, error) {
	out := make(map[string]*trace, len(all))
	var errs []error
	for id, b := range all {
		tr := &trace{}
		if err := json.Unmarshal(b, tr); err != nil {
			errs = append(errs, fmt.Errorf("read what is known of segment %s: %w", id, err))
		} else if tr.whole() {
			out[id] = tr
		}
	}
	return out, errors.Join(errs...)
}

// whole reports whether a trace has what every trace has.
func (tr *trace) whole() bool { return tr != nil && tr.Base != "" && len(tr.Keys) > 0 }

// proven finds a segment that is not known here and whose content a file has, by
// what others remember. Else apart is how many lines it takes for an identity that
// none of those has that begin like it.
func (rc *recognition) proven(f *segmentFile) (id string, apart int, err error) {
	for other, tr := range rc.others {
		if tr.Base != f.head.base || tr.At == 0 || rc.mem.traces[other] != nil {
			continue
		}
		same := agree(f.head.lines, tr.Keys)
		if same == len(tr.Keys) {
			fits, err := rc.content.hasProbe(f, tr)
			if err != nil {
				return "", 0, err
			}
			if fits {
				if id == "" || same > len(rc.others[id].Keys) {
					id = other
				}
				continue
			}
		}
		apart = max(apart, same+1)
	}
	if id != "" {
		rc.mem.traces[id], rc.mem.changed, rc.mem.urgent = rc.others[id], true, true
		return id, 0, nil
	}
	for n := len(f.head.lines); n > 0; n-- {
		candidate := f.head.id(n)
		sum, counted := rc.sums[candidate]
		if !counted || rc.mem.traces[candidate] != nil {
			continue
		}
		same, err := rc.content.hasContent(f, sum)
		if err != nil {
			return "", 0, err
		}
		if same {
			rc.mem.begin(candidate, f, rc.opt.Now())
			return candidate, 0, nil
		}
		apart = max(apart, n+1)
	}
	return "", apart, nil
}

// readMemory reads the memory file. One that is empty or torn is as good as lost.
func readMemory(path string) (traces map[string]*trace, damage, err error) {
	traces = map[string]*trace{}
	b, err := os.ReadFile(path)
	if err != nil {
		return traces, nil, err
	}
	var all map[string]*trace
	if err := json.Unmarshal(b, &all); err != nil {
		return traces, err, nil
	}
	if len(all) == 0 {
		return traces, errors.New("it is empty"), nil
	}
	for id, tr := range all {
		if tr.whole() {
			traces[id] = tr
		}
	}
	return traces, nil, nil
}
