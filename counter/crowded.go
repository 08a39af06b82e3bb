package counter

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"ddkk-stats/parser"
)

// Who gets a place when there are as many sites as MAX_SITES: see docs/design/caps.md. A site
// that gets one later than its first view is made anew from the archive and the log, so that it
// has what was there before.

// siteRoom is the table of sites beyond its cap.
type siteRoom struct {
	brought [parser.Networks + 1]int32 // sites by the part of the internet that came first with them
	asks    map[string]ask             // for sites that are not known yet
	late    time.Time                  // when sites got a place last that had been refused
	looked  time.Time                  // when it was looked last whether there are some
}

// lateEvery is how often refused sites get places at most: each time the logs are read again. It is
// looked for them every lateLook.
const (
	lateEvery = 15 * time.Minute
	lateLook  = 10 * time.Second
)

// refusal is what speaks for a site that has no place.
type refusal struct {
	networks uint64
	archived bool    // the archive has views of it
	first    lineEnd // the line that it was refused by: logs may be read again
	more     bool    // another one came
}

func (r refusal) merit() int {
	m := claim{networks: r.networks}.merit()
	if r.archived {
		m++
	}
	return m
}

// ask is a line for a site that is not known.
type ask struct {
	network uint8
	segment string
}

// asksFor notes who asks for a site that is not known.
func (r *siteRoom) asksFor(h *parser.Hit, segment string) {
	if r.asks == nil {
		r.asks = map[string]ask{}
	}
	if _, ok := r.asks[h.Site]; !ok {
		r.asks[strings.Clone(h.Site)] = ask{parser.Network(h.Addr), segment}
	}
}

// refusals are the sites that have no place.
type refusals map[string]refusal

// again notes that a line asks for one; false: it was not refused.
func (all refusals) again(h *parser.Hit, segment string, end int64) bool {
	r, ok := all[h.Site]
	if !ok {
		return false
	}
	n := parser.Network(h.Addr)
	switch {
	case r.more && (n == 0 || r.networks&(1<<(n-1)) != 0):
		return true
	case r.first.segment == "":
		r.first = lineEnd{segment, end}
	case r.first != lineEnd{segment, end}:
		r.more = true
	}
	if n > 0 {
		r.networks |= 1 << (n - 1)
	}
	all[h.Site] = r
	return true
}

// place decides about a site that Redis does not have, when n have a place.
func (h *healer) place(name string, n int) bool {
	limit, room := h.counts.caps.sites, &h.counts.siteRoom
	network := room.asks[name].network
	archived := h.archive != nil && h.archive.Knows(name)
	switch {
	case archived && h.pressed() && h.slight(name) && h.archive.Covers(room.asks[name].segment):
		// The log is read again: this line had its day.
	case n < limit/2:
		return true
	case archived: // made anew with others, not one by one
	case n < limit, network > 0 && n < limit+limit/2 && room.brought[network] < share(limit):
		room.brought[network]++
		return true
	}
	r := refusal{archived: archived}
	if network > 0 {
		r.networks = 1 << (network - 1)
	}
	h.counts.refuse(name, r)
	return false
}

// placeRefused has sites made anew that were refused and are asked for still, if there is room for
// them now or enough speaks for them.
func (h *healer) placeRefused(ctx context.Context, now time.Time) {
	a := h.counts
	if len(a.refused) == 0 || now.Sub(a.siteRoom.late) < lateEvery || now.Sub(a.siteRoom.looked) < lateLook {
		return
	}
	a.siteRoom.looked = now
	names := slices.SortedFunc(maps.Keys(a.refused), func(x, y string) int {
		return cmp.Or(cmp.Compare(a.refused[y].merit(), a.refused[x].merit()), cmp.Compare(x, y))
	})
	judged := map[string]string{}
	for _, name := range names {
		if !a.refused[name].more {
			continue
		}
		n, limit := len(a.sites)+len(judged), a.caps.sites
		if n >= 2*limit || n >= limit && a.refused[name].merit() < parser.MeritNeeded(n-limit, limit) {
			break
		}
		judged[name] = ""
	}
	if len(judged) == 0 {
		return
	}
	a.siteRoom.late = now
	for name := range judged {
		delete(a.refused, name)
	}
	h.startRebuild(ctx, judged, causePlaced)
}

// causePlaced is why a site is made anew that was over MAX_SITES: nothing of it was lost.
const causePlaced = "there is a place for it now"

// pressed tells whether there are more sites than MAX_SITES.
func (h *healer) pressed() bool {
	return len(h.counts.sites) > h.counts.caps.sites || h.archive != nil && len(h.archive.Sites()) > h.counts.caps.sites
}

// slight tells of a site that the archive has that nobody came to a second time.
func (h *healer) slight(name string) bool {
	return h.archive != nil && h.archive.Knows(name) && h.archive.Visitors(name) <= 1
}

// spare leaves sites out that Redis has not, where there are more than MAX_SITES: those without a
// second visitor, and where that is not enough those that had the fewest. They are made anew
// when a view comes.
func (h *healer) spare(gone map[string]string, there int) {
	limit := h.counts.caps.sites
	if there+len(gone) <= limit {
		return
	}
	all := len(gone)
	maps.DeleteFunc(gone, func(name, _ string) bool { return h.slight(name) })
	if room := max(2*limit-there, 0); len(gone) > room {
		visitors := func(name string) int64 {
			if h.archive == nil || !h.archive.Knows(name) {
				return 1 << 62 // it was counted here
			}
			return h.archive.Visitors(name)
		}
		names := slices.SortedFunc(maps.Keys(gone), func(x, y string) int {
			return cmp.Or(cmp.Compare(visitors(y), visitors(x)), cmp.Compare(x, y))
		})
		for _, name := range names[room:] {
			delete(gone, name)
		}
	}
	if all > len(gone) {
		h.log.Warn("there are more sites than MAX_SITES allows: those that nobody came to a second time stay in the archive until a view comes. List yours in SITES",
			"limit", limit, "sites", there+all, "left_out", all-len(gone))
	}
}

// givenBack tells of a site whose checkpoint is gone that its place was given back: there are too
// many sites, it never had a second visitor, and the archive has all of it.
func (h *healer) givenBack(s *site) bool {
	if s.epoch == "" || s.uv > 1 || !h.slight(s.name) || !h.pressed() {
		return false
	}
	for id, o := range s.offsets {
		if o.open != o.stored || o.stored > 0 && !h.archive.Covers(id) {
			return false
		}
	}
	return true
}

// giveUp drops the state of a site of which Redis has nothing any more.
func (h *healer) giveUp(s *site) {
	h.given = append(h.given, s.name)
	delete(h.places.known.Sites, s.name)
	h.committed(s.name, "", 0) // readers miss nothing of it
	h.forget(s)
	h.doubts.drop(s.name)
	h.wards.stale(s.name, false)
	delete(h.wards.recounts, s.name)
	delete(h.wards.cares, s.name)
}
