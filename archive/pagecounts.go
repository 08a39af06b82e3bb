package archive

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// pageCounts are the totals of pages as another program reads them.
type pageCounts struct{ *store }

// page_counts follows the page totals in near real time. A page's count is the
// sum of its slots; whoever adds to it does so in a slot of its own, so that two
// hosts do not wait for each other's row locks.
//
// Changes come in numbered flushes. A flush is a row of page_count_flushes in
// the transaction that adds its changes: it is added once, whatever happens. All
// of them belong to a life of the mirror, which every slot of the site has a
// copy of: a flush changes its own slot's row and the end of a life those of all,
// so that no flush of an ended life can get in, on any kind of cluster.

// PageChange is how much the views of a page have grown.
type PageChange struct {
	Page string
	Bots bool // the views of bots
	By   int64
}

// Flush are changes of a site's pages that go into page_counts together.
type Flush struct {
	Site, Life string
	Seq        int64
	Nonce      string
	Slot       int
	Changes    []PageChange // sorted by Apply
}

// Errors of ApplyFlush.
var (
	// ErrOtherLife: the site's mirror in SQL is of another life.
	ErrOtherLife = errors.New("the mirror in SQL has another life")
	// ErrOtherFlush: the number was used by another flush.
	ErrOtherFlush = errors.New("the number of the flush was used already")
)

// ApplyFlush adds the changes of a flush, unless they were added already, and
// tells how many rows that were.
func (p *pageCounts) ApplyFlush(ctx context.Context, f *Flush) (rows int, err error) {
	ctx = of(ctx, KindFlush)
	// All flushes lock rows in one order.
	slices.SortFunc(f.Changes, func(x, y PageChange) int {
		return cmp.Or(cmp.Compare(x.Page, y.Page), cmp.Compare(one(x.Bots), one(y.Bots)))
	})
	err = p.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		rows = 0
		if err := p.enterSlot(ctx, tx, f); err != nil {
			return err
		}
		fresh, err := p.noteFlush(ctx, tx, f)
		if err != nil || !fresh {
			return err
		}
		rows = len(f.Changes)
		return p.addCounts(ctx, tx, f)
	})
	if err != nil {
		return 0, fmt.Errorf("flush pages of %s: %w", f.Site, err)
	}
	return rows, nil
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (st *store) nowText() string { return timeText(st.opt.Now().UnixMilli()) }

// enterSlot makes sure that the flush is of the life that SQL has, and holds
// that for the transaction.
func (p *pageCounts) enterSlot(ctx context.Context, tx *sql.Tx, f *Flush) error {
	site, life := p.dialect.bytes([]byte(f.Site)), p.dialect.bytes([]byte(f.Life))
	n, err := execTx(ctx, tx, "enter slot", "UPDATE page_count_slots SET changed_at = ? WHERE site = ? AND slot_id = ? AND life = ?",
		p.nowText(), site, f.Slot, life)
	if err != nil || n > 0 {
		return err
	}
	var has string
	err = tx.QueryRowContext(ctx, "SELECT life FROM page_count_slots WHERE site = ? AND slot_id = 0"+p.dialect.forUpdate(), site).Scan(&has)
	if errors.Is(err, sql.ErrNoRows) || err == nil && has != f.Life {
		return ErrOtherLife
	}
	if err != nil {
		return fmt.Errorf("read slot: %w", err)
	}
	// A slot that was not used before in this life: somebody changed their number.
	_, err = execTx(ctx, tx, "open slot", "INSERT INTO page_count_slots (site, slot_id, life, changed_at) VALUES (?, ?, ?, ?)"+
		p.dialect.onConflict("site, slot_id")+"life = "+p.dialect.added("life"), site, f.Slot, life, p.nowText())
	return err
}

// noteFlush writes the row of a flush; false if it is there already.
func (p *pageCounts) noteFlush(ctx context.Context, tx *sql.Tx, f *Flush) (bool, error) {
	site := p.dialect.bytes([]byte(f.Site))
	n, err := execTx(ctx, tx, "note flush", "INSERT "+p.dialect.ignore()+" INTO page_count_flushes (site, seq, nonce, slot_id, flushed_at) VALUES (?, ?, ?, ?, ?)",
		site, f.Seq, p.dialect.bytes([]byte(f.Nonce)), f.Slot, p.nowText())
	if err != nil || n > 0 {
		return n > 0, err
	}
	var nonce string
	err = tx.QueryRowContext(ctx, "SELECT nonce FROM page_count_flushes WHERE site = ? AND seq = ?"+p.dialect.forUpdate(), site, f.Seq).Scan(&nonce)
	if err != nil {
		return false, fmt.Errorf("read flush: %w", err)
	}
	if nonce != f.Nonce {
		return false, ErrOtherFlush
	}
	return false, nil
}

