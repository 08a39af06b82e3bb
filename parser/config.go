package parser

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"ddkk-stats/parser/format"
)

// DefaultBeaconPath is the beacon's path when Config names none.
const DefaultBeaconPath = "/event.png"

// GPCMode says what a request with "Sec-GPC: 1" counts (PRIVACY_GPC).
type GPCMode uint8

const (
	// GPCVisitor ("uv", the default) counts the view but no visitor.
	GPCVisitor GPCMode = iota
	// GPCAll ("all") counts nothing: the line is skipped as SkipBlocked.
	GPCAll
	// GPCOff ("off") counts as if the header were not there.
	GPCOff
)

// ParseGPCMode reads the value of PRIVACY_GPC.
func ParseGPCMode(s string) (GPCMode, error) {
	switch s {
	case "uv", "":
		return GPCVisitor, nil
	case "all":
		return GPCAll, nil
	case "off":
		return GPCOff, nil
	}
	return 0, fmt.Errorf("parse GPC mode %q: use uv, all or off", s)
}

// Config is all that decides what a line becomes. The zero value reads v1 lines
// of any site, in UTC, without checking Referers.
type Config struct {
	Format   Format
	Location *time.Location // where days begin; nil: UTC
	// LogLocation is the zone of times in foreign formats that tell none; nil:
	// Location.
	LogLocation *time.Location
	// Proxies are ours: of a list of addresses the client is the last that is not
	// in them.
	Proxies []netip.Prefix

	// Secret keys the visitor hash. Without one, hashes can be reversed by
	// trying all addresses.
	Secret []byte

	Sites   []string          // sites that count; empty: all
	Aliases map[string]string // host -> site that it counts for

	// RefererCheck skips lines whose Referer is of another site. A line without
	// a Referer passes. One whose Referer has no http(s) host ("null",
	// "android-app://...") does not: no browser sends that with an image.
	RefererCheck bool

	GPC        GPCMode
	Uniques    Uniques
	BeaconPath string // empty: DefaultBeaconPath
	Page       PageRules
	// PageSites are the rules of sites that have their own.
	PageSites map[string]PageRules

	Blocked []netip.Prefix // client networks that do not count
	// BlockedPaths are normalised pages that do not count; a "*" at the end
	// makes one a prefix.
	BlockedPaths []string
	// BotAgents are texts that make the user agents which hold them bots, beside
	// those of the embedded list.
	BotAgents []string
	// Self are the owner's own networks: skipped as SkipSelf.
	Self []netip.Prefix

	// BeaconKeys are the keys of which one must have signed a beacon, see Sign; none:
	// beacons need no signature.
	BeaconKeys []string

	// Off are the facets that are not counted.
	Off FacetSet
	// Country tells the country of an address as its ISO 3166 code, empty where it is not
	// known; nil: countries are not counted.
	Country func(netip.Addr) string

	// JSONFields says under which key FormatJSON finds a field, for those that
	// differ from the usual names: field (see JSONFieldNames) -> key.
	JSONFields map[string]string

	// Calls makes the log a site's own access log instead of a beacon's.
	Calls *CallRules
	// LogViews are the sites whose views are those of their own access log, and not
	// their beacons'.
	LogViews []LogView
	// Views makes the log a site's own access log of which the views of LogViews are
	// taken; Calls are rules then, too, but nothing is a call.
	Views bool

	// Rules take lines out of the numbers, or count them for another site.
	Rules Rules
}

// Parser turns lines into hits. It owns caches and buffers, so each goroutine
// needs its own.
type Parser struct {
	lines
	senders
	ruling
	naming

	beacon   string
	gpc      GPCMode
	refCheck bool
	allowed  map[string]bool   // nil: all
	aliases  map[string]string // normalised on both sides
	blocked  prefixSet
	self     prefixSet
	pages    pageList
	signed   *signatures
	picky    bool       // there is something in blocked, self or pages
	calls    *callRules // nil: a beacon's log
	logViews logViews
	asViews  bool // of a site's own log: its lines are views, not calls

	channels *channelTable
	sites    cache[*site]
	days     days
	// referrers are apart from sites, as anybody can make them up.
	referrers cache[*site]

	noSite                               site // what is no host stands for it
	lastParam, lastReferer, lastReferrer lastSite
	values                               facetValues
	countries                            countries
	lastLanguage                         lastLanguage
	screens                              screens
	nowhere                              *Value // the referrer of who came from nowhere
	direct, internal                     *Value // and the channels of those, and of ways within the site
	lastStart                            []byte // "site=S&page=" of a query with a site

}

