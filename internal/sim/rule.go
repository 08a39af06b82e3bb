package sim

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
	"ddkk-stats/parser"
	"ddkk-stats/tailer"
)

// ruled is a rule that an operator makes in the middle of a schedule: what was seen of a page
// until then is taken out of all numbers, or deleted. From that moment on every daemon counts, and every
// cycle archives, by it. Archived days are put right at once; Redis when the faults are over, as
// by a command that is run again. What was taken out may be put back, likewise.
type ruled struct {
	rules  parser.Rules
	rule   parser.Rule
	undone bool
}

// takes tells whether the rule takes a request out.
func (r *ruled) takes(h *hit) bool {
	return r != nil && h.call == nil && h.site == r.rule.Site && h.page == r.rule.Page && h.at.UnixMilli() < r.rule.Until
}

// ruling is the world as the operator who makes the rule sees it.
type ruling struct{ *world }

// Kinds of a rule.
const (
	ruleVoid   = ""
	ruleDelete = "delete"
)

// makeRule makes the rule, if there is an archive to keep it, and tells the daemons that live.
func (w ruling) makeRule(kind string, rng *rand.Rand) error {
	var about []*hit
	for i := range w.ledger.hits {
		if h := &w.ledger.hits[i]; h.call == nil && !h.skipped {
			about = append(about, h)
		}
	}
	if w.ruled() != nil || len(about) == 0 || w.archiveAway() {
		return nil
	}
	h := about[rng.IntN(len(about))]
	made := ruled{rule: parser.Rule{Kind: parser.RuleVoid, Site: h.site, Page: h.page, Until: time.Now().UnixMilli() + 1}}
	w.strike("rule made")
	if kind == ruleDelete {
		made.rule.Kind = parser.RuleDelete
		w.strike("page deleted")
	}
	return w.asOperator(func(k *keeper, a *archive.Archive) (err error) {
		if made.rule.Num, err = a.MakeRule(context.Background(), made.rule, "operator"); err != nil {
			return err
		}
		return w.enforce(k, a, made)
	})
}

// undoRule puts back what the rule took out; what was deleted stays so.
func (w ruling) undoRule() error {
	made := w.ruled()
	if made == nil || made.undone || made.rule.Kind != parser.RuleVoid || w.archiveAway() {
		return nil
	}
	w.strike("rule undone")
	return w.asOperator(func(k *keeper, a *archive.Archive) error {
		if err := a.UndoRule(context.Background(), made.rule.Num); err != nil {
			return err
		}
		return w.enforce(k, a, ruled{rule: made.rule, undone: true})
	})
}

// asOperator does something to the archive.
func (w ruling) asOperator(do func(*keeper, *archive.Archive) error) error {
	k := newKeeper(w.world, w.hosts[0], nil)
	a, err := k.open(context.Background())
	if err == nil {
		err = do(k, a)
	}
	return errors.Join(err, k.close())
}

// enforce has everybody go by the rules of now, and archived days with them.
func (w ruling) enforce(k *keeper, a *archive.Archive, made ruled) error {
	if err := w.tell(a, made); err != nil {
		return err
	}
	return w.recount(k)
}

// tell has everybody go by the rules of now.
func (w ruling) tell(a *archive.Archive, made ruled) (err error) {
	if made.rules, err = a.Rules(context.Background()); err != nil {
		return err
	}
	w.mu.Lock()
	w.made = &made
	w.mu.Unlock()
	w.ledger.rule, w.ledger.void = &made, &made
	if made.undone {
		w.ledger.void = nil
	}
	for _, d := range w.daemons {
		if p := d.alive(); p != nil {
			if err := d.obey(p); err != nil {
				return err
			}
		}
	}
	return nil
}

// obey has a life of a daemon count by the rules of now.
func (d *daemon) obey(p *process) error {
	in := p.ingester()
	if in == nil {
		return nil // it begins by them
	}
	for made := (ruling{d.w}).ruled(); made != nil; {
		r := counter.Rules{Applied: func() { p.obeys.Store(made.rules.Version) }}
		for _, l := range d.w.readings(d.host) {
			ps, err := parser.New(d.w.rules(l))
			if err != nil {
				return err
			}
			r.Parsers = append(r.Parsers, ps)
		}
		if err := in.Apply(r); err != nil {
			return err
		}
		now := (ruling{d.w}).ruled()
		if now == made {
			break
		}
		made = now
	}
	return nil
}

// ruled is the rule that was made, or nil.
func (w ruling) ruled() *ruled {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.made
}

