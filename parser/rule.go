package parser

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"net/netip"
	"strings"
)

// RuleKind is what a rule does with the lines that it is about.
type RuleKind string

const (
	// RuleVoid takes lines out of all numbers, until it is undone.
	RuleVoid RuleKind = "void"
	// RuleDelete takes lines out of all numbers for ever: what is kept of them is
	// destroyed as well.
	RuleDelete RuleKind = "delete"
	// RuleRename counts a site's lines for another site.
	RuleRename RuleKind = "rename"
)

// Rule changes what lines come to that were written already, and those to come. Rules
// are kept in SQL, known to every host and obeyed by every replay.
type Rule struct {
	Num  int64    `json:"-"`
	Kind RuleKind `json:"-"`
	// Done tells that a deletion's site is gone from SQL, so that nobody need know it
	// any more.
	Done bool `json:"-"`

	Site string `json:"site,omitempty"` // as it was called when the rule was made; "": all
	To   string `json:"to,omitempty"`   // of a RuleRename

	From  int64 `json:"from,omitempty"`  // ms, included
	Until int64 `json:"until,omitempty"` // ms, not included; 0: without an end

	Page     string       `json:"page,omitempty"` // of a RuleVoid "*" stands for anything
	Net      netip.Prefix `json:"net,omitzero"`
	Agent    string       `json:"agent,omitempty"` // a part of the user agent
	Referrer string       `json:"referrer,omitempty"`
	Where    []RuleTerm   `json:"where,omitempty"` // of a RuleVoid
	// Client is a client as ClientHash has it; Agents: together with its user agent.
	Client string `json:"client,omitempty"`
	Agents bool   `json:"agents,omitempty"`

	// Addr is whom Client stands for. Only who makes the rule knows it, and keeps it
	// nowhere: raw rows that have a part of their address are found by it.
	Addr netip.Addr `json:"-"`
}

// Leaves tells whether a rule leaves nothing of its site under that name.
func (r *Rule) Leaves() bool { return r.WholeSite() || r.Kind == RuleRename }

// WholeSite tells whether a deletion leaves nothing of its site.
func (r *Rule) WholeSite() bool {
	return r.Kind == RuleDelete && r.Site != "" && r.Page == "" && r.Client == ""
}

// Rules are all that are in force, in the order in which they were made. Version
// changes whenever one comes or goes.
type Rules struct {
	Version int64  `json:"version"`
	All     []Rule `json:"-"`
}

// Renamed is the site that a site's lines count for.
func (r *Rules) Renamed(site string) string {
	for i := range r.All {
		if rule := &r.All[i]; rule.Kind == RuleRename && rule.Site == site {
			site = rule.To
		}
	}
	return site
}

// resolved are aliases with the sites that were renamed.
func (r *Rules) resolved(aliases map[string]string) map[string]string {
	all := make(map[string]string, len(aliases)+len(r.All))
	for from, to := range aliases {
		all[from] = r.Renamed(to)
	}
	for i := range r.All {
		rule := &r.All[i]
		if _, set := aliases[rule.Site]; rule.Kind != RuleRename || set {
			continue
		}
		if to := r.Renamed(rule.Site); to != rule.Site {
			all[rule.Site] = to
		}
	}
	return all
}

// clientDomain separates the use of the secret for clients in rules from any other.
const clientDomain = "ddkk-rule-client"

