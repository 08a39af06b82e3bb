package archive

import (
	"database/sql"
	"strings"

	"ddkk-stats/parser"
)

// column is one of a raw row. What is written, read and judged of raw rows is made of
// the one list of them.
type column struct {
	name string
	read string // as it is read; empty: by its name
	// append writes a line's value as text of LOAD DATA, arg as a statement's
	// argument, a copy.
	append func(e *encoder, b []byte, r *row) []byte
	arg    func(e *encoder, r *row, d dialect) any
	// texts tells of which texts the value is one that rows name by number; nil: none.
	texts func(*namedTexts) *texts
	// kept is where the value of a row is read into that is judged anew; again is the
	// value of the row that takes its place.
	kept  func(k *kept) any
	again func(k *kept, x *judgedRow, d dialect) any
}

// namedTexts are those that a statement names once.
type namedTexts struct{ agents, referers *texts }

// judgedRow is what the rules of now make of a raw row.
type judgedRow struct {
	hit *parser.Hit
	keys
}

// columns are those of access_logs, in any order.
var columns = append([]column{
	{name: "site",
		append: func(_ *encoder, b []byte, r *row) []byte { return appendEscaped(b, r.hit.Site) },
		arg:    func(_ *encoder, r *row, d dialect) any { return d.bytes([]byte(r.hit.Site)) },
		again:  func(_ *kept, x *judgedRow, d dialect) any { return d.bytes([]byte(x.hit.Site)) }},
	{name: "page",
		append: func(_ *encoder, b []byte, r *row) []byte { return appendEscaped(b, r.hit.Page) },
		arg:    func(_ *encoder, r *row, d dialect) any { return d.bytes(r.hit.Page) },
		kept:   func(k *kept) any { return &k.page },
		again:  func(_ *kept, x *judgedRow, d dialect) any { return d.bytes(x.hit.Page) }},
	{name: "user_hash",
		append: func(_ *encoder, b []byte, r *row) []byte { return appendHash(b, r.hit.Visitor) },
		arg:    func(_ *encoder, r *row, _ dialect) any { return string(appendHash(nil, r.hit.Visitor)) },
		kept:   func(k *kept) any { return &k.hash },
		again:  func(_ *kept, x *judgedRow, _ dialect) any { return string(appendHash(nil, x.hit.Visitor)) }},
	{name: "ip",
		append: func(e *encoder, b []byte, r *row) []byte { return appendIP(b, r.hit.Addr, e.ip) },
		arg:    func(e *encoder, r *row, _ dialect) any { return string(appendIP(nil, r.hit.Addr, e.ip)) },
		kept:   func(k *kept) any { return &k.ip },
		again:  func(k *kept, _ *judgedRow, _ dialect) any { return string(k.ip) }},
	{name: "user_agent", texts: func(t *namedTexts) *texts { return t.agents },
		append: func(_ *encoder, b []byte, r *row) []byte { return append(b, cut(r.hit.UserAgent, maxAgent)...) },
		arg:    func(_ *encoder, r *row, d dialect) any { return d.bytes(cut(r.hit.UserAgent, maxAgent)) },
		kept:   func(k *kept) any { return &k.agent },
		again:  func(k *kept, _ *judgedRow, d dialect) any { return d.bytes(k.agent) }},
	{name: "potential_bot",
		append: func(_ *encoder, b []byte, r *row) []byte { return append(b, flag(r.hit.Bot)) },
		arg:    func(_ *encoder, r *row, _ dialect) any { return int64(flag(r.hit.Bot) - '0') },
		kept:   func(k *kept) any { return &k.bot },
		again:  func(_ *kept, x *judgedRow, _ dialect) any { return int64(flag(x.hit.Bot) - '0') }},
	{name: "created_at",
		append: func(e *encoder, b []byte, r *row) []byte { return e.clock.append(b, r.hit.Time) },
		arg:    func(e *encoder, r *row, _ dialect) any { return string(e.clock.append(nil, r.hit.Time)) },
		kept:   func(k *kept) any { return &k.at },
		again:  func(k *kept, _ *judgedRow, _ dialect) any { return string(k.at) }},
	{name: "date",
		append: func(e *encoder, b []byte, r *row) []byte { return append(b, e.dateOf(r.hit.Day)...) },
		arg:    func(e *encoder, r *row, _ dialect) any { return string(e.dateOf(r.hit.Day)) },
		again:  func(_ *kept, x *judgedRow, _ dialect) any { return dateText(x.hit.Day) }},
	{name: "event_key",
		append: func(_ *encoder, b []byte, r *row) []byte { return appendEscaped(b, r.eventKey) },
		arg:    func(_ *encoder, r *row, d dialect) any { return d.bytes(r.eventKey) },
		kept:   func(k *kept) any { return &k.event },
		again:  func(k *kept, _ *judgedRow, d dialect) any { return d.bytes(k.event) }},
	{name: "device",
		append: func(_ *encoder, b []byte, r *row) []byte { return append(b, '0'+byte(r.hit.Device)) },
		arg:    func(_ *encoder, r *row, _ dialect) any { return int64(r.hit.Device) },
		kept:   func(k *kept) any { return &k.device },
		again:  func(_ *kept, x *judgedRow, _ dialect) any { return int64(x.hit.Device) }},
	{name: "uid",
		append: func(_ *encoder, b []byte, r *row) []byte { return appendEscaped(b, cut(r.hit.UID, maxUID)) },
		arg:    func(_ *encoder, r *row, d dialect) any { return d.bytes(cut(r.hit.UID, maxUID)) },
		kept:   func(k *kept) any { return &k.uid },
		again:  func(k *kept, _ *judgedRow, d dialect) any { return d.bytes(k.uid) }},
	{name: "referer", texts: func(t *namedTexts) *texts { return t.referers },
		append: func(_ *encoder, b []byte, r *row) []byte { return append(b, cut(r.hit.Referer, maxReferer)...) },
		arg:    func(_ *encoder, r *row, d dialect) any { return d.bytes(cut(r.hit.Referer, maxReferer)) },
		kept:   func(k *kept) any { return &k.referer },
		again:  func(k *kept, _ *judgedRow, d dialect) any { return d.bytes(k.referer) }},
	{name: "view_key",
		append: func(_ *encoder, b []byte, r *row) []byte { return appendKey(b, r.viewKey, r.hasView) },
		arg:    func(_ *encoder, r *row, _ dialect) any { return keyArg(r.viewKey, r.hasView) },
		kept:   func(k *kept) any { return &k.view },
		again:  func(_ *kept, x *judgedRow, _ dialect) any { return keyArg(x.viewKey, x.hasView) }},
	{name: "window_key",
		append: func(_ *encoder, b []byte, r *row) []byte { return appendKey(b, r.windowKey, r.hasWindow) },
		arg:    func(_ *encoder, r *row, _ dialect) any { return keyArg(r.windowKey, r.hasWindow) },
		kept:   func(k *kept) any { return &k.window },
		again:  func(_ *kept, x *judgedRow, _ dialect) any { return keyArg(x.windowKey, x.hasWindow) }},
	{name: "segment",
		append: func(_ *encoder, b []byte, r *row) []byte { return appendInt(b, r.segment) },
		arg:    func(_ *encoder, r *row, _ dialect) any { return r.segment },
		kept:   func(k *kept) any { return &k.place.segment },
		again:  func(k *kept, _ *judgedRow, _ dialect) any { return k.place.segment }},
	{name: "end_offset",
		append: func(_ *encoder, b []byte, r *row) []byte { return appendInt(b, r.end) },
		arg:    func(_ *encoder, r *row, _ dialect) any { return r.end },
		kept:   func(k *kept) any { return &k.place.end },
		again:  func(k *kept, _ *judgedRow, _ dialect) any { return k.place.end }},
	{name: "network", read: "COALESCE(network, 0)",
		append: func(_ *encoder, b []byte, r *row) []byte { return appendInt(b, int64(parser.Network(r.hit.Addr))) },
		arg:    func(_ *encoder, r *row, _ dialect) any { return int64(parser.Network(r.hit.Addr)) },
		kept:   func(k *kept) any { return &k.network },
		again:  func(k *kept, _ *judgedRow, _ dialect) any { return k.network }},
}, append(facetColumns(), termColumns()...)...)

