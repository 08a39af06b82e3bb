package importer

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"ddkk-stats/parser"
)

// Survey is what a log would come to.
type Survey struct {
	Format parser.Format
	Lines  int64 // that are new: behind what was imported already

	Views, Events   int64 // of people
	BotViews        int64
	BotEvents       int64
	Skipped         map[string]int64 // by reason
	Malformed       map[string]int64 // by reason
	FirstMalformed  int64            // number of the first such line, from 1; 0: none
	Torn            bool             // its last line is not complete yet and left alone
	Sites           map[string]int64 // hits by site
	First, Last     int64            // times of the first and last hit, in milliseconds
	End             int64            // length of all complete lines
	Sum             string           // SHA-256 of them
	KnownSum        string           // SHA-256 of the first Known bytes
	KnownIsComplete bool             // the content has that many
}

// SurveyOptions say how to read.
type SurveyOptions struct {
	Known      int64 // bytes that an earlier import was to archive: their sum is computed
	From       int64 // lines before this offset are archived already
	Parser     *parser.Parser
	Classifier *Classifier
	Progress   func(lines int64)
}

// Survey reads the whole file once, and changes nothing. An error says that
// the file cannot be imported.
func (f *File) Survey(ctx context.Context, opt SurveyOptions) (*Survey, error) {
	r, err := f.content(ctx)
	if err != nil {
		return nil, err
	}
	s := &surveying{SurveyOptions: opt, out: &Survey{Skipped: map[string]int64{}, Malformed: map[string]int64{}, Sites: map[string]int64{}}}
	sum := sha256.New()
	in := bufio.NewReaderSize(r, 1<<20)
	for number := int64(1); ; number++ {
		line, complete, n, err := readLine(in, sum)
		if err != nil {
			return nil, f.damaged(err)
		}
		if !complete {
			s.out.Torn = n > 0
			break
		}
		s.out.End += n
		if s.out.End == opt.Known {
			s.out.KnownSum, s.out.KnownIsComplete = hex.EncodeToString(sum.Sum(nil)), true
		}
		if s.out.End > opt.From {
			s.line(line, number)
		}
	}
	s.out.Sum = hex.EncodeToString(sum.Sum(nil))
	f.end = s.out.End
	return s.out, nil
}

// readLine returns a line without its newline, nil if it is too long, and its
// length with it. Complete lines go into the sum.
func readLine(in *bufio.Reader, sum io.Writer) (line []byte, complete bool, n int64, err error) {
	line, err = in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return longLine(in, sum, line)
	}
	if errors.Is(err, io.EOF) {
		return nil, false, int64(len(line)), nil
	}
	if err != nil {
		return nil, false, 0, err
	}
	if _, err := sum.Write(line); err != nil {
		return nil, false, 0, err
	}
	n = int64(len(line))
	if n > parser.MaxLine+1 {
		return nil, true, n, nil
	}
	return line[:n-1], true, n, nil
}

func longLine(in *bufio.Reader, sum io.Writer, start []byte) (line []byte, complete bool, n int64, err error) {
	for {
		if _, err := sum.Write(start); err != nil {
			return nil, false, 0, err
		}
		n += int64(len(start))
		if len(start) > 0 && start[len(start)-1] == '\n' {
			return nil, true, n, nil
		}
		start, err = in.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF):
			return nil, false, n, errors.New("its last line is longer than 1 MiB and has no end: this is no log")
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return nil, false, 0, err
		}
	}
}

type surveying struct {
	SurveyOptions
	out *Survey
	hit parser.Hit
}

// progressEvery is how many lines lie between two reports.
const progressEvery = 1 << 14

func (s *surveying) line(line []byte, number int64) {
	o := s.out
	if o.Lines++; s.Progress != nil && o.Lines%progressEvery == 0 {
		s.Progress(o.Lines)
	}
	if line == nil {
		o.malformed(parser.BadLength.String(), number)
		return
	}
	h := &s.hit
	s.Parser.Parse(line, h)
	why := s.Classifier.Classify(s.Parser, h)
	switch {
	case h.Kind == parser.Malformed:
		o.malformed(why, number)
		return
	case why != "":
		o.Skipped[why]++
		return
	case h.Kind == parser.Event && h.Bot:
		o.BotEvents++
	case h.Kind == parser.Event:
		o.Events++
	case h.Bot:
		o.BotViews++
	default:
		o.Views++
	}
	o.Sites[h.Site]++
	if o.First == 0 || h.Time < o.First {
		o.First = h.Time
	}
	o.Last = max(o.Last, h.Time)
}

func (o *Survey) malformed(why string, number int64) {
	o.Malformed[why]++
	if o.FirstMalformed == 0 {
		o.FirstMalformed = number
	}
}

// Hits are the lines that count.
func (o *Survey) Hits() int64 { return o.Views + o.Events + o.BotViews + o.BotEvents }

// detectLines is how many lines tell a format.
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

// Format finds the format in which most of the first lines can be read, or
// checks that some can be read in the one that is wanted. parsers makes a
// parser of a format.
func (f *File) Format(ctx context.Context, want *parser.Format, parsers func(parser.Format) (*parser.Parser, error)) (parser.Format, error) {
	lines, err := f.head(ctx)
	if err != nil {
		return 0, err
	}
	var best parser.Format
	read, first, reason := 0, 0, ""
	for _, format := range []parser.Format{parser.FormatV1, parser.FormatCombined, parser.FormatJSON} {
		p, err := parsers(format)
		if err != nil {
			return 0, err
		}
		n, at, why := readable(p, lines)
		if want != nil && *want == format && n > 0 {
			return format, nil
		}
		if want != nil && *want == format || want == nil && format == parser.Detect(lines[0]) {
			first, reason = at, why
		}
		if n > read {
			best, read = format, n
		}
	}
	if want == nil && read > 0 {
		return best, nil
	}
	wrong := &WrongFormatError{Name: f.name, Want: "v1, combined or json", Line: first, Reason: reason}
	if want != nil {
		wrong.Want = want.String()
	}
	if read > 0 {
		wrong.Looks = best.String()
	}
	wrong.Excerpt = string(lines[first-1][:min(len(lines[first-1]), 80)])
	return 0, wrong
}

// head are the first lines.
func (f *File) head(ctx context.Context) ([][]byte, error) {
	r, err := f.content(ctx)
	if err != nil {
		return nil, err
	}
	in := bufio.NewReaderSize(r, parser.MaxLine+2)
	var lines [][]byte
	for len(lines) < detectLines {
		line, err := in.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, bufio.ErrBufferFull):
			return lines, nil
		case err != nil:
			return nil, f.damaged(err)
		}
		lines = append(lines, bytes.Clone(line[:len(line)-1]))
	}
	return lines, nil
}

// readable counts the lines that p can read, and finds the first that it
// cannot.
func readable(p *parser.Parser, lines [][]byte) (n, first int, reason string) {
	var h parser.Hit
	for i, line := range lines {
		p.Parse(line, &h)
		if h.Kind != parser.Malformed {
			n++
		} else if first == 0 {
			first, reason = i+1, h.Reason.String()
		}
	}
	return n, first, reason
}