// ClientHash stands for a client in a rule, so that the rule does not keep who it is
// that asked to be forgotten. An IPv6 address counts by its /64, as visitors do; agent
// is nil where any user agent is meant.
func ClientHash(secret []byte, addr netip.Addr, agent []byte) string {
	mac := hmac.New(sha256.New, secret)
	ip := clientAddr(addr).As16()
	mac.Write([]byte(clientDomain)) // a hash never fails
	mac.Write(ip[:])
	if agent != nil {
		mac.Write([]byte{0})
		mac.Write(agent)
	}
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// clientAddr is what tells a client from others.
func clientAddr(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if !addr.Is6() {
		return addr
	}
	p, err := addr.Prefix(64)
	if err != nil {
		return addr
	}
	return p.Addr()
}

// ruling applies rules to lines.
type ruling struct {
	rules   Rules
	secret  []byte
	aliases map[string]string // those of the settings, without the renamed sites

	asked netip.Addr // whose hash is kept
	hash  string
	old   []byte // what the line's page is called without aliases; empty: as it is with them
}

// RulesVersion tells which rules a parser has.
func (r *ruling) RulesVersion() int64 { return r.rules.Version }

// Ruled tells whether any rule is about lines of a site.
func (r *ruling) Ruled(site string) bool { return r.of(site) != nil }

// DeletedUntil is the moment before which all of a site was deleted; 0: it was not.
func (r *ruling) DeletedUntil(site string) (until int64) {
	if s := r.of(site); s != nil {
		for _, rule := range s.all {
			if rule.WholeSite() {
				until = max(until, rule.Until)
			}
		}
	}
	return until
}

// PageDeleted tells whether what a page had at a moment was deleted.
func (r *ruling) PageDeleted(site string, page []byte, at int64) bool {
	if s := r.of(site); s != nil {
		for _, rule := range s.all {
			if rule.Kind == RuleDelete && rule.Page != "" && rule.Client == "" && rule.names(page) && at < rule.Until {
				return true
			}
		}
	}
	return false
}

// siteRules are those about lines of one site.
type siteRules struct {
	*ruling
	all   []*Rule
	until int64 // lines from here on are none of theirs
}

// of finds the rules about a site, by what it was called before any was renamed; nil:
// there are none.
func (r *ruling) of(site string) *siteRules {
	if len(r.rules.All) == 0 {
		return nil
	}
	s := &siteRules{ruling: r}
	for i := range r.rules.All {
		rule := &r.rules.All[i]
		switch {
		case rule.Kind == RuleRename && rule.Site == site:
			site = rule.To
		case rule.Kind != RuleRename && (rule.Site == "" || rule.Site == site):
			s.all = append(s.all, rule)
			if s.until = max(s.until, rule.Until); rule.Until == 0 {
				s.until = math.MaxInt64
			}
		}
	}
	if len(s.all) == 0 {
		return nil
	}
	return s
}

// takes tells whether a rule takes a hit out of the numbers. What was deleted stays so,
// whatever is voided or not.
func (s *siteRules) takes(h *Hit) (reason Reason) {
	if s == nil || h.Time >= s.until {
		return ReasonNone
	}
	for _, r := range s.all {
		if r.about(h, s.old, nil) && (!r.Net.IsValid() || h.Addr.IsValid() && r.Net.Contains(h.Addr.WithZone(""))) && s.isClient(r, h) {
			reason = max(reason, r.reason())
		}
	}
	return reason
}

// takesKept is takes for a raw row. What is not kept of its client leaves a doubt.
func (s *siteRules) takesKept(k *Kept, h *Hit, span *daySpan, agent *agent) (reason Reason, doubt Doubt) {
	if s == nil || h.Time >= s.until {
		return ReasonNone, 0
	}
	for _, r := range s.all {
		if !r.about(h, nil, k.Key) {
			continue
		}
		if r.Net.IsValid() {
			set := newPrefixSet([]netip.Prefix{r.Net})
			in, sure := set.tells(k.Addr, k.AddrBits)
			if !sure {
				doubt |= DoubtAddress
			}
			if !in {
				continue
			}
		}
		if r.Client != "" && (!k.Addr.IsValid() || k.AddrBits < clientBits(k.Addr)) {
			switch {
			case !r.Addr.IsValid() || agent == nil || k.Visitor.IsZero():
				doubt |= DoubtAddress
				continue
			case r.Agents && ClientHash(s.secret, r.Addr, k.UserAgent) != r.Client,
				span.visitors.hash(clientAddr(r.Addr), &agent.digest, k.Site) != k.Visitor:
				continue
			}
		} else if !s.isClient(r, h) {
			continue
		}
		reason = max(reason, r.reason())
	}
	return reason, doubt
}

// clientBits are how many leading bits of an address tell a client.
func clientBits(addr netip.Addr) int {
	if addr.Is6() {
		return 64
	}
	return 32
}

// reason is why a rule has lines skipped: of two the greater one says more.
func (r *Rule) reason() Reason {
	if r.Kind == RuleDelete {
		return SkipDeleted
	}
	return SkipVoid
}

// about tells whether all of a rule is true of a hit but what it says of the client's address.
func (r *Rule) about(h *Hit, old, event []byte) bool {
	switch {
	case h.Time < r.From || r.Until != 0 && h.Time >= r.Until:
	case r.Agent != "" && !containsText(h.UserAgent, r.Agent):
	case r.Referrer != "" && h.Referrer != r.Referrer:
	case len(r.Where) > 0 && (h.Kind == APICall || h.Page == nil || !wants(r.Where, h, event)):
	case r.Page == "":
		return true
	case h.Kind == APICall || h.Page == nil:
	default:
		return r.names(h.Page) || len(old) > 0 && r.names(old)
	}
	return false
}

// names tells whether a rule is about a page.
func (r *Rule) names(page []byte) bool {
	if r.Kind == RuleDelete {
		return string(page) == r.Page
	}
	return matches(r.Page, page)
}

func containsText(b []byte, text string) bool { return bytes.Contains(b, []byte(text)) }

func (r *ruling) isClient(rule *Rule, h *Hit) bool {
	switch {
	case rule.Client == "":
		return true
	case !h.Addr.IsValid():
		return false
	case rule.Agents:
		agent := h.UserAgent
		if agent == nil {
			agent = []byte{}
		}
		return ClientHash(r.secret, h.Addr, agent) == rule.Client
	case h.Addr != r.asked:
		r.asked, r.hash = h.Addr, ClientHash(r.secret, h.Addr, nil)
	}
	return r.hash == rule.Client
}

// matches tells whether a text is of a pattern, in which "*" stands for anything.
func matches(pattern string, text []byte) bool {
	head, rest, star := strings.Cut(pattern, "*")
	if !star {
		return string(text) == pattern
	}
	text, ok := bytes.CutPrefix(text, []byte(head))
	if !ok {
		return false
	}
	for {
		part, more, star := strings.Cut(rest, "*")
		if !star {
			return bytes.HasSuffix(text, []byte(part))
		}
		i := bytes.Index(text, []byte(part))
		if i < 0 {
			return false
		}
		text, rest = text[i+len(part):], more
	}
}
