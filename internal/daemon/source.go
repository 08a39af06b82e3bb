package daemon

import (
	"context"
	"fmt"

	"ddkk-stats/counter"
	"ddkk-stats/internal/logs"
	"ddkk-stats/tailer"
)

// logSource makes a tailer a source of the counter: the two do not know each
// other.
type logSource struct{ *tailer.Tailer }

var kinds = map[tailer.Kind]counter.BlockKind{
	tailer.Lines: counter.Lines, tailer.Oversize: counter.Oversize,
	tailer.Torn: counter.Torn, tailer.Closed: counter.Closed,
}

func (s logSource) Next(ctx context.Context) (counter.Block, error) {
	b, err := s.Tailer.Next(ctx)
	if err != nil {
		return counter.Block{}, err
	}
	return counter.Block{
		Segment: b.Segment, Kind: kinds[b.Kind], Start: b.Start, End: b.End,
		Data: b.Data, Live: b.Live, Release: b.Release,
	}, nil
}

func (s logSource) Segments() []counter.SegmentInfo {
	all := s.Tailer.Segments()
	out := make([]counter.SegmentInfo, 0, len(all))
	for _, x := range all {
		if !x.Refused && (!x.Deleted || x.Offset < x.Size) {
			out = append(out, counter.SegmentInfo{ID: x.ID, Name: x.Name, Size: x.Size, Read: x.Offset, Looked: x.Looked, Whole: !x.Compressed})
		}
	}
	return out
}

// openLogs opens the built-in beacon's log and, where one is named, nginx's.
// resume tells where a segment goes on.
func (s *server) openLogs(resume func(string) int64) error {
	for _, in := range logs.Inputs(s.cfg()) {
		opt, err := logs.SegmentOptions(s.cfg(), in, s.log.With("log", in.Name()))
		if err != nil {
			return err
		}
		opt.Resume = resume
		if err := s.remembering(&opt, in); err != nil {
			return err
		}
		t, err := tailer.Open(opt)
		if err != nil {
			return fmt.Errorf("open log: %w", err)
		}
		in.Tail = t
		s.inputs = append(s.inputs, in)
	}
	return nil
}
