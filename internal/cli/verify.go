package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"ddkk-stats/internal/config"
	"ddkk-stats/internal/jobs"
	"ddkk-stats/internal/vault"
	"ddkk-stats/internal/verify"
)

// verifyOptions are what a person asks for.
type verifyOptions struct {
	site   string
	days   int
	json   bool
	repair bool
}

func verifyCommand(load func() (*config.Config, error)) *cobra.Command {
	var opt verifyOptions
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Recount the log and the archive, and compare with what is shown",
		Long: `Counts again what the log and the archive have, apart from the daemon, and
compares every counter in Redis with it; and compares the archive's sums with
its raw rows, and page_counts with the totals of pages. It may run at any time,
also beside a daemon that is counting. The daemon does the same by VERIFY_CRON.

It prints what became of the lines of each segment, each key that differs (100
of a site at most), and ends with status 1 if there are any, or if something
could not be verified. Without REDIS_ADDR only the archive is verified: the
embedded store can be reached by the daemon alone.

--repair rebuilds sites that differ, sums of days, and page_counts, and verifies
them again. A site is left as it is when a rebuild would lose lines.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load()
			if err != nil {
				return err
			}
			return withVault(cmd, cfg, func(v *vault.Vault, secret []byte) error {
				return verifyNow(cmd, v, secret, opt)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&opt.site, "site", "", "the site, such as ddkk.com (default every site)")
	f.IntVar(&opt.days, "days", 0, "add up the raw rows of so many days back (default all)")
	f.BoolVar(&opt.json, "json", false, "print the report as JSON")
	f.BoolVar(&opt.repair, "repair", false, "rebuild what differs and verify again")
	return cmd
}

func verifyNow(cmd *cobra.Command, v *vault.Vault, secret []byte, opt verifyOptions) error {
	scope := verify.Scope{Days: opt.days}
	if opt.site != "" {
		var ok bool
		if scope.Site, ok = v.Cfg().SiteOf(opt.site); !ok {
			return fmt.Errorf("verify: %q is no site, or not one of SITES", opt.site)
		}
	}
	ctx, out := cmd.Context(), cmd.OutOrStdout()
	r, err := jobs.Verify(ctx, v, secret, scope, nil)
	if err != nil {
		return err
	}
	if opt.repair && r.Differences > 0 {
		if err := repair(ctx, v, cmd.ErrOrStderr(), r); err != nil {
			return err
		}
		if r, err = jobs.Verify(ctx, v, secret, scope, nil); err != nil {
			return err
		}
	}
	if _, err := v.NoteVerified(ctx, r, scope == verify.Scope{}); err != nil {
		return err
	}
	write := r.Write
	if opt.json {
		write = r.WriteJSON
	}
	if err := write(out); err != nil {
		return err
	}
	if !r.OK() {
		return errQuiet
	}
	return nil
}

// repair sums up again the days, and rebuilds the sites, that differ, and the
// mirrors of sites where nothing else does. Sites whose counted segments are not
// to be had any more stay as they are: a rebuild would lose what those counted.
func repair(ctx context.Context, v *vault.Vault, out io.Writer, r *verify.Report) error {
	a, err := v.Open(ctx)
	if err != nil {
		return err
	}
	for _, s := range r.Sites {
		if s.Differences == 0 {
			continue
		}
		if err := a.Redo(ctx, s.Site, s.WrongDays); err != nil {
			return err
		}
		if err := a.RedoCalls(ctx, s.Site, s.WrongCallDays); err != nil {
			return err
		}
		if s.Bases > 0 {
			fmt.Fprintf(out, "%s: %d differences of bases in page_counts; summing them up again\n", s.Site, s.Bases)
			if err := a.RedoBases(ctx, s.Site); err != nil {
				return err
			}
		}
		if v.Rdb == nil {
			continue
		}
		if err := repairSite(ctx, v, out, s); err != nil {
			return err
		}
	}
	return nil
}

// repairSite mends what differs in Redis and in page_counts. After a rebuild of
// the site the next flush begins its mirror anew, when all is counted again.
func repairSite(ctx context.Context, v *vault.Vault, out io.Writer, s *verify.SiteReport) error {
	switch {
	case s.Differences == s.Mirror+s.Bases:
	case len(s.Lacking) > 0:
		fmt.Fprintf(out, "%s is not rebuilt: %d counted segments are neither on this disk nor archived; bring them back or archive them first\n",
			s.Site, len(s.Lacking))
	default:
		fmt.Fprintf(out, "%s: %d differences; rebuilding it\n", s.Site, s.Differences)
		if _, err := v.Rebuild(ctx, s.Site, newBar(out, "rebuilding "+s.Site)); err != nil {
			return fmt.Errorf("rebuild %s: %w", s.Site, err)
		}
		return nil
	}
	if s.Mirror == 0 {
		return nil
	}
	fmt.Fprintf(out, "%s: %d differences in page_counts; rebuilding its mirror\n", s.Site, s.Mirror)
	f, _, err := jobs.NewFlusher(v, v.Rdb, false, nil)
	if err != nil {
		return err
	}
	return f.Rebuild(ctx, s.Site)
}
