package counter

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/counter/keys"
	"ddkk-stats/parser"
)

// flight is the one job that Redis does for us at a time: a batch or a fold.
// One at a time keeps the order of commits, which their checkpoints need; the
// next batch is filled meanwhile.
type flight struct {
	batch   *batch
	answers []answer // of the batch's parts
	retried int

	fold *site
	list pendingKind // of the site, that is folded
	folded
	err error
}

// liveFor is how long after the last block from the live edge a log that fell a
// little behind is not yet a backlog.
const liveFor = 2 * time.Second

// close makes the open batch ready to be sent and opens the next one.
func (in *Ingester) close() *batch {
	b := in.open
	b.seal()
	// At the live edge, and a moment behind it, somebody may wait for a page's
	// number: there it takes a batch as long as any may be to put it off.
	limit := in.budget.whole()
	if in.opt.Now().Sub(in.loop.liveAt) < liveFor {
		limit = int(in.budget.most.Load())
	}
	many := b.pages*writesPerPage+b.bots*writesPerBot > limit
	for _, p := range b.parts {
		p.deferred = many && p.pages() >= minDeferred
		p.expect, p.epoch = p.site.epoch, p.site.epoch
		p.listed = p.site.waits[pendingFacets].n > 0
		if p.epoch == "" {
			p.epoch = p.site.first
		}
	}
	for id, m := range b.ends {
		b.syncs = append(b.syncs, syncPoint{in.inputs[in.segs[id].input].Source, id, m.end})
	}
	in.number++
	in.open = newBatch(in.number, len(in.inputs))
	in.cur = cursor{}
	return b
}

// sync makes the lines of a batch durable before they are committed, so that a
// checkpoint never lies beyond what a power loss leaves in the file.
func (in *Ingester) sync(ctx context.Context, b *batch) error {
	if !in.opt.Sync || len(b.parts) == 0 {
		return nil
	}
	for _, p := range b.syncs {
		err := in.commits.retry(ctx, "sync log", func() error { return p.source.Sync(p.segment, p.end) })
		if err != nil {
			return err
		}
	}
	return nil
}

// execute runs a job; it touches nothing that the loop changes meanwhile.
func (in *Ingester) execute(ctx context.Context, f *flight) error {
	if f.fold != nil {
		return in.commits.retry(ctx, "spread pending changes", func() (err error) {
			f.folded, err = in.foldOnce(ctx, f.list, f.fold.name, f.fold.epoch)
			return err
		})
	}
	b := f.batch
	if err := in.sync(ctx, b); err != nil {
		return err
	}
	f.answers = make([]answer, len(b.parts))
	todo := make([]int, len(b.parts))
	for i := range todo {
		todo[i] = i
	}
	return in.commits.retry(ctx, "commit to Redis", func() error {
		err := in.commitParts(ctx, b, f.answers, &todo)
		if err != nil {
			f.retried++
		}
		return err
	})
}

// partsPerTrip bounds how many parts go out in one pipeline: replies are
// buffered by Redis.
const partsPerTrip = 64

// tripOf is how many of the parts go out in one pipeline: other clients wait for
// all of them, so together they keep to the budget as one script does.
func (in *Ingester) tripOf(b *batch, parts []int) (n, writes int) {
	budget := in.budget.writes()
	for _, i := range parts[:min(len(parts), partsPerTrip)] {
		w := b.parts[i].writes() + writesPerPart
		if n > 0 && writes+w > budget {
			break
		}
		n, writes = n+1, writes+w
	}
	return n, writes
}

// maxSilent is how many trips in a row may go unanswered before the rest is not
// tried: where Redis hangs each of them takes its whole timeout. In a cluster
// some of them are another master's.
const maxSilent = 4

