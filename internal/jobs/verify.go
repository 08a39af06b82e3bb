package jobs

import (
	"context"
	"fmt"
	"io"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
	"ddkk-stats/internal/logs"
	"ddkk-stats/internal/vault"
	"ddkk-stats/internal/verify"
	"ddkk-stats/parser"
	"ddkk-stats/tailer"
)

// Verify counts everything again. Without Redis only the archive is looked at.
// progress is told how far it is; nil: nobody asks.
func Verify(ctx context.Context, v *vault.Vault, secret []byte, scope verify.Scope, progress func(verify.Progress)) (*verify.Report, error) {
	a, err := v.Open(ctx)
	if err != nil {
		return nil, err
	}
	if err := v.LearnRules(ctx); err != nil {
		return nil, err
	}
	cfg := v.Cfg() // one set of rules for the whole recount
	opt := verify.Options{
		Archive: a, Keys: v.Keys, Location: cfg.Timezone, Logger: v.Log,
		MaxPages: cfg.MaxPagesPerSite, MaxSites: cfg.MaxSites, MaxEvents: archive.DefaultMaxEvents,
		MaxEndpoints: cfg.APIMaxEndpoints, MaxUsers: cfg.APIMaxUsers,
		IDWindow: counter.DefaultIDWindow, DedupeWindow: cfg.Dedupe.For, UVSetTTL: cfg.UVSetTTL, Uniques: cfg.Uniques, Progress: progress,
	}
	if v.Rdb != nil {
		opt.Dump = counter.NewDump(v.Rdb, v.Keys)
		opt.Mirror = counter.NewMirror(v.Rdb, v.Keys, "verify", false) // it reads only, and runs no script
	}
	for _, in := range logs.Inputs(cfg) {
		p, err := parser.New(logs.ParserOf(cfg, in, secret))
		if err != nil {
			return nil, fmt.Errorf("make parser: %w", err)
		}
		opt.Logs = append(opt.Logs, verify.Log{Parser: p, List: func(context.Context) ([]verify.Segment, error) {
			files, err := Files(ctx, v, in)
			segments := make([]verify.Segment, len(files))
			for i, f := range files {
				segments[i] = logFile{f}
			}
			return segments, err
		}})
	}
	return verify.New(opt).Run(ctx, scope)
}

// logFile is a segment, the live one too, as verify reads it.
type logFile struct{ file tailer.File }

func (f logFile) ID() string { return f.file.ID }

func (f logFile) Name() string { return f.file.Name }

func (f logFile) Live() bool { return f.file.Live }

func (f logFile) Open(ctx context.Context, from int64) (io.ReadCloser, error) {
	return f.file.Open(ctx, from)
}
