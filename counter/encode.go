package counter

import (
	"slices"
	"strconv"
	"time"

	"ddkk-stats/counter/keys"
	"ddkk-stats/parser"
)

// encoder writes changes as the keys and arguments of scripts: what a part or a fold
// says, in the order in which the script takes it. It asks nothing of Redis.
type encoder struct {
	keys     Keys
	loc      *time.Location // of the days
	now      func() time.Time
	redisNow func() time.Time // which decides when keys die
	uvTTL    time.Duration    // how long visitors of a day are remembered
}

// expireAt is when a key of a period dies that ends at the start of day end,
// as Unix seconds; ok is false when that is over or nearly so: then the key is
// not written any more.
func (e *encoder) expireAt(end parser.Day, ttl time.Duration) (int64, bool) {
	at := expiry(e.loc, end, ttl)
	return at.Unix(), writable(at, e.redisNow())
}

// writable tells whether a key that dies at a moment is still worth writing, by Redis'
// clock.
func writable(dies, now time.Time) bool { return dies.After(now.Add(time.Hour)) }

// part writes a part as one call of commit.lua.
func (e *encoder) part(p *part) *call {
	k, s := e.keys, p.site.name
	c := &call{}
	c.key(k.Checkpoint(s), k.MirrorState(s), k.MirrorDue(s), k.PageBots(s), k.Made(s))
	from := any("")
	if p.from != none {
		from = p.from
	}
	c.arg(p.expect, p.epoch, p.segment, from, p.to)
	e.checks(c, p)
	e.types(c, p)
	e.counters(c, p, p.deferred)
	e.hashes(c, p)
	e.ranks(c, p, p.deferred)
	e.visitors(c, p)
	e.appends(c, p)
	e.online(c, p)
	e.lists(c, p)
	return c
}

// lists appends to the lists of the site.
func (e *encoder) lists(c *call, p *part) {
	at := len(c.args)
	c.arg(0)
	n := 0
	for l, blobs := range [pendingKinds][][]byte{pendingPages: pendingBlobs(p, p.deferred), pendingFacets: e.facetBlobs(p)} {
		p.appended[l] = tail{}
		if len(blobs) == 0 {
			continue
		}
		n++
		c.key(pendingKind(l).key(e.keys, p.site.name))
		c.arg(len(blobs))
		for _, b := range blobs {
			p.appended[l].n++
			p.appended[l].size += len(b)
			c.arg(b)
		}
	}
	c.args[at] = n
}

// minDeferred: a part with fewer pages costs less to write than to put off.
const minDeferred = 16

// writesPerPart is what each part costs beside what it is weighed for: its
// checks, its sums and the checkpoint, 180 us where a write takes 4.
const writesPerPart = 45

// writesPerPage: PV, UV and four ranked lists.
const writesPerPage = 6

// writesPerBot: in all and on the day.
const writesPerBot = 2

// How many checks a site and each of its days have.
const (
	siteChecks = 2
	dayChecks  = 4
	termChecks = 1
)

func (e *encoder) checks(c *call, p *part) {
	k, s := e.keys, p.site.name
	terms := p.termChecks()
	c.arg(siteChecks + dayChecks*len(p.days) + termChecks*len(terms) + len(p.seen))
	c.key(k.SitePV(s), k.SiteUV(s))
	c.arg("GET", p.site.pv, "GET", p.site.uv)
	for _, d := range p.days {
		least := d.state.least
		c.key(k.SitePVDay(s, d.state.day), k.SiteUVDay(s, d.state.day), k.Visitors(s, d.state.day), k.Pairs(s, d.state.day))
		c.arg("GET", least.pv, "GET", least.uv, "SCARD", least.visitors, "STRLEN", d.pairs.before)
	}
	for _, x := range terms {
		c.key(k.TermPairs(s, x.state.name))
		c.arg("STRLEN", x.pairs.before)
	}
	for _, x := range p.seen {
		c.key(k.Seen(s, x.rule.name, x.bucket.number))
		c.arg("STRLEN", x.length)
	}
}

// types names the keys whose type is looked at first. Those that we wrote
// before are known; should somebody replace one all the same, the script fails
// half way, which its count of beginnings and ends tells (see prelude.lua).
func (e *encoder) types(c *call, p *part) {
	k, s := e.keys, p.site.name
	at := len(c.args)
	c.arg(0)
	n := 0
	add := func(key, want string) {
		c.key(key)
		c.arg(want)
		n++
	}
	if len(p.online) > 0 {
		add(k.Online(s), "zset")
	}
	if p.deferred {
		add(k.Pending(s), "list")
	}
	if !p.listed {
		add(k.FacetsPending(s), "list")
	}
	for _, d := range p.days {
		if len(d.pages) > 0 && !p.deferred && !d.state.seen.ranks {
			for _, key := range []string{k.HotAll(s), k.HotDay(s, d.state.day), k.HotWeek(s, d.state.day), k.HotMonth(s, d.state.day)} {
				add(key, "zset")
			}
		}
	}
	c.args[at] = n
}

