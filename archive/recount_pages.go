package archive

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// pageTable has sums by page that no raw row tells anew: those of days without raw rows, and
// what earlier counters had.
type pageTable struct {
	table string
	keys  string   // columns of the key beside site and page
	sums  []string // columns that add up
	where string   // which rows; days: the first and the last day
	days  bool
}

var pageTables = []pageTable{
	{"page_stats", "date", []string{"pv", "uv", "pv_bot"}, " AND date >= ? AND date <= ? AND date NOT IN (SELECT d.date FROM days d WHERE d.site = ? AND d.raw = 1)", true},
	{"baselines", "source", []string{"pv", "uv"}, " AND page <> ''", false},
	{"base_days", "source, date", []string{"pv", "uv"}, " AND page <> ''", false},
}

// namePages gives the names of now to pages whose sums cannot be counted again: those of
// days without raw rows among the days asked for, and those of earlier counters. Where
// two become one their sums add up, visitors as well. Each name is one transaction.
func (r *recounter) namePages(ctx context.Context) error {
	if r.q.Facets {
		return nil
	}
	for _, t := range pageTables {
		names, err := r.pagesToName(ctx, t)
		if err != nil {
			return err
		}
		r.out.Pages += int64(len(names))
		if r.q.DryRun {
			continue
		}
		for _, n := range names {
			if err := r.namePage(ctx, t, n); err != nil {
				return fmt.Errorf("name page %q of %s: %w", n.from, n.site, err)
			}
		}
	}
	return nil
}

type pageName struct{ site, from, to string }

// pagesToName are the pages that have another name now.
func (r *recounter) pagesToName(ctx context.Context, t pageTable) (all []pageName, err error) {
	where, args := "1 = 1"+strings.ReplaceAll(t.where, "d.site = ?", "d.site = "+t.table+".site"), []any(nil)
	if t.days {
		args = []any{dateText(r.q.From), dateText(r.q.To)}
	}
	for n, err := range stream(ctx, r.a.reads, func(s scanner) (n pageName, err error) { return n, s.Scan(&n.site, &n.from) },
		"SELECT DISTINCT site, page FROM "+t.table+" WHERE "+where, args...) {
		if err != nil {
			return nil, fmt.Errorf("list pages: %w", err)
		}
		if !r.wants(n.site) {
			continue
		}
		var sure bool
		if n.to, sure = r.q.Rows.PageNow(n.site, n.from); sure && n.to != n.from {
			all = append(all, n)
		}
	}
	return all, nil
}

func (r *recounter) namePage(ctx context.Context, t pageTable, n pageName) error {
	d := r.a.dialect
	site, from, to := d.bytes([]byte(n.site)), d.bytes([]byte(n.from)), d.bytes([]byte(n.to))
	var args []any
	if t.days {
		args = []any{dateText(r.q.From), dateText(r.q.To), site}
	}
	columns, conflict := append(strings.Split(t.keys, ", "), t.sums...), d.onConflict("site, "+t.keys+", page")
	for i, c := range t.sums {
		if i > 0 {
			conflict += ", "
		}
		conflict += c + " = " + t.table + "." + c + " + " + d.added(c)
	}
	if t.table == "baselines" {
		columns = append(columns, "changed_at")
	}
	bases := &baselines{r.a.store}
	return r.a.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if !t.days {
			if err := bases.enterBases(ctx, tx, site); err != nil {
				return err
			}
		}
		insert := "INSERT INTO " + t.table + " (site, page, " + strings.Join(columns, ", ") + ") SELECT s.site, ?, s." + strings.Join(columns, ", s.") +
			" FROM " + t.table + " s WHERE s.site = ? AND s.page = ?" + t.where
		if _, err := execTx(ctx, tx, "name pages of "+t.table, insert+conflict, append([]any{to, site, from}, args...)...); err != nil {
			return err
		}
		if _, err := execTx(ctx, tx, "delete old names of "+t.table, "DELETE FROM "+t.table+" WHERE site = ? AND page = ?"+t.where, append([]any{site, from}, args...)...); err != nil {
			return err
		}
		if !t.days {
			if err := bases.writeBases(ctx, tx, site, []any{from, to}); err != nil {
				return err
			}
		}
		return r.a.noteSite(ctx, tx, n.site)
	})
}
