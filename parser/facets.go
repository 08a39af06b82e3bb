package parser

// Facet is something that the views of a site and day are counted by beside their
// pages: each view has at most one name of each.
type Facet uint8

// The facets. Their order is of no weight outside, but Hour is the last: its names
// are those of the clock, so that hits have no Value of it.
const (
	Referrer Facet = iota
	Hour
	NumFacets
)

// Distinct says what tells the visitors of a facet's names apart.
type Distinct uint8

const (
	// ByNobody: they are not counted.
	ByNobody Distinct = iota
	// ByPair: a visitor may have several names on one day.
	ByPair
)

// FacetSpec is all that counting, Redis, the archive, restoring, verifying and the
// API know of a facet.
type FacetSpec struct {
	Name   string // in SQL and in the API
	Letter byte   // lower case: what its fields begin with in Redis
	Cap    int    // names of a site and day; those that come later are OtherPage
	Bots   bool   // the views of bots are counted as well
	// Every view of a person has a name, so that they add up to the day's views.
	Every    bool
	Distinct Distinct
	Column   string // of raw rows; empty: there is none, the time tells
	Width    int    // bytes of the column
}

// Facets is the table that all of them follow from.
var Facets = [NumFacets]FacetSpec{
	Referrer: {Name: "referrer", Letter: 'r', Cap: 1000, Distinct: ByPair, Column: "referrer", Width: 255},
	Hour:     {Name: "hour", Letter: 'h', Cap: 24, Bots: true, Every: true},
}

// Spec is the facet's row of the table.
func (f Facet) Spec() *FacetSpec { return &Facets[f] }

// FacetOf finds a facet by its name.
func FacetOf(name string) (Facet, bool) {
	for f := range NumFacets {
		if Facets[f].Name == name {
			return f, true
		}
	}
	return 0, false
}

// Counts tells whether a view of a site is counted under a name, as a raw row has
// it: a referrer that is the site itself is a way within it, and where not every
// view has a name, no name is none.
func (f Facet) Counts(site, name []byte) bool {
	switch {
	case f == Referrer:
		return string(name) != string(site)
	case Facets[f].Every:
		return true
	}
	return len(name) > 0
}

// FacetName is the hit's name of a facet, as a raw row has it.
func (h *Hit) FacetName(f Facet) string {
	switch {
	case f == Referrer:
		return h.Referrer
	case f == Hour:
		return HourName(int(h.Minute) / 60)
	case h.Facets[f] == nil:
		return ""
	}
	return h.Facets[f].Name()
}

// Field is what views of people with a name are counted under in a hash of a day.
func (f Facet) Field(name string) string { return string(Facets[f].Letter) + name }

// BotField turns the field of people into that of bots.
func BotField(field string) string { return string(field[0]-'a'+'A') + field[1:] }

// FieldOf takes a field apart; false: it is of no facet that is known.
func FieldOf(field string) (f Facet, name string, bots, ok bool) {
	if field == "" {
		return 0, "", false, false
	}
	letter := field[0]
	if bots = letter >= 'A' && letter <= 'Z'; bots {
		letter += 'a' - 'A'
	}
	for f := range NumFacets {
		if Facets[f].Letter == letter {
			return f, field[1:], bots, true
		}
	}
	return 0, "", false, false
}

// HourName is the name of an hour of the day in Hour.
func HourName(hour int) string { return hourNames[2*hour : 2*hour+2] }

const hourNames = "000102030405060708091011121314151617181920212223"

// Value is a name of a facet as a parser keeps it. Two hits with the same Value have
// the same name; the other way round that need not be.
type Value struct {
	Facet Facet
	Field string // see Facet.Field
	// Note and About are as in Known.
	Note  any
	About uint64
}

// Name is the name without what tells its facet.
func (v *Value) Name() string { return v.Field[1:] }

func (v *Value) String() string { return Facets[v.Facet].Name + ":" + v.Name() }

// NewValue makes a name of a facet.
func NewValue(f Facet, name string) *Value { return &Value{Facet: f, Field: f.Field(name)} }
