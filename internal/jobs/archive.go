package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"ddkk-stats/archive"
	"ddkk-stats/internal/config"
	"ddkk-stats/internal/logs"
	"ddkk-stats/internal/options"
	"ddkk-stats/internal/vault"
	"ddkk-stats/parser"
	"ddkk-stats/tailer"
)

// ArchiveLogs archives the rotated segments of all logs and deletes those that
// are archived and older than LOG_RETENTION.
//
// It is done by one set of rules: where these change meanwhile it is begun anew.
func Archive(ctx context.Context, v *vault.Vault, secret []byte) (archive.Summary, error) {
	for {
		sum, err := archiveOnce(ctx, v, secret)
		if !errors.Is(err, archive.ErrRules) || ctx.Err() != nil {
			return sum, err
		}
		v.Log.Info("archiving begins anew", "why", err)
	}
}

func archiveOnce(ctx context.Context, v *vault.Vault, secret []byte) (archive.Summary, error) {
	if err := v.LearnRules(ctx); err != nil {
		return archive.Summary{}, err
	}
	a, err := v.Open(ctx)
	if err != nil {
		return archive.Summary{}, err
	}
	host, err := os.Hostname()
	if err != nil {
		return archive.Summary{}, fmt.Errorf("name this host: %w", err)
	}
	cfg := v.Cfg() // one set of rules for the whole cycle
	a.KeepRaw(cfg.RawRetentionDays)
	a.Every(cfg.ArchiveCron.Days(time.Now()))
	a.Judge(options.ArchiveRules(cfg))
	var sources []archive.Source
	for _, in := range logs.Inputs(cfg) {
		p, err := parser.New(logs.ParserOf(cfg, in, secret))
		if err != nil {
			return archive.Summary{}, fmt.Errorf("make parser: %w", err)
		}
		segments, err := rotated(ctx, v, in)
		if err != nil {
			return archive.Summary{}, err
		}
		sources = append(sources, archive.Source{Name: host + ":" + in.Name(), Parser: p, Segments: segments})
	}
	sum, err := Run(ctx, v, a, sources)
	if err != nil {
		return sum, err
	}
	if err := v.Learn(ctx); err != nil {
		return sum, err
	}
	if err := v.NoteDone(ctx, vault.JobArchive, time.Now(), ""); err != nil {
		return sum, err
	}
	_, err = EraseDeleted(ctx, v, secret)
	return sum, errors.Join(err, showNames(ctx, v, a, sum.Now), deleteOld(ctx, v, sum.Now))
}

// LockLimit is how long one waits for others that archive: on another host that
// has the same schedule, or beside the daemon.
const LockLimit = 6 * time.Hour

// Run archives when no other does.
func Run(ctx context.Context, v *vault.Vault, a *archive.Archive, sources []archive.Source) (archive.Summary, error) {
	var sum archive.Summary
	err := InTurn(ctx, v, LockLimit, func() (err error) {
		sum, err = a.Run(ctx, sources...)
		return err
	})
	return sum, err
}

