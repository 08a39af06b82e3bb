package parser

import (
	"fmt"
	"slices"
	"strings"
)

// FacetSet are some facets.
type FacetSet uint16

// Has tells whether a facet is one of them.
func (s FacetSet) Has(f Facet) bool { return s>>f&1 != 0 }

// Set adds a facet or takes it out.
func (s *FacetSet) Set(f Facet, on bool) {
	if *s &^= 1 << f; on {
		*s |= 1 << f
	}
}

// ParseFacets reads the value of FACETS, and returns the facets that are not counted:
// "all" or nothing leaves none out, "none" all, and a list all others. Views are
// counted by hour always, since that is the time and not of whom they are.
func ParseFacets(list []string) (off FacetSet, err error) {
	all := FacetSet(1<<Hour - 1)
	switch {
	case len(list) == 0 || len(list) == 1 && list[0] == "all":
		return 0, nil
	case len(list) == 1 && list[0] == "none":
		return all, nil
	}
	off = all
	for _, name := range list {
		f, ok := FacetOf(name)
		if !ok {
			return 0, fmt.Errorf("%q is no facet: use all, none, or some of %s", name, strings.Join(FacetNames(), ", "))
		}
		if f != Hour {
			off &^= 1 << f
		}
	}
	return off, nil
}

// FacetNames are the names of all facets.
func FacetNames() []string {
	names := make([]string, 0, NumFacets)
	for f := range NumFacets {
		names = append(names, Facets[f].Name)
	}
	slices.Sort(names)
	return names
}

// facetValues are the names that views had: of each facet a bounded number is kept.
type facetValues struct {
	off   FacetSet
	names [Hour]cache[*Value]
}

const (
	cachedNames = 2048
	maxName     = 255 // bytes of a name
)

func newFacetValues(off FacetSet) facetValues {
	v := facetValues{off: off}
	for f := range v.names {
		v.names[f] = newCache[*Value](cachedNames, maxName)
	}
	return v
}

// named is one of the names that we give; see of.
func (v *facetValues) named(f Facet, name string) *Value { return v.of(f, []byte(name)) }

// of is a name of a facet; nil: the facet is not counted.
func (v *facetValues) of(f Facet, name []byte) *Value {
	if v.off.Has(f) {
		return nil
	}
	if known, ok := v.names[f].get(name); ok {
		return known
	}
	value := NewValue(f, string(name))
	v.names[f].put(name, value)
	return value
}
