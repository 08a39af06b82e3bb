package health

import (
	"fmt"
	"sync"
	"time"

	"ddkk-stats/counter"
	"ddkk-stats/internal/alert"
	"ddkk-stats/parser"
)

// Vitals are the figures of one look.
type Vitals struct {
	At    time.Time
	Begun bool // counting has
	// Waits is what counting waits for, of Redis' or the archive's; "": nothing.
	Waits                             Name
	Denied                            string // a log that cannot be opened; "": all can
	Stats                             counter.IngestStats
	RedisUsed, RedisMax, RedisEvicted int64
	Behind                            int64 // bytes of the logs that are not read
	HandedOut                         int64 // bytes of all segments that are
	Lag                               time.Duration
	Alarms                            int // of segments
	ArchiveAway                       bool
	SinceArchive                      time.Duration
	ArchiveLimit                      time.Duration // from when on that is late; 0: never
	WriteLag, WriteLimit              time.Duration // of page_counts; a limit of 0: there is none
	Clock                             string        // what is wrong with it
	Differences, Problems             int64         // of the last verification
	RestoreFailures                   int64
	Beacons, BeaconsFailed            int64
	Answers, AnswersFailed            int64
	SettingsRefused                   bool
	LogsOver                          string // what the logs take of their budget, if it is too much
}

// Look is what a state is told by: the figures of now, of the look before, and of the
// first look of the window over which what grows is compared.
type Look struct{ Now, Before, Earlier *Vitals }

// Finding is a state that a daemon is in.
type Finding struct {
	*Row
	Text  string // what is wrong, with its figures
	Since time.Time
	Halts bool // counting waits for it, and no number is current
}

func never(*Look) string { return "" }

func when(wrong bool, format string, args ...any) string {
	if !wrong {
		return ""
	}
	return fmt.Sprintf(format, args...)
}

func grown(now, was int64, format string) string { return when(now > was, format, now-was) }

// malformed are the lines that the format does not explain. Bytes of a scanner's
// where a request should be are none: they say nothing about the format.
func malformed(s *counter.IngestStats) (n int64) {
	for r := range parser.NumReasons {
		if r != parser.BadRequest {
			n += s.Books.Malformed[r]
		}
	}
	return n
}

// Window is over how long what grows is compared.
const Window = 15 * time.Minute

// Monitor keeps the looks of the window, and when each state began. Safe for
// concurrent use.
type Monitor struct {
	mu    sync.Mutex
	past  []*Vitals // oldest first
	since map[Name]time.Time
}

// NewMonitor knows of no look.
func NewMonitor() *Monitor { return &Monitor{since: map[Name]time.Time{}} }

// Note judges a look and keeps it.
func (m *Monitor) Note(v *Vitals) []Finding {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.past) > 0 && v.At.Sub(m.past[0].At) > Window {
		m.past = m.past[1:]
	}
	m.past = append(m.past, v)
	before := m.past[max(0, len(m.past)-2)]
	all := judge(&Look{Now: v, Before: before, Earlier: m.past[0]})
	on := map[Name]bool{}
	for i := range all {
		f := &all[i]
		on[f.Name] = true
		if m.since[f.Name].IsZero() {
			m.since[f.Name] = v.At
		}
		f.Since = m.since[f.Name]
	}
	for name := range m.since {
		if !on[name] {
			delete(m.since, name)
		}
	}
	return all
}

// Judge judges a look without keeping it, beside those that were noted.
func (m *Monitor) Judge(v *Vitals) []Finding {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := Look{Now: v, Before: &Vitals{HandedOut: -1}, Earlier: v}
	if n := len(m.past); n > 0 {
		l.Before, l.Earlier = m.past[n-1], m.past[0]
	}
	all := judge(&l)
	for i := range all {
		if all[i].Since = m.since[all[i].Name]; all[i].Since.IsZero() {
			all[i].Since = v.At
		}
	}
	return all
}

// Last is the newest look that was noted; nil: there is none.
func (m *Monitor) Last() *Vitals {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.past) == 0 {
		return nil
	}
	return m.past[len(m.past)-1]
}

func judge(l *Look) (all []Finding) {
	for i := range Table {
		r := &Table[i]
		if text := r.wrong(l); text != "" {
			all = append(all, Finding{Row: r, Text: text, Halts: r.Effect == Waits || r.Name == l.Now.Waits})
		}
	}
	return all
}

// Halt is the state that counting waits for; nil: it does not wait.
func Halt(all []Finding) *Finding {
	for i := range all {
		if all[i].Halts {
			return &all[i]
		}
	}
	return nil
}

// Alerts are the findings as those who post them know them.
func Alerts(all []Finding) (out []alert.Finding) {
	for _, f := range all {
		if f.Alert != "" {
			out = append(out, alert.Finding{Name: f.Alert, Severity: f.Severity, Summary: f.Text, For: f.For})
		}
	}
	return out
}
