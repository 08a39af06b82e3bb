package queryapi

import (
	"context"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"
)

// Requests answers about the requests of sites' own logs. Dates are as in Series. stale
// says that Redis could not be asked; errors wrap ErrArchiveAway where SQL is needed and
// does not answer. Lists have the most frequent first.
type Requests interface {
	Kinds(ctx context.Context, site string, from, to time.Time) (days []RequestDay, stale bool, err error)
	Crawlers(ctx context.Context, site string, from, to time.Time) (all []CrawlerFacts, stale bool, err error)
	Feeds(ctx context.Context, site string, from, to time.Time) (all []FeedFacts, stale bool, err error)
	NotFound(ctx context.Context, site string, from, to time.Time) (all []NotFoundFacts, stale bool, err error)
	Downloads(ctx context.Context, site string, from, to time.Time) (all []DownloadFacts, stale bool, err error)
	Blocked(ctx context.Context, site string, from, to time.Time) (days []BlockedDay, stale bool, err error)
	BlockedPages(ctx context.Context, site string, from, to time.Time) (all []BlockedPage, stale bool, err error)
}

// RequestKinds are the kinds of requests, in the order of tables.
var RequestKinds = []string{"page", "asset", "api", "download", "feed", "redirect", "notfound", "failed"}

// RequestDay are the requests of a day by kind; it has all of RequestKinds.
type RequestDay struct {
	Date  calendarDate          `json:"date"`
	Kinds map[string]KindCounts `json:"kinds"`
}

// NewRequestDay is a day without requests.
func NewRequestDay(date time.Time) RequestDay {
	d := RequestDay{Date: calendarDate(date), Kinds: map[string]KindCounts{}}
	for _, kind := range RequestKinds {
		d.Kinds[kind] = KindCounts{}
	}
	return d
}

// KindCounts are the requests of a kind.
type KindCounts struct {
	People   int64 `json:"people"`
	Crawlers int64 `json:"crawlers"`
	Bytes    int64 `json:"bytes"`
}

// CrawlerFacts are the requests of a crawler.
type CrawlerFacts struct {
	Name     text  `json:"name"`
	Operator text  `json:"operator"`
	Purpose  text  `json:"purpose"`
	Requests int64 `json:"requests"`
	Pages    int64 `json:"pages"`
	Bytes    int64 `json:"bytes"`
	Robots   bool  `json:"robots"` // it asked for robots.txt
	Status   struct {
		OK       int64 `json:"2xx"`
		Redirect int64 `json:"3xx"`
		Refused  int64 `json:"4xx"`
		Failed   int64 `json:"5xx"`
	} `json:"status"`
}

// NewCrawler is a crawler without requests.
func NewCrawler(name, operator, purpose string) CrawlerFacts {
	return CrawlerFacts{Name: text(name), Operator: text(operator), Purpose: text(purpose)}
}

// FeedFacts are who reads a feed, on the day of the span that has most of them: those
// whose programs fetch it themselves, and those that aggregators tell of.
type FeedFacts struct {
	Path        text  `json:"path"`
	Readers     int64 `json:"readers"`
	Subscribers int64 `json:"subscribers"`
}

// NewFeed are the readers of a feed.
func NewFeed(path string, readers, subscribers int64) FeedFacts {
	return FeedFacts{text(path), readers, subscribers}
}

// NotFoundFacts are requests for what is not there. Referrer is a path of the site itself
// where its own link is broken, else another site; empty: none, or not known.
type NotFoundFacts struct {
	Path     text  `json:"path"`
	Referrer text  `json:"referrer"`
	Count    int64 `json:"count"`
}

// NewNotFound are requests for what is not there.
func NewNotFound(path, referrer string, count int64) NotFoundFacts {
	return NotFoundFacts{text(path), text(referrer), count}
}

// DownloadFacts are the requests for a file.
type DownloadFacts struct {
	Path  text  `json:"path"`
	Count int64 `json:"count"`
	Bytes int64 `json:"bytes"`
}

// NewDownload are the requests for a file.
func NewDownload(path string, count, bytes int64) DownloadFacts {
	return DownloadFacts{text(path), count, bytes}
}

// BlockedDay are the people whom a site's own log saw on a day, and those of them who
// never sent a beacon. Days that cannot be told are left out.
type BlockedDay struct {
	Date    calendarDate `json:"date"`
	Readers int64        `json:"readers"`
	Blocked int64        `json:"blocked"`
	Share   float64      `json:"share"`
}

// NewBlockedDay are the readers of a day.
func NewBlockedDay(date time.Time, readers, blocked int64) BlockedDay {
	return BlockedDay{Date: calendarDate(date), Readers: readers, Blocked: blocked, Share: shareOf(blocked, readers)}
}

// BlockedPage are the readers of a page, day by day, and those of them who sent no beacon
// of any page on that day.
type BlockedPage struct {
	Path    text    `json:"path"`
	Readers int64   `json:"readers"`
	Blocked int64   `json:"blocked"`
	Share   float64 `json:"share"`
}

// NewBlockedPage are the readers of a page.
func NewBlockedPage(path string, readers, blocked int64) BlockedPage {
	return BlockedPage{Path: text(path), Readers: readers, Blocked: blocked, Share: shareOf(blocked, readers)}
}

