package parser

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// QueryNames are the parameters of a page's address that belong to its name.
type QueryNames struct{ names []string }

// NewQueryNames takes names as they are when decoded; parameters of campaigns are none.
func NewQueryNames(names []string) (*QueryNames, error) {
	q := &QueryNames{}
	var errs []error
	for _, n := range names {
		if n == "" || strings.ContainsAny(n, "&#?/") {
			errs = append(errs, fmt.Errorf("%q is no name of a parameter", n))
			continue
		}
		if !IsCampaignParam(n) {
			q.names = append(q.names, n)
		}
	}
	return q, errors.Join(errs...)
}

// IsCampaignParam tells parameters that say how somebody came, not what he sees.
func IsCampaignParam(name string) bool {
	switch {
	case strings.HasPrefix(name, "utm_"), name == "source", name == "ref":
		return true
	}
	return slices.ContainsFunc(clickMarks[:], func(m clickMark) bool { return m.param == name })
}

// pagePair is a parameter in a page's name, decoded.
type pagePair struct{ name, value []byte }

// append appends what is kept of a query, with its "?": the named parameters that have a
// value, by name, in one spelling. Its own result comes out as it is.
func (q *QueryNames) append(dst, query []byte) []byte {
	var buf [8]pagePair
	pairs := buf[:0]
	for len(query) > 0 {
		var pair []byte
		pair, query = cutValue(query)
		name, value, _ := bytes.Cut(pair, []byte{'='})
		if len(value) == 0 {
			continue
		}
		if bytes.IndexByte(name, '%') >= 0 || bytes.IndexByte(name, '+') >= 0 {
			name = appendForm(nil, name)
		}
		if slices.ContainsFunc(q.names, func(n string) bool { return n == string(name) }) {
			pairs = append(pairs, pagePair{name, value})
		}
	}
	slices.SortStableFunc(pairs, func(a, b pagePair) int { return bytes.Compare(a.name, b.name) })
	for i, p := range pairs {
		dst = append(dst, "?&"[min(i, 1)])
		dst = appendQueryText(dst, p.name, true)
		dst = append(dst, '=')
		dst = appendQueryText(dst, appendForm(nil, p.value), false)
	}
	return dst
}

// appendQueryText writes a decoded text of a query so that it reads as it is wherever that
// is possible.
func appendQueryText(dst, text []byte, name bool) []byte {
	for _, c := range text {
		if c <= ' ' || c == 0x7F || c == '%' || c == '&' || c == '#' || c == '+' || name && c == '=' {
			dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}
