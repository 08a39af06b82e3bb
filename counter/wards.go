package counter

import "time"

// wards are the sites that are not well, or were not until lately, and what is told
// of that. The loop owns it.
type wards struct {
	cares     map[string]*care
	stales    map[string]struct{} // sites whose readers were told that they are stale
	recounts  map[string]struct{} // sites whose lines are being counted again
	recountTo map[string]int64    // segment -> size that has to be counted for that; nil: not known yet
	told      func(site string, stale bool)
	now       func() time.Time
	meter     *meter
}

// careOf is the record of a site, made if there is none.
func (w *wards) careOf(name string) *care {
	c := w.cares[name]
	if c == nil {
		c = &care{}
		w.cares[name] = c
	}
	return c
}

// knownLost are the keys of a site whose loss was dealt with as well as it could be.
func (w *wards) knownLost(name string) int64 {
	if c := w.cares[name]; c != nil {
		return c.lost
	}
	return 0
}

// turn notes how a site is from now on.
func (w *wards) turn(s *site, h health) {
	if s.health == h {
		return
	}
	s.health = h
	w.careOf(s.name).health = h
}

// countUnwell tells how many sites are not well for good.
func (w *wards) countUnwell() {
	var kept, stuck int64
	for _, c := range w.cares {
		switch c.health {
		case wounded:
			kept++
		case parked:
			stuck++
		}
	}
	w.meter.update(func(s *IngestStats) { s.Incomplete, s.Parked = kept, stuck })
}

// attempted notes that a site was rebuilt, or that it was tried in vain.
func (w *wards) attempted(name string) {
	c := w.careOf(name)
	c.rebuilds, c.ended, c.well = c.rebuilds+1, w.now(), time.Time{}
}

// stale tells the readers of a site whether its numbers are stale, if that is news.
func (w *wards) stale(name string, on bool) {
	if _, was := w.stales[name]; was == on {
		return
	}
	if on {
		w.stales[name] = struct{}{}
	} else {
		delete(w.stales, name)
	}
	n := int64(len(w.stales))
	w.meter.update(func(st *IngestStats) { st.Remaking = n })
	w.told(name, on)
}

// recount notes that a site's numbers lack what is being read again: its readers
// are told so until that is counted.
func (w *wards) recount(name string) {
	w.stale(name, true)
	w.recounts[name], w.recountTo = struct{}{}, nil
}
