package verify

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"ddkk-stats/internal/plain"
	"ddkk-stats/parser"
)

// Report is what a run found.
type Report struct {
	Sites       []*SiteReport `json:"sites"`
	Segments    []SegmentBook `json:"segments"`
	Total       Book          `json:"total"` // of all segments
	Differences int           `json:"differences"`
	Problems    int           `json:"problems"` // what could not be verified
	Seconds     float64       `json:"seconds"`
}

// OK tells whether all could be verified and nothing differs.
func (r *Report) OK() bool { return r.Differences == 0 && r.Problems == 0 }

func (r *Report) finish(took time.Duration) {
	r.Seconds = took.Seconds()
	for i := range r.Segments {
		s := &r.Segments[i]
		r.Total.Add(&s.Book)
		if !s.Closes() {
			r.Problems++
		}
	}
	for _, s := range r.Sites {
		r.Differences += s.Differences
		r.Problems += len(s.Problems) + len(s.Lacking)
	}
}

// Difference is a key whose number is not what it must be.
type Difference struct {
	Key  string `json:"key"`
	Have string `json:"have"`
	Want string `json:"want"`
}

// maxShown is how many differences of a site are kept by name.
const maxShown = 100

// SiteReport is what was found of one site.
type SiteReport struct {
	Site        string       `json:"site"`
	Keys        int          `json:"keys"`           // numbers that were compared
	RolledUp    int          `json:"days_rolled_up"` // days whose sums were compared with their raw rows
	Waiting     int64        `json:"lines_waiting"`  // good lines beyond the checkpoint
	Differences int          `json:"differences"`
	Shown       []Difference `json:"shown,omitempty"`
	Problems    []string     `json:"problems,omitempty"`
	Notes       []string     `json:"notes,omitempty"`
	// Lacking are counted segments that are neither on disk nor archived, or
	// not far enough, and up to where they were counted.
	Lacking map[string]int64 `json:"segments_lacking,omitempty"`
	// Mirror is how many of the differences are of page_counts.
	Mirror int `json:"page_counts_wrong,omitempty"`
	// WrongDays are those whose sums are not what their raw rows come to.
	WrongDays []parser.Day `json:"wrong_days,omitempty"`
	// Bases is how many of the differences are of bases in page_counts.
	Bases int `json:"bases_wrong,omitempty"`
	// WrongCallDays are those whose sums of API calls are not what their
	// periods come to.
	WrongCallDays []parser.Day `json:"wrong_call_days,omitempty"`

	kept *SiteReport // as it was before Redis was looked at
}

// restart forgets what was found in Redis.
func (s *SiteReport) restart() {
	if s.kept == nil {
		before := *s
		s.kept = &before
		return
	}
	kept := s.kept
	*s = *kept
	s.kept = kept
	s.Shown, s.Problems, s.Notes = slices.Clone(kept.Shown), slices.Clone(kept.Problems), slices.Clone(kept.Notes)
	s.Lacking = maps.Clone(kept.Lacking)
}

func (s *SiteReport) differ(key, have, want string) {
	s.Differences++
	if len(s.Shown) < maxShown {
		s.Shown = append(s.Shown, Difference{key, have, want})
	}
}

func (s *SiteReport) cannot(why string) { s.Problems = append(s.Problems, why) }

func (s *SiteReport) lacks(id string, off int64) {
	if s.Lacking == nil {
		s.Lacking = map[string]int64{}
	}
	s.Lacking[id] = off
}

// Write prints the report for people.
func (r *Report) Write(w io.Writer) error {
	var b strings.Builder
	for i := range r.Segments {
		s := &r.Segments[i]
		fmt.Fprintf(&b, "segment %s %s: %s\n", s.ID, s.Name, s.Book.text())
	}
	if len(r.Segments) > 0 {
		fmt.Fprintf(&b, "%d segments: %s\n", len(r.Segments), r.Total.text())
	}
	for _, s := range r.Sites {
		s.write(&b)
	}
	fmt.Fprintf(&b, "%d sites, %d differences, %d problems, in %.2f s\n", len(r.Sites), r.Differences, r.Problems, r.Seconds)
	_, err := io.WriteString(w, b.String())
	return err
}

func (s *SiteReport) write(b *strings.Builder) {
	fmt.Fprintf(b, "%s: %d numbers and %d days of raw rows compared, %d differences", s.Site, s.Keys, s.RolledUp, s.Differences)
	if s.Waiting > 0 {
		fmt.Fprintf(b, ", %d lines not counted yet", s.Waiting)
	}
	b.WriteByte('\n')
	for _, d := range s.Shown {
		fmt.Fprintf(b, "  %s is %s, want %s\n", plain.Text(d.Key), plain.Text(d.Have), plain.Text(d.Want))
	}
	if more := s.Differences - len(s.Shown); more > 0 {
		fmt.Fprintf(b, "  and %d more\n", more)
	}
	for _, id := range slices.Sorted(maps.Keys(s.Lacking)) {
		fmt.Fprintf(b, "  cannot be verified: segment %s was counted up to %d and is neither on this disk nor archived so far\n", id, s.Lacking[id])
	}
	for _, p := range s.Problems {
		fmt.Fprintf(b, "  cannot be verified: %s\n", plain.Text(p))
	}
	for _, n := range s.Notes {
		fmt.Fprintf(b, "  note: %s\n", plain.Text(n))
	}
}

// text is the closing equation.
func (b *Book) text() string {
	var t strings.Builder
	fmt.Fprintf(&t, "%d lines = %d human + %d bot + %d deduplicated + %d skipped%s + %d malformed%s + %d torn", b.Lines, b.Human, b.Bot, b.Dedup,
		b.Skipped, b.reasons(false), b.Malformed, b.reasons(true), b.Torn)
	if b.Calls > 0 {
		fmt.Fprintf(&t, " + %d API calls", b.Calls)
	}
	if b.Waiting > 0 {
		fmt.Fprintf(&t, " + %d not counted yet", b.Waiting)
	}
	if b.Other > 0 {
		fmt.Fprintf(&t, " + %d of other sites", b.Other)
	}
	if !b.Closes() {
		t.WriteString(" DOES NOT CLOSE")
	}
	return t.String()
}

// reasons lists those of skipped or of malformed lines.
func (b *Book) reasons(malformed bool) string {
	var all []string
	for r := parser.Reason(1); r < parser.NumReasons; r++ {
		if n := b.Reasons[r.String()]; n > 0 && r.Malformed() == malformed {
			all = append(all, fmt.Sprintf("%s %d", r, n))
		}
	}
	if len(all) == 0 {
		return ""
	}
	return " (" + strings.Join(all, ", ") + ")"
}

// WriteJSON prints the report for programs.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
