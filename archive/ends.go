package archive

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ends gathers where the last line of each site in a chunk ends.
func (s *scan) ends() map[string]int64 {
	ends := map[string]int64{}
	for k, t := range s.days {
		ends[k.site] = max(ends[k.site], t.end)
	}
	for k, d := range s.calls.days {
		ends[k.site] = max(ends[k.site], d.end)
	}
	return ends
}

// noteEnds notes them in the transaction that stores the lines. They never move
// back: a recount reads from the start again.
func (st *store) noteEnds(ctx context.Context, tx *sql.Tx, segment int64, ends map[string]int64) error {
	d := st.dialect
	added := d.added("last_end")
	conflict := d.onConflict("site, segment") + "last_end = CASE WHEN " + added + " > segment_sites.last_end THEN " + added + " ELSE segment_sites.last_end END"
	for sites := range slices.Chunk(slices.Sorted(maps.Keys(ends)), namesPerInsert) {
		args := make([]any, 0, 3*len(sites))
		for _, s := range sites {
			args = append(args, d.bytes([]byte(s)), segment, ends[s])
		}
		values := strings.TrimSuffix(strings.Repeat("(?,?,?),", len(sites)), ",")
		if _, err := execTx(ctx, tx, "note where sites end", "INSERT INTO segment_sites (site, segment, last_end) VALUES "+values+conflict, args...); err != nil {
			return err
		}
	}
	return nil
}

// Stand is how far a site is counted elsewhere.
type Stand struct {
	Site    string
	PV      int64            // views of people
	Offsets map[string]int64 // by segment
}

// Lacking returns those stands that lack lines which are archived, of segments
// that are not here: what is here can be counted from it. Of segments that were
// archived before the ends of sites were noted it is told by the site's views.
func (r *segmentReader) Lacking(ctx context.Context, stands []Stand, here map[string]bool) ([]string, error) {
	gone, old, err := r.goneSegments(ctx, here)
	if err != nil || len(gone) == 0 {
		return nil, err
	}
	lacking := map[string]bool{}
	all := make(map[string]Stand, len(stands))
	for _, s := range stands {
		all[s.Site] = s
	}
	for e, err := range r.siteEnds(ctx, stands) {
		if err != nil {
			return nil, err
		}
		id, ok := gone[e.segment]
		if s, asked := all[e.site]; ok && asked && e.end > s.Offsets[id] {
			lacking[e.site] = true
		}
	}
	for _, s := range stands {
		if lacking[s.Site] || !behind(s, old) {
			continue
		}
		var pv sql.NullInt64
		err := r.q.QueryRowContext(ctx, "SELECT SUM(pv) FROM daily_stats WHERE site = ?", r.d.bytes([]byte(s.Site))).Scan(&pv)
		if err != nil {
			return nil, fmt.Errorf("add up archived views: %w", err)
		}
		if pv.Int64 > s.PV {
			lacking[s.Site] = true
		}
	}
	return slices.Sorted(maps.Keys(lacking)), nil
}

// behind tells whether a stand is before what is archived of one of the segments.
func behind(s Stand, ends map[string]int64) bool {
	for id, end := range ends {
		if s.Offsets[id] < end {
			return true
		}
	}
	return false
}

// goneSegments are the archived segments that are not here, by number, and what
// is archived of those among them of which the ends of sites are not known.
func (r *segmentReader) goneSegments(ctx context.Context, here map[string]bool) (gone map[int64]string, old map[string]int64, err error) {
	var since int64
	if err := r.q.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = 'ends_after'").Scan(&since); err != nil {
		return nil, nil, fmt.Errorf("read since when ends are noted: %w", err)
	}
	gone, old = map[int64]string{}, map[string]int64{}
	type segment struct {
		num, end int64
		id       string
	}
	for s, err := range stream(ctx, r.q, func(s scanner) (x segment, err error) { return x, s.Scan(&x.num, &x.id, &x.end) },
		"SELECT num, id, read_to FROM segments WHERE read_to > 0") {
		if err != nil {
			return nil, nil, err
		}
		if here[s.id] {
			continue
		}
		gone[s.num] = s.id
		if s.num <= since {
			old[s.id] = s.end
		}
	}
	return gone, old, nil
}

// siteEnd is where a site ends in a segment.
type siteEnd struct {
	site    string
	segment int64
	end     int64
}

// fewSites: of more than these all ends are read at once.
const fewSites = 100

// siteEnds are the ends of the sites asked for, and maybe of others.
func (r *segmentReader) siteEnds(ctx context.Context, stands []Stand) func(yield func(siteEnd, error) bool) {
	q, args := "SELECT site, segment, last_end FROM segment_sites", []any(nil)
	if len(stands) <= fewSites {
		slices.SortFunc(stands, func(a, b Stand) int { return cmp.Compare(a.Site, b.Site) })
		q += " WHERE site IN (" + strings.TrimSuffix(strings.Repeat("?,", len(stands)), ",") + ")"
		for _, s := range stands {
			args = append(args, r.d.bytes([]byte(s.Site)))
		}
	}
	return stream(ctx, r.q, func(s scanner) (e siteEnd, err error) { return e, s.Scan(&e.site, &e.segment, &e.end) }, q, args...)
}
