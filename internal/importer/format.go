package importer

import (
	"bufio"
	"context"
	"fmt"
	"io"

	"ddkk-stats/parser"
)

// detectLines is how many lines tell a format, if one of them can be read.
const detectLines = 100

// WrongFormatError says that a log is not of the format it should be.
type WrongFormatError struct {
	Name    string
	Want    string // "v1, combined or json" when none was given
	Looks   string // what it is; "" for none that is known
	Line    int    // the first line that does not fit
	Reason  string
	Excerpt string
}

func (e *WrongFormatError) Error() string {
	text := fmt.Sprintf("%s does not read as %s: line %d (%s) is %q", e.Name, e.Want, e.Line, e.Reason, e.Excerpt)
	if e.Looks != "" {
		return text + "; it looks like " + e.Looks + ": use --format=" + e.Looks
	}
	return text
}

// reading is how the lines read in one format.
type reading struct {
	format  parser.Format
	parser  *parser.Parser
	lines   int    // that can be read
	bad     int    // number of the first that cannot
	reason  string // why
	excerpt string // its beginning
}

// Format finds the format in which most of the first lines can be read, or the
// first at all where none of those can. A format that is wanted is believed as soon
// as one line of the log can be read in it, wherever that stands. parsers makes a
// parser of a format.
func (f *File) Format(ctx context.Context, want *parser.Format, parsers func(parser.Format) (*parser.Parser, error)) (parser.Format, error) {
	var all []*reading
	for _, format := range []parser.Format{parser.FormatV1, parser.FormatCombined, parser.FormatJSON} {
		p, err := parsers(format)
		if err != nil {
			return 0, err
		}
		all = append(all, &reading{format: format, parser: p})
	}
	r, err := f.content(ctx, 0)
	if err != nil {
		return 0, err
	}
	in := bufio.NewReaderSize(r, readAhead)
	first := parser.FormatV1 // what the first line looks like
	for number := 1; ; number++ {
		line, complete, _, err := readLine(in, io.Discard)
		if err != nil {
			return 0, f.damaged(err)
		}
		if !complete {
			break
		}
		if number == 1 {
			first = parser.Detect(line)
		}
		for _, x := range all {
			if want == nil || *want == x.format || number <= detectLines {
				x.line(line, number)
			}
		}
		if want != nil && all[*want].lines > 0 {
			return *want, nil
		}
		if want == nil && number >= detectLines && most(all).lines > 0 {
			break
		}
	}
	best := most(all)
	if want == nil && best.lines > 0 {
		return best.format, nil
	}
	wrong := &WrongFormatError{Name: f.name, Want: "v1, combined or json"}
	if want != nil {
		wrong.Want, first = want.String(), *want
	}
	if best.lines > 0 {
		wrong.Looks = best.format.String()
	}
	x := all[first]
	if x.bad == 0 {
		return 0, &NothingError{f.name, "has no complete line yet"}
	}
	wrong.Line, wrong.Reason, wrong.Excerpt = x.bad, x.reason, x.excerpt
	return 0, wrong
}

func most(all []*reading) *reading {
	best := all[0]
	for _, x := range all {
		if x.lines > best.lines {
			best = x
		}
	}
	return best
}

// line reads one line. Bytes of a scanner where the request should be are no sign
// of another format, but an object without a request may be any program's.
func (x *reading) line(line []byte, number int) {
	var h parser.Hit
	reason := parser.BadLength
	if line != nil {
		x.parser.Parse(line, &h)
		if h.Kind != parser.Malformed || h.Reason == parser.BadRequest && x.format != parser.FormatJSON {
			x.lines++
			return
		}
		reason = h.Reason
	}
	if x.bad == 0 {
		x.bad, x.reason, x.excerpt = number, reason.String(), string(line[:min(len(line), 80)])
	}
}
