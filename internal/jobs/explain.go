package jobs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/archive"
	"ddkk-stats/internal/logs"
	"ddkk-stats/internal/vault"
	"ddkk-stats/parser"
	"ddkk-stats/tailer"
)

// Term is one number of a day, and what it says.
type Term struct {
	Name     string `json:"name"`
	Value    int64  `json:"value"`
	Sentence string `json:"sentence"`
}

// Explanation is the closing equation of a site's day: what the logs here had, what of that
// counted, and what was left out.
type Explanation struct {
	Site  string     `json:"site"`
	Date  string     `json:"date"`
	Day   parser.Day `json:"-"`
	Log   []Term     `json:"log"`      // lines about the site, and where they are
	Count []Term     `json:"counted"`  // what counted
	Out   []Term     `json:"left_out"` // what did not
	// Closes: the lines are all accounted for. Open is how many are too many in the log, or, less
	// than nothing, too few.
	Closes bool   `json:"closes"`
	Open   int64  `json:"open"`
	Why    string `json:"why,omitempty"`    // it does not close
	Others []Term `json:"others,omitempty"` // what other tools would show
}

// dayLines are the lines of a day about a site.
type dayLines struct {
	views, bots, events, botEvents int64
	skipped                        map[parser.Reason]int64
	unsaid                         int64 // lines of the day that name no site
	files                          int
	clients                        map[netip.Addr]struct{} // of views of people
	withoutClient                  int64
}

func (d *dayLines) countable() int64 { return d.views + d.bots + d.events + d.botEvents }

func (d *dayLines) leftOut() (n int64) {
	for _, v := range d.skipped {
		n += v
	}
	return n
}

// Explain writes a day's closing equation. It reads the logs that are here.
func Explain(ctx context.Context, v *vault.Vault, secret []byte, site string, d parser.Day) (*Explanation, error) {
	lines := dayLines{skipped: map[parser.Reason]int64{}, clients: map[netip.Addr]struct{}{}}
	for _, in := range logs.Inputs(v.Cfg()) {
		if in.Calls {
			continue
		}
		if err := lines.read(ctx, v, secret, in, site, d); err != nil {
			return nil, err
		}
	}
	counted, from, err := countedDay(ctx, v, site, d)
	if err != nil {
		return nil, err
	}
	return lines.explain(site, d, counted, from), nil
}

// read adds the lines of one log.
func (l *dayLines) read(ctx context.Context, v *vault.Vault, secret []byte, in logs.Input, site string, d parser.Day) error {
	p, err := parser.New(logs.ParserOf(v.Cfg(), in, secret))
	if err != nil {
		return fmt.Errorf("make parser: %w", err)
	}
	files, err := Files(ctx, v, in)
	if err != nil {
		return err
	}
	from := d.Date(v.Cfg().Timezone)
	var h parser.Hit
	for _, f := range files {
		if f.LastWrite.Before(from) {
			continue
		}
		before := l.countable() + l.leftOut()
		if _, err := tailer.Matching(ctx, f.Name, parser.MaxLine, func(_ int64, line []byte) bool {
			if p.Parse(line, &h); h.Day == d {
				l.add(p, &h, site)
			}
			return false
		}); err != nil {
			return err
		}
		if l.countable()+l.leftOut() > before {
			l.files++
		}
	}
	return nil
}

// add books a line of the day.
func (l *dayLines) add(p *parser.Parser, h *parser.Hit, site string) {
	switch about := p.About(h); {
	case about == "":
		l.unsaid++
		return
	case about != site:
		return
	}
	switch {
	case h.Kind == parser.Skipped:
		l.skipped[h.Reason]++
	case h.Bot && h.Kind == parser.Event:
		l.botEvents++
	case h.Bot:
		l.bots++
	case h.Kind == parser.Event:
		l.events++
	default:
		if l.views++; h.Addr.IsValid() {
			l.clients[h.Addr] = struct{}{}
		} else {
			l.withoutClient++
		}
	}
}

// countedDay is what counted of a day, by Redis as long as that has the day, else by the
// archive.
func countedDay(ctx context.Context, v *vault.Vault, site string, d parser.Day) (t archive.DayTotals, from string, err error) {
	if v.Rdb != nil {
		k := v.Keys
		pipe := v.Rdb.Pipeline()
		pv, uv, books := pipe.Get(ctx, k.SitePVDay(site, d)), pipe.Get(ctx, k.SiteUVDay(site, d)), pipe.HGetAll(ctx, k.Books(site, d))
		if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
			return t, "", fmt.Errorf("read the day: %w", err)
		}
		if b := books.Val(); len(b) > 0 || pv.Val() != "" {
			t = archive.DayTotals{PV: number(pv.Val()), UV: number(uv.Val()), Bot: number(b["bot"]), Events: number(b["events"]), BotEvents: number(b["bot_events"]), Dedup: number(b["dedup"])}
			return t, "Redis", nil
		}
	}
	a, err := v.Open(ctx)
	if err != nil {
		return t, "", err
	}
	for x, err := range a.Read().Daily(ctx, site, d, d) {
		if err != nil {
			return t, "", err
		}
		t = x
	}
	return t, "the archive", nil
}

