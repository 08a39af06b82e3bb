package answers

import (
	"sync"
	"time"

	"ddkk-stats/archive"
	"ddkk-stats/parser"
)

// How much of past days is remembered, and for how long: adding up the pages of
// a month takes a database a while, and the dashboard asks again and again.
const (
	pageCacheAge  = time.Minute
	pageCacheRows = 300_000
)

// pageSpan names the pages of some past days of a site.
type pageSpan struct {
	site     string
	from, to parser.Day
}

// pageCache remembers sums of pages. Those who ask for the same span at the
// same time wait for one of them.
type pageCache struct {
	now func() time.Time

	mu   sync.Mutex
	all  map[pageSpan]*cachedPages
	rows int
}

type cachedPages struct {
	mu    sync.Mutex
	at    time.Time // zero: not read yet
	pages []archive.NameTotals
}

func newPageCache(now func() time.Time) *pageCache {
	return &pageCache{now: now, all: map[pageSpan]*cachedPages{}}
}

// get answers from memory, or reads. What is returned must not be changed.
func (c *pageCache) get(k pageSpan, read func() ([]archive.NameTotals, error)) ([]archive.NameTotals, error) {
	e := c.entry(k)
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.at.IsZero() && c.now().Sub(e.at) < pageCacheAge {
		return e.pages, nil
	}
	pages, err := read()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all[k] == e {
		c.rows += len(pages) - len(e.pages)
	}
	e.pages, e.at = pages, c.now()
	if c.rows > pageCacheRows {
		clear(c.all)
		c.rows = 0
	}
	return pages, nil
}

func (c *pageCache) entry(k pageSpan) *cachedPages {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.all[k]
	if e == nil {
		if len(c.all) >= pageCacheSpans {
			clear(c.all)
			c.rows = 0
		}
		e = &cachedPages{}
		c.all[k] = e
	}
	return e
}

// pageCacheSpans bounds the entries, also of sites without a page.
const pageCacheSpans = 256
