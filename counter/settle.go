package counter

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// settle takes the answers of a flight into account: what was applied is
// remembered, what was not is read again.
func (in *Ingester) settle(ctx context.Context, f *flight) error {
	if f.err != nil {
		return in.settleError(ctx, f)
	}
	if f.fold != nil {
		return in.settleFold(ctx, f)
	}
	if f.retried > 0 {
		in.audits.due = true // Redis was away: look at sites without new lines too
	}
	behind := map[*site][]*part{}
	done := map[*site]bool{}
	for i, p := range f.batch.parts {
		if done[p.site] || in.sites[p.site.name] != p.site {
			continue // dropped already: its lines are read again
		}
		a := f.answers[i]
		if a.verdict == moved || behind[p.site] != nil && a.verdict != applied && a.verdict != duplicate {
			behind[p.site] = append(behind[p.site], p) // what follows a refused part is refused for its sake
			continue
		}
		var booked []bookedPart
		if a.verdict != applied || a.lost > in.wards.knownLost(p.site.name) {
			booked = in.booked(p.site, f.batch)
		}
		drop, err := in.settlePart(ctx, p, a)
		if err != nil {
			return err
		}
		if done[p.site] = drop; drop {
			in.assumeBooked(p.site.name, booked)
		}
	}
	if again, err := in.catchUp(ctx, f, behind); again || err != nil {
		return err
	}
	for id, m := range f.batch.ends {
		// After a rewind the floor is set back, and the lines come again.
		if seg := in.places.segs[id]; seg.rewinds == m.rewinds {
			seg.floor = max(seg.floor, m.end)
		}
	}
	in.meter.book(f.batch.books)
	in.wait.counted(in.places.segs, f.batch.views)
	return nil
}

func (in *Ingester) settleFold(ctx context.Context, f *flight) error {
	s := f.fold
	s.waits[f.list] = tail{n: f.left}
	if f.left <= 0 {
		delete(in.folds.turns[f.list].sites, s)
		if f.list == pendingPages {
			s.foldedAll()
		}
	}
	if gone := f.lost - in.wards.knownLost(s.name); gone > 0 && in.sites[s.name] == s {
		return in.heal.rebuild(ctx, s, goneKeys(gone))
	}
	return nil
}

func goneKeys(n int64) string { return fmt.Sprintf("%d keys are gone", n) }

func (in *Ingester) settleError(ctx context.Context, f *flight) error {
	if ctx.Err() != nil {
		return nil // the loop ends; the log keeps what was not committed
	}
	if f.fold != nil {
		return in.heal.rebuild(ctx, f.fold, f.err.Error())
	}
	return f.err
}

// assumeBooked keeps the books right of lines that will be read again.
func (in *Ingester) assumeBooked(name string, parts []bookedPart) {
	if s := in.sites[name]; s != nil {
		s.assumeParts(parts)
	}
}

// settlePart deals with one answer; drop tells that the site's state was
// thrown away.
func (in *Ingester) settlePart(ctx context.Context, p *part, a answer) (drop bool, err error) {
	s := p.site
	f := finding{verdict: a.verdict, other: a.text != ""}
	cause := a.text
	switch a.verdict {
	case applied, duplicate:
		in.applied(p, a)
		if f.gone = a.lost - in.wards.knownLost(s.name); f.gone > 0 {
			cause = goneKeys(f.gone)
		}
	case gap:
		in.meter.update(func(st *IngestStats) { st.Gaps++ })
		if !in.conflict(p, a.text) {
			in.wards.recount(s.name)
		}
	case noEpoch:
		cause = "its checkpoint is gone"
	case lost:
		f.expired = in.mayHaveExpired(p, a.lost)
		cause = "keys are gone or went back"
	}
	switch decide(f) {
	case accept:
		return false, nil
	case relearn:
		return true, in.heal.refresh(ctx, s)
	}
	return true, in.heal.rebuild(ctx, s, cause)
}

// applied remembers that a part is in Redis.
func (in *Ingester) applied(p *part, a answer) {
	s := p.site
	s.epoch = p.epoch
	s.at(p.segment).stored = p.to
	if n := len(a.cards); n > 0 {
		in.opt.Committed(s.name, s.epoch, a.cards[n-1])
	}
	in.meter.update(func(st *IngestStats) {
		if a.verdict == duplicate {
			st.Duplicates++
		} else {
			st.Commits++
		}
	})
	for l, more := range p.appended {
		if more.n > 0 {
			s.waits[l].n += more.n
			s.waits[l].size += more.size
			in.folds.turns[l].sites[s] = struct{}{}
		}
	}
	p.callsApplied()
	for i, d := range p.days {
		s.bots = s.bots || len(d.bots) > 0 && !p.deferred
		for j := range d.pages {
			d.state.sawPage(&d.pages[j], p.deferred)
		}
		d.state.applied(d, p.deferred, a.cards[min(len(a.cards), siteChecks+dayChecks*i):])
	}
	if len(a.cards) >= siteChecks {
		s.pv, s.uv = max(s.pv, a.cards[0]), max(s.uv, a.cards[1])
	}
}

// mayHaveExpired tells whether the check that failed is of a key that lives
// only for a while and belongs to a day that is long over.
func (in *Ingester) mayHaveExpired(p *part, check int64) bool {
	i := int(check) - 1 // Lua counts from one
	if i < siteChecks {
		return false
	}
	day := (i - siteChecks) / dayChecks
	if day >= len(p.days) {
		return true // a bucket of the duplicate rules
	}
	end := p.days[day].state.day.Next().Date(in.opt.Location)
	return in.opt.Now().After(end.Add(in.opt.UVSetTTL / 2))
}

// standby is how long this daemon leaves a log to another one that is ahead.
const standby = time.Second

// conflict says what a refused checkpoint means: ahead of us is another daemon
// on the same log, behind us is a Redis that went back in time.
func (in *Ingester) conflict(p *part, stored string) (ahead bool) {
	now := in.opt.Now()
	offset, err := strconv.ParseInt(stored, 10, 64) // "" when there is none: not ahead
	ahead = err == nil && offset > p.from
	if ahead {
		in.loop.standby = now.Add(standby)
		in.meter.update(func(st *IngestStats) { st.standbySeen = now })
	}
	if now.Sub(in.loop.warned) < time.Minute {
		return ahead
	}
	in.loop.warned = now
	if ahead {
		in.log.Error("another daemon is counting this log: nothing is counted twice; run only one",
			"site", p.site.name, "segment", p.segment, "ours", p.from, "theirs", offset)
		return ahead
	}
	in.log.Warn("Redis went back in time; what it lost is counted again from the log",
		"site", p.site.name, "segment", p.segment, "committed", p.from, "stored", stored)
	return ahead
}
