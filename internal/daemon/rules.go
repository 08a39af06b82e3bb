package daemon

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"ddkk-stats/counter"
	"ddkk-stats/parser"
)

// ruleKeeper puts rules into force that were learnt while the daemon runs, and tells
// others when counting goes by them.
type ruleKeeper struct {
	s       *server
	inForce atomic.Int64 // version that counting goes by

	mu   sync.Mutex
	gone []string // sites that were deleted, of the embedded store
	made []string // sites whose numbers there are to be made anew
	wake chan struct{}
}

func newRuleKeeper(s *server) *ruleKeeper {
	return &ruleKeeper{s: s, wake: make(chan struct{}, 1)}
}

// version is that of the rules in force here.
func (k *ruleKeeper) version() int64 {
	if k.s.counting.in.Load() == nil {
		return k.s.cfg().Rules.Version // it begins by them: see beginCounting
	}
	return k.inForce.Load()
}

// take implements vault.Vault.Ruled.
func (k *ruleKeeper) take(_ context.Context, r parser.Rules) error {
	s := k.s
	if s.reloader != nil {
		s.reloader.applying.Lock()
		defer s.reloader.applying.Unlock()
	}
	old := s.cfg()
	cfg := old.WithRules(r)
	in := s.counting.in.Load()
	var rules counter.Rules
	if in != nil {
		var err error
		if rules, err = s.changedRules(old, cfg); err != nil {
			return err
		}
	}
	s.live.Now.Store(cfg)
	s.log.Info("rules learnt", "version", r.Version, "rules", len(r.All))
	if in == nil {
		return nil
	}
	gone := deletedSites(r, old.Rules)
	changed := changedSites(old.Rules, r)
	rules.Forget = gone
	rules.Applied = func() {
		k.inForce.Store(r.Version)
		if s.embedded != nil {
			k.owe(gone, changed)
		}
	}
	return in.Apply(rules)
}

// deletedSites are those that SQL has nothing left of, and had by the rules of before.
func deletedSites(r, before parser.Rules) (names []string) {
	known := map[int64]bool{}
	for i := range before.All {
		known[before.All[i].Num] = before.All[i].Done
	}
	for i := range r.All {
		if x := &r.All[i]; x.Leaves() && x.Done && !known[x.Num] {
			names = append(names, x.Site)
		}
	}
	return names
}

// changedSites are those that rules name which came or went.
func changedSites(a, b parser.Rules) (names []string) {
	count := map[int64]int{}
	for _, r := range slices.Concat(a.All, b.All) {
		count[r.Num]++
	}
	for _, r := range slices.Concat(a.All, b.All) {
		if count[r.Num] == 1 && r.Site != "" {
			names = append(names, r.Site)
			if r.To != "" {
				names = append(names, r.To)
			}
		}
	}
	return names
}

// owe notes what is to be done to the embedded store, which no command reaches.
func (k *ruleKeeper) owe(gone, made []string) {
	k.mu.Lock()
	k.gone, k.made = append(k.gone, gone...), append(k.made, made...)
	k.mu.Unlock()
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// run does so until ctx ends.
func (k *ruleKeeper) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.wake:
		}
		k.mu.Lock()
		gone, made := k.gone, k.made
		k.gone, k.made = nil, nil
		k.mu.Unlock()
		for _, site := range gone {
			if err := k.s.vault.Remove(ctx, site); err != nil && ctx.Err() == nil {
				k.s.log.Error("cannot delete a site's numbers from the embedded store; a restart makes it anew without them", "site", site, "err", err)
			}
		}
		for _, site := range made {
			if slices.Contains(gone, site) {
				continue
			}
			if _, err := k.s.vault.Rebuild(ctx, site, func(int64) {}); err != nil && ctx.Err() == nil {
				k.s.log.Error("cannot make a site's numbers anew by other rules; a restart does", "site", site, "err", err)
			}
		}
	}
}
