package sim

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// ledger is the oracle: it is told each request whose line is whole in a log, and
// works out the plain way what every key must hold. It shares no counting with
// the program, and no names of keys.
type ledger struct {
	loc     *time.Location
	window  bool // an address sees a page once, but for the day before
	uniques int  // 1: visitors of weeks, 2: of months as well
	hits    []hit
	rule    *ruled      // nil: none was made
	void    *ruled      // what it takes out; nil: nothing, or nothing any more
	last    *tallies    // what was worked out last
	deleted atomic.Bool // an archived segment was

	from time.Time // when the views of viewed begin to be those of its log; zero: never
}

// viewed is the site that LOG_VIEWS names.
const viewed = "a.example"

// logged has the site's log take over so many milliseconds from now; 0: never.
func (l *ledger) logged(after int) {
	if after > 0 {
		l.from = time.Now().Add(time.Duration(after) * time.Millisecond)
	}
}

// isLogged tells whether a view of then is its log's to count.
func (l *ledger) isLogged(h *hit) bool {
	return h.site == viewed && !l.from.IsZero() && !h.at.Before(l.from)
}

func (l *ledger) add(h hit) { l.hits = append(l.hits, h) }

// numbers are values by the name of a key, and of a field or member behind a space.
type numbers map[string]int64

// names are the sites that were counted.
func (l *ledger) names() map[string]bool {
	all := map[string]bool{}
	for i := range l.hits {
		if !l.hits[i].skipped {
			all[l.hits[i].site] = true
		}
	}
	return all
}

// expect is what Redis must hold at a moment of all that was told.
func (l *ledger) expect(now time.Time) numbers {
	n := maps.Clone(l.tally().n)
	maps.DeleteFunc(n, func(name string, _ int64) bool { return now.After(l.until(name)) })
	return n
}

// expectSQL is what the archive must hold of all that was told.
func (l *ledger) expectSQL(now time.Time) numbers {
	t := l.tally()
	all := maps.Clone(t.sql)
	for k, n := range t.over {
		if !l.termEnd(k.term).After(now) {
			all[k.name] = n
		}
	}
	for k, n := range t.n {
		if inSQL(k) {
			all[k] = n
		}
	}
	return all
}

// unlikeSQL lists what the archive has not as it must be.
func (l *ledger) unlikeSQL(s *schedule, got numbers) []string {
	want := l.expectSQL(time.Now())
	return s.unlike(want, l.withDoubles(want, got))
}

// withDoubles is got, where duplicates of what a rule takes out may still be called
// duplicates, or may not be again since it was undone: raw rows do not have them, so a recount of
// a day whose file was deleted leaves them as they were (docs/design/rules.md).
func (l *ledger) withDoubles(want, got numbers) numbers {
	if l.rule == nil || !l.deleted.Load() {
		return got
	}
	without, with := l.tallyWith(l.rule).n, l.tallyWith(nil).n
	got = maps.Clone(got)
	for k, n := range with {
		if strings.HasSuffix(k, " dedup") && without[k] <= got[k] && got[k] <= n {
			if got[k] = want[k]; want[k] == 0 {
				delete(got, k)
			}
		}
	}
	return got
}

// tally is what was told, for reading only.
func (l *ledger) tally() *tallies {
	if l.last == nil || l.last.hits != len(l.hits) || l.last.void != l.void {
		l.last = l.tallyWith(l.void)
		l.last.hits, l.last.void = len(l.hits), l.void
	}
	return l.last
}

func (l *ledger) tallyWith(void *ruled) *tallies {
	t := &tallies{n: numbers{}, sql: numbers{}, over: map[termName]int64{}, seen: map[string]bool{}, loc: l.loc, window: l.window, uniques: l.uniques}
	for i := range l.hits {
		h := &l.hits[i]
		switch {
		case h.skipped, h.call == nil && h.event == nil && l.isLogged(h):
			continue
		case h.call != nil && h.call.kind == "page" && h.call.method == "GET" && h.call.status == 200 && l.isLogged(h):
			view := *h
			view.page, view.call = h.call.path, nil
			if !void.takes(&view) {
				t.count(&view)
			}
		}
		if !void.takes(h) {
			t.count(h)
		}
	}
	return t
}