func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

func (e *encoder) counters(c *call, p *part, deferred bool) {
	k, s := e.keys, p.site.name
	at := len(c.args)
	c.arg(0, 0)
	n, visitors := 0, int64(0)
	add := func(key string, delta int64, known string, expire int64) {
		c.key(key)
		c.arg(delta, known, expire)
		n++
	}
	if !deferred {
		for _, d := range p.days {
			for i := range d.pages {
				ch := &d.pages[i]
				add(k.PagePV(s, ch.page.name), ch.pv, flag(ch.page.seenPV), 0)
				if ch.uv > 0 {
					add(k.PageUV(s, ch.page.name), ch.uv, flag(ch.page.seenUV), 0)
					visitors += ch.uv
				}
			}
		}
	}
	if p.pv > 0 {
		add(k.SitePV(s), p.pv, checkedOr(p.site.pv, keys.MarkPV, keys.Forever), 0)
	}
	for _, d := range p.days {
		if end, ok := e.expireAt(d.state.day.Next(), DayKeysTTL); ok && d.pv > 0 {
			add(k.SitePVDay(s, d.state.day), d.pv, checkedOr(d.state.least.pv, keys.MarkPV, d.state.digits), end)
		}
	}
	c.args[at], c.args[at+1] = visitors, n
}

func (e *encoder) hashes(c *call, p *part) {
	k, s := e.keys, p.site.name
	at := len(c.args)
	c.arg(0)
	n := e.bots(c, p)
	for _, d := range p.days {
		end, ok := e.expireAt(d.state.day.Next(), DayKeysTTL)
		if !ok {
			continue
		}
		if fields := d.books.fields(); len(fields) > 0 {
			c.key(k.Books(s, d.state.day))
			c.arg(end, known(d.state.seen.books, keys.MarkBooks, d.state.digits), len(fields)/2)
			c.arg(fields...)
			n++
		}
		n += e.minutes(c, s, d)
		if len(d.events) > 0 {
			c.key(k.Events(s, d.state.day))
			c.arg(end, known(d.state.seen.events, keys.MarkEvents, d.state.digits))
			fields := len(c.args)
			c.arg(0)
			m := 0
			for key, e := range d.events {
				c.arg(key, e.pv)
				m++
				if e.uv > 0 {
					c.arg(key+EventUV, e.uv)
					m++
				}
			}
			c.args[fields] = m
			n++
		}
	}
	n += e.terms(c, p)
	c.args[at] = n + e.calls(c, p)
}

// bots writes the hashes of pages that bots saw and returns how many
// hashes that are.
func (e *encoder) bots(c *call, p *part) (n int) {
	if p.deferred {
		return 0
	}
	known := p.site.bots
	for _, d := range p.days {
		if len(d.bots) == 0 {
			continue
		}
		n += e.botDay(c, p.site.name, d.state.day, known, d.state.seen.bots, len(d.bots), func(f func(string, int64)) {
			for i := range d.bots {
				f(d.bots[i].page.name, d.bots[i].pv)
			}
		})
	}
	return n
}

// botDay writes views of bots into the hash of all days and the day's.
func (e *encoder) botDay(c *call, site string, d parser.Day, seen, seenDay bool, pages int, all func(func(page string, pv int64))) (n int) {
	add := func(key string, end int64, known string) {
		c.key(key)
		c.arg(end, known, pages)
		all(func(page string, pv int64) { c.arg(page, pv) })
		n++
	}
	add(e.keys.PageBots(site), 0, known(seen, keys.MarkBots, keys.Forever))
	if end, ok := e.expireAt(d.Next(), HotDayTTL); ok {
		add(e.keys.PageBotsDay(site, d), end, known(seenDay, keys.MarkBots, keys.Day(d)))
	}
	return n
}

// EventUV is what follows an event key in the field that holds its UV; the
// keys escape the character.
const EventUV = "|uv"

func (b *dayBooks) fields() []any {
	var f []any
	for _, x := range []struct {
		name string
		n    int64
	}{{"bot", b.bot}, {"bot_events", b.botEvents}, {"events", b.events}, {"pc", b.pc}, {"mobile", b.mobile}, {"dedup", b.dedup}} {
		if x.n > 0 {
			f = append(f, x.name, x.n)
		}
	}
	return f
}

