package keys

import (
	"strconv"
	"strings"

	"ddkk-stats/parser"
)

// Name is what a key is made of. Rest is what its family's pattern has beside
// the site: a page, a number, the digits of a period.
type Name struct {
	Family Family
	Site   string
	Rest   string
}

// rest is the kind of what a pattern has beside the site.
type rest uint8

const (
	nothing rest = iota
	anything
	number
	digits
	week
	term // a week or a month
)

// form is a pattern cut into its parts: head, site, mid, rest, tail.
type form struct {
	head, mid, tail string
	site            bool
	rest            rest
	length          int // of digits
}

var forms = func() (all [families]form) {
	for f, s := range Table {
		all[f] = newForm(s.Pattern)
	}
	return all
}()

func newForm(pattern string) form {
	head, tail, site := strings.Cut(pattern, ":S")
	if !site {
		return form{head: pattern}
	}
	f := form{head: head + ":", site: true}
	for _, x := range []struct {
		word   string
		rest   rest
		length int
	}{{"GGGGWVV", week, 0}, {"YYYYMMDDHHMM", digits, 12}, {"YYYYMMDDHH", digits, 10}, {"YYYYMM", digits, 6},
		{"PAGE", anything, 0}, {"D", digits, 8}, {"N", number, 0}, {"T", term, 0}} {
		if mid, end, ok := strings.Cut(tail, ":"+x.word); ok {
			f.mid, f.tail, f.rest, f.length = mid+":", end, x.rest, x.length
			return f
		}
	}
	f.mid = tail
	return f
}

// fits tells whether text can be the rest of a key of this form: exactly what
// the methods of Keys make of days and numbers.
func (f *form) fits(text string) bool {
	switch f.rest {
	case nothing:
		return text == ""
	case number:
		n, err := strconv.ParseInt(text, 10, 64)
		return err == nil && strconv.FormatInt(n, 10) == text
	case digits:
		return len(text) == f.length && allDigits(text)
	case week:
		return len(text) == len("GGGGWVV") && text[4] == 'W' && allDigits(text[:4]) && allDigits(text[5:])
	case term:
		_, _, ok := parser.TermNamed(text)
		return ok
	}
	return true
}

func allDigits(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// Key is the key of that name. Rest must be what the family's pattern asks for.
func (k Keys) Key(n Name) string {
	f := &forms[n.Family]
	if !f.site {
		return k.prefix + ":" + f.head
	}
	return k.prefix + ":" + f.head + k.site(n.Site) + f.mid + n.Rest + f.tail
}

// Parse tells what a key is made of; false: it is none of ours.
func (k Keys) Parse(key string) (Name, bool) {
	text, ok := strings.CutPrefix(key, k.prefix)
	if !ok || text == "" || text[0] != ':' {
		return Name{}, false
	}
	for f := range families {
		if n, ok := k.parseAs(f, text[1:]); ok {
			return n, true
		}
	}
	return Name{}, false
}

func (k Keys) parseAs(family Family, text string) (n Name, ok bool) {
	f := &forms[family]
	n.Family = family
	if !f.site {
		return n, text == f.head
	}
	if text, ok = strings.CutPrefix(text, f.head); !ok {
		return n, false
	}
	if n.Site, text, ok = k.cutSite(text); !ok {
		return n, false
	}
	if text, ok = strings.CutPrefix(text, f.mid); !ok {
		return n, false
	}
	n.Rest, ok = strings.CutSuffix(text, f.tail)
	return n, ok && f.fits(n.Rest)
}

// SiteOf tells the site of a key that counting made: those that a rebuild of
// the site makes anew.
func (k Keys) SiteOf(key string) (site string, ok bool) {
	if n, ok := k.Parse(key); ok {
		return n.Site, Table[n.Family].Holds != Apart
	}
	return k.parseFormerReferrers(key)
}

// Counted tells the site of a key that holds numbers which were counted.
func (k Keys) Counted(key string) (site string, ok bool) {
	n, ok := k.Parse(key)
	return n.Site, ok && Table[n.Family].Holds == Counts
}

// Pattern is what SCAN must match to find every key of ours.
func (k Keys) Pattern() string { return GlobEscape(k.prefix) + ":*" }

// GlobEscape makes a text match itself in a SCAN pattern.
func GlobEscape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`).Replace(s)
}
