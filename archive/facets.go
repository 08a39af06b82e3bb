package archive

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"strings"
	"time"

	"ddkk-stats/parser"
)

// HourTotals are the views of an hour of a day, by the clocks of the zone.
type HourTotals struct {
	Day     parser.Day
	Hour    int
	PV, Bot int64
}

// MinuteTotals are the views of a minute of a day, from 0 on.
type MinuteTotals struct {
	Minute  int
	PV, Bot int64
}

// localClock reads times as the zone's clocks showed them. Rows come in order,
// so the last minute is kept.
type localClock struct {
	loc    *time.Location
	text   [len(minuteLayout)]byte
	number int64 // the minute's since the Unix epoch; not kept with text
	minute int
}

// minuteLayout is how created_at begins.
const minuteLayout = "2006-01-02 15:04"

// of is the minute of the day of a time as SQL has it.
func (c *localClock) of(at []byte) (int, error) {
	if len(at) < len(c.text) {
		return 0, fmt.Errorf("read created_at %q: too short", at)
	}
	if string(at[:len(c.text)]) == string(c.text[:]) {
		return c.minute, nil
	}
	t, err := time.Parse(minuteLayout, string(at[:len(c.text)]))
	if err != nil {
		return 0, fmt.Errorf("read created_at: %w", err)
	}
	t = t.In(c.loc)
	copy(c.text[:], at)
	c.minute = 60*t.Hour() + t.Minute()
	return c.minute, nil
}

// at is the minute of the day of a time in ms. A clock is asked by text or by
// number, not by both.
func (c *localClock) at(ms int64) int {
	if n := ms / 60_000; n != c.number {
		t := time.Unix(60*n, 0).In(c.loc)
		c.number, c.minute = n, 60*t.Hour()+t.Minute()
	}
	return c.minute
}

// facets counts a row by hour and referrer, which the first pass does.
func (f *fold) facets(site string, bot bool, event, referrer, at []byte) error {
	if f.pass > 0 || len(event) > 0 {
		return nil
	}
	minute, err := f.clock.of(at)
	if err != nil {
		return err
	}
	f.facet(site, bot, minute/60, referrer)
	return nil
}

// minute counts a row by minute, where that is wanted.
func (f *fold) minute(bot bool, event, at []byte) error {
	if len(event) > 0 {
		return nil
	}
	minute, err := f.clock.of(at)
	if err != nil {
		return err
	}
	if bot {
		f.minutes[minute].Bot++
	} else {
		f.minutes[minute].PV++
	}
	return nil
}

// facet counts a view by hour and referrer.
func (f *fold) facet(site string, bot bool, hour int, referrer []byte) {
	h := &f.hours[hour]
	if bot {
		h.Bot++
		return
	}
	h.PV++
	if string(referrer) != site {
		s, _ := f.nameOf(f.referrers, referrer, f.maxReferrers)
		s.pv++
	}
}

// writeHours inserts a row for each hour that has views.
func (f *fold) writeHours(ctx context.Context, tx *sql.Tx, r rawRows, conflict string) error {
	var args []any
	for hour, h := range f.hours {
		if h.PV > 0 || h.Bot > 0 {
			args = append(args, r.date, r.site, hour, h.PV, h.Bot)
		}
	}
	if len(args) == 0 {
		return nil
	}
	values := strings.TrimSuffix(strings.Repeat("(?,?,?,?,?),", len(args)/5), ",")
	_, err := execTx(ctx, tx, "write hour_stats", "INSERT INTO hour_stats (date, site, hour, pv, pv_bot) VALUES "+values+conflict, args...)
	return err
}

// HourDays returns the views of a site by hour, in order.
func (r *Reader) HourDays(ctx context.Context, site string, from, to parser.Day) iter.Seq2[HourTotals, error] {
	where, args := r.between("", site, from, to)
	return stream(ctx, r.q, func(s scanner) (v HourTotals, err error) {
		return v, s.Scan(day{&v.Day}, &v.Hour, &v.PV, &v.Bot)
	}, "SELECT date, hour, pv, pv_bot FROM hour_stats WHERE "+where+" ORDER BY date, hour", args...)
}

