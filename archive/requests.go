package archive

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"ddkk-stats/parser"
)

// Requests of a site's own log are sums of days, in the tables of calls: a dimension for
// each series (parser.RequestTable), and a period that is a day. So they are loaded,
// rolled up, recounted, checked and kept with the calls.

// requestSum is one sum of a day.
type requestSum struct {
	series parser.RequestSeries
	name   string // part and subject
}

func (s requestSum) row(day string, n int64) CallRow {
	return CallRow{Period: day, Dimension: s.series.Spec().Name, Name: s.name, Calls: n}
}

// requestNames are the dimensions of all series, as the end of a list in SQL.
var requestNames = func() (list string) {
	for s := range parser.NumRequestSeries {
		list += ", '" + string(s.Spec().Name) + "'"
	}
	return list
}()

// briefNames are the dimensions whose names are kept for a while, as a list in SQL.
var briefNames = func() string {
	var list []string
	for s := range parser.NumRequestSeries {
		if s.Spec().Brief {
			list = append(list, "'"+string(s.Spec().Name)+"'")
		}
	}
	return "(" + strings.Join(list, ", ") + ")"
}()

// requestSubjects are those of a day that have rows of their own, by series.
type requestSubjects [parser.NumRequestSeries]map[string]string

// keep has the subject of a row that is there.
func (s *requestSubjects) keep(d parser.CallDimension, name string) {
	series, ok := parser.RequestSeriesOf(d)
	if _, subject := parser.CutSum(name); ok && subject != parser.OtherPage {
		s.of(series)[subject] = subject
	}
}

func (s *requestSubjects) of(series parser.RequestSeries) map[string]string {
	if s[series] == nil {
		s[series] = map[string]string{}
	}
	return s[series]
}

// addRequest adds what a request counts.
func (d *callDay) addRequest(counts []parser.RequestCount) {
	for i := range counts {
		c := &counts[i]
		subject := parser.AdmitName(d.subjects.of(c.Series), c.Subject, c.Series.Spec().Cap, false)
		d.requests[requestSum{c.Series, c.Part + ":" + subject}] += c.N
	}
}

// RequestRow is a sum of requests of a day.
type RequestRow struct {
	Day  parser.Day
	Name string // see parser.AppendSum
	N    int64
}

// Requests returns the sums of a series of some days, in order of the days.
func (r *callReader) Requests(ctx context.Context, site string, series parser.RequestSeries, from, to parser.Day) iter.Seq2[RequestRow, error] {
	return stream(ctx, r.q, func(s scanner) (v RequestRow, err error) {
		return v, s.Scan(day{&v.Day}, &v.Name, &v.N)
	}, "SELECT date, name, calls FROM api_daily WHERE site = ? AND date >= ? AND date <= ? AND dimension = ? ORDER BY date",
		r.d.bytes([]byte(site)), dateText(from), dateText(to), string(series.Spec().Name))
}

// Blocked counts who saw a page of a site's own log on a day, and who of them never sent
// a beacon; there is false where it cannot be told: the site has no readers or no
// beacons of that day, or their names are gone.
func (r *callReader) Blocked(ctx context.Context, site string, d parser.Day) (readers, blocked int64, there bool, err error) {
	seen := map[parser.Visitor]bool{}
	for row, err := range r.Requests(ctx, site, parser.RequestsOfReaders, d, d) {
		if err != nil {
			return 0, 0, false, err
		}
		switch part, subject := parser.CutSum(row.Name); {
		case subject == parser.OtherPage:
		case part == parser.PartReaders:
			readers = row.N
		case part == parser.PartBlocked:
			blocked, there = row.N, true
		default:
			v, err := parser.ParseVisitor(subject)
			if err != nil {
				return 0, 0, false, fmt.Errorf("read readers of %s on %d: %w", site, d, err)
			}
			seen[v] = true
		}
	}
	if there || len(seen) == 0 {
		return readers, blocked, there, nil
	}
	return countBlocked(seen, visitorsOf(ctx, r.q, r.d, site, d))
}

// BlockedPages counts for each page what Blocked does for all.
func (r *callReader) BlockedPages(ctx context.Context, site string, d parser.Day) (pages map[string]parser.Readership, there bool, err error) {
	seen := readings{}
	pages = map[string]parser.Readership{}
	for row, err := range r.Requests(ctx, site, parser.RequestsOfPages, d, d) {
		if err != nil {
			return nil, false, err
		}
		part, subject := parser.CutSum(row.Name)
		n := pages[subject]
		switch {
		case subject == parser.OtherPage:
			continue
		case part == parser.PartReaders:
			n.Readers = row.N
		case part == parser.PartBlocked:
			n.Blocked, there = row.N, true
		default:
			if err := seen.add(subject); err != nil {
				return nil, false, fmt.Errorf("read readers of pages of %s on %d: %w", site, d, err)
			}
			continue
		}
		pages[subject] = n
	}
	if there || len(seen) == 0 {
		return pages, there, nil
	}
	return seen.count(visitorsOf(ctx, r.q, r.d, site, d))
}

// readings are the pages that readers saw on a day.
type readings map[parser.Visitor][]string

func (s readings) add(subject string) error {
	v, page, err := parser.CutReading(subject)
	if err == nil {
		s[v] = append(s[v], page)
	}
	return err
}

