package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"ddkk-stats/counter"
	"ddkk-stats/internal/config"
	"ddkk-stats/internal/jobs"
	"ddkk-stats/internal/vault"
)

// mirrorOptions are what a person asks for.
type mirrorOptions struct {
	site          string
	rebuild, stop bool
}

func mirrorCommand(load func() (*config.Config, error)) *cobra.Command {
	var opt mirrorOptions
	cmd := &cobra.Command{
		Use:   "mirror",
		Short: "Update page_counts in SQL now, or rebuild it",
		Long: `Adds what changed since the last time to page_counts (see docs/MIRROR.md), as
the daemon does by FLUSH_CRON. It may run at any time, also beside daemons.

--rebuild compares page_counts with the totals of every page and brings what
differs, whatever happened to the table. It may be killed and run again.

--stop ends the mirror of a site: Redis notes no changes any more, and the table
stays as it is. Set FLUSH_CRON=off everywhere first, or a daemon begins it anew.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load()
			if err != nil {
				return err
			}
			return runMirror(cmd, cfg, opt)
		},
	}
	f := cmd.Flags()
	f.StringVar(&opt.site, "site", "", "the site, such as ddkk.com (default every site)")
	f.BoolVar(&opt.rebuild, "rebuild", false, "compare all pages and bring what differs")
	f.BoolVar(&opt.stop, "stop", false, "end the mirror, and keep the table")
	cmd.MarkFlagsMutuallyExclusive("rebuild", "stop")
	return cmd
}

var errMirrorNeedsRedis = errors.New("mirror: REDIS_ADDR is not set. The embedded store can be reached by the daemon alone, which brings page_counts up to date by FLUSH_CRON")

func runMirror(cmd *cobra.Command, cfg *config.Config, opt mirrorOptions) error {
	if len(cfg.Redis.Addrs) == 0 {
		return errMirrorNeedsRedis
	}
	return withVault(cmd, cfg, func(v *vault.Vault, _ []byte) error {
		return mirrorNow(cmd.Context(), v, cmd.OutOrStdout(), opt)
	})
}

func mirrorNow(ctx context.Context, v *vault.Vault, out io.Writer, opt mirrorOptions) error {
	f, m, err := jobs.NewFlusher(v, v.Rdb, false, nil)
	if err != nil {
		return err
	}
	if !opt.rebuild && !opt.stop && opt.site == "" {
		if err := f.Flush(ctx); err != nil {
			return err
		}
		return printFlushed(out, f.Stats().Flushes, f.Stats().Rows)
	}
	sites, err := mirrored(ctx, v, m, opt.site)
	if err != nil {
		return err
	}
	for _, site := range sites {
		switch {
		case opt.stop:
			err = m.Drop(ctx, site)
		case opt.rebuild:
			err = f.Rebuild(ctx, site)
		default:
			err = f.FlushSite(ctx, site)
		}
		if err != nil {
			return err
		}
	}
	return printFlushed(out, f.Stats().Flushes, f.Stats().Rows)
}

func printFlushed(out io.Writer, flushes, rows int64) error {
	_, err := fmt.Fprintf(out, "%d flushes, %d rows of page_counts written\n", flushes, rows)
	return err
}

// mirrored are the sites that were asked for.
func mirrored(ctx context.Context, v *vault.Vault, m *counter.Mirror, asked string) ([]string, error) {
	if asked == "" {
		return m.Sites(ctx)
	}
	site, ok := v.Cfg().SiteOf(asked)
	if !ok {
		return nil, fmt.Errorf("mirror: %q is no site, or not one of SITES", asked)
	}
	return []string{site}, nil
}
