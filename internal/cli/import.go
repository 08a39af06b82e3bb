package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ddkk-stats/internal/config"
	"ddkk-stats/internal/importer"
	"ddkk-stats/internal/vault"
	"ddkk-stats/parser"
)

// importOptions are what a person asks for.
type importOptions struct {
	site, format, as, before string
	formatFrom               string // FILE:NAME of a server's configuration
	rules                    importer.Rules
	dryRun, otherHosts       bool
	noCopies                 bool // files that begin alike are logs of several servers
}

func importCommand(load func() (*config.Config, error)) *cobra.Command {
	var opt importOptions
	cmd := &cobra.Command{
		Use:   "import FILE...",
		Short: "Import history from old access logs, once",
		Long: `Reads old access logs (of any format that has a name, or that the server's
configuration describes: see --format and --format-from; plain, or packed by gzip, zstd, bzip2 or xz, whatever their names) into the archive and rebuilds the sites in Redis, so that their numbers hold
what was counted and the history. A daemon may run meanwhile.

The same file again changes nothing, also under another name or compressed. A
file that grew is continued where the last import ended; an unfinished last
line waits for the next one, unless the file has not changed for a minute. If one
file cannot be read, nothing is imported; empty ones are passed over. Logs of
several servers may begin with the same line; a copy that was cut, filtered or
edited is refused.

Of a site's own log, the lines that count are: GET, answered 200 or 304, for a
path that is no asset (by its ending: .css, .js, .png, ...) and not for programs
(feeds, /.well-known/, /wp-json/, ...). Bots are counted apart, as always. Of a
v1 log the beacons count, unless --as=pages is given.

What "export" wrote of a site is read as well, and has all of its numbers here, under its
name or that of --site. Days of which there are sums alone stay as they are where there is
one already; what was deleted here stays deleted. It may be killed and run again.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			cfg, err := load()
			if err != nil {
				return err
			}
			return importFiles(cmd, cfg, opt, files)
		},
	}
	f := cmd.Flags()
	f.StringVar(&opt.site, "site", "", "the site; needed where the log names no host, and else only its lines count")
	f.StringVar(&opt.format, "format", "auto", "auto, v1, combined, json, "+strings.Join(parser.NamedFormats(), ", ")+", w3c, or the server's own log_format or LogFormat")
	f.StringVar(&opt.formatFrom, "format-from", "", "FILE:NAME: the log_format or LogFormat of that name in a server's configuration, or in what nginx -T prints")
	f.StringVar(&opt.as, "as", "auto", "what counts: pages, beacons, or auto (beacons of a v1 log, pages of others)")
	f.StringVar(&opt.rules.Status, "status", importer.DefaultStatus, "answers that are views, such as 200,304 or 2xx")
	f.StringArrayVar(&opt.rules.Include, "include", nil, "paths that count although the rule says no, such as '/downloads/*.pdf'; may be repeated")
	f.StringArrayVar(&opt.rules.Exclude, "exclude", nil, "paths that do not count, such as '/api/*'; wins over --include; may be repeated")
	f.StringVar(&opt.before, "before", "", "only what is older than this, as 2026-11-01 or 2026-11-01T12:00:00: when the counter was installed")
	f.BoolVar(&opt.dryRun, "dry-run", false, "say what would be imported, and change nothing")
	f.BoolVar(&opt.noCopies, "no-copies", false, "files that begin like an imported one are logs of other servers, although they look like copies that were cut or edited")
	f.BoolVar(&opt.otherHosts, "other-hosts", false, "daemons on other hosts count the same sites and have their logs")
	return cmd
}

var errStdin = errors.New("import: a log cannot come from standard input: it is recognised by its content, which must stay to be read again; save it to a file")

// settle checks the options that do not depend on a file.
func (o *importOptions) settle(cfg *config.Config, files []string) (err error) {
	for _, name := range files {
		if name == "-" {
			return errStdin
		}
	}
	if o.site != "" {
		site, ok := cfg.SiteOf(o.site)
		if !ok {
			return fmt.Errorf("import: %q is no site, or not one of SITES", o.site)
		}
		o.site = site
	}
	if o.as != "auto" && o.as != "pages" && o.as != "beacons" {
		return fmt.Errorf("import: --as=%s: use auto, pages or beacons", o.as)
	}
	if o.formatFrom != "" {
		if o.format != "auto" {
			return errors.New("import: --format and --format-from: use one of them")
		}
		if o.format, err = formatFrom(o.formatFrom); err != nil {
			return fmt.Errorf("import: --format-from: %w", err)
		}
	}
	if o.format != "auto" && !strings.EqualFold(o.format, parser.FormatW3C) {
		if _, err := parser.ParseFormat(o.format); err != nil {
			return fmt.Errorf("import: --format: %w", err)
		}
	}
	if o.before != "" {
		o.rules.Before, err = parseMoment(o.before, cfg.Timezone)
	}
	return err
}

// wanted is the format that was asked for, nil for auto.
func (o *importOptions) wanted(file *importer.File) (*parser.Format, error) {
	return wantedFormat(o.format, file)
}

func parseMoment(text string, zone *time.Location) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, "2006-01-02T15:04:05"} {
		if at, err := time.ParseInLocation(layout, text, zone); err == nil {
			return at, nil
		}
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, fmt.Errorf("import: --before=%s: use a date such as 2026-11-01 or a time such as 2026-11-01T12:00:00", text)
	}
	return at, nil
}

func importFiles(cmd *cobra.Command, cfg *config.Config, opt importOptions, files []string) (err error) {
	if err := opt.settle(cfg, files); err != nil {
		return err
	}
	written, err := exports(files)
	defer func() { err = errors.Join(err, closeExports(written)) }()
	if err != nil {
		return err
	}
	run := func(v *vault.Vault, secret []byte) (err error) {
		m := &importing{v: v, opt: opt, secret: secret, out: cmd.OutOrStdout(), progress: cmd.ErrOrStderr(), now: time.Now, alike: map[string][]*importPlan{}}
		defer func() { err = errors.Join(err, m.close()) }()
		if len(written) > 0 {
			return m.exported(cmd.Context(), written)
		}
		return m.all(cmd.Context(), files)
	}
	if opt.dryRun {
		return withPeek(cmd, cfg, func(v *vault.Vault) error { return run(v, nil) })
	}
	return withVault(cmd, cfg, run)
}

// lineBar shows lines on a terminal as a bar, and elsewhere as a line every
// few seconds.
func lineBar(w io.Writer, what string) func(lines int64) {
	show := newBar(w, what)
	return func(lines int64) { show(lines) }
}
