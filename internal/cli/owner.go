package cli

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"ddkk-stats/internal/config"
)

// asOwner has a command that writes into DATA_DIR, when root types it, run as
// the folder's owner: files that root makes there could not be read by the
// daemon. The program starts itself again; where the system allows it, it keeps
// the right to read any file, since root may import what the daemon cannot read.
func asOwner(cmd *cobra.Command, load func() (*config.Config, error), reads bool) *cobra.Command {
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if cmd.Flags().Changed("html") {
			return nil // report --html reads nothing of DATA_DIR, and its file is the caller's
		}
		cfg, err := load()
		if err != nil || os.Geteuid() != 0 {
			return nil // the command itself says what is wrong with the settings
		}
		owner, ok, err := config.OwnerOf(cfg.DataDir)
		if err != nil || !ok {
			return err
		}
		return runAs(cmd, owner, reads)
	}
	return cmd
}

// runAs runs this very command as somebody else and ends with its status.
func runAs(cmd *cobra.Command, who *syscall.Credential, reads bool) error {
	err := tryRunAs(cmd, who, reads)
	if reads && errors.Is(err, syscall.EPERM) {
		err = tryRunAs(cmd, who, false) // not everybody may hand that right on
	}
	var ended *exec.ExitError
	switch {
	case err == nil:
		return errDone
	case errors.As(err, &ended):
		return errQuiet // it has said what went wrong
	}
	return fmt.Errorf("run as user %d, whose DATA_DIR is: %w; run it as that user: sudo -u '#%d' %s", who.Uid, err, who.Uid, strings.Join(os.Args, " "))
}

func tryRunAs(cmd *cobra.Command, who *syscall.Credential, reads bool) error {
	self, err := selfPath()
	if err != nil {
		return err
	}
	again := exec.CommandContext(cmd.Context(), self, os.Args[1:]...)
	again.Args[0] = os.Args[0]
	again.Stdin, again.Stdout, again.Stderr = os.Stdin, cmd.OutOrStdout(), cmd.ErrOrStderr()
	again.Cancel = func() error { return again.Process.Signal(syscall.SIGTERM) }
	again.WaitDelay = time.Minute // what it does may be in the middle of a transaction
	again.SysProcAttr = &syscall.SysProcAttr{Credential: who}
	if reads {
		keepReading(again.SysProcAttr)
	}
	return again.Run()
}

// errDone ends a command with status 0 that was done by another process.
var errDone = errors.New("done")
