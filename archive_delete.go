package main

import (
	"context"
	"errors"
	"os"
	"time"

	"ddkk-stats/archive"
	"ddkk-stats/tailer"
)

// deleteOld deletes the files of segments that are archived whole and older
// than LOG_RETENTION by the time that is believed. A file that is not, byte for
// byte, what was archived stays, and so does one that somebody may still write to.
func (v *vault) deleteOld(ctx context.Context, now time.Time) error {
	if v.cfg().LogRetention <= 0 {
		return nil
	}
	a, err := v.open(ctx)
	if err != nil {
		return err
	}
	archived, err := a.ArchivedSegments(ctx)
	if err != nil {
		return err
	}
	for _, in := range v.cfg().logs() {
		files, err := v.files(in)
		if err != nil {
			return err
		}
		for _, f := range files {
			whole, ok := archived[f.ID]
			written := f.LastWrite
			if ok && fromFuture(now, written) {
				written = whole.At
			}
			if f.Live || !ok || now.Sub(written) < v.cfg().LogRetention {
				continue
			}
			v.deleteFile(ctx, f, whole, now.Sub(written))
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
	return nil
}

// deleteFile deletes a file if it holds what was archived.
func (v *vault) deleteFile(ctx context.Context, f tailer.File, whole archive.ArchivedSegment, quiet time.Duration) {
	grew := false
	err := f.Remove(ctx, quiet, func(c tailer.Content) bool {
		if grew = c.Size > whole.Size; whole.Sum == "" { // archived before sums were kept
			return c.Size == whole.Size && c.Lines == whole.Lines
		}
		return c.Size == whole.Size && c.Sum == whole.Sum
	})
	switch {
	case err == nil:
		v.log.Info("deleted a segment that is archived and old", "file", f.Name, "bytes", whole.Size)
	case ctx.Err() != nil || grew || errors.Is(err, os.ErrNotExist): // its rest is archived by the next cycle
	case errors.Is(err, tailer.ErrChanged):
		v.log.Error("a segment that is archived holds something else now: it was edited or replaced. It is not deleted; look at it, then delete it or move it away", "file", f.Name)
	case errors.Is(err, tailer.ErrBusy):
		v.log.Warn("a segment that is archived and old is not deleted, since another program may still write to it; the next cycle looks again. Was nginx told to reopen its logs?", "file", f.Name, "err", err)
	case errors.Is(err, os.ErrPermission):
		v.log.Warn("a segment that is archived and old cannot be deleted; give the daemon write access to the log's folder, or set LOG_RETENTION=0 and leave it to logrotate", "err", err)
	default:
		v.log.Warn("a segment that is archived and old cannot be deleted; the next cycle tries again", "file", f.Name, "err", err)
	}
}
