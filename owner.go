package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// asOwner has a command that writes into DATA_DIR, when root types it, run as
// the folder's owner: files that root makes there could not be read by the
// daemon. The program starts itself again; where the system allows it, it keeps
// the right to read any file, since root may import what the daemon cannot read.
func asOwner(cmd *cobra.Command, load func() (*Config, error), reads bool) *cobra.Command {
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := load()
		if err != nil || os.Geteuid() != 0 {
			return nil // the command itself says what is wrong with the settings
		}
		owner, ok, err := ownerOf(cfg.DataDir)
		if err != nil || !ok {
			return err
		}
		return runAs(cmd, owner, reads)
	}
	return cmd
}

// ownerOf is who a folder belongs to; false: root, or nobody yet.
func ownerOf(dir string) (*syscall.Credential, bool, error) {
	fi, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("look at DATA_DIR: %w", err)
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok || st.Uid == 0 {
		return nil, false, nil
	}
	c := &syscall.Credential{Uid: st.Uid, Gid: st.Gid}
	u, err := user.LookupId(strconv.Itoa(int(st.Uid)))
	if err != nil {
		return c, true, nil // a number alone, as in a container
	}
	groups, err := u.GroupIds()
	if err != nil {
		return c, true, nil
	}
	for _, g := range groups {
		if n, err := strconv.ParseUint(g, 10, 32); err == nil {
			c.Groups = append(c.Groups, uint32(n))
		}
	}
	return c, true, nil
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

// maxForeign is how many files of others are named.
const maxForeign = 3

// owners looks for files in DATA_DIR that belong to somebody else than the
// folder: those that root made when a command was run as root.
func (c *checkup) owners(ctx context.Context) []finding {
	fi, err := os.Stat(c.cfg.DataDir)
	if err != nil {
		return nil // dataDir says so
	}
	of, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	var foreign []string
	err = filepath.WalkDir(c.cfg.DataDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		fi, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it was there a moment ago
		}
		if err != nil {
			return err
		}
		if st, ok := fi.Sys().(*syscall.Stat_t); ok && st.Uid != of.Uid {
			foreign = append(foreign, path)
		}
		return nil
	})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil // something went away while we looked; the next look will tell
	case err != nil:
		return []finding{bad("DATA_DIR", "%v; run check as the daemon's user", err)}
	case len(foreign) > 0:
		more := ""
		if n := len(foreign) - maxForeign; n > 0 {
			more = fmt.Sprintf(" and %d more", n)
		}
		return []finding{bad("DATA_DIR", "%s%s belong to another user than the folder, and the daemon may not be able to use them: chown -R %d:%d %s",
			strings.Join(foreign[:min(len(foreign), maxForeign)], ", "), more, of.Uid, of.Gid, c.cfg.DataDir)}
	}
	return nil
}
