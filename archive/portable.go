package archive

import (
	"bytes"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"ddkk-stats/parser"
)

// What the archive has of a site is carried to another one as lines of JSON, each a row
// of a table. Bytes that are no text are {"hex":"..."}.

// portable is a table that is carried.
type portable struct {
	table   string
	columns []portableColumn // beside site and, of a day's table, date
	order   string
}

// portableColumn is a column; null: it may be NULL.
type portableColumn struct {
	name string
	kind portableKind
	null bool
}

type portableKind byte

const (
	portableInt   portableKind = iota
	portableBytes              // of {{bytes}}
	portableASCII              // of {{ascii}}, and dates
	portableKey                // of {{fixed}}
	portableTime               // ms
	portableSegment
)

func portableInts(names string) (all []portableColumn) {
	for name := range strings.FieldsSeq(names) {
		all = append(all, portableColumn{name: name})
	}
	return all
}

// portableDays are the tables of a day's sums.
var portableDays = []portable{
	{"daily_stats", portableInts("pv uv pv_pc pv_mobile pv_bot events events_bot"), "date"},
	{"page_stats", append([]portableColumn{{"page", portableBytes, false}}, portableInts("pv uv pv_bot")...), "page"},
	{"facet_stats", []portableColumn{{"facet", portableASCII, false}, {"name", portableBytes, false}, {name: "pv"}, {name: "pv_bot"}, {"uv", portableInt, true}}, "facet, name"},
	{"event_stats", append([]portableColumn{{"event_key", portableBytes, false}}, portableInts("pv uv")...), "event_key"},
}

// portableRows are raw rows.
var portableRows = portable{"access_logs", portableRowColumns(), "created_at, segment, end_offset"}

func portableRowColumns() (all []portableColumn) {
	kinds := map[string]portableKind{"user_hash": portableASCII, "ip": portableASCII, "potential_bot": portableInt, "device": portableInt,
		"created_at": portableTime, "view_key": portableKey, "window_key": portableKey, "segment": portableSegment, "end_offset": portableInt}
	null := map[string]bool{"view_key": true, "window_key": true}
	for t := range parser.NumTerms {
		kinds[termColumn(t)], null[termColumn(t)] = portableKey, true
	}
	for _, f := range facetsKept {
		null[f.Spec().Column] = f != parser.Referrer
	}
	for i := range columns {
		name := columns[i].name
		kind, ok := kinds[name]
		switch {
		case name == "site" || name == "date":
			continue
		case !ok:
			kind = portableBytes
		}
		all = append(all, portableColumn{name, kind, null[name]})
	}
	return all
}

// portableSite are the tables that are of no day, each of which comes whole, or stays as it
// is where there is something.
var portableSite = []portable{
	{"baselines", append([]portableColumn{{"source", portableBytes, false}, {"page", portableBytes, false}}, portableInts("pv uv")...), "source, page"},
	{"uniques", []portableColumn{{"period", portableASCII, false}, {"page", portableBytes, false}, {"uv", portableInt, true}}, "period, page"},
	{"api_days", []portableColumn{{"date", portableASCII, false}, {name: "raw"}}, "date"},
	{"api_daily", append([]portableColumn{{"date", portableASCII, false}, {"dimension", portableASCII, false}, {"name", portableBytes, false}}, portableInts("calls failed milliseconds")...), "date, dimension, name"},
	{"api_periods", append([]portableColumn{{"period", portableASCII, false}, {"dimension", portableASCII, false}, {"name", portableBytes, false}}, portableInts("calls failed milliseconds")...), "period, dimension, name"},
}

// portableOf finds a table.
func portableOf(table string) *portable {
	for _, all := range [][]portable{portableDays, portableSite} {
		for i := range all {
			if all[i].table == table {
				return &all[i]
			}
		}
	}
	if table == portableRows.table {
		return &portableRows
	}
	return nil
}

// selected is what is asked of the table: each column, and of those that may be NULL
// whether they are.
func (p *portable) selected() string {
	var names []string
	for _, c := range p.columns {
		switch {
		case !c.null:
			names = append(names, c.name)
		case c.kind == portableInt:
			names = append(names, "COALESCE("+c.name+", 0), CASE WHEN "+c.name+" IS NULL THEN 1 ELSE 0 END")
		default:
			names = append(names, "COALESCE("+c.name+", ''), CASE WHEN "+c.name+" IS NULL THEN 1 ELSE 0 END")
		}
	}
	return strings.Join(names, ", ")
}

// portableRow is a row that is read.
type portableRow struct {
	ints  []int64
	texts [][]byte
	null  []int64
}

