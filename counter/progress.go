package counter

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"sync"

	"ddkk-stats/internal/durable"
)

// progress is how far reading is: a hint that saves the next start from
// reading what all sites have counted. It is believed only as far as Redis
// agrees with it, so losing it costs time and nothing else.
type progress struct {
	Segments map[string]segmentProgress `json:"segments"`
	Sites    map[string]siteProgress    `json:"sites"`
}

type segmentProgress struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`  // as last seen
	Floor  int64  `json:"floor"` // every site's lines up to here are committed
	Closed bool   `json:"closed,omitempty"`
}

type siteProgress struct {
	Epoch   string           `json:"epoch"`
	Offsets map[string]int64 `json:"offsets"`
	PV      int64            `json:"pv"` // the totals can only grow
	UV      int64            `json:"uv"`
	Parked  bool             `json:"parked,omitempty"`
}

func readProgress(path string) (*progress, error) {
	p := &progress{Segments: map[string]segmentProgress{}, Sites: map[string]siteProgress{}}
	if path == "" {
		return p, nil
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read progress: %w", err)
	}
	if err := json.Unmarshal(b, p); err != nil {
		return nil, fmt.Errorf("read progress: %s is damaged (%w); delete it: the log is then read again from its start, and nothing is counted twice", path, err)
	}
	return p, nil
}

// save writes what is committed now.
func (pl *places) save(sites map[string]*site) error {
	if pl.file == "" {
		return nil
	}
	p := progress{Segments: map[string]segmentProgress{}, Sites: map[string]siteProgress{}}
	for id, s := range pl.known.Segments {
		p.Segments[id] = s // not seen in this run yet
	}
	for _, i := range pl.inputs {
		for _, info := range i.Source.Segments() {
			p.Segments[info.ID] = segmentProgress{Name: info.Name, Size: info.Size, Floor: pl.resume.offset(info.ID)}
			if s := pl.segs[info.ID]; s != nil {
				s.name, s.size = info.Name, max(s.size, info.Size)
			}
		}
	}
	for id, s := range pl.segs {
		p.Segments[id] = segmentProgress{Name: s.name, Size: s.size, Floor: s.floor, Closed: s.closed}
	}
	for name, s := range sites {
		sp := siteProgress{Epoch: s.epoch, Offsets: map[string]int64{}, PV: s.pv, UV: s.uv, Parked: s.health.aside()}
		for id, o := range s.offsets {
			if _, ok := p.Segments[id]; ok && o.stored != none {
				sp.Offsets[id] = o.stored
			}
		}
		p.Sites[name] = sp
	}
	return pl.writeProgress(&p)
}

// writeProgress writes p if it is not what the file holds already.
func (pl *places) writeProgress(p *progress) error {
	b, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("save progress: %w", err)
	}
	if bytes.Equal(b, pl.saved) {
		return nil
	}
	if err := durable.Replace(pl.file, b, 0o600); err != nil {
		return fmt.Errorf("save progress: %w", err)
	}
	pl.saved = b
	return nil
}

// saveSizes writes how large the segments are by now and leaves all else as it
// was last saved: the loop waits for Redis in the middle of something, and what
// is deleted unread meanwhile must be told with its size.
func (pl *places) saveSizes() error {
	if pl.saved == nil {
		return nil // of this run nothing is saved yet
	}
	var p progress
	if err := json.Unmarshal(pl.saved, &p); err != nil {
		return fmt.Errorf("save progress: %w", err)
	}
	for _, i := range pl.inputs {
		for _, info := range i.Source.Segments() {
			s, ok := p.Segments[info.ID]
			if !ok {
				s.Floor = pl.resume.offset(info.ID)
			}
			s.Closed = s.Closed && info.Size <= s.Size
			s.Name, s.Size = info.Name, max(s.Size, info.Size)
			p.Segments[info.ID] = s
		}
	}
	return pl.writeProgress(&p)
}

// resumePoints tells the sources where to start reading. A source asks from
// its own goroutine.
type resumePoints struct {
	mu sync.Mutex
	at map[string]int64
}

func (r *resumePoints) set(at map[string]int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at = at
}

// restart makes reading of every segment that is opened from now on start at 0.
func (r *resumePoints) restart() { r.set(map[string]int64{}) }

func (r *resumePoints) offset(segment string) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at[segment]
}

func (r *resumePoints) all() map[string]int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.at)
}

// Resume is where reading of a segment should start; 0 for one never seen.
// Sources ask it when they find a segment, after Run began to read.
func (in *Ingester) Resume(segment string) int64 { return in.places.resume.offset(segment) }
