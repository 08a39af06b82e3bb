package parser

import "time"

// DayOf is the calendar day of t in t's own zone.
func DayOf(t time.Time) Day {
	y, m, d := t.Date()
	return Day(y*10000 + int(m)*100 + d)
}

// Date is the day's first moment in loc.
func (d Day) Date(loc *time.Location) time.Time {
	n := int(d)
	return time.Date(n/10000, time.Month(n/100%100), n%100, 0, 0, 0, 0, loc)
}

// Next is the day after d.
func (d Day) Next() Day { return DayOf(d.Date(time.UTC).AddDate(0, 0, 1)) }
