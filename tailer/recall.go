package tailer

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"
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
func (t *Tailer) recall() error {
	if t.recalled || t.opt.Recall == nil {
		return nil
	}
	r, err := t.opt.Recall()
	switch {
	case err != nil && t.mem.lost:
		return fmt.Errorf("tell the log's segments apart: %s is lost, and what else knows them cannot be asked: %w", t.opt.Memory, err)
	case err != nil:
		t.complain("recall", "cannot compare what is known of the log's segments with where they were counted; going by "+t.opt.Memory+" alone", "err", err)
		return nil
	}
	t.passed("recall")
	t.recalled, t.mem.lost = true, false
	ours, err := parseTraces(r.Ours)
	others, oerr := parseTraces(r.Others)
	if err = errors.Join(err, oerr); err != nil {
		t.complain("recall", "a part of what is known of the log's segments is damaged and left out", "err", err)
	}
	for id, tr := range ours {
		// Offsets only grow: the greater one is the later one.
		if have := t.mem.traces[id]; have == nil || tr.At > have.At {
			t.mem.traces[id], t.mem.changed, t.mem.urgent = tr, true, true
		}
	}
	t.others, t.sums = others, r.Sums
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
func (t *Tailer) proven(f *segmentFile) (id string, apart int, err error) {
	for other, tr := range t.others {
		if tr.Base != f.head.base || tr.At == 0 || t.mem.traces[other] != nil {
			continue
		}
		same := agree(f.head.lines, tr.Keys)
		if same == len(tr.Keys) {
			fits, err := t.hasProbe(f, tr)
			if err != nil {
				return "", 0, err
			}
			if fits {
				if id == "" || same > len(t.others[id].Keys) {
					id = other
				}
				continue
			}
		}
		apart = max(apart, same+1)
	}
	if id != "" {
		t.mem.traces[id], t.mem.changed, t.mem.urgent = t.others[id], true, true
		return id, 0, nil
	}
	for n := len(f.head.lines); n > 0; n-- {
		candidate := f.head.id(n)
		sum, counted := t.sums[candidate]
		if !counted || t.mem.traces[candidate] != nil {
			continue
		}
		same, err := t.hasContent(f, sum)
		if err != nil {
			return "", 0, err
		}
		if same {
			t.mem.begin(candidate, f, t.opt.Now())
			return candidate, 0, nil
		}
		apart = max(apart, n+1)
	}
	return "", apart, nil
}

// hasContent reports whether a file begins with a content. Without its sum the
// beginning that made its identity has to do.
func (t *Tailer) hasContent(f *segmentFile, sum Sum) (bool, error) {
	if sum.SHA256 == "" {
		return true, nil
	}
	if !f.gz && f.fi.Size() < sum.Size {
		return false, nil
	}
	r, err := t.openContent(f)
	if err != nil {
		return false, err
	}
	h := sha256.New()
	_, err = io.CopyN(h, r, sum.Size)
	if cerr := r.Close(); err == nil && cerr != nil {
		return false, fmt.Errorf("close %s: %w", f.name, cerr)
	}
	if err != nil {
		return false, ignoreEnd(err)
	}
	return hex.EncodeToString(h.Sum(nil)) == sum.SHA256, nil
}

// hasProbe reports whether a file has what was read last of a segment.
func (t *Tailer) hasProbe(f *segmentFile, tr *trace) (bool, error) {
	if !f.gz && f.fi.Size() < tr.At {
		return false, nil
	}
	r, err := t.openContent(f)
	if err != nil {
		return false, err
	}
	before := make([]byte, min(tr.At, probeLen))
	if _, err = io.CopyN(io.Discard, r, tr.At-int64(len(before))); err == nil {
		_, err = io.ReadFull(r, before)
	}
	if cerr := r.Close(); err == nil && cerr != nil {
		return false, fmt.Errorf("close %s: %w", f.name, cerr)
	}
	if err != nil {
		return false, ignoreEnd(err)
	}
	return hash64(string(before)) == tr.Probe, nil
}

// openContent opens a file to read its content.
func (t *Tailer) openContent(f *segmentFile) (io.ReadCloser, error) {
	h, err := openSame(t.disk, f.name, f.fi)
	if err != nil {
		return nil, err
	}
	c := &content{Reader: io.NewSectionReader(h, 0, maxOffset), file: h}
	if f.gz {
		if c.Reader, err = gzip.NewReader(c.Reader); err != nil {
			return nil, closeAfter(h, fmt.Errorf("decompress %s: %w", f.name, err))
		}
	}
	return c, nil
}

type content struct {
	io.Reader
	file file
}

func (c *content) Close() error { return c.file.Close() }

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
