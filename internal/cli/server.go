package cli

import (
	"log/slog"

	"github.com/spf13/cobra"

	"ddkk-stats/internal/config"
	"ddkk-stats/internal/daemon"
)

func serverCommand(load func() (*config.Config, error), version string) *cobra.Command {
	var validate bool
	cmd := &cobra.Command{
		Use:   "server",
		Short: "Count and serve: the daemon",
		Long: `Runs the daemon: it follows the log, counts into Redis and answers the API, the
widget and the demo page. Without settings everything is embedded and kept in
./data. SIGTERM commits what is in hand and ends it, SIGHUP reads the settings
again, SIGUSR2 makes it the binary that now lies where its own was, without
refusing a client.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load()
			if err != nil {
				return err
			}
			if validate {
				return nil
			}
			level := &slog.LevelVar{}
			return daemon.Run(cmd.Context(), cfg, daemon.Options{
				Version: version, Load: load, Log: newLogger(cmd.ErrOrStderr(), level), Level: level, Out: cmd.OutOrStdout(),
			})
		},
	}
	cmd.Flags().BoolVar(&validate, daemon.ValidateFlag, false, "read the settings, say what is wrong with them, and start nothing")
	return cmd
}
