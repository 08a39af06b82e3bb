package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
	"ddkk-stats/parser"
	"ddkk-stats/tailer"
)

func archiveCommand(load func() (*Config, error)) *cobra.Command {
	var confirm bool
	cmd := &cobra.Command{
		Use:   "archive",
		Short: "Archive rotated logs now: raw rows and daily sums in SQL",
		Long: `Loads every rotated segment that is not archived yet into MySQL (MYSQL_DSN) or
SQLite, once, and sums up the days that it touched. The daemon does the same by
ARCHIVE_CRON. A second run, or two at once, change nothing.

Raw rows (RAW_RETENTION_DAYS) and files (LOG_RETENTION) that are too old are
deleted by a clock that is believed: the earliest of this host's, the database's
and Redis', if it agrees with the days on which something was counted. Where it
does not, as after a clock that was years ahead, nothing is deleted until
somebody has looked at the clocks and runs this with --confirm.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load()
			if err != nil {
				return err
			}
			return withVault(cmd, cfg, func(v *vault, secret []byte) error {
				if confirm {
					a, err := v.open(cmd.Context())
					if err != nil {
						return err
					}
					if err := a.Confirm(cmd.Context()); err != nil {
						return err
					}
				}
				sum, err := v.archiveLogs(cmd.Context(), secret)
				if err != nil {
					return err
				}
				if err := printSummary(cmd.OutOrStdout(), sum); err != nil {
					return err
				}
				return v.printNotArchived(cmd.Context(), cmd.OutOrStdout())
			})
		},
	}
	cmd.Flags().BoolVar(&confirm, "confirm", false, "the clocks are right: delete what is too old by them")
	return cmd
}

func printSummary(w io.Writer, s archive.Summary) error {
	if s.Clock != "" {
		if _, err := fmt.Fprintln(w, "the clock is in doubt: "+s.Clock); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%d segments, %d lines, %d rows, %d days summed up in %.2f s (%.0f lines/s)\n",
		s.Segments, s.Lines, s.Rows, s.Days, s.Took.Seconds(), s.LinesPerSecond())
	return err
}

// printNotArchived says what an archive run left, and when that will be archived.
func (v *vault) printNotArchived(ctx context.Context, w io.Writer) error {
	left, err := v.remaining(ctx, time.Now())
	if err != nil || len(left) == 0 {
		return err
	}
	if _, err := fmt.Fprintf(w, "not archived yet: %d lines in %d segments\n", linesOf(left), len(left)); err != nil {
		return err
	}
	return printRemaining(w, left, v.cfg())
}

// withVault runs a command that needs the archive and the visitors' secret.
func withVault(cmd *cobra.Command, cfg *Config, f func(v *vault, secret []byte) error) (err error) {
	log := newLogger(cmd.ErrOrStderr(), cfg.LogLevel)
	keys := counter.NewKeys(cfg.RedisPrefix, cfg.Cluster())
	var rdb redis.UniversalClient
	if len(cfg.RedisAddrs) > 0 {
		rdb = counter.Connect(cfg.redis())
		defer func() { err = errors.Join(err, rdb.Close()) }()
	}
	if err := os.MkdirAll(cfg.DataDir, 0o750); err != nil {
		return fmt.Errorf("make DATA_DIR: %w", err)
	}
	v := newVault(newLive(cfg), rdb, keys, log)
	defer func() { err = errors.Join(err, v.close()) }()
	if _, err := v.open(cmd.Context()); err != nil {
		return err
	}
	secret, err := v.visitorSecret(cmd.Context())
	if err != nil {
		return err
	}
	return f(v, secret)
}

// archiveLogs archives the rotated segments of all logs and deletes those that
// are archived and older than LOG_RETENTION.
func (v *vault) archiveLogs(ctx context.Context, secret []byte) (archive.Summary, error) {
	a, err := v.open(ctx)
	if err != nil {
		return archive.Summary{}, err
	}
	host, err := os.Hostname()
	if err != nil {
		return archive.Summary{}, fmt.Errorf("name this host: %w", err)
	}
	cfg := v.cfg() // one set of rules for the whole cycle
	a.KeepRaw(cfg.RawRetentionDays)
	a.Every(cfg.ArchiveCron.days(time.Now()))
	a.Judge(cfg.archiveRules())
	var sources []archive.Source
	for _, in := range cfg.logs() {
		p, err := parser.New(cfg.parserOf(in, secret))
		if err != nil {
			return archive.Summary{}, fmt.Errorf("make parser: %w", err)
		}
		segments, err := v.rotated(ctx, in)
		if err != nil {
			return archive.Summary{}, err
		}
		sources = append(sources, archive.Source{Name: host + ":" + in.path, Parser: p, Segments: segments})
	}
	sum, err := v.runArchive(ctx, a, sources)
	if err != nil {
		return sum, err
	}
	if err := v.learn(ctx); err != nil {
		return sum, err
	}
	if err := v.noteDone(ctx, jobArchive, time.Now(), ""); err != nil {
		return sum, err
	}
	return sum, v.deleteOld(ctx, sum.Now)
}

// lockLimit is how long one waits for others that archive: on another host that
// has the same schedule, or beside the daemon.
const lockLimit = 6 * time.Hour

// runArchive archives when no other does.
func (v *vault) runArchive(ctx context.Context, a *archive.Archive, sources []archive.Source) (archive.Summary, error) {
	began := time.Now()
	for told := false; ; told = true {
		sum, err := a.Run(ctx, sources...)
		if !errors.Is(err, archive.ErrLocked) || time.Since(began) > lockLimit {
			return sum, err
		}
		if !told {
			v.log.Info("waiting for another process that archives")
		}
		if err := pauseFor(ctx, time.Second); err != nil {
			return sum, err
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
func (v *vault) rotated(ctx context.Context, in logInput) ([]archive.Segment, error) {
	files, err := v.files(in)
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
			v.log.Warn("a segment cannot be archived yet", "file", f.Name, "err", err)
			continue
		}
		out = append(out, closedSegment{f, size})
	}
	return out, nil
}

// files lists the segments of a log, the live one too.
func (v *vault) files(in logInput) ([]tailer.File, error) {
	opt, err := v.cfg().segmentOptions(in, v.log)
	if err != nil {
		return nil, err
	}
	files, err := tailer.List(opt)
	if err != nil {
		return nil, fmt.Errorf("list segments: %w", err)
	}
	return files, nil
}

// closedSegment is a file as the archive reads it.
type closedSegment struct {
	file tailer.File
	size int64
}

func (s closedSegment) ID() string   { return s.file.ID }
func (s closedSegment) Name() string { return s.file.Name }
func (s closedSegment) Size() int64  { return s.size }
func (s closedSegment) Open(ctx context.Context, from int64) (io.ReadCloser, error) {
	return s.file.Open(ctx, from)
}
