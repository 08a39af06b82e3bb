package answers

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
	"ddkk-stats/internal/config"
	"ddkk-stats/parser"
	"ddkk-stats/queryapi"
)

// Requests implements queryapi.Requests: a day is Redis' as long as that has it, and the
// archive's where it does not.
type Requests struct {
	reader   *counter.Reader
	archive  func() (*archive.Archive, error)
	cfg      func() *config.Config
	location *time.Location
	now      func() time.Time
}

// NewRequests answers about the requests that reader and the archive have.
func NewRequests(reader *counter.Reader, archive func() (*archive.Archive, error), cfg func() *config.Config) *Requests {
	return &Requests{reader: reader, archive: archive, cfg: cfg, location: cfg().Timezone, now: time.Now}
}

// requestDay are the sums of a series on a day.
type requestDay struct {
	day  parser.Day
	sums counter.RequestDay
}

// days reads a series; days without any have no sums.
func (q *Requests) days(ctx context.Context, site string, series parser.RequestSeries, from, to time.Time) (all []requestDay, stale bool, err error) {
	life := counter.RequestTTL
	if series.Spec().Brief {
		life = counter.RequestNamesTTL
	}
	oldest := parser.DayOf(q.now().In(q.location).Add(-life - 24*time.Hour))
	var young []parser.Day
	for d := from; !d.After(to); d = d.AddDate(0, 0, 1) {
		day := parser.DayOf(d)
		if all = append(all, requestDay{day: day}); day >= oldest {
			young = append(young, day)
		}
	}
	old := len(all) - len(young)
	if len(young) > 0 {
		live, was := q.reader.Requests(ctx, site, series, young)
		stale = was
		for i, sums := range live {
			all[old+i].sums = sums
		}
	}
	lacks := slices.IndexFunc(all, func(d requestDay) bool { return d.sums == nil })
	if lacks < 0 {
		return all, stale, nil
	}
	a, err := q.archive()
	if err != nil {
		if old == 0 && !stale {
			return all, false, nil // Redis says that there is nothing
		}
		return all, stale, fmt.Errorf("%w: %w", queryapi.ErrArchiveAway, err)
	}
	at, live := lacks, map[parser.Day]bool{}
	for _, d := range all {
		live[d.day] = d.sums != nil
	}
	for r, err := range a.Read().Requests(ctx, site, series, all[lacks].day, all[len(all)-1].day) {
		if err != nil {
			return all, stale, fmt.Errorf("%w: %w", queryapi.ErrArchiveAway, err)
		}
		for all[at].day < r.Day && at < len(all)-1 {
			at++
		}
		if d := &all[at]; d.day == r.Day && !live[r.Day] {
			if d.sums == nil {
				d.sums = counter.RequestDay{}
			}
			d.sums[r.Name] += r.N
		}
	}
	return all, stale, nil
}

// Kinds implements queryapi.Requests.
func (q *Requests) Kinds(ctx context.Context, site string, from, to time.Time) ([]queryapi.RequestDay, bool, error) {
	days, stale, err := q.days(ctx, site, parser.RequestsByKind, from, to)
	all := make([]queryapi.RequestDay, 0, len(days))
	for _, d := range days {
		out := queryapi.NewRequestDay(dateOf(d.day))
		for sum, n := range d.sums {
			part, kind := parser.CutSum(sum)
			k, known := out.Kinds[kind]
			switch part {
			case parser.PartPeople:
				k.People = n
			case parser.PartCrawlers:
				k.Crawlers = n
			case parser.PartBytes:
				k.Bytes = n
			}
			if known {
				out.Kinds[kind] = k
			}
		}
		all = append(all, out)
	}
	return all, stale, err
}

// sums adds a series up over a span: subject -> part -> sum.
func (q *Requests) sums(ctx context.Context, site string, series parser.RequestSeries, from, to time.Time) (map[string]map[string]int64, bool, error) {
	days, stale, err := q.days(ctx, site, series, from, to)
	all := map[string]map[string]int64{}
	for _, d := range days {
		for sum, n := range d.sums {
			part, subject := parser.CutSum(sum)
			if all[subject] == nil {
				all[subject] = map[string]int64{}
			}
			all[subject][part] += n
		}
	}
	return all, stale, err
}

// Crawlers implements queryapi.Requests.
func (q *Requests) Crawlers(ctx context.Context, site string, from, to time.Time) ([]queryapi.CrawlerFacts, bool, error) {
	sums, stale, err := q.sums(ctx, site, parser.RequestsByCrawler, from, to)
	all := make([]queryapi.CrawlerFacts, 0, len(sums))
	for name, n := range sums {
		known := parser.CrawlerNamed(name)
		c := queryapi.NewCrawler(name, known.Operator, known.Purpose)
		c.Pages, c.Bytes, c.Robots = n[parser.PartPages], n[parser.PartBytes], n[parser.PartRobots] > 0
		c.Status.OK, c.Status.Redirect, c.Status.Refused, c.Status.Failed = n["2xx"], n["3xx"], n["4xx"], n["5xx"]
		for _, class := range parser.StatusClasses() {
			c.Requests += n[class]
		}
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b queryapi.CrawlerFacts) int {
		return cmp.Or(cmp.Compare(b.Requests, a.Requests), cmp.Compare(a.Name, b.Name))
	})
	return all, stale, err
}

