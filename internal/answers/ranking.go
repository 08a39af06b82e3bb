package answers

import (
	"context"
	"fmt"
	"sync"
	"time"

	"ddkk-stats/archive"
	"ddkk-stats/internal/vault"
	"ddkk-stats/queryapi"
)

// How ordered lists of pages are kept.
const (
	// rankedPages bounds the pages of all lists together: about 100 bytes each.
	// A site with more is asked for in SQL each time.
	rankedPages = 300_000
	// rankedIdle is for how long a list is kept that nobody asks for, and
	// rankedAge for how long at all: it bounds what no version tells of, such as
	// rows of page_counts that somebody changed by hand.
	rankedIdle = 10 * time.Minute
	rankedAge  = 10 * time.Minute
	// rankedBehind is how far a list may be behind page_counts while another one
	// is being read, and rankedGrace how long one waits for that first.
	rankedBehind = 5 * time.Second
	rankedGrace  = 25 * time.Millisecond
)

// Ranking lists pages from the archive's page_counts. It keeps the lists that are
// asked for in memory, in order; a look at what flushes left in SQL tells whether
// a list is still what page_counts has. Make one with newRanking, and close it.
type Ranking struct {
	vault *vault.Vault
	now   func() time.Time
	limit int // pages of all lists

	ctx  context.Context // of the renewals
	stop context.CancelFunc
	all  sync.WaitGroup
	turn chan struct{} // one renewal at a time

	mu    sync.Mutex
	lists map[string]*keptList
}

// keptList is the list of a site. Its fields belong to ranking.mu.
type keptList struct {
	list      *rankedList // nil: not read yet, or too long
	long      bool        // too long to be kept
	read      time.Time   // when it was
	confirmed time.Time   // when it was last known to be what page_counts has
	used      time.Time
	renewal   *renewal // nil: none is under way
}

// renewal is the reading of a list. err may be read when done is closed.
type renewal struct {
	done chan struct{}
	err  error
}

func NewRanking(v *vault.Vault, now func() time.Time) *Ranking {
	ctx, stop := context.WithCancel(context.Background())
	return &Ranking{vault: v, now: now, limit: rankedPages, ctx: ctx, stop: stop, turn: make(chan struct{}, 1), lists: map[string]*keptList{}}
}

// Close ends renewals and waits for them.
func (r *Ranking) Close() {
	r.stop()
	r.all.Wait()
}

// Ranked implements queryapi.Ranking.
func (r *Ranking) Ranked(ctx context.Context, q *queryapi.RankQuery) ([]queryapi.RankedPage, error) {
	a, err := r.vault.Opened()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", queryapi.ErrArchiveAway, err)
	}
	list, err := r.list(ctx, a, q.Site, true)
	if err == nil && list == nil {
		return r.fromSQL(ctx, a, q)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", queryapi.ErrArchiveAway, err)
	}
	return list.pages(q), nil
}

// fromSQL has the database put a site's pages in order.
func (r *Ranking) fromSQL(ctx context.Context, a *archive.Archive, q *queryapi.RankQuery) ([]queryapi.RankedPage, error) {
	want := archive.RankQuery{Site: q.Site, Bots: q.Bots, Asc: q.Asc, Limit: q.Limit}
	if q.After != nil {
		want.After, want.AfterPV = q.After.Page, q.After.PV
	}
	var all []queryapi.RankedPage
	for p, err := range a.Read().Ranked(ctx, &want) {
		if err != nil {
			return nil, fmt.Errorf("%w: %w", queryapi.ErrArchiveAway, err)
		}
		all = append(all, queryapi.RankedPage{Page: p.Page, PV: p.PV})
	}
	return all, nil
}

