package counter

import (
	"strings"
	"sync"
	"time"

	"ddkk-stats/counter/keys"
)

// madeNotes are the marks of what a restore writes, as scripts would have noted them. Two
// senders use it.
type madeNotes struct {
	mu      sync.Mutex
	letters map[string]string // by period
	last    string            // key that was added
	pages   int64             // visitors of all pages together
	windows bool              // buckets of DEDUPE_WINDOW are noted
}

func newMadeNotes(window time.Duration) *madeNotes {
	return &madeNotes{letters: map[string]string{}, windows: window >= leastNoted}
}

func (m *madeNotes) add(letter, period string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if have := m.letters[period]; !strings.Contains(have, letter) {
		m.letters[period] = have + letter
	}
}

// addKey adds a key, if such keys have marks.
func (m *madeNotes) addKey(k Keys, key string) {
	m.mu.Lock()
	same := m.last == key
	m.last = key
	m.mu.Unlock()
	if same {
		return
	}
	if n, ok := k.Parse(key); ok && (n.Family != keys.SeenWindow || m.windows) {
		if letter, period, ok := n.Mark(); ok {
			m.add(letter, period)
		}
	}
}

func (m *madeNotes) visitors(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pages += n
}

// noteMade writes the marks; the epoch they are of is noted when the site is opened.
func (r *restoring) noteMade() error {
	fields := []any{keys.MadePages, r.made.pages}
	for period, letters := range r.made.letters {
		fields = append(fields, period, letters)
	}
	key := r.Keys.Made(r.site)
	r.pipe.Del(r.ctx, key)
	for len(fields) > 0 {
		n := min(len(fields), 2*chunk)
		r.pipe.HSet(r.ctx, key, fields[:n]...)
		fields = fields[n:]
	}
	return r.barrier()
}
