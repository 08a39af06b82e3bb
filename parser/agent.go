package parser

import (
	"bytes"
	"crypto/sha256"
)

// Bounds of the cache of user agents: about 2 x 8192 entries. Longer ones than
// maxCachedAgent are those of attackers and cost a pass over their bytes each.
const (
	cachedAgents   = 8192
	maxCachedAgent = 512
)

// agent is what a user agent tells, and its digest for the visitor hash.
type agent struct {
	digest [16]byte
	bot    bool
	device Device
}

// agentOf classifies a decoded user agent. An empty one (or "-", which is how
// logs write it) is a potential bot: no browser hides it.
func (p *Parser) agentOf(ua []byte) agent {
	if a, ok := p.agents.get(ua); ok {
		return a
	}
	sum := sha256.Sum256(ua)
	a := agent{device: deviceOf(ua), bot: len(ua) == 0 || p.bots.match(ua) || p.isOwnBot(ua)}
	copy(a.digest[:], sum[:])
	p.agents.put(ua, a)
	return a
}

// isOwnBot tells whether a user agent holds one of the owner's texts.
func (p *Parser) isOwnBot(ua []byte) bool {
	for _, text := range p.ownBots {
		if bytes.Contains(ua, text) {
			return true
		}
	}
	return false
}
