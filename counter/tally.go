package counter

import (
	"slices"
	"sync"
	"time"

	"ddkk-stats/parser"
)

// Tally is the books of a run of lines. They always close:
//
//	Read = Human + Bot + Calls + Dedup + Before + Torn + sum(Skipped) + sum(Malformed)
//
// Read is counted by the reader's newlines and the rest by outcome, so that a
// line which gets lost between the two shows.
type Tally struct {
	Read      int64 // lines, each once however often it is read again
	Human     int64 // counted page views and events of people
	Bot       int64 // counted apart
	Calls     int64 // calls of a site's API
	Dedup     int64 // duplicates by view id or DEDUPE_WINDOW
	Before    int64 // counted before this start, passed over now
	Torn      int64 // unfinished last lines of closed segments
	Skipped   [parser.NumReasons]int64
	Malformed [parser.NumReasons]int64
}

// Add adds b to t.
func (t *Tally) Add(b *Tally) {
	t.Read += b.Read
	t.Human += b.Human
	t.Bot += b.Bot
	t.Calls += b.Calls
	t.Dedup += b.Dedup
	t.Before += b.Before
	t.Torn += b.Torn
	for i := range b.Skipped {
		t.Skipped[i] += b.Skipped[i]
		t.Malformed[i] += b.Malformed[i]
	}
}

// book counts what became of a line.
func (t *Tally) book(h *parser.Hit, o outcome) {
	switch o {
	case lineNone:
		if h.Kind == parser.Skipped {
			t.Skipped[h.Reason]++
		} else {
			t.Malformed[h.Reason]++
		}
	case lineRefused:
		t.Skipped[parser.SkipSite]++
	case lineBefore:
		t.Before++
	case lineDup:
		t.Dedup++
	case lineCall:
		t.Calls++
	case lineCounts:
		if h.Bot {
			t.Bot++
		} else {
			t.Human++
		}
	}
}

// unbook takes back what book did of a line that counts.
func (t *Tally) unbook(bot bool) {
	if bot {
		t.Bot--
	} else {
		t.Human--
	}
}

// Outcomes is the right side of the equation.
func (t *Tally) Outcomes() int64 {
	n := t.Human + t.Bot + t.Calls + t.Dedup + t.Before + t.Torn
	for i := range t.Skipped {
		n += t.Skipped[i] + t.Malformed[i]
	}
	return n
}

// IngestStats is what an Ingester did since its start.
type IngestStats struct {
	Books                  Tally
	Inputs                 []Tally // Books by input, in their order
	Reread                 int64   // lines that were read again after a rewind
	Commits                int64   // parts that were applied
	Duplicates             int64   // parts that had been applied before: a reply was lost
	Gaps                   int64   // parts refused because Redis or another daemon stood elsewhere
	Rewinds                int64
	Rebuilds               int64 // sites rebuilt because their keys were gone or damaged
	Unrebuilt              int64 // attempts to rebuild sites that failed
	Unhelped               int64 // rebuilds that were put off, since those before had not helped
	Retries                int64 // commits sent again after a passing error
	Folds                  int64
	Incomplete             int64 // sites that lost keys for good
	Full                   int64 // tables of names that have no room: of a site's day, of sites
	Parked                 int64 // sites that wait for an operator
	Missing                int64 // segments that vanished before they were read: gaps in the log
	MissingBytes           int64
	ScrubRounds, ScrubKeys int64     // rounds of the scrub, and keys that it looked at
	ScrubDifferences       int64     // numbers that it found not to agree, in all its rounds
	ScrubEnded             time.Time // end of its last whole round
	Cut                    int64     // segments that are shorter than their checkpoint
	Redis                  bool      // the last exchange with Redis went well
	Remaking               int64     // sites whose readers are told that they are stale, but for parked ones
	Standby                bool      // another daemon was seen to count the same log within a minute

	standbySeen time.Time // when it was last
}

// standbyShown is for how long another daemon is taken to count the same log after it
// was seen: it shows only when lines come.
const standbyShown = time.Minute

// at tells what depends on the time.
func (s *IngestStats) at(now time.Time) {
	s.Standby = !s.standbySeen.IsZero() && now.Sub(s.standbySeen) < standbyShown
	s.Remaking = max(0, s.Remaking-s.Parked)
}

// meter guards the IngestStats that the loop writes and others read.
type meter struct {
	mu sync.Mutex
	s  IngestStats
}

func (m *meter) update(f func(*IngestStats)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f(&m.s)
}

// book adds the books of a batch, by input.
func (m *meter) book(books []Tally) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.s.Inputs) < len(books) {
		m.s.Inputs = append(m.s.Inputs, make([]Tally, len(books)-len(m.s.Inputs))...)
	}
	for i := range books {
		m.s.Inputs[i].Add(&books[i])
		m.s.Books.Add(&books[i])
	}
}

func (m *meter) snapshot() IngestStats {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.s
	s.Inputs = slices.Clone(s.Inputs)
	return s
}
