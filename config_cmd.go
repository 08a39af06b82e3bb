package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

func configCommand(load func() (*Config, error)) *cobra.Command {
	var show, asJSON bool
	cmd := &cobra.Command{
		Use:   "config --print [NAME...]",
		Short: "Print the settings in force, for scripts",
		Long: `Prints the settings as the daemon would take them, from the environment, the file
and the defaults: all, or those that are named. Each is a line NAME='value', which a
shell can read; of one name alone the value is printed, and with --json an object
of texts. Secrets are never printed: of one that is set it says (set).`,
		RunE: func(cmd *cobra.Command, names []string) error {
			if !show && !asJSON {
				return errors.New("config: say --print, or --json")
			}
			cfg, err := load()
			if err != nil {
				return err
			}
			return cfg.print(cmd.OutOrStdout(), names, asJSON)
		},
	}
	cmd.Flags().BoolVar(&show, "print", false, "print settings")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print them as JSON")
	return cmd
}

// print writes settings, all if none is named.
func (c *Config) print(w io.Writer, names []string, asJSON bool) error {
	wanted := map[string]bool{}
	for _, n := range names {
		if settingByFileName(strings.ToLower(n)) == nil {
			return unknownName(n, "", fileNames())
		}
		wanted[strings.ToUpper(n)] = true
	}
	texts := map[string]string{}
	var lines strings.Builder
	for i := range settings {
		s := &settings[i]
		if len(wanted) > 0 && !wanted[s.Name] {
			continue
		}
		text := s.shown(c.texts[s.Name])
		texts[s.Name] = text
		if len(wanted) == 1 {
			lines.WriteString(text + "\n")
		} else {
			fmt.Fprintf(&lines, "%s='%s'\n", s.Name, strings.ReplaceAll(text, "'", `'\''`))
		}
	}
	out := []byte(lines.String())
	if asJSON {
		b, err := json.MarshalIndent(texts, "", "  ")
		if err != nil {
			return fmt.Errorf("print settings: %w", err)
		}
		out = append(b, '\n')
	}
	if _, err := w.Write(out); err != nil {
		return fmt.Errorf("print settings: %w", err)
	}
	return nil
}
