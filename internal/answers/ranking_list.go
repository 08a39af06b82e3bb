package answers

import (
	"cmp"
	"slices"
	"sort"

	"ddkk-stats/archive"
	"ddkk-stats/queryapi"
)

// rankedList is all pages of a site in order of their views. It does not change
// once it is sorted.
type rankedList struct {
	version string // of page_counts, see archive.Reader.PageCountsVersion
	people  []queryapi.RankedPage
	all     []queryapi.RankedPage // with the views of bots; of some pages those are all
}

func (l *rankedList) size() int { return len(l.all) }

// add adds a page, in any order.
func (l *rankedList) add(c *archive.PageCount) {
	if c.PV > 0 {
		l.people = append(l.people, queryapi.RankedPage{Page: c.Page, PV: c.PV})
	}
	l.all = append(l.all, queryapi.RankedPage{Page: c.Page, PV: c.PV + c.Bots})
}

func (l *rankedList) sort() {
	for _, pages := range [][]queryapi.RankedPage{l.people, l.all} {
		slices.SortFunc(pages, comparePages)
	}
	n := sort.Search(len(l.all), func(i int) bool { return l.all[i].PV <= 0 })
	l.all = l.all[:n]
}

// comparePages puts the most viewed first, ties by name.
func comparePages(x, y queryapi.RankedPage) int {
	return cmp.Or(cmp.Compare(y.PV, x.PV), cmp.Compare(x.Page, y.Page))
}

// pages are those that a query asks for.
func (l *rankedList) pages(q *queryapi.RankQuery) []queryapi.RankedPage {
	pages := l.people
	if q.Bots {
		pages = l.all
	}
	if q.Asc {
		return leastViewed(pages, q)
	}
	if q.After != nil {
		at, there := slices.BinarySearchFunc(pages, *q.After, comparePages)
		if there {
			at++
		}
		pages = pages[at:]
	}
	return pages[:min(q.Limit, len(pages))]
}

// leastViewed goes backwards through runs of pages with as many views, and
// forwards through each: ties are by name in this order, too.
func leastViewed(pages []queryapi.RankedPage, q *queryapi.RankQuery) []queryapi.RankedPage {
	first := func(pv int64) int { return sort.Search(len(pages), func(i int) bool { return pages[i].PV <= pv }) }
	var out []queryapi.RankedPage
	end := len(pages)
	if q.After != nil {
		end = first(q.After.PV)
		behind := sort.Search(len(pages), func(i int) bool { return comparePages(pages[i], *q.After) > 0 })
		for ; behind < len(pages) && pages[behind].PV == q.After.PV && len(out) < q.Limit; behind++ {
			out = append(out, pages[behind])
		}
	}
	for end > 0 && len(out) < q.Limit {
		begin := first(pages[end-1].PV)
		out = append(out, pages[begin:min(end, begin+q.Limit-len(out))]...)
		end = begin
	}
	return out
}