// facetsKept are the facets that raw rows have a column of.
var facetsKept = func() (all []parser.Facet) {
	for f := range parser.NumFacets {
		if f.Spec().Column != "" {
			all = append(all, f)
		}
	}
	return all
}()

func facetColumns() (all []column) {
	for _, f := range facetsKept {
		arg := func(h *parser.Hit, d dialect) any {
			name, known := facetColumn(h, f)
			if !known {
				return nil
			}
			return d.bytes([]byte(name))
		}
		all = append(all, column{name: f.Spec().Column, read: readFacet(f),
			append: func(_ *encoder, b []byte, r *row) []byte {
				name, known := facetColumn(r.hit, f)
				if !known {
					return append(b, '\\', 'N')
				}
				return appendEscaped(b, name)
			},
			arg:   func(_ *encoder, r *row, d dialect) any { return arg(r.hit, d) },
			kept:  func(k *kept) any { return &k.facets[f] },
			again: func(_ *kept, x *judgedRow, d dialect) any { return arg(x.hit, d) }})
	}
	return all
}

// facetColumn is a hit's value in the column of a facet; not known: NULL.
func facetColumn(h *parser.Hit, f parser.Facet) (name string, known bool) {
	name, known = h.FacetName(f)
	return cut(name, f.Spec().Width), known
}

