package archive

import (
	"context"
	"database/sql"
	"fmt"
)

// imports note which files were imported, and what they still owe.
type imports struct{ *store }

// Import is a file from elsewhere that is archived as a segment.
type Import struct {
	Segment string // identity, and for all but the first of one: "." and something more
	Name    string // path where it was seen last
	Rules   string // which of its lines count, as text
	End     int64  // bytes of complete lines that may be archived
	Sum     string // SHA-256 of those bytes, in hex
	Head    string // what its first views are, see importer.Head; "" where that was not kept
}

// FindImports returns what was imported under an identity: files that begin with
// the same line.
func (im *imports) FindImports(ctx context.Context, id string) ([]Import, error) {
	var all []Import
	key := func(s string) any { return im.dialect.bytes([]byte(s)) }
	for i, err := range stream(ctx, im.reads, func(s scanner) (i Import, err error) {
		var head []byte
		err = s.Scan(&i.Segment, &i.Name, &i.Rules, &i.End, &i.Sum, &head)
		i.Head = string(head)
		return i, err
	}, "SELECT i.segment, i.name, i.rules, i.content_end, i.content_sum, h.head FROM imports i LEFT JOIN import_heads h ON h.segment = i.segment "+
		"WHERE i.segment = ? OR i.segment > ? AND i.segment < ? ORDER BY i.segment",
		key(id), key(id+"."), key(id+"/")) {
		if err != nil {
			return nil, fmt.Errorf("find import: %w", err)
		}
		all = append(all, i)
	}
	return all, nil
}

// BeginImport notes, in one transaction, what is about to be archived and
// which sites must be rebuilt in Redis after it. It comes before the load, so
// that an import that was killed is recognised and finished by the next one.
func (im *imports) BeginImport(ctx context.Context, i Import, sites []string) error {
	d := im.dialect
	err := im.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		id := d.bytes([]byte(i.Segment))
		if _, err := execTx(ctx, tx, "forget", "DELETE FROM imports WHERE segment = ?", id); err != nil {
			return err
		}
		if _, err := execTx(ctx, tx, "write", "INSERT INTO imports (segment, name, rules, content_end, content_sum, imported_at) VALUES (?, ?, ?, ?, ?, ?)",
			id, d.bytes(cut([]byte(i.Name), 1024)), d.bytes([]byte(i.Rules)), i.End, d.bytes([]byte(i.Sum)), timeText(im.opt.Now().UnixMilli())); err != nil {
			return err
		}
		if _, err := execTx(ctx, tx, "forget head", "DELETE FROM import_heads WHERE segment = ?", id); err != nil {
			return err
		}
		if i.Head != "" {
			if _, err := execTx(ctx, tx, "write head", "INSERT INTO import_heads (segment, head) VALUES (?, ?)", id, d.bytes([]byte(i.Head))); err != nil {
				return err
			}
		}
		for _, s := range sites {
			if err := im.noteSite(ctx, tx, s); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("note import: %w", err)
	}
	return nil
}

// PendingImports are the sites whose numbers in Redis lack what was imported.
func (im *imports) PendingImports(ctx context.Context) ([]string, error) {
	var all []string
	for site, err := range stream(ctx, im.reads, func(s scanner) (site string, err error) {
		return site, s.Scan(&site)
	}, "SELECT site FROM imports_pending ORDER BY site") {
		if err != nil {
			return nil, fmt.Errorf("read sites to rebuild: %w", err)
		}
		all = append(all, site)
	}
	return all, nil
}

// EndImport notes that Redis has all that was imported for a site.
func (im *imports) EndImport(ctx context.Context, site string) error {
	return im.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := execTx(ctx, tx, "note import as shown", "DELETE FROM imports_pending WHERE site = ?", im.dialect.bytes([]byte(site)))
		return err
	})
}

// NotePending notes that the numbers of sites in Redis lack what the archive has.
func (im *imports) NotePending(ctx context.Context, sites []string) error {
	return im.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for _, s := range sites {
			if err := im.noteSite(ctx, tx, s); err != nil {
				return err
			}
		}
		return nil
	})
}

// noteSite notes that a site is to be rebuilt in Redis.
func (st *store) noteSite(ctx context.Context, tx *sql.Tx, name string) error {
	site := st.dialect.bytes([]byte(name))
	if _, err := execTx(ctx, tx, "forget site", "DELETE FROM imports_pending WHERE site = ?", site); err != nil {
		return err
	}
	_, err := execTx(ctx, tx, "note site", "INSERT INTO imports_pending (site) VALUES (?)", site)
	return err
}
