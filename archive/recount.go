package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"ddkk-stats/parser"
)

// recounts count what is archived again by the rules of now.
type recounts struct {
	*store
	cycles  *cycles
	rollups *rollups
}

// Recounting says what is to be counted again by the rules of now.
type Recounting struct {
	From, To parser.Day // both included
	Site     string     // this one and those that its aliases join it with; "": all
	// Logs are the segments that are still on the disk, with parsers that have
	// the rules of now. Only what is archived of them is read.
	Logs []Source
	// Calls are the logs of API calls with all of their segments that are on the
	// disk; nil: calls stay as they are.
	Calls []Source
	// Rows judges raw rows whose segment is gone.
	Rows *parser.Parser
	// Joined are the sites that Site's views may have gone to or come from.
	Joined []string
	// Facets has raw rows get the facets that can be told of them by now, and nothing
	// else changed.
	Facets bool
	Force  bool // leave days as they are that cannot be counted again
	DryRun bool // change nothing
	// Progress is told how many lines and raw rows are done; may be nil.
	Progress func(done, total int64)
}

// Recounted is what a recount came to.
type Recounted struct {
	Days   []RecountedDay // by day and site
	Lines  int64          // of segments on the disk
	Rows   int64          // raw rows that were judged without their line
	Named  int64          // of these, with Facets: rows that have other names now
	Pages  int64          // without raw rows, that have another name now
	Doubts map[parser.Doubt]int64
	Left   []SiteDay        // days without raw rows, which stay as they are
	Calls  []RecountedCalls // by day and site
	Took   time.Duration
}

// SiteDay is a day of a site.
type SiteDay struct {
	Site string
	Day  parser.Day
}

// RecountedDay is a day before and after. Lines and Rows are how many of its
// raw rows came from segments on the disk, and from others.
type RecountedDay struct {
	SiteDay
	Before, After DayTotals
	Lines, Rows   int64
}

// Changed tells whether any sum differs.
func (d *RecountedDay) Changed() bool { return d.Before != d.After }

// NoRawError says that days cannot be counted again: their raw rows are deleted.
type NoRawError struct{ Days []SiteDay }

func (e *NoRawError) Error() string {
	first, last := e.Days[0].Day, e.Days[len(e.Days)-1].Day
	return fmt.Sprintf("%d days of sites from %s to %s have sums alone: their raw rows are deleted (RAW_RETENTION_DAYS), so they cannot be counted again. "+
		"Choose later days, or leave those as they are with --force. Nothing was changed", len(e.Days), dateText(first), dateText(last))
}

// Recount counts the archived lines of some days again by the rules of now, and
// puts what comes of them in the place of what was there: raw rows, sums of
// days, books of segments. Segments on the disk are read again; of others the
// raw rows are judged by what they hold. API calls have no raw rows: days of
// which segments are gone keep what they have. It works in pieces, each of which is
// one transaction that leaves an archive in which every line is judged by the
// old rules or the new ones: it may be killed and run again. It ends with
// ErrLocked where another process archives.
//
// The sites that it touches are noted as ones to be rebuilt in Redis
// (PendingImports).
func (rc *recounts) Recount(ctx context.Context, q Recounting) (out Recounted, err error) {
	began := time.Now()
	if !q.DryRun {
		unlock, ok, err := rc.dialect.lock(ctx, lockArchive, false)
		if err != nil {
			return out, err
		}
		if !ok {
			return out, errors.Join(ErrLocked, unlock())
		}
		defer func() { err = errors.Join(err, unlock()) }()
		if _, err := rc.rollups.RollUp(ctx); err != nil {
			return out, err
		}
	}
	r := rc.newRecounter(q)
	defer r.close()
	if err := r.run(ctx); err != nil {
		return r.out, fmt.Errorf("recount: %w", err)
	}
	r.out.Took = time.Since(began)
	return r.out, nil
}

