package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
	"ddkk-stats/internal/importer"
	"ddkk-stats/parser"
)

// importing is one run of the command.
type importing struct {
	v             *vault
	opt           importOptions
	secret        []byte
	out, progress io.Writer
	now           func() time.Time

	archive  *archive.Archive // nil: there is none yet, and this is a dry run
	archived map[string]archive.ArchivedSegment
	here     []logSegment
	plans    []*importPlan
	ids      map[string]*importPlan
}

// logSegment is a segment of a log that the daemon counts.
type logSegment struct{ id, name, log string }

// importPlan is a file and what it would come to.
type importPlan struct {
	file       *importer.File
	classifier *importer.Classifier
	survey     *importer.Survey
	from       int64
}

// withPeek runs a command that must change nothing: no folder, secret or
// database is made.
func withPeek(cmd *cobra.Command, cfg *Config, f func(v *vault) error) (err error) {
	log := newLogger(cmd.ErrOrStderr(), cfg.LogLevel)
	keys := counter.NewKeys(cfg.RedisPrefix, cfg.Cluster())
	var rdb redis.UniversalClient
	if len(cfg.RedisAddrs) > 0 {
		rdb = counter.Connect(cfg.redis())
		defer func() { err = errors.Join(err, rdb.Close()) }()
	}
	v := newVault(newLive(cfg), rdb, keys, log)
	defer func() { err = errors.Join(err, v.close()) }()
	return f(v)
}

func (m *importing) close() error {
	var errs []error
	for _, p := range m.plans {
		errs = append(errs, p.file.Close())
	}
	return errors.Join(errs...)
}

