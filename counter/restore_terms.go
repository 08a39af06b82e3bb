package counter

import (
	"encoding/binary"
	"time"

	"ddkk-stats/parser"
)

// termNames are the weeks and months that may still get lines and have days in the
// archive, with their first days.
type termNames map[string]parser.Day

// needTerms notes those of a day.
func (r *restoring) needTerms(d parser.Day) {
	for k := range parser.Term(r.Uniques) {
		if first := k.First(d); writable(r.termEnd(k, first), r.Now()) {
			if r.terms == nil {
				r.terms = termNames{}
			}
			r.terms[k.Name(d)] = first
		}
	}
}

func (r *restoring) termEnd(kind parser.Term, first parser.Day) time.Time {
	return termEnd(r.Location, kind, first, r.UVSetTTL)
}

// openTerms restores who was there in weeks and months that may still get lines.
func (r *restoring) openTerms(h History) error {
	for name := range r.terms {
		if err := r.openTerm(h, name); err != nil {
			return err
		}
	}
	return nil
}

func (r *restoring) openTerm(h History, name string) error {
	kind, first, _ := parser.TermNamed(name)
	var packed []byte
	visitors := map[string]int64{}
	whole, err := h.Term(r.ctx, r.site, kind, first, func(hash uint64, page []byte) error {
		packed = binary.LittleEndian.AppendUint64(packed, hash)
		if page == nil {
			visitors[TermSite]++
		} else {
			visitors[TermPage+string(page)]++
		}
		return nil
	})
	if err != nil {
		return err
	}
	if !whole {
		visitors[TermPart] = 1
	}
	key, end := r.Keys.TermVisitors(r.site, name), r.termEnd(kind, first)
	fields := make([]any, 0, 2*chunk)
	for field, n := range visitors {
		if fields = append(fields, field, n); len(fields) == 2*chunk {
			r.pipe.HSet(r.ctx, key, fields...)
			fields = make([]any, 0, 2*chunk)
		}
		if err := r.row(); err != nil {
			return err
		}
	}
	if len(fields) > 0 {
		r.pipe.HSet(r.ctx, key, fields...)
	}
	if len(visitors) > 0 {
		r.made.addKey(r.Keys, key)
	}
	if err := r.barrier(); err != nil { // a key must be there to be given its end
		return err
	}
	r.pipe.ExpireAt(r.ctx, key, end)
	return r.put(r.Keys.TermPairs(r.site, name), packed, end.Sub(r.Now()))
}
