package parser

import (
	_ "embed"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"sync"
)

//go:generate go run ./internal/crawlers

// crawlerPatterns are the patterns of the npm package crawler-user-agents, one
// regular expression a line; "#" starts a comment. See data/README.md.
//
//go:embed data/crawlers.txt
var crawlerPatterns string

// monitorPatterns are the same of health checks and monitors, which that package
// leaves out.
//
//go:embed data/monitors.txt
var monitorPatterns string

// botMatcher tells bots by their user agents. Nearly all patterns are plain
// text and are found all at once by one pass of an automaton; the few others
// are run only where a text that they cannot do without was found. So the cost
// is linear in the user agent whatever it holds.
type botMatcher struct {
	texts automaton
	rules []botRule // by the automaton's text id
	names []string  // the texts
}

// botRule says what a found text means: a bot (nil), or a bot if one of these
// matches.
type botRule struct{ confirm []*regexp.Regexp }

// crawlers is the matcher of the embedded lists: an immutable table, built when
// the first Parser is.
var crawlers = sync.OnceValues(func() (*botMatcher, error) { return newBotMatcher(crawlerPatterns + monitorPatterns) })

func newBotMatcher(list string) (*botMatcher, error) {
	found := map[string]*botRule{}
	for pattern := range strings.Lines(list) {
		pattern = strings.TrimRight(pattern, "\r\n")
		if pattern == "" || pattern[0] == '#' {
			continue
		}
		if err := addPattern(found, pattern); err != nil {
			return nil, fmt.Errorf("compile bot pattern %q: %w", pattern, err)
		}
	}
	m := &botMatcher{}
	for text, rule := range found {
		m.texts.add(text, len(m.rules))
		m.rules, m.names = append(m.rules, *rule), append(m.names, text)
	}
	if err := m.texts.build(); err != nil {
		return nil, err
	}
	return m, nil
}

func addPattern(found map[string]*botRule, pattern string) error {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return err
	}
	if text, ok := plainText(re); ok {
		found[text] = &botRule{}
		return nil
	}
	texts := neededTexts(re)
	if len(texts) == 0 {
		return fmt.Errorf("it matches without any fixed text: write it with one")
	}
	confirm, err := regexp.Compile(pattern)
	if err != nil {
		return err
	}
	for _, text := range texts {
		rule := found[text]
		if rule == nil {
			rule = &botRule{}
			found[text] = rule
		} else if rule.confirm == nil {
			continue // the text alone is a bot already
		}
		rule.confirm = append(rule.confirm, confirm)
	}
	return nil
}

// plainText is the text that re matches, if it matches just one.
func plainText(re *syntax.Regexp) (string, bool) {
	if re.Op != syntax.OpLiteral || re.Flags&syntax.FoldCase != 0 {
		return "", false
	}
	return string(re.Rune), true
}

// neededTexts are texts of which every match of re contains at least one; none
// if no such can be told. Of a sequence the part with the longest texts is
// taken.
func neededTexts(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpLiteral:
		if text, ok := plainText(re); ok {
			return []string{text}
		}
	case syntax.OpCapture, syntax.OpPlus:
		return neededTexts(re.Sub[0])
	case syntax.OpConcat:
		var best []string
		for _, sub := range re.Sub {
			if texts := neededTexts(sub); shortest(texts) > shortest(best) {
				best = texts
			}
		}
		return best
	case syntax.OpAlternate:
		var all []string
		for _, sub := range re.Sub {
			texts := neededTexts(sub)
			if len(texts) == 0 {
				return nil
			}
			all = append(all, texts...)
		}
		return all
	}
	return nil
}

func shortest(texts []string) int {
	if len(texts) == 0 {
		return 0
	}
	n := len(texts[0])
	for _, t := range texts[1:] {
		n = min(n, len(t))
	}
	return n
}

// match says whether the user agent is a bot's.
func (m *botMatcher) match(agent []byte) bool {
	return m.texts.find(agent, func(id int) bool {
		rule := &m.rules[id]
		for _, re := range rule.confirm {
			if re.Match(agent) {
				return true
			}
		}
		return rule.confirm == nil
	})
}

// named is the text by which a user agent is a bot's, as a name.
func (m *botMatcher) named(agent []byte) (name string) {
	m.texts.find(agent, func(id int) bool {
		rule := &m.rules[id]
		for _, re := range rule.confirm {
			if found := re.Find(agent); found != nil {
				name = string(found)
				return true
			}
		}
		if rule.confirm == nil {
			name = m.names[id]
		}
		return rule.confirm == nil
	})
	return string(appendName(nil, []byte(strings.Trim(name, " /;:()^-")), maxCrawler))
}
