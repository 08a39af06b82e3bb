package verify

import (
	"testing"

	"ddkk-stats/counter"
	"ddkk-stats/parser"
)

// TestFacetDays: what a facet of a day must be, and when that is not asked: where the facet
// began on that day. Names that a file tells, which may have been replaced, are compared in sum.
func TestFacetDays(t *testing.T) {
	const on = parser.Day(20260101)
	differences := func(f parser.Facet, archived map[string]int64, got map[string]int64, waiting map[string]int64) int {
		s := &subject{report: &SiteReport{}, count: newRecount(100, 0)}
		r := &reading{subject: s, waiting: map[counter.FacetDayName]counter.FacetCount{}}
		x := &facetDay{key: "facet", day: on, facet: f, archived: map[string]views{}, got: map[string]counter.Value{}}
		for name, n := range archived {
			x.archived[name] = views{pv: n}
		}
		for name, n := range got {
			x.got[f.Field(name)] = counter.Value{N: n}
		}
		for name, n := range waiting {
			r.waiting[counter.FacetDayName{Day: on, Facet: f, Name: name}] = counter.FacetCount{PV: n}
		}
		r.compareFacet(x)
		return len(s.claims)
	}
	type names = map[string]int64
	for _, c := range []struct {
		what                   string
		facet                  parser.Facet
		archived, got, waiting names
		wrong                  bool
	}{
		{"as it must be", parser.Browser, names{"Firefox": 3, "": 1}, names{"Firefox": 3}, names{"": 1}, false},
		{"it began on this day", parser.Browser, names{"Firefox": 3, "Safari": 2}, names{"Safari": 1}, nil, false},
		{"there was none on this day", parser.OS, names{"Linux": 3}, nil, nil, false},
		{"views under another name", parser.Browser, names{"Firefox": 3, "Safari": 2}, names{"Firefox": 2, "Safari": 3}, nil, true},
		{"too many", parser.Channel, names{"direct": 3}, names{"direct": 4}, nil, true},
		{"too few of what there always was", parser.Referrer, names{"r.example": 3}, names{"r.example": 2}, nil, true},
		{"too few hours", parser.Hour, names{"07": 3}, names{"07": 2}, nil, true},
		{"another database", parser.Country, names{"DE": 3, "CN": 2}, names{"DE": 2, "CN": 3}, nil, false},
		{"another database, and too many", parser.Country, names{"DE": 3}, names{"DE": 2, "CN": 3}, nil, true},
	} {
		if n := differences(c.facet, c.archived, c.got, c.waiting); n > 0 != c.wrong {
			t.Errorf("%s: %d differences", c.what, n)
		}
	}
}
