package parser

// Facet is something that the views of a site and day are counted by beside their
// pages: each view has at most one name of each.
type Facet uint8

// The facets. Their order is of no weight outside, but Hour is the last: its names
// are those of the clock, so that hits have no Value of it.
const (
	Referrer Facet = iota
	Country
	Browser
	OS
	DeviceType
	Language
	Screen
	Channel
	Campaign
	Hour
	NumFacets
)

// FacetSpec is all that counting, Redis, the archive, restoring, verifying and the
// API know of a facet.
type FacetSpec struct {
	Name   string // in SQL and in the API
	Letter byte   // lower case: what its fields begin with in Redis
	Cap    int    // names of a site and day; those that come later are OtherPage
	Bots   bool   // the views of bots are counted as well
	// Every view of a person has a name, whatever the settings are, so that they add
	// up to the day's views.
	Every bool
	// Some views have a name, and the others are not counted. Of other facets a view
	// whose name is not known counts under the empty one.
	Some bool
	// Shifts: names come from a file that is replaced now and then, so that a line
	// that is read again may have another one.
	Shifts   bool
	Visitors bool   // they are told apart, by name
	Column   string // of raw rows; empty: there is none, the time tells
	Width    int    // bytes of the column
}

// Facets is the table that all of them follow from.
var Facets = [NumFacets]FacetSpec{
	Referrer:   {Name: "referrer", Letter: 'r', Cap: 1000, Visitors: true, Column: "referrer", Width: 255},
	Country:    {Name: "country", Letter: 'c', Cap: 300, Shifts: true, Visitors: true, Column: "country", Width: 8},
	Browser:    {Name: "browser", Letter: 'b', Cap: 200, Visitors: true, Column: "browser", Width: 32},
	OS:         {Name: "os", Letter: 'o', Cap: 100, Visitors: true, Column: "os", Width: 32},
	DeviceType: {Name: "device", Letter: 'd', Cap: 20, Visitors: true, Column: "device_type", Width: 16},
	Language:   {Name: "language", Letter: 'l', Cap: 200, Visitors: true, Column: "language", Width: 8},
	Screen:     {Name: "screen", Letter: 's', Cap: 20, Some: true, Visitors: true, Column: "screen", Width: 16},
	Channel:    {Name: "channel", Letter: 'k', Cap: 20, Visitors: true, Column: "channel", Width: 16},
	Campaign:   {Name: "campaign", Letter: 'g', Cap: 1000, Some: true, Visitors: true, Column: "campaign", Width: 255},
	Hour:       {Name: "hour", Letter: 'h', Cap: 24, Bots: true, Every: true},
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
// it; known is false where the facet was not looked at. A referrer that is the site
// itself is a way within it.
func (f Facet) Counts(site, name []byte, known bool) bool {
	switch {
	case !known:
		return false
	case f == Referrer:
		return string(name) != string(site)
	}
	return len(name) > 0 || !Facets[f].Some
}

// FacetName is the hit's name of a facet, as a raw row has it; known is false where
// the facet was not looked at.
func (h *Hit) FacetName(f Facet) (name string, known bool) {
	switch {
	case f == Referrer:
		return h.Referrer, true
	case f == Hour:
		return HourName(int(h.Minute) / 60), true
	case h.Facets[f] == nil:
		return "", false
	}
	return h.Facets[f].Name(), true
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
	// Place is the caller's own, where it counts the name, and About tells what that is
	// good for. Both are zero at first, and the parser never looks at them.
	Place int
	About uint64
}

// Name is the name without what tells its facet.
func (v *Value) Name() string { return v.Field[1:] }

func (v *Value) String() string { return Facets[v.Facet].Name + ":" + v.Name() }

// NewValue makes a name of a facet.
func NewValue(f Facet, name string) *Value { return &Value{Facet: f, Field: f.Field(name)} }
