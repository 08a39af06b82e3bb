package cli

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"ddkk-stats/internal/config"
	"ddkk-stats/internal/doctor"
)

func checkCommand(load func() (*config.Config, error)) *cobra.Command {
	return &cobra.Command{
		Use:   "check [HOST...]",
		Short: "Check the whole setup and say how to fix what is wrong",
		Long: `Looks at the configuration, the folders, the logs and their rotation, nginx,
Redis, the clock and the port, and prints a line for each:

	ok|warn|fail  what  why, and what to do

It changes nothing and may run beside the daemon; run it as the daemon's user.
HOST are the names under which pages load the widget. The exit status is 1 when
something fails.`,
		RunE: func(cmd *cobra.Command, hosts []string) error {
			cfg, err := load()
			if err != nil {
				return report(cmd.OutOrStdout(), doctor.BadConfig(err))
			}
			c := &doctor.Checkup{Cfg: cfg, Hosts: hosts, Now: time.Now,
				Logrotate: []string{"/etc/logrotate.conf", "/etc/logrotate.d/*"}}
			return report(cmd.OutOrStdout(), c.Run(cmd.Context()))
		},
	}
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
