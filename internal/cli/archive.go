package cli

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
	"ddkk-stats/internal/config"
	"ddkk-stats/internal/jobs"
	"ddkk-stats/internal/options"
	"ddkk-stats/internal/vault"
)

func archiveCommand(load func() (*config.Config, error)) *cobra.Command {
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
			return withVault(cmd, cfg, func(v *vault.Vault, secret []byte) error {
				if confirm {
					a, err := v.Open(cmd.Context())
					if err != nil {
						return err
					}
					if err := a.Confirm(cmd.Context()); err != nil {
						return err
					}
				}
				sum, err := jobs.Archive(cmd.Context(), v, secret)
				if err != nil {
					return err
				}
				if err := printSummary(cmd.OutOrStdout(), sum); err != nil {
					return err
				}
				return printNotArchived(cmd.Context(), v, cmd.OutOrStdout())
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
func printNotArchived(ctx context.Context, v *vault.Vault, w io.Writer) error {
	left, err := jobs.Remaining(ctx, v, time.Now())
	if err != nil || len(left) == 0 {
		return err
	}
	if _, err := fmt.Fprintf(w, "not archived yet: %d lines in %d segments\n", jobs.LinesOf(left), len(left)); err != nil {
		return err
	}
	return printRemaining(w, left, v.Cfg())
}

// withVault runs a command that needs the archive and the visitors' secret.
func withVault(cmd *cobra.Command, cfg *config.Config, f func(v *vault.Vault, secret []byte) error) error {
	return openVault(cmd, cfg, func(v *vault.Vault) error {
		secret, err := v.VisitorSecret(cmd.Context())
		if err != nil {
			return err
		}
		return f(v, secret)
	})
}

// openVault opens the archive, as withVault does, and asks Redis nothing.
func openVault(cmd *cobra.Command, cfg *config.Config, f func(v *vault.Vault) error) (err error) {
	log := newLogger(cmd.ErrOrStderr(), cfg.LogLevel)
	keys := counter.NewKeys(cfg.RedisPrefix, cfg.Redis.IsCluster())
	var rdb redis.UniversalClient
	if len(cfg.Redis.Addrs) > 0 {
		rdb = counter.Connect(options.Redis(cfg))
		defer func() { err = errors.Join(err, rdb.Close()) }()
	}
	if err := os.MkdirAll(cfg.DataDir, 0o750); err != nil {
		return fmt.Errorf("make DATA_DIR: %w", err)
	}
	v := vault.New(config.NewLive(cfg), rdb, keys, log)
	defer func() { err = errors.Join(err, v.Close()) }()
	if err := v.LearnRules(cmd.Context()); err != nil {
		return err
	}
	return f(v)
}
