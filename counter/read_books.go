package counter

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/parser"
)

// DayBook is what Redis has of one day of a site beside its pages and events.
// PV and UV are of people's page views; PV = PC + Mobile.
type DayBook struct {
	Day               parser.Day
	PV, UV            int64
	PC, Mobile, Bot   int64
	Events, BotEvents int64
	Dedup             int64 // lines that were duplicates
}

// BookSeries is what Redis has of the days that were asked for.
type BookSeries struct {
	Span
	Days []DayBook // in order, without the days that have nothing
}

// Books reads the sums of the days from..to.
func (r *dayReads) Books(ctx context.Context, site string, from, to parser.Day) BookSeries {
	s := BookSeries{Span: r.spanSince(DayKeysTTL)}
	days := r.span(from, to, s.Since)
	s.Span = r.tripSpan(ctx, s.Span, site, len(days) == 0, func(ctx context.Context, pipe redis.Pipeliner) (err error) {
		s.Days, err = r.readBooks(ctx, pipe, site, days)
		return err
	})
	if s.Stale {
		s.Days = nil
	}
	return s
}

func (r *dayReads) readBooks(ctx context.Context, pipe redis.Pipeliner, site string, days []parser.Day) ([]DayBook, error) {
	keys := make([]string, 0, 2*len(days))
	for _, d := range days {
		keys = append(keys, r.keys.SitePVDay(site, d), r.keys.SiteUVDay(site, d))
	}
	totals := pipe.MGet(ctx, keys...)
	books := make([]*redis.MapStringStringCmd, len(days))
	for i, d := range days {
		books[i] = pipe.HGetAll(ctx, r.keys.Books(site, d))
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, fmt.Errorf("read books of %s: %w", site, err)
	}
	var all []DayBook
	for i, d := range days {
		b := DayBook{Day: d}
		var err error
		if b.PV, err = replyCount(totals.Val()[2*i]); err == nil {
			b.UV, err = replyCount(totals.Val()[2*i+1])
		}
		if err == nil {
			err = b.take(books[i].Val())
		}
		if err != nil {
			return nil, fmt.Errorf("read books of %s on %d: %w", site, d, err)
		}
		if b != (DayBook{Day: d}) {
			all = append(all, b)
		}
	}
	return all, nil
}

// take reads the fields of a day's books.
func (b *DayBook) take(fields map[string]string) error {
	for name, to := range map[string]*int64{
		"pc": &b.PC, "mobile": &b.Mobile, "bot": &b.Bot,
		"events": &b.Events, "bot_events": &b.BotEvents, "dedup": &b.Dedup,
	} {
		text, ok := fields[name]
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		*to = n
	}
	return nil
}

// sitesPerTrip keeps the replies of one round trip small, sideBySide has several under way:
// Redis works at one while others are written and read.
const (
	sitesPerTrip = 250
	sideBySide   = 4
)

// eachTrip calls do for parts of many sites, several at once, and waits for them.
func eachTrip(sites []string, do func(first int, trip []string)) {
	turns := make(chan struct{}, sideBySide)
	var all sync.WaitGroup
	for first := 0; first < len(sites); first += sitesPerTrip {
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			do(first, sites[first:min(len(sites), first+sitesPerTrip)])
		})
	}
	all.Wait()
}

// Overview reads totals, today's numbers and who is online of many sites, in
// their order. Where Redis cannot be asked, or a site is being rebuilt, the
// site's last known values are answered and marked.
func (r *Reader) Overview(ctx context.Context, sites []string) ([]SiteStats, error) {
	const fields = FieldSitePV | FieldSiteUV | FieldSitePVToday | FieldSiteUVToday | FieldSiteOnline
	now := r.opt.Now().In(r.opt.Location)
	all := make([]SiteStats, len(sites))
	eachTrip(sites, func(first int, trip []string) {
		answers := make([]Answer, len(trip))
		ok := r.trip(ctx, "", false, func(ctx context.Context, pipe redis.Pipeliner) error {
			return r.fetchSites(ctx, pipe, trip, fields, answers, now.Unix(), parser.DayOf(now))
		})
		for i, site := range trip {
			q, a := &Query{Site: site, Fields: fields}, &answers[i]
			if ok && !a.Stale && !r.markedStale(site) {
				r.remember(q, a, now, 0)
				a.Stale = r.waits.Load()
			} else {
				a.reset()
				r.recall(q, a, now)
				a.Stale = true
			}
			all[first+i] = a.SiteStats
		}
	})
	return all, ctx.Err()
}

// fetchSites reads the same fields of some sites, and marks those whose numbers
// are not whole.
func (r *Reader) fetchSites(ctx context.Context, pipe redis.Pipeliner, sites []string, fields Fields, answers []Answer, now int64, day parser.Day) error {
	mgets, online := make([]*redis.SliceCmd, len(sites)), make([]*redis.IntCmd, len(sites))
	states := make([]*stateAsked, len(sites))
	for i, site := range sites {
		states[i] = r.askState(ctx, pipe, site)
		mgets[i] = pipe.MGet(ctx, r.scalars(&Query{Site: site, Fields: fields}, day)...)
		online[i] = pipe.ZCount(ctx, r.keys.Online(site), "("+strconv.FormatInt(now-seconds(OnlineWindow), 10), strconv.FormatInt(now+seconds(OnlineWindow), 10))
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("read sites: %w", err)
	}
	for i, site := range sites {
		if err := takeScalars(mgets[i], &Query{Site: site, Fields: fields}, &answers[i]); err != nil {
			return err
		}
		answers[i].SiteOnline = online[i].Val()
		answers[i].Stale = !states[i].whole()
	}
	return nil
}
