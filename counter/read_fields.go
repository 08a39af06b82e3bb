package counter

// Fields is a set of numbers to read.
type Fields uint16

// The numbers that can be read, scalars first. The names behind them are the
// ones of the HTTP API.
const (
	FieldSitePV      Fields = 1 << iota // site_pv
	FieldSiteUV                         // site_uv
	FieldSitePVToday                    // site_pv_today
	FieldSiteUVToday                    // site_uv_today
	FieldPagePV                         // page_pv
	FieldPageUV                         // page_uv
	FieldSiteOnline                     // site_online
	FieldSiteUVWeek                     // site_uv_week
	FieldSiteUVMonth                    // site_uv_month
	FieldPageUVWeek                     // page_uv_week
	FieldPageUVMonth                    // page_uv_month
	FieldHotToday                       // hot_pages_today
	FieldHotWeek                        // hot_pages_week
	FieldHotMonth                       // hot_pages_month
	FieldHotAll                         // hot_pages_all

	// ScalarFields are all that are one number.
	ScalarFields = FieldHotToday - 1
	// PageFields are those that need a page.
	PageFields = FieldPagePV | FieldPageUV | FieldPageUVWeek | FieldPageUVMonth
	// TermFields are visitors of a week and of a month: -1 where they are not counted, see
	// UNIQUES, or the week or month began before they were.
	TermFields = FieldSiteUVWeek | FieldSiteUVMonth | FieldPageUVWeek | FieldPageUVMonth
	// lastingFields are the other scalars.
	lastingFields = ScalarFields &^ TermFields
)

// Period is the span of a hot list.
type Period uint8

// The periods, in the order of Answer.Hot.
const (
	Today Period = iota
	Week         // ISO 8601 week
	Month
	AllTime
	NumPeriods
)

// Field is the field of the period's hot list.
func (p Period) Field() Fields { return FieldHotToday << p }

// String is the period's name in the HTTP API.
func (p Period) String() string {
	switch p {
	case Today:
		return "today"
	case Week:
		return "week"
	case Month:
		return "month"
	case AllTime:
		return "all"
	}
	return "unknown"
}

// ParsePeriod is the inverse of Period.String; ok is false for other names.
func ParsePeriod(name string) (p Period, ok bool) {
	for p = range NumPeriods {
		if p.String() == name {
			return p, true
		}
	}
	return 0, false
}
