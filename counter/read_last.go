package counter

import (
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
	lastTerm
	lastSites
)

type lastKey struct {
	kind   lastKind
	period Period
	site   string
	page   string
}

// cell is a value, when it was read, in Unix nanoseconds (0: never), and at
// which generation of its site (0: none).
type cell struct {
	value, at int64
	gen       uint64
}

// last holds what was last read of one site, page or hot list. Entries are
// changed in place, so that what two reads learn at the same time adds up.
type last struct {
	claimed atomic.Bool // a read is under way; see Reader.claim

	mu    sync.Mutex
	pv    cell
	uv    cell
	day   parser.Day // the day of pvDay and uvDay, or the first of the hot list or the term
	pvDay cell
	uvDay cell
	alive cell // online

	hot   []PageCount // never changed once it is here
	limit int         // the limit that hot was read with
	hotAt int64
	hotIn uint64 // its generation
	sites []string

	version string // of the site; see learned
	gen     uint64
	checked int64
	why     Trouble // why the site could not be read as current when Redis was asked last; "" when it could
}

func (c *cell) set(n cell) {
	if n.at >= c.at {
		*c = n
	}
}

func (r *asking) entry(k lastKey) *last {
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

// remember keeps what was just read at a generation of the site.
func (r *asking) remember(q *Query, a *Answer, now time.Time, gen uint64) {
	at, day := now.UnixNano(), parser.DayOf(now)
	if q.Fields&lastingFields&^PageFields != 0 {
		e := r.entry(lastKey{kind: lastSite, site: q.Site})
		e.mu.Lock()
		e.turn(day)
		e.take(q.Fields&lastingFields&^PageFields, a, at, gen)
		e.mu.Unlock()
	}
	if q.Fields&lastingFields&PageFields != 0 {
		e := r.entry(lastKey{kind: lastPage, site: q.Site, page: q.Page})
		e.mu.Lock()
		e.take(q.Fields&lastingFields&PageFields, a, at, gen)
		e.mu.Unlock()
	}
	r.rememberTerms(q, a, day, at, gen)
	for i, page := range q.Pages {
		e := r.entry(lastKey{kind: lastPage, site: q.Site, page: page})
		e.mu.Lock()
		e.pv.set(cell{a.Pages[i], at, gen})
		e.mu.Unlock()
	}
	for p := range NumPeriods {
		if q.Fields&p.Field() != 0 {
			e := r.entry(lastKey{kind: lastHot, period: p, site: q.Site})
			e.mu.Lock()
			if at >= e.hotAt {
				e.hot, e.limit, e.hotAt, e.hotIn, e.day = a.Hot[p], q.limit(), at, gen, p.start(day)
			}
			e.mu.Unlock()
		}
	}
}

func (e *last) take(fields Fields, a *Answer, at int64, gen uint64) {
	for f := FieldSitePV; f <= FieldSiteOnline; f <<= 1 {
		if fields&f != 0 {
			e.cell(f).set(cell{a.Get(f), at, gen})
		}
	}
}

// give copies the fields into a and notes how old they are.
func (e *last) give(fields Fields, a *Answer, v *vintage) {
	for f := FieldSitePV; f <= FieldSiteOnline; f <<= 1 {
		if fields&f != 0 {
			c := e.cell(f)
			*a.slot(f) = c.value
			v.note(c.at, c.gen)
		}
	}
}

// recall answers q from the last known values, zero where there are none, and
// says how old they are.
func (r *asking) recall(q *Query, a *Answer, now time.Time) (v vintage) {
	day := parser.DayOf(now)
	if want := q.Fields & lastingFields &^ PageFields; want != 0 {
		r.recallScalars(lastKey{kind: lastSite, site: q.Site}, want, a, day, &v)
	}
	if want := q.Fields & lastingFields & PageFields; want != 0 {
		r.recallScalars(lastKey{kind: lastPage, site: q.Site, page: q.Page}, want, a, day, &v)
	}
	r.recallTerms(q, a, day, &v)
	for _, page := range q.Pages {
		var c cell
		if e, ok := r.cache.GetIfPresent(lastKey{kind: lastPage, site: q.Site, page: page}); ok {
			e.mu.Lock()
			c = e.pv
			e.mu.Unlock()
		}
		a.Pages = append(a.Pages, c.value)
		v.note(c.at, c.gen)
	}
	for p := range NumPeriods {
		if q.Fields&p.Field() != 0 {
			r.recallHot(q, p, a, day, &v)
		}
	}
	return v
}

func (r *asking) recallScalars(k lastKey, want Fields, a *Answer, day parser.Day, v *vintage) {
	e, ok := r.cache.GetIfPresent(k)
	if !ok {
		v.note(0, 0)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if k.kind == lastSite {
		e.turn(day)
	}
	e.give(want, a, v)
}

func (r *asking) recallHot(q *Query, p Period, a *Answer, day parser.Day, v *vintage) {
	e, ok := r.cache.GetIfPresent(lastKey{kind: lastHot, period: p, site: q.Site})
	if !ok {
		v.note(0, 0)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.day != p.start(day) {
		v.note(0, 0) // last week's list is not this week's
		return
	}
	a.Hot[p] = e.hot[:min(len(e.hot), q.limit())]
	if e.limit < q.limit() {
		v.note(0, 0)
		return
	}
	v.note(e.hotAt, e.hotIn)
}

// mainEntry is the entry that stands for q when it is claimed.
func (q *Query) mainEntry() lastKey {
	switch {
	case q.Fields&PageFields != 0:
		return lastKey{kind: lastPage, site: q.Site, page: q.Page}
	case len(q.Pages) > 0:
		return lastKey{kind: lastPage, site: q.Site, page: q.Pages[0]}
	}
	return lastKey{kind: lastSite, site: q.Site}
}

// claim makes the caller the one who reads an entry anew, or is nil if somebody
// else is at it. The one who claimed must call the function when the read is
// over.
func (r *asking) claim(k lastKey) (done func()) {
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
