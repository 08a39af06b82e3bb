package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"ddkk-stats/internal/importer"
	"ddkk-stats/internal/logs"
	"ddkk-stats/internal/plain"
	"ddkk-stats/parser"
)

// Reading shows how lines are read: `check --line` and `check --log`.
type Reading struct {
	Checkup
	Site   string         // of pages and calls where the log names no host
	Format *parser.Format // nil: found out
	Out    io.Writer

	err error // of writing
}

// shownLines is how many lines of a log are shown field by field, and triedLines of
// how many is told what became of them.
const (
	shownLines = 3
	triedLines = 1000
)

// Line shows one line.
func (r *Reading) Line(line string) error {
	format := parser.FormatV1
	if r.Format != nil {
		format = *r.Format
	} else {
		found, known, err := r.looks([][]byte{[]byte(line)})
		if err != nil {
			return err
		}
		if format = found; !known {
			format = parser.Detect([]byte(line))
			r.say("no format that has a name reads this line; shown as %s. Give the server's own log_format or LogFormat with --format, or its configuration with --format-from=FILE:NAME\n", format)
		}
	}
	s, err := r.reader(format)
	if err != nil {
		return err
	}
	r.say("format %s%s\n", format, whose(format))
	s.show(line)
	return r.err
}

// File shows the first lines of a log, and what the first thousand come to.
func (r *Reading) File(ctx context.Context, f *importer.File) error {
	format, err := f.Format(ctx, r.Format, func(format parser.Format) (*parser.Parser, error) {
		return parser.New(r.Cfg.Parser(format, nil))
	})
	if err != nil {
		return err
	}
	r.say("%s: format %s%s\n", f.Name(), format, whose(format))
	if like := f.Likenesses(); len(like) > 0 {
		r.say("%s\n", importer.Explain(like))
	}
	s, err := r.reader(format)
	if err != nil {
		return err
	}
	n, shown := 0, 0
	err = f.Lines(ctx, func(number int64, line []byte) bool {
		s.parse(line)
		if n++; shown < shownLines && s.hit.Reason != parser.SkipComment {
			shown++
			r.say("\nline %d: %s\n", number, plain.Text(string(line[:min(len(line), 400)])))
			s.show(string(line))
		}
		s.count()
		return n < triedLines
	})
	if err != nil {
		return err
	}
	r.say("\nof the first %d lines\n  as beacons: %s\n  as pages:   %s\n  as calls:   %s\n  requests of people: %s\n  requests of bots:   %s\n",
		n, s.beacons, s.pages, s.calls, s.people, s.bots)
	return r.err
}

// whose names the writer of a format that has a name.
func whose(f parser.Format) string {
	if w := f.Whose(); w != "" {
		return " (" + w + ")"
	}
	return ""
}

// say prints, until that fails once.
func (r *Reading) say(format string, args ...any) {
	if r.err == nil {
		_, r.err = fmt.Fprintf(r.Out, format, args...)
	}
}

// reader reads lines in each way in which a log may be counted.
type reader struct {
	r                     *Reading
	views, callers        *parser.Parser
	classes               *importer.Classifier
	hit, call             parser.Hit
	host                  string
	zoneless, bot         bool
	beacon, page, view    string // what the line is: as a beacon, as a page, and of which
	beacons, pages, calls outcomes
	people, bots          outcomes // requests by kind
}

// outcomes counts what lines become.
type outcomes map[string]int

func (o outcomes) String() string {
	names := slices.SortedFunc(maps.Keys(o), func(a, b string) int { return cmp.Or(cmp.Compare(o[b], o[a]), cmp.Compare(a, b)) })
	for i, name := range names {
		names[i] = fmt.Sprintf("%d %s", o[name], name)
	}
	return strings.Join(names, ", ")
}

func (r *Reading) reader(format parser.Format) (*reader, error) {
	s := &reader{r: r, beacons: outcomes{}, pages: outcomes{}, calls: outcomes{}, people: outcomes{}, bots: outcomes{}}
	c := r.Cfg.Parser(format, nil)
	var errs [3]error
	s.views, errs[0] = parser.New(c)
	c = logs.ParserOf(r.Cfg, logs.Input{Format: format, Calls: true}, nil)
	if r.Site != "" {
		c.Calls.Site = r.Site
	}
	s.callers, errs[1] = parser.New(c)
	site := r.Site
	if site == "" {
		site = r.Cfg.SiteOfCalls()
	}
	s.classes, errs[2] = importer.NewClassifier(site, false, importer.Rules{Status: importer.DefaultStatus})
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("make parser: %w", err)
	}
	return s, nil
}

// parse reads a line in each way. What is in hit is of the line until the next one.
func (s *reader) parse(line []byte) {
	s.callers.Parse(line, &s.call)
	s.views.Parse(line, &s.hit)
	s.host, s.zoneless = string(s.views.Host()), s.views.Zoneless()
	s.beacon = became(&s.hit)
	page := s.hit
	s.page, s.view = s.classes.Classify(s.views, &page), ""
	s.bot = s.views.IsBot(s.hit.UserAgent)
	if s.page == "" {
		s.page, s.view = became(&page), ": "+page.Site+string(page.Page)
	}
}

// became says what a line counts as.
func became(h *parser.Hit) string {
	who := "people"
	if h.Bot {
		who = "bots"
	}
	switch h.Kind {
	case parser.Pageview:
		return "view of " + who
	case parser.Event:
		return "event of " + who
	case parser.APICall:
		return "call"
	}
	return h.Kind.String() + " by " + h.Reason.String()
}

func (s *reader) count() {
	s.beacons[s.beacon]++
	s.pages[s.page]++
	s.calls[became(&s.call)]++
	switch q := s.call.Request; {
	case q == nil:
	case q.Crawler != nil:
		s.bots[q.Kind.String()]++
	default:
		s.people[q.Kind.String()]++
	}
}

// show prints how each field of a line was read, and what the line would count as.
func (s *reader) show(line string) {
	s.parse([]byte(line))
	h := &s.hit
	field := func(name, value string) {
		if value == "" {
			value = "not told"
		}
		s.r.say("  %-16s %s\n", name, plain.Text(value))
	}
	if h.Kind == parser.Malformed {
		field("malformed", h.Reason.String())
		return
	}
	zone := ""
	if s.zoneless {
		zone = ", which it does not tell (LOG_TIMEZONE)"
	}
	at := time.UnixMilli(h.Time).In(s.r.Cfg.Timezone)
	field("time", at.Format("2006-01-02 15:04:05.000 -0700")+zone)
	addr := ""
	if h.Addr.IsValid() {
		addr = h.Addr.String()
	}
	field("addr", addr)
	field("host", s.host)
	field("method", string(h.Method))
	field("uri", string(h.URI))
	status := ""
	if h.Status > 0 {
		status = fmt.Sprint(h.Status)
	}
	field("status", status)
	field("body_bytes_sent", fmt.Sprint(h.BytesSent))
	took := ""
	if h.RequestTime >= 0 {
		took = fmt.Sprintf("%.3f s", h.RequestTime)
	}
	field("request_time", took)
	field("referer", string(h.Referer))
	field("user_agent", string(h.UserAgent))
	field("remote_user", string(h.RemoteUser))
	field("request_id", string(h.RequestID))
	field("as a beacon", s.beacon)
	field("as a page", s.page+s.view)
	call := became(&s.call)
	if s.call.Kind == parser.APICall {
		call = fmt.Sprintf("call %s of %s, failed: %t", s.call.Endpoint, s.call.Site, s.call.Failed)
	}
	field("as a call", call)
}
