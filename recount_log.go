package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/archive"
	"ddkk-stats/parser"
	"ddkk-stats/tailer"
)

// tails are the ends of the log that are not archived: the daemons count them.
type tails struct {
	begin map[string]int64            // segment -> where its tail begins
	sites map[string]map[string]int64 // site -> segment -> end of its last line
	days  map[parser.Day]bool         // that lines of tails are of
	lines int64
}

// readLogs lists the segments that are archived and on the disk, and reads what
// is not archived. A file that is renamed meanwhile makes it begin again.
func (r *recounting) readLogs(ctx context.Context) (err error) {
	for range 3 {
		if err = r.readLogsOnce(ctx); err == nil || ctx.Err() != nil {
			break
		}
	}
	return err
}

func (r *recounting) readLogsOnce(ctx context.Context) error {
	archived, err := r.archive.ArchivedSegments(ctx)
	if err != nil {
		return err
	}
	r.logs = nil
	r.tails = tails{begin: map[string]int64{}, sites: map[string]map[string]int64{}, days: map[parser.Day]bool{}}
	for _, in := range r.v.cfg().logs() {
		if in.calls {
			continue // the rules of views say nothing about API calls
		}
		if _, err := os.Stat(filepath.Dir(in.path)); errors.Is(err, os.ErrNotExist) {
			continue
		}
		p, err := parser.New(r.v.cfg().Parser(in.format, r.secret))
		if err != nil {
			return fmt.Errorf("make parser: %w", err)
		}
		files, err := r.v.files(in)
		if err != nil {
			return err
		}
		src := archive.Source{Name: in.path, Parser: p}
		for _, f := range files {
			whole, ok := archived[f.ID]
			seg, err := r.onDisk(ctx, f, ok && whole.End > 0)
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
		r.logs = append(r.logs, src)
	}
	return nil
}

// onDisk makes a file a segment that can be read again, if it may matter. One
// whose last line was written before the first day has nothing of it; a day is
// left for clocks that were wrong.
func (r *recounting) onDisk(ctx context.Context, f tailer.File, archived bool) (archive.Segment, error) {
	if !archived || f.LastWrite.Before(r.from.Date(r.v.cfg().Timezone).AddDate(0, 0, -1)) {
		return nil, nil
	}
	size, err := f.Size(ctx)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		r.v.log.Warn("a segment cannot be read: its raw rows are judged instead", "file", f.Name, "err", err)
		return nil, nil
	}
	return closedSegment{f, size}, nil
}

// tail reads what is not archived of a segment.
func (r *recounting) tail(ctx context.Context, f tailer.File, p *parser.Parser, from int64) (err error) {
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
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if long {
			continue
		}
		p.Parse(line[:len(line)-1], &h)
		if h.Kind != parser.Pageview && h.Kind != parser.Event {
			continue
		}
		r.tails.lines++
		ends := r.tails.sites[h.Site]
		if ends == nil {
			ends = map[string]int64{}
			r.tails.sites[h.Site] = ends
		}
		ends[f.ID] = at
		if r.from <= h.Day && h.Day <= r.to {
			r.tails.days[h.Day] = true
		}
	}
}

// figures are what is shown of a day.
type figures struct{ pv, uv, bot int64 }

// shown reads from Redis what it shows of days that are not wholly archived.
func (r *recounting) shown(ctx context.Context, sites []string) (map[archive.SiteDay]figures, error) {
	all := map[archive.SiteDay]figures{}
	if r.v.rdb == nil {
		return all, nil
	}
	for day := range r.tails.days {
		for _, site := range sites {
			d := archive.SiteDay{Site: site, Day: day}
			var err error
			if all[d], err = r.shownDay(ctx, d); err != nil {
				return nil, fmt.Errorf("read what is shown: %w", err)
			}
		}
	}
	return all, nil
}

func (r *recounting) shownDay(ctx context.Context, d archive.SiteDay) (f figures, err error) {
	k, rdb := r.v.keys, r.v.rdb
	for _, x := range []struct {
		into *int64
		cmd  *redis.StringCmd
	}{
		{&f.pv, rdb.Get(ctx, k.SitePVDay(d.Site, d.Day))}, {&f.uv, rdb.Get(ctx, k.SiteUVDay(d.Site, d.Day))},
		{&f.bot, rdb.HGet(ctx, k.Books(d.Site, d.Day), "bot")},
	} {
		if *x.into, err = x.cmd.Int64(); err != nil && !errors.Is(err, redis.Nil) {
			return f, err
		}
	}
	return f, nil
}

func dayText(d parser.Day) string { return d.Date(time.UTC).Format(time.DateOnly) }
