package parser

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"strconv"
	"time"
)

// Term is a stretch of days in which a visitor is told again, where UNIQUES says so:
// longer than a day, and like it one of the calendar in the configured zone.
type Term uint8

const (
	Week  Term = iota // of ISO 8601, from Monday on
	Month             // of the calendar
	NumTerms
)

// Uniques says in which terms visitors are told again: that many of them, so that each
// longer one includes the shorter. Within a day they always are.
type Uniques uint8

// The values of UNIQUES.
const (
	UniquesDay Uniques = iota
	UniquesWeek
	UniquesMonth
)

// ParseUniques reads the value of UNIQUES.
func ParseUniques(s string) (Uniques, error) {
	for u := range NumUniques {
		if u.String() == s {
			return u, nil
		}
	}
	return 0, fmt.Errorf("parse uniques %q: use day, week or month", s)
}

// NumUniques is how many values there are.
const NumUniques = UniquesMonth + 1

// String is the value of UNIQUES.
func (u Uniques) String() string { return [...]string{"day", "week", "month"}[u] }

// Has tells whether visitors of a term are told.
func (u Uniques) Has(t Term) bool { return uint8(t) < uint8(u) }

// String is a term's name in fields and columns.
func (t Term) String() string { return [...]string{"week", "month"}[t] }

// First is the first day of the term that holds d.
func (t Term) First(d Day) Day {
	if t == Month {
		return d - d%100 + 1
	}
	date := d.Date(time.UTC)
	return DayOf(date.AddDate(0, 0, -(int(date.Weekday())+6)%7))
}

// End is the first day after the term that holds d.
func (t Term) End(d Day) Day {
	first := t.First(d).Date(time.UTC)
	if t == Month {
		return DayOf(first.AddDate(0, 1, 0))
	}
	return DayOf(first.AddDate(0, 0, 7))
}

// Name is what the term that holds d is called: 2026W48 or 202611.
func (t Term) Name(d Day) string {
	if t == Month {
		return fmt.Sprintf("%06d", int(d)/100)
	}
	y, w := d.Date(time.UTC).ISOWeek()
	return fmt.Sprintf("%04dW%02d", y, w)
}

// TermNamed is the reverse of Name: the term and its first day.
func TermNamed(name string) (t Term, first Day, ok bool) {
	switch {
	case len(name) == 6:
		n, err := strconv.ParseUint(name, 10, 31)
		t, first = Month, Day(n)*100+1
		ok = err == nil
	case len(name) == 7 && name[4] == 'W':
		year, err := strconv.ParseUint(name[:4], 10, 31)
		week, err2 := strconv.ParseUint(name[5:], 10, 31)
		// The fourth of January is in the first week.
		t, first = Week, Week.First(DayOf(time.Date(int(year), 1, 4+7*(int(week)-1), 0, 0, 0, 0, time.UTC)))
		ok = err == nil && err2 == nil
	}
	return t, first, ok && DayOf(first.Date(time.UTC)) == first && t.Name(first) == name
}

// termKey is the salt of a term: like the day's it cannot be made without the secret,
// and it links no term to another, nor to a day.
func termKey(secret []byte, name string) sipKey {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(visitorDomain + name))
	return sipKeyOf(mac.Sum(nil))
}
