package format

import (
	"errors"
	"fmt"
	"strings"
)

// Escape is how a server writes the bytes that would break its line.
type Escape uint8

const (
	EscapeDefault Escape = iota // \xXX, and Apache's \" and \n
	EscapeJSON                  // \" and \u00XX
	EscapeNone                  // not at all
	EscapeW3C                   // "+" or %20 for a blank
)

var escapes = map[string]Escape{"default": EscapeDefault, "json": EscapeJSON, "none": EscapeNone}

// Layout is a compiled format. It has no state: several may read by it at once.
type Layout struct {
	Escape Escape
	UTC    bool // times that tell no zone are UTC
	Whole  bool // the target of each request is a whole URL
	JSON   []Key

	head  []byte
	steps []step
	open  bool // what follows the last step is not needed
	w3c   []Field
	line  []byte // the "#Fields:" line itself
}

// Key says where a JSON line has a field: the way to it, elements by ".".
type Key struct {
	Field Field
	Path  string
}

// Has says whether the format tells a field.
func (l *Layout) Has(f Field) bool {
	for _, k := range l.JSON {
		if k.Field == f {
			return true
		}
	}
	for _, s := range l.steps {
		if s.field == f {
			return true
		}
	}
	for _, g := range l.w3c {
		if g == f {
			return true
		}
	}
	return false
}

// token is a piece of a format: a text that stands in each line, or what changes.
type token struct {
	text   string // of a literal
	field  Field
	rank   int  // of several for one field the lowest is taken
	list   bool // of nginx's lists "a, b" and "a : b"
	blanks int  // that are in it
	port   bool // it has a port behind it
	any    bool // anything at all, perhaps nothing
	isArgs bool // nginx's $is_args
	name   string
}

func (t *token) literal() bool { return t.text != "" }

// MaxText is the longest text of a format.
const MaxText = 8 << 10

// Compile makes a layout of a format's text or name.
func Compile(text string) (*Layout, error) {
	text = strings.TrimSpace(text)
	if len(text) > MaxText {
		return nil, fmt.Errorf("a format of %d bytes: %d are the most", len(text), MaxText)
	}
	if named, ok := Named(text); ok {
		text = named
	}
	if keys, ok := strings.CutPrefix(text, "json:"); ok {
		return compileJSON(keys)
	}
	if fields, ok := strings.CutPrefix(text, w3cMark); ok {
		return compileW3C(fields)
	}
	text, whole := strings.CutPrefix(text, wholeMark)
	escape, body, err := unwrap(text)
	if err != nil {
		return nil, err
	}
	var tokens []token
	switch {
	case isNginx(body):
		tokens, err = nginxTokens(body)
	case strings.Contains(body, "%"):
		tokens, err = apacheTokens(body)
	default:
		return nil, errors.New("it is neither the name of a format nor a format: one has variables, $status (nginx) or %>s (Apache)")
	}
	if err != nil {
		return nil, err
	}
	l, err := build(tokens, escape)
	if err != nil {
		return nil, err
	}
	l.Whole = whole
	return l, nil
}

// wholeMark stands before the format of a server that makes a whole URL of each
// request's target, whatever its client sent.
const wholeMark = "target=url "

// isNginx says whether a format has nginx's variables.
func isNginx(text string) bool {
	for i := range len(text) - 1 {
		if c := text[i+1]; text[i] == '$' && (c == '{' || isNameByte(c)) {
			return true
		}
	}
	return false
}

