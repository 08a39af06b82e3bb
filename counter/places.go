package counter

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
)

// places is where reading is in the segments of all inputs. The loop owns it, but for
// resume, which sources ask.
type places struct {
	inputs  []Input
	segs    map[string]*segment
	resume  resumePoints
	known   *progress       // what an earlier run left
	file    string          // the progress file; empty: none
	saved   []byte          // it as we wrote it last
	cut     map[string]bool // segments that were said to be cut
	looked  bool            // missing segments were looked for
	live    bool            // the last block came from the live edge
	passed  bool            // lines were passed over that would count by the rules of now
	signs   string          // of rebuilds (audits), when all was read again for that last
	unread  []*segment      // that were to be read again and are gone: the archive may have them
	archive Archive         // nil: there is none
	meter   *meter
	log     *slog.Logger
}

// segment is where the loop is in one segment.
type segment struct {
	id, name string
	input    int
	pos      int64 // where the next line must start
	booked   int64 // lines up to here are in the books
	torn     int64 // end of an unfinished last line that starts at pos; 0: none
	floor    int64 // up to here every site's lines are committed
	size     int64 // as far as we know
	closed   bool
	rewinds  int  // how often it was rewound
	awaited  int  // blocks that may still come from before a rewind
	gone     bool // it could not be rewound: go on where it goes on
}

// done is up to where nothing of the segment is left to count: an unfinished last line is
// no line as long as the rest of it does not come.
func (s *segment) done() int64 {
	if s.torn > 0 && s.floor == s.pos {
		return s.torn
	}
	return s.floor
}

// segment finds or opens the segment of a block.
func (pl *places) segment(f fetched) *segment {
	s := pl.segs[f.block.Segment]
	if s == nil {
		at := pl.resume.offset(f.block.Segment)
		s = &segment{id: f.block.Segment, input: f.input, pos: at, floor: at, booked: at}
		pl.segs[s.id] = s
	}
	s.input = f.input
	s.size = max(s.size, f.block.End)
	return s
}

// missing reports, once, segments that were not read to their end and are not
// there any more.
func (pl *places) missing() {
	if pl.looked {
		return
	}
	pl.looked = true
	there := pl.listed()
	for id, s := range pl.known.Segments {
		if there[id] {
			continue
		}
		if !s.Closed && !pl.archived(id) {
			pl.log.Error("gap: a segment of the log is gone or unreadable before it was read to its end; its lines are not counted",
				"segment", id, "file", s.Name, "bytes_missing_at_least", s.Size-s.Floor)
			pl.meter.update(func(st *IngestStats) { st.Missing++; st.MissingBytes += s.Size - s.Floor })
		}
		delete(pl.known.Segments, id)
	}
}

// beyond looks for checkpoints that lie beyond the end of their segment: the
// log was cut, or lost its end with the machine's power while LOG_SYNC was off.
// Lines that are now written below the checkpoint would be passed over as
// counted, so an operator must hear of it.
func (pl *places) beyond(sites map[string]*site) {
	furthest := map[string]int64{}
	for _, s := range sites {
		for id, o := range s.offsets {
			furthest[id] = max(furthest[id], o.stored)
		}
	}
	n := int64(0)
	for _, i := range pl.inputs {
		for _, info := range i.Source.Segments() {
			if !info.Whole || furthest[info.ID] <= info.Size {
				continue
			}
			n++
			if !pl.cut[info.ID] {
				pl.cut[info.ID] = true
				pl.log.Error("a segment is shorter than what was counted of it: it was cut. Rotate the log now, so that new lines come into a segment of their own",
					"segment", info.ID, "file", info.Name, "size", info.Size, "counted", furthest[info.ID])
			}
		}
	}
	pl.meter.update(func(s *IngestStats) { s.Cut = n })
}

// sizes are those of all segments now.
func (pl *places) sizes() map[string]int64 {
	all := map[string]int64{}
	for _, i := range pl.inputs {
		for _, s := range i.Source.Segments() {
			all[s.ID] = s.Size
		}
	}
	return all
}

// listed are the segments that sources know files of.
func (pl *places) listed() map[string]bool {
	there := map[string]bool{}
	for _, i := range pl.inputs {
		for _, s := range i.Source.Segments() {
			there[s.ID] = true
		}
	}
	return there
}

// onDisk are the segments that can be read again. A source may not have noticed yet that a
// file is gone.
func (pl *places) onDisk() map[string]bool {
	there := pl.listed()
	for id, s := range pl.segs {
		if s.gone {
			delete(there, id)
		}
	}
	return there
}

func (pl *places) archived(segment string) bool {
	return pl.archive != nil && pl.archive.Covers(segment)
}

