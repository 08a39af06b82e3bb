package counter

import (
	"bytes"
	"context"
	"slices"

	"ddkk-stats/parser"
)

// What a line needs to know from Redis (its site, its day, what the duplicate
// rules remember) is mostly in memory. Where many quiet sites are counted it
// mostly is not, and a backlog of ten thousand of them would wait for as many
// replies as it has lines. So once a block of lines has missed a few times, all
// that the rest of it will ask for is asked for at once.

const (
	// missesAllowed is how often a block may ask by itself: a busy site does so
	// whenever its time passes into the next bucket.
	missesAllowed = 3
	// manyWanted has the next block looked at from its first line.
	manyWanted = 16
	// bucketsPerTrip bounds what one pipeline asks for: about a millisecond of
	// Redis's time.
	bucketsPerTrip = 500
)

// wanted is what lines lack.
type wanted struct {
	sites   []string
	days    []siteDay
	calls   []siteDay
	buckets []bucketLoad
	pages   []sitePage
	known   map[any]bool // what is in the lists
}

func newWanted() *wanted { return &wanted{known: map[any]bool{}} }

type siteDay struct {
	site *site
	day  parser.Day
}

// callsOf tells a day of calls from one of views.
type callsOf siteDay

type ruleBucket struct {
	rule   *recent
	number int64
}

// add tells whether key is not in the lists yet.
func (w *wanted) add(key any) bool {
	if w.known[key] {
		return false
	}
	w.known[key] = true
	return true
}

func (w *wanted) len() int {
	return len(w.sites) + len(w.days) + len(w.calls) + len(w.buckets) + len(w.pages)
}

// lacks notes what add would need for a hit and not find.
func (a *aggregate) lacks(w *wanted, h *parser.Hit, segment string, start int64) {
	if h.Kind == parser.Skipped || h.Kind == parser.Malformed {
		return
	}
	s := a.sites[h.Site]
	if s == nil {
		if _, refused := a.refused[h.Site]; !refused && w.add(h.Site) {
			a.siteRoom.asksFor(h, segment)
			w.sites = append(w.sites, h.Site)
		}
		return
	}
	if s.epoch == "" || s.health.aside() {
		return // it has nothing to read, or must not
	}
	if o := s.offsets[segment]; o != nil && start < o.open {
		return
	}
	if h.Kind == parser.APICall {
		if a.callDayOf(s, h.Day) == nil && w.add(callsOf{s, h.Day}) {
			w.calls = append(w.calls, siteDay{s, h.Day})
		}
		return
	}
	if d := a.dayOf(s, h.Day); d == nil && w.add(siteDay{s, h.Day}) {
		w.days = append(w.days, siteDay{s, h.Day})
	} else if d != nil && (d.crowded || s.ever >= a.caps.ever) {
		if p, lacks := a.unplaced(s, d, h); lacks && w.add(p) {
			w.pages = append(w.pages, p)
		}
	}
	if len(h.ViewID) > 0 {
		w.around(s, s.ids, h.Time)
	}
	if s.window != nil && h.Kind == parser.Pageview && h.Addr.IsValid() {
		w.around(s, s.window, h.Time)
	}
}

// around wants the buckets that a rule looks into for a moment.
func (w *wanted) around(s *site, r *recent, t int64) {
	n := t / r.width
	if r.near[1] != nil && r.near[1].number == n {
		return
	}
	for n := n - 1; n <= t/r.width+1; n++ {
		if r.buckets[n] == nil && w.add(ruleBucket{r, n}) {
			w.buckets = append(w.buckets, bucketLoad{site: s, rule: r, number: n})
		}
	}
}

// lookAhead reads what complete lines that start at an offset will ask for.
// Whatever is not found this way, or is forgotten again, is asked for when its
// line is counted.
func (in *Ingester) lookAhead(ctx context.Context, seg *segment, at int64, data []byte) error {
	in.countViews()
	w := in.want(seg, at, data)
	n := w.len()
	if len(w.sites) > 0 {
		if err := in.heal.loadSites(ctx, w.sites); err != nil {
			return err
		}
		if slices.ContainsFunc(w.sites, func(name string) bool { s := in.sites[name]; return s != nil && s.epoch != "" }) {
			w = in.want(seg, at, data) // what Redis has of sites that it knows
		}
	}
	// A site with pending page changes must be folded before its days are read:
	// that is left to its lines, as are days of calls, which come from few sites.
	w.days = slices.DeleteFunc(w.days, func(d siteDay) bool { return d.site.waits[pendingPages].n > 0 })
	w.sites, w.calls = nil, nil
	if err := in.filler.fill(ctx, w); err != nil {
		return err
	}
	in.misses, in.aheadFirst = 0, n >= manyWanted
	return nil
}

// want parses lines and notes what they lack.
func (in *Ingester) want(seg *segment, at int64, data []byte) *wanted {
	w := newWanted()
	p := in.inputs[seg.input].Parser
	for len(data) > 0 {
		i := bytes.IndexByte(data, '\n')
		if i < 0 {
			break
		}
		p.Parse(data[:i], &in.hit)
		in.lacks(w, &in.hit, seg.id, at)
		at, data = at+int64(i)+1, data[i+1:]
	}
	return w
}
