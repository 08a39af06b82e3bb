package daemon

import (
	"context"
	"fmt"
	"sync"
	"time"

	"ddkk-stats/archive"
	"ddkk-stats/internal/jobs"
	"ddkk-stats/internal/vault"
	"ddkk-stats/parser"
	"ddkk-stats/queryapi"
)

// voids carries out the rules that the API is asked for, one at a time. Who asked may go
// away; run ends what it has begun.
type voids struct {
	v *vault.Vault

	jobs  chan *voidJob
	ended chan struct{} // closed when run has returned

	mu      sync.Mutex
	running bool
	num     int64 // of the rule that is being carried out
}

// voidJob is one rule that is made, or undone.
type voidJob struct {
	do   func(ctx context.Context) error
	over chan struct{} // closed when err is set
	err  error
}

func newVoids(v *vault.Vault) *voids {
	return &voids{v: v, jobs: make(chan *voidJob), ended: make(chan struct{})}
}

// run does so until ctx ends. A rule whose recount is broken off then is kept, and listed as
// unfinished.
func (x *voids) run(ctx context.Context) {
	defer close(x.ended)
	for {
		select {
		case <-ctx.Done():
			return
		case j := <-x.jobs:
			j.err = j.do(ctx)
			x.set(false, 0)
			close(j.over)
		}
	}
}

func (x *voids) set(running bool, num int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.running, x.num = running, num
}

// claim makes sure that nothing else is under way.
func (x *voids) claim() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.running {
		return queryapi.ErrVoiding
	}
	x.running = true
	return nil
}

// hand has run do something, and waits for it.
func (x *voids) hand(ctx context.Context, do func(ctx context.Context) error) error {
	j := &voidJob{do: do, over: make(chan struct{})}
	select {
	case x.jobs <- j:
	case <-x.ended:
		x.set(false, 0)
		return queryapi.ErrEnding
	}
	select {
	case <-j.over:
		return j.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Void implements queryapi.Voider.
func (x *voids) Void(ctx context.Context, asked *queryapi.VoidAsked) (int64, error) {
	a, err := x.v.Opened()
	if err != nil {
		return 0, fmt.Errorf("%w: %w", queryapi.ErrArchiveAway, err)
	}
	if err := x.claim(); err != nil {
		return 0, err
	}
	loc := x.v.Cfg().Timezone
	begin := func(d time.Time) int64 { return time.Date(d.Year(), d.Month(), d.Day(), 0, 0, 0, 0, loc).UnixMilli() }
	rule := parser.Rule{Kind: parser.RuleVoid, Site: x.v.Cfg().Rules.Renamed(asked.Site), From: begin(asked.From), Until: begin(asked.To.AddDate(0, 0, 1))}
	for _, t := range asked.Where {
		rule.Where = append(rule.Where, parser.RuleTerm(t))
	}
	err = x.hand(ctx, func(ctx context.Context) (err error) {
		num, err := a.MakeRule(ctx, rule, asked.By)
		if err != nil {
			return fmt.Errorf("%w: %w", queryapi.ErrArchiveAway, err)
		}
		rule.Num = num
		x.set(true, rule.Num)
		x.v.Log.Warn("audit: views taken out", "rule", rule.Num, "by", asked.By, "about", jobs.RuleText(&rule, loc))
		return jobs.ApplyVoid(ctx, x.v, &rule, true, func() error { return x.recount(ctx, &rule) })
	})
	return rule.Num, err
}

func (x *voids) recount(ctx context.Context, rule *parser.Rule) error {
	secret, err := x.v.VisitorSecret(ctx)
	if err != nil {
		return err
	}
	r := &jobs.Recount{V: x.v, Secret: secret, Site: rule.Site, Force: true, Ruled: true}
	r.From, r.To = jobs.DaysOf(rule, x.v.Cfg().Timezone)
	_, err = r.Run(ctx)
	return err
}

// Unvoid implements queryapi.Voider.
func (x *voids) Unvoid(ctx context.Context, site string, num int64, by string) error {
	a, err := x.v.Opened()
	if err != nil {
		return fmt.Errorf("%w: %w", queryapi.ErrArchiveAway, err)
	}
	kept, ok, err := jobs.FindVoid(ctx, a, num)
	if err != nil {
		return fmt.Errorf("%w: %w", queryapi.ErrArchiveAway, err)
	}
	rule := kept.Rule
	rule.Site = x.v.Cfg().Rules.Renamed(rule.Site)
	if !ok || rule.Site != site {
		return queryapi.ErrNoRule
	}
	if err := x.claim(); err != nil {
		return err
	}
	return x.hand(ctx, func(ctx context.Context) error {
		x.set(true, num)
		if err := a.UndoRule(ctx, num); err != nil {
			return fmt.Errorf("%w: %w", queryapi.ErrArchiveAway, err)
		}
		x.v.Log.Warn("audit: views put back", "rule", num, "by", by, "about", jobs.RuleText(&rule, x.v.Cfg().Timezone))
		if _, err := jobs.PutBack(ctx, x.v, &rule); err != nil {
			return err
		}
		return jobs.ApplyVoid(ctx, x.v, &rule, false, func() error { return x.recount(ctx, &rule) })
	})
}

// Voids implements queryapi.Voider.
func (x *voids) Voids(ctx context.Context, site string) (all []queryapi.VoidRule, running int64, err error) {
	a, err := x.v.Opened()
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", queryapi.ErrArchiveAway, err)
	}
	rules, err := a.KeptRules(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", queryapi.ErrArchiveAway, err)
	}
	cfg := x.v.Cfg()
	for i := len(rules) - 1; i >= 0; i-- {
		if r := &rules[i]; r.Kind == parser.RuleVoid && cfg.Rules.Renamed(r.Site) == site {
			all = append(all, voidRule(r, cfg.Timezone))
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return all, x.num, nil
}

func voidRule(r *archive.KeptRule, loc *time.Location) queryapi.VoidRule {
	about := r.Rule
	about.Site, about.From, about.Until = "", 0, 0
	out := queryapi.VoidRule{Num: r.Num, MadeAt: r.MadeAt, MadeBy: r.MadeBy, About: jobs.RuleText(&about, loc), Done: !r.DoneAt.IsZero(), UndoneAt: r.UndoneAt}
	if r.From > 0 {
		out.From = time.UnixMilli(r.From)
	}
	if r.Until > 0 {
		out.Until = time.UnixMilli(r.Until)
	}
	return out
}
