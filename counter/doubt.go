package counter

import (
	"context"
	"slices"
	"strings"
	"time"
)

// Stand is how far a site is counted in Redis.
type Stand struct {
	Site    string
	PV      int64            // views of people, as Redis had them
	Offsets map[string]int64 // by segment
}

// doubts are the sites whose checkpoints may lack lines that only the archive
// has left: Redis may have come back with an old state while nobody looked, or
// after the segments were archived and deleted. They are compared beside the
// loop, which owns all of this but the sending end of answers.
type doubts struct {
	sites   map[string]bool // whether the site went back while we counted
	asked   map[string]bool // of the question that is under way; nil: none is
	next    time.Time       // not before
	wait    time.Duration   // after the next failure
	answers chan doubtsAnswer
	told    map[string]bool // that others must have what a site lacks: once
}

type doubtsAnswer struct {
	lacking []string
	err     error
}

func newDoubts() doubts {
	return doubts{sites: map[string]bool{}, told: map[string]bool{}, wait: minDoubtWait, answers: make(chan doubtsAnswer)}
}

// The archive is asked again after a failure, at first soon.
const (
	minDoubtWait = time.Second
	maxDoubtWait = time.Minute
)

func (d *doubts) add(wentBack bool, names ...string) {
	for _, n := range names {
		d.sites[n] = d.sites[n] || wentBack
	}
}

// later has a site be asked about again after a while: other hosts may have come by then.
func (d *doubts) later(name string, at time.Time) {
	d.add(false, name)
	d.next = at
}

func (d *doubts) drop(names ...string) {
	for _, n := range names {
		delete(d.sites, n)
	}
}

// wentBack tells whether a site is in doubt since it went back.
func (d *doubts) wentBack(name string) bool { return d.sites[name] || d.asked[name] }

// doubtUnread has the archive be asked about the sites that are not counted to the end of
// segments which could not be read again: they were archived and deleted meanwhile. A site
// whose first lines there never came to Redis has no offset in one.
func (h *healer) doubtUnread() {
	for _, seg := range h.places.unread {
		for name, s := range h.counts.sites {
			if o := s.offsets[seg.id]; o == nil || o.stored < seg.size {
				h.doubts.add(true, name)
			}
		}
	}
	h.places.unread = nil
}

// askArchive asks about the sites in doubt once the sources know their segments.
func (h *healer) askArchive(ctx context.Context, now time.Time) {
	d := &h.doubts
	h.doubtUnread()
	if h.archive == nil {
		clear(d.sites)
	}
	if len(d.sites) == 0 || d.asked != nil || now.Before(h.scanned) || now.Before(d.next) {
		return
	}
	var stands []Stand
	for name := range d.sites {
		s := h.counts.sites[name]
		if s == nil || s.health.awaitsRebuild() || strings.HasPrefix(s.epoch, rebuilding) {
			delete(d.sites, name) // all of it will be counted anew
			continue
		}
		stand := Stand{Site: name, PV: s.pv, Offsets: make(map[string]int64, len(s.offsets))}
		for id, o := range s.offsets {
			stand.Offsets[id] = max(o.stored, 0)
		}
		stands = append(stands, stand)
	}
	if len(stands) == 0 {
		return
	}
	d.asked, d.sites = d.sites, map[string]bool{}
	here := h.places.onDisk()
	h.behind.Go(func() {
		lacking, err := h.archive.Lacking(ctx, stands, here)
		select {
		case d.answers <- doubtsAnswer{lacking, err}:
		case <-ctx.Done():
		}
	})
}

// doubtsAnswered rebuilds the sites that lack what the archive has. As long as
// the archive is away, the numbers of a site that went back are not known to be
// whole.
func (h *healer) doubtsAnswered(ctx context.Context, a doubtsAnswer) error {
	d := &h.doubts
	asked := d.asked
	d.asked = nil
	if a.err != nil {
		if ctx.Err() != nil {
			return nil
		}
		if d.wait == minDoubtWait {
			h.log.Warn("cannot ask the archive what Redis lacks; retrying. Numbers of sites that went back are stale until then",
				"sites", len(asked), "err", a.err)
		}
		d.next, d.wait = h.now().Add(d.wait), min(2*d.wait, maxDoubtWait)
		for name, back := range asked {
			d.add(back, name)
			if back {
				h.wards.stale(name, true)
			}
		}
		return nil
	}
	d.wait = minDoubtWait
	for name, back := range asked {
		s := h.counts.sites[name]
		_, behind := h.wards.recounts[name]
		if back && s != nil && s.health < healing && !behind {
			h.wards.stale(name, false)
		}
	}
	for _, name := range a.lacking {
		if s := h.counts.sites[name]; s != nil && !s.health.awaitsRebuild() {
			if err := h.rebuildLost(ctx, s); err != nil {
				return err
			}
		}
	}
	return nil
}

// rebuildLost rebuilds a site of which Redis lost lines that the archive has and the
// log has not any more. Where other lines would be lost by that, since they are
// neither here nor archived nor with another daemon, it waits for these.
func (h *healer) rebuildLost(ctx context.Context, s *site) error {
	const cause = "Redis came back without lines that are archived and whose segments are deleted"
	cs, err := h.load.readCheckpoints(ctx, []string{s.name})
	if err != nil {
		return err
	}
	if cs[0].epoch != s.epoch {
		return h.reload(ctx, s, cs[0]) // which is another reason to ask
	}
	lacking, err := h.holders.lacking(ctx, cs[0])
	if err != nil {
		return err
	}
	if len(lacking) > 0 {
		h.doubts.later(s.name, h.now().Add(h.holders.every))
		if !h.doubts.told[s.name] {
			h.doubts.told[s.name] = true
			h.log.Error("Redis came back without lines that the archive has; the site is not rebuilt yet, since other segments that it counted are neither here nor archived, and no daemon that has them runs. "+
				"It is rebuilt as soon as one does, or they are archived. If they are lost for good run restore-from-mysql for it",
				"site", s.name, "segments_lacking", slices.Sorted(slices.Values(lacking)), "of_logs", h.holders.whose(ctx, lacking))
			h.meter.update(func(st *IngestStats) { st.Missing++ })
		}
		return nil
	}
	delete(h.doubts.told, s.name)
	if now := h.now(); h.wards.careOf(s.name).wait(now) > 0 {
		h.postpone(s, cause, now.Add(h.wards.careOf(s.name).wait(now)))
		return nil
	}
	h.log.Warn("rebuilding a site: "+cause, "site", s.name)
	h.startRebuild(ctx, map[string]string{s.name: cs[0].epoch}, cause)
	return nil
}
