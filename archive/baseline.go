package archive

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"maps"
	"slices"
)

// baselines are counts of before, that sums begin with.
type baselines struct{ *store }

// Baseline is what an earlier counter had counted of a page, or of a whole
// site where Page is "".
type Baseline struct {
	Source string // which counter: values of different sources add up
	Site   string
	Page   string
	PV, UV int64
}

// Baselines yields the baselines of a site, or of all sites where site is "".
func (bl *baselines) Baselines(ctx context.Context, site string) iter.Seq2[Baseline, error] {
	where, args := "", []any(nil)
	if site != "" {
		where, args = " WHERE site = ?", append(args, bl.dialect.bytes([]byte(site)))
	}
	return stream(ctx, bl.reads, func(s scanner) (b Baseline, err error) {
		return b, s.Scan(&b.Source, &b.Site, &b.Page, &b.PV, &b.UV)
	}, "SELECT source, site, page, pv, uv FROM baselines"+where+" ORDER BY site, page, source", args...)
}

// BaselineSites are the sites that have a baseline, in order.
func (bl *baselines) BaselineSites(ctx context.Context) ([]string, error) {
	var all []string
	for site, err := range stream(ctx, bl.reads, func(s scanner) (site string, err error) {
		return site, s.Scan(&site)
	}, "SELECT DISTINCT site FROM baselines ORDER BY site") {
		if err != nil {
			return nil, fmt.Errorf("read sites with a baseline: %w", err)
		}
		all = append(all, site)
	}
	return all, nil
}

// SetBaselines sets values, all of them or none, and page_counts with them.
// Setting twice changes nothing; what is not among them stays. Zero views and
// visitors delete.
func (bl *baselines) SetBaselines(ctx context.Context, all []Baseline) error {
	err := bl.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		sites := map[string]bool{}
		for _, b := range all {
			sites[b.Site] = true
		}
		for _, site := range slices.Sorted(maps.Keys(sites)) {
			if err := bl.enterBases(ctx, tx, bl.dialect.bytes([]byte(site))); err != nil {
				return err
			}
		}
		for _, b := range all {
			if err := bl.setBaseline(ctx, tx, b, bl.nowText()); err != nil {
				return err
			}
		}
		return bl.sumBases(ctx, tx, all)
	})
	if err != nil {
		return fmt.Errorf("keep baselines: %w", err)
	}
	return nil
}

func (bl *baselines) setBaseline(ctx context.Context, tx *sql.Tx, b Baseline, now string) error {
	d := bl.dialect
	source, site, page := d.bytes([]byte(b.Source)), d.bytes([]byte(b.Site)), d.bytes([]byte(b.Page))
	if b.PV == 0 && b.UV == 0 {
		_, err := execTx(ctx, tx, "delete", "DELETE FROM baselines WHERE site = ? AND page = ? AND source = ?", site, page, source)
		return err
	}
	_, err := execTx(ctx, tx, "set", "INSERT INTO baselines (source, site, page, pv, uv, changed_at) VALUES (?, ?, ?, ?, ?, ?)"+
		d.onConflict("site, page, source")+"pv = "+d.added("pv")+", uv = "+d.added("uv")+", changed_at = "+d.added("changed_at"),
		source, site, page, b.PV, b.UV, now)
	return err
}
