package archive

import (
	"fmt"
	"strconv"
	"time"

	"ddkk-stats/parser"
)

// Times and days are passed and read as text: it is the same in all databases.
const (
	timeLayout = "2006-01-02 15:04:05.000"
	dateLayout = "2006-01-02"
)

// timeText is a time, in ms since the Unix epoch, as SQL has it, in UTC.
func timeText(ms int64) string { return time.UnixMilli(ms).UTC().Format(timeLayout) }

func parseTime(s string) (ms int64, err error) {
	if ms, ok := quickTime(s); ok {
		return ms, nil
	}
	t, err := time.Parse(timeLayout, s)
	if err != nil {
		return 0, fmt.Errorf("read time: %w", err)
	}
	return t.UnixMilli(), nil
}

// dateText is a day as SQL has it.
func dateText(d parser.Day) string { return string(appendDate(nil, d)) }

func appendDate(b []byte, d parser.Day) []byte {
	n := int(d)
	b = append4(b, n/10000)
	b = append2(append(b, '-'), n/100%100)
	return append2(append(b, '-'), n%100)
}

func append4(b []byte, n int) []byte { return append2(append2(b, n/100), n%100) }
func append2(b []byte, n int) []byte { return append(b, byte('0'+n/10), byte('0'+n%10)) }

func parseDate(s string) (parser.Day, error) {
	t, err := time.Parse(dateLayout, s)
	if err != nil {
		return 0, fmt.Errorf("read date: %w", err)
	}
	return parser.DayOf(t), nil
}

// farthest is more than any zone's clocks differ from UTC: they are 12 hours
// behind or 14 before.
const farthest = 15 * time.Hour

// around are times between which all of a day lies in any zone.
func around(d parser.Day) (from, to string) {
	t := d.Date(time.UTC)
	return t.Add(-farthest).Format(timeLayout), t.Add(24*time.Hour + farthest).Format(timeLayout)
}

// addDays is the day n days after d.
func addDays(d parser.Day, n int) parser.Day {
	return parser.DayOf(d.Date(time.UTC).AddDate(0, 0, n))
}

// clock writes times. Lines come nearly in order, so the minute is kept.
type clock struct {
	minute int64
	text   []byte
}

func (c *clock) append(b []byte, ms int64) []byte {
	m, rest := ms/60_000, int(ms%60_000)
	if m != c.minute || c.text == nil {
		c.minute = m
		c.text = time.Unix(60*m, 0).UTC().AppendFormat(c.text[:0], timeLayout[:17])
	}
	b = append(append2(append(b, c.text...), rest/1000), '.')
	rest %= 1000
	return append2(append(b, byte('0'+rest/100)), rest%100)
}

func appendInt(b []byte, n int64) []byte { return strconv.AppendInt(b, n, 10) }

// quickTime reads what timeText wrote; false leaves all else to package time.
func quickTime(s string) (ms int64, ok bool) {
	if len(s) != len(timeLayout) || s[4] != '-' || s[7] != '-' || s[10] != ' ' || s[13] != ':' || s[16] != ':' || s[19] != '.' {
		return 0, false
	}
	n := [...]int{digits(s[:4]), digits(s[5:7]), digits(s[8:10]), digits(s[11:13]), digits(s[14:16]), digits(s[17:19]), digits(s[20:])}
	for i, least := range [...]int{1, 1, 1, 0, 0, 0, 0} {
		if n[i] < least {
			return 0, false
		}
	}
	t := time.Date(n[0], time.Month(n[1]), n[2], n[3], n[4], n[5], n[6]*1e6, time.UTC)
	ok = n[1] <= 12 && t.Day() == n[2] && n[3] <= 23 && n[4] <= 59 && n[5] <= 59 // else it went over
	return t.UnixMilli(), ok
}

// digits is a number without a sign; -1: it is none.
func digits(s string) (n int) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return -1
		}
		n = 10*n + int(s[i]-'0')
	}
	return n
}
