package parser

import (
	"bytes"
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// operatorLines say who sends crawlers, and what for; see data/README.md.
//
//go:embed data/operators.txt
var operatorLines string

// Crawler is who sends requests by programs.
type Crawler struct {
	Name     string
	Operator string // empty: not known
	Purpose  string // one of Purposes
}

// The purposes of crawlers.
const (
	PurposeOther = "other"
	PurposeFeed  = "feed reader"
)

// Purposes are all there are.
var Purposes = []string{"search", "AI training", "AI assistant", "SEO", "preview", "monitor", PurposeFeed, "archive", PurposeOther}

// crawlerTable tells who a crawler is by its user agent.
type crawlerTable struct {
	texts  automaton
	rules  []*Crawler // by the line of the text
	byName map[string]*Crawler
}

// operators is the table of the embedded file.
var operators = sync.OnceValues(func() (*crawlerTable, error) { return newCrawlerTable(operatorLines) })

func newCrawlerTable(text string) (*crawlerTable, error) {
	t := &crawlerTable{byName: map[string]*Crawler{}}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" || line[0] == '#' {
			continue
		}
		f := strings.Split(line, "|")
		if len(f) != 4 || f[2] == "" || f[3] == "" || !slices.Contains(Purposes, f[0]) {
			return nil, fmt.Errorf("line %q of the table of crawlers: want purpose|operator|name|text", line)
		}
		c := t.byName[f[2]]
		if c == nil {
			c = &Crawler{Name: f[2], Operator: f[1], Purpose: f[0]}
			t.byName[c.Name] = c
		} else if *c != (Crawler{f[2], f[1], f[0]}) {
			return nil, fmt.Errorf("line %q of the table of crawlers: this name has another operator or purpose above", line)
		}
		t.texts.add(f[3], len(t.rules))
		t.rules = append(t.rules, c)
	}
	return t, t.texts.build()
}

// find is who a user agent is of by the table; nil: nobody who is in it.
func (t *crawlerTable) find(agent []byte) *Crawler {
	first := len(t.rules)
	t.texts.find(agent, func(id int) bool {
		first = min(first, id)
		return false
	})
	if first == len(t.rules) {
		return nil
	}
	return t.rules[first]
}

// named is the crawler of a name: one of the table, or one of which no more is known.
func (t *crawlerTable) named(name string) *Crawler {
	if c := t.byName[name]; c != nil {
		return c
	}
	return &Crawler{Name: name, Purpose: PurposeOther}
}

// CrawlerNamed is what is known of a crawler by its name.
func CrawlerNamed(name string) Crawler {
	t, err := operators()
	if err != nil {
		return Crawler{Name: name, Purpose: PurposeOther} // no parser was made then
	}
	return *t.named(name)
}

// noAgent is the name of those who send no user agent.
const noAgent = "no user agent"

// crawlerOf is who a user agent is of; nil: a person, or who looks like one. readers are
// those that it says it fetches a feed for.
func (s *senders) crawlerOf(agent []byte, bot bool) (c *Crawler, readers int) {
	readers = subscribers(agent)
	if !bot && readers < 0 {
		return nil, readers
	}
	if c = s.crawlers.find(agent); c != nil && (bot || c.Purpose == PurposeFeed) {
		return c, readers
	}
	name := noAgent
	switch own := s.ownBot(agent); {
	case readers >= 0:
		name = product(agent)
	case own != nil:
		name = string(own)
	case len(agent) > 0:
		name = s.bots.named(agent)
	}
	if readers >= 0 {
		return &Crawler{Name: name, Purpose: PurposeFeed}, readers
	}
	return s.crawlers.named(name), readers
}

// product is what a user agent begins with: the name of a program.
func product(agent []byte) string {
	if i := bytes.IndexAny(agent, "/;("); i >= 0 {
		agent = agent[:i]
	}
	if i := bytes.Index(agent, []byte(" feed-id")); i > 0 {
		agent = agent[:i]
	}
	if i := bytes.Index(agent, []byte(" - ")); i > 0 {
		agent = agent[:i]
	}
	name := string(appendName(nil, bytes.TrimSpace(agent), maxCrawler))
	if name == "" {
		return PurposeFeed
	}
	return name
}

// feedID is the number of a feed that an aggregator names, as "feed-id=12" or "feed-id:12": each
// has readers of its own.
func feedID(agent []byte) string {
	i := bytes.Index(agent, []byte("feed-id"))
	if i < 0 || i+8 >= len(agent) {
		return ""
	}
	id := agent[i+8:]
	end := 0
	for end < len(id) && end < 32 && (id[end] >= '0' && id[end] <= '9' || id[end] >= 'a' && id[end] <= 'f') {
		end++
	}
	return string(id[:end])
}

// maxCrawler is the longest name of a crawler in bytes.
const maxCrawler = 64

// subscribers is how many readers a user agent says that it fetches a feed for, as
// "Feedbin - 12 subscribers"; -1: it does not say.
func subscribers(agent []byte) int {
	for _, word := range []string{" subscriber", " reader"} {
		end := bytes.Index(agent, []byte(word))
		begin := end
		for begin > 0 && agent[begin-1] >= '0' && agent[begin-1] <= '9' {
			begin--
		}
		if digits := end - begin; end <= 0 || digits == 0 || digits > 9 {
			continue
		}
		n := 0
		for _, c := range agent[begin:end] {
			n = 10*n + int(c-'0')
		}
		return n
	}
	return -1
}
