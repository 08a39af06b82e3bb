package e2e

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// Beacon is one view or event as its sender knows it: what the counters must
// make of it, not how it was spelled on the way.
type Beacon struct {
	Site  string // normalised, as it is in keys
	Page  string // normalised and decoded
	Time  time.Time
	IP    string
	UA    string
	Bot   bool
	Ref   string   // host that led to it; Site: within the site; empty: not known
	Event []string // category, action, label, value: as many as were sent; none: a pageview
}

// visitor is whoever counts as one person on one day and site.
func (b *Beacon) visitor() string { return b.IP + "\x00" + b.UA }

// Ledger is the independent oracle: it is told every beacon that was
// acknowledged and knows what each counter must be. It is used by many
// goroutines at once.
type Ledger struct {
	loc *time.Location

	mu    sync.Mutex
	views int // all that was recorded, bots and events too
	sites map[string]*siteBook
	also  func(Beacon)

	uniques bool // visitors of weeks and months are known as well
}

// Follow makes another ledger have what this one records from now on, as other
// rules make it; false leaves it out.
func (l *Ledger) Follow(other *Ledger, as func(Beacon) (Beacon, bool)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.also = func(b Beacon) {
		if b, counts := as(b); counts {
			other.Record(b)
		}
	}
}

// siteBook is what one site must have.
type siteBook struct {
	pages map[string]*tally // over all days
	bots  map[string]int64  // pages that bots saw, over all days
	days  map[string]*dayBook
	terms map[string]*termBook // weeks and months, by name
}

// termBook are the visitors of a week or month, by field of its hash: s of the site, p and
// a page of that.
type termBook struct {
	seen     map[string]struct{}
	visitors map[string]int64
}

// enterTerms enters a view in its week and its month.
func (s *siteBook) enterTerms(b *Beacon, at time.Time) {
	y, w := at.ISOWeek()
	for _, name := range []string{fmt.Sprintf("%04dW%02d", y, w), at.Format("200601")} {
		if s.terms == nil {
			s.terms = map[string]*termBook{}
		}
		t := get(s.terms, name, func() *termBook { return &termBook{map[string]struct{}{}, map[string]int64{}} })
		for _, field := range []string{"s", "p" + b.Page} {
			k := field + "\x00" + b.visitor()
			if _, seen := t.seen[k]; !seen {
				t.seen[k] = struct{}{}
				t.visitors[field]++
			}
		}
	}
}

// dayBook is what one site must have for one day, named YYYYMMDD.
type dayBook struct {
	date   time.Time // its first moment
	views  tally
	bots   map[string]int64 // by page
	pages  map[string]*tally
	events map[string]*tally // key of one of the four levels

	referrers map[string]*tally // views by the host that led to them
}

// tally counts views and the distinct visitors behind them.
type tally struct {
	pv       int64
	uv       int64               // of the days before: a total is the sum of days
	visitors map[string]struct{} // only within a day
}

func (t *tally) add(visitor string) (first bool) {
	if t.visitors == nil {
		t.visitors = map[string]struct{}{}
	}
	t.pv++
	if _, seen := t.visitors[visitor]; seen {
		return false
	}
	t.visitors[visitor] = struct{}{}
	t.uv++
	return true
}

// NewLedger makes an empty ledger. loc is the daemon's TIMEZONE.
func NewLedger(loc *time.Location) *Ledger {
	return &Ledger{loc: loc, sites: map[string]*siteBook{}}
}

// Record enters a beacon that was acknowledged.
func (l *Ledger) Record(b Beacon) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.also != nil {
		l.also(b)
	}
	l.views++
	site := get(l.sites, b.Site, func() *siteBook {
		return &siteBook{pages: map[string]*tally{}, bots: map[string]int64{}, days: map[string]*dayBook{}}
	})
	day := site.day(b.Time.In(l.loc))
	switch {
	case b.Bot && len(b.Event) == 0:
		day.bots[b.Page]++
		site.bots[b.Page]++
	case b.Bot: // a bot's event is in no counter that is compared
	case len(b.Event) > 0:
		for level := range b.Event {
			key := strings.Join(b.Event[:level+1], ".")
			get(day.events, key, newTally).add(b.visitor())
		}
	default:
		day.views.add(b.visitor())
		if b.Ref != b.Site {
			get(day.referrers, b.Ref, newTally).add(b.visitor())
		}
		total := get(site.pages, b.Page, newTally)
		total.pv++
		if get(day.pages, b.Page, newTally).add(b.visitor()) {
			total.uv++
		}
		if l.uniques {
			site.enterTerms(&b, b.Time.In(l.loc))
		}
	}
}

// Count is the number of beacons that were recorded.
func (l *Ledger) Count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.views
}

// PV and UV are a site's totals.
func (l *Ledger) PV(site string) int64 { return l.total(site, func(t *tally) int64 { return t.pv }) }

// UV is the sum of the days' visitors.
func (l *Ledger) UV(site string) int64 { return l.total(site, func(t *tally) int64 { return t.uv }) }

// PagePV is a page's total.
func (l *Ledger) PagePV(site, page string) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.sites[site]; s != nil {
		if t := s.pages[page]; t != nil {
			return t.pv
		}
	}
	return 0
}

func (l *Ledger) total(site string, of func(*tally) int64) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	var sum int64
	if s := l.sites[site]; s != nil {
		for _, d := range s.days {
			sum += of(&d.views)
		}
	}
	return sum
}

// Sites are the names of all sites that were recorded.
func (l *Ledger) Sites() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	names := make([]string, 0, len(l.sites))
	for name := range l.sites {
		names = append(names, name)
	}
	return names
}

func (s *siteBook) day(at time.Time) *dayBook {
	y, m, d := at.Date()
	return get(s.days, at.Format("20060102"), func() *dayBook {
		return &dayBook{
			date:      time.Date(y, m, d, 0, 0, 0, 0, time.UTC),
			referrers: map[string]*tally{}, bots: map[string]int64{}, pages: map[string]*tally{}, events: map[string]*tally{},
		}
	})
}

// periods are the names of the ranked lists that a day belongs to. The ISO
// week's year may differ from the day's.
func (d *dayBook) periods() []string {
	year, week := d.date.ISOWeek()
	return []string{
		"day:" + d.date.Format("20060102"), fmt.Sprintf("week:%04dW%02d", year, week),
		"month:" + d.date.Format("200601"), "all",
	}
}

func newTally() *tally { return &tally{} }

// get finds or makes an entry of a map.
func get[V any](m map[string]*V, key string, make func() *V) *V {
	v := m[key]
	if v == nil {
		v = make()
		m[key] = v
	}
	return v
}
