package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"ddkk-stats/counter"
)

// jobs are the daemon's commands that archive and restore, with what they work
// on.
type jobs struct {
	b     *bench
	log   *hitLog
	store string // what they archive into
	redis *redisServer
	dir   string   // where they run, and DATA_DIR
	env   []string // of the daemon and of the commands
}

// archived is a log that is archived and restored, and where into.
type archived struct {
	store        string // MariaDB or SQLite
	lines, pages int
	figure       bool // the archive's speed gets a row, too
}

// runArchive counts logs, archives them, loses Redis and restores it: the
// numbers must be what they were. Then it imports a log of another counter's.
func runArchive(ctx context.Context, b *bench) error {
	all := []archived{{"MariaDB", 200_000, 100_000, true}, {"SQLite", 200_000, 100_000, true}}
	if !b.quick {
		all = []archived{{"MariaDB", 100_000, 10_000, false}, {"MariaDB", 500_000, 100_000, true}, {"SQLite", 500_000, 100_000, true},
			{"MariaDB", 1_000_000, 1_000_000, false}}
	}
	for _, c := range all {
		if err := b.benchArchive(ctx, c); err != nil {
			return fmt.Errorf("%s, %d pages: %w", c.store, c.pages, err)
		}
	}
	return nil
}

func (b *bench) benchArchive(ctx context.Context, c archived) (err error) {
	l, err := b.log(traffic{lines: c.lines, pages: c.pages, visitors: 100_000, sites: 1, even: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.remove()) }()
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
	j := &jobs{b: b, log: l, store: c.store, redis: rdb, dir: dir, env: []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + os.TempDir(), "TIMEZONE=UTC", "LOG_LEVEL=warn",
		"DATA_DIR=" + dir, "REDIS_ADDR=" + rdb.addr, "ACCESS_LOG=" + live, "MAX_PAGES_PER_SITE=2000000", "MAX_PAGES_EVER=10000000",
	}}
	if c.store == "MariaDB" {
		db, err := b.startMariaDB(ctx)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, db.stop()) }()
		j.env = append(j.env, "MYSQL_DSN="+db.dsn)
	}
	if err := j.count(ctx); err != nil {
		return err
	}
	if err := j.archive(ctx, c.figure); err != nil {
		return err
	}
	if err := j.restore(ctx); err != nil || !c.figure {
		return err
	}
	return j.importCombined(ctx)
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
		return counted(ctx, j.redis.client, 1, int64(j.log.lines))
	})
}

// archive archives the log; shown: that is a row of its own.
func (j *jobs) archive(ctx context.Context, shown bool) error {
	began := time.Now()
	out, cpu, err := j.b.outputWith(ctx, j.env, j.dir, j.b.daemon, "archive")
	if err != nil {
		return err
	}
	r := run{lines: j.log.lines, took: time.Since(began), cpu: cpu, note: j.without()}
	var segments, lines int
	if _, err := fmt.Sscanf(string(out), "%d segments, %d lines", &segments, &lines); err != nil || lines < j.log.lines {
		return errors.Join(err, fmt.Errorf("archive %d lines: it said %q", j.log.lines, out))
	}
	if !shown {
		return nil
	}
	row := result{part: "archive", what: "archive into " + j.store + ": raw rows and sums of the days", figure: rate(r.perSecond(), "lines"), cpu: r.cpuText()}
	if j.store == "MariaDB" {
		row.target, row.ok = ">= 100k lines/s", r.perSecond() >= 100_000
	}
	j.b.add(row)
	return nil
}

// without says whose processor time a row leaves out.
func (j *jobs) without() string {
	return pick(j.store == "MariaDB", "without MariaDB", "SQLite is in it")
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
	row := result{part: "archive", what: fmt.Sprintf("restore of a site with %d pages from %s into an empty Redis", j.log.pages, j.store),
		figure: fmt.Sprintf("%.2f s", took.Seconds()), cpu: fmt.Sprintf("%.2f s (Redis not in it, %s)", cpu.Seconds(), j.without())}
	switch j.log.pages {
	case 100_000:
		row.target, row.ok = "<= 3 s", took <= 3*time.Second
	case 1_000_000:
		row.target, row.ok = "<= 20 s", took <= 20*time.Second
	}
	j.b.add(row)
	return nil
}

// importCombined imports the hits as the access log of a site that had no
// counter.
func (j *jobs) importCombined(ctx context.Context) error {
	const site = "old.example"
	began := time.Now()
	_, cpu, err := j.b.outputWith(ctx, j.env, j.dir, j.b.daemon, "import", j.log.combined, "--site="+site, "--format=combined")
	if err != nil {
		return err
	}
	r := run{lines: j.log.lines, took: time.Since(began), cpu: cpu, note: j.without()}
	pv, err := j.redis.client.Get(ctx, counter.NewKeys(counter.DefaultPrefix, false).SitePV(site)).Int()
	if err != nil || pv != j.log.lines {
		return errors.Join(err, fmt.Errorf("%d of %d lines are in the site's views", pv, j.log.lines))
	}
	ratio, err := j.b.besideGoAccess(ctx, j.log, r)
	if err != nil {
		return err
	}
	j.b.add(result{part: "archive", what: "import of a combined log into " + j.store + ", with the site in Redis made anew", figure: rate(r.perSecond(), "lines"), cpu: r.cpuText(), ratio: ratio})
	return nil
}
