package parser

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
)

// Bounds of the cache of user agents: about 2 x 8192 entries. Longer ones than
// maxCachedAgent are those of attackers and cost a pass over their bytes each.
const (
	cachedAgents   = 8192
	maxCachedAgent = 512
)

// agent is what a user agent tells, and its digest for the visitor hash. It is a line of
// the processor's cache long: most lines are of another agent than the one before.
type agent struct {
	text   string
	digest [16]byte
	with   *with
	caller *caller
	bot    bool
	device Device
}

// with is what is used; nil where that is not counted.
type with struct{ browser, os, kind *Value }

// caller is who asks, which is looked at of a site's own log only.
type caller struct {
	crawler *Crawler // nil: a person
	readers int      // that it fetches a feed for; -1: it does not say
	feed    string   // which of its feeds that is, where it has several of one address; empty: it does not say
}

// agents remembers what user agents tell. Before the cache stands a table with
// one place for each of some cheap hashes, which most lines find theirs in.
type agents struct {
	cache  cache[*agent]
	recent [recentAgents]*agent
	long   agent // the last one that is too long to be kept

	withs   map[with]*with // each once: what there is of names bounds them
	nothing with
	nobody  caller
}

const recentAgents = 1 << 12

func newAgents() agents {
	return agents{cache: newCache[*agent](cachedAgents, maxCachedAgent), withs: map[with]*with{}, nobody: caller{readers: -1}}
}

// withThese is w, once for all agents that have it.
func (a *agents) withThese(w with) *with {
	known := a.withs[w]
	if known == nil {
		known = &with{w.browser, w.os, w.kind}
		a.withs[w] = known
	}
	return known
}

// place is where a user agent stands in recent, if it does. Its kind of browser
// and system stand at its beginning, their versions at its end.
func (a *agents) place(ua []byte) **agent {
	n := len(ua)
	if n < agentWords {
		return &a.recent[n]
	}
	from, to := ua[:agentWords], ua[n-agentWords:]
	h := uint64(n) +
		binary.LittleEndian.Uint64(from[13:])*0x9e3779b97f4a7c15 + binary.LittleEndian.Uint64(from[21:])*0xc2b2ae3d27d4eb4f +
		binary.LittleEndian.Uint64(from[29:])*0x165667b19e3779f9 + binary.LittleEndian.Uint64(to[8:])*0x27d4eb2f165667c5 +
		binary.LittleEndian.Uint64(to[16:])*0xd6e8feb86659fd93 + binary.LittleEndian.Uint64(to[24:])*0xa0761d6478bd642f +
		binary.LittleEndian.Uint64(to[32:])*0xe7037ed1a0b428db
	return &a.recent[h>>(64-12)]
}

// agentWords is the length from which on a user agent has the bytes that place
// looks at.
const agentWords = 40

// agentOf classifies a decoded user agent; what it points to is valid until the
// next call. An empty one (or "-", which is how
// logs write it) is a potential bot: no browser hides it.
func (s *senders) agentOf(ua []byte) *agent {
	place := s.agents.place(ua)
	if a := *place; a != nil && a.text == string(ua) {
		return a
	}
	if len(ua) > maxCachedAgent {
		s.agents.long = s.classify(ua)
		return &s.agents.long
	}
	a, ok := s.agents.cache.get(ua)
	if !ok {
		seen := s.classify(ua)
		seen.text = string(ua)
		a = &seen
		s.agents.cache.put(ua, a)
	}
	*place = a
	return a
}

func (s *senders) classify(ua []byte) agent {
	c := s.clients.client(ua)
	a := agent{device: c.device, bot: len(ua) == 0 || s.bots.match(ua) || s.ownBot(ua) != nil}
	sum := sha256.Sum256(ua)
	copy(a.digest[:], sum[:])
	a.with, a.caller = &s.agents.nothing, &s.agents.nobody
	if !a.bot { // those name browsers that they are not
		a.with = s.agents.withThese(with{s.values.named(Browser, c.browser), s.values.named(OS, c.os), s.values.named(DeviceType, c.kind)})
	}
	if s.crawlers != nil {
		from := &caller{}
		if from.crawler, from.readers = s.crawlerOf(ua, a.bot); from.readers >= 0 {
			from.feed = feedID(ua)
		}
		a.caller = from
	}
	return a
}

// ownBot is the one of the owner's texts that a user agent holds; nil: none.
func (s *senders) ownBot(ua []byte) []byte {
	for _, text := range s.ownBots {
		if bytes.Contains(ua, text) {
			return text
		}
	}
	return nil
}

// IsBot says whether a user agent is a bot's: by the list, by BotAgents, or as it is none.
func (s *senders) IsBot(agent []byte) bool { return s.agentOf(agent).bot }
