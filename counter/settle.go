package counter

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"time"
)

// settler takes the answers of Redis into account. The loop owns it.
type settler struct {
	counts *aggregate
	places *places
	wards  *wards
	folds  *folds
	audits *audits
	load   *loader
	heal   *healer
	wire   *wire
	keys   Keys

	loc       *time.Location
	uvTTL     time.Duration
	now       func() time.Time
	redisNow  func() time.Time
	committed func(site, epoch string, scripts int64)
	standby   time.Time // another daemon is at work until then
	warned    time.Time // of another daemon, or of a Redis that went back
	wait      *waiters
	log       *slog.Logger
	meter     *meter
}

// settle takes the answers of a flight into account: what was applied is
// remembered, what was not is read again. A batch that is merged with what others wrote
// goes out again, before anything else.
func (st *settler) settle(ctx context.Context, f *flight) (again *flight, err error) {
	if f.err != nil {
		return nil, st.settleError(ctx, f)
	}
	if f.fold != nil {
		return nil, st.settleFold(ctx, f)
	}
	if f.retried > 0 {
		st.audits.due = true // Redis was away: look at sites without new lines too
	}
	behind := map[*site][]*part{}
	done := map[*site]bool{}
	for i, p := range f.batch.parts {
		if done[p.site] || st.counts.sites[p.site.name] != p.site {
			continue // dropped already: its lines are read again
		}
		a := f.answers[i]
		if a.verdict == moved || behind[p.site] != nil && a.verdict != applied && a.verdict != duplicate {
			behind[p.site] = append(behind[p.site], p) // what follows a refused part is refused for its sake
			continue
		}
		var booked []bookedPart
		if a.verdict != applied || a.lost > st.wards.knownLost(p.site.name) {
			booked = st.counts.booked(p.site, f.batch)
		}
		drop, err := st.settlePart(ctx, p, a)
		if err != nil {
			return nil, err
		}
		if done[p.site] = drop; drop {
			st.assumeBooked(p.site.name, booked)
		}
	}
	if again, err := st.catchUp(ctx, f, behind); again != nil || err != nil {
		return again, err
	}
	for id, m := range f.batch.ends {
		// After a rewind the floor is set back, and the lines come again.
		if seg := st.places.segs[id]; seg.rewinds == m.rewinds {
			seg.floor = max(seg.floor, m.end)
		}
	}
	st.meter.book(f.batch.books)
	st.wait.counted(st.places.segs, f.batch.views)
	return nil, nil
}

func (st *settler) settleFold(ctx context.Context, f *flight) error {
	s := f.fold
	s.waits[f.list] = tail{n: f.left}
	if f.version != "" {
		s.lists[f.list] = f.version
	}
	if f.left <= 0 {
		delete(st.folds.turns[f.list].sites, s)
		if f.list == pendingPages {
			s.foldedAll()
		}
	}
	if gone := f.lost - st.wards.knownLost(s.name); gone > 0 && st.counts.sites[s.name] == s {
		return st.heal.rebuild(ctx, s, goneKeys(gone))
	}
	return nil
}

func goneKeys(n int64) string { return fmt.Sprintf("%d keys are gone", n) }

func (st *settler) settleError(ctx context.Context, f *flight) error {
	if ctx.Err() != nil {
		return nil // the loop ends; the log keeps what was not committed
	}
	if f.fold != nil {
		return st.heal.rebuild(ctx, f.fold, f.err.Error())
	}
	return f.err
}

// assumeBooked keeps the books right of lines that will be read again.
func (st *settler) assumeBooked(name string, parts []bookedPart) {
	if s := st.counts.sites[name]; s != nil {
		s.assumeParts(parts)
	}
}

// settlePart deals with one answer; drop tells that the site's state was
// thrown away.
func (st *settler) settlePart(ctx context.Context, p *part, a answer) (drop bool, err error) {
	s := p.site
	f := finding{verdict: a.verdict, other: a.text != ""}
	cause := a.text
	switch a.verdict {
	case applied, duplicate:
		st.applied(p, a)
		if f.gone = a.lost - st.wards.knownLost(s.name); f.gone > 0 {
			cause = goneKeys(f.gone)
		}
	case gap:
		st.meter.update(func(st *IngestStats) { st.Gaps++ })
		if !st.conflict(p, a.text) {
			st.wards.recount(s.name)
		}
	case noEpoch:
		cause = "its checkpoint is gone"
	case lost:
		f.expired = st.mayHaveExpired(p, a.lost)
		cause = "keys are gone or went back"
	}
	switch decide(f) {
	case accept:
		return false, nil
	case relearn:
		return true, st.heal.refresh(ctx, s)
	}
	return true, st.heal.rebuild(ctx, s, cause)
}

// applied remembers that a part is in Redis.
func (st *settler) applied(p *part, a answer) {
	s := p.site
	s.epoch = p.epoch
	s.at(p.segment).stored = p.to
	if n := len(a.cards); n > 0 {
		st.committed(s.name, s.epoch, a.cards[n-1])
	}
	st.meter.update(func(st *IngestStats) {
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
			st.folds.turns[l].sites[s] = struct{}{}
		}
	}
	p.callsApplied()
	for i, d := range p.days {
		s.bots = s.bots || len(d.bots) > 0 && !p.deferred
		for j := range d.pages {
			d.state.sawPage(&d.pages[j], p.deferred)
		}
		d.state.applied(d, p.deferred, a.cards[min(len(a.cards), siteChecks+dayChecks*i):])
		d.termsApplied(p.deferred)
	}
	if len(a.cards) >= siteChecks {
		s.pv, s.uv = max(s.pv, a.cards[0]), max(s.uv, a.cards[1])
	}
}

// mayHaveExpired tells whether the check that failed is of a key that lives
// only for a while and belongs to a day that is long over.
func (st *settler) mayHaveExpired(p *part, check int64) bool {
	i := int(check) - 1 // Lua counts from one
	if i < siteChecks {
		return false
	}
	day := (i - siteChecks) / dayChecks
	if day < len(p.days) {
		end := p.days[day].state.day.Next().Date(st.loc)
		return st.redisNow().After(end.Add(st.uvTTL / 2))
	}
	if terms, at := p.termChecks(), i-siteChecks-dayChecks*len(p.days); at < termChecks*len(terms) {
		t := terms[at/termChecks].state
		return st.redisNow().After(termEnd(st.loc, t.kind, t.first, st.uvTTL/2))
	}
	return true // a bucket of the duplicate rules
}

// standby is how long this daemon leaves a log to another one that is ahead.
const standby = time.Second

// conflict says what a refused checkpoint means: ahead of us is another daemon
// on the same log, behind us is a Redis that went back in time.
func (st *settler) conflict(p *part, stored string) (ahead bool) {
	now := st.now()
	offset, err := strconv.ParseInt(stored, 10, 64) // "" when there is none: not ahead
	ahead = err == nil && offset > p.from
	if ahead {
		st.standby = now.Add(standby)
		st.meter.update(func(st *IngestStats) { st.standbySeen = now })
	}
	if now.Sub(st.warned) < time.Minute {
		return ahead
	}
	st.warned = now
	if ahead {
		st.log.Error("another daemon is counting this log: nothing is counted twice; run only one",
			"site", p.site.name, "segment", p.segment, "ours", p.from, "theirs", offset)
		return ahead
	}
	st.log.Warn("Redis went back in time; what it lost is counted again from the log",
		"site", p.site.name, "segment", p.segment, "committed", p.from, "stored", stored)
	return ahead
}