// NotFound implements queryapi.Requests.
func (q *Requests) NotFound(ctx context.Context, site string, from, to time.Time) ([]queryapi.NotFoundFacts, bool, error) {
	sums, stale, err := q.sums(ctx, site, parser.RequestsNotFound, from, to)
	all := make([]queryapi.NotFoundFacts, 0, len(sums))
	for subject, n := range sums {
		path, referrer, _ := strings.Cut(subject, " ")
		all = append(all, queryapi.NewNotFound(path, referrer, n[parser.PartCount]))
	}
	slices.SortFunc(all, func(a, b queryapi.NotFoundFacts) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Referrer, b.Referrer))
	})
	return all, stale, err
}

// Downloads implements queryapi.Requests.
func (q *Requests) Downloads(ctx context.Context, site string, from, to time.Time) ([]queryapi.DownloadFacts, bool, error) {
	sums, stale, err := q.sums(ctx, site, parser.RequestsDownloaded, from, to)
	all := make([]queryapi.DownloadFacts, 0, len(sums))
	for path, n := range sums {
		all = append(all, queryapi.NewDownload(path, n[parser.PartCount], n[parser.PartBytes]))
	}
	slices.SortFunc(all, func(a, b queryapi.DownloadFacts) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Path, b.Path))
	})
	return all, stale, err
}

// Feeds implements queryapi.Requests: readers are told apart within a day, so that a span
// has those of its best day.
func (q *Requests) Feeds(ctx context.Context, site string, from, to time.Time) ([]queryapi.FeedFacts, bool, error) {
	days, stale, err := q.days(ctx, site, parser.RequestsOfFeeds, from, to)
	best := map[string]archive.FeedReaders{}
	for _, d := range days {
		feeds := map[string]*archive.FeedReaders{}
		for sum, n := range d.sums {
			archive.AddFeedReader(feeds, sum, n)
		}
		for path, f := range feeds {
			b := best[path]
			b.Readers, b.Subscribers = max(b.Readers, f.Readers), max(b.Subscribers, f.Subscribers)
			best[path] = b
		}
	}
	all := make([]queryapi.FeedFacts, 0, len(best))
	for path, f := range best {
		all = append(all, queryapi.NewFeed(path, f.Readers, f.Subscribers))
	}
	slices.SortFunc(all, func(a, b queryapi.FeedFacts) int {
		return cmp.Or(cmp.Compare(b.Readers+b.Subscribers, a.Readers+a.Subscribers), cmp.Compare(a.Path, b.Path))
	})
	return all, stale, err
}

// Blocked implements queryapi.Requests.
func (q *Requests) Blocked(ctx context.Context, site string, from, to time.Time) (all []queryapi.BlockedDay, stale bool, err error) {
	stale, err = q.compared(ctx, site, from, to, func(d time.Time, day parser.Day) (there, stale bool) {
		readers, blocked, there, stale := q.reader.Blocked(ctx, site, day)
		if there {
			all = append(all, queryapi.NewBlockedDay(d, readers, blocked))
		}
		return there, stale
	}, func(a *archive.Archive, d time.Time, day parser.Day) error {
		readers, blocked, there, err := a.Read().Blocked(ctx, site, day)
		if there {
			all = append(all, queryapi.NewBlockedDay(d, readers, blocked))
		}
		return err
	})
	return all, stale, err
}

// BlockedPages implements queryapi.Requests: readers of a page are told apart within a
// day, so that a span has the sum of its days.
func (q *Requests) BlockedPages(ctx context.Context, site string, from, to time.Time) (all []queryapi.BlockedPage, stale bool, err error) {
	sums := map[string]parser.Readership{}
	add := func(pages map[string]parser.Readership) {
		for page, n := range pages {
			s := sums[page]
			sums[page] = parser.Readership{Readers: s.Readers + n.Readers, Blocked: s.Blocked + n.Blocked}
		}
	}
	stale, err = q.compared(ctx, site, from, to, func(_ time.Time, day parser.Day) (there, stale bool) {
		pages, there, stale := q.reader.BlockedPages(ctx, site, day)
		if there {
			add(pages)
		}
		return there, stale
	}, func(a *archive.Archive, _ time.Time, day parser.Day) error {
		pages, there, err := a.Read().BlockedPages(ctx, site, day)
		if there {
			add(pages)
		}
		return err
	})
	for page, n := range sums {
		all = append(all, queryapi.NewBlockedPage(page, n.Readers, n.Blocked))
	}
	slices.SortFunc(all, func(a, b queryapi.BlockedPage) int {
		return cmp.Or(cmp.Compare(b.Readers, a.Readers), cmp.Compare(b.Blocked, a.Blocked), cmp.Compare(a.Path, b.Path))
	})
	return all, stale, err
}

// compared goes through the days of which a site has both beacons and a log: Redis is
// asked about a day, and the archive where Redis does not have it.
func (q *Requests) compared(ctx context.Context, site string, from, to time.Time, live func(time.Time, parser.Day) (there, stale bool),
	past func(*archive.Archive, time.Time, parser.Day) error) (stale bool, err error) {
	oldest := parser.DayOf(q.now().In(q.location).Add(-counter.RequestNamesTTL - 24*time.Hour))
	for d := from; !d.After(to); d = d.AddDate(0, 0, 1) {
		day := parser.DayOf(d)
		if begin := day.Date(q.location); q.cfg().LogViewed(site, begin, day.Next().Date(q.location)) {
			continue // it has no beacons to be compared with
		}
		if day >= oldest {
			there, was := live(d, day)
			if stale = stale || was; there {
				continue
			}
		}
		a, err := q.archive()
		if err != nil {
			if day >= oldest && !stale {
				continue
			}
			return stale, fmt.Errorf("%w: %w", queryapi.ErrArchiveAway, err)
		}
		if err := past(a, d, day); err != nil {
			return stale, fmt.Errorf("%w: %w", queryapi.ErrArchiveAway, err)
		}
	}
	return stale, nil
}