// rankKeys names the ranked lists of a day and when they die, 0 for never;
// those whose time is over are left out.
func (e *encoder) rankKeys(s string, d parser.Day) (keys []string, ends []int64) {
	for _, p := range rankPeriods(e.keys, s, d) {
		if at, ok := e.expireAt(p.end, p.ttl); ok {
			keys, ends = append(keys, p.key), append(ends, at)
		}
	}
	return append(keys, e.keys.HotAll(s)), append(ends, 0)
}

func (e *encoder) ranks(c *call, p *part, deferred bool) {
	if deferred {
		c.arg(0)
		return
	}
	at := len(c.args)
	c.arg(0)
	n := 0
	for _, d := range p.days {
		if len(d.pages) == 0 {
			continue
		}
		keys, ends := e.rankKeys(p.site.name, d.state.day)
		c.key(keys...)
		c.arg(flag(d.state.seen.ranks), len(keys))
		for _, e := range ends {
			c.arg(e)
		}
		c.arg(len(d.pages))
		for i := range d.pages {
			c.arg(d.pages[i].page.name, d.pages[i].pv)
		}
		n++
	}
	c.args[at] = n
}

func (e *encoder) visitors(c *call, p *part) {
	k, s := e.keys, p.site.name
	at := len(c.args)
	c.arg(0)
	n := 0
	for _, d := range p.days {
		if len(d.visitors) == 0 {
			continue
		}
		end, ok := e.expireAt(d.state.day.Next(), DayKeysTTL)
		if !ok {
			end = 0
		}
		c.key(k.Visitors(s, d.state.day), k.SiteUV(s), k.SiteUVDay(s, d.state.day))
		const size = len(parser.Visitor{})
		c.arg(seconds(e.uvTTL), e.least(d.state.day), end, e.lasting(d.state, d.state.least.visitors, keys.MarkVisitors),
			checkedOr(d.state.least.uv, keys.MarkUV, d.state.digits), len(d.visitors)/size)
		for v := range slices.Chunk(d.visitors, size) {
			c.arg(v)
		}
		n++
	}
	c.args[at] = n
}

// seenTTL is how long a bucket of a duplicate rule lives from its first entry on:
// it gets entries for as long as it is wide and is asked for as long again, and
// whatever came late has a width more.
func seenTTL(least, width time.Duration) time.Duration { return max(least, 3*width) }

// least is until when the visitors of a day live at least: a clock that is ahead writes
// them before it comes.
func (e *encoder) least(d parser.Day) int64 {
	return d.Date(e.loc).Add(e.uvTTL).Unix()
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

func (e *encoder) appends(c *call, p *part) {
	k, s := e.keys, p.site.name
	at := len(c.args)
	c.arg(0)
	n := 0
	for _, d := range p.days {
		if len(d.pairs.packed) > 0 {
			c.key(k.Pairs(s, d.state.day))
			c.arg(seconds(e.uvTTL), e.least(d.state.day), "1", e.lasting(d.state, d.pairs.before, keys.MarkPairs), d.pairs.packed)
			n++
		}
	}
	n += e.termPairs(c, p)
	for _, x := range p.seen {
		c.key(k.Seen(s, x.rule.name, x.bucket.number))
		width := time.Duration(x.rule.width) * time.Millisecond
		ttl := seenTTL(e.uvTTL, width)
		c.arg(seconds(ttl), seenBegin(x.bucket.number, width).Add(ttl).Unix(), "0", e.markSeen(x), x.data)
		n++
	}
	c.args[at] = n
}

func (e *encoder) online(c *call, p *part) {
	if len(p.online) == 0 {
		c.arg(0)
		return
	}
	window := seconds(OnlineWindow)
	c.key(e.keys.Online(p.site.name))
	now := e.now().Unix()
	c.arg(1, now-window, now+window, window, len(p.online))
	for v, at := range p.online {
		c.arg(at, append([]byte(nil), v[:]...))
	}
}

// lasting is the same for the sets of a day, which die by themselves once nobody writes them.
func (e *encoder) lasting(d *dayState, least int64, letter string) string {
	if !lasts(d.day.Date(e.loc), e.uvTTL, e.redisNow()) {
		return "0"
	}
	return checkedOr(least, letter, d.digits)
}

func (e *encoder) markSeen(x *seenChange) string {
	width, letter := time.Duration(x.rule.width)*time.Millisecond, keys.MarkSeen
	if x.rule.name == RuleWindow {
		letter = keys.MarkWindow
	}
	if letter == keys.MarkWindow && width < leastNoted || x.length > 0 || !lasts(seenBegin(x.bucket.number, width), e.uvTTL, e.redisNow()) {
		return "0"
	}
	return letter + strconv.FormatInt(x.bucket.number, 10)
}
