package keys

import "time"

// How long the keys of a period live. The period is in the key's name, so
// nothing has to be reset when it ends.
const (
	DayTTL        = 90 * 24 * time.Hour // per-day totals and events, after the day ends
	HotDayTTL     = 2 * 24 * time.Hour  // after the day ends
	HotWeekTTL    = 8 * 24 * time.Hour  // after the week ends
	HotMonthTTL   = 32 * 24 * time.Hour // after the month ends
	MinutesTTL    = 2 * 24 * time.Hour  // after the day ends
	FacetTTL      = 8 * 24 * time.Hour  // after the day ends; older days are the archive's
	CallMinuteTTL = 7 * 24 * time.Hour  // after the minute
	CallHourTTL   = 30 * 24 * time.Hour // after the hour
	CallDayTTL    = 365 * 24 * time.Hour

	RequestTTL      = DayTTL             // after the day ends
	RequestNamesTTL = 2 * 24 * time.Hour // after the day ends; how many there were is the archive's
)

// A period of calls is named by its digits: YYYYMMDD, and HH, and MM.
const (
	CallMinuteLayout = "200601021504"
	CallHourLayout   = "2006010215"
	CallDayLayout    = "20060102"
)

// Family is a kind of key.
type Family uint8

const (
	Sites Family = iota
	Secret
	Segments
	Held
	Rebuilds
	Uniques
	Rebuild
	Checkpoint
	SitePV
	SiteUV
	SitePVDay
	SiteUVDay
	Visitors
	Books
	Minutes
	Facets
	Pairs
	TermVisitors
	TermPairs
	PagePV
	PageUV
	PageBots
	PageBotsDay
	Online
	HotDay
	HotWeek
	HotMonth
	HotAll
	Events
	SeenID
	SeenWindow
	BasePV
	BaseUV
	BasePagePV
	BasePageUV
	CallsMinute
	CallsHour
	CallsDay
	LatencyHour
	LatencyDay
	Requests
	RequestNames
	Pending
	Made
	FacetsPending
	MirrorState
	MirrorDue
	MirrorSink
	MirrorPV
	MirrorBots
	MirrorTake
	families
)

// Holds tells what a key has to do with counting.
type Holds uint8

const (
	// Apart is what counting does not make: it outlives a rebuild.
	Apart Holds = iota
	// Counts are numbers that were counted; a rebuild makes them anew, verify
	// compares each.
	Counts
	// Notes are what counting remembers beside its numbers, such as who was
	// seen; a rebuild makes them anew.
	Notes
)

// Spec says what the keys of a family are.
type Spec struct {
	// Pattern is the name behind the prefix. S is the site, D a day (YYYYMMDD), N
	// a whole number, PAGE a page, which may be any bytes; GGGGWVV is an ISO week, T
	// that or a month,
	// and YYYYMM, YYYYMMDDHH, YYYYMMDDHHMM are digits.
	Pattern string
	Type    string // as Redis calls it
	Life    string // how long such a key lives
	Holds   Holds
	Meaning string
}

