package alert

import (
	"cmp"
	"slices"
	"time"
)

// Severities.
const (
	Critical = "critical"
	Warning  = "warning"
)

// Finding is something that is wrong at the moment of a look.
type Finding struct {
	Name     string        // of the alert
	Severity string        // Critical or Warning
	Site     string        // which it is about; empty: the daemon
	Summary  string        // a sentence for people
	For      time.Duration // how long it must last before it is told
}

// Message is what is told about an alert.
type Message struct {
	Name     string    `json:"name"`
	Severity string    `json:"severity"`
	Site     string    `json:"site"`
	Summary  string    `json:"summary"`
	Since    time.Time `json:"since"` // when it was first found
	Resolved bool      `json:"resolved"`
	Host     string    `json:"host"`
	// Text says all of it in a line, under the name that chat services show.
	Text string `json:"text"`
}

// key is what makes an alert the same one.
type key struct{ name, site string }

// state is an alert that is on.
type state struct {
	Finding
	since time.Time
	told  time.Time // when it was last told; zero: not yet
}

// Watch makes edges of findings. Make one with NewWatch. It is not safe for
// concurrent use.
type Watch struct {
	on map[key]*state
}

// NewWatch knows of nothing that is wrong.
func NewWatch() *Watch { return &Watch{on: map[key]*state{}} }

// Look takes all that is wrong now and returns what has to be told: what has
// lasted long enough, what was told longer than repeat ago and is still on, and
// what was told and is over.
func (w *Watch) Look(now time.Time, repeat time.Duration, findings []Finding) []Message {
	var out []Message
	there := map[key]bool{}
	for _, f := range findings {
		k := key{f.Name, f.Site}
		there[k] = true
		s := w.on[k]
		if s == nil {
			s = &state{since: now}
			w.on[k] = s
		}
		s.Finding = f
		if now.Sub(s.since) < f.For || !s.told.IsZero() && now.Sub(s.told) < repeat {
			continue
		}
		s.told = now
		out = append(out, s.message(false))
	}
	for k, s := range w.on {
		if there[k] {
			continue
		}
		delete(w.on, k)
		if !s.told.IsZero() {
			out = append(out, s.message(true))
		}
	}
	slices.SortFunc(out, func(a, b Message) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Site, b.Site)) })
	return out
}

func (s *state) message(resolved bool) Message {
	return Message{Name: s.Name, Severity: s.Severity, Site: s.Site, Summary: s.Summary, Since: s.since.UTC(), Resolved: resolved}
}
