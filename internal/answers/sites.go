package answers

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"ddkk-stats/counter"
	"ddkk-stats/parser"
)

// How long past days of a site are remembered (a late line, a recount or a restore may
// change them), and of how many sites one request reads them again: ten thousand would keep
// it waiting.
const (
	sitePastAge   = time.Minute
	sitePastAgain = 1000
)

// sitesPast remembers the views of past days of all sites. The mutex is held while Redis
// is asked: those who ask at the same time want to know the same.
type sitesPast struct {
	reader *counter.Reader
	now    func() time.Time

	mu    sync.Mutex
	today parser.Day
	days  int
	all   map[string]*sitePast
}

// sitePast are the views of a site on the days before today, oldest first.
type sitePast struct {
	at  time.Time
	row []int64
}

func newSitesPast(reader *counter.Reader, now func() time.Time) *sitesPast {
	return &sitesPast{reader: reader, now: now}
}

// rows are the views of sites on so many days before today; nil where they are not known.
func (p *sitesPast) rows(ctx context.Context, sites []string, days int, today parser.Day) ([][]int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.today != today || p.days < days {
		p.today, p.days, p.all = today, max(p.days, days), map[string]*sitePast{}
	}
	if err := p.read(ctx, p.wanted(sites)); err != nil {
		return nil, err
	}
	rows := make([][]int64, len(sites))
	for i, site := range sites {
		if e := p.all[site]; e != nil {
			rows[i] = e.row[len(e.row)-days:]
		}
	}
	return rows, nil
}

// wanted are the sites to be read: all that are not known, and some of those that were
// read long ago.
func (p *sitesPast) wanted(sites []string) []string {
	var all, old []string
	for _, site := range sites {
		switch e := p.all[site]; {
		case e == nil:
			all = append(all, site)
		case p.now().Sub(e.at) >= sitePastAge:
			old = append(old, site)
		}
	}
	slices.SortFunc(old, func(a, b string) int { return p.all[a].at.Compare(p.all[b].at) })
	return append(all, old[:min(len(old), sitePastAgain)]...)
}

func (p *sitesPast) read(ctx context.Context, sites []string) error {
	if len(sites) == 0 || p.days == 0 {
		return nil
	}
	first := parser.DayOf(p.today.Date(time.UTC).AddDate(0, 0, -p.days))
	last := parser.DayOf(p.today.Date(time.UTC).AddDate(0, 0, -1))
	rows, err := p.reader.SitesDays(ctx, sites, first, last)
	if err != nil {
		return fmt.Errorf("read sites: %w", err)
	}
	at := p.now()
	for i, site := range sites {
		if rows[i] != nil {
			p.all[site] = &sitePast{at: at, row: rows[i]}
		}
	}
	return nil
}

// SitesPast implements queryapi.Facts.
func (f *Facts) SitesPast(ctx context.Context, sites []string, days int) ([][]int64, bool, error) {
	today := parser.DayOf(f.past.now().In(f.cfg().Timezone))
	rows, err := f.past.rows(ctx, sites, days, today)
	return rows, slices.ContainsFunc(rows, func(row []int64) bool { return row == nil }), err
}
