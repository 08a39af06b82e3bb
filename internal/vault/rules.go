package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"ddkk-stats/archive"
	"ddkk-stats/internal/durable"
	"ddkk-stats/parser"
)

// Rules are kept in SQL and are a part of the configuration in force, so whoever makes a
// parser has them. What was learnt last is in DATA_DIR as well: a start that cannot ask
// SQL counts by that.

// rulesFile is where they are.
func (v *Vault) rulesFile() string { return filepath.Join(v.Cfg().DataDir, "rules.json") }

// savedRules is the content of that file.
type savedRules struct {
	Version int64       `json:"version"`
	Rules   []savedRule `json:"rules"`
}

type savedRule struct {
	Num  int64           `json:"num"`
	Kind parser.RuleKind `json:"kind"`
	Done bool            `json:"done,omitempty"`
	Rule parser.Rule     `json:"rule"`
}

// RecallRules puts the rules into force that were learnt last, before anything is counted.
func (v *Vault) RecallRules() error {
	b, err := os.ReadFile(v.rulesFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read rules: %w", err)
	}
	var s savedRules
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("read rules: %s is damaged (%w); delete it: they are read from the archive", v.rulesFile(), err)
	}
	r := parser.Rules{Version: s.Version}
	for _, x := range s.Rules {
		x.Rule.Num, x.Rule.Kind, x.Rule.Done = x.Num, x.Kind, x.Done
		r.All = append(r.All, x.Rule)
	}
	v.live.Now.Store(v.Cfg().WithRules(r))
	return nil
}

func (v *Vault) saveRules(r parser.Rules) error {
	s := savedRules{Version: r.Version}
	for _, x := range r.All {
		s.Rules = append(s.Rules, savedRule{Num: x.Num, Kind: x.Kind, Done: x.Done, Rule: x})
	}
	b, err := json.Marshal(&s)
	if err != nil {
		return fmt.Errorf("keep rules: %w", err)
	}
	if err := durable.Replace(v.rulesFile(), b, 0o640); err != nil {
		return fmt.Errorf("keep rules: %w", err)
	}
	return nil
}

// LearnRules puts the rules of the archive into force, if they are others.
func (v *Vault) LearnRules(ctx context.Context) error {
	a, err := v.Open(ctx)
	if err != nil {
		return err
	}
	return v.learnRules(ctx, a)
}

func (v *Vault) learnRules(ctx context.Context, a *archive.Archive) error {
	ctx, cancel := context.WithTimeout(ctx, learnLimit)
	defer cancel()
	v.ruling.Lock()
	defer v.ruling.Unlock()
	now, err := a.RulesVersion(ctx)
	if err != nil || now == v.Cfg().Rules.Version {
		return err
	}
	r, err := a.Rules(ctx)
	if err != nil {
		return err
	}
	if err := v.saveRules(r); err != nil {
		return err
	}
	if v.Ruled != nil {
		return v.Ruled(ctx, r)
	}
	v.live.Now.Store(v.Cfg().WithRules(r))
	return nil
}

// Host is this host's name among those that share an archive, and what people call it.
func (v *Vault) Host() (id, name string, err error) {
	if id, err = hostID(v.Cfg().DataDir); err != nil {
		return "", "", err
	}
	if name, err = os.Hostname(); err != nil {
		return "", "", fmt.Errorf("name this host: %w", err)
	}
	dir, err := filepath.Abs(v.Cfg().DataDir)
	if err != nil {
		return "", "", fmt.Errorf("name DATA_DIR: %w", err)
	}
	return id, name + ":" + dir, nil
}

// SeenWithin is how long ago a daemon may have said last which rules it has, to be one
// that runs.
const SeenWithin = 3 * noteEvery

// noteEvery is how often it says so.
const noteEvery = 20 * time.Second

// KeepRules learns the rules every few seconds until ctx ends, and says which are in force
// here, as is told by inForce.
func (v *Vault) KeepRules(ctx context.Context, inForce func() int64) {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	noted, said := time.Time{}, int64(-1)
	for {
		// KeepLearning opens the archive, and says what is wrong with it.
		if _, err := v.Opened(); err == nil && v.LearnRules(ctx) == nil {
			if rules, now := inForce(), time.Now(); rules != said || now.Sub(noted) >= noteEvery {
				if err := v.noteHost(ctx, rules); err == nil {
					noted, said = now, rules
				}
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

func (v *Vault) noteHost(ctx context.Context, rules int64) error {
	a, err := v.Open(ctx)
	if err != nil {
		return err
	}
	id, name, err := v.Host()
	if err != nil {
		return err
	}
	return a.NoteHost(ctx, id, name, rules)
}

// Suppose has this process go by rules that nobody else knows: of a dry run.
func (v *Vault) Suppose(r parser.Rule) {
	cfg := v.Cfg()
	rules := cfg.Rules
	rules.All = append(slices.Clip(rules.All), r)
	v.live.Now.Store(cfg.WithRules(rules))
}

// KnowClient has this process know whom a rule is about, of which the rule has a hash alone.
func (v *Vault) KnowClient(num int64, addr netip.Addr) {
	cfg := v.Cfg()
	rules := cfg.Rules
	rules.All = slices.Clone(rules.All)
	for i := range rules.All {
		if rules.All[i].Num == num {
			rules.All[i].Addr = addr
		}
	}
	v.live.Now.Store(cfg.WithRules(rules))
}
