package reports

import (
	"fmt"
	"time"
)

// Span is what a report is of: whole days, and equally many before them, or the month
// before. Dates are midnights in UTC, as the API has them.
type Span struct {
	Key          string // names the period: 20261129, 2026W48, 202611
	From, To     time.Time
	Before, Till time.Time // the period before
}

// Last is the last day, week (from Monday) or month that was over at now.
func Last(period string, now time.Time) Span {
	y, m, d := now.Date()
	today := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	switch period {
	case "month":
		first := time.Date(y, m-1, 1, 0, 0, 0, 0, time.UTC)
		return Span{first.Format("200601"), first, first.AddDate(0, 1, -1), first.AddDate(0, -1, 0), first.AddDate(0, 0, -1)}
	case "day":
		s := Between(today.AddDate(0, 0, -1), today.AddDate(0, 0, -1))
		s.Key = s.From.Format("20060102")
		return s
	}
	monday := today.AddDate(0, 0, -(int(today.Weekday())+6)%7-7)
	s := Between(monday, monday.AddDate(0, 0, 6))
	year, week := monday.ISOWeek()
	s.Key = fmt.Sprintf("%04dW%02d", year, week)
	return s
}

// Between is the span of two days, both included, and as many before it.
func Between(from, to time.Time) Span {
	days := int(to.Sub(from)/(24*time.Hour)) + 1
	return Span{Key: from.Format("20060102") + "-" + to.Format("20060102"), From: from, To: to, Before: from.AddDate(0, 0, -days), Till: from.AddDate(0, 0, -1)}
}
