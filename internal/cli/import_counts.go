package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"ddkk-stats/counter"
	"ddkk-stats/internal/config"
	"ddkk-stats/internal/importer"
	"ddkk-stats/internal/vault"
)

// countsOptions are what a person asks for.
type countsOptions struct {
	source, site, sitemap string
	dryRun                bool

	redis, password, prefix string // soxft
	db                      int

	service string // busuanzi
	rate    float64
	again   bool
}

func importCountsCommand(load func() (*config.Config, error)) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import-counts",
		Short: "Import totals from an earlier counter",
		Long: `Sets what an earlier counter had counted of sites and pages. These numbers are
kept apart, in Redis and in the archive, and added when totals are read: to
site_pv, site_uv, page_pv and page_uv, not to days and hot lists. Those that come with
days (goatcounter, umami, plausible, matomo, ga) show in histories as well, apart.

Setting again replaces what the same source (--source) set for a site or page
and adds nothing. Values of different sources add up. A value of zero deletes.`,
	}
	cmd.AddCommand(countsCSVCommand(load), countsSoxftCommand(load), countsBusuanziCommand(load), historyUndoCommand(load))
	for _, format := range importer.HistoryFormats() {
		cmd.AddCommand(historyCommand(load, format))
	}
	return cmd
}

func (o *countsOptions) flags(cmd *cobra.Command, source string) {
	cmd.Flags().StringVar(&o.source, "source", source, "name under which the values are kept")
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "say what would change, and change nothing")
}

func (o *countsOptions) pageFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.site, "site", "", "the site, such as ddkk.com")
	cmd.Flags().StringVar(&o.sitemap, "sitemap", "", "sitemap or list of addresses, one a line: file or http(s) address (default https://SITE/sitemap.xml)")
}

func countsCSVCommand(load func() (*config.Config, error)) *cobra.Command {
	var opt countsOptions
	cmd := &cobra.Command{
		Use:   "csv FILE",
		Short: "from a CSV file with the columns site,page,pv,uv; an empty page is the whole site",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runCounts(cmd, load, opt, func(_ context.Context, c *countsRun) (all []importer.Count, err error) {
				f, err := os.Open(args[0])
				if err != nil {
					return nil, fmt.Errorf("open CSV: %w", err)
				}
				defer func() { err = errors.Join(err, f.Close()) }()
				return importer.ReadCSV(f, c.naming)
			})
		},
	}
	opt.flags(cmd, "csv")
	return cmd
}

func countsSoxftCommand(load func() (*config.Config, error)) *cobra.Command {
	var opt countsOptions
	cmd := &cobra.Command{
		Use:   "soxft",
		Short: "from the Redis of a soxft/busuanzi",
		Long: `Reads the Redis of a soxft/busuanzi. Its keys are hashes of host and path, so a
sitemap or a list of pages is needed to find them; what is not in the list is
in the site's totals only.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runCounts(cmd, load, opt, func(ctx context.Context, c *countsRun) ([]importer.Count, error) {
				return c.soxft(ctx, opt)
			})
		},
	}
	opt.flags(cmd, "soxft")
	opt.pageFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&opt.redis, "redis", "127.0.0.1:6379", "address of its Redis")
	f.StringVar(&opt.password, "redis-password", "", "password of its Redis")
	f.IntVar(&opt.db, "redis-db", 0, "number of its database")
	f.StringVar(&opt.prefix, "prefix", "bsz", "what its keys begin with")
	return cmd
}

func countsBusuanziCommand(load func() (*config.Config, error)) *cobra.Command {
	var opt countsOptions
	cmd := &cobra.Command{
		Use:   "busuanzi",
		Short: "from a running busuanzi service, page by page",
		Long: `Asks a running busuanzi service for every page of a sitemap, slowly. The service
counts each request as a view, which is subtracted again. Answers are kept in
DATA_DIR: a run that was ended goes on, and nothing is set before all pages
have answered.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if opt.rate <= 0 || opt.rate > 1000 {
				return errors.New("import-counts: --rate: use requests a second, more than 0")
			}
			return runCounts(cmd, load, opt, func(ctx context.Context, c *countsRun) ([]importer.Count, error) {
				return c.busuanzi(ctx, opt)
			})
		},
	}
	opt.flags(cmd, "busuanzi")
	opt.pageFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&opt.service, "service", importer.DefaultBusuanzi, "address of the service")
	f.Float64Var(&opt.rate, "rate", 2, "requests a second")
	f.BoolVar(&opt.again, "again", false, "ask again for pages that have answered")
	return cmd
}

