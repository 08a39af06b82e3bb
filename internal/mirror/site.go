package mirror

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
)

// site is one site's part of a run.
type site struct {
	*Flusher
	name  string
	store Store
}

// flush brings the site up to date, after having begun its mirror anew where
// that is necessary.
func (s *site) flush(ctx context.Context) error {
	state, err := s.opt.Counters.State(ctx, s.name)
	if err != nil || state.Closed {
		return err
	}
	usable, err := s.usable(ctx, &state)
	if err != nil {
		return err
	}
	if !usable {
		if ok, err := s.refill(ctx, state.Life); err != nil || !ok {
			return err
		}
		if state, err = s.opt.Counters.State(ctx, s.name); err != nil || !state.Open {
			return err
		}
	}
	if err := s.finish(ctx, &state); err != nil {
		return err
	}
	if s.opt.Sink && !state.Named {
		if err := s.sinkAll(ctx); err != nil {
			return err
		}
	}
	return s.takeAll(ctx, &state)
}

// usable tells whether Redis and SQL agree about what was taken. That is looked
// at where something is to be done, and once for every site.
func (s *site) usable(ctx context.Context, state *counter.MirrorState) (bool, error) {
	if state.Life == "" || !state.Open || !state.Current || state.Lost {
		return false, nil
	}
	if s.checked[s.name] == state.Life && state.Due == 0 && len(state.Takes) == 0 {
		return true, nil
	}
	log, err := s.store.Read().FlushLog(ctx, s.name)
	if err != nil {
		return false, err
	}
	if last := slices.Max(append(slices.Collect(maps.Keys(log.Nonces)), 0)); last > state.Seq {
		// Another host may have taken since; else Redis went back in time.
		again, err := s.opt.Counters.State(ctx, s.name)
		if err != nil || again.Life != state.Life || last > again.Seq {
			return false, err
		}
	}
	if !agree(state, &log) {
		return false, nil
	}
	s.checked[s.name] = state.Life
	return true, nil
}

// compared is how many of the last takes must be known to SQL: fewer than it
// remembers, since others go on meanwhile.
const compared = archive.KeptFlushes / 2

// agree compares the takes that Redis has given away with the flushes of SQL,
// which was read later.
func agree(state *counter.MirrorState, log *archive.FlushLog) bool {
	if log.Life != state.Life {
		return false
	}
	for seq := max(1, state.Seq-compared); seq <= state.Seq; seq++ {
		flushed, in := log.Nonces[seq]
		taken, open := state.Takes[seq]
		if !in && !open || in && open && flushed != taken {
			return false
		}
	}
	return true
}

// finish adds takes that were left unfinished: our own, and those of others that
// were there at the last run already. It would be right to take any, and only
// make two hosts wait for each other.
func (s *site) finish(ctx context.Context, state *counter.MirrorState) error {
	before := s.seen[s.name]
	delete(s.seen, s.name)
	for _, seq := range slices.Sorted(maps.Keys(state.Takes)) {
		nonce := state.Takes[seq]
		if !s.opt.Counters.Mine(nonce) && before[seq] != nonce {
			if s.seen[s.name] == nil {
				s.seen[s.name] = map[int64]string{}
			}
			s.seen[s.name][seq] = nonce
			continue
		}
		if ok, err := s.apply(ctx, state, seq, nonce); err != nil || !ok {
			return err
		}
	}
	return nil
}

// takeAll takes and adds what is due now; what becomes due meanwhile is left to
// the next run.
func (s *site) takeAll(ctx context.Context, state *counter.MirrorState) error {
	for left := state.Due; left > 0; {
		before := state.Seq
		pages, v, err := s.opt.Counters.Take(ctx, s.name, state)
		if err != nil {
			return err
		}
		switch {
		case v == counter.MirrorMoved:
			if *state, err = s.opt.Counters.State(ctx, s.name); err != nil {
				return err
			}
			left = min(left, state.Due)
			continue
		case v == counter.MirrorLost:
			_, err = s.refill(ctx, state.Life)
			return err
		case v != counter.MirrorOK || pages == 0:
			return nil
		}
		left -= pages
		s.count(func(st *Stats) { st.Pages += pages })
		if state.Seq == before {
			continue
		}
		if ok, err := s.apply(ctx, state, state.Seq, state.Takes[state.Seq]); err != nil || !ok {
			return err
		}
	}
	return nil
}