// Table has every family of keys. No two of them can name the same key,
// whatever the sites and pages are called: a site ends by itself (see
// Keys.site), and Parse finds for a key the one family that made it.
// docs/design/redis.md shows this table, held to it by a test.
var Table = [families]Spec{
	Sites:      {"sites", "Set", "permanent", Apart, "all sites that ever counted"},
	Secret:     {"secret", "String", "permanent", Apart, "key of the visitor hash"},
	Segments:   {"segments", "Hash", "permanent", Apart, "segment -> when, by which log and how it begins and what stood before its offset: tells segments apart where `DATA_DIR` is lost"},
	Held:       {"held", "Hash", "permanent", Apart, "segment -> when, by Redis' clock, a daemon last said that it can read it again: what a rebuild may take away though it is not on this host"},
	Rebuilds:   {"rebuilds", "String", "permanent", Apart, "another one after every rebuild: daemons look at it once a second"},
	Uniques:    {"uniques", "String", "permanent", Apart, "the last `UNIQUES` that a daemon was started with"},
	Rebuild:    {"rebuild:S", "String", "15 s, renewed", Apart, "lock of a rebuild"},
	Checkpoint: {"ckpt:S", "Hash", "permanent", Apart, "segment -> offset, and `epoch`, `layout`, `fold` and `facets` (versions of folding), `begun` and `done` (scripts begun and ended), `lost` (keys that were found gone), `behind` (rebuilt, and the log is not counted again yet)"},

	SitePV:    {"site:pv:S", "String", "permanent", Counts, "views of people"},
	SiteUV:    {"site:uv:S", "String", "permanent", Counts, "visitors: the sum of the days' visitors"},
	SitePVDay: {"site:pv:S:D", "String", "90 days", Counts, "views of a day"},
	SiteUVDay: {"site:uv:S:D", "String", "90 days", Counts, "visitors of a day"},
	Visitors:  {"site:uv:set:S:D", "Set", "`UV_SET_TTL`", Notes, "visitors of a day, 16 bytes each"},
	Books:     {"site:books:S:D", "Hash", "90 days", Counts, "`bot`, `bot_events`, `events`, `pc`, `mobile`, `dedup`"},
	Minutes:   {"site:minutes:S:D", "Hash", "2 days after the day ends", Counts, "views by minute: `0000` to `2359` of people, `b0000` to `b2359` of bots"},
	Facets:    {"facet:S:D", "Hash", "8 days after the day ends", Counts, "views by facet: the facet's letter and a name -> views of people, the capital letter and the name -> views of bots; `r` referrer (no name: none, or not known), `h` hour; names over a facet's cap are `__other__`"},

	PagePV:      {"page:pv:S:PAGE", "String", "permanent", Counts, "views of a page"},
	PageUV:      {"page:uv:S:PAGE", "String", "permanent", Counts, "visitors of a page"},
	PageBots:    {"page:bot:S", "Hash", "permanent", Counts, "page -> views of bots"},
	PageBotsDay: {"page:bot:S:D", "Hash", "2 days after the day ends", Counts, "the same of a day; also tells which pages keep a name of their own"},
	Pairs:       {"page:pairs:S:D", "String", "`UV_SET_TTL`", Notes, "(visitor, page) and (visitor, event) pairs of a day, 8 bytes each, packed"},

	TermVisitors: {"uniques:uv:S:T", "Hash", "`UV_SET_TTL` after the week or month ends", Counts, "visitors of a week (`2026W48`) or a month (`202611`), see `UNIQUES`: `s` of the site, `p` and a page of that page; `i`: it began before it was counted"},
	TermPairs:    {"uniques:pairs:S:T", "String", "`UV_SET_TTL` after the week or month ends", Notes, "its visitors and (visitor, page) pairs, 8 bytes each, packed"},

	Online:   {"online:S", "Sorted set", "5 minutes", Notes, "visitor -> last seen, in Unix seconds"},
	HotDay:   {"hot:S:day:D", "Sorted set", "2 days after the day ends", Counts, "page -> views of a day"},
	HotWeek:  {"hot:S:week:GGGGWVV", "Sorted set", "8 days after the week ends", Counts, "page -> views of an ISO week"},
	HotMonth: {"hot:S:month:YYYYMM", "Sorted set", "32 days after the month ends", Counts, "page -> views of a month"},
	HotAll:   {"hot:S:all", "Sorted set", "permanent", Counts, "page -> views"},
	Events:   {"event:S:D", "Hash", "90 days", Counts, "event key -> views, event key + `\\|uv` -> visitors"},

	SeenID:     {"seen:id:S:N", "String", "the longer of `UV_SET_TTL` and three windows, from its first entry on", Notes, "view ids that time bucket N had: packed entries of 12 bytes"},
	SeenWindow: {"seen:window:S:N", "String", "the longer of `UV_SET_TTL` and three windows, from its first entry on", Notes, "what `DEDUPE_WINDOW` remembers of time bucket N, packed alike"},

	BasePV:     {"base:pv:S", "String", "permanent", Apart, "views that an earlier counter had, added by reads"},
	BaseUV:     {"base:uv:S", "String", "permanent", Apart, "its visitors"},
	BasePagePV: {"base:page:pv:S:PAGE", "String", "permanent", Apart, "its views of a page"},
	BasePageUV: {"base:page:uv:S:PAGE", "String", "permanent", Apart, "its visitors of a page"},

	CallsMinute: {"api:S:minute:YYYYMMDDHHMM", "Hash", "7 days", Counts, "API calls of a minute: `total`, `failed`, `ms`"},
	CallsHour:   {"api:S:hour:YYYYMMDDHH", "Hash", "30 days", Counts, "the same of an hour, and `endpoint:E`, `failed:E`, `ms:E`, `status:NNN`, `user:U`"},
	CallsDay:    {"api:S:day:D", "Hash", "365 days", Counts, "the same of a day"},
	LatencyHour: {"api:S:hour:YYYYMMDDHH:latency", "Hash", "30 days", Counts, "calls of an hour by bucket of `$request_time`: `BUCKET`"},
	LatencyDay:  {"api:S:day:D:latency", "Hash", "365 days", Counts, "the same of a day, and `BUCKET:E`"},

	Requests:     {"requests:S:D", "Hash", "90 days", Counts, "requests of a site's own log by series: `request:PART:KIND`, `crawler:PART:NAME`, `notfound:count:PATH REFERRER`, `download:PART:PATH`"},
	RequestNames: {"requests:names:S:D", "Hash", "2 days after the day ends", Counts, "the same of series whose names tell visitors apart: `feed:count:READER PATH`, `reader:count:VISITOR`"},

	Pending:       {"pending:S", "List", "until folded", Notes, "packed page changes"},
	FacetsPending: {"facets:S", "List", "until folded, 30 s at most", Notes, "packed changes of facets"},

	Made: {"made:S", "Hash", "permanent", Notes, "which keys must be there: period -> a letter for each that was written (see keys/made.go); `pages`: the sum of all pages' visitors; `epoch`: the life that this is of"},

	MirrorState: {"mirror:state:S", "Hash", "permanent", Notes, "the mirror's `epoch`, `life`, `phase`, `seq`, `ids`, and `open:N` -> nonce of takes"},
	MirrorDue:   {"mirror:due:S", "Set", "permanent", Notes, "pages that changed since they were taken, and the empty name"},
	MirrorSink:  {"mirror:sink:S", "Set", "permanent", Notes, "pages that changed since the search index acknowledged them, and the empty name"},
	MirrorPV:    {"mirror:pv:S", "Hash", "permanent", Notes, "page -> total that was taken, and the empty name"},
	MirrorBots:  {"mirror:bot:S", "Hash", "permanent", Notes, "the same of bots"},
	MirrorTake:  {"mirror:take:S:N", "Hash", "until it is in SQL", Notes, "`0` or `1` (bots) and the page -> change"},
}