func (p *pageCounts) addCounts(ctx context.Context, tx *sql.Tx, f *Flush) error {
	const insert = "INSERT INTO page_counts (site, page, potential_bot, slot_id, count) VALUES "
	site := p.dialect.bytes([]byte(f.Site))
	conflict := p.dialect.onConflict("site, page, potential_bot, slot_id") + "count = page_counts.count + " + p.dialect.added("count")
	for changes := range slices.Chunk(f.Changes, namesPerInsert) {
		args := make([]any, 0, 5*len(changes))
		for i := range changes {
			c := &changes[i]
			args = append(args, site, p.dialect.bytes([]byte(c.Page)), one(c.Bots), f.Slot, c.By)
		}
		values := strings.TrimSuffix(strings.Repeat("(?,?,?,?,?),", len(changes)), ",")
		if _, err := execTx(ctx, tx, "add page counts", insert+values+conflict, args...); err != nil {
			return err
		}
	}
	return nil
}

// BeginLife ends the life that a site's mirror has in SQL and begins another:
// flushes of the old one are refused from now on, and page_counts stays as it is
// until one of the new life comes.
func (p *pageCounts) BeginLife(ctx context.Context, site, life string) error {
	ctx = of(ctx, KindFlush)
	s := p.dialect.bytes([]byte(site))
	err := p.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		// Slot 0 first: that is what a new slot waits for.
		_, err := execTx(ctx, tx, "make slot", "INSERT "+p.dialect.ignore()+" INTO page_count_slots (site, slot_id, life, changed_at) VALUES (?, 0, '', ?)", s, p.nowText())
		if err != nil {
			return err
		}
		_, err = execTx(ctx, tx, "begin life", "UPDATE page_count_slots SET life = ?, changed_at = ? WHERE site = ? AND slot_id <> ?",
			p.dialect.bytes([]byte(life)), p.nowText(), s, BaseSlot)
		if err != nil {
			return err
		}
		_, err = execTx(ctx, tx, "forget flushes", "DELETE FROM page_count_flushes WHERE site = ?", s)
		return err
	})
	if err != nil {
		return fmt.Errorf("begin mirror of %s: %w", site, err)
	}
	return nil
}

// PageCount is the count of a page.
type PageCount struct {
	Page     string
	PV, Bots int64
}

// PageCounts returns what flushes have added to page_counts of a site, in order
// of the pages' names; bases are not in it.
func (r *pageCountReader) PageCounts(ctx context.Context, site string) iter.Seq2[PageCount, error] {
	return stream(ctx, r.q, func(s scanner) (c PageCount, err error) {
		return c, s.Scan(&c.Page, &c.PV, &c.Bots)
	}, selectPageCounts+" GROUP BY page", r.d.bytes([]byte(site)), BaseSlot)
}

// selectPageCounts is without the bases, which no flush has added.
const selectPageCounts = "SELECT page, SUM(CASE WHEN potential_bot = 0 THEN count ELSE 0 END), SUM(CASE WHEN potential_bot = 0 THEN 0 ELSE count END) " +
	"FROM page_counts WHERE site = ? AND slot_id <> ?"

// FlushLog is what SQL knows of a site's last flushes.
type FlushLog struct {
	Life   string // "": none
	Nonces map[int64]string
}

// KeptFlushes is how many of a site's flushes are remembered, at least.
const KeptFlushes = 100

// FlushLog reads what SQL knows of a site's last flushes.
func (r *pageCountReader) FlushLog(ctx context.Context, site string) (FlushLog, error) {
	l := FlushLog{Nonces: map[int64]string{}}
	s := r.d.bytes([]byte(site))
	err := r.q.QueryRowContext(ctx, "SELECT life FROM page_count_slots WHERE site = ? AND slot_id = 0", s).Scan(&l.Life)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return l, fmt.Errorf("read mirror of %s: %w", site, err)
	}
	type row struct {
		seq   int64
		nonce string
	}
	for f, err := range stream(ctx, r.q, func(s scanner) (f row, err error) {
		return f, s.Scan(&f.seq, &f.nonce)
	}, "SELECT seq, nonce FROM page_count_flushes WHERE site = ?", s) {
		if err != nil {
			return l, err
		}
		l.Nonces[f.seq] = f.nonce
	}
	return l, nil
}

// ForgetFlushes deletes the rows of old flushes. last is the number of the last
// one.
func (p *pageCounts) ForgetFlushes(ctx context.Context, site string, last int64) error {
	ctx = of(ctx, KindFlush)
	return p.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := execTx(ctx, tx, "forget flushes", "DELETE FROM page_count_flushes WHERE site = ? AND seq <= ?",
			p.dialect.bytes([]byte(site)), last-KeptFlushes)
		return err
	})
}

// ForgetMirror deletes what flushes have added to page_counts of a site, as if it
// had never been mirrored: the next flush fills it again.
func (p *pageCounts) ForgetMirror(ctx context.Context, site string) error {
	s := p.dialect.bytes([]byte(site))
	err := p.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for _, table := range []string{"page_count_slots", "page_count_flushes", "page_counts"} {
			if _, err := execTx(ctx, tx, "empty "+table, "DELETE FROM "+table+" WHERE site = ? AND slot_id <> ?", s, BaseSlot); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("forget mirror of %s: %w", site, err)
	}
	return nil
}
