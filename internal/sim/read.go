package sim

import (
	"slices"
	"strconv"
	"strings"
)

func sorted[V any](m map[string]V) []string {
	all := make([]string, 0, len(m))
	for k := range m {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}

// prefix begins every key.
const prefix = "ddkk:"

// wrong stands for what is no number, or not what a key may be.
const wrong = int64(-1) << 40

func toNumber(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return wrong
	}
	return n
}

// read is what the store holds, in the form of ledger.expect. What is not counted
// is left out: locks, checkpoints, who is online, the mirror.
func (s *store) read() numbers {
	m, out := s.mini, numbers{}
	for _, key := range m.Keys() {
		name, ours := strings.CutPrefix(key, prefix)
		if !ours {
			out[key] = wrong
			continue
		}
		kind := m.Type(key)
		is := func(want string) bool {
			if kind != want {
				out[name+" is a "+kind] = wrong
			}
			return kind == want
		}
		switch {
		case name == "sites", name == "held", name == "uniques", name == "rebuilds", name == "secret", strings.HasPrefix(name, "rebuild:"),
			strings.HasPrefix(name, "online:"), strings.HasPrefix(name, "mirror:"), strings.HasPrefix(name, "made:"):
		case strings.HasPrefix(name, "ckpt:"):
			if is("hash") && m.HGet(key, "begun") != m.HGet(key, "done") {
				out[name+" begun is not done"] = wrong
			}
		case strings.HasPrefix(name, "hot:"):
			if is("zset") {
				all, _ := m.SortedSet(key)
				for member, score := range all {
					out[name+" "+member] = int64(score)
				}
			}
		case strings.HasPrefix(name, "event:"), strings.HasPrefix(name, "page:bot:"), strings.HasPrefix(name, "site:minutes:"),
			strings.HasPrefix(name, "facet:"), strings.HasPrefix(name, "site:books:"), strings.HasPrefix(name, "api:"),
			strings.HasPrefix(name, "requests:") && !strings.HasPrefix(name, "requests:names:"),
			strings.HasPrefix(name, "uniques:uv:"):
			if is("hash") {
				fields, _ := m.HKeys(key)
				for _, f := range fields {
					out[name+" "+f] = toNumber(m.HGet(key, f))
				}
			}
		case strings.HasPrefix(name, "requests:names:"):
			if is("hash") {
				fields, _ := m.HKeys(key)
				for _, f := range fields {
					readName(out, name+" ", f, toNumber(m.HGet(key, f)))
				}
			}
		case strings.HasPrefix(name, "site:uv:set:"):
			if is("set") {
				n, _ := m.SCard(key)
				out[name] = int64(n)
			}
		case strings.HasPrefix(name, "page:pairs:"), strings.HasPrefix(name, "uniques:pairs:"):
			if is("string") {
				v, _ := m.Get(key)
				out[name] = int64(len(v) / 8)
			}
		case strings.HasPrefix(name, "seen:"):
			if is("string") {
				v, _ := m.Get(key)
				out[name[:strings.LastIndexByte(name, ':')]] += int64(len(v) / 12)
			}
		case strings.HasPrefix(name, "pending:"), strings.HasPrefix(name, "facets:"):
			out[name] = wrong
		default:
			if is("string") {
				v, _ := m.Get(key)
				out[name] = toNumber(v)
			}
		}
	}
	return out
}

// readName adds a field with somebody's name, which the ledger does not know, to how many
// there are.
func readName(out numbers, key, field string, n int64) {
	switch kind, name, _ := strings.Cut(field, ":count:"); {
	case kind == "reader":
		out[key+"readers"]++
		out[key+"seen"] += n
	case kind == "reading":
		_, page, _ := strings.Cut(name, " ")
		out[key+"read "+page]++
	case kind == "feed":
		who, path, _ := strings.Cut(name, " ")
		if out[key+"fetched"] += n; who != "" {
			out[key+"feed "+path]++
		}
	default:
		out[key+field] = wrong
	}
}