// lines reads the fields of lines in the format that the log has.
type lines struct {
	format     Format
	layout     *format.Layout // of a compiled format; nil: of none
	jsonFields *jsonNode      // nil: the lines are no JSON
	proxies    prefixSet
	zone       *time.Location // of times that tell none

	fields  format.Fields // of the current line
	scanner jsonScanner
	stamp   []byte // the last time that was read, and what it was
	stampMS int64
	shape   shapeV1
	plainly bool // no short cuts: for tests
	extra   extra
	buf     []byte // decoded texts of the current line
}

// senders tells by their names who sent lines: people or programs, with what, on which
// device.
type senders struct {
	bots    *botMatcher
	ownBots [][]byte
	clients *clientTable
	values  *facetValues // the parser's
	agents  agents

	crawlers *crawlerTable // nil: nobody asks who they are
}

// extra is what a line holds beside the Hit.
type extra struct {
	host, purpose, gpc []byte
	accept             []byte // Accept-Language
	tongue             bool   // the line has a field for it
	asked              bool   // host is that of a request for a whole URL
	zoneless           bool   // the time told no zone
	span               *daySpan
	rules              *siteRules // about lines of the site
}

// Buffers start with room for nearly all lines; longer ones grow them.
const (
	startBuf     = 4 << 10
	cachedSites  = 4096
	maxCachedKey = 300
)

// New makes a parser, or says all that is wrong with the configuration.
func New(c Config) (*Parser, error) {
	p := &Parser{
		lines:   lines{format: c.Format, proxies: newPrefixSet(c.Proxies), zone: c.LogLocation, buf: make([]byte, 0, startBuf)},
		senders: senders{agents: newAgents()},
		beacon:  c.BeaconPath, gpc: c.GPC, refCheck: c.RefererCheck, asViews: c.Views,
		blocked: newPrefixSet(c.Blocked), self: newPrefixSet(c.Self),
		pages: newPageList(c.BlockedPaths),
		sites: newCache[*site](cachedSites, maxCachedKey), referrers: newCache[*site](cachedSites, maxCachedKey),
		signed: newSignatures(c.BeaconKeys),
		values: newFacetValues(c.Off),
		ruling: ruling{rules: c.Rules, secret: slices.Clone(c.Secret)},
		days:   days{loc: c.Location, secret: slices.Clone(c.Secret), uniques: c.Uniques},
		naming: naming{all: c.Page, pageBuf: make([]byte, 0, startBuf)},
	}
	p.senders.values = &p.values
	p.countries.lookup = c.Country
	p.screens = newScreens(&p.values)
	p.nowhere = p.referrerValue("")
	p.direct, p.internal = p.values.named(Channel, channelDirect), p.values.named(Channel, channelInternal)
	p.picky = len(c.Blocked)+len(c.Self)+len(c.BlockedPaths) > 0
	if p.days.loc == nil {
		p.days.loc = time.UTC
	}
	if p.zone == nil {
		p.zone = p.days.loc
	}
	for _, text := range c.BotAgents {
		if text != "" {
			p.ownBots = append(p.ownBots, []byte(text))
		}
	}
	if p.beacon == "" {
		p.beacon = DefaultBeaconPath
	}
	var errs []error
	if !strings.HasPrefix(p.beacon, "/") || strings.ContainsAny(p.beacon, "?# ") {
		errs = append(errs, fmt.Errorf("beacon path %q: use a path such as %s", p.beacon, DefaultBeaconPath))
	}
	errs = append(errs, p.setTables(), p.setSites(c.Sites), p.naming.set(c.PageSites), p.setAliases(c.Aliases), p.setCalls(c.Calls), p.setFormat(c))
	var err error
	if p.logViews, err = newLogViews(&c, p.aliases); err != nil {
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("configure parser: %w", err)
	}
	return p, nil
}

