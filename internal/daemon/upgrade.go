package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ValidateFlag asks the server command to look at its settings only.
const ValidateFlag = "validate"

// handover is how the daemon becomes its next version: it stops as at SIGTERM,
// but keeps the listening socket open, and then executes the binary that now
// lies where its own was, in the same process. So there is never more than one
// daemon that reads and writes DATA_DIR, the service manager sees the process
// that it knows, and clients that come in between wait in the socket's queue.
type handover struct {
	exe     string
	args    []string
	address string   // as configured
	socket  *os.File // of the listener
}

// preflightLimit is how long the new binary may take to read the settings.
const preflightLimit = 20 * time.Second

// prepareUpgrade asks the new binary whether it would start with these
// settings. When it would not, nothing has happened.
func (s *server) prepareUpgrade(ctx context.Context) (*handover, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the new binary: %w", err)
	}
	h := &handover{exe: exe, args: slices.Clone(os.Args), address: s.cfg().Address()}
	ctx, cancel := context.WithTimeout(ctx, preflightLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, h.exe, append(h.args[1:len(h.args):len(h.args)], "--"+ValidateFlag)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("the new binary %s would not start: %w: %s", h.exe, err, bytes.TrimSpace(out))
	}
	ln, ok := s.listener.(interface{ File() (*os.File, error) })
	if !ok {
		return nil, fmt.Errorf("a %T cannot be passed on", s.listener)
	}
	if h.socket, err = ln.File(); err != nil {
		return nil, fmt.Errorf("pass the socket on: %w", err)
	}
	return h, nil
}

// Exec becomes the new binary; it returns only if that fails.
func (h *handover) exec() error {
	raw, err := h.socket.SyscallConn()
	if err != nil {
		return fmt.Errorf("pass the socket on: %w", err)
	}
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, handedOver+"=") })
	// What nobody listens to for a moment must not end the process.
	signal.Ignore(syscall.SIGHUP, syscall.SIGUSR2)
	var failed error
	err = raw.Control(func(fd uintptr) {
		if _, failed = unix.FcntlInt(fd, unix.F_SETFD, 0); failed != nil {
			return
		}
		env = append(env, fmt.Sprintf("%s=%d %s", handedOver, fd, h.address))
		failed = syscall.Exec(h.exe, h.args, env)
	})
	return fmt.Errorf("execute %s: %w", h.exe, errors.Join(err, failed))
}

// awaitUpgrade waits for SIGUSR2 until ctx ends; when the new binary is fit it
// begins the stop.
func (s *server) awaitUpgrade(ctx context.Context, usr2 <-chan os.Signal, stop func()) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-usr2:
		}
		h, err := s.prepareUpgrade(ctx)
		if err != nil {
			s.log.Error("cannot upgrade; the daemon continues unchanged", "err", err)
			continue
		}
		s.log.Info("upgrading: the daemon stops and becomes the new binary; clients wait meanwhile", "binary", h.exe)
		s.notify.reloading()
		s.next = h
		stop()
		return
	}
}

// keep has the service manager keep the socket for a restart.
func (s *server) keep() error {
	ln, ok := s.listener.(interface{ File() (*os.File, error) })
	if !ok || os.Getenv("NOTIFY_SOCKET") == "" {
		return nil
	}
	f, err := ln.File()
	if err != nil {
		return fmt.Errorf("keep socket: %w", err)
	}
	return errors.Join(keepSocket(keptName(s.cfg().Address()), f), f.Close())
}
