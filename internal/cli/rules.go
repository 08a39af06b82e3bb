package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"ddkk-stats/archive"
	"ddkk-stats/internal/jobs"
	"ddkk-stats/internal/vault"
	"ddkk-stats/parser"
)

// recountByRules counts the days that a rule is about again, by the rules that this
// process has. Days without raw rows stay as they are, and are named.
func recountByRules(ctx context.Context, v *vault.Vault, secret []byte, rule parser.Rule, dryRun bool, out, progress io.Writer) error {
	loc := v.Cfg().Timezone
	r := &recounting{out: out, progress: progress, Recount: jobs.Recount{V: v, Secret: secret, Site: rule.Site, DryRun: dryRun, Force: true, Ruled: true}}
	r.From, r.To = jobs.DaysOf(&rule, loc)
	if dryRun {
		r.Suppose = &rule
	}
	return r.run(ctx)
}

// auditRule notes what is done by a rule, in the audit log and in this program's.
func auditRule(ctx context.Context, v *vault.Vault, a *archive.Archive, by, what string, rule *parser.Rule) error {
	text := jobs.RuleText(rule, v.Cfg().Timezone)
	v.Log.Warn("audit: "+what, "rule", rule.Num, "by", by, "about", text)
	return a.Audit(ctx, archive.AuditEntry{Who: by, What: what, Site: rule.Site, Detail: fmt.Sprintf("rule %d: %s", rule.Num, text)})
}

// listRules shows the rules of one kind.
func listRules(ctx context.Context, v *vault.Vault, out io.Writer, kind parser.RuleKind) error {
	a, err := v.Open(ctx)
	if err != nil {
		return err
	}
	rules, err := a.KeptRules(ctx)
	if err != nil {
		return err
	}
	hosts, err := a.Hosts(ctx)
	if err != nil {
		return err
	}
	n := 0
	for i := range rules {
		r := &rules[i]
		if r.Kind != kind {
			continue
		}
		n++
		if _, err := fmt.Fprintf(out, "%d  %s  %s  %s%s\n", r.Num, r.MadeAt.In(v.Cfg().Timezone).Format(time.DateTime), r.MadeBy, jobs.RuleText(&r.Rule, v.Cfg().Timezone), ruleState(r, hosts)); err != nil {
			return err
		}
	}
	if n == 0 {
		_, err = fmt.Fprintln(out, "there are none")
	}
	return err
}

func ruleState(r *archive.KeptRule, hosts []archive.Host) string {
	switch {
	case !r.UndoneAt.IsZero():
		return "; undone"
	case r.Kind != parser.RuleDelete:
		return ""
	case r.DoneAt.IsZero():
		return "; not carried out to its end: run the same command again"
	}
	if names := jobs.PendingHosts(hosts, r.Num); len(names) > 0 {
		return "; lines are still in the logs of " + strings.Join(names, ", ")
	}
	return "; done"
}