// setTables takes the tables that all parsers share.
func (p *Parser) setTables() error {
	var errs []error
	var err error
	if p.bots, err = crawlers(); err != nil {
		errs = append(errs, err)
	}
	if p.clients, err = clients(); err != nil {
		errs = append(errs, err)
	}
	if p.channels, err = channels(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (ln *lines) setFormat(c Config) (err error) {
	switch c.Format {
	case FormatV1, FormatCombined, FormatJSON:
	default:
		if ln.layout, err = format.Compile(string(c.Format)); err != nil {
			err = fmt.Errorf("log format %q: %w", string(c.Format), err)
		}
	}
	var own []format.Key
	if ln.layout != nil {
		own = ln.layout.JSON
	}
	var wrong error // what JSONFields names is looked at whatever the format is
	ln.jsonFields, wrong = jsonKeys(own, c.JSONFields)
	return errors.Join(err, wrong)
}

func (p *Parser) setSites(sites []string) error {
	var errs []error
	for _, s := range sites {
		name, ok := NormalizeSite(s)
		if !ok {
			errs = append(errs, fmt.Errorf("site %q is no host name", s))
			continue
		}
		if p.allowed == nil {
			p.allowed = map[string]bool{}
		}
		p.allowed[name] = true
	}
	return errors.Join(errs...)
}

func (p *Parser) setAliases(aliases map[string]string) error {
	var errs []error
	p.aliases = make(map[string]string, len(aliases))
	for host, target := range aliases {
		from, ok1 := NormalizeSite(host)
		to, ok2 := NormalizeSite(target)
		if !ok1 || !ok2 {
			errs = append(errs, fmt.Errorf("alias %q of site %q: both must be host names", host, target))
			continue
		}
		p.aliases[from] = to
	}
	p.ruling.aliases = p.aliases
	if len(p.ruling.rules.All) > 0 {
		p.aliases = p.ruling.rules.resolved(p.aliases)
	}
	return errors.Join(errs...)
}

// prefixSet finds whether an address is in one of many networks, with one look
// up for each length of prefix in use.
type prefixSet struct {
	lengths  []netip.Prefix // one of each family and length
	prefixes map[netip.Prefix]bool
}

func newPrefixSet(list []netip.Prefix) prefixSet {
	s := prefixSet{prefixes: make(map[netip.Prefix]bool, len(list))}
	type kind struct {
		is4  bool
		bits int
	}
	seen := map[kind]bool{}
	for _, prefix := range list {
		prefix = prefix.Masked()
		if !prefix.IsValid() {
			continue // the zero Prefix holds no address
		}
		s.prefixes[prefix] = true
		if k := (kind{prefix.Addr().Is4(), prefix.Bits()}); !seen[k] {
			seen[k] = true
			s.lengths = append(s.lengths, prefix)
		}
	}
	return s
}

func (s *prefixSet) has(addr netip.Addr) bool {
	for _, l := range s.lengths {
		if l.Addr().Is4() != addr.Is4() {
			continue
		}
		if prefix, err := addr.Prefix(l.Bits()); err == nil && s.prefixes[prefix] {
			return true
		}
	}
	return false
}

// pageList is a set of pages and of prefixes of pages.
type pageList struct {
	exact    map[string]bool
	prefixes []string
}

func newPageList(list []string) pageList {
	l := pageList{exact: map[string]bool{}}
	for _, page := range list {
		if prefix, ok := strings.CutSuffix(page, "*"); ok {
			l.prefixes = append(l.prefixes, prefix)
		} else {
			l.exact[page] = true
		}
	}
	return l
}

func (l *pageList) has(page []byte) bool {
	if len(l.exact) > 0 && l.exact[string(page)] {
		return true
	}
	for _, prefix := range l.prefixes {
		if len(page) >= len(prefix) && string(page[:len(prefix)]) == prefix {
			return true
		}
	}
	return false
}
