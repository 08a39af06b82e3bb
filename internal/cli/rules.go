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

// firstRuled is the first day that a rule without a beginning is about.
const firstRuled parser.Day = 20000101

// recountByRules counts the days that a rule is about again, by the rules that this
// process has. Days without raw rows stay as they are, and are named.
func recountByRules(ctx context.Context, v *vault.Vault, secret []byte, rule parser.Rule, dryRun bool, out, progress io.Writer) error {
	loc := v.Cfg().Timezone
	r := &recounting{v: v, secret: secret, out: out, progress: progress,
		opt:  recountOptions{site: rule.Site, dryRun: dryRun, force: true, ruled: true},
		from: firstRuled, to: parser.DayOf(time.Now().In(loc).AddDate(0, 0, 1))}
	if rule.From > 0 {
		r.from = parser.DayOf(time.UnixMilli(rule.From).In(loc))
	}
	if rule.Until > 0 {
		r.to = parser.DayOf(time.UnixMilli(rule.Until - 1).In(loc))
	}
	return r.run(ctx)
}

// auditRule notes what is done by a rule, in the audit log and in this program's.
func auditRule(ctx context.Context, v *vault.Vault, a *archive.Archive, by, what string, rule *parser.Rule) error {
	text := ruleText(rule, v.Cfg().Timezone)
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
		if _, err := fmt.Fprintf(out, "%d  %s  %s  %s%s\n", r.Num, r.MadeAt.In(v.Cfg().Timezone).Format(time.DateTime), r.MadeBy, ruleText(&r.Rule, v.Cfg().Timezone), ruleState(r, hosts)); err != nil {
			return err
		}
	}
	if n == 0 {
		_, err = fmt.Fprintln(out, "there are none")
	}
	return err
}

// ruleText says what a rule is about.
func ruleText(r *parser.Rule, loc *time.Location) string {
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
