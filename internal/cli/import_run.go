package cli

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
	"ddkk-stats/internal/config"
	"ddkk-stats/internal/importer"
	"ddkk-stats/internal/jobs"
	"ddkk-stats/internal/logs"
	"ddkk-stats/internal/options"
	"ddkk-stats/internal/vault"
	"ddkk-stats/parser"
	"ddkk-stats/tailer"
)

// importing is one run of the command.
type importing struct {
	v             *vault.Vault
	opt           importOptions
	secret        []byte
	out, progress io.Writer
	now           func() time.Time

	archive  *archive.Archive // nil: there is none yet, and this is a dry run
	archived map[string]archive.ArchivedSegment
	here     []logSegment
	plans    []*importPlan
	alike    map[string][]*importPlan // by the identity of the first line
}

// logSegment is a segment of a log that the daemon counts.
type logSegment struct {
	id, name, log string
	calls         bool // of the site's own log, for its calls alone
}

// importPlan is a file and what it would come to.
type importPlan struct {
	file       *importer.File
	classifier *importer.Classifier
	survey     *importer.Survey
	from       int64
	had        *archive.Import // the same file, perhaps shorter; nil: it is new
	ofSiteLog  bool
}

// head is what the file's first views are. Of one whose beginning was imported
// before that was kept it is not known.
func (p *importPlan) head() string {
	if p.had != nil && p.had.Head == "" {
		return ""
	}
	return p.survey.Head.String()
}

// withPeek runs a command that must change nothing: no folder, secret or
// database is made.
func withPeek(cmd *cobra.Command, cfg *config.Config, f func(v *vault.Vault) error) (err error) {
	log := newLogger(cmd.ErrOrStderr(), cfg.LogLevel)
	keys := counter.NewKeys(cfg.RedisPrefix, cfg.Redis.IsCluster())
	var rdb redis.UniversalClient
	if len(cfg.Redis.Addrs) > 0 {
		rdb = counter.Connect(options.Redis(cfg))
		defer func() { err = errors.Join(err, rdb.Close()) }()
	}
	v := vault.New(config.NewLive(cfg), rdb, keys, log)
	defer func() { err = errors.Join(err, v.Close()) }()
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
	var errs, empty []error
	for _, name := range files {
		err := m.plan(ctx, name)
		var nothing *importer.NothingError
		if errors.As(err, &nothing) {
			empty = append(empty, err)
			if _, err := fmt.Fprintf(m.out, "%v; passed over\n", nothing); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("import: %w", err))
			if ctx.Err() != nil {
				break
			}
		}
	}
	if len(empty) == len(files) {
		errs = empty
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%w\nnothing was imported", err)
	}
	work := slices.DeleteFunc(slices.Clone(m.plans), func(p *importPlan) bool { return p.survey == nil || p.survey.End <= p.from })
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
	if err := m.listLogs(ctx); err != nil {
		return err
	}
	if m.opt.dryRun && m.v.Cfg().MySQLDSN == "" {
		if _, err := os.Stat(filepath.Join(m.v.Cfg().DataDir, "archive.db")); errors.Is(err, os.ErrNotExist) {
			return nil
		}
	}
	if m.archive, err = m.v.Open(ctx); err != nil {
		return err
	}
	m.archived, err = m.archive.ArchivedSegments(ctx)
	return err
}

// listLogs finds the segments that the daemon counts.
func (m *importing) listLogs(ctx context.Context) error {
	for _, in := range logs.Inputs(m.v.Cfg()) {
		if _, err := os.Stat(filepath.Dir(in.Path)); errors.Is(err, os.ErrNotExist) {
			continue
		}
		files, err := jobs.Files(ctx, m.v, in)
		if err != nil {
			return err
		}
		for _, f := range files {
			m.here = append(m.here, logSegment{f.ID, f.Name, in.Path, in.Calls})
		}
	}
	return nil
}

// plan opens and surveys one file.
func (m *importing) plan(ctx context.Context, name string) error {
	file, err := importer.Open(name, m.now())
	if err != nil {
		return err
	}
	p := &importPlan{file: file, ofSiteLog: m.isSiteLog(file)}
	m.plans = append(m.plans, p)
	earlier, err := m.earlier(ctx, file)
	if err != nil {
		return err
	}
	if len(earlier) == 0 {
		if err := m.refuseCounted(ctx, file); err != nil {
			return err
		}
	}
	want, err := m.opt.wanted(file)
	if err != nil {
		return err
	}
	format, err := file.Format(ctx, want, m.parser)
	if err != nil {
		return err
	}
	if p.classifier, err = m.classifier(p, format); err != nil {
		return err
	}
	return m.survey(ctx, p, format, earlier)
}