// recounter is one Recount.
type recounter struct {
	a     *recounts
	q     Recounting
	out   Recounted
	sites map[string]bool // nil: all
	from  parser.Day      // of what can be counted again
	l     *loader
	ahead *ahead

	segments map[int64]*oldSegment
	days     []siteDay // that have raw rows
	was      map[siteDay]DayTotals
	counts   map[siteDay]*origin
	partial  map[parser.Day]bool // days with rows whose segment is gone
	lost     map[siteDay]bool
	dedup    map[siteDay]int64 // duplicates among the lines of segments on the disk
	touched  map[siteDay]bool
	came     map[siteDay]*origin // of touched days that had no raw rows
	preview  preview             // of a dry run

	// Where the work is, see pending.
	current *oldSegment
	behind  int64 // of current: offset that the open chunk begins at
	site    string
	place   rowPlace
	passed  map[string]bool // sites whose raw rows were judged

	done, total int64
}

// origin counts a day's raw rows by where they can be counted again from.
type origin struct{ lines, rows int64 }

// oldSegment is an archived segment.
type oldSegment struct {
	num       int64
	id        string
	end       int64 // archived up to here
	lines     int64
	imported  bool
	file      Segment // nil: gone
	source    *Source
	recounted bool
	inScope   bool // raw rows of the days asked for came from it
}

func (rc *recounts) newRecounter(q Recounting) *recounter {
	r := &recounter{a: rc, q: q, from: q.From, l: rc.cycles.newLoader(Source{Parser: q.Rows}), ahead: &ahead{},
		segments: map[int64]*oldSegment{}, was: map[siteDay]DayTotals{}, counts: map[siteDay]*origin{}, partial: map[parser.Day]bool{},
		lost: map[siteDay]bool{}, dedup: map[siteDay]int64{}, touched: map[siteDay]bool{}, came: map[siteDay]*origin{},
		preview: preview{}, passed: map[string]bool{}}
	r.out.Doubts = map[parser.Doubt]int64{}
	if q.Site != "" {
		r.sites = map[string]bool{q.Site: true}
		for _, s := range q.Joined {
			r.sites[s] = true
		}
	}
	r.l.windows.pending = r.pending
	return r
}

func (r *recounter) close() {
	r.l.closeReader()
	r.ahead.close(r.a.log)
}

func (r *recounter) run(ctx context.Context) error {
	if err := r.views(ctx); err != nil || r.q.Calls == nil {
		return err
	}
	return r.calls(ctx)
}

// views counts page views and events again.
func (r *recounter) views(ctx context.Context) error {
	todo, err := r.plan(ctx)
	if err != nil {
		return err
	}
	r.progress(0)
	if err := r.judgeRows(ctx); err != nil {
		return err
	}
	if !r.q.DryRun {
		r.l.windows.forget()
	}
	for _, seg := range todo {
		if err := r.segment(ctx, seg); err != nil {
			return fmt.Errorf("%s: %w", seg.file.Name(), err)
		}
	}
	if err := r.namePages(ctx); err != nil {
		return err
	}
	if r.q.DryRun {
		r.summary(r.preview.totals)
		return nil
	}
	if err := r.finish(ctx); err != nil {
		return err
	}
	after, err := r.totals(ctx)
	if err != nil {
		return err
	}
	r.summary(func(k siteDay) DayTotals { return after[k] })
	return nil
}

// pending says of a raw row whether it has still to be counted again, so that
// the rules about duplicates must not go by it.
func (r *recounter) pending(site string, at, segment, end int64) bool {
	if !r.wants(site) || !r.inDays(r.l.windows.dayOf(at)) {
		return false
	}
	seg := r.segments[segment]
	switch {
	case seg == nil:
		return false // it came after the plan
	case r.q.DryRun:
		return true // what is in its place is remembered
	case seg.recounted:
		return false
	case seg.file != nil:
		return seg != r.current || end > r.behind
	case r.passed[site]:
		return false
	}
	return site != r.site || r.place.before(rowPlace{at, segment, end})
}

