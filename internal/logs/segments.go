package logs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"ddkk-stats/internal/config"
	"ddkk-stats/parser"
	"ddkk-stats/tailer"
)

// MaxPassed is how many files that are passed over are named.
const MaxPassed = 20

// SegmentOptions is how the segments of a log are found and told apart: the
// same for counting, archiving, verifying and checking.
func SegmentOptions(c *config.Config, in Input, log *slog.Logger) (tailer.Options, error) {
	at, err := lineTime(c, in)
	if err != nil {
		return tailer.Options{}, err
	}
	opt := tailer.Options{Path: in.Path, Identify: in.identify, Telling: Telling, Erased: parser.HasErased, Time: at, MaxLine: parser.MaxLine, Logger: log}
	role := "beacon"
	switch {
	case in.Calls:
		opt.Segments, role = c.LogSegments.Site, "site"
	case in.Views:
		opt.Segments, role = c.LogSegments.Site, "views"
	case in.Path == c.AccessLog:
		opt.Segments, role = c.LogSegments.Access, "access"
	}
	opt.Memory = filepath.Join(c.DataDir, "segments."+role+".json")
	for _, other := range Inputs(c) {
		if other.Path == in.Path {
			continue
		}
		path, err := filepath.Abs(other.Path)
		if err != nil {
			return tailer.Options{}, fmt.Errorf("find log: %w", err)
		}
		opt.Except = append(opt.Except, path)
	}
	return opt, nil
}

// lineTime is the time of a line as the log's format has it; 0 for a line that
// is not of that format.
func lineTime(c *config.Config, in Input) (func([]byte) int64, error) {
	return parser.LineTime(parser.Config{Format: in.Format, Location: c.Timezone, JSONFields: c.JSONFields})
}

// Telling reports whether a line may tell a log from others: it has a time in
// it, or at least as many digits. It must not change from one version to the
// next, since identities depend on it: so it asks no parser.
func Telling(line []byte) bool {
	const digitsOfTime = 8
	if parser.IsErased(line) {
		return true // as what it was did
	}
	n := 0
	for i, b := range line {
		if i == 0 && b == '#' {
			return false
		}
		if '0' <= b && b <= '9' {
			if n++; n == digitsOfTime {
				return true
			}
		}
	}
	return false
}

// PassedOver are the files beside the logs that are none of their segments
// although their names look like it.
func PassedOver(ctx context.Context, c *config.Config) (map[string][]tailer.Passed, error) {
	all := map[string][]tailer.Passed{}
	ours := map[string]bool{}
	var errs []error
	for _, in := range Inputs(c) {
		opt, err := SegmentOptions(c, in, nil)
		if err != nil {
			return nil, err
		}
		l, err := tailer.Look(opt)
		if err != nil {
			errs = append(errs, fmt.Errorf("look at the files beside %s: %w", in.Path, err))
			continue
		}
		for _, name := range l.Names {
			ours[name] = true
		}
		all[in.Path] = l.Passed
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	for path, passed := range all { // what is one log's is not told as the other's
		kept := passed[:0]
		for _, p := range passed {
			if !ours[p.Name] {
				kept = append(kept, p)
			}
		}
		all[path] = kept
	}
	return all, errors.Join(errs...)
}
