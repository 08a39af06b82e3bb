package counter

import (
	"maps"
	"strings"
	"time"
)

// What the aggregate remembers between batches, and how it forgets.

// maxRefused bounds the memory of names over the limit of sites: when there are too many those
// go that nothing speaks for.
const maxRefused = 100_000

// refuse remembers a site over the limit, so that a flood of made-up names
// does not ask Redis for each line.
func (a *aggregate) refuse(name string, r refusal) {
	if len(a.refused) >= maxRefused {
		maps.DeleteFunc(a.refused, func(_ string, r refusal) bool { return r.merit() < 2 })
		if len(a.refused) >= maxRefused/2 {
			clear(a.refused)
		}
	}
	a.refused[strings.Clone(name)] = r
	a.crowds.note(crowdOfSites, "", 0)
}

// Memory that days may take before those go that no batch in hand uses.
const maxDayWeight = 64 << 20

// trim forgets days and buckets that no batch in hand uses: those from keep on are.
func (a *aggregate) trim(now time.Time, keep uint64) {
	a.weight, a.termWeight = 0, 0
	for _, s := range a.sites {
		for _, d := range s.days {
			a.weight += d.weight()
		}
		for _, t := range s.terms {
			a.termWeight += t.weight()
		}
	}
	for _, s := range a.sites {
		s.ids.forget(keep)
		a.trimCalls(s, now, keep)
		if s.window != nil {
			s.window.forget(keep)
		}
		for n, d := range s.days {
			old := now.Sub(d.touched) > idleDay
			if d.used < keep && (old || a.weight > maxDayWeight) {
				a.weight -= d.weight()
				delete(s.days, n)
			}
		}
		a.trimTerms(s, now, keep)
	}
}

// trimCalls forgets days of calls that no batch in hand uses.
func (a *aggregate) trimCalls(s *site, now time.Time, keep uint64) {
	for n, d := range s.calls {
		if d.used < keep && now.Sub(d.touched) > idleDay {
			delete(s.calls, n)
		}
	}
}

// forget drops a site's state and its share of the open batch.
func (a *aggregate) forget(s *site) {
	a.open.drop(s)
	a.cur = cursor{}
	delete(a.sites, s.name)
}

// lookBack sets from when on a line is recent.
func (a *aggregate) lookBack(now time.Time) {
	a.now = now
	a.onlineFrom = now.Add(-OnlineWindow).UnixMilli()
	a.viewsFrom = now.Add(-viewMemory).UnixMilli()
}

// limit puts other limits into force. Names that were admitted keep their own
// for their day. A site whose DEDUPE_WINDOW changes begins a memory of the new
// width, which knows nothing of the views before.
func (a *aggregate) limit(c caps) {
	a.caps = c
	clear(a.refused) // there may be room for them now
	for name, s := range a.sites {
		for _, d := range s.days {
			d.crowded = d.isFull(&a.caps)
		}
		s.keepWindow(c.window(name))
	}
}

// booked are the stretches of a site's changes that are not applied: those of
// the batch that was sent and those of the open one.
func (a *aggregate) booked(s *site, sent *batch) []bookedPart {
	var all []bookedPart
	for _, p := range sent.of(s) {
		all = append(all, bookedPart{p.segment, p.from, p.to, p.dups})
	}
	for _, p := range a.open.of(s) {
		o := s.at(p.segment)
		all = append(all, bookedPart{p.segment, o.sent, o.open, p.dups})
	}
	return all
}