// commitParts sends the parts that are still to do, in order, and keeps those
// that must be sent again. After a passing error of one part the later parts
// of its site are sent again as well: they build on it.
func (in *Ingester) commitParts(ctx context.Context, b *batch, answers []answer, todo *[]int) error {
	var again []int
	var first error
	held := map[*site]bool{}
	silent := 0
	for rest := *todo; len(rest) > 0; {
		in.committing.beat(in.opt.Now())
		n, writes := in.tripOf(b, rest)
		trip := rest[:n]
		rest = rest[n:]
		pipe := in.rdb.Pipeline()
		cmds, calls, reached := make([]*redis.Cmd, len(trip)), make([]*call, len(trip)), false
		for j, i := range trip {
			calls[j] = in.encode(b.parts[i])
			cmds[j] = calls[j].queue(ctx, pipe, in.scripts.commit)
		}
		begin := in.opt.Now()
		_, failed := pipe.Exec(ctx) // the first command's error; each has its own
		in.budget.spent(writes, in.opt.Now().Sub(begin))
		for j, i := range trip {
			a, err := parseAnswer(cmds[j])
			if err != nil && redis.HasErrorPrefix(err, "NOSCRIPT") && !held[b.parts[i].site] {
				a, err = calls[j].run(ctx, in.rdb, in.scripts.commit)
			}
			reached = reached || !passing(err)
			switch {
			case err != nil && !passing(err):
				answers[i] = answer{verdict: damaged, text: err.Error()}
			case err != nil || held[b.parts[i].site]:
				held[b.parts[i].site] = true
				again = append(again, i)
				if first == nil {
					first = cmp.Or(err, failed)
				}
			default:
				answers[i] = a
			}
		}
		if silent++; reached {
			silent = 0
		}
		if silent == maxSilent {
			again, rest = append(again, rest...), nil
		}
	}
	*todo = again
	return first
}

// expireAt is when a key of a period dies that ends at the start of day end,
// as Unix seconds; ok is false when that is over or nearly so: then the key is
// not written any more.
func (in *Ingester) expireAt(end parser.Day, ttl time.Duration) (int64, bool) {
	at := expiry(in.opt.Location, end, ttl)
	return at.Unix(), writable(at, in.opt.Now())
}

// writable tells whether a key that dies at a moment is still worth writing.
func writable(dies, now time.Time) bool { return dies.After(now.Add(time.Hour)) }

// encode writes a part as one call of commit.lua.
func (in *Ingester) encode(p *part) *call {
	k, s := in.keys, p.site.name
	c := &call{}
	c.key(k.Checkpoint(s), k.MirrorState(s), k.MirrorDue(s), k.PageBots(s), k.Made(s))
	from := any("")
	if p.from != none {
		from = p.from
	}
	c.arg(p.expect, p.epoch, p.segment, from, p.to)
	in.encodeChecks(c, p)
	in.encodeTypes(c, p)
	in.encodeCounters(c, p, p.deferred)
	in.encodeHashes(c, p)
	in.encodeRanks(c, p, p.deferred)
	in.encodeVisitors(c, p)
	in.encodeAppends(c, p)
	in.encodeOnline(c, p)
	in.encodeLists(c, p)
	return c
}

