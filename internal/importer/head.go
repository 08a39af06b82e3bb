package importer

import (
	"encoding/binary"
	"math"

	"ddkk-stats/parser"
)

// Head is what the first views of a log are: when, and of which page. Two files
// that begin with the same line (a health check's, a comment) are the logs of two
// servers, or one is a copy of the other that was filtered or edited. A copy has
// most of its views in common with the other, wherever one looks; two servers do
// not. Address and user agent are left out, which are edited the most.
type Head struct{ marks []mark }

type mark struct{ second, page uint32 }

// headViews is how many views a head has at most.
const headViews = 64

// add notes a view of a person.
func (d *Head) add(h *parser.Hit) {
	if len(d.marks) >= headViews {
		return
	}
	page := uint32(2166136261) // FNV-1a: it must be the same in each version
	for _, c := range h.Page {
		page = (page ^ uint32(c)) * 16777619
	}
	d.marks = append(d.marks, mark{uint32(h.Time / 1000), page})
}

// headVersion is the first byte of a head that is kept, also of one without views.
const headVersion = 1

// String is the head as it is kept: eight bytes a view.
func (d *Head) String() string {
	b := []byte{headVersion}
	for _, m := range d.marks {
		b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, m.second), m.page)
	}
	return string(b)
}

// parseHead is the inverse of String.
func parseHead(text string) (d Head) {
	if text == "" {
		return d
	}
	for b := []byte(text[1:]); len(b) >= 8; b = b[8:] {
		d.marks = append(d.marks, mark{binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])})
	}
	return d
}

// until is how far a head reaches: one with room left has all views.
func (d *Head) until() uint32 {
	if len(d.marks) < headViews {
		return math.MaxUint32
	}
	var last uint32
	for _, m := range d.marks {
		last = max(last, m.second)
	}
	return last
}

// Alike tells whether a log with this head may be a copy of one with the other:
// of the views that both could have, half are in both.
func (d *Head) Alike(kept string) bool {
	other := parseHead(kept)
	until := min(d.until(), other.until())
	left := map[mark]int{}
	theirs, ours, common := 0, 0, 0
	for _, m := range other.marks {
		if m.second <= until {
			left[m]++
			theirs++
		}
	}
	for _, m := range d.marks {
		if m.second > until {
			continue
		}
		ours++
		if left[m] > 0 {
			left[m]--
			common++
		}
	}
	return common > 0 && 2*common >= min(ours, theirs)
}