// classifier decides what counts of a file. Of the site's own log those are its
// pages, in any format: it is counted for its calls alone.
func (m *importing) classifier(p *importPlan, format parser.Format) (*importer.Classifier, error) {
	beacons := m.opt.as == "beacons" || m.opt.as == "auto" && format == parser.FormatV1 && !p.ofSiteLog
	site := m.opt.site
	if site == "" && p.ofSiteLog && !format.Tells("host") {
		site = m.v.Cfg().SiteOfCalls()
	}
	if !format.Tells("host") && site == "" && !beacons {
		return nil, fmt.Errorf("%s is a log of format %s, which names no host: say which site it is of with --site", p.file.Name(), format)
	}
	return importer.NewClassifier(site, beacons, m.opt.rules)
}

func (m *importing) parser(f parser.Format) (*parser.Parser, error) {
	return parser.New(m.v.Cfg().Parser(f, m.secret))
}

// earlier are the files that were imported and begin with the same line.
func (m *importing) earlier(ctx context.Context, f *importer.File) ([]archive.Import, error) {
	if m.archive == nil {
		return nil, nil
	}
	return m.archive.FindImports(ctx, f.FirstID())
}

func (m *importing) survey(ctx context.Context, p *importPlan, format parser.Format, earlier []archive.Import) error {
	var err error
	if p.had, err = m.continued(ctx, p.file, earlier); err != nil {
		return err
	}
	had := p.had
	prs, err := m.parser(format)
	if err != nil {
		return err
	}
	opt := importer.SurveyOptions{Parser: prs, Classifier: p.classifier, Progress: lineBar(m.progress, "reading "+p.file.Name())}
	if had != nil {
		p.file.Become(had.Segment)
		p.from = m.archived[had.Segment].End
		opt.From, opt.Head, opt.HeadEnd = p.from, had.Head, had.End
	}
	began := m.now()
	if p.survey, err = p.file.Survey(ctx, opt); err != nil {
		return err
	}
	p.survey.Format = format
	if format.IsW3C() && p.survey.Malformed[parser.BadVersion.String()] > 0 {
		return fmt.Errorf("%s has another #Fields: line at line %d or behind it: split the file there, and import the parts", p.file.Name(), p.survey.FirstMalformed)
	}
	if had != nil && p.survey.End > p.from && p.classifier.Text() != had.Rules {
		return fmt.Errorf("%s grew since its first part was imported by other rules; import the rest by the same:\nwas: %s\nis:  %s", p.file.Name(), had.Rules, p.classifier.Text())
	}
	if same, err := m.twins(p); same || err != nil {
		return err
	}
	if had == nil {
		if err := m.distinct(p, earlier); err != nil {
			return err
		}
	}
	m.alike[p.file.FirstID()] = append(m.alike[p.file.FirstID()], p)
	return m.report(p, m.now().Sub(began))
}

// continued is the import of this very file, or of it when it was shorter; nil if
// there is none.
func (m *importing) continued(ctx context.Context, f *importer.File, earlier []archive.Import) (*archive.Import, error) {
	if len(earlier) == 0 {
		return nil, nil
	}
	var ends []int64
	for _, i := range earlier {
		ends = append(ends, i.End)
	}
	sums, err := f.Sums(ctx, ends)
	if err != nil {
		return nil, err
	}
	var had *archive.Import
	for i := range earlier {
		if sums[i] == earlier[i].Sum && (had == nil || earlier[i].End > had.End) {
			had = &earlier[i]
		}
	}
	return had, nil
}

// distinct gives a file that begins with the same line as imported ones an
// identity of its own, if it is no copy of one of them.
func (m *importing) distinct(p *importPlan, earlier []archive.Import) error {
	name, taken := p.file.Name(), map[string]bool{}
	for _, i := range earlier {
		taken[i.Segment] = true
		if m.opt.noCopies || i.Head != "" && !p.survey.Head.Alike(i.Head) {
			continue
		}
		what := "what follows is another text: it was filtered or edited"
		if p.survey.End < i.End {
			what = fmt.Sprintf("is shorter (%d bytes, not %d): it was cut or filtered", p.survey.End, i.End)
		}
		return fmt.Errorf("%s begins like %s, which was imported, but %s. Its lines cannot be told from those that are counted already; if it is another server's log, add --no-copies",
			name, i.Name, what)
	}
	for _, other := range m.alike[p.file.FirstID()] {
		taken[other.file.ID()] = true
	}
	for n := 2; taken[p.file.ID()]; n++ {
		p.file.Become(fmt.Sprintf("%s.%d", p.file.FirstID(), n))
	}
	return nil
}