func (p *portable) scan(s scanner, r *portableRow) error {
	n := len(p.columns)
	if r.ints == nil {
		r.ints, r.texts, r.null = make([]int64, n), make([][]byte, n), make([]int64, n)
	}
	into := make([]any, 0, 2*n)
	for i, c := range p.columns {
		if c.kind == portableInt || c.kind == portableSegment {
			into = append(into, &r.ints[i])
		} else {
			into = append(into, &r.texts[i])
		}
		if c.null {
			into = append(into, &r.null[i])
		}
	}
	return s.Scan(into...)
}

// append writes a row as a line. segments are the identities of those that raw rows are of.
func (p *portable) append(b []byte, r *portableRow, segments map[int64]string) ([]byte, error) {
	b = append(b, `{"table":"`...)
	b = append(append(b, p.table...), '"')
	for i, c := range p.columns {
		if c.null && r.null[i] == 1 {
			continue
		}
		b = append(append(append(b, `,"`...), c.name...), `":`...)
		switch c.kind {
		case portableInt:
			b = strconv.AppendInt(b, r.ints[i], 10)
		case portableSegment:
			id, ok := segments[r.ints[i]]
			if !ok {
				return b, fmt.Errorf("BUG: raw rows are of a segment %d that nobody knows", r.ints[i])
			}
			b = appendPortable(b, []byte(id))
		case portableKey:
			b = append(hex.AppendEncode(append(b, '"'), r.texts[i]), '"')
		case portableTime:
			ms, err := parseTime(string(r.texts[i]))
			if err != nil {
				return b, err
			}
			b = strconv.AppendInt(b, ms, 10)
		default:
			b = appendPortable(b, r.texts[i])
		}
	}
	return append(b, '}'), nil
}

func appendPortable(b, text []byte) []byte {
	if !utf8.Valid(text) {
		return append(hex.AppendEncode(append(b, `{"hex":"`...), text), `"}`...)
	}
	quoted, err := json.Marshal(string(text))
	if err != nil {
		panic(err) // a valid string has no error
	}
	return append(b, quoted...)
}

// portableText is a text that is read back.
type portableText []byte

func (t *portableText) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '{' {
		var x struct{ Hex string }
		if err := json.Unmarshal(b, &x); err != nil {
			return err
		}
		raw, err := hex.DecodeString(x.Hex)
		*t = raw
		return err
	}
	var s string
	err := json.Unmarshal(b, &s)
	*t = portableText(s)
	return err
}

// args are the values of a row's columns. A column that the line has not is NULL where it
// may be, else empty.
func (p *portable) args(d dialect, line map[string]json.RawMessage, segments map[string]int64) ([]any, error) {
	var args []any
	for _, c := range p.columns {
		v, err := c.arg(d, line[c.name], segments)
		if err != nil {
			return nil, fmt.Errorf("%s of %s: %w", c.name, p.table, err)
		}
		args = append(args, v)
	}
	return args, nil
}

func (c *portableColumn) arg(d dialect, raw json.RawMessage, segments map[string]int64) (any, error) {
	if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
		if c.null {
			return nil, nil
		}
		return nil, fmt.Errorf("is missing")
	}
	switch c.kind {
	case portableInt, portableTime:
		var n int64
		if err := json.Unmarshal(raw, &n); err != nil {
			return nil, err
		}
		if c.kind == portableTime {
			return timeText(n), nil
		}
		return n, nil
	}
	var t portableText
	if err := json.Unmarshal(raw, &t); err != nil {
		return nil, err
	}
	switch c.kind {
	case portableASCII:
		return string(t), nil
	case portableKey:
		key, err := hex.DecodeString(string(t))
		return key, err
	case portableSegment:
		return segments[string(t)], nil
	}
	return d.bytes(t), nil
}

// insert stores rows that are not there yet. fixed are the values of site and, of a day's
// table, date.
func (p *portable) insert(d dialect, table string, fixed []string, rows int) string {
	names := append([]string{}, fixed...)
	for _, c := range p.columns {
		names = append(names, c.name)
	}
	one := "(" + strings.TrimSuffix(strings.Repeat("?,", len(names)), ",") + ")"
	return "INSERT " + d.ignore() + " INTO " + table + " (" + strings.Join(names, ", ") + ") VALUES " + strings.TrimSuffix(strings.Repeat(one+",", rows), ",")
}

// eachPortable calls f for each row of a table that a condition is true of.
func eachPortable(rows *sql.Rows, p *portable, f func(*portableRow) error) (err error) {
	defer closeRows(rows, &err)
	var r portableRow
	for rows.Next() {
		if err := p.scan(rows, &r); err != nil {
			return fmt.Errorf("read %s: %w", p.table, err)
		}
		if err := f(&r); err != nil {
			return err
		}
	}
	return rows.Err()
}
