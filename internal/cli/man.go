package cli

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ddkk-stats/internal/config"
)

// manCommand prints the manual page. It is for the build (make man), so it is
// not listed.
func manCommand(version string) *cobra.Command {
	return &cobra.Command{
		Use: "man", Short: "Print the manual page", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return writeMan(cmd.OutOrStdout(), cmd.Root(), version)
		},
	}
}

// manWriter writes a page in the man macros of roff (man(7)). Errors are kept by
// the bufio.Writer until its Flush.
type manWriter struct{ *bufio.Writer }

// writeMan writes ddkk-stats(1), made from the command tree and the table of
// settings, so it cannot be out of date. It has no date in it: the same source
// gives the same page.
func writeMan(w io.Writer, root *cobra.Command, version string) error {
	m := manWriter{bufio.NewWriter(w)}
	m.line(`.TH DDKK\-STATS 1 "" "ddkk\-stats` + " " + manText(version) + `" "User Commands"`)
	m.line(`.ad l`) // lists without blanks cannot be spread over a line
	m.section("NAME")
	m.line(`ddkk\-stats \- ` + manText(strings.ToLower(root.Short[:1])+root.Short[1:]))
	m.section("SYNOPSIS")
	m.line(".B ddkk\\-stats\n.I command\n[flags]")
	m.section("DESCRIPTION")
	m.prose(root.Long)
	m.section("OPTIONS")
	m.flags(root.PersistentFlags())
	m.line(".TP\n.BR \\-h \", \" \\-\\-help\nWhat a command is for, and its flags.")
	m.section("COMMANDS")
	for _, c := range root.Commands() {
		if c.Hidden || c.Name() == "help" {
			continue
		}
		m.command(c)
	}
	m.section("SETTINGS")
	m.prose("From the environment, or in lower case from the YAML file; the environment wins.")
	for i := range config.Settings {
		m.setting(&config.Settings[i])
	}
	m.section("FILES")
	for _, f := range [][2]string{
		{"ddkk-stats.yaml", "Settings, when it is in the current folder; as a service /etc/ddkk-stats.yaml."},
		{"DATA_DIR/progress.json", "How far the log is counted. Only saves reading it again."},
		{"DATA_DIR/rules.json", "The rules that were learnt last (delete), for a start while SQL is away."},
		{"DATA_DIR/secret", "Key of the visitors' hashes; also kept in Redis and in the archive."},
		{"DATA_DIR/archive.db", "The archive, without MYSQL_DSN."},
	} {
		m.line(".TP\n.I " + manText(f[0]))
		m.prose(f[1])
	}
	m.section("SIGNALS")
	m.line(".TP\n.BR SIGTERM \", \" SIGINT")
	m.prose("Commit what is in hand, stop, and end within ten seconds. A second one ends at once. SIGKILL loses nothing either.")
	m.section("EXIT STATUS")
	m.prose("0, or 1 after having said on standard error what went wrong. verify ends with 1 when a number differs, check when something has to be mended.")
	return m.Flush()
}

func (m manWriter) line(text string) { fmt.Fprintln(m, text) }

func (m manWriter) section(name string) { m.line(".SH " + name) }

func (m manWriter) command(c *cobra.Command) {
	m.line(".SS " + manText(c.UseLine()))
	text := c.Long
	if text == "" {
		text = c.Short + "."
	}
	m.prose(text)
	m.flags(c.LocalNonPersistentFlags())
	for _, sub := range c.Commands() {
		if c.Name() != "completion" {
			m.command(sub)
			continue
		}
		m.line(".TP\n.B " + manText(sub.CommandPath()))
		m.prose(sub.Short + ".")
	}
}

func (m manWriter) flags(flags *pflag.FlagSet) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		kind, usage := pflag.UnquoteUsage(f)
		name := manText("--" + f.Name)
		if kind != "" {
			m.line(".TP\n.BI " + name + "= " + manText(kind))
		} else {
			m.line(".TP\n.B " + name)
		}
		m.prose(usage + ".")
	})
}

func (m manWriter) setting(s *config.Setting) {
	m.line(".TP\n.B " + manText(s.Name))
	def := s.Default
	if def == "" {
		def = "empty"
	}
	m.prose(strings.ReplaceAll(s.Doc, "`", "") + " Allowed: " + s.Allowed + ". Default: " + def + ".")
}

// prose writes paragraphs; what is indented by a TAB stays as it is.
func (m manWriter) prose(text string) {
	literal, empty := false, false
	for line := range strings.SplitSeq(strings.Trim(text, "\n"), "\n") {
		code := strings.HasPrefix(line, "\t")
		switch {
		case code && !literal:
			m.line(".PP\n.RS\n.nf")
		case !code && literal && line != "":
			m.line(".fi\n.RE\n.PP")
			literal = false
		case !code && !literal && empty && line != "":
			m.line(".PP")
		}
		literal, empty = literal || code, line == ""
		if line != "" {
			m.line(manText(strings.TrimPrefix(line, "\t")))
		}
	}
	if literal {
		m.line(".fi\n.RE")
	}
}

// manText escapes what roff would take for its own.
func manText(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", "\\`", "\t", "    ", ", ", ", ", ",", `,\:`).Replace(text) // a line may end after a comma
	if strings.HasPrefix(text, ".") {
		text = `\&` + text
	}
	return text
}
