package archive

import (
	"encoding/json"
	"fmt"

	"ddkk-stats/parser"
)

// Tally is what became of the lines of a segment. The books close:
// Lines = Human + Bot + Calls + Dedup + Skipped + Malformed. A torn line, which has no
// end yet, is not among them.
type Tally struct {
	Lines     int64
	Human     int64 // page views and events of people
	Bot       int64 // page views and events of bots
	Calls     int64 // calls of a site's API
	Dedup     int64
	Skipped   int64
	Malformed int64
	Torn      int64 // 0 or 1: the unfinished last line
	// Reasons are Skipped and Malformed by parser.Reason's name.
	Reasons map[string]int64
}

func (t *Tally) reason(r parser.Reason) { t.booked(r.String()) }

func (t *Tally) booked(reason string) {
	if t.Reasons == nil {
		t.Reasons = map[string]int64{}
	}
	t.Reasons[reason]++
}

// add adds what the next chunk of the segment came to.
func (t *Tally) add(b *Tally) {
	t.Lines += b.Lines
	t.Human += b.Human
	t.Bot += b.Bot
	t.Calls += b.Calls
	t.Dedup += b.Dedup
	t.Skipped += b.Skipped
	t.Malformed += b.Malformed
	t.Torn = b.Torn
	if t.Reasons == nil && len(b.Reasons) > 0 {
		t.Reasons = map[string]int64{}
	}
	for r, n := range b.Reasons {
		t.Reasons[r] += n
	}
}

func (t *Tally) reasonsText() (string, error) {
	if len(t.Reasons) == 0 {
		return "{}", nil
	}
	b, err := json.Marshal(t.Reasons)
	if err != nil {
		return "", fmt.Errorf("write reasons: %w", err)
	}
	return string(b), nil
}

func (t *Tally) readReasons(text string) error {
	if err := json.Unmarshal([]byte(text), &t.Reasons); err != nil {
		return fmt.Errorf("read reasons: %w", err)
	}
	return nil
}
