package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/user"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
	"ddkk-stats/internal/config"
	"ddkk-stats/internal/jobs"
	"ddkk-stats/internal/vault"
	"ddkk-stats/parser"
)

// deleteOptions are what a person asks for.
type deleteOptions struct {
	site, page, visitor, agent string
	yes                        string
	dryRun, list               bool
}

func deleteCommand(load func() (*config.Config, error)) *cobra.Command {
	var opt deleteOptions
	cmd := &cobra.Command{
		Use:   "delete",
		Short: "Delete a site, a page or a visitor for ever",
		Long: `Deletes what was counted until now of a site, of a page of it, or of a visitor: in
Redis, in SQL (raw rows, sums, facets, calls, page_counts) and in the rotated log
files, where the lines are overwritten. A rule is kept in SQL that leaves the
same lines out of every rebuild, restore, recount and import, so it does not
come back. What comes later counts again.

Lines in a live log stay until it is rotated; the rule passes over them. Other
hosts erase their own logs at their next archive cycle, or by "ddkk-stats
archive"; --list shows who still has to.

A page's days without raw rows keep their sums: its views are there under
__other__. A visitor is found by the address (of IPv6 by its /64), with --agent
only together with exactly this user agent; days without raw rows hold nothing
of a person. The rule itself keeps a hash of the address, not the address.

What must be typed is the site, the page or the address: on a terminal it is
asked for, elsewhere --yes-delete has it. The daemons may run meanwhile. It may be killed
and run again.`,
		Example: `  ddkk-stats delete --site old.example --dry-run
  ddkk-stats delete --site old.example --yes-delete old.example
  ddkk-stats delete --site ddkk.com --page /draft
  ddkk-stats delete --visitor 203.0.113.7
  ddkk-stats delete --list`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load()
			if err != nil {
				return err
			}
			return withVault(cmd, cfg, func(v *vault.Vault, secret []byte) error {
				if opt.list {
					return listRules(cmd.Context(), v, cmd.OutOrStdout(), parser.RuleDelete)
				}
				d := &deleting{v: v, secret: secret, opt: opt, in: cmd.InOrStdin(), out: cmd.OutOrStdout(), progress: cmd.ErrOrStderr()}
				return d.run(cmd.Context())
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&opt.site, "site", "", "the site, or the one that --page or --visitor is narrowed to")
	f.StringVar(&opt.page, "page", "", "one page of --site, as it is shown")
	f.StringVar(&opt.visitor, "visitor", "", "who had this address")
	f.StringVar(&opt.agent, "agent", "", "of --visitor: with exactly this user agent alone")
	f.BoolVar(&opt.dryRun, "dry-run", false, "say what would go, by day, and change nothing")
	f.StringVar(&opt.yes, "yes-delete", "", "what is deleted, typed once more: the site, the page or the address")
	f.BoolVar(&opt.list, "list", false, "show what was deleted, and which hosts still have it in their logs")
	return cmd
}

// deleting is one run of the command.
type deleting struct {
	v        *vault.Vault
	secret   []byte
	opt      deleteOptions
	in       io.Reader
	out      io.Writer
	progress io.Writer

	rule parser.Rule
	word string // that has to be typed
}

// plan makes the rule of what was asked for.
func (d *deleting) plan(now time.Time) error {
	o := &d.opt
	d.rule = parser.Rule{Kind: parser.RuleDelete, Until: now.UnixMilli()}
	switch {
	case o.visitor != "" && o.page != "":
		return errors.New("delete: give --page or --visitor, not both")
	case o.visitor == "" && o.agent != "":
		return errors.New("delete: --agent goes with --visitor")
	case o.site == "" && o.visitor == "":
		return errors.New("delete: say what, with --site, --page and --site, or --visitor; or --list")
	}
	if o.site != "" {
		site, err := jobs.SiteOf(d.v.Cfg(), o.site)
		if err != nil {
			return fmt.Errorf("delete: --site: %w", err)
		}
		d.rule.Site, d.word = site, site
	}
	if o.page != "" {
		d.rule.Page = d.v.Cfg().PageOf(d.rule.Site, []byte(o.page))
		d.word = d.rule.Page
	}
	if o.visitor != "" {
		addr, err := netip.ParseAddr(o.visitor)
		if err != nil {
			return fmt.Errorf("delete: --visitor=%s: use an address such as 203.0.113.7", o.visitor)
		}
		var agent []byte
		if o.agent != "" {
			agent = []byte(o.agent)
		}
		d.rule.Addr, d.rule.Agents, d.word = addr.Unmap(), agent != nil, o.visitor
		d.rule.Client = parser.ClientHash(d.secret, addr, agent)
	}
	return nil
}

func (d *deleting) run(ctx context.Context) error {
	if err := d.plan(time.Now()); err != nil {
		return err
	}
	if d.opt.dryRun {
		return d.foresee(ctx)
	}
	if err := d.confirm(); err != nil {
		return err
	}
	a, err := d.v.Open(ctx)
	if err != nil {
		return err
	}
	by, err := operator()
	if err != nil {
		return err
	}
	if d.rule.Num, err = a.MakeRule(ctx, d.rule, by); err != nil {
		return err
	}
	if err := auditRule(ctx, d.v, a, by, "deletion ordered", &d.rule); err != nil {
		return err
	}
	if err := jobs.AwaitHosts(ctx, d.v); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	if d.rule.WholeSite() {
		err = d.site(ctx, a)
	} else {
		err = d.part(ctx, a)
	}
	if err != nil {
		return fmt.Errorf("delete: %w; rule %d is kept: run the same command again", err, d.rule.Num)
	}
	if err := auditRule(ctx, d.v, a, by, "deletion carried out", &d.rule); err != nil {
		return err
	}
	return d.left(ctx, a)
}

// confirm has the word typed.
func (d *deleting) confirm() error {
	typed := d.opt.yes
	if _, ok := terminal(d.out); ok && typed == "" {
		fmt.Fprintf(d.out, "This deletes for ever. Type %s to go on: ", d.word)
		line, err := bufio.NewReader(d.in).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read what was typed: %w", err)
		}
		typed = strings.TrimSpace(line)
	}
	if typed != d.word {
		return fmt.Errorf("delete: nothing was changed; to go on add --yes-delete %q", d.word)
	}
	return nil
}

// site deletes all of a site.
func (d *deleting) site(ctx context.Context, a *archive.Archive) error {
	purge := func() error {
		return jobs.InTurn(ctx, d.v, 0, func() error {
			return a.Alone(ctx, func() error { return a.PurgeSite(ctx, d.rule.Site, d.rule.Until) })
		})
	}
	// page_counts names the documents of the search index, so these come first.
	pages, err := jobs.IndexedPages(ctx, d.v, d.rule.Site)
	if err != nil {
		return err
	}
	if err := jobs.Unindex(ctx, d.v, d.rule.Site, pages); err != nil {
		return err
	}
	if err := purge(); err != nil {
		return err
	}
	if err := d.erase(ctx); err != nil {
		return err
	}
	// From here on daemons do not know the site any more.
	if err := a.EndRule(ctx, d.rule.Num); err != nil {
		return err
	}
	if err := jobs.AwaitHosts(ctx, d.v); err != nil {
		return err
	}
	if d.v.Rdb == nil {
		_, err := fmt.Fprintln(d.out, "REDIS_ADDR is not set: a daemon with the embedded store deletes the numbers there within seconds, or begins without them")
		return err
	}
	if err := d.v.Remove(ctx, d.rule.Site); err != nil {
		return err
	}
	// What the mirror wrote meanwhile.
	more, err := jobs.IndexedPages(ctx, d.v, d.rule.Site)
	if err != nil {
		return err
	}
	if err := jobs.Unindex(ctx, d.v, d.rule.Site, append(pages, more...)); err != nil {
		return err
	}
	return purge()
}

// part deletes a page, or what a visitor did.
func (d *deleting) part(ctx context.Context, a *archive.Archive) error {
	d.v.KnowClient(d.rule.Num, d.rule.Addr)
	if d.rule.Page != "" {
		if err := a.PurgePage(ctx, d.rule.Site, d.rule.Page); err != nil {
			return err
		}
		if err := a.PurgePageCounts(ctx, d.rule.Site, d.rule.Page); err != nil {
			return err
		}
		if d.v.Rdb != nil {
			if err := d.v.SetBase(ctx, d.rule.Site, []counter.Base{{Page: d.rule.Page}}); err != nil {
				return err
			}
		}
	}
	rows, err := parser.New(d.v.Cfg().Parser(parser.FormatV1, d.secret))
	if err != nil {
		return fmt.Errorf("make parser: %w", err)
	}
	if err := a.PurgeVoided(ctx, rows); err != nil {
		return err
	}
	if err := recountByRules(ctx, d.v, d.secret, d.rule, false, d.out, d.progress); err != nil {
		return err
	}
	if d.rule.Page != "" && d.v.Rdb != nil { // the site's keys were made anew, and page_counts does not tell of the page
		if err := d.v.Index(ctx, d.rule.Site, d.rule.Page); err != nil {
			return err
		}
	}
	if err := d.erase(ctx); err != nil {
		return err
	}
	return a.EndRule(ctx, d.rule.Num)
}

func (d *deleting) erase(ctx context.Context) error {
	e, err := jobs.EraseDeleted(ctx, d.v, d.secret)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(d.out, "erased %d lines in %d rotated log files of this host\n", e.Lines, e.Files)
	for _, left := range e.Left {
		fmt.Fprintln(d.out, "not yet:", left)
	}
	return err
}

// left says which hosts have still to erase lines.
func (d *deleting) left(ctx context.Context, a *archive.Archive) error {
	hosts, err := a.Hosts(ctx)
	if err != nil {
		return err
	}
	if names := jobs.PendingHosts(hosts, d.rule.Num); len(names) > 0 {
		_, err = fmt.Fprintf(d.out, "deleted, by rule %d. Lines are still in the logs of: %s. They go at these hosts' next archive cycle after the log is rotated; until then the rule leaves them out\n",
			d.rule.Num, strings.Join(names, ", "))
		return err
	}
	_, err = fmt.Fprintf(d.out, "deleted, by rule %d\n", d.rule.Num)
	return err
}

// foresee says what would go.
func (d *deleting) foresee(ctx context.Context) error {
	a, err := d.v.Open(ctx)
	if err != nil {
		return err
	}
	d.v.Suppose(d.rule)
	if d.rule.WholeSite() {
		all, err := a.Holdings(ctx, d.rule.Site, "")
		if err != nil {
			return err
		}
		for _, h := range all {
			if _, err := fmt.Fprintf(d.out, "%d: %d views, %d of bots, %d events\n", h.Day, h.PV, h.Bots, h.Events); err != nil {
				return err
			}
		}
		if _, err := fmt.Fprintf(d.out, "%d days in the archive would go\n", len(all)); err != nil {
			return err
		}
	} else if err := recountByRules(ctx, d.v, d.secret, d.rule, true, d.out, d.progress); err != nil {
		return err
	}
	e, err := jobs.DeletedLines(ctx, d.v, d.secret)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(d.out, "%d lines in %d log files of this host would go\ndry run: nothing was changed\n", e.Lines, e.Files)
	return err
}

// operator names who types this.
func operator() (string, error) {
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("name this host: %w", err)
	}
	who := os.Getenv("SUDO_USER")
	if who == "" {
		if u, err := user.Current(); err == nil {
			who = u.Username
		} else {
			who = fmt.Sprint(os.Getuid())
		}
	}
	return who + "@" + host, nil
}