// InTurn does something with the archive that only one may do at a time, after those
// who are at it; it waits for them for as long as limit; 0: as long as it takes.
func InTurn(ctx context.Context, v *vault.Vault, limit time.Duration, do func() error) error {
	began := time.Now()
	for told := false; ; told = true {
		err := do()
		if !errors.Is(err, archive.ErrLocked) || limit > 0 && time.Since(began) > limit {
			return err
		}
		if !told {
			v.Log.Info("waiting for another archive run to end")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// quiet is how long a rotated segment must not have changed to be archived.
const quiet = time.Minute

// isQuiet tells whether a file that was last written at a time is quiet. One of
// the future was written by a clock that was ahead, so not since it is right.
func isQuiet(now, written time.Time) bool {
	age := now.Sub(written)
	return age >= quiet || fromFuture(now, written)
}

func fromFuture(now, at time.Time) bool { return at.Sub(now) > quiet }

// rotated lists the segments of a log that are closed.
func rotated(ctx context.Context, v *vault.Vault, in logs.Input) ([]archive.Segment, error) {
	files, err := Files(ctx, v, in)
	if err != nil {
		return nil, err
	}
	var out []archive.Segment
	for _, f := range files {
		if f.Live || !isQuiet(time.Now(), f.LastWrite) {
			continue
		}
		size, err := f.Size(ctx)
		if err != nil {
			v.Log.Warn("cannot archive a segment yet", "file", f.Name, "err", err)
			continue
		}
		out = append(out, ClosedSegment{f, size})
	}
	return out, nil
}

// Files lists the segments of a log, the live one too.
func Files(ctx context.Context, v *vault.Vault, in logs.Input) ([]tailer.File, error) {
	opt, err := logs.SegmentOptions(v.Cfg(), in, v.Log)
	if err != nil {
		return nil, err
	}
	opt.Recall = func() (tailer.Recollection, error) { return Recall(ctx, v, in) }
	files, err := tailer.List(opt)
	if err != nil {
		return nil, fmt.Errorf("list segments: %w", err)
	}
	return files, nil
}

// eachFile goes through the segments of all logs, the live ones too.
func eachFile(ctx context.Context, v *vault.Vault, do func(tailer.File) error) error {
	for _, in := range logs.Inputs(v.Cfg()) {
		files, err := Files(ctx, v, in)
		if err != nil {
			return err
		}
		for _, f := range files {
			if err := do(f); err != nil {
				return err
			}
		}
	}
	return nil
}

// ClosedSegment is a file as the archive reads it.
type ClosedSegment struct {
	File  tailer.File
	Bytes int64
}

func (s ClosedSegment) ID() string { return s.File.ID }

func (s ClosedSegment) Name() string { return s.File.Name }

func (s ClosedSegment) Size() int64 { return s.Bytes }

func (s ClosedSegment) Open(ctx context.Context, from int64) (io.ReadCloser, error) {
	return s.File.Open(ctx, from)
}

// keptForUndo tells whether a file is kept longer than others, since undoing a rule needs its
// lines: as long as raw rows are kept. It does not go by the rules: one that was undone just now still
// needs them, until the recount has read them.
func keptForUndo(cfg *config.Config, whole archive.ArchivedSegment, age time.Duration) bool {
	keep := time.Duration(cfg.RawRetentionDays) * 24 * time.Hour
	return whole.Voided && (keep == 0 || age < keep)
}

// deleteOld deletes the files of segments that are archived whole and older
// than LOG_RETENTION by the time that is believed. A file that is not, byte for
// byte, what was archived stays, and so does one that somebody may still write to.
func deleteOld(ctx context.Context, v *vault.Vault, now time.Time) error {
	if v.Cfg().LogRetention <= 0 {
		return nil
	}
	a, err := v.Open(ctx)
	if err != nil {
		return err
	}
	archived, err := a.ArchivedSegments(ctx)
	if err != nil {
		return err
	}
	wants, err := wanted(ctx, v, archived)
	if err != nil {
		return err
	}
	return eachFile(ctx, v, func(f tailer.File) error {
		if wants[f.Name] {
			return nil
		}
		whole, ok := archived[f.ID]
		written := f.LastWrite
		if ok && fromFuture(now, written) {
			written = whole.At
		}
		if f.Live || !ok || now.Sub(written) < v.Cfg().LogRetention || keptForUndo(v.Cfg(), whole, now.Sub(written)) {
			return nil
		}
		deleteFile(ctx, v, f, whole, now.Sub(written))
		return ctx.Err()
	})
}

// wanted are the files that some log has not archived as far as another: one may be read
// twice, for its calls and for its views.
func wanted(ctx context.Context, v *vault.Vault, archived map[string]archive.ArchivedSegment) (map[string]bool, error) {
	wants, sizes := map[string]bool{}, map[string]int64{}
	err := eachFile(ctx, v, func(f tailer.File) error {
		whole, ok := archived[f.ID]
		size, again := sizes[f.Name]
		wants[f.Name] = wants[f.Name] || !ok || again && size != whole.Size
		sizes[f.Name] = whole.Size
		return nil
	})
	return wants, err
}
