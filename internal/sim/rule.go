package sim

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"time"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
	"ddkk-stats/parser"
	"ddkk-stats/tailer"
)

// ruled is a rule that an operator makes in the middle of a schedule: what was seen of a page
// until then is taken out of all numbers. From that moment on every daemon counts, and every
// cycle archives, by it. Archived days are put right at once; Redis when the faults are over, as
// by a command that is run again.
type ruled struct {
	rules parser.Rules
	rule  parser.Rule
}

// takes tells whether the rule takes a request out.
func (r *ruled) takes(h *hit) bool {
	return r != nil && h.call == nil && h.site == r.rule.Site && h.page == r.rule.Page && h.at.UnixMilli() < r.rule.Until
}

// ruling is the world as the operator who makes the rule sees it.
type ruling struct{ *world }

// makeRule makes the rule, if there is an archive to keep it, and tells the daemons that live.
func (w ruling) makeRule(rng *rand.Rand) error {
	var about []*hit
	for i := range w.ledger.hits {
		if h := &w.ledger.hits[i]; h.call == nil && !h.skipped {
			about = append(about, h)
		}
	}
	if w.ledger.void != nil || len(about) == 0 || w.archiveAway() {
		return nil
	}
	h := about[rng.IntN(len(about))]
	made := &ruled{rule: parser.Rule{Kind: parser.RuleVoid, Site: h.site, Page: h.page, Until: time.Now().UnixMilli() + 1}}
	k := newKeeper(w.world, w.hosts[0], nil)
	a, err := k.open(context.Background())
	if err == nil {
		if _, err = a.MakeRule(context.Background(), made.rule, "operator"); err == nil {
			made.rules, err = a.Rules(context.Background())
		}
	}
	if err != nil {
		return errors.Join(err, k.close())
	}
	w.mu.Lock()
	w.made = made
	w.mu.Unlock()
	w.ledger.void = made
	w.strike("rule made")
	if err := errors.Join(w.recount(k), k.close()); err != nil {
		return err
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
	if in == nil || !(ruling{d.w}).isRuled() {
		return nil // it begins by them
	}
	r := counter.Rules{Applied: func() { p.obeys.Store(true) }}
	for _, l := range d.w.readings(d.host) {
		ps, err := parser.New(d.w.rules(l))
		if err != nil {
			return err
		}
		r.Parsers = append(r.Parsers, ps)
	}
	return in.Apply(r)
}

func (w ruling) isRuled() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.made != nil
}

// awaitObeyed waits until all daemons that live count by the rule, as the command does.
func (w ruling) awaitObeyed() error {
	for began := time.Now(); time.Since(began) < patience; time.Sleep(lookAgain) {
		w.watch()
		late := false
		for _, d := range w.daemons {
			if p := d.alive(); p != nil && !p.killed.Load() && !p.obeys.Load() {
				late = true
			}
		}
		if !late {
			return nil
		}
	}
	return errors.New("a daemon does not take the rule")
}

// carryOut puts right what was counted before the rule was made: archived days by a recount, Redis
// by a rebuild of the site.
func (w ruling) carryOut() error {
	if w.ledger.void == nil {
		return nil
	}
	rdb := counter.Connect(counter.ConnectOptions{Addrs: []string{"127.0.0.1:6379"}, PoolSize: 32, Buffer: 4096,
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) { return w.store.dial(ctx, operator) }})
	k := newKeeper(w.world, w.hosts[0], rdb)
	err := w.awaitObeyed()
	if err == nil {
		err = w.recount(k)
	}
	if err == nil {
		r := counter.Rebuilder{Redis: rdb, Keys: k.keys, Logger: w.log, Restore: k.Restore, Ready: k.Reachable}
		_, err = r.Rebuild(context.Background(), []string{w.ledger.void.rule.Site})
	}
	return errors.Join(err, k.close(), rdb.Close())
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
	q := archive.Recounting{From: 20000101, To: 29991231, Site: w.ledger.void.rule.Site, Rows: rows, Force: true}
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
