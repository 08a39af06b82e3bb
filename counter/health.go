package counter

import "time"

// health is how a site is. Those from postponed on are aside: their lines are
// passed over and wait in the log.
type health uint8

const (
	whole     health = iota
	wounded          // lost keys that cannot be made anew: it counts on from what is left
	healing          // was rebuilt; the log is being read again for it
	postponed        // waits for its rebuild
	remaking         // is being rebuilt
	parked           // damaged beyond what can be rebuilt without loss: waits for an operator
)

func (h health) aside() bool { return h >= postponed }

func (h health) awaitsRebuild() bool { return h == postponed || h == remaking }

// care is what is remembered of a site that is not well, or was not until lately.
// It outlives the site's state, which is thrown away whenever Redis is asked anew.
type care struct {
	health   health
	cause    string    // of the rebuild that waits
	until    time.Time // and when it is due
	lost     int64     // keys whose loss is known and cannot be made good
	keeps    int       // times that it went on from what was left, one soon after the other
	kept     time.Time // the last of them
	rebuilds int       // one soon after the other
	ended    time.Time // the last of them
	well     time.Time // since when the last one has helped; zero: it has not
}

// How long a rebuild is put off that follows on one that did not help: twice as
// long each time. A site that was well for a while is rebuilt at once.
const (
	minRebuildWait = time.Second
	maxRebuildWait = 5 * time.Minute
	wellFor        = 10 * time.Second
)

// wait is how long the next rebuild has to wait still. It forgets those that helped.
func (c *care) wait(now time.Time) time.Duration {
	if !c.well.IsZero() && now.Sub(c.well) >= wellFor {
		c.rebuilds = 0
	}
	if c.rebuilds == 0 {
		return 0
	}
	return max(0, min(minRebuildWait<<min(c.rebuilds-1, 16), maxRebuildWait)-now.Sub(c.ended))
}

// over tells that nothing of the record matters any more.
func (c *care) over(now time.Time) bool {
	return c.health == whole && c.lost == 0 && c.wait(now) == 0 && c.rebuilds == 0 && now.Sub(c.kept) >= wellFor
}

// maxKeep is how often a site goes on from what is left, one time soon after the
// other, before it is parked.
const maxKeep = 3

// keepOn notes that a site goes on from what is left; false: that did not help
// the last times.
func (c *care) keepOn(now time.Time) bool {
	if now.Sub(c.kept) >= wellFor {
		c.keeps = 0
	}
	c.keeps, c.kept = c.keeps+1, now
	return c.keeps <= maxKeep
}

// action is what is done about a finding.
type action uint8

const (
	accept  action = iota // all is well
	merge                 // learn what another host wrote and send the same again
	relearn               // read the site's state again, and the log from there
	rebuild               // make its keys anew
)

// finding is what the answer to a commit says of a site.
type finding struct {
	verdict verdict
	other   bool  // epoch: another life is there; else none is
	gone    int64 // keys that are lost, beyond those that are known to be
	expired bool  // lost: the key may just have expired
}

// decide is the table of answers.
func decide(f finding) action {
	switch f.verdict {
	case applied, duplicate:
		if f.gone > 0 {
			return rebuild
		}
		if f.verdict == duplicate {
			// Another daemon may have applied these lines: what its commit wrote need
			// not be what ours would have, though the lengths agree.
			return relearn
		}
		return accept
	case moved:
		return merge
	case gap:
		return relearn
	case noEpoch:
		if f.other {
			return relearn
		}
	case lost:
		if f.expired {
			return relearn
		}
	}
	return rebuild
}

// treatment is how a site that needs a rebuild gets it.
type treatment uint8

const (
	leave    treatment = iota // it is on its way, or waits
	postpone                  // later
	adopt                     // another daemon has done it
	goOn                      // it would lose what only the old keys have: go on from what is left
	remake                    // now
)

// patient is what the treatment depends on.
type patient struct {
	health  health
	wait    time.Duration // until it may be rebuilt
	other   bool          // its keys are another life's by now
	lacking int           // counted segments that neither the log nor the archive has
}

func treat(p patient) treatment {
	switch {
	case p.health.awaitsRebuild():
		return leave
	case p.wait > 0:
		return postpone
	case p.other:
		return adopt
	case p.lacking > 0:
		return goOn
	}
	return remake
}
