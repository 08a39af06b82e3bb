package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"ddkk-stats/internal/config"
)

func configCommand(load func() (*config.Config, error)) *cobra.Command {
	var show, asJSON bool
	cmd := &cobra.Command{
		Use:   "config --print [NAME...]",
		Short: "Print the settings in force, for scripts",
		Long: `Prints the settings as the daemon would take them, from the environment, the file
and the defaults: all, or those that are named. Each is a line NAME='value', which a
shell can read; of one name alone the value is printed, and with --json an object
of texts. Secrets are never printed: of one that is set it says (set).`,
		RunE: func(cmd *cobra.Command, names []string) error {
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
	return cmd
}
