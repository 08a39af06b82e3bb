package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"ddkk-stats/counter"
	"ddkk-stats/internal/config"
	"ddkk-stats/internal/plain"
)

// Run executes one command of the binary whose version the linker set (empty: not),
// and returns the exit status: 0, or 1 after having said once, on stderr, what went wrong.
func Run(version string, args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal kills
	stdout, stderr = &plain.Writer{To: stdout}, &plain.Writer{To: stderr}
	root := RootCommand(buildVersion(version))
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	if err := root.ExecuteContext(ctx); err != nil && !errors.Is(err, errDone) {
		if !errors.Is(err, errQuiet) {
			fmt.Fprintln(stderr, "ddkk-stats: "+err.Error())
		}
		return 1
	}
	return 0
}

// errQuiet ends a command with status 1 that has said everything already.
var errQuiet = errors.New("failed")

// RootCommand is the tree of all commands.
func RootCommand(version string) *cobra.Command {
	var file string
	root := &cobra.Command{
		Use:   "ddkk-stats",
		Short: "A page counter that never loses a view and never counts one twice",
		Long: `ddkk-stats counts page views and events from an access log that nginx, or its
own beacon, writes, and serves the numbers to widgets, pages and programs.

Settings come from the environment and from a YAML file (ddkk-stats.yaml);
docs/CONFIGURATION.md lists them. "ddkk-stats server" alone starts everything
with data in ./data and needs no other program.`,
		SilenceUsage: true, SilenceErrors: true,
		Args: cobra.NoArgs,
	}
	root.PersistentFlags().StringVar(&file, "config", "", "YAML file with settings (default ./ddkk-stats.yaml if it exists)")
	load := func() (*config.Config, error) { return config.Load(file, os.LookupEnv) }
	root.AddCommand(serverCommand(load, version), nginxConfCommand(), rotateCommand(load), configCommand(load), alertCommand(load), versionCommand(version), manCommand(version), tokenCommand(load), topCommand(load),
		asOwner(checkCommand(load), load, false))
	for _, c := range []*cobra.Command{archiveCommand(load), restoreCommand(load), verifyCommand(load), mirrorCommand(load),
		importCommand(load), importCountsCommand(load), recountCommand(load), reportCommand(load), deleteCommand(load), voidCommand(load), renameCommand(load), exportCommand(load), explainCommand(load)} {
		root.AddCommand(asOwner(c, load, true))
	}
	return root
}

// newLogger writes structured lines; keys are stable.
func newLogger(w io.Writer, level slog.Leveler) *slog.Logger {
	log := slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
	counter.LogTo(log)
	return log
}
