package answers

import (
	"bytes"
	"context"
	"log/slog"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"
	"unicode"

	"ddkk-stats/internal/config"
	"ddkk-stats/internal/logs"
	"ddkk-stats/parser"
)

// Titles are what pages are called, as their readers' browsers told with the beacon
// (parameter title). Anybody may tell one, so a title is a text and never more: cut at
// maxTitle, without control characters. Of several titles of a page the one is believed
// that most networks told today and yesterday; at a tie the title stays that was there. A
// network counts once, however many lines it sends, so one stranger does not rename a page
// that others read. Whoever has more networks than a page has readers could put a page of
// any name into the lists anyway.
//
// Titles are read from the ends of the logs when somebody asks, half a minute apart at
// most: counting does nothing for them, and nothing is stored. After a restart the newest
// lines tell them again.
type Titles struct {
	logs *LastViews
	cfg  func() *config.Config
	now  func() time.Time
	log  *slog.Logger

	reading sync.Mutex // one reads at a time; guards last and today
	last    time.Time
	today   parser.Day

	mu    sync.RWMutex
	pages map[sitePage]*titled
}

type sitePage struct{ site, page string }

// titled is what is told of one page.
type titled struct {
	title  string
	tales  map[string]*tale
	recent parser.Day // when it was told last
}

// tale is one title, with the networks that told it today and yesterday.
type tale struct{ today, before map[netip.Prefix]bool }

func (t *tale) weight() int {
	n := len(t.today)
	for network := range t.before {
		if !t.today[network] {
			n++
		}
	}
	return n
}

const (
	titlesEvery = 30 * time.Second
	maxTitle    = 120    // characters
	maxTitled   = 20_000 // pages
	maxTales    = 4      // titles of a page
	maxTellers  = 64     // networks of a title and day
	forgotten   = 32     // days after which a page has no title
)

// NewTitles reads the titles that the logs tell.
func NewTitles(inputs []logs.Input, cfg func() *config.Config, now func() time.Time, log *slog.Logger) *Titles {
	return &Titles{logs: NewLastViews(inputs, cfg), cfg: cfg, now: now, log: log, pages: map[sitePage]*titled{}}
}

// Title is what a page is called, empty where nobody told.
func (t *Titles) Title(ctx context.Context, site, page string) string {
	t.look(ctx)
	t.mu.RLock()
	defer t.mu.RUnlock()
	if p := t.pages[sitePage{site, page}]; p != nil {
		return p.title
	}
	return ""
}

// look reads the newest lines, if that was done a while ago. While somebody reads, the
// others answer what is known.
func (t *Titles) look(ctx context.Context) {
	if !t.reading.TryLock() {
		return
	}
	defer t.reading.Unlock()
	now := t.now()
	if past := now.Sub(t.last); past >= 0 && past < titlesEvery {
		return
	}
	t.last = now
	if today := parser.DayOf(now.In(t.cfg().Timezone)); today != t.today {
		t.turn(today)
	}
	if err := t.logs.each(ctx, t.lines); err != nil && ctx.Err() == nil {
		t.log.Warn("cannot read the titles of pages; their paths are shown and the next look is in half a minute", "err", err)
	}
}

// turn begins a day.
func (t *Titles) turn(today parser.Day) {
	t.mu.Lock()
	defer t.mu.Unlock()
	next := t.today != 0 && t.today.Next() == today
	t.today = today
	for key, p := range t.pages {
		for title, told := range p.tales {
			if told.before, told.today = told.today, nil; !next || len(told.before) == 0 {
				delete(p.tales, title)
			}
		}
		if today.Date(time.UTC).Sub(p.recent.Date(time.UTC)) > forgotten*24*time.Hour {
			delete(t.pages, key)
		}
	}
}

var titleParam = []byte("title=")

// lines takes the titles of complete lines. Lines that were there the last time change
// nothing.
func (t *Titles) lines(p *parser.Parser, data []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var h parser.Hit
	changed := map[*titled]bool{}
	for line := range bytes.Lines(data) {
		if !bytes.Contains(line, titleParam) {
			continue
		}
		p.Parse(line[:len(line)-1], &h)
		today := h.Day == t.today
		if h.Kind != parser.Pageview || h.Bot || !today && h.Day.Next() != t.today {
			continue
		}
		title := titleOf(h.URI)
		if title == "" {
			continue
		}
		if one := t.page(sitePage{h.Site, string(h.Page)}); one != nil && one.tell(title, network(h.Addr), today) {
			one.recent = max(one.recent, h.Day)
			changed[one] = true
		}
	}
	for one := range changed {
		one.choose()
	}
}

func (t *Titles) page(key sitePage) *titled {
	p := t.pages[key]
	if p == nil && len(t.pages) < maxTitled {
		p = &titled{tales: map[string]*tale{}}
		t.pages[key] = p
	}
	return p
}

// tell notes that a network told a title, and says whether there was room for it.
func (p *titled) tell(title string, from netip.Prefix, today bool) bool {
	told := p.tales[title]
	if told == nil {
		if len(p.tales) >= maxTales && !p.drop() {
			return false
		}
		told = &tale{}
		p.tales[title] = told
	}
	day := &told.today
	if !today {
		day = &told.before
	}
	if *day == nil {
		*day = map[netip.Prefix]bool{}
	}
	if len(*day) < maxTellers {
		(*day)[from] = true
	}
	return true
}

// drop makes room by the title that is told by one network only, so that made-up titles
// do not keep a true one out.
func (p *titled) drop() bool {
	for title, told := range p.tales {
		if title != p.title && told.weight() <= 1 {
			delete(p.tales, title)
			return true
		}
	}
	return false
}

func (p *titled) choose() {
	most := 0
	if told := p.tales[p.title]; told != nil {
		most = told.weight()
	}
	for title, told := range p.tales {
		if n := told.weight(); n > most {
			p.title, most = title, n
		}
	}
}

// network is what stands for one teller: who has an address usually has its neighbours.
func network(addr netip.Addr) netip.Prefix {
	bits := 48
	if addr.Is4() {
		bits = 24
	}
	prefix, err := addr.WithZone("").Prefix(bits)
	if err != nil {
		return netip.Prefix{} // a line without an address: all these are one
	}
	return prefix
}

// titleOf is the title that a beacon's request tells, as it may be shown.
func titleOf(uri []byte) string {
	_, query, _ := strings.Cut(string(uri), "?")
	values, err := url.ParseQuery(query)
	if err != nil && len(values) == 0 {
		return ""
	}
	title := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r) && r != '\u200c' && r != '\u200d', r == unicode.ReplacementChar:
			return -1 // among them what turns the direction of all that follows
		}
		return r
	}, strings.ToValidUTF8(values.Get("title"), ""))
	cut := []rune(strings.Join(strings.Fields(title), " "))
	return string(cut[:min(len(cut), maxTitle)])
}