// count tells for each page how many saw it, and how many of them did not send.
func (s readings) count(senders iter.Seq2[parser.Visitor, error]) (pages map[string]parser.Readership, there bool, err error) {
	pages = map[string]parser.Readership{}
	add := func(v parser.Visitor, blocked int64) {
		for _, page := range s[v] {
			n := pages[page]
			pages[page] = parser.Readership{Readers: n.Readers + 1, Blocked: n.Blocked + blocked}
		}
		delete(s, v)
	}
	for v, err := range senders {
		if err != nil {
			return nil, false, err
		}
		there = true
		add(v, 0)
	}
	for v := range s {
		add(v, 1)
	}
	return pages, there, nil
}

// countBlocked counts how many of those who were seen did not send.
func countBlocked(seen map[parser.Visitor]bool, senders iter.Seq2[parser.Visitor, error]) (readers, blocked int64, there bool, err error) {
	readers = int64(len(seen))
	for v, err := range senders {
		if err != nil {
			return 0, 0, false, err
		}
		there = true
		delete(seen, v)
	}
	return readers, int64(len(seen)), there, nil
}

// condense replaces names that tell visitors apart by how many there were: of feeds by
// their path, of readers all and those who sent no beacon, on the whole and by page. That
// is done when the periods
// of the day are deleted.
func (cy *cycles) condense(ctx context.Context, tx *sql.Tx, k siteDay) error {
	site, date := cy.dialect.bytes([]byte(k.site)), dateText(k.day)
	seen, read, feeds := map[parser.Visitor]bool{}, readings{}, map[string]*FeedReaders{}
	for v, err := range stream(ctx, tx, func(s scanner) (v CallRow, err error) {
		return v, s.Scan(&v.Dimension, &v.Name, &v.Calls)
	}, "SELECT dimension, name, calls FROM api_daily WHERE site = ? AND date = ? AND dimension IN "+briefNames, site, date) {
		if err != nil {
			return err
		}
		_, subject := parser.CutSum(v.Name)
		switch v.Dimension {
		case parser.RequestsOfFeeds.Spec().Name:
			AddFeedReader(feeds, v.Name, v.Calls)
		case parser.RequestsOfPages.Spec().Name:
			if subject == parser.OtherPage {
				continue
			}
			if err := read.add(subject); err != nil {
				return fmt.Errorf("count readers of pages of %s on %d: %w", k.site, k.day, err)
			}
		default:
			if who, err := parser.ParseVisitor(subject); err == nil {
				seen[who] = true
			}
		}
	}
	if len(seen)+len(read)+len(feeds) == 0 {
		return nil
	}
	var rows []CallRow
	add := func(s parser.RequestSeries, part, subject string, n int64) {
		rows = append(rows, requestSum{s, part + ":" + subject}.row("", n))
	}
	for path, f := range feeds {
		add(parser.RequestsOfFeeds, parser.PartReaders, path, f.Readers)
		add(parser.RequestsOfFeeds, parser.PartSubscribers, path, f.Subscribers)
	}
	if len(seen) > 0 {
		readers, blocked, there, err := countBlocked(seen, visitorsOf(ctx, tx, cy.dialect, k.site, k.day))
		if err != nil {
			return err
		}
		add(parser.RequestsOfReaders, parser.PartReaders, "", readers)
		if there {
			add(parser.RequestsOfReaders, parser.PartBlocked, "", blocked)
		}
	}
	if len(read) > 0 {
		pages, there, err := read.count(visitorsOf(ctx, tx, cy.dialect, k.site, k.day))
		if err != nil {
			return err
		}
		for page, n := range pages {
			add(parser.RequestsOfPages, parser.PartReaders, page, n.Readers)
			if there {
				add(parser.RequestsOfPages, parser.PartBlocked, page, n.Blocked)
			}
		}
	}
	if _, err := execTx(ctx, tx, "delete names of readers", "DELETE FROM api_daily WHERE site = ? AND date = ? AND dimension IN "+briefNames, site, date); err != nil {
		return err
	}
	return cy.addCalls(ctx, tx, "api_daily", "date", site, rows, func(CallRow) any { return date })
}

// FeedReaders are those of a feed on a day.
type FeedReaders struct {
	Readers, Subscribers int64
	most                 map[string]int64 // by aggregator
}

// AddFeedReader adds a sum of the series of feeds to the readers of its path. An
// aggregator tells another number now and then: the largest counts.
func AddFeedReader(all map[string]*FeedReaders, name string, n int64) {
	part, subject := parser.CutSum(name)
	if subject == parser.OtherPage {
		return
	}
	reader, path := "", subject
	if part == parser.PartCount {
		reader, path, _ = strings.Cut(subject, " ")
	}
	f := all[path]
	if f == nil {
		f = &FeedReaders{most: map[string]int64{}}
		all[path] = f
	}
	who, told, aggregator := strings.Cut(reader, "=")
	switch {
	case part == parser.PartReaders:
		f.Readers += n
	case part == parser.PartSubscribers:
		f.Subscribers += n
	case aggregator:
		if x, err := strconv.ParseInt(told, 10, 64); err == nil && x > f.most[who] {
			f.Subscribers += x - f.most[who]
			f.most[who] = x
		}
	case reader != "":
		f.Readers++
	}
}
