package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// jobs are the daemon's commands that archive and restore, with what they work
// on.
type jobs struct {
	b     *bench
	log   *hitLog
	redis *redisServer
	dir   string   // where they run, and DATA_DIR
	env   []string // of the daemon and of the commands
}

// runArchive counts a log, archives it into MariaDB, loses Redis and restores
// it: the numbers must be what they were.
func runArchive(ctx context.Context, b *bench) (err error) {
	l, err := b.log(traffic{lines: pick(b.quick, 200_000, 500_000), pages: 100_000, visitors: 100_000, sites: 1, even: true})
	if err != nil {
		return err
	}
	db, err := b.startMariaDB(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.stop()) }()
	rdb, err := b.startRedis(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rdb.stop()) }()
	dir, err := b.folder("archive")
	if err != nil {
		return err
	}
	live, err := rotated(l, dir)
	if err != nil {
		return fmt.Errorf("rotate the log: %w", err)
	}
	j := &jobs{b: b, log: l, redis: rdb, dir: dir, env: []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + os.TempDir(), "TIMEZONE=UTC", "LOG_LEVEL=warn",
		"DATA_DIR=" + dir, "REDIS_ADDR=" + rdb.addr, "ACCESS_LOG=" + live, "MYSQL_DSN=" + db.dsn,
	}}
	if err := j.count(ctx); err != nil {
		return err
	}
	if err := j.archive(ctx); err != nil {
		return err
	}
	return j.restore(ctx)
}

// rotated moves the log to where a rotation puts it and makes a live one, with
// a line that counts nothing.
func rotated(l *hitLog, dir string) (live string, err error) {
	live = filepath.Join(dir, "event.log")
	segment := live + ".20200101T000000Z-1"
	if err := os.Rename(l.v1, segment); err != nil {
		return "", err
	}
	// Quiet for long: a segment that just changed may still be written to.
	if err := os.Chtimes(segment, time.Time{}, time.Now().Add(-time.Hour)); err != nil {
		return "", err
	}
	l.v1 = live
	h := hit{ms: time.Now().UnixMilli(), id: [2]uint64{1, 2}}
	line := appendV1(nil, &h, []string{"curl/8.0"}, true) // a bot
	return live, os.WriteFile(live, line, 0o644)
}

// count lets a daemon count the log, and stops it.
func (j *jobs) count(ctx context.Context) (err error) {
	d, err := j.b.startDaemon(j.env...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.stop()) }()
	return d.await(ctx, ingestLimit, func() error {
		return errors.Join(counted(ctx, j.redis.client, 1, int64(j.log.lines)), nothingPending(ctx, j.redis.client, 1))
	})
}

func (j *jobs) archive(ctx context.Context) error {
	began := time.Now()
	out, cpu, err := j.b.outputWith(ctx, j.env, j.dir, j.b.daemon, "archive")
	if err != nil {
		return err
	}
	r := run{lines: j.log.lines, took: time.Since(began), cpu: cpu, note: "without MariaDB"}
	var segments, lines int
	if _, err := fmt.Sscanf(string(out), "%d segments, %d lines", &segments, &lines); err != nil || lines < j.log.lines {
		return errors.Join(err, fmt.Errorf("archive %d lines: it said %q", j.log.lines, out))
	}
	j.b.add(result{part: "archive", what: "archive into MariaDB: raw rows and sums of the days", figure: rate(r.perSecond(), "lines"),
		cpu: r.cpuText(), target: ">= 100k lines/s", ok: r.perSecond() >= 100_000})
	return nil
}

// restore loses Redis and brings it back.
func (j *jobs) restore(ctx context.Context) error {
	if err := j.redis.client.FlushAll(ctx).Err(); err != nil {
		return fmt.Errorf("empty Redis: %w", err)
	}
	began := time.Now()
	_, cpu, err := j.b.outputWith(ctx, j.env, j.dir, j.b.daemon, "restore-from-mysql", "--site="+siteName)
	if err != nil {
		return err
	}
	took := time.Since(began)
	if err := counted(ctx, j.redis.client, 1, int64(j.log.lines)); err != nil {
		return fmt.Errorf("after the restore: %w", err)
	}
	j.b.add(result{part: "archive", what: fmt.Sprintf("restore of a site with %d pages into an empty Redis", j.log.pages),
		figure: fmt.Sprintf("%.2f s", took.Seconds()), cpu: fmt.Sprintf("%.2f s (without MariaDB and Redis)", cpu.Seconds()),
		target: "100k pages <= 3 s", ok: took <= 3*time.Second})
	return nil
}
