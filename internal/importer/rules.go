package importer

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"ddkk-stats/parser"
)

// DefaultStatus are the answers that showed a page.
const DefaultStatus = "200,304"

// Rules say which requests of a site's own access log are page views:
//
//   - the method is GET,
//   - the status is one of Status,
//   - the path does not match Exclude,
//   - the path matches Include, or is no asset (by the ending of its last
//     segment) and not what programs ask for (feeds, /.well-known/, ...),
//   - the time is before Before, if that is set.
//
// Patterns are compared with the percent-decoded path, without query; "*"
// stands for any text, "/" too, and "?" for one byte.
type Rules struct {
	Status  string   // "200,304", "2xx"; empty: DefaultStatus
	Include []string // patterns
	Exclude []string
	Before  time.Time // zero: no bound
}

// text says all that the rules depend on.
func (r Rules) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "status=%s", r.Status)
	for _, p := range r.Include {
		fmt.Fprintf(&b, " include=%q", p)
	}
	for _, p := range r.Exclude {
		fmt.Fprintf(&b, " exclude=%q", p)
	}
	if !r.Before.IsZero() {
		fmt.Fprintf(&b, " before=%s", r.Before.UTC().Format(time.RFC3339))
	}
	return b.String()
}

func (r Rules) check() error {
	for _, p := range slices.Concat(r.Include, r.Exclude) {
		if !strings.HasPrefix(p, "/") && !strings.HasPrefix(p, "*") {
			return fmt.Errorf("pattern %q: begin it with / or *, such as /api/*", p)
		}
	}
	return nil
}

// statusSet reads "200,304,2xx".
func statusSet(text string) (map[int]bool, error) {
	set := map[int]bool{}
	for word := range strings.SplitSeq(text, ",") {
		word = strings.ToLower(strings.TrimSpace(word))
		if class, ok := strings.CutSuffix(word, "xx"); ok && len(class) == 1 && class[0] >= '1' && class[0] <= '5' {
			for i := range 100 {
				set[int(class[0]-'0')*100+i] = true
			}
			continue
		}
		n, err := strconv.Atoi(word)
		if err != nil || n < 100 || n > 599 {
			return nil, fmt.Errorf("status %q: use numbers such as 200,304 or a class such as 2xx", word)
		}
		set[n] = true
	}
	return set, nil
}

// wantsPath decides on a path as it stands in the log; why is what speaks
// against it.
func (r *Rules) wantsPath(uri []byte) (why string) {
	path := parser.AppendRequestPath(nil, uri)
	name := string(path)
	if name == "" {
		return "no path"
	}
	switch {
	case matchAny(r.Exclude, name):
		return "excluded"
	case matchAny(r.Include, name):
		return ""
	}
	switch parser.PathKindOf(path) {
	case parser.PathPage:
		return ""
	case parser.PathProgram:
		return "feed or endpoint"
	}
	return "asset"
}

func matchAny(patterns []string, s string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return parser.MatchPath(p, s) })
}

// Classifier turns the lines of a log into page views, or takes the beacons
// that are in it.
type Classifier struct {
	site    string // "": that of the line
	beacons bool
	rules   Rules
	status  map[int]bool
}

// NewClassifier makes a classifier. site is normalised; where the log names a
// host, lines of other sites are skipped. beacons takes a log of beacons, and
// ignores all rules but Before.
func NewClassifier(site string, beacons bool, r Rules) (*Classifier, error) {
	if r.Status == "" {
		r.Status = DefaultStatus
	}
	status, err := statusSet(r.Status)
	if err != nil {
		return nil, err
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	return &Classifier{site: site, beacons: beacons, rules: r, status: status}, nil
}

// Text says all that decides which lines count, for comparing.
func (c *Classifier) Text() string {
	site := c.site
	if site == "" {
		site = "(host)"
	}
	if c.beacons {
		return "beacons of " + site + " " + Rules{Before: c.rules.Before}.text()
	}
	return "pages of " + site + " " + c.rules.text()
}

// Classify makes what is counted of the line that p read last. It answers why
// it does not count, "" if it does.
func (c *Classifier) Classify(p *parser.Parser, h *parser.Hit) (why string) {
	switch {
	case h.Kind == parser.Malformed || h.Reason == parser.SkipComment:
		return h.Reason.String()
	case !c.rules.Before.IsZero() && h.Time >= c.rules.Before.UnixMilli():
		return skip(h, parser.SkipBlocked, "not before the given time")
	case c.beacons:
		return c.beacon(h)
	case string(h.Method) != "GET":
		return skip(h, parser.SkipMethod, "method")
	case !c.status[h.Status]:
		return skip(h, parser.SkipStatus, "status")
	}
	if why := c.rules.wantsPath(h.URI); why != "" {
		return skip(h, parser.SkipPath, why)
	}
	return c.view(p, h)
}

func (c *Classifier) beacon(h *parser.Hit) string {
	if h.Kind == parser.Skipped {
		return h.Reason.String()
	}
	if c.site != "" && h.Site != c.site {
		return skip(h, parser.SkipSite, "other site")
	}
	return ""
}

// view makes the line a view of its own path.
func (c *Classifier) view(p *parser.Parser, h *parser.Hit) string {
	site := c.site
	if host := p.Host(); len(host) > 0 {
		site = string(host)
	}
	if site == "" {
		return skip(h, parser.SkipSite, "no host")
	}
	h.ViewID, h.UID, h.Visitor = nil, nil, parser.Visitor{}
	h.Category, h.Action, h.Label, h.Value = nil, nil, nil, nil
	p.PageOf(h, site, h.URI)
	if h.Kind == parser.Skipped {
		return h.Reason.String()
	}
	if c.site != "" && h.Site != c.site {
		return skip(h, parser.SkipSite, "other site")
	}
	return ""
}

func skip(h *parser.Hit, r parser.Reason, why string) string {
	h.Kind, h.Reason = parser.Skipped, r
	return why
}
