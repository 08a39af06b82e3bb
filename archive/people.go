package archive

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// people are those whom the owner gave a token, and the log of what was done.
type people struct{ *store }

// Token is what somebody may do who shows it.
type Token struct {
	ID       string // what the owner calls it by
	Name     string
	Secret   string   // SHA-256 of what is shown, in hex
	Role     string   // see internal/people
	Sites    []string // none: all
	Share    bool     // it is a link to a dashboard
	Password string   // a hash of what is asked for beside it; "" where nothing is
	Made     time.Time
	Ends     time.Time // zero: never
	Revoked  time.Time // zero: it is not
}

// Tokens returns all that were ever given, the oldest first.
func (pe *people) Tokens(ctx context.Context) ([]Token, error) {
	var all []Token
	for t, err := range stream(ctx, pe.reads, readToken,
		"SELECT id, name, secret, role, sites, share, password, made_at, ends_at, revoked_at FROM access_tokens ORDER BY made_at, id") {
		if err != nil {
			return nil, fmt.Errorf("read tokens: %w", err)
		}
		all = append(all, t)
	}
	return all, nil
}

func readToken(s scanner) (t Token, err error) {
	var sites, made string
	var ends, revoked sql.NullString
	var share int
	if err := s.Scan(&t.ID, &t.Name, &t.Secret, &t.Role, &sites, &share, &t.Password, &made, &ends, &revoked); err != nil {
		return t, err
	}
	t.Share = share != 0
	if sites != "" {
		t.Sites = strings.Split(sites, ",")
	}
	for _, at := range []struct {
		to   *time.Time
		text sql.NullString
	}{{&t.Made, sql.NullString{String: made, Valid: true}}, {&t.Ends, ends}, {&t.Revoked, revoked}} {
		if at.text.Valid {
			if *at.to, err = readTime(at.text.String); err != nil {
				return t, err
			}
		}
	}
	return t, nil
}

// ErrTokenExists and ErrNoToken are about the id of a token.
var (
	ErrTokenExists = errors.New("there is a token of this name that is in force; revoke it first")
	ErrNoToken     = errors.New("there is no such token in force; `ddkk-stats token list` shows all")
)

// AddToken keeps a token. Of one name there is one in force.
func (pe *people) AddToken(ctx context.Context, t Token) error {
	d := pe.dialect
	err := pe.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		now := pe.opt.Now()
		var n int
		row := tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM access_tokens WHERE name = ? AND revoked_at IS NULL AND (ends_at IS NULL OR ends_at > ?)",
			d.bytes([]byte(t.Name)), timeText(now.UnixMilli()))
		if err := row.Scan(&n); err != nil {
			return fmt.Errorf("look for the name: %w", err)
		}
		if n > 0 {
			return fmt.Errorf("%q: %w", t.Name, ErrTokenExists)
		}
		var ends any
		if !t.Ends.IsZero() {
			ends = timeText(t.Ends.UnixMilli())
		}
		share := 0
		if t.Share {
			share = 1
		}
		_, err := execTx(ctx, tx, "add", "INSERT INTO access_tokens (id, name, secret, role, sites, share, password, made_at, ends_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
			d.bytes([]byte(t.ID)), d.bytes([]byte(t.Name)), d.bytes([]byte(t.Secret)), d.bytes([]byte(t.Role)),
			d.bytes([]byte(strings.Join(t.Sites, ","))), share, d.bytes([]byte(t.Password)), timeText(now.UnixMilli()), ends)
		return err
	})
	if err != nil {
		return fmt.Errorf("keep token: %w", err)
	}
	return nil
}

// RevokeToken ends a token, called by its name or its id, and returns it.
func (pe *people) RevokeToken(ctx context.Context, called string) (t Token, err error) {
	all, err := pe.Tokens(ctx)
	if err != nil {
		return t, err
	}
	now := pe.opt.Now()
	for _, t := range all {
		if t.ID != called && t.Name != called || !t.Revoked.IsZero() || !t.Ends.IsZero() && !t.Ends.After(now) {
			continue
		}
		err := pe.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
			_, err := execTx(ctx, tx, "revoke", "UPDATE access_tokens SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL",
				timeText(now.UnixMilli()), pe.dialect.bytes([]byte(t.ID)))
			return err
		})
		if err != nil {
			return t, fmt.Errorf("revoke token: %w", err)
		}
		t.Revoked = now
		return t, nil
	}
	return t, fmt.Errorf("%q: %w", called, ErrNoToken)
}

// AuditEntry is something that somebody did.
type AuditEntry struct {
	At     time.Time
	Who    string // "owner", a token's name and id, or "command" for one of this machine
	What   string
	Site   string // "" where it is about no site or several
	Detail string
}

// Audit adds an entry; its time is now.
func (pe *people) Audit(ctx context.Context, e AuditEntry) error {
	d := pe.dialect
	err := pe.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := execTx(ctx, tx, "add", "INSERT INTO audit_log (at, who, what, site, detail) VALUES (?, ?, ?, ?, ?)",
			timeText(pe.opt.Now().UnixMilli()), d.bytes(cut([]byte(e.Who), 120)), d.bytes(cut([]byte(e.What), 64)),
			d.bytes(cut([]byte(e.Site), 255)), d.bytes(cut([]byte(e.Detail), 2048)))
		return err
	})
	if err != nil {
		return fmt.Errorf("note in the audit log: %w", err)
	}
	return nil
}

// AuditLog returns the last entries, the oldest first; of one site where it is named.
func (pe *people) AuditLog(ctx context.Context, site string, limit int) ([]AuditEntry, error) {
	where, args := "", []any(nil)
	if site != "" {
		where, args = " WHERE site = ?", append(args, pe.dialect.bytes([]byte(site)))
	}
	var all []AuditEntry
	for e, err := range stream(ctx, pe.reads, func(s scanner) (e AuditEntry, err error) {
		var at string
		if err := s.Scan(&at, &e.Who, &e.What, &e.Site, &e.Detail); err != nil {
			return e, err
		}
		e.At, err = readTime(at)
		return e, err
	}, "SELECT at, who, what, site, detail FROM (SELECT * FROM audit_log"+where+" ORDER BY id DESC LIMIT ?) AS last_ones ORDER BY id", append(args, limit)...) {
		if err != nil {
			return nil, fmt.Errorf("read the audit log: %w", err)
		}
		all = append(all, e)
	}
	return all, nil
}
