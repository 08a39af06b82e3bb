package archive

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// notes are what hosts that share the archive tell each other: jobs, the secret.
type notes struct{ *store }

// Job is how a scheduled job of a host went last.
type Job struct {
	Since time.Time // when the host first had it
	Done  time.Time // when it last went well; zero: never
	Note  string    // the job's own
}

// Jobs returns those of a host, by name.
func (nt *notes) Jobs(ctx context.Context, host string) (map[string]Job, error) {
	type row struct {
		name string
		Job
	}
	all := map[string]Job{}
	for j, err := range stream(ctx, nt.reads, func(s scanner) (r row, err error) {
		var since string
		var done sql.NullString
		if err := s.Scan(&r.name, &since, &done, &r.Note); err != nil {
			return r, err
		}
		if r.Since, err = readTime(since); err == nil && done.Valid {
			r.Done, err = readTime(done.String)
		}
		return r, err
	}, "SELECT job, since, done_at, note FROM jobs WHERE host = ?", nt.dialect.bytes([]byte(host))) {
		if err != nil {
			return nil, fmt.Errorf("read jobs: %w", err)
		}
		all[j.name] = j.Job
	}
	return all, nil
}

func readTime(text string) (time.Time, error) {
	ms, err := parseTime(text)
	return time.UnixMilli(ms), err
}

// NoteJob notes how a job of a host went; a zero done only that the host has it.
func (nt *notes) NoteJob(ctx context.Context, host, name string, done time.Time, note string) error {
	d := nt.dialect
	id := []any{d.bytes([]byte(host)), d.bytes([]byte(name))}
	err := nt.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		// Not a look first: between it and an insertion, another process of this host
		// may have noted the same job, a command beside the daemon.
		_, err := execTx(ctx, tx, "insert", "INSERT "+d.ignore()+" INTO jobs (host, job, since, note) VALUES (?, ?, ?, ?)",
			append(id, timeText(nt.opt.Now().UnixMilli()), d.bytes(cut([]byte(note), 1024)))...)
		if err != nil || done.IsZero() {
			return err
		}
		_, err = execTx(ctx, tx, "update", "UPDATE jobs SET done_at = ?, note = ? WHERE host = ? AND job = ?",
			append([]any{timeText(done.UnixMilli()), d.bytes(cut([]byte(note), 1024))}, id...)...)
		return err
	})
	if err != nil {
		return fmt.Errorf("note job %s: %w", name, err)
	}
	return nil
}

// everyHost is the host of notes that are of no host alone.
const everyHost = "*"

// SharedNote is what the hosts noted together under a name of up to 32 bytes; "": nothing.
func (nt *notes) SharedNote(ctx context.Context, name string) (note string, err error) {
	d := nt.dialect
	err = nt.reads.QueryRowContext(ctx, "SELECT note FROM jobs WHERE host = ? AND job = ?", d.bytes([]byte(everyHost)), d.bytes([]byte(name))).Scan(&note)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("read note %s: %w", name, err)
	}
	return note, nil
}

// SwapSharedNote replaces a note if it still is what was read, and tells whether it did.
// A note that nobody else would write tells so also where the answer to a commit was lost.
func (nt *notes) SwapSharedNote(ctx context.Context, name, was, is string) (done bool, err error) {
	d := nt.dialect
	id := []any{d.bytes([]byte(everyHost)), d.bytes([]byte(name))}
	err = nt.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		now := timeText(nt.opt.Now().UnixMilli())
		if was == "" {
			if _, err := execTx(ctx, tx, "insert", "INSERT "+d.ignore()+" INTO jobs (host, job, since, note) VALUES (?, ?, ?, ?)", append(id, now, d.bytes([]byte{}))...); err != nil {
				return err
			}
		}
		if _, err := execTx(ctx, tx, "update", "UPDATE jobs SET note = ?, done_at = ? WHERE host = ? AND job = ? AND note = ?",
			append(append([]any{d.bytes([]byte(is)), now}, id...), d.bytes([]byte(was)))...); err != nil {
			return err
		}
		var note string
		if err := tx.QueryRowContext(ctx, "SELECT note FROM jobs WHERE host = ? AND job = ?", id...).Scan(&note); err != nil && !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("read: %w", err)
		}
		done = note == is
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("replace note %s: %w", name, err)
	}
	return done, nil
}
