package archive

import (
	"context"
	"database/sql"
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