// list is a site's list as page_counts has it, or had it a moment ago; nil: it is
// too long to be kept. use: somebody asks for it.
func (r *Ranking) list(ctx context.Context, a *archive.Archive, site string, use bool) (*rankedList, error) {
	patience := time.NewTimer(rankedGrace)
	defer patience.Stop()
	for {
		version, err := a.Read().PageCountsVersion(ctx, site)
		if err != nil {
			return nil, err
		}
		list, work := r.look(a, site, version, use)
		if work == nil {
			return list, nil
		}
		var late <-chan time.Time
		if list != nil {
			late = patience.C
		}
		select {
		case <-work.done:
			if work.err != nil {
				return nil, work.err
			}
		case <-late:
			return list, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// look finds the list of a site. work is the renewal of one that is not of the
// version any more; a list that comes with it will do when that takes long.
func (r *Ranking) look(a *archive.Archive, site, version string, use bool) (list *rankedList, work *renewal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	k := r.lists[site]
	if k == nil {
		k = &keptList{used: now}
		r.lists[site] = k
	}
	if use {
		k.used = now
	}
	if now.Sub(k.read) < rankedAge {
		switch {
		case k.long:
			return nil, nil
		case k.list != nil && k.list.version == version:
			k.confirmed = now
			return k.list, nil
		}
	}
	if k.renewal == nil {
		k.renewal = &renewal{done: make(chan struct{})}
		r.all.Add(1)
		go r.renew(a, site, k)
	}
	if k.list != nil && now.Sub(k.confirmed) < rankedBehind {
		return k.list, k.renewal
	}
	return nil, k.renewal
}

// renew reads a site's list.
func (r *Ranking) renew(a *archive.Archive, site string, k *keptList) {
	defer r.all.Done()
	list, err := r.readList(a, site)
	r.mu.Lock()
	defer r.mu.Unlock()
	work := k.renewal
	k.renewal, work.err = nil, err
	if err == nil {
		k.list, k.long, k.read, k.confirmed = list, list == nil, r.now(), r.now()
		r.shed(site)
	}
	close(work.done)
}

// readList reads a list after those that are being read; nil: it is too long.
func (r *Ranking) readList(a *archive.Archive, site string) (*rankedList, error) {
	select {
	case r.turn <- struct{}{}:
	case <-r.ctx.Done():
		return nil, r.ctx.Err()
	}
	defer func() { <-r.turn }()
	version, err := a.Read().PageCountsVersion(r.ctx, site)
	if err != nil {
		return nil, err
	}
	list := &rankedList{version: version}
	for c, err := range a.Read().PageViews(r.ctx, site) {
		if err != nil {
			return nil, err
		}
		if list.size() >= r.limit {
			return nil, nil
		}
		list.add(&c)
	}
	list.sort()
	return list, nil
}

// shed forgets lists that nobody asked for longest, until the rest is few enough.
func (r *Ranking) shed(keep string) {
	for {
		pages, oldest := 0, ""
		for site, k := range r.lists {
			if k.list != nil {
				pages += k.list.size()
			}
			if site != keep && k.renewal == nil && (oldest == "" || k.used.Before(r.lists[oldest].used)) {
				oldest = site
			}
		}
		if oldest == "" || pages <= r.limit && len(r.lists) <= rankedSites {
			return
		}
		delete(r.lists, oldest)
	}
}

// rankedSites bounds the lists, also of sites without a page.
const rankedSites = 1000

// Refresh brings the lists up to date that somebody asked for lately, and forgets
// the others. It is called before a flush, so that lists are known to be right
// until it begins, and after it.
func (r *Ranking) Refresh(ctx context.Context) error {
	a, err := r.vault.Opened()
	if err != nil {
		return nil // nobody was answered from it
	}
	for _, site := range r.lately() {
		if _, err := r.list(ctx, a, site, false); err != nil {
			return fmt.Errorf("renew the list of pages of %s: %w", site, err)
		}
	}
	return nil
}

// lately are the sites whose lists were asked for lately.
func (r *Ranking) lately() (sites []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for site, k := range r.lists {
		switch {
		case k.renewal == nil && r.now().Sub(k.used) > rankedIdle:
			delete(r.lists, site)
		case k.list != nil:
			sites = append(sites, site)
		}
	}
	return sites
}
