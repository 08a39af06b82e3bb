package jobs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"ddkk-stats/internal/vault"
	"ddkk-stats/tailer"
)

// WaitingSegment is a segment with lines that the archive does not have yet.
type WaitingSegment struct {
	Name  string
	Lines int64
	Bytes int64
	Live  bool
	From  time.Time // when it may be archived; zero: now
}

// Remaining lists what the logs here have that is not archived: what a restore
// leaves to the daemons to count, and what later archive runs will load.
func Remaining(ctx context.Context, v *vault.Vault, now time.Time) ([]WaitingSegment, error) {
	a, err := v.Open(ctx)
	if err != nil {
		return nil, err
	}
	archived, err := a.ArchivedSegments(ctx)
	if err != nil {
		return nil, err
	}
	var all []WaitingSegment
	err = eachFile(ctx, v, func(f tailer.File) (err error) {
		done := archived[f.ID]
		if !f.Compressed {
			if size, err := f.Size(ctx); err == nil && (size <= done.End || !f.Live && size == done.Size) {
				return nil
			}
		}
		w := WaitingSegment{Name: f.Name, Live: f.Live}
		if quietFrom := f.LastWrite.Add(quiet); quietFrom.After(now) {
			w.From = quietFrom
		}
		w.Lines, w.Bytes, err = countLines(!f.Live, func() (io.ReadCloser, error) { return f.Open(ctx, done.End) })
		if err != nil {
			v.Log.Warn("a segment cannot be read", "file", f.Name, "err", err)
			return ctx.Err()
		}
		if w.Lines > 0 {
			all = append(all, w)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// countLines counts the complete lines of what open reads, and their bytes. The last
// line of what is closed is one without its newline.
func countLines(closed bool, open func() (io.ReadCloser, error)) (lines, size int64, err error) {
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
			if closed && size < at {
				lines, size = lines+1, at
			}
			return lines, size, nil
		}
		if err != nil {
			return lines, size, err
		}
	}
}

func LinesOf(all []WaitingSegment) (n int64) {
	for _, w := range all {
		n += w.Lines
	}
	return n
}
