package counter

import (
	"ddkk-stats/parser"
)

// crowds remember which tables of names are full: what comes there under a new name is
// counted under OtherPage, or not at all where the names are sites. That may be a
// stranger's doing, so somebody has to hear of it, once for each table.
type crowds struct {
	full  map[crowd]struct{}
	fresh []crowd // those that were not told yet
}

// crowd is a table that is full; all of sites have no site and no day.
type crowd struct {
	names string // what is in it
	site  string
	day   parser.Day
}

// maxCrowds bounds what is remembered; beyond, nothing new is told until midnight.
const maxCrowds = 10_000

func (c *crowds) note(names, site string, day parser.Day) {
	k := crowd{names, site, day}
	if _, ok := c.full[k]; ok || len(c.full) >= maxCrowds {
		return
	}
	if c.full == nil {
		c.full = map[crowd]struct{}{}
	}
	c.full[k] = struct{}{}
	c.fresh = append(c.fresh, k)
}

// tellCrowds says which tables have become full and forgets those that nobody adds to
// any more: of days before yesterday, and of sites where there is room again.
func (in *Ingester) tellCrowds() {
	c := &in.crowds
	if len(c.full) == 0 {
		return
	}
	for _, k := range c.fresh {
		if k.names == crowdOfSites {
			in.log.Warn("there are as many sites as MAX_SITES allows: new ones are not counted. List yours in SITES, or raise MAX_SITES", "limit", in.caps.sites)
			continue
		}
		in.log.Warn("a table of names is full: new names of this day are counted as "+parser.OtherPage+". If a stranger made them up, block him (BLOCK_IPS, BLOCK_PATHS), else raise the limit; then run `recount`",
			"names", k.names, "site", k.site, "day", k.day)
	}
	c.fresh = nil
	oldest := parser.DayOf(in.now.In(in.caps.location).AddDate(0, 0, -1))
	for k := range c.full {
		if k.names == crowdOfSites && len(in.sites) < in.caps.sites || k.names != crowdOfSites && k.day < oldest {
			delete(c.full, k)
		}
	}
	in.meter.update(func(s *IngestStats) { s.Full = int64(len(c.full)) })
}

// Names of tables, as the log has them.
const (
	crowdOfSites  = "sites"
	crowdOfPages  = "pages"
	crowdOfEvents = "events"
)
