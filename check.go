package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func checkCommand(load func() (*Config, error)) *cobra.Command {
	return &cobra.Command{
		Use:   "check [HOST...]",
		Short: "Look at everything that can be set up wrong, and say how to mend it",
		Long: `Looks at the configuration, the folders, the logs and their rotation, nginx,
Redis, the clock and the port, and prints a line for each:

	ok|warn|fail  what  why, and what to do

It changes nothing and may run beside the daemon; run it as the daemon's user.
HOST are the names under which pages load the widget. The exit status is 1 when
something fails.`,
		RunE: func(cmd *cobra.Command, hosts []string) error {
			cfg, err := load()
			if err != nil {
				return report(cmd.OutOrStdout(), badConfig(err))
			}
			c := &checkup{cfg: cfg, hosts: hosts, now: time.Now,
				logrotate: []string{"/etc/logrotate.conf", "/etc/logrotate.d/*"}}
			return report(cmd.OutOrStdout(), c.run(cmd.Context()))
		},
	}
}

// level is how bad a finding is.
type level uint8

const (
	levelOK   level = iota
	levelWarn       // works, but not as well as it should
	levelFail       // does not work, or loses views
)

var levelNames = [...]string{levelOK: "ok", levelWarn: "warn", levelFail: "fail"}

func (l level) String() string { return levelNames[l] }

// finding is one line of the report.
type finding struct {
	level level
	what  string // a setting, or what the setting leads to
	text  string // why, and what to do
}

func found(l level, what, format string, args ...any) finding {
	return finding{l, what, fmt.Sprintf(format, args...)}
}

func fine(what, format string, args ...any) finding { return found(levelOK, what, format, args...) }
func poor(what, format string, args ...any) finding { return found(levelWarn, what, format, args...) }
func bad(what, format string, args ...any) finding  { return found(levelFail, what, format, args...) }

// checkup is what the checks look at.
type checkup struct {
	cfg       *Config
	hosts     []string // under which pages load the widget, from the command line
	now       func() time.Time
	logrotate []string      // patterns of logrotate's files
	limit     time.Duration // of one look; 0: lookLimit
}

// checks are all of them in the order of the report. A check returns at least
// one finding for what it looked at, none for what is not in use.
var checks = []func(*checkup, context.Context) []finding{
	(*checkup).config, (*checkup).hostNames, (*checkup).admin, (*checkup).secretFiles,
	(*checkup).timezone, (*checkup).dataDir, (*checkup).owners, (*checkup).logFiles, (*checkup).privateLogs, (*checkup).logLines,
	(*checkup).segments, (*checkup).rotation, (*checkup).nginxPID,
	(*checkup).redis, (*checkup).archive, (*checkup).port,
}

func (c *checkup) run(ctx context.Context) []finding {
	var all []finding
	for _, check := range checks {
		all = append(all, c.within(ctx, check)...)
	}
	return all
}

// lookLimit is how long one look may take: a file system or a server that is not
// there any more may answer never.
const lookLimit = 30 * time.Second

// within makes one look, and gives up on it in time.
func (c *checkup) within(ctx context.Context, check func(*checkup, context.Context) []finding) []finding {
	limit := cmp.Or(c.limit, lookLimit)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	found := make(chan []finding, 1)
	go func() { found <- check(c, ctx) }() // ends with the program at the latest
	late := time.NewTimer(limit + limit/10)
	defer late.Stop()
	select {
	case all := <-found:
		return all
	case <-late.C:
		name := runtime.FuncForPC(reflect.ValueOf(check).Pointer()).Name()
		return []finding{bad("check", "the look at %s did not end in %v: a disk, a network file system or a server does not answer", name[strings.LastIndexByte(name, '.')+1:], limit)}
	}
}

// report prints the findings. The error is errQuiet when one of them fails.
func report(w io.Writer, all []finding) error {
	var counts [len(levelNames)]int
	width := 0
	for _, f := range all {
		width = max(width, len(f.what))
	}
	for _, f := range all {
		counts[f.level]++
		if _, err := fmt.Fprintf(w, "%-4s  %-*s  %s\n", f.level, width, f.what, f.text); err != nil {
			return fmt.Errorf("write report: %w", err)
		}
	}
	if _, err := fmt.Fprintf(w, "%d ok, %d warn, %d fail\n", counts[levelOK], counts[levelWarn], counts[levelFail]); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	if counts[levelFail] > 0 {
		return errQuiet
	}
	return nil
}

// badConfig is the report on a configuration that the daemon would refuse.
func badConfig(err error) []finding {
	var list interface{ Unwrap() []error }
	if !errors.As(err, &list) {
		return []finding{bad("configuration", "%v", err)}
	}
	var all []finding
	for _, e := range list.Unwrap() {
		what := "configuration"
		var s *SettingError
		if errors.As(e, &s) {
			what = s.Name
		}
		all = append(all, bad(what, "%v", e))
	}
	return all
}
