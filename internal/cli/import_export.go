package cli

import (
	"context"
	"errors"
	"fmt"

	"ddkk-stats/archive"
	"ddkk-stats/internal/importer"
	"ddkk-stats/internal/jobs"
	"ddkk-stats/parser"
)

// exports opens the files that "export" wrote: all of them, or none.
func exports(files []string) (all []*importer.Export, err error) {
	for _, name := range files {
		e, err := importer.OpenExport(name)
		if err != nil {
			return all, fmt.Errorf("import: %w", err)
		}
		if e != nil {
			all = append(all, e)
		}
	}
	if len(all) > 0 && len(all) < len(files) {
		return all, errors.New("import: some of the files are exports of a site and some are logs: import them apart")
	}
	return all, nil
}

func closeExports(all []*importer.Export) error {
	var errs []error
	for _, e := range all {
		errs = append(errs, e.Close())
	}
	return errors.Join(errs...)
}

// exported imports exports of sites.
func (m *importing) exported(ctx context.Context, all []*importer.Export) (err error) {
	if m.opt.site != "" && len(all) > 1 {
		return errors.New("import: --site names one site: import one export at a time")
	}
	heads := make([]archive.ExportHead, len(all))
	for i, e := range all { // whatever is wrong is told before anything is changed
		r, err := e.Read()
		if err != nil {
			return fmt.Errorf("import: %w", err)
		}
		var lines int64
		if heads[i], lines, err = archive.ReadExport(r); err != nil {
			return fmt.Errorf("import: %s: %w; nothing was imported", e.Name(), err)
		}
		if zone := m.v.Cfg().Timezone.String(); heads[i].Timezone != zone {
			m.v.Log.Warn("days began elsewhere: the export was made in another TIMEZONE, so raw rows are summed up by its days", "file", e.Name(), "there", heads[i].Timezone, "here", zone)
		}
		if m.opt.dryRun {
			if _, err := fmt.Fprintf(m.out, "%s: export of %s, made %s UTC, %d rows\n", e.Name(), heads[i].Site, heads[i].MadeAt, lines); err != nil {
				return err
			}
		}
	}
	if m.opt.dryRun {
		_, err := fmt.Fprintln(m.out, "dry run: nothing was changed")
		return err
	}
	if m.archive, err = m.v.Open(ctx); err != nil {
		return err
	}
	for i, e := range all {
		if err := m.exportedSite(ctx, e, heads[i].Site); err != nil {
			return fmt.Errorf("import: %s: %w; run the same command again", e.Name(), err)
		}
	}
	return m.show(ctx)
}

func (m *importing) exportedSite(ctx context.Context, e *importer.Export, name string) error {
	if m.opt.site != "" {
		name = m.opt.site
	}
	site, counts := m.v.Cfg().SiteOf(name)
	if !counts {
		return fmt.Errorf("%s is not one of SITES: name it there, or another site with --site", name)
	}
	rules, err := parser.New(m.v.Cfg().Parser(parser.FormatV1, m.secret))
	if err != nil {
		return fmt.Errorf("make parser: %w", err)
	}
	var done archive.ImportedSite
	err = jobs.InTurn(ctx, m.v, 0, func() error {
		r, err := e.Read()
		if err != nil {
			return err
		}
		done, err = m.archive.ImportSite(ctx, r, site, rules, lineBar(m.progress, "importing "+site))
		return err
	})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(m.out, "%s: %d days and %d new raw rows of %s\n", site, done.Days, done.Rows, e.Name()); err != nil {
		return err
	}
	for _, x := range []struct {
		n    int
		text string
	}{
		{len(done.There), "days are here already, or were deleted, and stay as they are"},
		{int(done.Ruled), "raw rows are left out by rules (void, delete)"},
	} {
		if x.n == 0 {
			continue
		}
		if _, err := fmt.Fprintf(m.out, "%s: %d %s\n", site, x.n, x.text); err != nil {
			return err
		}
	}
	for _, what := range done.Skipped {
		if _, err := fmt.Fprintf(m.out, "%s: %s stay as they are here\n", site, what); err != nil {
			return err
		}
	}
	return nil
}
