package cli

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"ddkk-stats/counter"
	"ddkk-stats/internal/config"
	"ddkk-stats/internal/doctor"
	"ddkk-stats/internal/importer"
	"ddkk-stats/parser"
)

// readOptions ask for how lines are read, instead of a look at everything.
type readOptions struct{ log, line, format, formatFrom, site string }

func checkCommand(load func() (*config.Config, error)) *cobra.Command {
	var opt readOptions
	cmd := &cobra.Command{
		Use:   "check [HOST...]",
		Short: "Check the whole setup and say how to fix what is wrong",
		Long: `Looks at the configuration, the folders, the logs and their rotation, nginx,
Redis, the clock and the port, and prints a line for each:

	ok|warn|fail  what  why, and what to do

It changes nothing and may run beside the daemon; run it as the daemon's user.
HOST are the names under which pages load the widget. The exit status is 1 when
something fails.

With --log or --line it shows instead how each field of a line was read, and what
the line would count as: a beacon, a page of an import, a call of the API. Without
--format it finds the format, says how sure that is, and what would read the lines
otherwise.`,
		RunE: func(cmd *cobra.Command, hosts []string) error {
			cfg, err := load()
			if err != nil {
				return report(cmd.OutOrStdout(), doctor.BadConfig(err))
			}
			if opt.log != "" || cmd.Flags().Changed("line") {
				return opt.show(cmd, cfg)
			}
			counter.LogTo(slog.New(slog.DiscardHandler)) // a Redis that does not answer is a finding
			c := &doctor.Checkup{Cfg: cfg, Hosts: hosts, Now: time.Now, Logrotate: doctor.LogrotateFiles}
			return report(cmd.OutOrStdout(), c.Run(cmd.Context()))
		},
	}
	f := cmd.Flags()
	f.StringVar(&opt.log, "log", "", "a log, plain or compressed, to show how its lines are read")
	f.StringVar(&opt.line, "line", "", "a line of a log, to show how it is read")
	f.StringVar(&opt.format, "format", "auto", "of --log and --line: auto, v1, combined, json, the name of another format, or the server's own log_format or LogFormat")
	f.StringVar(&opt.formatFrom, "format-from", "", "FILE:NAME: the log_format or LogFormat of that name in a server's configuration, or in what nginx -T prints")
	f.StringVar(&opt.site, "site", "", "the site of pages and calls where the log names no host")
	return cmd
}

// show shows how lines are read.
func (o *readOptions) show(cmd *cobra.Command, cfg *config.Config) (err error) {
	if o.formatFrom != "" {
		if o.format, err = formatFrom(o.formatFrom); err != nil {
			return fmt.Errorf("check: --format-from: %w", err)
		}
	}
	r := &doctor.Reading{Checkup: doctor.Checkup{Cfg: cfg, Now: time.Now}, Out: cmd.OutOrStdout()}
	if o.site != "" {
		site, ok := cfg.SiteOf(o.site)
		if !ok {
			return fmt.Errorf("check: %q is no site, or not one of SITES", o.site)
		}
		r.Site = site
	}
	if o.log == "" {
		if o.format != "auto" {
			f, err := parser.ParseFormat(o.format)
			if err != nil {
				return fmt.Errorf("check: --format: %w", err)
			}
			r.Format = &f
		}
		return r.Line(o.line)
	}
	file, err := importer.Open(o.log, time.Now())
	if err != nil {
		return fmt.Errorf("check: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if r.Format, err = wantedFormat(o.format, file); err != nil {
		return fmt.Errorf("check: --format: %w", err)
	}
	if err := r.File(cmd.Context(), file); err != nil {
		return fmt.Errorf("check: %w", err)
	}
	return nil
}

// report prints the findings. The error is errQuiet when one of them fails.
func report(w io.Writer, all []doctor.Finding) error {
	var counts [len(doctor.LevelNames)]int
	width := 0
	for _, f := range all {
		width = max(width, len(f.What))
	}
	for _, f := range all {
		counts[f.Level]++
		if _, err := fmt.Fprintf(w, "%-4s  %-*s  %s\n", f.Level, width, f.What, f.Text); err != nil {
			return fmt.Errorf("write report: %w", err)
		}
	}
	if _, err := fmt.Fprintf(w, "%d ok, %d warn, %d fail\n", counts[doctor.LevelOK], counts[doctor.LevelWarn], counts[doctor.LevelFail]); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	if counts[doctor.LevelFail] > 0 {
		return errQuiet
	}
	return nil
}
