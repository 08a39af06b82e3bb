package queryapi

import (
	"fmt"
	"slices"
	"time"
)

// interval is the width of a point of a history.
type interval uint8

const (
	byDay   interval = iota
	byWeek           // ISO 8601, from Monday on
	byMonth          // from the first on
)

var intervalNames = [...]string{"day", "week", "month"}

func (i interval) String() string { return intervalNames[i] }

// parseInterval reads an interval's name; none means days.
func parseInterval(name string) (interval, bool) {
	if name == "" {
		return byDay, true
	}
	i := slices.Index(intervalNames[:], name)
	return interval(max(i, 0)), i >= 0
}

// name is the point that a date belongs to: 2026-11-22, 2026-W47 or 2026-11.
func (i interval) name(d time.Time) string {
	switch i {
	case byWeek:
		year, week := d.ISOWeek()
		return fmt.Sprintf("%04d-W%02d", year, week)
	case byMonth:
		return d.Format("2006-01")
	}
	return d.Format(time.DateOnly)
}

// point is one point of a history: the sums of its days that lie within the
// span that was asked for.
type point struct {
	name   string
	pv, uv int64
	noUV   bool // of one of its days the visitors are not known

	basePV, baseUV int64 // of earlier counters
}

// points sums up days, which are in order; what has none is zero.
func (i interval) points(q *DaysQuery, days []DayCount) []point {
	var all []point
	for d := q.From; !d.After(q.To); d = d.AddDate(0, 0, 1) {
		if name := i.name(d); len(all) == 0 || all[len(all)-1].name != name {
			all = append(all, point{name: name})
		}
		if len(days) == 0 || !days[0].Date.Equal(d) {
			continue
		}
		p := &all[len(all)-1]
		p.pv += days[0].PV
		p.uv += days[0].UV
		p.noUV = p.noUV || days[0].NoUV
		p.basePV += days[0].BasePV
		p.baseUV += days[0].BaseUV
		days = days[1:]
	}
	return all
}