// twins passes over a copy of a file of the same command, and refuses another one
// that looks like a part of it.
func (m *importing) twins(p *importPlan) (same bool, err error) {
	for _, first := range m.alike[p.file.FirstID()] {
		if p.survey.Sum == first.survey.Sum {
			p.from = p.survey.End
			_, err := fmt.Fprintf(m.out, "%s: the same as %s\n", p.file.Name(), first.file.Name())
			return true, err
		}
		if !m.opt.noCopies && p.survey.Head.Alike(first.survey.Head.String()) {
			return false, fmt.Errorf("%s and %s begin alike and go on differently: if one is the other grown, import that one alone; if they are logs of two servers, add --no-copies",
				first.file.Name(), p.file.Name())
		}
	}
	return false, nil
}

// isSiteLog tells whether a file is a segment of SITE_LOG.
func (m *importing) isSiteLog(f *importer.File) bool {
	return slices.ContainsFunc(m.here, func(seg logSegment) bool { return seg.calls && f.Same(seg.name) })
}

// refuseCounted refuses what a daemon counts for its views: they would count
// twice. The site's own log is counted for its calls.
func (m *importing) refuseCounted(ctx context.Context, f *importer.File) error {
	ids := []string{f.FirstID()}
	if id := tailer.IdentityOf(f.Begin(), tailer.Options{Identify: parser.SegmentID, Telling: logs.Telling}); id != "" {
		ids = append(ids, id)
	}
	for _, seg := range m.here {
		if !seg.calls && (slices.Contains(ids, seg.id) || f.Same(seg.name)) {
			return fmt.Errorf("%s is counted by the daemon already: it is %s, a segment of %s; there is nothing to import", f.Name(), seg.name, seg.log)
		}
	}
	for _, id := range ids {
		if _, ok := m.archived[id]; ok {
			return fmt.Errorf("%s is counted already: a daemon has archived it as a segment of its log; there is nothing to import", f.Name())
		}
	}
	return m.refuseCheckpoint(ctx, f, ids)
}

func (m *importing) refuseCheckpoint(ctx context.Context, f *importer.File, ids []string) error {
	if m.v.Rdb == nil {
		return nil
	}
	sites, err := m.v.Rdb.SMembers(ctx, m.v.Keys.Sites()).Result()
	if err != nil {
		return fmt.Errorf("read sites: %w", err)
	}
	for _, site := range sites {
		offsets, err := counter.Offsets(ctx, m.v.Rdb, m.v.Keys, site)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if n, ok := offsets[id]; ok {
				return fmt.Errorf("%s is counted by a daemon already, for %s up to byte %d; there is nothing to import", f.Name(), site, n)
			}
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
			End: p.survey.End, Sum: p.survey.Sum, Head: p.head()}, slices.Sorted(maps.Keys(p.survey.Sites)))
		if err != nil {
			return err
		}
	}
	sum, err := jobs.Run(ctx, m.v, m.archive, sources)
	if err != nil {
		return fmt.Errorf("import: %w; run the same command again, it goes on where this one ended", err)
	}
	_, err = fmt.Fprintf(m.out, "\narchived %d files, %d lines, %d rows, %d days in %.2f s (%.0f lines/s)\n",
		sum.Segments, total, sum.Rows, sum.Days, sum.Took.Seconds(), sum.LinesPerSecond())
	return err
}

// mayRebuild makes sure that rebuilding a site loses nothing: whatever its
// checkpoint has counted must lie in the archive or in a log of this host.
func (m *importing) mayRebuild(ctx context.Context, sites []string) error {
	if m.v.Rdb == nil || m.opt.otherHosts {
		return nil
	}
	here := map[string]bool{}
	for _, seg := range m.here {
		here[seg.id] = true
	}
	for _, site := range sites {
		offsets, err := counter.Offsets(ctx, m.v.Rdb, m.v.Keys, site)
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
	if len(sites) > 0 && m.v.Rdb == nil {
		if _, err := fmt.Fprintln(m.out, "REDIS_ADDR is not set: a daemon with the embedded store shows the history after its next start"); err != nil {
			return err
		}
	}
	for _, site := range sites {
		if m.v.Rdb != nil {
			if err := restoreOne(ctx, m.v, m.out, m.progress, site, restoreOptions{}); err != nil {
				return fmt.Errorf("rebuild %s: %w; the history is archived: run the same command again, or restore-from-mysql --site %s", site, err, site)
			}
		}
		if err := m.archive.EndImport(ctx, site); err != nil {
			return err
		}
	}
	return nil
}