// touch notes days that rows went from or came to, by lines or by raw rows.
func (r *recounter) touch(days map[siteDay]bool, lines bool) {
	for k := range days {
		r.touched[k] = true
		o := r.came[k]
		if o == nil {
			o = &origin{}
			r.came[k] = o
		}
		if lines {
			o.lines++
		} else {
			o.rows++
		}
	}
}

func (r *recounter) wants(site string) bool { return r.sites == nil || r.sites[site] }

func (r *recounter) inDays(d parser.Day) bool { return r.from <= d && d <= r.q.To }

func (r *recounter) progress(n int64) {
	r.done += n
	if r.q.Progress != nil {
		r.q.Progress(r.done, max(r.total, r.done))
	}
}

// totals are the sums of the days asked for, as they are now.
func (r *recounter) totals(ctx context.Context) (map[siteDay]DayTotals, error) {
	all := map[siteDay]DayTotals{}
	type row struct {
		site string
		DayTotals
	}
	for v, err := range stream(ctx, r.a.reads, func(s scanner) (v row, err error) {
		return v, s.Scan(&v.site, day{&v.Day}, &v.PV, &v.UV, &v.PC, &v.Mobile, &v.Bot, &v.Events, &v.BotEvents, &v.Dedup)
	}, "SELECT d.site, d.date, d.pv, d.uv, d.pv_pc, d.pv_mobile, d.pv_bot, d.events, d.events_bot, COALESCE(m.dedup, 0) FROM daily_stats d "+
		"LEFT JOIN days m ON m.site = d.site AND m.date = d.date WHERE d.date >= ? AND d.date <= ?", dateText(r.q.From), dateText(r.q.To)) {
		if err != nil {
			return nil, err
		}
		all[siteDay{v.site, v.Day}] = v.DayTotals
	}
	return all, nil
}

// summary fills in the days.
func (r *recounter) summary(after func(siteDay) DayTotals) {
	keys := map[siteDay]bool{}
	for _, k := range r.days {
		keys[k] = r.inDays(k.day)
	}
	maps.Copy(keys, r.touched)
	for k := range r.preview {
		keys[k] = true
	}
	for k, show := range keys {
		if !show {
			continue
		}
		d := RecountedDay{SiteDay: SiteDay{k.site, k.day}, Before: r.was[k], After: after(k)}
		d.Before.Day, d.After.Day = k.day, k.day
		if r.q.DryRun {
			d.After.Dedup = d.Before.Dedup
		}
		if o := cmp.Or(r.counts[k], r.came[k]); o != nil {
			d.Lines, d.Rows = o.lines, o.rows
		}
		r.out.Days = append(r.out.Days, d)
	}
	slices.SortFunc(r.out.Days, func(x, y RecountedDay) int {
		return cmp.Or(cmp.Compare(x.Day, y.Day), cmp.Compare(x.Site, y.Site))
	})
}

// preview is what a dry run comes to.
type preview map[siteDay]*previewDay

type previewDay struct {
	DayTotals
	visitors map[parser.Visitor]struct{}
}

func (p preview) add(site string, d parser.Day, v parser.Visitor, event, bot, mobile bool) {
	k := siteDay{site, d}
	x := p[k]
	if x == nil {
		x = &previewDay{visitors: map[parser.Visitor]struct{}{}}
		p[k] = x
	}
	switch {
	case bot && event:
		x.BotEvents++
		return
	case bot:
		x.Bot++
		return
	case event:
		x.Events++
		return
	case mobile:
		x.Mobile++
	default:
		x.PC++
	}
	x.PV++
	if _, seen := x.visitors[v]; !seen && !v.IsZero() {
		x.visitors[v] = struct{}{}
		x.UV++
	}
}

func (p preview) totals(k siteDay) DayTotals {
	if x := p[k]; x != nil {
		return x.DayTotals
	}
	return DayTotals{}
}
