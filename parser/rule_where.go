package parser

import (
	"net/url"
	"strings"
)

// RuleTerm says of which views a rule is: those whose Name is Value, or begins with it; Not:
// all others. Names are those that views can be explored by: page, device (pc or mobile), bot (yes or no),
// event, its key, and the columns of facets.
type RuleTerm struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Not    bool   `json:"not,omitempty"`
	Prefix bool   `json:"prefix,omitempty"`
}

// String is the term as people write it.
func (t RuleTerm) String() string {
	text := t.Name + ":" + strings.ReplaceAll(url.PathEscape(t.Value), "%2F", "/")
	text = strings.ReplaceAll(text, "*", "%2A")
	if t.Not {
		text = "!" + text
	}
	if t.Prefix {
		text += "*"
	}
	return text
}

// wants tells whether all terms are true of a hit. event is the key of an event; nil: that
// is told by the hit.
func wants(terms []RuleTerm, h *Hit, event []byte) bool {
	for i := range terms {
		t := &terms[i]
		name := t.of(h, event)
		is := string(name) == t.Value
		if t.Prefix {
			is = strings.HasPrefix(string(name), t.Value)
		}
		if is == t.Not {
			return false
		}
	}
	return true
}

// of is what a hit has of the term's name.
func (t *RuleTerm) of(h *Hit, event []byte) string {
	switch t.Name {
	case "page":
		return string(h.Page)
	case "device":
		if h.Device == Mobile {
			return "mobile"
		}
		return "pc"
	case "bot":
		if h.Bot {
			return "yes"
		}
		return "no"
	case "event":
		if event == nil && h.Kind == Event {
			event, _, _ = AppendEventKeys(nil, h)
		}
		return string(event)
	}
	for f := range NumFacets {
		if Facets[f].Column == t.Name {
			name, _ := h.FacetName(f)
			return name
		}
	}
	return ""
}
