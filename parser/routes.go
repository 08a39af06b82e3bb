package parser

import (
	"errors"
	"fmt"
	"strings"
)

// Limits of what names an endpoint.
const (
	// MaxRoute is the longest pattern of a route in bytes.
	MaxRoute = 300
	// maxDepth is how many elements of a path the default rule keeps.
	maxDepth = 6
	// maxElement is the longest element that the default rule takes for a name:
	// what is longer is a token, or made up.
	maxElement = 48
)

// idElement stands for an element of a path that names one thing of many.
const idElement = ":id"

// routes finds the pattern that a path belongs to. A pattern is a path whose
// elements are literal, ":name" (any one element) or, as the last one, "*" (any
// rest, also none). Where several fit, the one that is literal at the first
// element in which they differ wins, and ":name" before "*"; their order does
// not matter. A slash at the end makes no difference.
type routes struct {
	root *routeNode // nil: there are none
}

// routeNode is where a path may go on after some elements.
type routeNode struct {
	literal map[string]*routeNode
	param   *routeNode
	pattern string // of a route that ends here; "": none does
	rest    string // of a route that goes on with "*"; "": none does
}

// newRoutes compiles patterns, or says what is wrong with them.
func newRoutes(patterns []string) (routes, error) {
	var r routes
	var errs []error
	for _, p := range patterns {
		if err := CheckRoute(p); err != nil {
			errs = append(errs, err)
			continue
		}
		if r.root == nil {
			r.root = &routeNode{}
		}
		r.root.add(p)
	}
	return r, errors.Join(errs...)
}

// CheckRoute tells whether a pattern such as "/users/:id" or "/api/*" is one.
func CheckRoute(pattern string) error {
	if !strings.HasPrefix(pattern, "/") {
		return fmt.Errorf("route %q: must begin with /", pattern)
	}
	if len(pattern) > MaxRoute {
		return fmt.Errorf("route %.40q...: is longer than %d bytes", pattern, MaxRoute)
	}
	elements := strings.Split(strings.Trim(pattern, "/"), "/")
	for i, e := range elements {
		switch {
		case e == "" && len(elements) > 1:
			return fmt.Errorf("route %q: has an empty element", pattern)
		case e == ":" || strings.Contains(strings.TrimPrefix(e, ":"), ":"):
			return fmt.Errorf("route %q: %q is neither a name nor :name", pattern, e)
		case e == "*" && i < len(elements)-1:
			return fmt.Errorf("route %q: * must be the last element", pattern)
		case e != "*" && strings.Contains(e, "*"):
			return fmt.Errorf("route %q: * must be an element of its own", pattern)
		}
		for _, c := range []byte(e) {
			if c <= ' ' || c == 0x7f || c == '?' || c == '#' {
				return fmt.Errorf("route %q: holds %q; a pattern is of the path alone", pattern, c)
			}
		}
	}
	return nil
}

func (n *routeNode) add(pattern string) {
	for e := range strings.SplitSeq(strings.Trim(pattern, "/"), "/") {
		var next *routeNode
		switch {
		case e == "":
			continue
		case e == "*":
			if n.rest == "" {
				n.rest = pattern
			}
			return
		case e[0] == ':':
			if n.param == nil {
				n.param = &routeNode{}
			}
			next = n.param
		default:
			if n.literal == nil {
				n.literal = map[string]*routeNode{}
			}
			if next = n.literal[e]; next == nil {
				next = &routeNode{}
				n.literal[e] = next
			}
		}
		n = next
	}
	if n.pattern == "" {
		n.pattern = pattern
	}
}

// find is the pattern of a path (without query), "" if it fits none. Every node
// is looked at once at most, so what a path costs is bounded by the patterns.
func (r *routes) find(path []byte) string {
	if r.root == nil {
		return ""
	}
	return r.root.find(path)
}

func (n *routeNode) find(path []byte) string {
	e, rest := nextElement(path)
	if len(e) == 0 {
		if n.pattern != "" {
			return n.pattern
		}
		return n.rest
	}
	if next := n.literal[string(e)]; next != nil {
		if p := next.find(rest); p != "" {
			return p
		}
	}
	if n.param != nil {
		if p := n.param.find(rest); p != "" {
			return p
		}
	}
	return n.rest
}

// nextElement cuts the first element off a path; it is empty at the end. Runs
// of slashes are one.
func nextElement(path []byte) (element, rest []byte) {
	for len(path) > 0 && path[0] == '/' {
		path = path[1:]
	}
	for i, c := range path {
		if c == '/' {
			return path[:i], path[i:]
		}
	}
	return path, nil
}

// appendFolded writes a path by the default rule, for paths that fit no
// pattern: elements that look like the name of one thing of many become ":id",
// and after the sixth element the rest is "*".
func appendFolded(dst, path []byte) []byte {
	n := 0
	for {
		e, rest := nextElement(path)
		if len(e) == 0 {
			break
		}
		dst = append(dst, '/')
		if n++; n > maxDepth {
			return append(dst, '*')
		}
		if looksLikeID(e) {
			dst = append(dst, idElement...)
		} else {
			dst = append(dst, e...)
		}
		path = rest
	}
	if n == 0 {
		return append(dst, '/')
	}
	return dst
}

// looksLikeID tells the elements that name one thing of many: numbers, UUIDs
// (RFC 9562, with or without braces), hexadecimal digits (eight or more, a
// decimal one among them), and what is too long to be a name.
func looksLikeID(e []byte) bool {
	if len(e) > maxElement {
		return true
	}
	digits, hex, dashes := 0, 0, 0
	for i, c := range e {
		switch {
		case c-'0' <= 9:
			digits++
			hex++
		case unhex(c) >= 0:
			hex++
		case c == '-':
			dashes++
		case c == '{' && i == 0 || c == '}' && i == len(e)-1:
		default:
			return false
		}
	}
	switch {
	case digits == len(e):
		return true
	case hex == len(e):
		return len(e) >= 8 && digits > 0
	}
	return isUUID(e, hex, dashes)
}

func isUUID(e []byte, hex, dashes int) bool {
	if hex != 32 || dashes != 4 {
		return false
	}
	if e[0] == '{' {
		e = e[1:]
	}
	return len(e) >= 36 && e[8] == '-' && e[13] == '-' && e[18] == '-' && e[23] == '-'
}

// AdmitName finds or admits a name in a set of at most limit names; what is
// over the limit counts under OtherPage. Those that somebody configured are
// never over it.
func AdmitName(all map[string]string, name []byte, limit int, configured bool) string {
	if s, ok := all[string(name)]; ok {
		return s
	}
	if len(all) >= limit && !configured {
		return OtherPage
	}
	s := string(name)
	all[s] = s
	return s
}