// readFacet reads the column of a facet. NULL, which drivers do not tell from an empty
// text everywhere, is read as a byte that no name has.
func readFacet(f parser.Facet) string {
	if f == parser.Referrer { // older than the others, and never NULL
		return f.Spec().Column
	}
	return "COALESCE(" + f.Spec().Column + ", CHAR(" + notKnown + "))"
}

const notKnown = "1"

// facetRead is a name as readFacet gave it.
func facetRead(text []byte) (name []byte, known bool) {
	return text, len(text) != 1 || text[0] != 1
}

// columnList names all columns; own says what stands for one whose texts are named.
func columnList(own func(c *column) string) string {
	names := make([]string, len(columns))
	for i := range columns {
		c := &columns[i]
		if names[i] = c.name; c.texts != nil && own != nil {
			names[i] = own(c)
		}
	}
	return strings.Join(names, ", ")
}

var (
	// rowColumns are all columns.
	rowColumns = columnList(nil)
	// partColumns are rowColumns, with variables where assignments have a say.
	partColumns = columnList(func(c *column) string { return "@" + c.name + ", @own_" + c.name })
	// keptColumns are those that judging a raw row anew asks for.
	keptColumns = func() string {
		var names []string
		for i := range columns {
			if c := &columns[i]; c.kept != nil && c.read != "" {
				names = append(names, c.read)
			} else if c.kept != nil {
				names = append(names, c.name)
			}
		}
		return strings.Join(names, ", ")
	}()
	// facetList reads the columns of facets, each after a comma.
	facetList = func() (list string) {
		for _, f := range facetsKept {
			list += ", " + readFacet(f)
		}
		return list
	}()
)

// into is where keptColumns are read into.
func (k *kept) into() (into []any) {
	for i := range columns {
		if columns[i].kept != nil {
			into = append(into, columns[i].kept(k))
		}
	}
	return into
}

// facetValues are the columns of facets of one row, by facetsKept.
type facetValues [parser.NumFacets]sql.RawBytes

func (v *facetValues) into() (into []any) {
	for _, f := range facetsKept {
		into = append(into, &v[f])
	}
	return into
}
