package vault

import (
	"context"
	"iter"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
	"ddkk-stats/parser"
)

// History makes one moment of the archive what a restore reads: the archive
// and the counter do not know each other.
type History struct{ *archive.Snapshot }

// each calls row for every value until one of them fails.
func each[T any](seq iter.Seq2[T, error], row func(T) error) error {
	for v, err := range seq {
		if err != nil {
			return err
		}
		if err := row(v); err != nil {
			return err
		}
	}
	return nil
}

func (h History) Segments(ctx context.Context, _ string) (map[string]int64, error) {
	all, err := h.ArchivedSegments(ctx)
	ends := make(map[string]int64, len(all))
	for id, s := range all {
		ends[id] = s.End
	}
	return ends, err
}

func (h History) Days(ctx context.Context, site string, row func(counter.DayTotals) error) error {
	return each(h.Daily(ctx, site, 0, 0), func(d archive.DayTotals) error {
		return row(counter.DayTotals{Day: d.Day, PV: d.PV, UV: d.UV, PC: d.PC, Mobile: d.Mobile,
			Bot: d.Bot, Events: d.Events, BotEvents: d.BotEvents, Dedup: d.Dedup})
	})
}

func (h History) Pages(ctx context.Context, site string, from parser.Day, row func(d parser.Day, page []byte, pv, uv, bots int64) error) error {
	return h.PageHistory(ctx, site, from, row)
}

func (h History) Facets(ctx context.Context, site string, from, to parser.Day, row func(d parser.Day, f parser.Facet, name string, pv, bot int64) error) error {
	return each(h.FacetDays(ctx, site, from, to), func(t archive.FacetTotals) error { return row(t.Day, t.Facet, t.Name, t.PV, t.Bot) })
}

// Minutes adds up those that come twice, where the clocks were set back.
func (h History) Minutes(ctx context.Context, site string, d parser.Day, row func(minute int, pv, bot int64) error) error {
	sums := map[int]archive.MinuteTotals{}
	err := each(h.Snapshot.Minutes(ctx, site, d), func(t archive.MinuteTotals) error {
		s := sums[t.Minute]
		sums[t.Minute] = archive.MinuteTotals{PV: s.PV + t.PV, Bot: s.Bot + t.Bot}
		return nil
	})
	if err != nil {
		return err
	}
	for minute, s := range sums {
		if err := row(minute, s.PV, s.Bot); err != nil {
			return err
		}
	}
	return nil
}

func (h History) Events(ctx context.Context, site string, from, to parser.Day, row func(d parser.Day, key string, pv, uv int64) error) error {
	return each(h.EventDays(ctx, site, from, to), func(t archive.NameTotals) error { return row(t.Day, t.Name, t.PV, t.UV) })
}

func (h History) OpenDay(ctx context.Context, site string, d parser.Day, into counter.OpenDay) error {
	return h.ReadOpenDay(ctx, site, d, archive.OpenDay{Visitor: into.Visitor, Pair: into.Pair, From: into.From,
		Recent: func(k archive.RecentKey) error { return seenKeys(k, into.Seen) },
		Minute: func(m archive.MinuteTotals) error { return into.Minute(m.Minute, m.PV, m.Bot) }})
}

func (h History) Term(ctx context.Context, site string, kind parser.Term, first parser.Day, row func(hash uint64, page []byte) error) (bool, error) {
	return h.ReadTerm(ctx, site, kind, first, row)
}

func (h History) Seen(ctx context.Context, site string, from int64, row func(counter.SeenKey) error) error {
	return each(h.Recent(ctx, site, from), func(k archive.RecentKey) error { return seenKeys(k, row) })
}

// seenKeys are what the rules remember of one line.
func seenKeys(k archive.RecentKey, row func(counter.SeenKey) error) error {
	if k.HasView {
		if err := row(counter.SeenKey{Rule: counter.RuleID, Key: k.View, Time: k.Time}); err != nil {
			return err
		}
	}
	if k.HasWindow {
		return row(counter.SeenKey{Rule: counter.RuleWindow, Key: k.Window, Time: k.Time})
	}
	return nil
}

// Calls implements counter.CallHistory.
func (h History) Calls(ctx context.Context, site string, from counter.CallSpan, row func(counter.CallRow) error) error {
	return each(h.Snapshot.Calls(ctx, site, archive.CallSpan(from)), func(r archive.CallRow) error { return row(counter.CallRow(r)) })
}
