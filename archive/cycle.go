package archive

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"ddkk-stats/parser"
)

// cycles archive segments, and delete what is too old.
type cycles struct {
	*store
	clocks   *clocks
	rollups  *rollups
	maxFresh int              // see there
	torn     map[string]int64 // sizes of segments whose last line was looked at and is none; under the lock of Run
}

// lockArchive is the name of the lock that a cycle holds.
const lockArchive = "archive"

// ErrLocked says that another host, or another process, archives right now.
var ErrLocked = errors.New("another process is archiving; nothing is missed by leaving it to that one")

// Summary is what a run did.
type Summary struct {
	Segments int   // that were archived, wholly or their new end
	Lines    int64 // that were read
	Rows     int64 // raw rows
	Days     int   // days of a site that were rolled up
	Late     []LateDay
	Shrunk   []string  // names of segments that are shorter than what was archived of them
	Dropped  int       // days of a site whose raw rows were deleted
	Now      time.Time // the time as far as something may be deleted by it
	Clock    string    // what is wrong with the clock; empty: nothing
	Took     time.Duration
}

// LateDay is a day whose raw rows were deleted before these came. They are in
// its sums; its visitors may count twice.
type LateDay struct {
	Site string
	Day  parser.Day
	Rows int64
}

// LinesPerSecond is the speed of the run.
func (s Summary) LinesPerSecond() float64 {
	if s.Took <= 0 {
		return 0
	}
	return float64(s.Lines) / s.Took.Seconds()
}

// Run archives the segments that are not archived yet, rolls up the days that
// they touched, and those that an earlier run left, and deletes raw rows that
// are old enough. A segment that cannot be read keeps no other from being
// archived. It ends with ErrLocked where another run goes on.
func (cy *cycles) Run(ctx context.Context, sources ...Source) (sum Summary, err error) {
	began := time.Now()
	if err := cy.reach(ctx); err != nil {
		return sum, err
	}
	unlock, ok, err := cy.dialect.lock(ctx, lockArchive, false)
	if err != nil {
		return sum, err
	}
	defer func() {
		err = errors.Join(err, unlock())
		sum.Took = time.Since(began)
	}()
	if !ok {
		return sum, ErrLocked
	}
	err = cy.run(ctx, sources, &sum)
	return sum, err
}

func (cy *cycles) run(ctx context.Context, sources []Source, sum *Summary) error {
	if err := cy.clocks.firstCycle(ctx); err != nil {
		return err
	}
	var errs []error
	known := cy.newFresh()
	for _, src := range sources {
		if err := cy.loadSource(ctx, src, known, sum); err != nil {
			errs = append(errs, fmt.Errorf("archive %s: %w", src.Name, err))
		}
	}
	days, err := cy.rollups.rollUp(ctx, "", known)
	sum.Days += days
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	m, err := cy.clocks.believed(ctx)
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	sum.Now, sum.Clock = m.now, m.trouble
	if m.trouble == "" {
		// What was archived by a clock that was ahead was archived now.
		if err := cy.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
			at := timeText(m.now.UnixMilli())
			_, err := execTx(ctx, tx, "set times right", "UPDATE segments SET archived_at = ? WHERE archived_at > ?", at, at)
			return err
		}); err != nil {
			return errors.Join(append(errs, err)...)
		}
	} else {
		cy.log.Error("the clock is in doubt", "why", m.trouble)
	}
	sum.Dropped, err = cy.retain(ctx, m.day)
	errs = append(errs, cy.retainCalls(ctx, m.day))
	return errors.Join(append(errs, err)...)
}

func (cy *cycles) loadSource(ctx context.Context, src Source, known *fresh, sum *Summary) error {
	archived, err := cy.ArchivedSegments(ctx)
	if err != nil {
		return err
	}
	l := cy.newLoader(src)
	l.fresh = known
	defer l.closeReader()
	var errs []error
	for _, seg := range src.Segments {
		had, was := archived[seg.ID()]
		l.unended = false
		switch {
		case was && had.Size == seg.Size() && had.End < had.Size && cy.torn[seg.ID()] != had.Size:
			line, err := l.lastLine(ctx, seg, had)
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", seg.Name(), err))
			}
			if !line {
				cy.torn[seg.ID()] = had.Size
				continue
			}
			l.unended = true
		case was && had.Size == seg.Size() || seg.Size() == 0:
			continue
		case was && had.Size > seg.Size():
			cy.log.Error("a segment is shorter than what was archived of it: it was cut or replaced", "segment", seg.ID(), "file", seg.Name(),
				"archived", had.Size, "size", seg.Size())
			sum.Shrunk = append(sum.Shrunk, seg.Name())
			continue
		}
		if err := l.segment(ctx, seg, sum); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", seg.Name(), err))
			if ctx.Err() != nil {
				break
			}
		}
	}
	return errors.Join(errs...)
}
