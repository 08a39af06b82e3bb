package cli

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"ddkk-stats/internal/config"
)

func configCommand(load func() (*config.Config, error)) *cobra.Command {
	var show, asJSON bool
	var drill, environment string
	cmd := &cobra.Command{
		Use:   "config --print [--json] [NAME...] | --for-drill FILE",
		Short: "Print the settings in force, for scripts",
		Long: `Prints the settings as the daemon would take them, from the environment, the file
and the defaults: all, or those that are named. Each is a line NAME='value', which a
shell can read; of one name alone the value is printed, and with --json an object
of texts. Secrets are never printed: of one that is set it says (set).

With --for-drill it writes a new YAML file with the rules by which lines count, secrets
too, out of a backup's --config and --environment (lines as systemd reads them): without
addresses, paths, alerts and schedules, so that a restored copy touches nothing that runs.`,
		RunE: func(cmd *cobra.Command, names []string) error {
			if drill != "" {
				return writeForDrill(cmd.Flag("config").Value.String(), environment, drill)
			}
			if !show && !asJSON {
				return errors.New("config: say --print, or --json")
			}
			cfg, err := load()
			if err != nil {
				return err
			}
			return cfg.Print(cmd.OutOrStdout(), names, asJSON)
		},
	}
	cmd.Flags().BoolVar(&show, "print", false, "print settings")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print them as JSON")
	cmd.Flags().StringVar(&drill, "for-drill", "", "the YAML file to write")
	cmd.Flags().StringVar(&environment, "environment", "", "a backup's file of NAME=value lines")
	return cmd
}

func writeForDrill(file, environment, to string) error {
	text, err := config.ForDrill(file, environment)
	if err != nil {
		return fmt.Errorf("write settings for a drill: %w", err)
	}
	f, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write settings for a drill: %w", err)
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}
