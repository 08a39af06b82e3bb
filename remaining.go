package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// waitingSegment is a segment with lines that the archive does not have yet.
type waitingSegment struct {
	name  string
	lines int64
	bytes int64
	live  bool
	from  time.Time // when it may be archived; zero: now
}

// remaining lists what the logs here have that is not archived: what a restore
// leaves to the daemons to count, and what later archive runs will load.
func (v *vault) remaining(ctx context.Context, now time.Time) ([]waitingSegment, error) {
	a, err := v.open(ctx)
	if err != nil {
		return nil, err
	}
	archived, err := a.ArchivedSegments(ctx)
	if err != nil {
		return nil, err
	}
	var all []waitingSegment
	for _, in := range v.cfg().logs() {
		files, err := v.files(in)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			done := archived[f.ID]
			if !f.Compressed {
				if size, err := f.Size(ctx); err == nil && size <= done.End {
					continue
				}
			}
			w := waitingSegment{name: f.Name, live: f.Live}
			if quietFrom := f.LastWrite.Add(quiet); quietFrom.After(now) {
				w.from = quietFrom
			}
			w.lines, w.bytes, err = countLines(func() (io.ReadCloser, error) { return f.Open(ctx, done.End) })
			if err != nil {
				if ctx.Err() != nil {
					return nil, ctx.Err()
				}
				v.log.Warn("a segment cannot be read", "file", f.Name, "err", err)
				continue
			}
			if w.lines > 0 {
				all = append(all, w)
			}
		}
	}
	return all, nil
}

// countLines counts the complete lines of what open reads, and their bytes.
func countLines(open func() (io.ReadCloser, error)) (lines, size int64, err error) {
	r, err := open()
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	buf, at := make([]byte, 256<<10), int64(0)
	for {
		n, err := r.Read(buf)
		if i := bytes.LastIndexByte(buf[:n], '\n'); i >= 0 {
			lines, size = lines+int64(bytes.Count(buf[:i+1], []byte{'\n'})), at+int64(i)+1
		}
		at += int64(n)
		if errors.Is(err, io.EOF) {
			return lines, size, nil
		}
		if err != nil {
			return lines, size, err
		}
	}
}

func linesOf(all []waitingSegment) (n int64) {
	for _, w := range all {
		n += w.lines
	}
	return n
}

// printRemaining says of each segment what is to come of it, and when.
func printRemaining(w io.Writer, all []waitingSegment, cfg *Config) error {
	for _, s := range all {
		var when string
		switch {
		case s.live:
			when = "live; archived after its rotation"
		case s.from.IsZero():
			when = "closed; archived by the next run"
		default:
			when = "written to a moment ago; archived from " + s.from.In(cfg.Timezone).Format(time.TimeOnly) + " on"
		}
		if _, err := fmt.Fprintf(w, "  %s: %d lines (%d bytes), %s%s\n", s.name, s.lines, s.bytes, when, nextArchive(s, cfg)); err != nil {
			return err
		}
	}
	return nil
}

// nextArchive says when the daemon archives a closed segment by itself.
func nextArchive(s waitingSegment, cfg *Config) string {
	if s.live || !cfg.ArchiveCron.On() {
		return ""
	}
	after := s.from
	if after.IsZero() {
		after = time.Now()
	}
	return ", by the daemon at " + cfg.ArchiveCron.Times.Next(after.In(cfg.Timezone)).Format(time.DateTime)
}
