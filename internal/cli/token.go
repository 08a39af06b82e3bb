package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"ddkk-stats/archive"
	"ddkk-stats/internal/config"
	"ddkk-stats/internal/people"
	"ddkk-stats/internal/vault"
)

func tokenCommand(load func() (*config.Config, error)) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Let others see or change the numbers of some sites",
		Long: `Gives tokens to people and programs beside ADMIN_TOKEN, which stays the owner's. A
token has a role, and the sites that it is for:

  view   logs in to the dashboard and sees
  admin  sees, and sets baselines; one for all sites may do what the owner may by HTTP
  api    is sent by a program as Authorization: Bearer, and sees; it cannot log in

Tokens are kept in the archive, hashed: each is shown once. One that was added or
revoked, on any host, holds within five seconds. Logins and changes are in the audit log.`,
		Args: cobra.NoArgs,
	}
	for _, c := range []*cobra.Command{tokenAddCommand(load), tokenShareCommand(load), tokenListCommand(load), tokenRevokeCommand(load), tokenLogCommand(load)} {
		cmd.AddCommand(asOwner(c, load, false))
	}
	return cmd
}

// grantFlags are what a token and a link have in common.
type grantFlags struct {
	people.Grant
	sites, expires string
}

func tokenAddCommand(load func() (*config.Config, error)) *cobra.Command {
	var g grantFlags
	cmd := &cobra.Command{
		Use:     "add --name NAME --role view|admin|api [--sites A,B] [--expires 30d]",
		Short:   "Give a token, and show it once",
		Example: "  ddkk-stats token add --name anna --role view --sites blog.example,docs.example --expires 2027-01-01",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load()
			if err != nil {
				return err
			}
			secret, err := grant(cmd, cfg, &g)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), secret)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&g.Name, "name", "", "what you call the bearer by")
	f.StringVar(&g.Role, "role", "", strings.Join(people.Roles(), ", "))
	f.StringVar(&g.sites, "sites", "", "the sites that it is for, with commas between (default all)")
	f.StringVar(&g.expires, "expires", "", "when it ends: a date, or from now 12h, 30d, 4w (default never)")
	return cmd
}