// encodeLists appends to the lists of the site.
func (in *Ingester) encodeLists(c *call, p *part) {
	at := len(c.args)
	c.arg(0)
	n := 0
	for l, blobs := range [pendingKinds][][]byte{pendingPages: pendingBlobs(p, p.deferred), pendingFacets: in.facetBlobs(p)} {
		p.appended[l] = tail{}
		if len(blobs) == 0 {
			continue
		}
		n++
		c.key(pendingKind(l).key(in.keys, p.site.name))
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
)

func (in *Ingester) encodeChecks(c *call, p *part) {
	k, s := in.keys, p.site.name
	c.arg(siteChecks + dayChecks*len(p.days) + len(p.seen))
	c.key(k.SitePV(s), k.SiteUV(s))
	c.arg("GET", p.site.pv, "GET", p.site.uv)
	for _, d := range p.days {
		least := d.state.least
		c.key(k.SitePVDay(s, d.state.day), k.SiteUVDay(s, d.state.day), k.Visitors(s, d.state.day), k.Pairs(s, d.state.day))
		c.arg("GET", least.pv, "GET", least.uv, "SCARD", least.visitors, "STRLEN", d.pairsLen)
	}
	for _, x := range p.seen {
		c.key(k.Seen(s, x.rule.name, x.bucket.number))
		c.arg("STRLEN", x.length)
	}
}

// encodeTypes names the keys whose type is looked at first. Those that we wrote
// before are known; should somebody replace one all the same, the script fails
// half way, which its count of beginnings and ends tells (see prelude.lua).
func (in *Ingester) encodeTypes(c *call, p *part) {
	k, s := in.keys, p.site.name
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

func (in *Ingester) encodeCounters(c *call, p *part, deferred bool) {
	k, s := in.keys, p.site.name
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
		if end, ok := in.expireAt(d.state.day.Next(), DayKeysTTL); ok && d.pv > 0 {
			add(k.SitePVDay(s, d.state.day), d.pv, checkedOr(d.state.least.pv, keys.MarkPV, d.state.digits), end)
		}
	}
	c.args[at], c.args[at+1] = visitors, n
}

func (in *Ingester) encodeHashes(c *call, p *part) {
	k, s := in.keys, p.site.name
	at := len(c.args)
	c.arg(0)
	n := in.encodeBots(c, p)
	for _, d := range p.days {
		end, ok := in.expireAt(d.state.day.Next(), DayKeysTTL)
		if !ok {
			continue
		}
		if fields := d.books.fields(); len(fields) > 0 {
			c.key(k.Books(s, d.state.day))
			c.arg(end, known(d.state.seen.books, keys.MarkBooks, d.state.digits), len(fields)/2)
			c.arg(fields...)
			n++
		}
		n += in.encodeMinutes(c, s, d)
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
	c.args[at] = n + in.encodeCalls(c, p)
}

// encodeBots writes the hashes of pages that bots saw and returns how many
// hashes that are.
func (in *Ingester) encodeBots(c *call, p *part) (n int) {
	if p.deferred {
		return 0
	}
	known := p.site.bots
	for _, d := range p.days {
		if len(d.bots) == 0 {
			continue
		}
		n += in.encodeBotDay(c, p.site.name, d.state.day, known, d.state.seen.bots, len(d.bots), func(f func(string, int64)) {
			for i := range d.bots {
				f(d.bots[i].page.name, d.bots[i].pv)
			}
		})
	}
	return n
}

// encodeBotDay writes views of bots into the hash of all days and the day's.
func (in *Ingester) encodeBotDay(c *call, site string, d parser.Day, seen, seenDay bool, pages int, all func(func(page string, pv int64))) (n int) {
	add := func(key string, end int64, known string) {
		c.key(key)
		c.arg(end, known, pages)
		all(func(page string, pv int64) { c.arg(page, pv) })
		n++
	}
	add(in.keys.PageBots(site), 0, known(seen, keys.MarkBots, keys.Forever))
	if end, ok := in.expireAt(d.Next(), HotDayTTL); ok {
		add(in.keys.PageBotsDay(site, d), end, known(seenDay, keys.MarkBots, keys.Day(d)))
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
func (in *Ingester) rankKeys(s string, d parser.Day) (keys []string, ends []int64) {
	for _, p := range rankPeriods(in.keys, s, d) {
		if at, ok := in.expireAt(p.end, p.ttl); ok {
			keys, ends = append(keys, p.key), append(ends, at)
		}
	}
	return append(keys, in.keys.HotAll(s)), append(ends, 0)
}

func (in *Ingester) encodeRanks(c *call, p *part, deferred bool) {
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
		keys, ends := in.rankKeys(p.site.name, d.state.day)
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

func (in *Ingester) encodeVisitors(c *call, p *part) {
	k, s := in.keys, p.site.name
	at := len(c.args)
	c.arg(0)
	n := 0
	for _, d := range p.days {
		if len(d.visitors) == 0 {
			continue
		}
		end, ok := in.expireAt(d.state.day.Next(), DayKeysTTL)
		if !ok {
			end = 0
		}
		c.key(k.Visitors(s, d.state.day), k.SiteUV(s), k.SiteUVDay(s, d.state.day))
		const size = len(parser.Visitor{})
		c.arg(seconds(in.opt.UVSetTTL), end, in.lasting(d.state, d.state.least.visitors, keys.MarkVisitors),
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

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

func (in *Ingester) encodeAppends(c *call, p *part) {
	k, s := in.keys, p.site.name
	at := len(c.args)
	c.arg(0)
	n := 0
	for _, d := range p.days {
		if len(d.pairs) > 0 {
			c.key(k.Pairs(s, d.state.day))
			c.arg(seconds(in.opt.UVSetTTL), "1", in.lasting(d.state, d.pairsLen, keys.MarkPairs), d.pairs)
			n++
		}
	}
	for _, x := range p.seen {
		c.key(k.Seen(s, x.rule.name, x.bucket.number))
		c.arg(seconds(seenTTL(in.opt.UVSetTTL, time.Duration(x.rule.width)*time.Millisecond)), "0", in.markSeen(x), x.data)
		n++
	}
	c.args[at] = n
}

func (in *Ingester) encodeOnline(c *call, p *part) {
	if len(p.online) == 0 {
		c.arg(0)
		return
	}
	window := seconds(OnlineWindow)
	c.key(in.keys.Online(p.site.name))
	now := in.opt.Now().Unix()
	c.arg(1, now-window, now+window, window, len(p.online))
	for v, at := range p.online {
		c.arg(at, append([]byte(nil), v[:]...))
	}
}
