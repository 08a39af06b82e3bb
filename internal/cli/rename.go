package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"ddkk-stats/archive"
	"ddkk-stats/internal/config"
	"ddkk-stats/internal/jobs"
	"ddkk-stats/internal/vault"
	"ddkk-stats/parser"
)

func renameCommand(load func() (*config.Config, error)) *cobra.Command {
	var dryRun, list bool
	cmd := &cobra.Command{
		Use:   "rename-site OLD NEW",
		Short: "Give a site another name, or merge it into another site",
		Long: `Counts all that was counted of OLD for NEW, which may be there already: totals,
days, pages, events, facets, calls, what earlier counters had, days of which only
sums are left. It is a rule, kept in SQL: lines of OLD that come later, or are in
logs still, count for NEW on every host, and whoever asks for OLD gets NEW. Where
SITES is set it must name NEW.

A visitor of both sites counts once on days that have raw rows or a log, as far as
raw rows keep the whole address (IP_MODE); on older days the visitors of both add
up. Where both had counts of an earlier counter from the same source, these add up.
The days are counted again by the settings in force, as "recount" does. The daemons may
run meanwhile. It may be killed and run again. The way back is rename-site NEW OLD, which
takes what NEW had before along.`,
		Example: `  ddkk-stats rename-site old.example new.example --dry-run
  ddkk-stats rename-site old.example new.example
  ddkk-stats rename-site --list`,
		Args: cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := load()
			if err != nil {
				return err
			}
			return withVault(cmd, cfg, func(v *vault.Vault, secret []byte) error {
				r := &renaming{v: v, secret: secret, out: cmd.OutOrStdout(), progress: cmd.ErrOrStderr()}
				switch {
				case list:
					return listRules(cmd.Context(), v, r.out, parser.RuleRename)
				case len(args) != 2:
					return errors.New("rename-site: give the old name and the new one")
				}
				if err := r.plan(args[0], args[1]); err != nil {
					return fmt.Errorf("rename-site: %w", err)
				}
				if dryRun {
					return r.foresee(cmd.Context())
				}
				return r.run(cmd.Context())
			})
		},
	}
	f := cmd.Flags()
	f.BoolVar(&dryRun, "dry-run", false, "say what would move, and change nothing")
	f.BoolVar(&list, "list", false, "show all sites that were renamed")
	return cmd
}

// renaming is one run of the command.
type renaming struct {
	v             *vault.Vault
	secret        []byte
	out, progress io.Writer
	rule          parser.Rule
}

// plan makes the rule. One that was made, by a run that was killed, is taken up again.
func (r *renaming) plan(from, to string) error {
	cfg := r.v.Cfg()
	var ok bool
	if from, ok = parser.NormalizeSite(from); !ok {
		return errors.New("the old name is no host name")
	}
	if to, ok = parser.NormalizeSite(to); !ok {
		return errors.New("the new name is no host name")
	}
	r.rule = parser.Rule{Kind: parser.RuleRename, Site: from, To: to}
	for i := range cfg.Rules.All {
		if x := &cfg.Rules.All[i]; x.Kind == parser.RuleRename && x.Site == from && x.To == to {
			r.rule.Num = x.Num
		}
	}
	if r.rule.Num != 0 && cfg.Rules.Renamed(from) != to {
		r.rule.Num = 0 // it was renamed again since
	}
	if alias, ok := cfg.SiteAliases[to]; ok && alias != to {
		return fmt.Errorf("SITE_ALIASES counts %s for %s", to, alias)
	}
	if from == to {
		return errors.New("both names are one")
	}
	after := parser.Rules{All: append(cfg.Rules.All[:len(cfg.Rules.All):len(cfg.Rules.All)], r.rule)}
	if _, counts := cfg.WithRules(after).SiteOf(from); !counts {
		return fmt.Errorf("%s is not one of SITES: name it there, and reload the daemons", to)
	}
	return nil
}

func (r *renaming) foresee(ctx context.Context) error {
	a, err := r.v.Open(ctx)
	if err != nil {
		return err
	}
	for _, site := range []string{r.rule.Site, r.rule.To} {
		days, err := a.Holdings(ctx, site, "")
		if err != nil {
			return err
		}
		var pv int64
		sums := 0
		for _, d := range days {
			if pv += d.PV; !d.Raw {
				sums++
			}
		}
		if _, err := fmt.Fprintf(r.out, "%s: %d archived days with %d views, %d of these days without raw rows\n", site, len(days), pv, sums); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintln(r.out, "dry run: nothing was changed")
	return err
}

func (r *renaming) run(ctx context.Context) error {
	a, err := r.v.Open(ctx)
	if err != nil {
		return err
	}
	by, err := operator()
	if err != nil {
		return err
	}
	if r.rule.Num == 0 {
		if r.rule.Num, err = a.MakeRule(ctx, r.rule, by); err != nil {
			return err
		}
	}
	if err := auditRule(ctx, r.v, a, by, "site renamed", &r.rule); err != nil {
		return err
	}
	if err := r.move(ctx, a); err != nil {
		return fmt.Errorf("rename-site: %w; rule %d is kept: run the same command again", err, r.rule.Num)
	}
	_, err = fmt.Fprintf(r.out, "%s counts for %s, by rule %d\n", r.rule.Site, r.rule.To, r.rule.Num)
	return err
}

func (r *renaming) move(ctx context.Context, a *archive.Archive) error {
	if err := jobs.AwaitHosts(ctx, r.v); err != nil {
		return err
	}
	alone := func(do func() error) error {
		return jobs.InTurn(ctx, r.v, 0, func() error { return a.Alone(ctx, do) })
	}
	if err := alone(func() error { return a.MoveSite(ctx, r.rule.Site, r.rule.To) }); err != nil {
		return err
	}
	if err := a.RedoBases(ctx, r.rule.To); err != nil {
		return err
	}
	if err := a.NotePending(ctx, []string{r.rule.To}); err != nil {
		return err
	}
	if err := recountByRules(ctx, r.v, r.secret, r.rule, false, r.out, r.progress); err != nil {
		return err
	}
	// From here on daemons do not know the old name any more.
	if err := a.EndRule(ctx, r.rule.Num); err != nil {
		return err
	}
	if err := jobs.AwaitHosts(ctx, r.v); err != nil {
		return err
	}
	if r.v.Rdb != nil {
		if err := r.v.Remove(ctx, r.rule.Site); err != nil {
			return err
		}
	}
	return alone(func() error { return a.ForgetSite(ctx, r.rule.Site) })
}
