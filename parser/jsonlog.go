package parser

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"ddkk-stats/parser/format"
)

// JSONFieldNames lists the fields that Config.JSONFields may name.
func JSONFieldNames() []string { return format.FieldNames() }

// jsonNode is what is known of a value: which field it is, with which rank of several
// for that field, and which of the values within it are of use.
type jsonNode struct {
	field format.Field // None: none by itself
	rank  int
	kids  map[string]*jsonNode
	sizes uint64 // bit n: a key of n bytes is among them, or one of 63 or more
}

// kid is what is known of the value under a key; most keys of a line have a length
// that no key of use has.
func (n *jsonNode) kid(key []byte) *jsonNode {
	if n.sizes>>min(len(key), 63)&1 == 0 {
		return nil
	}
	return n.kids[string(key)]
}

// jsonKeys makes the tree of keys. A path such as "request.headers.User-Agent.0" leads
// through objects and arrays; a key with the dots in it is found as well.
func jsonKeys(own []format.Key, config map[string]string) (*jsonNode, error) {
	root := &jsonNode{}
	for _, name := range slices.Sorted(maps.Keys(config)) {
		field, ok := format.FieldOf(name)
		if !ok {
			return nil, fmt.Errorf("JSON field %q: use one of %s", name, strings.Join(JSONFieldNames(), ", "))
		}
		root.add(config[name], field, 0)
	}
	for rank, k := range own {
		if config[k.Field.String()] == "" {
			root.add(k.Path, k.Field, rank)
		}
	}
	for field := format.None + 1; field < format.NumFields && own == nil; field++ {
		for rank, key := range field.Keys() {
			if config[field.String()] == "" {
				root.add(key, field, rank)
			}
		}
	}
	return root, nil
}

// add makes the value at path a field, unless it is one already.
func (n *jsonNode) add(path string, field format.Field, rank int) {
	if path == "" {
		return
	}
	n.at(path).is(field, rank)
	if strings.Contains(path, ".") {
		for element := range strings.SplitSeq(path, ".") {
			n = n.at(element)
		}
		n.is(field, rank)
	}
}

func (n *jsonNode) is(field format.Field, rank int) {
	if n.field == format.None {
		n.field, n.rank = field, rank
	}
}

func (n *jsonNode) at(key string) *jsonNode {
	if n.kids[key] == nil {
		if n.kids == nil {
			n.kids = map[string]*jsonNode{}
		}
		n.kids[key] = &jsonNode{}
		n.sizes |= 1 << min(len(key), 63)
	}
	return n.kids[key]
}

// readJSON reads one object a line:
//
//	{"msec":"1763769600.123","remote_addr":"203.0.113.7","request":"GET /a HTTP/1.1","status":"200",...}
//
// It is more lenient than JSON where nginx is: bytes over 0x7F need not be
// UTF-8 (they are kept, not replaced), "\xXX" is a byte, and a number may be
// missing ("status":,), as a comma may stand behind the last one. Keys are compared
// exactly; of equal ones the first counts. Only the time and the request must be
// there: another field that is missing or odd is not known.
func (ln *lines) readJSON(line []byte, h *Hit) Reason {
	if hasControl(line) {
		return BadBytes
	}
	line = bytes.Trim(line, " \t")
	if len(line) == 0 {
		return BadEmpty
	}
	ln.fields = format.Fields{}
	if reason := ln.scanObject(line, &ln.fields); reason != ReasonNone {
		return reason
	}
	return ln.fill(&ln.fields, h)
}
