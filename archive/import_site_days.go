package archive

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"ddkk-stats/parser"
)

// siteImport is one ImportSite.
type siteImport struct {
	tr       *transfers
	name     string
	site     any
	rules    *parser.Parser
	out      *ImportedSite
	segments map[string]bool // identities there, of raw rows

	day   *exportDay
	date  parser.Day
	stays bool // the day is here, and stays as it is
	sums  []portableLine
	rows  []portableLine
	whole []portableLine // of no day
}

// portableLine is a row of a table, as a line.
type portableLine struct {
	of   *portable
	text []byte
}

func (l *portableLine) values() (line map[string]json.RawMessage, err error) {
	return line, json.Unmarshal(l.text, &line)
}

// importRows are raw rows of one transaction.
const importRows = 2000

func (im *siteImport) line(ctx context.Context, line []byte) error {
	var table struct{ Table string }
	if err := json.Unmarshal(line, &table); err != nil {
		return err
	}
	switch table.Table {
	case "end":
		return nil
	case "day":
		return im.begin(ctx, line)
	}
	l := portableLine{portableOf(table.Table), bytes.Clone(line)}
	if l.of == nil {
		return fmt.Errorf("there is no table %q", table.Table)
	}
	if slices.ContainsFunc(portableSite, func(p portable) bool { return p.table == table.Table }) {
		im.whole = append(im.whole, l)
		return nil
	}
	switch {
	case im.day == nil:
		return errors.New("it is of no day")
	case im.stays:
	case l.of != &portableRows:
		im.sums = append(im.sums, l)
	default:
		if im.rows = append(im.rows, l); len(im.rows) >= importRows {
			return im.store(ctx)
		}
	}
	return nil
}

// begin ends a day and begins the next.
func (im *siteImport) begin(ctx context.Context, line []byte) (err error) {
	if err := im.endDay(ctx); err != nil {
		return err
	}
	im.day = &exportDay{}
	if err := json.Unmarshal(line, im.day); err != nil {
		return err
	}
	if im.date, err = parseDate(im.day.Date); err != nil {
		return err
	}
	im.out.Days++
	if im.day.Raw {
		return im.tr.dialect.prepare(ctx, im.date, parser.DayOf(im.tr.opt.Now().In(im.tr.opt.Location)))
	}
	return nil
}

// endDay stores what is left of a day.
func (im *siteImport) endDay(ctx context.Context) error {
	if im.day != nil && !im.stays {
		if err := im.store(ctx); err != nil {
			return err
		}
	}
	if im.stays {
		im.out.There = append(im.out.There, im.date)
	}
	im.day, im.stays, im.sums, im.rows = nil, false, nil, nil
	return nil
}

// store stores the sums of a day without raw rows, or some raw rows of another.
func (im *siteImport) store(ctx context.Context) error {
	var out ImportedSite // a transaction may be run again
	err := im.tr.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		out = ImportedSite{}
		gone, err := im.enter(ctx, tx)
		if err != nil {
			return err
		}
		if !im.day.Raw {
			return im.storeSums(ctx, tx)
		}
		late, err := im.tr.gone(ctx, tx, rawRowsKept, siteDay{im.name, im.date}, gone)
		if err != nil {
			return err
		}
		if late {
			im.stays = true
			return nil
		}
		return im.storeRows(ctx, tx, &out)
	})
	im.out.Rows += out.Rows
	im.out.Ruled += out.Ruled
	im.rows = im.rows[:0]
	return err
}

// enter passes the gate, so that nobody loads meanwhile, and makes sure that the rules of
// now judge.
func (im *siteImport) enter(ctx context.Context, tx *sql.Tx) (gone string, err error) {
	d := im.tr.dialect
	var gate string
	if err := tx.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = 'gate'"+d.forUpdate()).Scan(&gate); err != nil {
		return "", fmt.Errorf("lock the gate: %w", err)
	}
	if _, err := execTx(ctx, tx, "pass the gate", "UPDATE meta SET value = ? WHERE name = 'gate'", d.bytes([]byte(rand.Text()))); err != nil {
		return "", err
	}
	if gone, err = im.tr.meta(ctx, tx, "raw_gone"); err != nil {
		return "", err
	}
	version, err := rulesVersion(ctx, tx)
	if err == nil && version != im.rules.RulesVersion() {
		err = ErrRules
	}
	if err != nil {
		return "", err
	}
	return gone, im.tr.noteSite(ctx, tx, im.name)
}

// storeSums stores a day of which there are sums alone, unless there is one already or it
// was deleted here.
func (im *siteImport) storeSums(ctx context.Context, tx *sql.Tx) error {
	d := im.tr.dialect
	if im.date.Date(im.tr.opt.Location).UnixMilli() < im.rules.DeletedUntil(im.name) {
		im.stays = true
		return nil
	}
	n, err := execTx(ctx, tx, "add day", "INSERT "+d.ignore()+" INTO days (site, date, dirty, raw, dedup, rolled_at) VALUES (?, ?, 0, 0, ?, ?)",
		im.site, im.day.Date, im.day.Dedup, timeText(im.tr.opt.Now().UnixMilli()))
	if err != nil {
		return err
	}
	if n == 0 {
		im.stays = true
		return nil
	}
	if err := im.raise(ctx, tx, "raw_gone", im.date); err != nil {
		return err
	}
	sums, err := im.withoutDeleted(im.sums)
	if err != nil {
		return err
	}
	return im.insert(ctx, tx, sums, []string{"site", "date"}, []any{im.site, im.day.Date})
}

// withoutDeleted counts views of pages that were deleted here with those that have no name.
func (im *siteImport) withoutDeleted(lines []portableLine) (all []portableLine, err error) {
	other, deleted := struct {
		Table string `json:"table"`
		Page  string `json:"page"`
		PV    int64  `json:"pv"`
		UV    int64  `json:"uv"`
		Bots  int64  `json:"pv_bot"`
	}{"page_stats", parser.OtherPage, 0, 0, 0}, false
	if !im.rules.Ruled(im.name) {
		return lines, nil
	}
	for _, l := range lines {
		var x struct {
			Page   portableText
			PV, UV int64
			Bots   int64 `json:"pv_bot"`
		}
		if l.of.table != "page_stats" {
			all = append(all, l)
			continue
		}
		if err := json.Unmarshal(l.text, &x); err != nil {
			return nil, err
		}
		gone := im.rules.PageDeleted(im.name, x.Page, im.date.Date(im.tr.opt.Location).UnixMilli())
		if !gone && string(x.Page) != parser.OtherPage {
			all = append(all, l)
			continue
		}
		deleted = true
		other.PV, other.UV, other.Bots = other.PV+x.PV, other.UV+x.UV, other.Bots+x.Bots
	}
	if deleted {
		text, err := json.Marshal(other)
		if err != nil {
			return nil, err
		}
		all = append(all, portableLine{portableOf("page_stats"), text})
	}
	return all, nil
}