type tallies struct {
	hits int    // that it is of
	void *ruled // and the rule

	n    numbers
	sql  numbers            // those that only the archive has
	over map[termName]int64 // those that it has once their week or month is over
	seen map[string]bool
	loc  *time.Location

	window bool
	views  []*hit // that counted, with window

	uniques int
}

// termName is a number of a week or month.
type termName struct{ term, name string }

// first tells whether something comes for the first time.
func (t *tallies) first(parts ...string) bool {
	k := ""
	for _, p := range parts {
		k += p + "\x00"
	}
	was := t.seen[k]
	t.seen[k] = true
	return !was
}

func (t *tallies) count(h *hit) {
	local := h.at.In(t.loc)
	d := local.Format("20060102")
	if h.call != nil {
		t.call(h, local)
		return
	}
	books := "site:books:" + h.site + ":" + d + " "
	if h.id != "" && !t.first("id", h.site, h.visitor(), h.id) {
		t.n[books+"dedup"]++
		return
	}
	if t.window && h.event == nil {
		if t.viewed(h) {
			t.n[books+"dedup"]++
			return
		}
		t.n["seen:window:"+h.site]++
	}
	if h.id != "" {
		t.n["seen:id:"+h.site]++
	}
	switch {
	case h.bot && h.event != nil:
		t.n[books+"bot_events"]++
	case h.bot:
		t.n[books+"bot"]++
		t.n["facet:"+h.site+":"+d+" H"+local.Format("15")]++
		t.n["site:minutes:"+h.site+":"+d+" b"+local.Format("1504")]++
		t.n["page:bot:"+h.site+" "+h.page]++
		t.n["page:bot:"+h.site+":"+d+" "+h.page]++
	case h.event != nil:
		t.event(h, d, books)
	default:
		t.view(h, local, d, books)
	}
}

// viewed tells whether the page was seen from the address on about the same day already: a
// schedule is shorter than DEDUPE_WINDOW, and what comes late is a day older.
func (t *tallies) viewed(h *hit) bool {
	for _, x := range t.views {
		if x.site == h.site && x.page == h.page && x.ip == h.ip && x.at.Sub(h.at).Abs() < 12*time.Hour {
			return true
		}
	}
	t.views = append(t.views, h)
	return false
}

func (t *tallies) event(h *hit, d, books string) {
	t.n[books+"events"]++
	key := ""
	for i, level := range h.event {
		if i > 0 {
			key += "."
		}
		key += level
		t.n["event:"+h.site+":"+d+" "+key]++
		if t.first("event", h.site, d, h.visitor(), key) {
			t.n["event:"+h.site+":"+d+" "+key+"|uv"]++
			t.n["page:pairs:"+h.site+":"+d]++
		}
	}
}

func (t *tallies) view(h *hit, local time.Time, d, books string) {
	device := "pc"
	if h.mobile {
		device = "mobile"
	}
	t.n[books+device]++
	facets := "facet:" + h.site + ":" + d + " "
	t.n[facets+"h"+local.Format("15")]++
	t.n["site:minutes:"+h.site+":"+d+" "+local.Format("1504")]++
	if h.ref != h.site {
		t.n[facets+"r"+h.ref]++
		if t.first("referrer", h.site, d, h.visitor(), h.ref) {
			t.sql["visitors:"+h.site+":"+d+" r"+h.ref]++
		}
	}
	for letter, name := range h.facets() {
		t.n[facets+letter+name]++
		if t.first("facet", h.site, d, h.visitor(), letter+name) {
			t.sql["visitors:"+h.site+":"+d+" "+letter+name]++
		}
	}
	t.n["site:pv:"+h.site]++
	t.n["site:pv:"+h.site+":"+d]++
	t.n["page:pv:"+h.site+":"+h.page]++
	y, w := local.ISOWeek()
	for _, list := range []string{"all", "day:" + d, fmt.Sprintf("week:%dW%02d", y, w), "month:" + d[:6]} {
		t.n["hot:"+h.site+":"+list+" "+h.page]++
	}
	t.terms(h, local)
	if t.first("site", h.site, d, h.visitor()) {
		t.n["site:uv:"+h.site]++
		t.n["site:uv:"+h.site+":"+d]++
		t.n["site:uv:set:"+h.site+":"+d]++
	}
	if t.first("page", h.site, d, h.visitor(), h.page) {
		t.n["page:uv:"+h.site+":"+h.page]++
		t.sql["page of a day:uv:"+h.site+":"+d+" "+h.page]++
		t.n["page:pairs:"+h.site+":"+d]++
	}
}

