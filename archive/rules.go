package archive

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"ddkk-stats/parser"
)

// ruleBook keeps the rules that every host obeys, and who knows them.
type ruleBook struct{ *store }

// ErrRules says that rules were made or undone since somebody read lines by them:
// nothing was changed; they have to be learnt, and the lines read again.
var ErrRules = errors.New("rules were made or undone meanwhile; what was read by the old ones is read again")

// KeptRule is a rule with its story.
type KeptRule struct {
	parser.Rule
	MadeAt   time.Time
	MadeBy   string
	DoneAt   time.Time // zero: it is not carried out in SQL yet
	UndoneAt time.Time // zero: it is in force
}

// RulesVersion tells whether rules were made or undone: it is another one then.
func (rb *ruleBook) RulesVersion(ctx context.Context) (int64, error) {
	return rulesVersion(ctx, rb.reads)
}

func rulesVersion(ctx context.Context, q querier) (int64, error) {
	var text string
	if err := q.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = 'rules'").Scan(&text); err != nil {
		return 0, fmt.Errorf("read the rules' version: %w", err)
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read the rules' version: %w", err)
	}
	return n, nil
}

// maxRuleReads: each change of the rules makes one more necessary.
const maxRuleReads = 10

// Rules are those in force.
func (rb *ruleBook) Rules(ctx context.Context) (r parser.Rules, err error) {
	for range maxRuleReads {
		if r.Version, err = rb.RulesVersion(ctx); err != nil {
			return r, err
		}
		kept, err := rb.KeptRules(ctx)
		if err != nil {
			return r, err
		}
		r.All = nil
		for i := range kept {
			if kept[i].UndoneAt.IsZero() {
				r.All = append(r.All, kept[i].Rule)
			}
		}
		switch now, err := rb.RulesVersion(ctx); {
		case err != nil:
			return r, err
		case now == r.Version:
			return r, nil
		}
	}
	return r, errors.New("read rules: they change faster than they are read")
}

// KeptRules are all that ever were, in order.
func (rb *ruleBook) KeptRules(ctx context.Context) (all []KeptRule, err error) {
	for r, err := range stream(ctx, rb.reads, scanRule, "SELECT num, kind, terms, made_at, made_by, done_at, undone_at FROM rules ORDER BY num") {
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

func scanRule(s scanner) (r KeptRule, err error) {
	var kind, terms, made string
	var num int64
	var done, undone sql.NullString
	if err := s.Scan(&num, &kind, &terms, &made, &r.MadeBy, &done, &undone); err != nil {
		return r, err
	}
	if err := json.Unmarshal([]byte(terms), &r.Rule); err != nil {
		return r, fmt.Errorf("read rule %d: %w", num, err)
	}
	if r.MadeAt, err = readTime(made); err == nil && done.Valid {
		r.DoneAt, err = readTime(done.String)
	}
	if err == nil && undone.Valid {
		r.UndoneAt, err = readTime(undone.String)
	}
	r.Num, r.Kind, r.Done = num, parser.RuleKind(kind), done.Valid
	return r, err
}

// MakeRule keeps a rule, from which moment on nothing is loaded by those of before. It
// returns its number.
func (rb *ruleBook) MakeRule(ctx context.Context, r parser.Rule, by string) (num int64, err error) {
	terms, err := json.Marshal(&r)
	if err != nil {
		return 0, fmt.Errorf("make rule: %w", err)
	}
	err = rb.change(ctx, func(ctx context.Context, tx *sql.Tx) error {
		d := rb.dialect
		res, err := tx.ExecContext(ctx, "INSERT INTO rules (kind, terms, made_at, made_by) VALUES (?, ?, ?, ?)",
			d.bytes([]byte(r.Kind)), d.bytes(terms), rb.nowText(), d.bytes(cut([]byte(by), 255)))
		if err != nil {
			return fmt.Errorf("keep rule: %w", err)
		}
		if num, err = res.LastInsertId(); err != nil {
			return fmt.Errorf("keep rule: %w", err)
		}
		return nil
	})
	return num, err
}

// UndoRule puts a rule out of force. One that is out of force already stays so.
func (rb *ruleBook) UndoRule(ctx context.Context, num int64) error {
	return rb.change(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := execTx(ctx, tx, "undo rule", "UPDATE rules SET undone_at = ? WHERE num = ? AND undone_at IS NULL", rb.nowText(), num)
		return err
	})
}

// EndRule notes that SQL has nothing left of what a rule deletes.
func (rb *ruleBook) EndRule(ctx context.Context, num int64) error {
	return rb.change(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := execTx(ctx, tx, "end rule", "UPDATE rules SET done_at = ? WHERE num = ?", rb.nowText(), num)
		return err
	})
}

