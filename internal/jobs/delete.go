package jobs

import (
	"context"
	"errors"
	"os"
	"time"

	"ddkk-stats/archive"
	"ddkk-stats/internal/vault"
	"ddkk-stats/tailer"
)

// deleteFile deletes a file if it holds what was archived.
func deleteFile(ctx context.Context, v *vault.Vault, f tailer.File, whole archive.ArchivedSegment, quiet time.Duration) {
	grew := false
	err := f.Remove(ctx, quiet, func(c tailer.Content) bool {
		if grew = c.Size > whole.Size; whole.Sum == "" { // archived before sums were kept
			return c.Size == whole.Size && c.Lines == whole.Lines
		}
		return c.Size == whole.Size && c.Sum == whole.Sum
	})
	switch {
	case err == nil:
		v.Log.Info("deleted a segment that is archived and old", "file", f.Name, "bytes", whole.Size)
	case ctx.Err() != nil || grew || errors.Is(err, os.ErrNotExist): // its rest is archived by the next cycle
	case errors.Is(err, tailer.ErrChanged):
		v.Log.Error("a segment that is archived holds something else now: it was edited or replaced. It is not deleted; look at it, then delete it or move it away", "file", f.Name)
	case errors.Is(err, tailer.ErrBusy):
		v.Log.Warn("a segment that is archived and old is not deleted, since another program may still write to it; the next cycle looks again. Was nginx told to reopen its logs?", "file", f.Name, "err", err)
	case errors.Is(err, os.ErrPermission):
		v.Log.Warn("a segment that is archived and old cannot be deleted; give the daemon write access to the log's folder, or set LOG_RETENTION=0 and leave it to logrotate", "err", err)
	default:
		v.Log.Warn("a segment that is archived and old cannot be deleted; the next cycle tries again", "file", f.Name, "err", err)
	}
}