func shareOf(some, all int64) float64 {
	if all == 0 {
		return 0
	}
	return float64(some*1e6/all) / 1e6
}

func (f *facts) requestRoutes() []route {
	return []route{
		{method: "GET", path: "/api/admin/requests", admin: true, open: toViewers, handle: listRequests(f, "days", Requests.Kinds,
			[]string{"date", "kind", "people", "crawlers", "bytes"}, func(d *RequestDay) (rows [][]string) {
				for _, kind := range RequestKinds {
					k := d.Kinds[kind]
					rows = append(rows, []string{dateCell(d.Date), kind, decimal(k.People), decimal(k.Crawlers), decimal(k.Bytes)})
				}
				return rows
			})},
		{method: "GET", path: "/api/admin/crawlers", admin: true, open: toViewers, handle: listRequests(f, "rows", Requests.Crawlers,
			[]string{"name", "operator", "purpose", "requests", "pages", "bytes", "robots", "2xx", "3xx", "4xx", "5xx"}, func(c *CrawlerFacts) [][]string {
				s := &c.Status
				return [][]string{{Cell(string(c.Name)), Cell(string(c.Operator)), Cell(string(c.Purpose)), decimal(c.Requests), decimal(c.Pages), decimal(c.Bytes),
					strconv.FormatBool(c.Robots), decimal(s.OK), decimal(s.Redirect), decimal(s.Refused), decimal(s.Failed)}}
			})},
		{method: "GET", path: "/api/admin/feeds", admin: true, open: toViewers, handle: listRequests(f, "rows", Requests.Feeds, []string{"path", "readers", "subscribers"}, func(x *FeedFacts) [][]string {
			return [][]string{{Cell(string(x.Path)), decimal(x.Readers), decimal(x.Subscribers)}}
		})},
		{method: "GET", path: "/api/admin/notfound", admin: true, open: toViewers, handle: listRequests(f, "rows", Requests.NotFound, []string{"path", "referrer", "count"}, func(x *NotFoundFacts) [][]string {
			return [][]string{{Cell(string(x.Path)), Cell(string(x.Referrer)), decimal(x.Count)}}
		})},
		{method: "GET", path: "/api/admin/downloads", admin: true, open: toViewers, handle: listRequests(f, "rows", Requests.Downloads, []string{"path", "count", "bytes"}, func(x *DownloadFacts) [][]string {
			return [][]string{{Cell(string(x.Path)), decimal(x.Count), decimal(x.Bytes)}}
		})},
		{method: "GET", path: "/api/admin/blocked", admin: true, open: toViewers, handle: listRequests(f, "days", Requests.Blocked, []string{"date", "readers", "blocked", "share"}, func(x *BlockedDay) [][]string {
			return [][]string{{dateCell(x.Date), decimal(x.Readers), decimal(x.Blocked), strconv.FormatFloat(x.Share, 'f', -1, 64)}}
		})},
		{method: "GET", path: "/api/admin/blockedpages", admin: true, open: toViewers, handle: listRequests(f, "rows", Requests.BlockedPages, []string{"path", "readers", "blocked", "share"}, func(x *BlockedPage) [][]string {
			return [][]string{{Cell(string(x.Path)), decimal(x.Readers), decimal(x.Blocked), strconv.FormatFloat(x.Share, 'f', -1, 64)}}
		})},
	}
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

func dateCell(d calendarDate) string { return time.Time(d).Format(time.DateOnly) }

// listRequests answers one list of a span of days, under a name; limit is of rows, and
// days are as many as the span has.
func listRequests[T any](f *facts, name string, ask func(Requests, context.Context, string, time.Time, time.Time) ([]T, bool, error), columns []string, cells func(*T) [][]string) func(*fasthttp.RequestCtx) error {
	return func(ctx *fasthttp.RequestCtx) error {
		if f.cfg.Requests == nil {
			return errNoSiteLog("requests")
		}
		site, err := f.callSite(ctx, "from", "to", "limit", "format")
		if err != nil {
			return err
		}
		args := ctx.QueryArgs()
		from, to, err := f.span(args)
		if err != nil {
			return err
		}
		limit, err := intArg(args, "limit", defaultFacets, 1, MaxListed)
		if err != nil {
			return err
		}
		format := string(args.Peek("format"))
		if format != "" && format != "json" && format != "csv" {
			return badValue("format", "must be json or csv")
		}
		var all []T
		var stale bool
		err = f.series(ctx, site, func(ctx context.Context) (err error) {
			all, stale, err = ask(f.cfg.Requests, ctx, site, from, to)
			return err
		})
		if err != nil {
			return err
		}
		if name == "rows" {
			all = all[:min(len(all), limit)]
		}
		if format == "csv" {
			rows := [][]string{columns}
			for i := range all {
				rows = append(rows, cells(&all[i])...)
			}
			path := string(ctx.Path())
			return writeTable(ctx, path[len("/api/admin/"):]+".csv", rows)
		}
		if all == nil {
			all = []T{}
		}
		out := map[string]any{name: all}
		if stale {
			out["stale"] = true
			if why := f.reason(site, true); why != "" {
				out["stale_reason"] = why
			}
		}
		return writeValue(ctx, out)
	}
}
