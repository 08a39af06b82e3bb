package parser

import "strings"

// RequestSeries is something that the requests of a site and day are counted by. All of
// them are counted, kept, archived, restored and verified by one mechanism, that of
// calls: sums of a day, each with a name.
type RequestSeries uint8

// The series.
const (
	RequestsByKind RequestSeries = iota
	RequestsByCrawler
	RequestsNotFound
	RequestsDownloaded
	RequestsOfFeeds
	RequestsOfReaders
	RequestsOfPages

	NumRequestSeries
)

// RequestSpec is all that counting, Redis, the archive, verifying and the API know of a
// series.
type RequestSpec struct {
	Name CallDimension // in SQL, and what fields in Redis begin with
	Cap  int           // subjects of a site and day; those that come later are OtherPage
	// Brief: the names tell visitors apart, so they are kept as long as those are told
	// apart, and then only how many there were.
	Brief bool
}

// RequestTable is the table that all follows from.
var RequestTable = [NumRequestSeries]RequestSpec{
	RequestsByKind:     {Name: "request", Cap: int(NumRequestKinds) + 1},
	RequestsByCrawler:  {Name: "crawler", Cap: 500},
	RequestsNotFound:   {Name: "notfound", Cap: 1000},
	RequestsDownloaded: {Name: "download", Cap: 1000},
	RequestsOfFeeds:    {Name: "feed", Cap: 5000, Brief: true},
	RequestsOfReaders:  {Name: "reader", Cap: 50_000, Brief: true},
	RequestsOfPages:    {Name: "reading", Cap: 50_000, Brief: true}, // by reader and page
}

// Spec is the series' row of the table.
func (s RequestSeries) Spec() *RequestSpec { return &RequestTable[s] }

// RequestSeriesOf finds a series by its name; false: it is a dimension of calls.
func RequestSeriesOf(d CallDimension) (RequestSeries, bool) {
	for s := range NumRequestSeries {
		if RequestTable[s].Name == d {
			return s, true
		}
	}
	return 0, false
}

// The parts of a subject that are counted.
const (
	PartPeople   = "people" // requests of people
	PartCrawlers = "crawlers"
	PartBytes    = "bytes"
	PartCount    = "count" // all requests; of kinds: of AllRequests alone
	PartPages    = "pages"
	PartRobots   = "robots" // requests for robots.txt
	// Of feeds and readers whose names are kept no more: how many there were.
	PartReaders     = "readers"
	PartSubscribers = "subscribers"
	PartBlocked     = "blocked"
)

// AllRequests is the subject of all kinds.
const AllRequests = "all"

// RequestCount is what a request adds to one sum of its day.
type RequestCount struct {
	Series  RequestSeries
	Part    string
	Subject []byte // valid until the next line is parsed
	N       int64
}

// CutReading takes the subject of a sum of RequestsOfPages apart.
func CutReading(subject string) (reader Visitor, page string, err error) {
	who, page, _ := strings.Cut(subject, " ")
	reader, err = ParseVisitor(who)
	return reader, page, err
}

// Readership are the people who got a page, and those of them who sent no beacon that day.
type Readership struct{ Readers, Blocked int64 }

// AppendSum appends the name of a sum: its part and its subject.
func AppendSum(b []byte, part string, subject []byte) []byte {
	return append(append(append(b, part...), ':'), subject...)
}

// CutSum is the reverse of AppendSum.
func CutSum(name string) (part, subject string) {
	part, subject, _ = strings.Cut(name, ":")
	return part, subject
}

// RequestField is the field of a hash with a sum.
func RequestField(s RequestSeries, sum string) string { return string(s.Spec().Name) + ":" + sum }

// RequestFieldOf is the reverse of RequestField; false: it is of no series that is known.
func RequestFieldOf(field string) (s RequestSeries, sum string, ok bool) {
	name, sum, _ := strings.Cut(field, ":")
	s, ok = RequestSeriesOf(CallDimension(name))
	return s, sum, ok
}

// statusClasses are parts of crawlers.
var statusClasses = [...]string{"other", "1xx", "2xx", "3xx", "4xx", "5xx"}

// StatusClasses are all parts that StatusClass gives.
func StatusClasses() []string { return statusClasses[:] }

// StatusClass is the class of a status, as "2xx"; what is none is "other".
func StatusClass(status int) string {
	if status < 100 || status > 599 {
		return statusClasses[0]
	}
	return statusClasses[status/100]
}

// AppendRequestCounts appends all that a call counts as a request. Sums of bytes are
// left out where there are none.
func AppendRequestCounts(all []RequestCount, h *Hit, buf []byte) ([]RequestCount, []byte) {
	q := h.Request
	if q == nil {
		return all, buf
	}
	add := func(s RequestSeries, part string, subject []byte, n int64) {
		if n > 0 {
			all = append(all, RequestCount{s, part, subject, n})
		}
	}
	name := func(parts ...[]byte) []byte {
		from := len(buf)
		for i, p := range parts {
			if i > 0 {
				buf = append(buf, ' ')
			}
			buf = append(buf, p...)
		}
		return buf[from:len(buf):len(buf)]
	}
	kind, who := name([]byte(q.Kind.String())), PartPeople
	if q.Crawler != nil {
		who = PartCrawlers
	}
	add(RequestsByKind, PartCount, name([]byte(AllRequests)), 1)
	add(RequestsByKind, who, kind, 1)
	add(RequestsByKind, PartBytes, kind, h.BytesSent)
	if q.Crawler != nil {
		crawler := name([]byte(q.Crawler.Name))
		add(RequestsByCrawler, StatusClass(h.Status), crawler, 1)
		add(RequestsByCrawler, PartBytes, crawler, h.BytesSent)
		if q.Kind == RequestPage {
			add(RequestsByCrawler, PartPages, crawler, 1)
		}
		if q.Robots {
			add(RequestsByCrawler, PartRobots, crawler, 1)
		}
	}
	switch q.Kind {
	case RequestNotFound:
		add(RequestsNotFound, PartCount, name(q.Path, q.From), 1)
	case RequestDownload:
		add(RequestsDownloaded, PartCount, q.Path, 1)
		add(RequestsDownloaded, PartBytes, q.Path, h.BytesSent)
	case RequestFeed:
		if len(q.Reader) > 0 {
			add(RequestsOfFeeds, PartCount, name(q.Reader, q.Path), 1)
		} else {
			add(RequestsOfFeeds, PartCount, name(nil, q.Path), 1)
		}
	case RequestPage:
		if !q.Visitor.IsZero() {
			reader := name([]byte(q.Visitor.String()))
			add(RequestsOfReaders, PartCount, reader, 1)
			add(RequestsOfPages, PartCount, name(reader, q.Path), 1)
		}
	}
	return all, buf
}
