package parser

import "net/netip"

// Kind says what a line became.
type Kind uint8

const (
	// Pageview is a hit that counts as a view of a page.
	Pageview Kind = iota
	// Event is a hit with a category.
	Event
	// Skipped is a well-formed line that must not count; Hit.Reason says why.
	Skipped
	// Malformed is a line that is not a record of the format; Hit.Reason says why.
	Malformed
	// APICall is a request of a site's own access log; see CallRules.
	APICall
)

// Reason says why a line was skipped or is malformed. Its String is the
// value of the metrics' label and is relied upon from outside.
type Reason uint8

const (
	ReasonNone Reason = iota

	SkipMethod   // not GET
	SkipStatus   // not 200, 204 or 304
	SkipPath     // a beacon log's line that is not the beacon; a site log's that is
	SkipPrefetch // Sec-Purpose: prefetch or prerender
	SkipSite     // not in SITES, or no site could be told
	SkipReferer  // the Referer's host is not the site's
	SkipBlocked  // blocked address, network or path
	SkipSelf     // the owner's own view
	SkipUnsigned // no signature of one of the keys (BEACON_KEY)
	SkipLog      // a beacon's view of a site whose views are those of its own log (LOG_VIEWS)
	SkipComment  // a line of the log's own head, such as "#Version: 1.0" of IIS
	SkipVoid     // taken out of the numbers by a rule that can be undone
	SkipDeleted  // deleted: by a rule, or erased in the log already

	BadVersion // the first field is not the format's
	BadEnd     // torn: the end mark is missing
	BadFields  // too few or too many fields (two lines glued together)
	BadTime    // no time, or out of range
	BadAddr    // what stands for the client is neither an address nor a name: parts of two
	BadEscape  // an escape sequence that the writer cannot have written
	BadBytes   // bytes that the writer cannot have written (NUL, binary)
	BadLength  // longer than the limit of a line (64 KiB)
	BadSyntax  // foreign formats: not this format at all
	BadEmpty   // nothing between two newlines
	BadRequest // bytes of something else than HTTP, or nothing, where the request is

	NumReasons
)

// Device is what the visitor used, as told by the user agent.
type Device uint8

const (
	PC Device = iota
	Mobile
)

// Day is a calendar day in the configured zone as the number YYYYMMDD.
type Day int32

// Visitor is the 128-bit keyed hash of (day's salt, address, user agent,
// site). The zero value means "not to be told" (GPC, or a line without the
// client's address), which counts no UV.
type Visitor [16]byte

// Hit is one parsed line. Byte slices point into the parser's buffers or into
// the line and are valid until the next call of Parse; strings are interned
// and may be kept.
type Hit struct {
	Kind   Kind
	Reason Reason

	Time   int64 // milliseconds since the Unix epoch
	Day    Day
	Minute int16 // minutes since midnight, as the zone's clocks show them

	Site string // normalised host, interned
	Page []byte // normalised path, at most MaxPage bytes

	// Known is the same for hits of one page that comes often, nil for others.
	Known *Known

	// Referrer is the site whose page led to this one: Site itself for a way
	// within the site or where referrers are not counted, empty when there is none or
	// it is not known. Interned.
	Referrer string

	// Facets are the names that a view is counted by, nil where it has none or a facet
	// is not looked at. A way within the site has no Referrer there.
	Facets [Hour]*Value

	Visitor Visitor
	// Terms are who looked at a page in this week and in this month, as far as Config.Uniques
	// has them told: the zero value where it has not, and of bots and events.
	Terms  [NumTerms]Visitor
	Bot    bool
	Device Device

	// ViewID is the beacon's id, empty when the page sent none.
	ViewID []byte
	// UID is the application's own user, empty when the page sent none.
	UID []byte

	// The four levels of an event, decoded, not escaped. Category is never
	// empty for an Event; the levels after the first empty one are empty.
	Category, Action, Label, Value []byte

	// Of an APICall: method and pattern such as "GET /users/:id", at most
	// MaxEndpoint bytes; whether the pattern is one of CallRules.Routes; whether
	// the status is that of a failure; and who called, empty when not known.
	Endpoint []byte
	Routed   bool
	Failed   bool
	User     []byte
	// Request is what the request is beside that; nil for others than an APICall. It is
	// valid until the next call of Parse.
	Request *Request

	Addr      netip.Addr // client address, v4-in-v6 unmapped, full length; not valid where the line names none
	UserAgent []byte     // decoded
	Referer   []byte     // decoded
	RequestID []byte     // empty in foreign formats

	// The request itself, for API-call series and import rules.
	Method      []byte
	URI         []byte  // decoded from the log's escaping, not from percent-encoding
	RemoteUser  []byte  // empty when "-"
	Status      int     // 0 where there was no answer
	RequestTime float64 // seconds; negative when the format has none
	BytesSent   int64   // 0 where it is not known
}
