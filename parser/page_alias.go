package parser

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// PageAlias gives pages another name. From is a pattern as of a route: a path whose
// elements are literal, ":name" or, as the last one, "*". To has the new path, in which
// ":name" and "*" stand for what they were.
type PageAlias struct{ From, To string }

func (a PageAlias) String() string { return a.From + " -> " + a.To }

// PageAliases give pages their new names. A page that was renamed twice gets its last name;
// an alias that leads to itself ends that.
type PageAliases struct {
	routes routes
	of     map[string]*pageAlias // by pattern
}

// maxAliasSteps bounds how often one page may be renamed.
const maxAliasSteps = 16

// pageAlias is an alias, compiled.
type pageAlias struct {
	names []string // of From's elements; "": literal
	to    []string // ":name", "*", or literal text
}

// NewPageAliases compiles aliases, of which the one that comes first holds where patterns
// are the same but for the names of their elements.
func NewPageAliases(list []PageAlias) (*PageAliases, error) {
	if len(list) == 0 {
		return nil, nil
	}
	a := &PageAliases{of: map[string]*pageAlias{}}
	var patterns []string
	var errs []error
	for _, x := range list {
		from, alias, err := x.compile()
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if a.of[from] == nil {
			a.of[from] = alias
			patterns = append(patterns, from)
		}
	}
	var err error
	if a.routes, err = newRoutes(patterns); err != nil {
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	for _, x := range list {
		sample := sampleOf(string(appendPercent(nil, []byte(x.From))))
		if _, ends := a.rename(sample, 0, PageRules{}); !ends {
			errs = append(errs, fmt.Errorf("page alias %q: its pages are renamed without an end; exclude what has its new name already by an alias that leads to itself, such as %q",
				x, x.To+" -> "+x.To))
		}
	}
	return a, errors.Join(errs...)
}

// sampleOf is a page of a pattern.
func sampleOf(pattern string) []byte {
	var b []byte
	for e := range strings.SplitSeq(strings.Trim(pattern, "/"), "/") {
		b = append(b, '/')
		switch {
		case e == "*":
			b = append(b, "~a/~b"...)
		case strings.HasPrefix(e, ":"):
			b = append(append(b, '~'), e[1:]...)
		default:
			b = append(b, e...)
		}
	}
	return b
}

func (a PageAlias) compile() (from string, _ *pageAlias, err error) {
	for _, s := range []string{a.From, a.To} {
		if err := CheckRoute(s); err != nil {
			return "", nil, fmt.Errorf("page alias %q: %w", a, err)
		}
	}
	x := &pageAlias{}
	seen := map[string]bool{}
	for e := range strings.SplitSeq(strings.Trim(a.From, "/"), "/") {
		switch {
		case e != "*" && !strings.HasPrefix(e, ":"):
			x.names = append(x.names, "")
			continue
		case seen[e]:
			return "", nil, fmt.Errorf("page alias %q: %s stands for two elements", a, e)
		}
		seen[e] = true
		x.names = append(x.names, e)
	}
	literal := ""
	for e := range strings.SplitSeq(strings.TrimPrefix(a.To, "/"), "/") {
		switch {
		case e == "*" && !seen[e]:
			return "", nil, fmt.Errorf("page alias %q: %s has no *", a, a.From)
		case e == "*":
			x.to = append(x.literal(literal), e) // what it stands for begins with "/"
			literal = ""
		case strings.HasPrefix(e, ":") && !seen[e]:
			return "", nil, fmt.Errorf("page alias %q: %s has no %s", a, a.From, e)
		case strings.HasPrefix(e, ":"):
			x.to = append(x.literal(literal+"/"), e)
			literal = ""
		default:
			literal += "/" + e
		}
	}
	x.to = x.literal(literal)
	return string(appendPercent(nil, []byte(a.From))), x, nil
}

func (a *pageAlias) literal(text string) []string {
	if text == "" {
		return a.to
	}
	return append(a.to, string(appendPercent(nil, []byte(text))))
}

// apply appends the new name of a path that is of the alias.
func (a *pageAlias) apply(dst, path []byte) []byte {
	start := len(dst)
	for _, piece := range a.to {
		switch {
		case piece == "*":
			dst = append(dst, a.rest(path)...)
		case piece[0] == ':':
			dst = append(dst, a.element(path, piece)...)
		default:
			dst = append(dst, piece...)
		}
	}
	if len(dst) == start {
		dst = append(dst, '/')
	}
	return dst
}

// element is what the element of a name is in a path.
func (a *pageAlias) element(path []byte, name string) (e []byte) {
	for _, n := range a.names {
		if e, path = nextElement(path); n == name {
			return e
		}
	}
	return nil
}

// rest is what "*" stands for, with the slash before it.
func (a *pageAlias) rest(path []byte) []byte {
	for range len(a.names) - 1 {
		_, path = nextElement(path)
	}
	return path
}

// rename gives the path b[start:] its new name, and tells whether it has one: of those
// that are renamed without an end, each stays as it is.
func (a *PageAliases) rename(b []byte, start int, r PageRules) (_ []byte, ends bool) {
	whole := len(b)
	if start == whole || b[start] != '/' {
		return b, true
	}
	from := start
	for range maxAliasSteps {
		end := len(b)
		pattern := a.routes.find(b[from:end])
		if pattern != "" {
			b = a.of[pattern].apply(b, b[from:end])
			b = r.index(collapseSlashes(b, end), end)
		}
		if pattern == "" || bytes.Equal(b[end:], b[from:end]) {
			return b[:start+copy(b[start:], b[from:end])], true
		}
		from = end
	}
	return b[:whole], false
}
