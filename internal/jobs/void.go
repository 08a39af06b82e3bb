package jobs

import (
	"context"
	"fmt"
	"strings"
	"time"

	"ddkk-stats/archive"
	"ddkk-stats/internal/vault"
	"ddkk-stats/parser"
)

// RuleText says what a rule is about.
func RuleText(r *parser.Rule, loc *time.Location) string {
	var all []string
	add := func(name, value string) {
		if value != "" {
			all = append(all, name+" "+value)
		}
	}
	add("site", r.Site)
	add("to", r.To)
	add("page", r.Page)
	if r.Net.IsValid() {
		add("ip", r.Net.String())
	}
	add("agent", r.Agent)
	add("referrer", r.Referrer)
	for _, t := range r.Where {
		all = append(all, t.String())
	}
	if r.Client != "" {
		all = append(all, "a visitor")
	}
	if r.From > 0 {
		add("from", time.UnixMilli(r.From).In(loc).Format(time.DateTime))
	}
	if r.Until > 0 {
		add("until", time.UnixMilli(r.Until).In(loc).Format(time.DateTime))
	}
	return strings.Join(all, ", ")
}

// FindVoid is a rule that takes views out: one that was undone already, too, as that may have
// been killed half way. false: there is none with that number.
func FindVoid(ctx context.Context, a *archive.Archive, num int64) (archive.KeptRule, bool, error) {
	all, err := a.KeptRules(ctx)
	if err != nil {
		return archive.KeptRule{}, false, err
	}
	for i := range all {
		if all[i].Num == num && all[i].Kind == parser.RuleVoid {
			return all[i], true, nil
		}
	}
	return archive.KeptRule{}, false, nil
}

// ApplyVoid counts the days of a rule again, once everybody counts by the rules of now, and
// notes that of one that is in force. recount does that for its days.
func ApplyVoid(ctx context.Context, v *vault.Vault, rule *parser.Rule, inForce bool, recount func() error) error {
	if err := AwaitHosts(ctx, v); err != nil {
		return err
	}
	if err := recount(); err != nil || !inForce {
		return err
	}
	a, err := v.Open(ctx)
	if err != nil {
		return err
	}
	return a.EndRule(ctx, rule.Num)
}

// PutBack puts raw rows back whose log is gone and which a rule took out that is undone, and
// tells how many.
func PutBack(ctx context.Context, v *vault.Vault, rule *parser.Rule) (n int64, err error) {
	if err := AwaitHosts(ctx, v); err != nil {
		return 0, err
	}
	a, err := v.Open(ctx)
	if err != nil {
		return 0, err
	}
	err = InTurn(ctx, v, 0, func() error {
		return a.Alone(ctx, func() (err error) {
			n, err = a.Unpark(ctx, rule.Site, rule.From, rule.Until)
			return err
		})
	})
	if err != nil {
		return n, fmt.Errorf("put raw rows back: %w", err)
	}
	return n, nil
}
