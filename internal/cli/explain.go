package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"ddkk-stats/internal/config"
	"ddkk-stats/internal/jobs"
	"ddkk-stats/internal/vault"
	"ddkk-stats/parser"
)

func explainCommand(load func() (*config.Config, error)) *cobra.Command {
	var site, date string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "explain",
		Short: "Say in words how the numbers of a day come about",
		Long: `Writes the closing equation of a site's day: how many lines the logs of this host
have, what of them counted as what, what was left out and why, whether that adds
up, and what other tools would make of the same day. It reads the logs and
changes nothing.`,
		Example: `  ddkk-stats explain --site ddkk.com --date 2026-11-21
  ddkk-stats explain --site ddkk.com --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load()
			if err != nil {
				return err
			}
			return withVault(cmd, cfg, func(v *vault.Vault, secret []byte) error {
				name, ok := v.Cfg().SiteOf(site)
				if !ok {
					return errors.New("explain: say which site, with --site; where SITES is set, one of these")
				}
				day := parser.DayOf(time.Now().In(v.Cfg().Timezone))
				if date != "" {
					if day, err = recountDay("--date", date); err != nil {
						return err
					}
				}
				e, err := jobs.Explain(cmd.Context(), v, secret, name, day)
				if err != nil {
					return fmt.Errorf("explain: %w", err)
				}
				if asJSON {
					out := json.NewEncoder(cmd.OutOrStdout())
					out.SetIndent("", "  ")
					return out.Encode(e)
				}
				return writeExplanation(cmd.OutOrStdout(), e)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&site, "site", "", "the site")
	f.StringVar(&date, "date", "", "the day, as 2026-11-21 (default today)")
	f.BoolVar(&asJSON, "json", false, "the terms by name, and a sentence for each, as JSON")
	return cmd
}

func writeExplanation(w io.Writer, e *jobs.Explanation) error {
	text := fmt.Sprintf("%s on %s\n", e.Site, e.Date)
	part := func(title string, terms []jobs.Term) {
		text += "\n" + title + "\n"
		for _, t := range terms {
			text += "  " + t.Sentence + "\n"
		}
	}
	part("What the log has", e.Log)
	part("What counted", e.Count)
	part("What was left out", e.Out)
	if text += "\n"; e.Closes {
		text += "That adds up: every line is accounted for.\n"
	} else {
		text += "That does not add up here: " + e.Why + "\n"
	}
	part("What other tools would show", e.Others)
	_, err := io.WriteString(w, text)
	return err
}