func isNameByte(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// build makes the steps of a line's pieces.
func build(tokens []token, escape Escape) (*Layout, error) {
	tokens = joinTimes(joinURIs(joinLiterals(tokens)))
	bestOnly(tokens)
	if err := needed(tokens); err != nil {
		return nil, err
	}
	l := &Layout{Escape: escape}
	if tokens[0].literal() {
		l.head, tokens = []byte(tokens[0].text), tokens[1:]
	}
	before := string(l.head)
	for i := 0; i < len(tokens); i++ {
		t, word := tokens[i], false
		if i+1 < len(tokens) && t.any && !tokens[i+1].literal() {
			i++
			t, word = tokens[i], true
		}
		s := step{field: t.field, list: t.list, blanks: t.blanks, word: word, port: t.port}
		if i+1 < len(tokens) {
			switch next := tokens[i+1]; {
			case next.literal():
				s.until = []byte(next.text)
				s.quoted = s.until[0] == '"' && strings.HasSuffix(before, `"`)
				s.status = t.field == URI && next.text == " " && i+2 < len(tokens) && tokens[i+2].field == Status
				before = next.text
				i++
			case next.any && i+2 == len(tokens):
				return nil, fmt.Errorf("%s and $... stand side by side: nothing tells where one ends", t.name)
			case next.field == URI && t.field != Time:
				s.slash, before = true, ""
			default:
				return nil, fmt.Errorf("%s and %s stand side by side: nothing tells where one ends", t.name, next.name)
			}
		}
		l.steps = append(l.steps, s)
	}
	l.cut()
	return l, nil
}

// cut drops the steps behind the last field of use: what is there does not matter.
func (l *Layout) cut() {
	n := len(l.steps)
	for n > 0 && l.steps[n-1].field == None {
		n--
		l.open = true
	}
	if l.steps = l.steps[:n]; n > 0 && !l.open && len(l.steps[n-1].until) > 0 {
		l.steps[n-1].last = true
	}
}

func joinLiterals(tokens []token) []token {
	var all []token
	for _, t := range tokens {
		if n := len(all); t.literal() && n > 0 && all[n-1].literal() {
			all[n-1].text += t.text
			continue
		}
		all = append(all, t)
	}
	return all
}

// joinURIs makes one of "$uri$is_args$args" and of "%U%q".
func joinURIs(tokens []token) []token {
	var all []token
	for _, t := range tokens {
		n := len(all)
		switch {
		case t.isArgs && n > 0 && all[n-1].field == URI:
			all[n-1].isArgs = true
		case t.field == Args && n > 0 && all[n-1].field == URI && (all[n-1].isArgs || t.isArgs):
		case t.isArgs && t.field == None:
			// Alone it says nothing, and is "?" or nothing.
		default:
			all = append(all, t)
		}
	}
	return all
}

// joinTimes makes one of a time that is told in parts, "%{%d/%b/%Y:%T}t.%{msec_frac}t
// %{%z}t" or a date and a clock side by side.
func joinTimes(tokens []token) []token {
	var all []token
	for _, t := range tokens {
		n := len(all)
		all = append(all, t)
		if n < 2 || !all[n-1].literal() || len(all[n-1].text) != 1 || !strings.Contains(" .:,T-/_\t", all[n-1].text) {
			continue
		}
		a, sep := all[n-2], all[n-1].text
		if a.field == Time && t.field == Time && a.rank == t.rank || a.field == Date && t.field == Clock {
			a.field, a.blanks = Time, a.blanks+t.blanks
			if sep == " " {
				a.blanks++
			}
			all = append(all[:n-2], a)
		}
	}
	return all
}

// bestOnly leaves of the tokens for one field the best, of equal ones the first.
func bestOnly(tokens []token) {
	best := map[Field]int{}
	for i, t := range tokens {
		if t.field == None {
			continue
		}
		if j, ok := best[t.field]; ok && tokens[j].rank <= t.rank {
			tokens[i].field = None
			continue
		} else if ok {
			tokens[j].field = None
		}
		best[t.field] = i
	}
}

// needed says what a format lacks that no line counts without.
func needed(tokens []token) error {
	has := map[Field]bool{}
	for _, t := range tokens {
		has[t.field] = true
	}
	return lacks(func(f Field) bool { return has[f] })
}

func lacks(has func(Field) bool) error {
	var missing []string
	if !has(Time) && !(has(Date) && has(Clock)) {
		missing = append(missing, "the time ($time_local, %t)")
	}
	if !has(Request) && !has(URI) {
		missing = append(missing, "the request ($request, %r)")
	}
	if !has(Status) {
		missing = append(missing, "the status ($status, %>s)")
	}
	if len(missing) > 0 {
		return fmt.Errorf("it lacks %s", strings.Join(missing, ", "))
	}
	return nil
}

// compileJSON reads "time=ts,addr=request.remote_ip": of several keys of a field the
// first that a line has is taken.
func compileJSON(text string) (*Layout, error) {
	l := &Layout{}
	for pair := range strings.SplitSeq(text, ",") {
		name, path, ok := strings.Cut(strings.TrimSpace(pair), "=")
		f, known := FieldOf(strings.TrimSpace(name))
		if path = strings.TrimSpace(path); !ok || !known || path == "" {
			return nil, fmt.Errorf("JSON field %q: write pairs such as time=ts; on the left one of %s", pair, strings.Join(FieldNames(), ", "))
		}
		l.JSON = append(l.JSON, Key{f, path})
	}
	return l, nil
}