// ReferrerDays returns the views that hosts led to, as PV, days in order. The
// host "" stands for none, and for one that is not known.
func (r *Reader) ReferrerDays(ctx context.Context, site string, from, to parser.Day) iter.Seq2[NameTotals, error] {
	where, args := r.between("", site, from, to)
	return stream(ctx, r.q, func(s scanner) (v NameTotals, err error) {
		return v, s.Scan(day{&v.Day}, &v.Name, &v.PV)
	}, "SELECT date, referrer, pv FROM referrer_stats WHERE "+where+" ORDER BY date, referrer", args...)
}

// ReferrerRange adds these up over the days from..to.
func (r *Reader) ReferrerRange(ctx context.Context, site string, from, to parser.Day) iter.Seq2[NameTotals, error] {
	where, args := r.between("", site, from, to)
	return stream(ctx, r.q, func(s scanner) (v NameTotals, err error) {
		return v, s.Scan(&v.Name, &v.PV)
	}, "SELECT referrer, SUM(pv) FROM referrer_stats WHERE "+where+" GROUP BY referrer", args...)
}

// Minutes returns the views of a site's day by minute, in order of time. There
// are none when the day's raw rows are deleted. Where the clocks are set back,
// a minute may come twice.
func (r *Reader) Minutes(ctx context.Context, site string, d parser.Day) iter.Seq2[MinuteTotals, error] {
	rows := rowsOf(r.d, siteDay{site, d})
	clock := localClock{loc: r.opt.Location}
	return stream(ctx, r.q, func(s scanner) (v MinuteTotals, err error) {
		var at string
		if err := s.Scan(&at, &v.PV, &v.Bot); err != nil {
			return v, err
		}
		v.Minute, err = clock.of([]byte(at))
		return v, err
	}, "SELECT SUBSTR(created_at, 1, 16) AS minute, SUM(CASE WHEN potential_bot = 0 THEN 1 ELSE 0 END), SUM(CASE WHEN potential_bot = 1 THEN 1 ELSE 0 END) "+
		"FROM access_logs WHERE "+rows.where+" AND event_key = '' GROUP BY minute ORDER BY minute", rows.args...)
}

// hours compares the sums by hour with what the raw rows come to.
func (c *dayCheck) hours(ctx context.Context) error {
	var have, want [24]HourTotals
	for m, err := range c.r.Minutes(ctx, c.site, c.day) {
		if err != nil {
			return err
		}
		want[m.Minute/60].PV += m.PV
		want[m.Minute/60].Bot += m.Bot
	}
	for h, err := range c.r.HourDays(ctx, c.site, c.day, c.day) {
		if err != nil {
			return err
		}
		if h.Hour < 0 || h.Hour >= len(have) {
			c.compare("hour_stats", "pv", fmt.Sprint(h.Hour), h.PV, 0)
			continue
		}
		have[h.Hour] = h
	}
	for hour := range want {
		c.compare("hour_stats", "pv", fmt.Sprint(hour), have[hour].PV, want[hour].PV)
		c.compare("hour_stats", "pv_bot", fmt.Sprint(hour), have[hour].Bot, want[hour].Bot)
	}
	return nil
}

// referrers does so with those by referrer.
func (c *dayCheck) referrers(ctx context.Context) error {
	want := map[string]sums{}
	for v, err := range stream(ctx, c.r.q, func(s scanner) (v NameTotals, err error) {
		return v, s.Scan(&v.Name, &v.PV)
	}, "SELECT referrer, COUNT(*) FROM access_logs WHERE "+c.rows.where+" AND "+aView+" AND referrer <> site GROUP BY referrer", c.rows.args...) {
		if err != nil {
			return err
		}
		want[v.Name] = sums{pv: v.PV}
	}
	return c.names("referrer_stats", "pv", want, c.r.ReferrerDays(ctx, c.site, c.day, c.day))
}