// all surveys every file, and imports when all of them can be.
func (m *importing) all(ctx context.Context, files []string) error {
	if err := m.learn(ctx); err != nil {
		return err
	}
	var errs []error
	for _, name := range files {
		if err := m.plan(ctx, name); err != nil {
			errs = append(errs, fmt.Errorf("import: %w", err))
			if ctx.Err() != nil {
				break
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%w\nnothing was imported", err)
	}
	work := slices.DeleteFunc(slices.Clone(m.plans), func(p *importPlan) bool { return p.survey.End <= p.from })
	slices.SortStableFunc(work, func(a, b *importPlan) int { return cmp.Compare(a.survey.First, b.survey.First) })
	if m.opt.dryRun {
		_, err := fmt.Fprintln(m.out, "dry run: nothing was changed")
		return err
	}
	if err := m.load(ctx, work); err != nil {
		return err
	}
	return m.show(ctx)
}

// learn opens the archive and reads what it has. A dry run makes none.
func (m *importing) learn(ctx context.Context) (err error) {
	if err := m.listLogs(); err != nil {
		return err
	}
	if m.opt.dryRun && m.v.cfg().MySQLDSN == "" {
		if _, err := os.Stat(filepath.Join(m.v.cfg().DataDir, "archive.db")); errors.Is(err, os.ErrNotExist) {
			return nil
		}
	}
	if m.archive, err = m.v.open(ctx); err != nil {
		return err
	}
	m.archived, err = m.archive.ArchivedSegments(ctx)
	return err
}

// listLogs finds the segments that the daemon counts.
func (m *importing) listLogs() error {
	for _, in := range m.v.cfg().logs() {
		if _, err := os.Stat(filepath.Dir(in.path)); errors.Is(err, os.ErrNotExist) {
			continue
		}
		files, err := m.v.files(in)
		if err != nil {
			return err
		}
		for _, f := range files {
			m.here = append(m.here, logSegment{f.ID, f.Name, in.path})
		}
	}
	return nil
}

// plan opens and surveys one file.
func (m *importing) plan(ctx context.Context, name string) error {
	file, err := importer.Open(name)
	if err != nil {
		return err
	}
	p := &importPlan{file: file}
	m.plans = append(m.plans, p)
	if err := m.refuseCounted(ctx, file); err != nil {
		return err
	}
	want, err := m.opt.wanted()
	if err != nil {
		return err
	}
	format, err := file.Format(ctx, want, m.parser)
	if err != nil {
		return err
	}
	beacons := m.opt.as == "beacons" || m.opt.as == "auto" && format == parser.FormatV1
	if format == parser.FormatCombined && m.opt.site == "" && !beacons {
		return fmt.Errorf("%s is a combined log, which names no host: say which site it is of with --site", name)
	}
	if p.classifier, err = importer.NewClassifier(m.opt.site, beacons, m.opt.rules); err != nil {
		return err
	}
	return m.survey(ctx, p, format)
}

func (m *importing) parser(f parser.Format) (*parser.Parser, error) {
	return parser.New(m.v.cfg().Parser(f, m.secret))
}

func (m *importing) survey(ctx context.Context, p *importPlan, format parser.Format) error {
	var had *archive.Import
	var err error
	if m.archive != nil {
		if had, err = m.archive.FindImport(ctx, p.file.ID()); err != nil {
			return err
		}
	}
	prs, err := m.parser(format)
	if err != nil {
		return err
	}
	opt := importer.SurveyOptions{Parser: prs, Classifier: p.classifier, Progress: lineBar(m.progress, "reading "+p.file.Name())}
	if had != nil {
		p.from = m.archived[p.file.ID()].End
		opt.Known, opt.From = had.End, p.from
	}
	began := m.now()
	if p.survey, err = p.file.Survey(ctx, opt); err != nil {
		return err
	}
	p.survey.Format = format
	if had != nil {
		if err := m.continues(p, had); err != nil {
			return err
		}
	}
	if twin := m.ids[p.file.ID()]; twin != nil {
		return m.twins(p, twin)
	}
	m.ids[p.file.ID()] = p
	return m.report(p, had, m.now().Sub(began))
}

// continues checks that a file whose first line was imported is the same file,
// or that file grown.
func (m *importing) continues(p *importPlan, had *archive.Import) error {
	name := p.file.Name()
	switch {
	case p.survey.End < had.End:
		return fmt.Errorf("%s begins like %s, which was imported, but is shorter (%d bytes, not %d): it was cut or filtered. Its lines cannot be told from those that are counted already",
			name, had.Name, p.survey.End, had.End)
	case p.survey.KnownSum != had.Sum:
		return fmt.Errorf("%s begins like %s, which was imported, but what follows is another text: it was filtered or edited. Its lines cannot be told from those that are counted already",
			name, had.Name)
	case p.survey.End > p.from && p.classifier.Text() != had.Rules:
		return fmt.Errorf("%s grew since its first part was imported by other rules; import the rest by the same:\nwas: %s\nis:  %s", name, had.Rules, p.classifier.Text())
	}
	return nil
}

// twins passes over a copy of a file of the same command.
func (m *importing) twins(p, first *importPlan) error {
	if p.survey.Sum != first.survey.Sum {
		return fmt.Errorf("%s and %s begin alike and go on differently: if one is the other grown, import that one alone", first.file.Name(), p.file.Name())
	}
	p.from = p.survey.End
	_, err := fmt.Fprintf(m.out, "%s: the same as %s\n", p.file.Name(), first.file.Name())
	return err
}

// refuseCounted refuses what a daemon counts: its views would count twice.
func (m *importing) refuseCounted(ctx context.Context, f *importer.File) error {
	for _, seg := range m.here {
		if seg.id == f.ID() || f.Same(seg.name) {
			return fmt.Errorf("%s is counted by the daemon already: it is %s, a segment of %s; there is nothing to import", f.Name(), seg.name, seg.log)
		}
	}
	if m.archive != nil {
		had, err := m.archive.FindImport(ctx, f.ID())
		if err != nil || had != nil {
			return err
		}
		if _, ok := m.archived[f.ID()]; ok {
			return fmt.Errorf("%s is counted already: a daemon has archived it as a segment of its log; there is nothing to import", f.Name())
		}
	}
	return m.refuseCheckpoint(ctx, f)
}

func (m *importing) refuseCheckpoint(ctx context.Context, f *importer.File) error {
	if m.v.rdb == nil {
		return nil
	}
	sites, err := m.v.rdb.SMembers(ctx, m.v.keys.Sites()).Result()
	if err != nil {
		return fmt.Errorf("read sites: %w", err)
	}
	for _, site := range sites {
		offsets, err := counter.Offsets(ctx, m.v.rdb, m.v.keys, site)
		if err != nil {
			return err
		}
		if n, ok := offsets[f.ID()]; ok {
			return fmt.Errorf("%s is counted by a daemon already, for %s up to byte %d; there is nothing to import", f.Name(), site, n)
		}
	}
	return nil
}

// load archives all files, in the order of their first views.
func (m *importing) load(ctx context.Context, work []*importPlan) error {
	if len(work) == 0 {
		return nil
	}
	sites := map[string]bool{}
	var sources []archive.Source
	var lines, total int64
	bar := lineBar(m.progress, "archiving")
	for _, p := range work {
		prs, err := m.parser(p.survey.Format)
		if err != nil {
			return err
		}
		for s := range p.survey.Sites {
			sites[s] = true
		}
		total += p.survey.Lines
		sources = append(sources, archive.Source{Name: "import", Parser: prs, Segments: []archive.Segment{p.file},
			Classify: func(prs *parser.Parser, h *parser.Hit) {
				p.classifier.Classify(prs, h)
				if lines++; lines%5000 == 0 {
					bar(lines)
				}
			}})
	}
	if err := m.mayRebuild(ctx, slices.Sorted(maps.Keys(sites))); err != nil {
		return err
	}
	for _, p := range work {
		err := m.archive.BeginImport(ctx, archive.Import{Segment: p.file.ID(), Name: p.file.Name(), Rules: p.classifier.Text(),
			End: p.survey.End, Sum: p.survey.Sum}, slices.Sorted(maps.Keys(p.survey.Sites)))
		if err != nil {
			return err
		}
	}
	sum, err := m.archiveAll(ctx, sources)
	if err != nil {
		return fmt.Errorf("import: %w; run the same command again, it goes on where this one ended", err)
	}
	_, err = fmt.Fprintf(m.out, "\narchived %d files, %d lines, %d rows, %d days in %.2f s (%.0f lines/s)\n",
		sum.Segments, total, sum.Rows, sum.Days, sum.Took.Seconds(), sum.LinesPerSecond())
	return err
}

// archiveAll waits for others that archive.
func (m *importing) archiveAll(ctx context.Context, sources []archive.Source) (archive.Summary, error) {
	for told := false; ; told = true {
		sum, err := m.archive.Run(ctx, sources...)
		if !errors.Is(err, archive.ErrLocked) {
			return sum, err
		}
		if !told {
			m.v.log.Info("waiting for another process that archives")
		}
		if err := pauseFor(ctx, time.Second); err != nil {
			return sum, err
		}
	}
}

// mayRebuild makes sure that rebuilding a site loses nothing: whatever its
// checkpoint has counted must lie in the archive or in a log of this host.
func (m *importing) mayRebuild(ctx context.Context, sites []string) error {
	if m.v.rdb == nil || m.opt.otherHosts {
		return nil
	}
	here := map[string]bool{}
	for _, seg := range m.here {
		here[seg.id] = true
	}
	for _, site := range sites {
		offsets, err := counter.Offsets(ctx, m.v.rdb, m.v.keys, site)
		if err != nil {
			return err
		}
		for id, n := range offsets {
			if !here[id] && m.archived[id].End < n {
				return fmt.Errorf("import: segment %s is counted for %s but lies neither in the archive nor in ACCESS_LOG's folder here; rebuilding the site would lose it. "+
					"Run this on the host of the daemon, with its settings; if daemons on other hosts count the site and have their logs, add --other-hosts", id, site)
			}
		}
	}
	return nil
}

// show makes the numbers appear: every site that has new history is rebuilt
// from the archive, also for an import that was killed before it came to that.
func (m *importing) show(ctx context.Context) error {
	sites, err := m.archive.PendingImports(ctx)
	if err != nil {
		return err
	}
	if len(sites) > 0 && m.v.rdb == nil {
		if _, err := fmt.Fprintln(m.out, "REDIS_ADDR is not set: a daemon with the embedded store shows the history after its next start"); err != nil {
			return err
		}
	}
	for _, site := range sites {
		if m.v.rdb != nil {
			if err := m.v.restoreOne(ctx, m.out, m.progress, site, restoreOptions{}); err != nil {
				return fmt.Errorf("rebuild %s: %w; the history is archived: run the same command again, or restore-from-mysql --site %s", site, err, site)
			}
		}
		if err := m.archive.EndImport(ctx, site); err != nil {
			return err
		}
	}
	return nil
}
