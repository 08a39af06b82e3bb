package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ddkk-stats/internal/config"
	"ddkk-stats/internal/remote"
)

// topOptions are what a person asks for.
type topOptions struct {
	site, url string
	every     time.Duration
	once      bool
}

func topCommand(load func() (*config.Config, error)) *cobra.Command {
	var opt topOptions
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Watch sites and pages live in a terminal",
		Long: `Shows what the daemon counts, again and again: lines a second, how far it is behind and
what is wrong; the sites with views today, views a second, people online; and of one site
the last half hour and the pages of today.

Keys: up and down (or k and j) choose a site, s sorts by today, online or views a second,
q ends. --once, or an output that is no terminal, prints one screen.

It asks the daemon of the settings, or another one by --url with the token in
DDKK_TOKEN; a token of role view or api sees its sites.`,
		Example: "  ddkk-stats top\n  DDKK_TOKEN=... ddkk-stats top --url https://stats.ddkk.com --site blog.ddkk.com",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if opt.every < 200*time.Millisecond {
				return errors.New("top: --every must be 200ms or more")
			}
			d, err := opt.daemon(load)
			if err != nil {
				return err
			}
			t := &top{daemon: d, screen: screen{chosen: opt.site}, now: time.Now}
			if opt.once || !isTerminal() {
				if err := t.look(cmd.Context()); err != nil {
					return err
				}
				_, err := fmt.Fprintln(cmd.OutOrStdout(), strings.Join(t.lines(100, 40), "\n"))
				return err
			}
			return watch(cmd.Context(), t, opt.every)
		},
	}
	f := cmd.Flags()
	f.StringVar(&opt.site, "site", "", "the site whose pages are shown (default the first)")
	f.StringVar(&opt.url, "url", "", "address of another daemon, such as https://stats.ddkk.com")
	f.DurationVar(&opt.every, "every", 2*time.Second, "time between two looks")
	f.BoolVar(&opt.once, "once", false, "print one screen and end")
	return cmd
}

func (o *topOptions) daemon(load func() (*config.Config, error)) (*remote.Daemon, error) {
	if o.url != "" {
		return remote.At(o.url, os.Getenv("DDKK_TOKEN"))
	}
	cfg, err := load()
	if err != nil {
		return nil, err
	}
	return remote.Of(cfg), nil
}

// top looks at a daemon and keeps what is shown of it. One goroutine uses it.
type top struct {
	daemon *remote.Daemon
	now    func() time.Time
	screen
	at   time.Time // of the look that speeds are told since
	read int64     // lines by then
	pv   map[string]int64
	rate map[string]float64
}

// least is how long speeds are measured: a key makes the next look come at once.
const least = 500 * time.Millisecond

// look asks once.
func (t *top) look(ctx context.Context) error {
	var session struct {
		Today string `json:"today"`
	}
	if err := t.daemon.Get(ctx, "/api/admin/session", nil, &session); err != nil {
		return err
	}
	var sites struct {
		Sites []topSite `json:"sites"`
		Stale bool      `json:"stale"`
		Why   string    `json:"stale_reason"`
	}
	if err := t.daemon.Get(ctx, "/api/admin/sites", url.Values{"sparkline": {"7"}}, &sites); err != nil {
		return err
	}
	now := t.now()
	passed := now.Sub(t.at)
	if passed >= least {
		views, rate := map[string]int64{}, map[string]float64{}
		for _, s := range sites.Sites {
			views[s.Site] = s.PV
			if was, ok := t.pv[s.Site]; ok {
				rate[s.Site] = max(0, float64(s.PV-was)/passed.Seconds())
			}
		}
		t.pv, t.rate = views, rate
	}
	for i := range sites.Sites {
		sites.Sites[i].Rate = t.rate[sites.Sites[i].Site]
	}
	t.Sites, t.Stale = sites.Sites, ""
	if sites.Stale {
		t.Stale = cmp.Or(sites.Why, "the store does not answer")
	}
	t.Time = now
	t.sort()
	if err := t.health(ctx, passed); err != nil {
		return err
	}
	if passed >= least {
		t.at = now
	}
	return t.site(ctx, session.Today)
}

// health asks how the daemon is, which the tokens of viewers may not.
func (t *top) health(ctx context.Context, passed time.Duration) error {
	var health struct {
		Inputs []struct {
			Bytes   int64   `json:"lag_bytes"`
			Seconds float64 `json:"lag_seconds"`
		} `json:"inputs"`
		Books struct {
			Read int64 `json:"read"`
		} `json:"books"`
		Alerts []struct {
			Name    string `json:"name"`
			Message string `json:"message"`
		} `json:"alerts"`
	}
	err := t.daemon.Get(ctx, "/api/admin/health", nil, &health)
	if r := (*remote.Refusal)(nil); errors.As(err, &r) && (r.Status == 401 || r.Status == 403) {
		t.Blind = true
		return nil
	}
	if err != nil {
		return err
	}
	t.Blind, t.LagBytes, t.LagSeconds, t.Wrong = false, 0, 0, nil
	for _, in := range health.Inputs {
		t.LagBytes += in.Bytes
		t.LagSeconds = max(t.LagSeconds, in.Seconds)
	}
	if passed >= least {
		if !t.at.IsZero() {
			t.Lines = max(0, float64(health.Books.Read-t.read)/passed.Seconds())
		}
		t.read = health.Books.Read
	}
	for _, a := range health.Alerts {
		t.Wrong = append(t.Wrong, a.Name+": "+a.Message)
	}
	return nil
}

// site asks for the last minutes and the pages of the chosen site.
func (t *top) site(ctx context.Context, today string) error {
	t.Pages, t.Minutes = nil, nil
	if t.choose(); t.chosen == "" {
		return nil
	}
	var minutes struct {
		Minutes []struct {
			PV int64 `json:"pv"`
		} `json:"minutes"`
	}
	if err := t.daemon.Get(ctx, "/api/admin/minutes", url.Values{"site": {t.chosen}}, &minutes); err != nil {
		return err
	}
	for _, m := range minutes.Minutes {
		t.Minutes = append(t.Minutes, m.PV)
	}
	var pages struct {
		Pages []topPage `json:"pages"`
	}
	if err := t.daemon.Get(ctx, "/api/admin/pages", url.Values{"site": {t.chosen}, "from": {today}, "to": {today}, "limit": {"50"}}, &pages); err != nil {
		return err
	}
	t.Pages = pages.Pages
	return nil
}

// key does what a key says; true: it ends.
func (t *top) key(k string) (end bool) {
	i := slices.IndexFunc(t.Sites, func(s topSite) bool { return s.Site == t.chosen })
	switch k {
	case "q", "Q", "\x03", "\x1b":
		return true
	case "j", "\x1b[B", "\x1bOB":
		i = min(i+1, len(t.Sites)-1)
	case "k", "\x1b[A", "\x1bOA":
		i = max(i-1, 0)
	case "s":
		t.order = (t.order + 1) % len(orders)
		t.sort()
		return false
	default:
		return false
	}
	if i >= 0 && i < len(t.Sites) {
		t.chosen = t.Sites[i].Site
		t.Pages, t.Minutes = nil, nil // of another site
	}
	return false
}
