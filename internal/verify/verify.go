package verify

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"slices"
	"time"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
	"ddkk-stats/parser"
)

// Archive is what is needed of the archive; *archive.Archive has it.
type Archive interface {
	Snapshot(ctx context.Context, site string) (*archive.Snapshot, error)
	PageCountsOf(ctx context.Context, site string, pages []string) (map[string]archive.PageCount, archive.FlushLog, error)
	Read() *archive.Reader
}

// Options of a Verifier. MaxPages, MaxEvents, FacetCaps, MaxEndpoints,
// MaxUsers, IDWindow, DedupeWindow, Location
// and UVSetTTL must be what the daemon counts by.
type Options struct {
	Archive Archive
	Dump    *counter.Dump // nil: only the archive's sums are compared with its raw rows
	Mirror  Mirror        // nil: page_counts is not looked at; only with a Dump
	Keys    counter.Keys
	Logs    []Log

	Location     *time.Location
	Now          func() time.Time // nil: time.Now
	Logger       *slog.Logger     // nil discards
	MaxPages     int
	MaxSites     int // where the archive has more, those are looked at that Redis has; 0: all are
	MaxEvents    int
	FacetCaps    [parser.NumFacets]int // of names of a site and day; 0: those of parser.Facets
	MaxEndpoints int                   // of a site's API
	MaxUsers     int
	IDWindow     time.Duration
	DedupeWindow func(site string) time.Duration
	UVSetTTL     time.Duration
	Uniques      parser.Uniques

	// Progress is told how far a run is, by the goroutine that runs it; nil:
	// nobody asks.
	Progress func(Progress)

	// Remembered bounds how many visitors, pairs and names are held at once
	// for more than one site; 4 million if 0. A single site may need more.
	Remembered int
}

// Verifier counts again and compares. Not for several goroutines at once.
type Verifier struct {
	opt   Options
	log   *slog.Logger
	rules *rules
	shelf shelf
	books bookkeeping
	far   Progress
}

// New makes a Verifier; it reads nothing yet.
func New(opt Options) *Verifier {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	if opt.DedupeWindow == nil {
		opt.DedupeWindow = func(string) time.Duration { return 0 }
	}
	if opt.Remembered == 0 {
		opt.Remembered = 4_000_000
	}
	for f := range parser.NumFacets {
		if opt.FacetCaps[f] == 0 {
			opt.FacetCaps[f] = f.Spec().Cap
		}
	}
	return &Verifier{opt: opt, log: opt.Logger, shelf: shelf{logs: opt.Logs},
		rules: &rules{maxPages: opt.MaxPages, maxEvents: opt.MaxEvents, facets: opt.FacetCaps, seed: maphash.MakeSeed()}}
}

// Scope is what is asked for.
type Scope struct {
	Site string // "": every site
	Days int    // raw rows of so many days back are added up again; 0: of all
}

// Run verifies. What it finds is in the report; an error says that it could
// not be done.
func (v *Verifier) Run(ctx context.Context, scope Scope) (*Report, error) {
	start := v.opt.Now()
	r := &Report{}
	sites, err := v.sites(ctx, scope.Site)
	if err != nil {
		return nil, err
	}
	v.far = Progress{Sites: len(sites)}
	for _, name := range sites {
		v.now("sums of " + name)
		s := &SiteReport{Site: name}
		if err := v.rollups(ctx, s, scope.Days); err != nil {
			return nil, err
		}
		r.Sites = append(r.Sites, s)
		if v.opt.Dump == nil {
			v.done(1)
		}
	}
	if v.opt.Dump != nil {
		if err := v.counters(ctx, scope, r); err != nil {
			return nil, err
		}
	}
	v.now("")
	r.finish(v.opt.Now().Sub(start))
	return r, nil
}

