package archive

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-sql-driver/mysql"

	"ddkk-stats/parser"
)

const (
	// guardPartition takes rows of days that have no partition yet.
	guardPartition = "pmax"
	// partitionsAhead are days after today that have a partition before they
	// come. Days beyond them, which only a wrong clock writes, go to the guard.
	partitionsAhead = 7
	// maxPartitions bounds how many days back the first partitions go; what is
	// older shares the oldest one.
	maxPartitions = 400
)

// partition holds the days before its bound that no earlier one holds.
type partition struct {
	name  string
	bound parser.Day // 0: the guard
}

func (d *mysqlDialect) partitions(ctx context.Context) (all []partition, err error) {
	rows, err := d.db.QueryContext(ctx, "SELECT partition_name, partition_description FROM information_schema.partitions "+
		"WHERE table_schema = DATABASE() AND table_name = 'access_logs' AND partition_name IS NOT NULL ORDER BY partition_ordinal_position")
	if err != nil {
		return nil, fmt.Errorf("read partitions: %w", err)
	}
	defer closeRows(rows, &err)
	for rows.Next() {
		var p partition
		var bound string
		if err := rows.Scan(&p.name, &bound); err != nil {
			return nil, fmt.Errorf("read partitions: %w", err)
		}
		if bound != "MAXVALUE" {
			if p.bound, err = parseDate(strings.Trim(bound, "'")); err != nil {
				return nil, fmt.Errorf("read partitions: %w", err)
			}
		}
		all = append(all, p)
	}
	return all, rows.Err()
}

// prepare splits days off the guard, up to some days ahead, so that each has a
// partition that can be dropped. DDL commits by itself, so this comes before a
// transaction. Where it is refused, rows stay in the guard and are deleted
// instead of dropped.
func (d *mysqlDialect) prepare(ctx context.Context, first, today parser.Day) error {
	all, err := d.partitions(ctx)
	if err != nil {
		return err
	}
	if len(all) == 0 || all[len(all)-1].bound != 0 {
		return nil // the owner arranged the table in another way
	}
	from := max(first, addDays(today, -maxPartitions))
	if len(all) > 1 {
		from = all[len(all)-2].bound
	}
	last := addDays(today, partitionsAhead)
	if from > addDays(today, 1) && len(all) > 1 {
		return nil // enough for tomorrow
	}
	var parts []string
	for day := from; day <= last; day = day.Next() {
		parts = append(parts, fmt.Sprintf("PARTITION p%08d VALUES LESS THAN ('%s')", int32(day), dateText(day.Next())))
	}
	if len(parts) == 0 {
		return nil
	}
	parts = append(parts, "PARTITION "+guardPartition+" VALUES LESS THAN (MAXVALUE)")
	_, err = d.db.ExecContext(ctx, "ALTER TABLE access_logs REORGANIZE PARTITION "+guardPartition+" INTO ("+strings.Join(parts, ", ")+")")
	return d.tolerate(err, "add partitions")
}

// drop drops the partitions that hold nothing but days before floor.
func (d *mysqlDialect) drop(ctx context.Context, floor parser.Day) error {
	all, err := d.partitions(ctx)
	if err != nil {
		return err
	}
	var names []string
	for _, p := range all {
		if p.bound != 0 && p.bound <= floor {
			names = append(names, p.name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	_, err = d.db.ExecContext(ctx, "ALTER TABLE access_logs DROP PARTITION "+strings.Join(names, ", "))
	return d.tolerate(err, "drop partitions")
}

// tolerate passes over what another host has done just now, and logs what else
// a server says against DDL, as that the user may not. Everything works without, only slower.
func (d *mysqlDialect) tolerate(err error, what string) error {
	var e *mysql.MySQLError
	if errors.As(err, &e) {
		if e.Number == errPartitionExists || e.Number == errPartitionGone {
			return nil // another host was first: on Galera no lock keeps it away
		}
		d.log.Warn("the server would not "+what+"; raw rows will be deleted day by day instead", "err", err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
