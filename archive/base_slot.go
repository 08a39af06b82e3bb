package archive

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// BaseSlot is the slot of page_counts that has what earlier counters had counted
// of pages, so that ORDER BY views has the numbers that the API shows. It is the
// sum of all sources of baselines, written in the transaction that changes them.
// No host adds to it: MIRROR_SLOTS is less. The mirror, which compares what it
// added, leaves it out.
const BaseSlot = 65535

// enterBases makes those who change a site's baselines wait for each other, so
// that each sums up what the one before it wrote; on a cluster that locks nothing
// across nodes one of two fails at COMMIT. The row also tells that page_counts
// has changed.
func (bl *baselines) enterBases(ctx context.Context, tx *sql.Tx, site any) error {
	_, err := execTx(ctx, tx, "enter the bases' slot", "INSERT INTO page_count_slots (site, slot_id, life, changed_at) VALUES (?, ?, ?, ?)"+
		bl.dialect.onConflict("site, slot_id")+"life = "+bl.dialect.added("life")+", changed_at = "+bl.dialect.added("changed_at"),
		site, BaseSlot, bl.dialect.bytes([]byte(rand.Text())), bl.nowText())
	return err
}

// writeBases sums up the baselines of some pages of a site; none: of all.
func (bl *baselines) writeBases(ctx context.Context, tx *sql.Tx, site any, pages []any) error {
	which, args := "", []any{site}
	if len(pages) > 0 {
		which, args = " AND page IN ("+strings.TrimSuffix(strings.Repeat("?,", len(pages)), ",")+")", append(args, pages...)
	}
	if _, err := execTx(ctx, tx, "clear bases", "DELETE FROM page_counts WHERE site = ?"+which+fmt.Sprint(" AND slot_id = ", BaseSlot), args...); err != nil {
		return err
	}
	_, err := execTx(ctx, tx, "write bases", "INSERT INTO page_counts (site, page, potential_bot, slot_id, count) SELECT site, page, 0, "+fmt.Sprint(BaseSlot)+
		", SUM(pv) FROM baselines WHERE site = ?"+which+" AND page <> '' GROUP BY site, page HAVING SUM(pv) <> 0", args...)
	return err
}

// sumBases brings page_counts up to date for the pages of baselines that were
// set.
func (bl *baselines) sumBases(ctx context.Context, tx *sql.Tx, all []Baseline) error {
	pages := map[string][]any{}
	for _, b := range all {
		if b.Page != "" {
			pages[b.Site] = append(pages[b.Site], bl.dialect.bytes([]byte(b.Page)))
		}
	}
	for site, names := range pages {
		for some := range slices.Chunk(names, namesPerInsert) {
			if err := bl.writeBases(ctx, tx, bl.dialect.bytes([]byte(site)), some); err != nil {
				return err
			}
		}
	}
	return nil
}

// BasePages returns the pages of a site that have a base in page_counts, in
// order.
func (r *sumReader) BasePages(ctx context.Context, site string) iter.Seq2[PageCount, error] {
	return stream(ctx, r.q, func(s scanner) (c PageCount, err error) {
		return c, s.Scan(&c.Page, &c.PV)
	}, "SELECT page, count FROM page_counts WHERE site = ? AND potential_bot = 0 AND slot_id = ? ORDER BY page", r.d.bytes([]byte(site)), BaseSlot)
}

// CheckBases compares the bases in page_counts with the baselines of a site.
func (r *sumReader) CheckBases(ctx context.Context, site string) ([]Mismatch, error) {
	name := r.d.bytes([]byte(site))
	var found []Mismatch
	for m, err := range stream(ctx, r.q, func(s scanner) (m Mismatch, err error) {
		m.Table, m.Column = "page_counts", "count of slot "+fmt.Sprint(BaseSlot)
		return m, s.Scan(&m.Name, &m.Have, &m.Want)
	}, "SELECT page, SUM(have), SUM(want) FROM (SELECT page, count AS have, 0 AS want FROM page_counts WHERE site = ? AND slot_id = ? "+
		"UNION ALL SELECT page, 0, pv FROM baselines WHERE site = ? AND page <> '') sums GROUP BY page HAVING SUM(have) <> SUM(want) ORDER BY page", name, BaseSlot, name) {
		if err != nil {
			return nil, fmt.Errorf("compare bases of %s: %w", site, err)
		}
		found = append(found, m)
	}
	return found, nil
}

// RedoBases sums the baselines of a site up again.
func (bl *baselines) RedoBases(ctx context.Context, site string) error {
	s := bl.dialect.bytes([]byte(site))
	err := bl.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := bl.enterBases(ctx, tx, s); err != nil {
			return err
		}
		return bl.writeBases(ctx, tx, s, nil)
	})
	if err != nil {
		return fmt.Errorf("sum up bases of %s again: %w", site, err)
	}
	return nil
}
