package counter

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"ddkk-stats/parser"
)

// lastKind tells the entries of the cache of last known values apart.
type lastKind uint8

const (
	lastSite lastKind = iota
	lastPage
	lastHot
	lastSites
)

type lastKey struct {
	kind   lastKind
	period Period
	site   string
	page   string
}

// cell is a value and when it was read, in Unix nanoseconds; 0: never.
type cell struct{ value, at int64 }

// last holds what was last read of one site, page or hot list. Entries are
// changed in place, so that what two reads learn at the same time adds up.
type last struct {
	claimed atomic.Bool // a read is under way; see Reader.claim

	mu    sync.Mutex
	pv    cell
	uv    cell
	day   parser.Day // the day of pvDay and uvDay, or of the hot list
	pvDay cell
	uvDay cell
	alive cell // online

	hot   []PageCount // never changed once it is here
	limit int         // the limit that hot was read with
	hotAt int64
	sites []string
}

func (c *cell) set(value, at int64) {
	if at >= c.at {
		*c = cell{value, at}
	}
}

func (r *Reader) entry(k lastKey) *last {
	if e, ok := r.cache.GetIfPresent(k); ok {
		return e
	}
	// What is there wins: another read may have come first.
	e, _ := r.cache.SetIfAbsent(k, &last{})
	return e
}

// cell is the place of a scalar field in a site's or a page's entry.
func (e *last) cell(f Fields) *cell {
	switch f {
	case FieldSitePV, FieldPagePV:
		return &e.pv
	case FieldSiteUV, FieldPageUV:
		return &e.uv
	case FieldSitePVToday:
		return &e.pvDay
	case FieldSiteUVToday:
		return &e.uvDay
	default:
		return &e.alive
	}
}

// turn makes e an entry of day d: yesterday's numbers are not today's.
func (e *last) turn(d parser.Day) {
	if e.day != d {
		e.day, e.pvDay, e.uvDay = d, cell{}, cell{}
	}
}

// remember keeps what was just read.
func (r *Reader) remember(q *Query, a *Answer, now time.Time) {
	at, day := now.UnixNano(), parser.DayOf(now)
	if q.Fields&ScalarFields&^PageFields != 0 {
		e := r.entry(lastKey{kind: lastSite, site: q.Site})
		e.mu.Lock()
		e.turn(day)
		e.take(q.Fields&ScalarFields&^PageFields, a, at)
		e.mu.Unlock()
	}
	if q.Fields&PageFields != 0 {
		e := r.entry(lastKey{kind: lastPage, site: q.Site, page: q.Page})
		e.mu.Lock()
		e.take(q.Fields&PageFields, a, at)
		e.mu.Unlock()
	}
	for i, page := range q.Pages {
		e := r.entry(lastKey{kind: lastPage, site: q.Site, page: page})
		e.mu.Lock()
		e.pv.set(a.Pages[i], at)
		e.mu.Unlock()
	}
	for p := range NumPeriods {
		if q.Fields&p.Field() != 0 {
			e := r.entry(lastKey{kind: lastHot, period: p, site: q.Site})
			e.mu.Lock()
			if at >= e.hotAt {
				e.hot, e.limit, e.hotAt, e.day = a.Hot[p], q.limit(), at, p.start(day)
			}
			e.mu.Unlock()
		}
	}
}

func (e *last) take(fields Fields, a *Answer, at int64) {
	for f := FieldSitePV; f <= FieldSiteOnline; f <<= 1 {
		if fields&f != 0 {
			e.cell(f).set(a.Get(f), at)
		}
	}
}

// give copies the fields into a and says when the oldest of them was read.
func (e *last) give(fields Fields, a *Answer) (oldest int64) {
	oldest = math.MaxInt64
	for f := FieldSitePV; f <= FieldSiteOnline; f <<= 1 {
		if fields&f != 0 {
			c := e.cell(f)
			*a.slot(f) = c.value
			oldest = min(oldest, c.at)
		}
	}
	return oldest
}

// recall answers q from the last known values, zero where there are none, and
// says when the oldest of them was read, in Unix nanoseconds; 0: one never
// was.
func (r *Reader) recall(q *Query, a *Answer, now time.Time) (oldest int64) {
	day := parser.DayOf(now)
	oldest = math.MaxInt64
	if want := q.Fields & ScalarFields &^ PageFields; want != 0 {
		oldest = r.recallScalars(lastKey{kind: lastSite, site: q.Site}, want, a, day)
	}
	if want := q.Fields & PageFields; want != 0 {
		oldest = min(oldest, r.recallScalars(lastKey{kind: lastPage, site: q.Site, page: q.Page}, want, a, day))
	}
	for _, page := range q.Pages {
		var c cell
		if e, ok := r.cache.GetIfPresent(lastKey{kind: lastPage, site: q.Site, page: page}); ok {
			e.mu.Lock()
			c = e.pv
			e.mu.Unlock()
		}
		a.Pages = append(a.Pages, c.value)
		oldest = min(oldest, c.at)
	}
	for p := range NumPeriods {
		if q.Fields&p.Field() != 0 {
			oldest = min(oldest, r.recallHot(q, p, a, day))
		}
	}
	return oldest
}

func (r *Reader) recallScalars(k lastKey, want Fields, a *Answer, day parser.Day) (oldest int64) {
	e, ok := r.cache.GetIfPresent(k)
	if !ok {
		return 0
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if k.kind == lastSite {
		e.turn(day)
	}
	return e.give(want, a)
}

func (r *Reader) recallHot(q *Query, p Period, a *Answer, day parser.Day) (oldest int64) {
	e, ok := r.cache.GetIfPresent(lastKey{kind: lastHot, period: p, site: q.Site})
	if !ok {
		return 0
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.day != p.start(day) {
		return 0 // last week's list is not this week's
	}
	a.Hot[p] = e.hot[:min(len(e.hot), q.limit())]
	if e.limit < q.limit() {
		return 0
	}
	return e.hotAt
}

// claim makes the caller the one who reads q anew, or is nil if somebody else
// is at it. The one who claimed must call the function when the read is over.
func (r *Reader) claim(q *Query) (done func()) {
	k := lastKey{kind: lastSite, site: q.Site}
	switch {
	case q.Fields&PageFields != 0:
		k.kind, k.page = lastPage, q.Page
	case len(q.Pages) > 0:
		k.kind, k.page = lastPage, q.Pages[0]
	}
	e := r.entry(k)
	if !e.claimed.CompareAndSwap(false, true) {
		return nil
	}
	return func() { e.claimed.Store(false) }
}

// start is the first day of the period that holds d; 0 for AllTime.
func (p Period) start(d parser.Day) parser.Day {
	switch p {
	case Today:
		return d
	case Week:
		t := d.Date(time.UTC)
		return parser.DayOf(t.AddDate(0, 0, -(int(t.Weekday())+6)%7))
	case Month:
		return d - d%100 + 1
	}
	return 0
}
