package importer

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"slices"

	"ddkk-stats/parser"
)

// Survey is what a log would come to.
type Survey struct {
	Format parser.Format
	Lines  int64 // that are new: behind what was imported already

	Views, Events  int64 // of people
	BotViews       int64
	BotEvents      int64
	Skipped        map[string]int64 // by reason
	Malformed      map[string]int64 // by reason
	FirstMalformed int64            // number of the first such line, from 1; 0: none
	Torn           bool             // its last line is not complete yet and left alone
	Sites          map[string]int64 // hits by site
	First, Last    int64            // times of the first and last hit, in milliseconds
	End            int64            // length of all complete lines
	Sum            string           // SHA-256 of them
	Head           Head             // what the first views are

	Nameless int64 // views and events whose line tells no client's address
	Zoneless int64 // lines whose time tells no zone
}

// SurveyOptions say how to read.
type SurveyOptions struct {
	From       int64  // lines before this offset are archived already
	Head       string // what the first views were, up to HeadEnd
	HeadEnd    int64
	Parser     *parser.Parser
	Classifier *Classifier
	Progress   func(lines int64)
}

// Survey reads the whole file once, and changes nothing. An error says that
// the file cannot be imported.
func (f *File) Survey(ctx context.Context, opt SurveyOptions) (*Survey, error) {
	r, err := f.content(ctx, 0)
	if err != nil {
		return nil, err
	}
	s := &surveying{SurveyOptions: opt, out: &Survey{Skipped: map[string]int64{}, Malformed: map[string]int64{}, Sites: map[string]int64{}, Head: parseHead(opt.Head)}}
	sum := sha256.New()
	in, tornLong := bufio.NewReaderSize(r, readAhead), false
	for number := int64(1); ; number++ {
		line, complete, n, err := readLine(in, sum)
		if err != nil {
			return nil, f.damaged(err)
		}
		if !complete {
			s.out.Torn, tornLong = n > 0, n > readAhead
			break
		}
		s.out.End += n
		if s.out.End > opt.From {
			s.line(line, number)
		}
	}
	f.end, s.out.Sum = s.out.End, hex.EncodeToString(sum.Sum(nil))
	if tornLong { // part of the last line may be in the sum
		sums, err := f.Sums(ctx, []int64{f.end})
		if err != nil {
			return nil, err
		}
		s.out.Sum = sums[0]
	}
	return s.out, nil
}

// Lines gives each complete line, nil for one that is too long, until take has enough.
func (f *File) Lines(ctx context.Context, take func(number int64, line []byte) bool) error {
	r, err := f.content(ctx, 0)
	if err != nil {
		return err
	}
	in := bufio.NewReaderSize(r, readAhead)
	for number := int64(1); ; number++ {
		line, complete, _, err := readLine(in, io.Discard)
		if err != nil {
			return f.damaged(err)
		}
		if !complete || !take(number, line) {
			return nil
		}
	}
}

// readAhead is how much is read at once.
const readAhead = 1 << 20

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
			return nil, false, n, nil
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
	if s.Parser.Zoneless() {
		o.Zoneless++
	}
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
		if o.End > s.HeadEnd {
			o.Head.add(h)
		}
	}
	if !h.Addr.IsValid() {
		o.Nameless++
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

// byLength are the places of lengths, the shortest first.
func byLength(lengths []int64) []int {
	places := make([]int, len(lengths))
	for i := range places {
		places[i] = i
	}
	slices.SortFunc(places, func(a, b int) int { return cmp.Compare(lengths[a], lengths[b]) })
	return places
}