// terms counts a view in its week and its month.
func (t *tallies) terms(h *hit, local time.Time) {
	y, w := local.ISOWeek()
	for _, term := range []string{fmt.Sprintf("%04dW%02d", y, w), local.Format("200601")}[:t.uniques] {
		key, of := h.site+":"+term, "uniques of "+h.site+" in "+term+" "
		for _, x := range []struct{ field, page string }{{"s", ""}, {"p" + h.page, h.page}} {
			if t.first("term", key, h.visitor(), x.field) {
				t.n["uniques:uv:"+key+" "+x.field]++
				t.n["uniques:pairs:"+key]++
				t.over[termName{term, of + x.page}]++
			}
		}
	}
}

func (t *tallies) call(h *hit, local time.Time) {
	c := h.call
	endpoint := c.method + " " + c.pattern
	t.request(h, local.Format("20060102"))
	for kind, layout := range map[string]string{"minute": "200601021504", "hour": "2006010215", "day": "20060102"} {
		key := "api:" + h.site + ":" + kind + ":" + local.Format(layout)
		add := func(field string, n int64) {
			if n > 0 {
				t.n[key+" "+field] += n
			}
		}
		failed := int64(0)
		if c.status >= 500 {
			failed = 1
		}
		if kind != "minute" {
			t.n[key+":latency "+strconv.FormatInt(c.ms, 10)]++
		}
		if kind == "day" {
			t.n[key+":latency "+strconv.FormatInt(c.ms, 10)+":"+endpoint]++
		}
		add("total", 1)
		add("failed", failed)
		add("ms", c.ms)
		if kind == "minute" {
			continue
		}
		add("endpoint:"+endpoint, 1)
		add("failed:"+endpoint, failed)
		add("ms:"+endpoint, c.ms)
		add("status:"+strconv.Itoa(c.status), 1)
		if c.user != "" {
			add("user:"+c.user, 1)
		}
	}
}

// request counts a call as what it is beside a call.
func (t *tallies) request(h *hit, d string) {
	c := h.call
	kind := c.kind
	switch {
	case c.status == 404:
		kind = "notfound"
	case c.status >= 400:
		kind = "failed"
	case c.method != "GET":
		kind = "api"
	}
	key, names := "requests:"+h.site+":"+d+" ", "requests:names:"+h.site+":"+d+" "
	who := "people"
	if h.bot {
		who = "crawlers"
		t.n[key+"crawler:"+strconv.Itoa(c.status/100)+"xx:Googlebot"]++
		t.n[key+"crawler:bytes:Googlebot"] += 43
		if kind == "page" {
			t.n[key+"crawler:pages:Googlebot"]++
		}
	}
	t.n[key+"request:count:all"]++
	t.n[key+"request:"+who+":"+kind]++
	t.n[key+"request:bytes:"+kind] += 43
	switch kind {
	case "notfound":
		from := h.ref
		if from == h.site {
			from = "/from"
		}
		t.n[key+"notfound:count:"+c.path+" "+from]++
	case "download":
		t.n[key+"download:count:"+c.path]++
		t.n[key+"download:bytes:"+c.path] += 43
	case "feed":
		t.n[names+"fetched"]++
		if !h.bot && t.first("feed", h.site, d, h.visitor(), c.path) {
			t.n[names+"feed "+c.path]++
		}
	case "page":
		if !h.bot {
			t.n[names+"seen"]++
			if t.first("reader", h.site, d, h.visitor()) {
				t.n[names+"readers"]++
			}
			if t.first("reading", h.site, d, h.visitor(), c.path) {
				t.n[names+"read "+c.path]++
			}
		}
	}
}

// differences lists what is not as it must be, at most some of it.
func differences(want, got numbers, most int) []string {
	if maps.Equal(want, got) {
		return nil
	}
	var all []string
	keys := map[string]bool{}
	for k := range maps.Keys(want) {
		keys[k] = true
	}
	for k := range maps.Keys(got) {
		keys[k] = true
	}
	for _, k := range sorted(keys) {
		if want[k] != got[k] {
			if len(all) == most {
				return append(all, "...")
			}
			all = append(all, fmt.Sprintf("%s is %d, want %d", k, got[k], want[k]))
		}
	}
	return all
}