func tokenShareCommand(load func() (*config.Config, error)) *cobra.Command {
	var g grantFlags
	var withPassword bool
	cmd := &cobra.Command{
		Use:   "share --site SITE [--expires 30d] [--password]",
		Short: "Make a link to the dashboard of one site",
		Long: `Makes a link that shows the dashboard of one site to whoever has it, and prints it
once. Put the address of your counter before it. What stands behind # is not sent to any
server, so no log has it. --password reads a password from standard input, which the link
then asks for.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load()
			if err != nil {
				return err
			}
			g.Share, g.Role = true, "view"
			if g.Name == "" {
				g.Name = "link to " + g.sites + " of " + time.Now().UTC().Format(time.RFC3339)
			}
			if withPassword {
				text, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), 1024))
				if err != nil {
					return fmt.Errorf("read the password: %w", err)
				}
				if g.Password = strings.TrimRight(string(text), "\r\n"); g.Password == "" {
					return errors.New("cannot make the link: the password from standard input is empty")
				}
			}
			secret, err := grant(cmd, cfg, &g)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "/admin/#share="+secret)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&g.Name, "name", "", "what you call the link by (default its site and time)")
	f.StringVar(&g.sites, "site", "", "the site, such as ddkk.com")
	f.StringVar(&g.expires, "expires", "", "when it ends: a date, or from now 12h, 30d, 4w (default never)")
	f.BoolVar(&withPassword, "password", false, "read a password from standard input")
	return cmd
}

// grant keeps a token and returns what is shown.
func grant(cmd *cobra.Command, cfg *config.Config, g *grantFlags) (secret string, err error) {
	if cfg.AdminToken == "" {
		return "", errors.New("cannot give a token: ADMIN_TOKEN is not set, and logins are signed with it; set it and restart the daemon")
	}
	if g.Sites, err = namedSites(cfg, g.sites); err != nil {
		return "", err
	}
	if g.Ends, err = whenEnds(g.expires, time.Now(), cfg.Timezone); err != nil {
		return "", err
	}
	t, secret, err := people.New(g.Grant)
	if err != nil {
		return "", fmt.Errorf("cannot give a token: %w", err)
	}
	return secret, withArchive(cmd, cfg, func(a *archive.Archive) error {
		if err := a.AddToken(cmd.Context(), t); err != nil {
			return err
		}
		what := "token added"
		if t.Share {
			what = "link added"
		}
		return a.Audit(cmd.Context(), archive.AuditEntry{Who: "command", What: what, Site: oneOf(t.Sites), Detail: fmt.Sprintf("%s (%s), role %s, %s, %s", t.Name, t.ID, t.Role, sitesText(t.Sites), endsText(t.Ends))})
	})
}

// namedSites are sites as they are counted.
func namedSites(cfg *config.Config, list string) (sites []string, err error) {
	for raw := range strings.SplitSeq(list, ",") {
		if raw = strings.TrimSpace(raw); raw == "" {
			continue
		}
		site, ok := cfg.SiteOf(raw)
		if !ok {
			return nil, fmt.Errorf("%q is no site, or not one of SITES", raw)
		}
		sites = append(sites, site)
	}
	return sites, nil
}

// whenEnds reads --expires; "" is never, which is the zero time.
func whenEnds(text string, now time.Time, zone *time.Location) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.ParseInLocation(time.DateOnly, text, zone)
	if err == nil && at.After(now) {
		return at, nil
	}
	units := map[byte]time.Duration{'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	n, nerr := strconv.Atoi(text[:len(text)-1])
	unit, ok := units[text[len(text)-1]]
	if !ok {
		unit = time.Hour // for the bound below
	}
	if err == nil || nerr != nil || !ok || n < 1 || n > 100*365*24/int(unit/time.Hour) {
		return time.Time{}, fmt.Errorf("--expires %q: use a date to come (2027-01-01), or 12h, 30d, 4w", text)
	}
	return now.Add(time.Duration(n) * unit), nil
}

func tokenListCommand(load func() (*config.Config, error)) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List tokens and links, also those that ended",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load()
			if err != nil {
				return err
			}
			return withArchive(cmd, cfg, func(a *archive.Archive) error {
				all, err := a.Tokens(cmd.Context())
				if err != nil {
					return err
				}
				if asJSON {
					return tokensAsJSON(cmd.OutOrStdout(), all, time.Now())
				}
				return tokensAsText(cmd.OutOrStdout(), all, time.Now())
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}

// state of a token.
func tokenState(t archive.Token, now time.Time) string {
	switch {
	case !t.Revoked.IsZero():
		return "revoked"
	case !t.Ends.IsZero() && !t.Ends.After(now):
		return "ended"
	}
	return "in force"
}

func tokensAsText(out io.Writer, all []archive.Token, now time.Time) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tNAME\tROLE\tSITES\tGIVEN\tENDS\tSTATE") // a tabwriter's errors come with Flush
	for _, t := range all {
		role := t.Role
		if t.Share {
			role = "link"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", t.ID, t.Name, role, sitesText(t.Sites), t.Made.UTC().Format(time.RFC3339), endsText(t.Ends), tokenState(t, now))
	}
	return w.Flush()
}

func tokensAsJSON(out io.Writer, all []archive.Token, now time.Time) error {
	type row struct {
		ID       string     `json:"id"`
		Name     string     `json:"name"`
		Role     string     `json:"role"`
		Sites    []string   `json:"sites"`
		Share    bool       `json:"share"`
		Password bool       `json:"password"`
		Given    time.Time  `json:"given"`
		Ends     *time.Time `json:"ends"`
		State    string     `json:"state"`
	}
	rows := make([]row, len(all))
	for i, t := range all {
		rows[i] = row{ID: t.ID, Name: t.Name, Role: t.Role, Sites: append([]string{}, t.Sites...), Share: t.Share, Password: t.Password != "", Given: t.Made.UTC(), State: tokenState(t, now)}
		if !t.Ends.IsZero() {
			ends := t.Ends.UTC()
			rows[i].Ends = &ends
		}
	}
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(rows)
}

func tokenRevokeCommand(load func() (*config.Config, error)) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke NAME|ID",
		Short: "End a token or a link, and the sessions that it began",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := load()
			if err != nil {
				return err
			}
			return withArchive(cmd, cfg, func(a *archive.Archive) error {
				t, err := a.RevokeToken(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if err := a.Audit(cmd.Context(), archive.AuditEntry{Who: "command", What: "token revoked", Site: oneOf(t.Sites), Detail: fmt.Sprintf("%s (%s)", t.Name, t.ID)}); err != nil {
					return err
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s (%s) is revoked; within five seconds no daemon takes it\n", t.Name, t.ID)
				return err
			})
		},
	}
}

func tokenLogCommand(load func() (*config.Config, error)) *cobra.Command {
	var site string
	var limit int
	cmd := &cobra.Command{
		Use:   "log [--site SITE] [--limit 50]",
		Short: "Show the audit log: who came in, and who changed what",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load()
			if err != nil {
				return err
			}
			sites, err := namedSites(cfg, site)
			if err != nil {
				return err
			}
			return withArchive(cmd, cfg, func(a *archive.Archive) error {
				all, err := a.AuditLog(cmd.Context(), oneOf(sites), limit)
				if err != nil {
					return err
				}
				w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
				fmt.Fprintln(w, "AT\tWHO\tWHAT\tSITE\tDETAIL")
				for _, e := range all {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", e.At.UTC().Format(time.RFC3339), e.Who, e.What, e.Site, e.Detail)
				}
				return w.Flush()
			})
		},
	}
	cmd.Flags().StringVar(&site, "site", "", "entries of this site alone")
	cmd.Flags().IntVar(&limit, "limit", 50, "so many of the last")
	return cmd
}

func sitesText(sites []string) string {
	if len(sites) == 0 {
		return "all sites"
	}
	return strings.Join(sites, ",")
}

func endsText(ends time.Time) string {
	if ends.IsZero() {
		return "never ends"
	}
	return "ends " + ends.UTC().Format(time.RFC3339)
}

// oneOf is the only one of sites, or "".
func oneOf(sites []string) string {
	if len(sites) == 1 {
		return sites[0]
	}
	return ""
}

// withArchive opens the archive for a command that asks Redis nothing.
func withArchive(cmd *cobra.Command, cfg *config.Config, f func(*archive.Archive) error) error {
	return openVault(cmd, cfg, func(v *vault.Vault) error {
		a, err := v.Opened()
		if err != nil {
			return err
		}
		return f(a)
	})
}