// countsRun is one run of a command below import-counts.
type countsRun struct {
	v      *vault.Vault
	cmd    *cobra.Command
	naming importer.Naming
	client *http.Client
}

// requestTimeout bounds one request to a sitemap or an old counter.
const requestTimeout = 20 * time.Second

func runCounts(cmd *cobra.Command, load func() (*config.Config, error), opt countsOptions, read func(context.Context, *countsRun) ([]importer.Count, error)) error {
	cfg, err := load()
	if err != nil {
		return err
	}
	if opt.source == "" || len(opt.source) > 100 {
		return errors.New("import-counts: --source: use a name of up to 100 bytes")
	}
	run := func(v *vault.Vault) error {
		c := &countsRun{v: v, cmd: cmd, naming: naming(cfg), client: &http.Client{Timeout: requestTimeout}}
		all, err := read(cmd.Context(), c)
		if err != nil {
			return fmt.Errorf("import-counts: %w", err)
		}
		return c.set(cmd.Context(), opt, all)
	}
	if opt.dryRun {
		return withPeek(cmd, cfg, run)
	}
	return withVault(cmd, cfg, func(v *vault.Vault, _ []byte) error { return run(v) })
}

func naming(cfg *config.Config) importer.Naming {
	return importer.Naming{Site: cfg.SiteOf, Page: func(site, raw string) string { return cfg.PageOf(site, []byte(raw)) }}
}

// pages reads the list of pages of the site, without those of other sites.
func (c *countsRun) pages(ctx context.Context, opt countsOptions) (site string, pages []*url.URL, err error) {
	site, ok := c.naming.Site(opt.site)
	if !ok {
		return "", nil, fmt.Errorf("--site=%s: say which site, such as --site=ddkk.com; it must be one of SITES", opt.site)
	}
	from := opt.sitemap
	if from == "" {
		from = "https://" + site + "/sitemap.xml"
	}
	all, err := importer.Pages(ctx, c.client, from)
	if err != nil {
		return "", nil, err
	}
	for _, p := range all {
		if s, ok := c.naming.Site(p.Host); ok && s == site {
			pages = append(pages, p)
		}
	}
	if len(pages) == 0 {
		return "", nil, fmt.Errorf("none of the %d pages of %s is of %s", len(all), from, site)
	}
	if n := len(all) - len(pages); n > 0 {
		_, err = fmt.Fprintf(c.cmd.OutOrStdout(), "%d pages of other sites are passed over\n", n)
	}
	return site, pages, err
}

func (c *countsRun) soxft(ctx context.Context, opt countsOptions) (all []importer.Count, err error) {
	site, pages, err := c.pages(ctx, opt)
	if err != nil {
		return nil, err
	}
	rdb := counter.Connect(counter.ConnectOptions{Addrs: []string{opt.redis}, Password: opt.password, DB: opt.db})
	defer func() { err = errors.Join(err, rdb.Close()) }()
	found, err := importer.Soxft(ctx, soxftRedis{rdb}, opt.prefix, c.naming, site, pages)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(c.cmd.OutOrStdout(), "%d of %d listed pages have views there; %d of its pages are not in the list and only in the site's totals\n",
		found.Found, len(pages), found.Unknown)
	return found.Counts, err
}

func (c *countsRun) busuanzi(ctx context.Context, opt countsOptions) ([]importer.Count, error) {
	site, pages, err := c.pages(ctx, opt)
	if err != nil {
		return nil, err
	}
	if opt.dryRun {
		_, err := fmt.Fprintf(c.cmd.OutOrStdout(), "%d pages would be asked for at %s, which takes %s and counts a view each\n",
			len(pages), opt.service, time.Duration(float64(len(pages))/opt.rate*float64(time.Second)).Round(time.Second))
		return nil, err
	}
	b := &importer.Busuanzi{
		Client: c.client, Service: opt.service, Pause: time.Duration(float64(time.Second) / opt.rate), Wait: pause,
		State: filepath.Join(c.v.Cfg().DataDir, "import-busuanzi-"+url.PathEscape(site)+".jsonl"), Again: opt.again,
		Progress: newBar(c.cmd.ErrOrStderr(), "asking for pages"),
	}
	return b.Counts(ctx, c.naming, site, pages)
}

// change is a count and what it was before.
func change(was, is int64) string {
	if was == is {
		return strconv.FormatInt(is, 10)
	}
	return strconv.FormatInt(was, 10) + " -> " + strconv.FormatInt(is, 10)
}

// pause waits, or ends with ctx.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
