package jobs

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"ddkk-stats/archive"
	"ddkk-stats/internal/logs"
	"ddkk-stats/parser"
	"ddkk-stats/tailer"
)

// Tails are the ends of the log that are not archived: the daemons count them.
type Tails struct {
	begin map[string]int64            // segment -> where its tail begins
	sites map[string]map[string]int64 // site -> segment -> end of its last line
	Days  map[parser.Day]bool         // that views of tails are of
	Calls map[parser.Day]bool         // that API calls of tails are of
	Lines int64
}

// readLogs lists the segments that are archived and on the disk, and reads what
// is not archived. A file that is renamed meanwhile makes it begin again.
func (r *Recount) readLogs(ctx context.Context) (err error) {
	for range 3 {
		if err = r.readLogsOnce(ctx); err == nil || ctx.Err() != nil {
			break
		}
	}
	return err
}

func (r *Recount) readLogsOnce(ctx context.Context) error {
	archived, err := r.archive.ArchivedSegments(ctx)
	if err != nil {
		return err
	}
	r.logs, r.calls = nil, nil
	r.tails = Tails{begin: map[string]int64{}, sites: map[string]map[string]int64{}, Days: map[parser.Day]bool{}, Calls: map[parser.Day]bool{}}
	for _, in := range logs.Inputs(r.cfg()) {
		if in.Calls {
			r.calls = []archive.Source{} // its days are counted again, or named
		}
		if _, err := os.Stat(filepath.Dir(in.Path)); errors.Is(err, os.ErrNotExist) {
			continue
		}
		p, err := parser.New(logs.ParserOf(r.cfg(), in, r.Secret))
		if err != nil {
			return fmt.Errorf("make parser: %w", err)
		}
		files, err := Files(ctx, r.V, in)
		if err != nil {
			return err
		}
		src := archive.Source{Name: in.Path, Parser: p}
		for _, f := range files {
			whole, ok := archived[f.ID]
			// Calls that are archived meanwhile are found here, too.
			seg, err := r.onDisk(ctx, f, in.Calls || ok && whole.End > 0)
			if err != nil {
				return err
			}
			if seg != nil {
				src.Segments = append(src.Segments, seg)
			}
			if err := r.tail(ctx, f, p, whole.End); err != nil {
				return fmt.Errorf("read %s: %w", f.Name, err)
			}
		}
		if in.Calls {
			r.calls = append(r.calls, src)
		} else {
			r.logs = append(r.logs, src)
		}
	}
	return nil
}

// onDisk makes a file a segment that can be read again, if it may matter. One
// whose last line was written before the first day has nothing of it; a day is
// left for clocks that were wrong.
func (r *Recount) onDisk(ctx context.Context, f tailer.File, archived bool) (archive.Segment, error) {
	if !archived || f.LastWrite.Before(r.From.Date(r.cfg().Timezone).AddDate(0, 0, -1)) {
		return nil, nil
	}
	size, err := f.Size(ctx)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		r.V.Log.Warn("a segment cannot be read and is taken for one that is gone", "file", f.Name, "err", err)
		return nil, nil
	}
	return ClosedSegment{File: f, Bytes: size}, nil
}

// tail reads what is not archived of a segment.
func (r *Recount) tail(ctx context.Context, f tailer.File, p *parser.Parser, from int64) (err error) {
	file, err := f.Open(ctx, from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	r.tails.begin[f.ID] = from
	in := bufio.NewReaderSize(file, 1<<20)
	var h parser.Hit
	for at := from; ; {
		line, err := in.ReadSlice('\n')
		long := false
		for at += int64(len(line)); errors.Is(err, bufio.ErrBufferFull); at += int64(len(line)) {
			long = true
			line, err = in.ReadSlice('\n')
		}
		ended := errors.Is(err, io.EOF)
		if err != nil && !ended {
			return err
		}
		if ended && (len(line) == 0 || long || f.Live) {
			return nil
		}
		if long {
			continue
		}
		p.Parse(bytes.TrimSuffix(line, []byte{'\n'}), &h)
		days := r.tails.Days
		switch h.Kind {
		case parser.Pageview, parser.Event:
		case parser.APICall:
			days = r.tails.Calls
		default:
			continue
		}
		r.tails.Lines++
		ends := r.tails.sites[h.Site]
		if ends == nil {
			ends = map[string]int64{}
			r.tails.sites[h.Site] = ends
		}
		ends[f.ID] = at
		if r.From <= h.Day && h.Day <= r.To {
			days[h.Day] = true
		}
	}
}