// change changes rules. It passes the gate as loads do, so that each of those was by
// the rules of before, or is by those of now.
func (rb *ruleBook) change(ctx context.Context, f func(context.Context, *sql.Tx) error) error {
	err := rb.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var gate string
		if err := tx.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = 'gate'"+rb.dialect.forUpdate()).Scan(&gate); err != nil {
			return fmt.Errorf("lock the gate: %w", err)
		}
		if _, err := execTx(ctx, tx, "pass the gate", "UPDATE meta SET value = ? WHERE name = 'gate'", rb.dialect.bytes([]byte(rand.Text()))); err != nil {
			return err
		}
		if err := f(ctx, tx); err != nil {
			return err
		}
		was, err := rulesVersion(ctx, tx)
		if err != nil {
			return err
		}
		_, err = execTx(ctx, tx, "raise the rules' version", "UPDATE meta SET value = ? WHERE name = 'rules'", rb.dialect.bytes(strconv.AppendInt(nil, was+1, 10)))
		return err
	})
	if err != nil {
		return fmt.Errorf("change rules: %w", err)
	}
	return nil
}

// Host is somebody who counts.
type Host struct {
	ID, Name string
	Rules    int64 // version that its daemon has in force
	Erased   int64 // its rotated logs have nothing left that a rule up to this one deletes
	SeenAt   time.Time
}

// Hosts are all that ever counted, in order of their names.
func (rb *ruleBook) Hosts(ctx context.Context) (all []Host, err error) {
	for h, err := range stream(ctx, rb.reads, func(s scanner) (h Host, err error) {
		var at string
		if err := s.Scan(&h.ID, &h.Name, &h.Rules, &h.Erased, &at); err != nil {
			return h, err
		}
		h.SeenAt, err = readTime(at)
		return h, err
	}, "SELECT host, name, rules, erased, seen_at FROM hosts ORDER BY name, host") {
		if err != nil {
			return nil, fmt.Errorf("read hosts: %w", err)
		}
		all = append(all, h)
	}
	return all, nil
}

// NoteHost notes that a host's daemon has rules in force.
func (rb *ruleBook) NoteHost(ctx context.Context, id, name string, rules int64) error {
	return rb.noteHost(ctx, id, name, "rules", rules)
}

// NoteErased notes that a host's rotated logs have nothing left that a rule up to this
// one deletes.
func (rb *ruleBook) NoteErased(ctx context.Context, id, name string, rule int64) error {
	return rb.noteHost(ctx, id, name, "erased", rule)
}

func (rb *ruleBook) noteHost(ctx context.Context, id, name, column string, n int64) error {
	d := rb.dialect
	key, called := d.bytes([]byte(id)), d.bytes(cut([]byte(name), 255))
	err := rb.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := execTx(ctx, tx, "insert", "INSERT "+d.ignore()+" INTO hosts (host, name, rules, erased, seen_at) VALUES (?, ?, 0, 0, ?)", key, called, rb.nowText()); err != nil {
			return err
		}
		_, err := execTx(ctx, tx, "update", "UPDATE hosts SET name = ?, "+column+" = ?, seen_at = ? WHERE host = ?", called, n, rb.nowText(), key)
		return err
	})
	if err != nil {
		return fmt.Errorf("note host: %w", err)
	}
	return nil
}

// Alone does something while nobody archives, here or elsewhere. It ends with ErrLocked
// where another process does.
func (rb *ruleBook) Alone(ctx context.Context, do func() error) (err error) {
	unlock, ok, err := rb.dialect.lock(ctx, lockArchive, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if !ok {
		return ErrLocked
	}
	return do()
}
