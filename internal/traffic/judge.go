// Package traffic tells when a site falls silent, or rises beyond what its weekday and
// hour usually have.
//
// What is usual is learnt from eight weeks: of each hour of the week the median and the
// most. Silence is judged by views that did not come: nothing, or next to it, while Enough
// would have come. How the last day and the last six hours went beside what is usual
// counts as well, so that a holiday is none.
package traffic

import (
	"math"
	"slices"
	"time"
)

// Kind is how a site goes.
type Kind string

// Kinds.
const (
	Quiet   Kind = "quiet" // as usual
	Silence Kind = "silence"
	Spike   Kind = "spike"
)

const (
	weeks    = 8 // that are looked back
	minWeeks = 3 // that a site must have counted
	week     = 7 * 24
	// Enough is how many views must usually have come for silence to be one: at half of
	// it nothing comes by chance once in 5e8 looks.
	Enough = 40
	// fewer of the usual than this share are silence.
	nothing = 0.02
	// A spike is more than times the most of the weeks, and at least so many views more.
	times, atLeast = 3, 50
	// longest is how many hours of silence are looked back: a site with less than Enough
	// views in them cannot fall silent.
	longest = 36
)

// Hour is a clock hour of a day and its views.
type Hour struct {
	Date time.Time // midnight in UTC
	Hour int
	PV   int64
}

// clock numbers the hours that clocks show.
func (h Hour) clock() int64 { return h.Date.Unix()/3600 + int64(h.Hour) }

func clockOf(t time.Time) int64 {
	y, m, d := t.Date()
	return Hour{Date: time.Date(y, m, d, 0, 0, 0, 0, time.UTC), Hour: t.Hour()}.clock()
}

// slot is the hour of the week.
func slot(clock int64) int { return int(((clock % week) + week) % week) }

// Usual is what a site usually has in each hour of the week.
type Usual struct {
	median, most [week]float64
	known        bool
}

// Learn learns from the hours of the weeks before a day.
func Learn(hours []Hour, today time.Time) *Usual {
	end := Hour{Date: today}.clock()
	begin := end - weeks*week
	views := map[int64]float64{}
	first := end
	for _, h := range hours {
		c := h.clock()
		if c < begin || c >= end {
			continue
		}
		views[c] += float64(h.PV)
		if h.PV > 0 {
			first = min(first, c)
		}
	}
	u := &Usual{known: end-first >= minWeeks*week-24} // the first day may have begun late
	for i := range int64(week) {
		var all []float64
		for c := end - week + i; c >= first; c -= week {
			all = append(all, views[c])
		}
		if len(all) == 0 {
			continue
		}
		slices.Sort(all)
		u.median[slot(end-week+i)] = (all[(len(all)-1)/2] + all[len(all)/2]) / 2
		u.most[slot(end-week+i)] = all[len(all)-1]
	}
	return u
}

// Recent are a site's views of late.
type Recent struct {
	Now     time.Time // in the zone of the days
	Minutes []int64   // the last, the running one at the end
	Hours   []Hour    // of today and the two days before
}

// recent is Recent as it is judged.
type recent struct {
	*Recent
	hours map[int64]float64
	now   int64 // the running clock hour
	part  float64
}

// Judge tells how a site goes, that went as was until now.
func (u *Usual) Judge(r *Recent, was Kind) Kind {
	if !u.known || len(r.Minutes) < 60 {
		return was
	}
	x := &recent{Recent: r, hours: map[int64]float64{}, now: clockOf(r.Now), part: float64(r.Now.Minute()+1) / 60}
	for _, h := range r.Hours {
		x.hours[h.clock()] += float64(h.PV)
	}
	switch was {
	case Silence:
		if !u.resumed(x) {
			return Silence
		}
	case Spike:
		if x.last(60) > 2*math.Max(x.usual(&u.most, 60), 10) {
			return Spike
		}
	}
	switch {
	case u.silent(x):
		return Silence
	case u.spikes(x):
		return Spike
	}
	return Quiet
}

// last are the views of so many minutes.
func (x *recent) last(minutes int) (n float64) {
	for _, v := range x.Minutes[len(x.Minutes)-minutes:] {
		n += float64(v)
	}
	return n
}

// usual are those that so many minutes usually have.
func (x *recent) usual(of *[week]float64, minutes int) (n float64) {
	hour := x.now
	for here := x.Now.Minute() + 1; minutes > 0; hour, here = hour-1, 60 {
		here = min(here, minutes)
		n += of[slot(hour)] * float64(here) / 60
		minutes -= here
	}
	return n
}

// level is how the hours before a clock hour went beside what is usual.
func (u *Usual) level(x *recent, before int64, hours int64) (float64, bool) {
	var have, want float64
	for c := before - hours; c < before; c++ {
		have += x.hours[c]
		want += u.median[slot(c)]
	}
	if want < 10 {
		return 1, false
	}
	return have / want, true
}

// usually is the level that is to be reckoned with from a clock hour on: a holiday's.
func (u *Usual) usually(x *recent, before int64) float64 {
	level := 1.0
	for _, hours := range []int64{6, 24} {
		if l, ok := u.level(x, before, hours); ok {
			level = min(level, l)
		}
	}
	return level
}

func (u *Usual) silent(x *recent) bool {
	for _, minutes := range []int{30, 60} {
		begun := clockOf(x.Now.Add(-time.Duration(minutes) * time.Minute))
		if lacking(x.last(minutes), x.usual(&u.median, minutes)*u.usually(x, begun)) {
			return true
		}
	}
	have, want := x.hours[x.now], u.median[slot(x.now)]*x.part
	last := x.now
	for back := time.Hour; back < longest*time.Hour; back += time.Hour {
		// By time as it passes: where clocks are put forward an hour is never shown, and
		// one is twice where they are put back.
		c := clockOf(x.Now.Add(-back))
		if c == last {
			continue
		}
		last = c
		if have += x.hours[c]; have > nothing*Enough*10 {
			return false
		}
		want += u.median[slot(c)]
		if lacking(have, want*u.usually(x, c)) {
			return true
		}
	}
	return false
}

// lacking tells whether so few views where so many usually come are no chance.
func lacking(have, want float64) bool {
	return want >= Enough && have <= nothing*want && below(have, want/2)
}

// below tells whether a Poisson variable of this mean is so small once in 5e8 times.
func below(have, mean float64) bool {
	const once = -20.0 // of e
	term, sum := -mean, math.Exp(-mean)
	for k := 1.0; k <= have; k++ {
		term += math.Log(mean / k)
		sum += math.Exp(term)
	}
	return math.Log(sum) <= once+1e-9
}

// resumed tells whether views come again.
func (u *Usual) resumed(x *recent) bool {
	have, want := x.last(60), x.usual(&u.median, 60)
	if want < 15 {
		return have >= 1
	}
	return have >= max(3, want/5)
}

func (u *Usual) spikes(x *recent) bool {
	// What rises for a day is a new usual that is not learnt yet.
	level := 1.0
	if l, ok := u.level(x, x.now, 24); ok {
		level = max(level, min(l, 4))
	}
	for _, minutes := range []int{20, 60} {
		have, most := x.last(minutes), x.usual(&u.most, minutes)*level
		if have > times*most && have > most+8*math.Sqrt(most)+atLeast {
			return true
		}
	}
	return false
}
