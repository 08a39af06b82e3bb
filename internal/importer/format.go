package importer

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"ddkk-stats/parser"
)

// detectLines is how many lines tell a format, if one of them can be read.
const detectLines = 100

// WrongFormatError says that a log is not of the format it should be.
type WrongFormatError struct {
	Name    string
	Want    string // what was tried when none was given
	Looks   string // what it is; "" for none that is known
	Line    int    // the first line that does not fit
	Reason  string
	Excerpt string
}

func (e *WrongFormatError) Error() string {
	text := fmt.Sprintf("%s does not read as %s: line %d (%s) is %q", e.Name, e.Want, e.Line, e.Reason, e.Excerpt)
	if e.Looks != "" {
		return text + "; it looks like " + e.Looks + ": use --format=" + quoteFormat(e.Looks)
	}
	return text + "; give the server's own log_format or LogFormat with --format, or its configuration with --format-from=FILE:NAME"
}

// quoteFormat is a format as a shell takes it.
func quoteFormat(f string) string {
	if strings.ContainsAny(f, " $\"") {
		return "'" + strings.ReplaceAll(f, "'", `'\''`) + "'"
	}
	return f
}

// Likeness is how a log's first lines read in a format.
type Likeness struct {
	Format parser.Format
	Lines  int // that can be read
	Of     int // that were tried
	Line   int // the first that cannot; 0: none
	Reason string
	Hosts  int // of those that can, how many tell a host,
	Timed  int // and how many how long they took
}

// reading is how the lines read in one format.
type reading struct {
	format  parser.Format
	parser  *parser.Parser
	lines   int    // that can be read
	tried   int    // that were tried
	hosts   int    // that tell a host
	timed   int    // that tell how long they took
	bad     int    // number of the first that cannot
	reason  string // why
	excerpt string // its beginning
}

// Format finds the format in which most of the first lines can be read, or the
// first at all where none of those can. A format that is wanted is believed as soon
// as one line of the log can be read in it, wherever that stands. parsers makes a
// parser of a format.
func (f *File) Format(ctx context.Context, want *parser.Format, parsers func(parser.Format) (*parser.Parser, error)) (parser.Format, error) {
	all, err := f.readings(ctx, want, parsers)
	if err != nil {
		return "", err
	}
	best, first := most(all), all[0]
	if want == nil && best.lines > 0 {
		f.like = likenesses(all)
		return best.format, nil
	}
	wrong := &WrongFormatError{Name: f.name, Want: "v1, combined or json, nor as another format that has a name"}
	if want != nil {
		if first.lines > 0 {
			return *want, nil
		}
		wrong.Want = want.String()
	} else if i := slices.IndexFunc(all, func(r *reading) bool { return r.format == parser.Detect(f.firstLine()) }); i >= 0 {
		first = all[i]
	}
	if best.lines > 0 {
		wrong.Looks = best.format.String()
	}
	if first.bad == 0 {
		return "", &NothingError{f.name, "has no complete line yet"}
	}
	wrong.Line, wrong.Reason, wrong.Excerpt = first.bad, first.reason, first.excerpt
	return "", wrong
}

// Like says how the first lines read in each format that has a name, the best first.
func (f *File) Like(ctx context.Context, parsers func(parser.Format) (*parser.Parser, error)) ([]Likeness, error) {
	all, err := f.readings(ctx, nil, parsers)
	if err != nil {
		return nil, err
	}
	return likenesses(all), nil
}

func likenesses(all []*reading) []Likeness {
	slices.SortStableFunc(all, func(a, b *reading) int {
		switch {
		case a.better(b):
			return -1
		case b.better(a):
			return 1
		}
		return 0
	})
	var like []Likeness
	for _, r := range all {
		like = append(like, Likeness{r.format, r.lines, r.tried, r.bad, r.reason, r.hosts, r.timed})
	}
	return like
}

// Explain says what the first lines were taken for, and what would read them otherwise.
func Explain(like []Likeness) string {
	best := like[0]
	if best.Lines == 0 {
		return "no format that has a name reads one of its first lines: give the server's own log_format or LogFormat with --format, or its configuration with --format-from=FILE:NAME"
	}
	text := fmt.Sprintf("taken for %s: %d of the first %d lines read so", quoteFormat(best.Format.String()), best.Lines, best.Of)
	if best.Line > 0 {
		text += fmt.Sprintf(" (line %d does not: %s)", best.Line, best.Reason)
	}
	for _, other := range like[1:] {
		var more []string
		if other.Hosts > best.Hosts && other.Hosts*2 > other.Lines {
			more = append(more, "the host")
		}
		if other.Timed > best.Timed {
			more = append(more, "how long each request took")
		}
		if other.Lines == best.Lines && len(more) > 0 {
			text += fmt.Sprintf("; --format=%s reads as many and tells %s", quoteFormat(other.Format.String()), strings.Join(more, ", "))
		}
	}
	return text
}

// Likenesses are how the first lines read in each format, after Format chose one of them.
func (f *File) Likenesses() []Likeness { return f.like }

func (f *File) firstLine() []byte {
	line, _, _ := bytes.Cut(f.begin, []byte("\n"))
	return line
}

// readings tries the formats, the wanted one first.
func (f *File) readings(ctx context.Context, want *parser.Format, parsers func(parser.Format) (*parser.Parser, error)) ([]*reading, error) {
	formats := parser.Formats(f.begin)
	if want != nil {
		formats = slices.DeleteFunc(formats, func(f parser.Format) bool { return f == *want })
		formats = slices.Insert(formats, 0, *want)
	}
	var all []*reading
	for _, format := range formats {
		p, err := parsers(format)
		if err != nil {
			return nil, err
		}
		all = append(all, &reading{format: format, parser: p})
	}
	r, err := f.content(ctx, 0)
	if err != nil {
		return nil, err
	}
	in := bufio.NewReaderSize(r, readAhead)
	for number := 1; ; number++ {
		line, complete, _, err := readLine(in, io.Discard)
		if err != nil {
			return nil, f.damaged(err)
		}
		if !complete {
			return all, nil
		}
		for i, x := range all {
			if want == nil || i == 0 || number <= detectLines {
				x.line(line, number)
			}
		}
		if want != nil && all[0].lines > 0 || want == nil && number >= detectLines && most(all).lines > 0 {
			return all, nil
		}
	}
}

func most(all []*reading) *reading {
	best := all[0]
	for _, x := range all {
		if x.better(best) {
			best = x
		}
	}
	return best
}

// better says whether a format reads more than another: lines, or in as many the hosts
// of most of them.
func (x *reading) better(than *reading) bool {
	return x.lines > than.lines || x.lines == than.lines && x.namesHosts() && !than.namesHosts()
}

func (x *reading) namesHosts() bool { return x.hosts*2 > x.lines }

// line reads one line. Bytes of a scanner where the request should be are no sign
// of another format, but an object without a request may be any program's.
func (x *reading) line(line []byte, number int) {
	var h parser.Hit
	reason := parser.BadLength
	x.tried++
	if line != nil {
		x.parser.Parse(line, &h)
		if h.Reason == parser.SkipComment {
			x.tried--
			return
		}
		if h.Kind != parser.Malformed || h.Reason == parser.BadRequest && !x.format.JSON() {
			x.lines++
			if len(x.parser.Host()) > 0 {
				x.hosts++
			}
			if h.RequestTime >= 0 {
				x.timed++
			}
			return
		}
		reason = h.Reason
	}
	if x.bad == 0 {
		x.bad, x.reason, x.excerpt = number, reason.String(), string(line[:min(len(line), 80)])
	}
}