// awaitObeyed waits until all daemons that live count by the rules of now, as the command does.
func (w ruling) awaitObeyed() error {
	version := w.ruled().rules.Version
	for began := time.Now(); time.Since(began) < patience; time.Sleep(lookAgain) {
		w.watch()
		late := false
		for _, d := range w.daemons {
			if p := d.alive(); p != nil && !p.killed.Load() && p.obeys.Load() != version {
				late = true
			}
		}
		if !late {
			return nil
		}
	}
	return errors.New("a daemon does not take the rule")
}

// carryOut puts right what was counted before the rule was made, or undone: archived days by a recount, Redis
// by a rebuild of the site.
func (w ruling) carryOut() error {
	made := w.ruled()
	if made == nil {
		return nil
	}
	rdb := counter.Connect(counter.ConnectOptions{Addrs: []string{"127.0.0.1:6379"}, PoolSize: 32, Buffer: 4096,
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) { return w.store.dial(ctx, operator) }})
	k := newKeeper(w.world, w.hosts[0], rdb)
	err := w.awaitObeyed()
	var a *archive.Archive
	if err == nil {
		a, err = k.open(context.Background())
	}
	if err == nil {
		err = w.destroyOrPutBack(a, made)
	}
	if err == nil {
		err = w.recount(k)
	}
	if err == nil {
		r := counter.Rebuilder{Redis: rdb, Keys: k.keys, Logger: w.log, Restore: k.Restore, Ready: k.Reachable}
		_, err = r.Rebuild(context.Background(), []string{made.rule.Site})
	}
	if err == nil && made.rule.Kind == parser.RuleDelete {
		err = w.endDeletion(rdb, k, a, *made)
	}
	return errors.Join(err, k.close(), rdb.Close())
}

// destroyOrPutBack does to what only SQL has what the rule is for: raw rows whose log is gone come back, or
// the page's name goes.
func (w ruling) destroyOrPutBack(a *archive.Archive, made *ruled) error {
	ctx, r := context.Background(), &made.rule
	switch {
	case made.undone:
		n, err := a.Unpark(ctx, r.Site, r.From, r.Until)
		if n > 0 {
			w.strike("raw rows put back")
		}
		return err
	case r.Kind != parser.RuleDelete:
		return nil
	}
	if err := errors.Join(a.PurgePage(ctx, r.Site, r.Page), a.PurgePageCounts(ctx, r.Site, r.Page)); err != nil {
		return err
	}
	rows, err := parser.New(w.rules(w.readings(w.hosts[0])[0]))
	if err != nil {
		return err
	}
	return a.PurgeVoided(ctx, rows)
}

// endDeletion has the search index told of the page's total, and the rule noted as done.
func (w ruling) endDeletion(rdb redis.UniversalClient, k *keeper, a *archive.Archive, made ruled) error {
	if w.sch.Mirror {
		if err := counter.SinkPages(context.Background(), rdb, k.keys, made.rule.Site, []string{made.rule.Page}); err != nil {
			return err
		}
	}
	if err := a.EndRule(context.Background(), made.rule.Num); err != nil {
		return err
	}
	return w.tell(a, made)
}

func (w ruling) recount(k *keeper) error {
	a, err := k.open(context.Background())
	if err != nil {
		return err
	}
	rows, err := parser.New(w.rules(w.readings(w.hosts[0])[0]))
	if err != nil {
		return err
	}
	q := archive.Recounting{From: 20000101, To: 29991231, Site: w.ruled().rule.Site, Rows: rows, Force: true}
	for _, h := range w.hosts {
		for _, l := range w.readings(h) {
			if l.calls && !l.views {
				continue
			}
			p, err := w.parsers.of(w.world, l)
			if err != nil {
				return err
			}
			at, err := w.parsers.timeOf(w.world, l)
			if err != nil {
				return err
			}
			files, err := tailer.List(tailer.Options{Path: l.path, Time: at, Identify: identify(l), Logger: w.log})
			if err != nil {
				return err
			}
			src := archive.Source{Name: l.path, Parser: p}
			for _, f := range files {
				size, err := f.Size(context.Background())
				if err != nil {
					return err
				}
				src.Segments = append(src.Segments, closedSegment{f, size, nil})
			}
			q.Logs = append(q.Logs, src)
		}
	}
	done, err := a.Recount(context.Background(), q)
	if err == nil && done.Lines+done.Rows > 0 {
		w.strike("archived lines recounted by a rule")
	}
	return err
}
