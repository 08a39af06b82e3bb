package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"ddkk-stats/internal/config"
	"ddkk-stats/internal/jobs"
	"ddkk-stats/internal/vault"
	"ddkk-stats/parser"
	"ddkk-stats/queryapi"
)

// voidOptions are what a person asks for.
type voidOptions struct {
	site, ip, agent, referrer, page, where, from, to string
	undo                                             int64
	dryRun, list                                     bool
}

func voidCommand(load func() (*config.Config, error)) *cobra.Command {
	var opt voidOptions
	cmd := &cobra.Command{
		Use:   "void",
		Short: "Take a wave of spam out of all numbers, or put it back",
		Long: `Takes the views, events and API calls of a site out of all numbers that all of
what is said is true of: the days, and a network, a part of the user agent, the
host of the referrer, a page, or what Explore filters by. It is a rule with a number, kept in SQL: counting,
the archive, rebuilds, restores and recounts obey it, on every host.

--undo takes the rule back, and the numbers are what they were. Nothing is
deleted for that: the log has the lines, and raw rows whose log is gone are put
aside as long as raw rows are kept (RAW_RETENTION_DAYS). A file of a log that
has such lines is kept as long, too. Days without raw rows stay as they are.

The days are counted again by the settings in force, as "recount" does. The daemons may run
meanwhile. It may be killed; run "void --list" to see whether the rule was made, and
"recount" for its days. In --page "*" stands for anything.`,
		Example: `  ddkk-stats void --site ddkk.com --ip 203.0.113.0/24 --from 2026-11-20 --to 2026-11-21 --dry-run
  ddkk-stats void --site ddkk.com --referrer spam.example --from 2026-11-01 --to 2026-11-30
  ddkk-stats void --list
  ddkk-stats void --undo 3`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load()
			if err != nil {
				return err
			}
			return withVault(cmd, cfg, func(v *vault.Vault, secret []byte) error {
				r := &voiding{v: v, secret: secret, opt: opt, out: cmd.OutOrStdout(), progress: cmd.ErrOrStderr()}
				switch {
				case opt.list:
					return listRules(cmd.Context(), v, r.out, parser.RuleVoid)
				case opt.undo != 0:
					return r.undo(cmd.Context())
				}
				return r.run(cmd.Context())
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&opt.site, "site", "", "the site")
	f.StringVar(&opt.ip, "ip", "", "an address, or a network such as 203.0.113.0/24")
	f.StringVar(&opt.agent, "agent", "", "a text in the user agent")
	f.StringVar(&opt.referrer, "referrer", "", "the host that led to the page")
	f.StringVar(&opt.page, "page", "", "a page, or a pattern such as /tag/*")
	f.StringVar(&opt.where, "where", "", "what report --where takes, such as 'country:DE !browser:Firefox*'")
	f.StringVar(&opt.from, "from", "", "the first day, as 2026-11-20, or its moment, as \"2026-11-20 14:00\"")
	f.StringVar(&opt.to, "to", "", "the last day, which is included, or the moment that it ends at")
	f.BoolVar(&opt.dryRun, "dry-run", false, "say what would go, by day, and change nothing")
	f.BoolVar(&opt.list, "list", false, "show all rules of this kind")
	f.Int64Var(&opt.undo, "undo", 0, "put back what the rule with this number took out")
	return cmd
}

// voiding is one run of the command.
type voiding struct {
	v             *vault.Vault
	secret        []byte
	opt           voidOptions
	out, progress io.Writer
}

// plan makes the rule of what was asked for.
func (r *voiding) plan() (rule parser.Rule, err error) {
	o, loc := &r.opt, r.v.Cfg().Timezone
	rule.Kind = parser.RuleVoid
	if o.site == "" || o.from == "" || o.to == "" {
		return rule, errors.New("void: say which views, with --site, --from, --to and what they have in common; or --list, or --undo")
	}
	if rule.Site, err = jobs.SiteOf(r.v.Cfg(), o.site); err != nil {
		return rule, fmt.Errorf("void: --site: %w", err)
	}
	if rule.From, err = moment("--from", o.from, loc, 0); err != nil {
		return rule, err
	}
	if rule.Until, err = moment("--to", o.to, loc, 1); err != nil {
		return rule, err
	}
	if rule.From >= rule.Until {
		return rule, fmt.Errorf("void: --from=%s is not before --to=%s", o.from, o.to)
	}
	if o.ip != "" {
		if rule.Net, err = network(o.ip); err != nil {
			return rule, err
		}
	}
	rule.Agent, rule.Page = o.agent, o.page
	terms, err := queryapi.ParseWhere(o.where)
	if err != nil {
		return rule, fmt.Errorf("void: --where: %w", err)
	}
	for _, t := range terms {
		rule.Where = append(rule.Where, parser.RuleTerm(t))
	}
	if o.referrer != "" {
		name, ok := parser.NormalizeSite(o.referrer)
		if !ok {
			return rule, fmt.Errorf("void: --referrer=%s is no host name", o.referrer)
		}
		rule.Referrer = name
	}
	return rule, nil
}

// moment is a day's beginning (of the one after it, if days is 1), or a moment.
func moment(flag, text string, loc *time.Location, days int) (int64, error) {
	if at, err := time.ParseInLocation(time.DateOnly, text, loc); err == nil {
		return at.AddDate(0, 0, days).UnixMilli(), nil
	}
	for _, layout := range []string{"2006-01-02 15:04", time.DateTime, time.RFC3339} {
		if at, err := time.ParseInLocation(layout, text, loc); err == nil {
			return at.UnixMilli(), nil
		}
	}
	return 0, fmt.Errorf("void: %s=%s: use a day such as 2026-11-20, or a moment such as \"2026-11-20 14:00\"", flag, text)
}

func network(text string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p.Masked(), nil
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("void: --ip=%s: use an address, or a network such as 203.0.113.0/24", text)
	}
	addr = addr.Unmap().WithZone("")
	return netip.PrefixFrom(addr, addr.BitLen()), nil
}

func (r *voiding) run(ctx context.Context) error {
	rule, err := r.plan()
	if err != nil {
		return err
	}
	if r.opt.dryRun {
		return recountByRules(ctx, r.v, r.secret, rule, true, r.out, r.progress)
	}
	a, err := r.v.Open(ctx)
	if err != nil {
		return err
	}
	by, err := operator()
	if err != nil {
		return err
	}
	if rule.Num, err = a.MakeRule(ctx, rule, by); err != nil {
		return err
	}
	if err := auditRule(ctx, r.v, a, by, "views taken out", &rule); err != nil {
		return err
	}
	if err := r.apply(ctx, &rule, true); err != nil {
		return err
	}
	_, err = fmt.Fprintf(r.out, "void, by rule %d; void --undo %d puts it back\n", rule.Num, rule.Num)
	return err
}

// apply counts the days of a rule again, once everybody counts by the rules of now.
func (r *voiding) apply(ctx context.Context, rule *parser.Rule, inForce bool) error {
	err := jobs.ApplyVoid(ctx, r.v, rule, inForce, func() error { return recountByRules(ctx, r.v, r.secret, *rule, false, r.out, r.progress) })
	if err != nil {
		return fmt.Errorf("void: rule %d: %w; then recount its days: ddkk-stats recount --force --site=%s", rule.Num, err, rule.Site)
	}
	return nil
}

// undo puts back what a rule took out.
func (r *voiding) undo(ctx context.Context) error {
	a, err := r.v.Open(ctx)
	if err != nil {
		return err
	}
	kept, ok, err := jobs.FindVoid(ctx, a, r.opt.undo)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("void: there is no rule %d of this kind; void --list shows them", r.opt.undo)
	}
	rule := kept.Rule
	by, err := operator()
	if err != nil {
		return err
	}
	rule.Site = r.v.Cfg().Rules.Renamed(rule.Site)
	if err := a.UndoRule(ctx, rule.Num); err != nil {
		return err
	}
	if err := auditRule(ctx, r.v, a, by, "views put back", &rule); err != nil {
		return err
	}
	n, err := jobs.PutBack(ctx, r.v, &rule)
	if err != nil {
		return fmt.Errorf("void: %w; run the same command again", err)
	}
	if n > 0 {
		if _, err := fmt.Fprintf(r.out, "%d raw rows are back whose log is gone\n", n); err != nil {
			return err
		}
	}
	if err := r.apply(ctx, &rule, false); err != nil {
		return err
	}
	_, err = fmt.Fprintf(r.out, "rule %d is undone\n", rule.Num)
	return err
}
