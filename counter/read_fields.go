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
	FieldHotToday                       // hot_pages_today
	FieldHotWeek                        // hot_pages_week
	FieldHotMonth                       // hot_pages_month
	FieldHotAll                         // hot_pages_all

	// ScalarFields are all that are one number.
	ScalarFields = FieldHotToday - 1
	// PageFields are those that need a page.
	PageFields = FieldPagePV | FieldPageUV
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
