package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/spf13/cobra"

	"ddkk-stats/archive"
	"ddkk-stats/internal/config"
	"ddkk-stats/internal/jobs"
	"ddkk-stats/internal/plain"
	"ddkk-stats/internal/vault"
	"ddkk-stats/parser"
)

// exportOptions are what a person asks for.
type exportOptions struct{ site, to, format string }

func exportCommand(load func() (*config.Config, error)) *cobra.Command {
	var opt exportOptions
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write all that is archived of a site to a file that import reads",
		Long: `Writes all that the archive has of a site: sums of all days, raw rows where they
are kept, bases of earlier counters, visitors of weeks and months, API calls. The
file has a line of JSON for each row; "import" of another instance reads it back, with
all numbers the same. A name that ends in .gz makes it compressed.

With --format=csv a folder gets a CSV file of each table, for spreadsheets and other
programs; import does not read these.

What is not archived yet is not in it: rotate the log, run "archive", then export. What
rules took out (void, delete) is not in it either, nor is any secret: set the same
SECRET there, so that a visitor of the days around the move counts once. The file has
what raw rows have of people (IP_MODE): keep it as you keep the log.`,
		Example: `  ddkk-stats export --site ddkk.com --to ddkk.com.ndjson.gz
  ddkk-stats import ddkk.com.ndjson.gz
  ddkk-stats export --site ddkk.com --format csv --to ddkk.com-csv`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load()
			if err != nil {
				return err
			}
			return withVault(cmd, cfg, func(v *vault.Vault, secret []byte) error {
				e := &exporting{v: v, secret: secret, opt: opt, out: cmd.OutOrStdout(), progress: cmd.ErrOrStderr()}
				if err := e.run(cmd.Context()); err != nil {
					return fmt.Errorf("export: %w", err)
				}
				return nil
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&opt.site, "site", "", "the site")
	f.StringVar(&opt.to, "to", "", "the file, or the folder with --format=csv (default SITE.ndjson); - is standard output")
	f.StringVar(&opt.format, "format", "ndjson", "ndjson, which import reads, or csv")
	return cmd
}

// exporting is one run of the command.
type exporting struct {
	v             *vault.Vault
	secret        []byte
	opt           exportOptions
	out, progress io.Writer
}

func (e *exporting) run(ctx context.Context) error {
	if e.opt.site == "" {
		return errors.New("say of which site, with --site")
	}
	site, err := jobs.SiteOf(e.v.Cfg(), e.opt.site)
	if err != nil {
		return fmt.Errorf("--site: %w", err)
	}
	a, err := e.v.Open(ctx)
	if err != nil {
		return err
	}
	to, write := e.opt.to, e.file
	switch e.opt.format {
	case "ndjson":
		if to == "" {
			to = site + ".ndjson"
		}
	case "csv":
		write = e.folder
		if to == "" {
			to = site
		}
	default:
		return fmt.Errorf("--format=%s: use ndjson or csv", e.opt.format)
	}
	var done archive.Exported
	err = write(to, func(w io.Writer) error {
		return jobs.InTurn(ctx, e.v, 0, func() (err error) {
			done, err = a.ExportSite(ctx, site, w, lineBar(e.progress, "exporting "+site))
			return err
		})
	})
	if err != nil {
		return err
	}
	said := e.out
	if to == "-" {
		said = e.progress
	}
	if _, err := fmt.Fprintf(said, "%s: %d days, %d of them without raw rows, and %d raw rows, to %s\n", site, done.Days, done.SumsAlone, done.Rows, to); err != nil {
		return err
	}
	return e.tail(ctx, site, said)
}

// tail says what is not archived yet.
func (e *exporting) tail(ctx context.Context, site string, out io.Writer) error {
	lacks, err := (&jobs.Recount{V: e.v, Secret: e.secret, Site: site, From: parser.DayOf(time.Now())}).Lacks(ctx, site)
	if err != nil || !lacks {
		return err
	}
	_, err = fmt.Fprintf(out, "views of %s in the logs here are not archived yet, and not in the export: rotate the log, run ddkk-stats archive, and export again\n", site)
	return err
}

// file writes a file that is there when it is whole.
func (e *exporting) file(to string, write func(io.Writer) error) (err error) {
	if to == "-" {
		if p, ok := e.out.(*plain.Writer); ok {
			return write(p.To) // byte for byte
		}
		return write(e.out)
	}
	f, err := os.CreateTemp(filepath.Dir(to), filepath.Base(to)+".part-*")
	if err != nil {
		return fmt.Errorf("make file: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}()
	if strings.HasSuffix(to, ".gz") {
		z := gzip.NewWriter(f)
		if err := write(z); err != nil {
			return err
		}
		err = z.Close()
	} else {
		err = write(f)
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return err
	}
	if err := os.Rename(f.Name(), to); err != nil {
		return err
	}
	return f.Close()
}

// folder writes a CSV file of each table.
func (e *exporting) folder(to string, write func(io.Writer) error) (err error) {
	if to == "-" {
		return errors.New("--format=csv writes a folder: name it with --to")
	}
	if err := os.MkdirAll(to, 0o750); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	r, w := io.Pipe()
	tables := &csvTables{folder: to, of: map[string]*csvTable{}}
	ended := make(chan error)
	go func() {
		err := tables.read(bufio.NewReaderSize(r, 1<<20))
		r.CloseWithError(err) // the writer learns of it
		ended <- err
	}()
	err = write(w)
	w.CloseWithError(err) // never fails
	return errors.Join(err, <-ended, tables.close())
}
