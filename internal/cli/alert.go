package cli

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"ddkk-stats/internal/alert"
	"ddkk-stats/internal/config"
	"ddkk-stats/internal/options"
)

func alertCommand(load func() (*config.Config, error)) *cobra.Command {
	var test bool
	cmd := &cobra.Command{
		Use:   "alert --test",
		Short: "Post a test alert to ALERT_URL",
		Long: `Posts one alert to ALERT_URL as the daemon would, in the format of ALERT_FORMAT, and
says whether the receiver took it. The address is not printed.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !test {
				return errors.New("alert: say --test")
			}
			cfg, err := load()
			if err != nil {
				return err
			}
			to := options.Alert(cfg)
			if to.URL == "" {
				return errors.New("alert: ALERT_URL is empty, so nobody is told; set it to the address of an incoming webhook")
			}
			host, err := os.Hostname()
			if err != nil {
				return fmt.Errorf("name this host: %w", err)
			}
			m := alert.Message{Name: "DdkkTest", Severity: alert.Warning, Summary: "a test by `ddkk-stats alert --test`; nothing is wrong", Since: time.Now().UTC().Truncate(time.Second)}
			if err := alert.NewWebhook(host, slog.New(slog.DiscardHandler)).Try(cmd.Context(), time.Now(), to, m); err != nil {
				return fmt.Errorf("cannot post a test alert as %s: %w; look at ALERT_URL, ALERT_FORMAT and ALERT_SECRET", to.Is(), err)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "posted a test alert as %s; the receiver took it\n", to.Is())
			return err
		},
	}
	cmd.Flags().BoolVar(&test, "test", false, "post a test alert")
	return cmd
}
