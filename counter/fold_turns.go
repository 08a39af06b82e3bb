package counter

import (
	"context"
	"time"
)

// folds is when the lists of which sites are spread. The loop owns it.
type folds struct {
	turns    [pendingKinds]foldTurn
	sites    map[string]*site // all that are known
	batchOut bool             // the committer has a batch in hand
	spread   *spreader
	places   *places
	wards    *wards
	audits   *audits
	wire     *wire
}

func newFolds(fs folds) *folds {
	for l := range fs.turns {
		fs.turns[l].sites = map[*site]struct{}{}
	}
	return &fs
}

// foldTurn is when a kind of list is folded.
type foldTurn struct {
	sites map[*site]struct{} // those that have something in it
	at    time.Time          // when all of them were
	all   bool               // all of them are being folded, one after the other
}

// While a backlog is read, pending changes wait for company: a fold costs Redis
// six writes a page however often the page was seen. At the live edge they are
// folded at once.
const (
	foldEvery      = 30 * time.Second
	maxPendingSize = 64 << 20 // bytes of a site's pending list
)

// quietFor is how long nothing must have come for facets to be folded before their
// time: folded after each view, they would double what a quiet site costs.
const quietFor = time.Second

// foldDue names a site whose changes should be spread now, and the list. quiet: nothing
// came for a while.
func (fs *folds) foldDue(now time.Time, idle, quiet bool) (*site, pendingKind) {
	wait := foldEvery
	if idle && fs.places.live {
		wait = 0
	}
	if s := fs.turnOf(pendingPages, now, wait); s != nil {
		return s, pendingPages
	}
	wait = foldEvery
	if idle && quiet {
		wait = 0
	}
	return fs.turnOf(pendingFacets, now, wait), pendingFacets
}

// turnOf names a site that has something in a list, if it is its turn.
func (fs *folds) turnOf(l pendingKind, now time.Time, wait time.Duration) *site {
	t := &fs.turns[l]
	if now.Sub(t.at) >= wait {
		t.all = true
	}
	for s := range t.sites {
		switch {
		case fs.sites[s.name] != s:
			delete(t.sites, s) // dropped meanwhile; loading it again folds
		case s.health.aside(): // its keys are being made anew, or cannot be written
		case t.all, s.waits[l].size >= maxPendingSize, s.waits[l].n >= maxFold:
			return s
		}
	}
	if t.all {
		t.all, t.at = false, now
	}
	return nil
}

// foldAll folds until no page changes of the site are pending.
func (fs *folds) foldAll(ctx context.Context, s *site) error {
	for {
		var done folded
		err := fs.wire.retry(ctx, "spread pending pages", func() (err error) {
			done, err = fs.spread.foldOnce(ctx, pendingPages, s.name, s.epoch)
			return err
		})
		if err != nil {
			return err
		}
		if done.lost > fs.wards.knownLost(s.name) {
			fs.audits.due = true // it deals with the loss
		}
		if done.left <= 0 {
			s.waits[pendingPages] = tail{}
			delete(fs.turns[pendingPages].sites, s)
			if !fs.batchOut {
				s.foldedAll()
			}
			return nil
		}
	}
}

// pending notes which lists of sites are to be folded.
func (fs *folds) pending(sites ...*site) {
	for _, s := range sites {
		for l := range s.waits {
			if s.waits[l].n > 0 {
				fs.turns[l].sites[s] = struct{}{}
			}
		}
	}
}

// forget leaves a site out whose state was dropped.
func (fs *folds) forget(s *site) {
	for l := range fs.turns {
		delete(fs.turns[l].sites, s)
	}
}