func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0 // there is none
	}
	return n
}

// explain puts the numbers into words.
func (l *dayLines) explain(site string, d parser.Day, c archive.DayTotals, from string) *Explanation {
	date := fmt.Sprintf("%04d-%02d-%02d", d/10000, d/100%100, d%100)
	e := &Explanation{Site: site, Date: date, Day: d}
	all := l.countable() + l.leftOut()
	e.Log = []Term{
		{"lines", all, fmt.Sprintf("The logs of this host have %d lines of %s about %s, in %d files.", all, date, site, l.files)},
	}
	if l.unsaid > 0 {
		e.Log = append(e.Log, Term{"lines_without_site", l.unsaid, fmt.Sprintf("%d more lines of that day are about no site that can be told: strangers' requests, pages of the server itself.", l.unsaid)})
	}
	e.Count = []Term{
		{"views", c.PV, fmt.Sprintf("%d are views of people: this is what is shown as page views (by %s).", c.PV, from)},
		{"visitors", c.UV, fmt.Sprintf("They are of %d visitors: an address with a user agent is one for a day.", c.UV)},
		{"bots", c.Bot, fmt.Sprintf("%d are views of crawlers and other programs: shown apart, and in no page's number.", c.Bot)},
		{"events", c.Events, fmt.Sprintf("%d are events of people.", c.Events)},
		{"bot_events", c.BotEvents, fmt.Sprintf("%d are events of programs: shown nowhere.", c.BotEvents)},
	}
	e.Out = []Term{{"duplicates", c.Dedup, fmt.Sprintf("%d came twice: the same view sent again, or within DEDUPE_WINDOW.", c.Dedup)}}
	for _, r := range slices.Sorted(maps.Keys(l.skipped)) {
		e.Out = append(e.Out, Term{r.String(), l.skipped[r], fmt.Sprintf("%d did not count: %s.", l.skipped[r], reasonText(r))})
	}
	e.Open = l.countable() - (c.PV + c.Bot + c.Events + c.BotEvents + c.Dedup)
	e.Closes = e.Open == 0
	switch {
	case e.Open > 0:
		e.Why = fmt.Sprintf("%d lines more are in the log than counted: they came just now and are counted in a moment, or the settings changed since they were judged (recount applies them to the past).", e.Open)
	case e.Open < 0:
		e.Why = fmt.Sprintf("%d more counted than lines are here: they are in logs that are deleted, imported, or on other hosts.", -e.Open)
	}
	e.Others = []Term{
		{"with_bots", c.PV + c.Bot, fmt.Sprintf("A counter that does not tell programs from people would show %d views.", c.PV+c.Bot)},
		{"requests", all, fmt.Sprintf("A tool that counts every request in this log would show %d.", all)},
	}
	if l.views > 0 && e.Closes {
		e.Others = append(e.Others, Term{"addresses", int64(len(l.clients)), fmt.Sprintf("A tool that takes an address for a visitor would show %d visitors: several people behind one address are one there.", len(l.clients))})
	}
	e.Others = append(e.Others,
		Term{"scripts", 0, "A script of another counter is blocked by more people than this one, and waits for consent where it sets cookies: it shows less. Sessions end after half an hour without a view, so a visitor may have several."},
		Term{"access_log", 0, "A tool that reads the site's access log also sees readers who run no scripts, and crawlers that say they are browsers; pages from a cache or a CDN it does not see. It shows more, or less."})
	return e
}

// reasonText says why lines of a reason did not count.
func reasonText(r parser.Reason) string {
	if text, ok := reasonTexts[r]; ok {
		return text
	}
	return r.String()
}

var reasonTexts = map[parser.Reason]string{
	parser.SkipMethod:   "they were no GET",
	parser.SkipStatus:   "the server answered with another status than 200, 204 or 304",
	parser.SkipPath:     "they were no beacon, or of a site's own log no page",
	parser.SkipLog:      "views of that time are those of the site's log, or of the beacon (LOG_VIEWS)",
	parser.SkipPrefetch: "a browser fetched the page ahead, and nobody looked at it yet",
	parser.SkipSite:     "the site is none of SITES",
	parser.SkipReferer:  "they came from another site's page (REFERER_CHECK)",
	parser.SkipBlocked:  "address or page is blocked (BLOCK_IPS, BLOCK_PATHS), or the reader objects (PRIVACY_GPC=all)",
	parser.SkipSelf:     "they were your own (SELF_IPS)",
	parser.SkipUnsigned: "they had no signature (BEACON_KEY)",
	parser.SkipVoid:     "a rule takes them out (void --list)",
	parser.SkipDeleted:  "they were deleted (delete --list)",
}
