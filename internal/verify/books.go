package verify

import "ddkk-stats/parser"

// Book says what became of the lines of a segment. It closes: Lines is the sum
// of all the others.
type Book struct {
	Lines     int64 `json:"lines"` // with the unfinished last one
	Human     int64 `json:"human"`
	Bot       int64 `json:"bot"`
	Calls     int64 `json:"calls"`
	Dedup     int64 `json:"deduplicated"`
	Torn      int64 `json:"torn"`
	Skipped   int64 `json:"skipped"`
	Malformed int64 `json:"malformed"`
	// Waiting are good lines beyond their site's checkpoint: not counted yet.
	Waiting int64 `json:"waiting"`
	// Other are good lines of sites that were not asked for.
	Other int64 `json:"other_sites"`
	// Reasons are Skipped and Malformed by reason.
	Reasons map[string]int64 `json:"reasons,omitempty"`
}

// Add adds another book.
func (b *Book) Add(o *Book) {
	b.Lines += o.Lines
	b.Human += o.Human
	b.Bot += o.Bot
	b.Calls += o.Calls
	b.Dedup += o.Dedup
	b.Torn += o.Torn
	b.Skipped += o.Skipped
	b.Malformed += o.Malformed
	b.Waiting += o.Waiting
	b.Other += o.Other
	for r, n := range o.Reasons {
		b.reason(r, n)
	}
}

func (b *Book) reason(r string, n int64) {
	if b.Reasons == nil {
		b.Reasons = map[string]int64{}
	}
	b.Reasons[r] += n
}

// Closes tells whether every line is accounted for.
func (b *Book) Closes() bool {
	var reasons int64
	for _, n := range b.Reasons {
		reasons += n
	}
	return b.Lines == b.Human+b.Bot+b.Calls+b.Dedup+b.Torn+b.Skipped+b.Malformed+b.Waiting+b.Other && reasons == b.Skipped+b.Malformed
}

// refuse books a line that is no hit; false for a hit.
func (b *Book) refuse(h *parser.Hit) bool {
	switch h.Kind {
	case parser.Skipped:
		b.Skipped++
	case parser.Malformed:
		b.Malformed++
	default:
		return false
	}
	b.reason(h.Reason.String(), 1)
	return true
}

// SegmentBook is the book of one segment: what the archive has booked and what
// is read here behind that.
type SegmentBook struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Archived int64  `json:"archived_bytes"` // its lines up to here are archived
	Book
}
