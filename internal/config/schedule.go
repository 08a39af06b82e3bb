package config

import (
	"time"

	"github.com/robfig/cron/v3"
)

// Next is the schedule's first time after t, in t's zone. A job of every hour
// goes by time as it passes. One of certain hours goes by what clocks show, once
// for each time: where clocks pass over it, at the next moment that there is, and
// where they show it twice, at the first.
func (s Schedule) Next(t time.Time) time.Time {
	spec, ok := s.Times.(*cron.SpecSchedule)
	if !ok || everyHour(spec) {
		return s.Times.Next(t)
	}
	plain := *spec
	plain.Location = time.UTC
	wall := wallOf(t)
	for {
		if wall = plain.Next(wall); wall.IsZero() {
			return wall // never
		}
		if at := onClock(wall, t.Location()); at.After(t) {
			return at
		}
	}
}

// everyHour: the field has a bit for each hour.
func everyHour(s *cron.SpecSchedule) bool {
	const hours = 1<<24 - 1
	return s.Hour&hours == hours
}

// wallOf is what clocks show at t, as if it were UTC.
func wallOf(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// onClock is the first moment at which clocks of a zone show wall, or the one at
// which they pass over it.
func onClock(wall time.Time, zone *time.Location) time.Time {
	// Which of two offsets Date takes where clocks change is not promised, so both
	// sides are looked at.
	at := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, zone)
	start, end := at.ZoneBounds()
	if s := wallOf(at); s.After(wall) {
		return start // it took the offset from before the gap
	} else if s.Before(wall) {
		return end
	}
	if start.IsZero() {
		return at
	}
	_, now := at.Zone()
	_, before := start.Add(-time.Second).Zone()
	if first := at.Add(time.Duration(now-before) * time.Second); first.Before(start) && wallOf(first).Equal(wall) {
		return first
	}
	return at
}