// sites are those that Redis or the archive know.
func (v *Verifier) sites(ctx context.Context, only string) ([]string, error) {
	if only != "" {
		return []string{only}, nil
	}
	s, err := v.opt.Archive.Snapshot(ctx, "")
	if err != nil {
		return nil, err
	}
	all, err := s.Sites(ctx)
	if err = errors.Join(err, s.Close()); err != nil {
		return nil, err
	}
	if v.opt.Dump != nil {
		live, err := v.opt.Dump.Sites(ctx)
		if err != nil {
			return nil, err
		}
		if v.opt.MaxSites > 0 && len(all) > v.opt.MaxSites { // those over the limit are in the archive alone
			all = live
		} else {
			all = append(all, live...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// rollups compares a site's sums with the raw rows that are still there, and its
// bases in page_counts with its baselines.
func (v *Verifier) rollups(ctx context.Context, r *SiteReport, back int) (err error) {
	s, err := v.opt.Archive.Snapshot(ctx, r.Site)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	from := parser.Day(0)
	if back > 0 {
		from = parser.DayOf(v.opt.Now().In(v.opt.Location).AddDate(0, 0, -back))
	}
	days, err := s.RawDays(ctx, r.Site, from)
	if err != nil {
		return err
	}
	for _, d := range days {
		wrong, err := s.CheckDay(ctx, r.Site, d)
		if err != nil {
			return err
		}
		for _, m := range wrong {
			where := fmt.Sprintf("%s %s %d", m.Table, r.Site, m.Day)
			if m.Name != "" {
				where += " " + m.Name
			}
			r.differ(where+" "+m.Column, fmt.Sprint(m.Have), fmt.Sprint(m.Want))
		}
		if len(wrong) > 0 {
			r.WrongDays = append(r.WrongDays, d)
		}
	}
	r.RolledUp = len(days)
	if err := v.uniques(ctx, s, r, from); err != nil {
		return err
	}
	if err := v.callRollups(ctx, s, r, from); err != nil {
		return err
	}
	bases, err := s.CheckBases(ctx, r.Site)
	for _, m := range bases {
		r.differ(fmt.Sprintf("%s %s %s %s", m.Table, r.Site, m.Name, m.Column), fmt.Sprint(m.Have), fmt.Sprint(m.Want))
	}
	r.Bases = len(bases)
	return err
}

// uniques compares a site's visitors of weeks and months that are over with their raw rows.
func (v *Verifier) uniques(ctx context.Context, s *archive.Snapshot, r *SiteReport, from parser.Day) error {
	wrong, err := s.CheckUniques(ctx, r.Site, from)
	for _, m := range wrong {
		r.differ(fmt.Sprintf("%s %s %s %s", m.Table, r.Site, m.Name, m.Column), fmt.Sprint(m.Have), fmt.Sprint(m.Want))
		if !slices.Contains(r.WrongDays, m.Day) {
			r.WrongDays = append(r.WrongDays, m.Day)
		}
	}
	return err
}

// callRollups compares a site's sums of API calls with their periods.
func (v *Verifier) callRollups(ctx context.Context, s *archive.Snapshot, r *SiteReport, from parser.Day) error {
	days, err := s.RawCallDays(ctx, r.Site, from)
	if err != nil {
		return err
	}
	for _, d := range days {
		wrong, err := s.CheckCallDay(ctx, r.Site, d)
		if err != nil {
			return err
		}
		for _, m := range wrong {
			r.differ(fmt.Sprintf("%s %s %d %s %s", m.Table, r.Site, m.Day, m.Name, m.Column), fmt.Sprint(m.Have), fmt.Sprint(m.Want))
		}
		if len(wrong) > 0 {
			r.WrongCallDays = append(r.WrongCallDays, d)
		}
	}
	return nil
}

// groupTries is how often a group is begun again because its sites were
// rebuilt, or segments archived and deleted, while they were looked at.
const groupTries = 3

var (
	errTooMuch = errors.New("too much to be remembered for so many sites")
	errMoved   = errors.New("its keys were made anew meanwhile")
)

// counters compares what Redis has, for as many sites at once as memory allows:
// each group of them needs one reading of the log.
func (v *Verifier) counters(ctx context.Context, scope Scope, r *Report) error {
	v.books = newBookkeeping(r.Sites, scope.Site != "")
	todo := [][]*SiteReport{r.Sites}
	for len(todo) > 0 {
		reports := todo[0]
		err := v.tryGroup(ctx, reports)
		if errors.Is(err, errTooMuch) {
			half := len(reports) / 2
			todo = append([][]*SiteReport{reports[:half], reports[half:]}, todo[1:]...)
			continue
		}
		if err != nil {
			return err
		}
		for _, r := range reports {
			if err := v.mirror(ctx, r); err != nil {
				return err
			}
			v.done(1)
		}
		todo = todo[1:]
	}
	r.Segments = v.books.segments()
	return nil
}

func (v *Verifier) tryGroup(ctx context.Context, reports []*SiteReport) error {
	var err error
	for range groupTries {
		for _, r := range reports {
			r.restart()
		}
		v.books.begin()
		if err = v.group(ctx, reports); err == nil {
			v.books.commit()
			return nil
		}
		if !errors.Is(err, errMoved) && !errors.Is(err, errGone) {
			return err
		}
	}
	if len(reports) == 1 && errors.Is(err, errMoved) {
		reports[0].cannot("its keys are made anew all the time; look into the daemon's log")
		return nil
	}
	if len(reports) > 1 {
		return errTooMuch // so that one restless site keeps the others from nothing
	}
	return err
}

// group compares some sites.
func (v *Verifier) group(ctx context.Context, reports []*SiteReport) (err error) {
	only := ""
	if len(reports) == 1 {
		only = reports[0].Site
	}
	snap, err := v.opt.Archive.Snapshot(ctx, only)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, snap.Close()) }()
	g := &group{v: v, ctx: ctx, snap: snap, subjects: map[string]*subject{}, archived: map[string]archive.SegmentBook{}}
	for b, err := range snap.Books(ctx) {
		if err != nil {
			return err
		}
		g.archived[b.ID] = b
	}
	if err := v.shelf.list(ctx); err != nil {
		return err
	}
	for _, r := range reports {
		if err := g.add(r); err != nil {
			return err
		}
	}
	if err := g.recount(); err != nil {
		return err
	}
	v.books.gone(g.archived)
	for _, s := range g.order {
		v.now("counters of " + s.name)
		if err := s.compare(); err != nil {
			return err
		}
	}
	v.now("keys in Redis")
	return g.strangers()
}