// lacking names the counted segments that are no longer to be had.
func (pl *places) lacking(c checkpoint) []string {
	there := pl.onDisk()
	var gone []string
	for id := range c.offsets {
		if !there[id] && !pl.archived(id) {
			gone = append(gone, id)
		}
	}
	return gone
}

// catchUpWith has the log read again from a checkpoint that a site goes on from: what
// was counted into its old state is not in Redis, and what came while it was aside was
// passed over.
func (pl *places) catchUpWith(s *site, at checkpoint) error {
	for id, old := range s.offsets {
		if err := pl.rewindTo(id, old, at); err != nil {
			return err
		}
	}
	for id := range s.assumed {
		if seg := pl.segs[id]; seg != nil && at.offsets[id] < seg.pos {
			if err := pl.rewind(seg, at.offsets[id]); err != nil {
				return err
			}
		}
	}
	return nil
}

// rewindTo reads a segment again from where Redis stands for a site, if that
// is before what had been read into the old state.
func (pl *places) rewindTo(id string, old *offsets, c checkpoint) error {
	stored, ok := c.offsets[id]
	seg := pl.segs[id]
	if ok && stored >= old.open {
		return nil
	}
	if seg == nil {
		seg = pl.reopen(id)
	}
	if seg == nil {
		return nil
	}
	switch {
	case ok:
	case old.stored == none:
		stored = min(seg.floor, seg.pos) // nothing of the site was before it
	default:
		stored = 0
	}
	return pl.rewind(seg, stored)
}

// reopen knows a segment that was read in an earlier run.
func (pl *places) reopen(id string) *segment {
	for i, input := range pl.inputs {
		for _, info := range input.Source.Segments() {
			if info.ID != id {
				continue
			}
			at := pl.resume.offset(id)
			seg := &segment{id: id, name: info.Name, input: i, pos: at, floor: at, booked: at, size: info.Size}
			pl.segs[id] = seg
			return seg
		}
	}
	return nil
}

// rewind makes a segment be read again from offset; sites that are further
// pass over their lines.
func (pl *places) rewind(seg *segment, offset int64) error {
	if offset < seg.pos {
		pl.meter.update(func(s *IngestStats) { s.Rewinds++ })
	}
	seg.pos = min(seg.pos, offset)
	seg.floor = min(seg.floor, offset)
	seg.closed, seg.torn, seg.gone, pl.live = false, 0, false, false
	seg.rewinds++
	seg.awaited = maxAwaited
	if err := pl.inputs[seg.input].Source.Rewind(seg.id, seg.pos); err != nil {
		pl.log.Error("gap: a segment has to be read again but cannot be; run a restore from the archive",
			"segment", seg.id, "file", seg.name, "from", seg.pos, "to", seg.size, "err", err)
		seg.awaited, seg.gone = 0, true
		pl.unread = append(pl.unread, seg)
		pl.meter.update(func(s *IngestStats) { s.Missing++; s.MissingBytes += max(0, seg.size-seg.pos) })
	}
	return nil
}

// String tells where reading is in the segments that are still read.
func (pl *places) String() string {
	var at []string
	for id, s := range pl.segs {
		if !s.closed {
			at = append(at, fmt.Sprintf("%s:%d", id, s.pos))
		}
	}
	slices.Sort(at)
	if len(at) == 0 {
		return "none yet"
	}
	return strings.Join(at, " ")
}

// again has all segments read from their start, for sites that were rebuilt.
func (pl *places) again(sites []string) error {
	pl.resume.restart()
	for _, input := range pl.inputs {
		for _, info := range input.Source.Segments() {
			if pl.segs[info.ID] == nil {
				pl.reopen(info.ID)
			}
		}
	}
	there := pl.listed()
	for id, seg := range pl.segs {
		switch {
		case seg.gone && pl.archived(id):
		case there[id]:
			if err := pl.rewind(seg, 0); err != nil {
				return err
			}
		case !pl.archived(id):
			pl.log.Error("gap: a segment that was counted is neither in the log folder nor archived; rebuilt sites lack its lines",
				"segment", id, "file", seg.name, "bytes", seg.size, "sites", sites)
			pl.meter.update(func(s *IngestStats) { s.Missing++; s.MissingBytes += seg.size })
		}
	}
	return nil
}

// reached tells whether all is counted that the segments had when they had these sizes.
func (pl *places) reached(to map[string]int64) bool {
	for _, input := range pl.inputs {
		for _, info := range input.Source.Segments() {
			end, was := to[info.ID]
			s := pl.segs[info.ID]
			switch {
			case !was: // it came later
			case s == nil && info.Read > pl.resume.offset(info.ID): // what was handed out is on its way
				return false
			case s != nil && (s.awaited > 0 || s.done() < min(end, info.Read)):
				return false
			case info.Looked < end:
				return false
			}
		}
	}
	return true
}