// apply adds a take to page_counts and ends it; false: the life is over.
func (s *site) apply(ctx context.Context, state *counter.MirrorState, seq int64, nonce string) (bool, error) {
	life := state.Life
	changes, err := s.opt.Counters.Changes(ctx, s.name, seq)
	if counter.WrongKind(err) || err == nil && len(changes) == 0 {
		return s.gone(ctx, state, seq, nonce)
	}
	if err != nil {
		return false, err
	}
	f := &archive.Flush{Site: s.name, Life: life, Seq: seq, Nonce: nonce, Slot: s.opt.Slot, Changes: make([]archive.PageChange, len(changes))}
	for i, c := range changes {
		f.Changes[i] = archive.PageChange(c)
	}
	rows, err := s.store.ApplyFlush(ctx, f)
	if errors.Is(err, archive.ErrOtherLife) || errors.Is(err, archive.ErrOtherFlush) {
		// Begin passes over a life that somebody else has ended meanwhile.
		_, err = s.refill(ctx, life)
		return false, err
	}
	if err != nil {
		return false, err
	}
	if err := s.opt.Counters.Done(ctx, s.name, life, seq, nonce, s.opt.Sink); err != nil {
		return false, err
	}
	s.count(func(st *Stats) { st.Flushes++; st.Rows += int64(rows) })
	delete(state.Takes, seq)
	if seq%(archive.KeptFlushes/2) == 0 {
		return true, s.store.ForgetFlushes(ctx, s.name, forgettable(state, seq))
	}
	return true, nil
}

// gone deals with a take that is not there any more: somebody has ended it, or Redis lost
// it, or has something else there. Then SQL has it, or it has to be taken again, in a new life; false: the life is over.
func (s *site) gone(ctx context.Context, state *counter.MirrorState, seq int64, nonce string) (bool, error) {
	now, err := s.opt.Counters.State(ctx, s.name)
	if err != nil {
		return false, err
	}
	if now.Life != state.Life {
		return false, nil
	}
	delete(state.Takes, seq)
	if now.Takes[seq] != nonce {
		return true, nil
	}
	log, err := s.store.Read().FlushLog(ctx, s.name)
	if err != nil {
		return false, err
	}
	if log.Life == state.Life && log.Nonces[seq] == nonce {
		if s.opt.Sink { // which pages it had nobody knows
			if err := s.sinkAll(ctx); err != nil {
				return false, err
			}
		}
		return true, s.opt.Counters.Done(ctx, s.name, state.Life, seq, nonce, false)
	}
	s.log.Error("Redis lost changes that were taken for page_counts; the site's mirror is begun anew from what SQL has", "site", s.name, "take", seq)
	_, err = s.refill(ctx, state.Life)
	return false, err
}

// forgettable is the number of the last flush as far as forgetting goes: a take
// that is open may be in SQL, so its row, and what comes after it, must stay
// however long its host is away, or it would be added again.
func forgettable(state *counter.MirrorState, last int64) int64 {
	for seq := range state.Takes {
		last = min(last, seq-1+archive.KeptFlushes)
	}
	return last
}

// fillRows is how many pages are written into Redis at once.
const fillRows = 500

// refill begins a new life in place of an old one; false: somebody else does, or
// the site's counters are being rebuilt.
//
// The order matters: from the first step on nobody takes, from the second on SQL
// refuses what was taken before, and so what it has does not change any more
// while it is read.
func (s *site) refill(ctx context.Context, old string) (bool, error) {
	life, v, err := s.opt.Counters.Begin(ctx, s.name, old)
	if err != nil || v != counter.MirrorOK {
		return false, err
	}
	s.log.Info("the mirror of a site is filled", "site", s.name, "life", life)
	if err := s.store.BeginLife(ctx, s.name, life); err != nil {
		return false, err
	}
	if ok, err := s.fill(ctx, life); err != nil || !ok {
		return false, err
	}
	if v, err = s.opt.Counters.Open(ctx, s.name, life); err != nil || v != counter.MirrorOK {
		return false, err
	}
	s.checked[s.name] = life
	delete(s.seen, s.name)
	s.count(func(st *Stats) { st.Refills++ })
	return true, nil
}

// sinkAll makes all pages due to the sink that SQL knows: those whose total is 0 by now, and
// those that have nothing but a base, too. Others come with their first take. That is done once
// in a life of the mirror.
func (s *site) sinkAll(ctx context.Context) error {
	for _, all := range []iter.Seq2[archive.PageCount, error]{s.store.Read().PageCounts(ctx, s.name), s.store.Read().BasePages(ctx, s.name)} {
		pages := make([]string, 0, fillRows)
		for c, err := range all {
			if err != nil {
				return err
			}
			if pages = append(pages, c.Page); len(pages) < fillRows {
				continue
			}
			if err := s.opt.Counters.SinkPages(ctx, s.name, pages); err != nil {
				return err
			}
			pages = pages[:0]
		}
		if err := s.opt.Counters.SinkPages(ctx, s.name, pages); err != nil {
			return err
		}
	}
	return s.opt.Counters.SinkNamed(ctx, s.name)
}

// fill tells Redis what SQL has.
func (s *site) fill(ctx context.Context, life string) (bool, error) {
	batch := make([]counter.PageTotal, 0, fillRows)
	send := func() (bool, error) {
		v, err := s.opt.Counters.Fill(ctx, s.name, life, batch)
		batch = batch[:0]
		return v == counter.MirrorOK, err
	}
	for c, err := range s.store.Read().PageCounts(ctx, s.name) {
		if err != nil {
			return false, err
		}
		if batch = append(batch, counter.PageTotal(c)); len(batch) == fillRows {
			if ok, err := send(); err != nil || !ok {
				return false, err
			}
		}
	}
	return send()
}
