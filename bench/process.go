package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// stopLimit is how long a server may take to stop before it is killed.
const stopLimit = 15 * time.Second

// process is a server that was started. It lives in a process group of its
// own, so that stopping it stops its children and nobody else.
type process struct {
	name string
	cmd  *exec.Cmd
	log  string        // file of its output
	done chan struct{} // closed when it has ended
	end  error         // valid after done
}

// start starts a server whose output goes to a file in dir. A nil env means
// this program's own.
func (b *bench) start(dir, name string, env []string, path string, args ...string) (*process, error) {
	p := &process{name: name, log: filepath.Join(dir, name+".out"), done: make(chan struct{})}
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	defer out.Close()
	p.cmd = exec.Command(path, args...)
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = dir, env, out, out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	b.noteCommand(env, path, args)
	go func() {
		p.end = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// stop ends the server: kindly, and after stopLimit with SIGKILL.
func (p *process) stop() error {
	pid := p.cmd.Process.Pid
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", p.name, err)
	}
	timer := time.NewTimer(stopLimit)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
	}
	if err := syscall.Kill(-pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("kill %s: %w", p.name, err)
	}
	<-p.done
	return fmt.Errorf("stop %s: it still ran %v after SIGTERM and was killed", p.name, stopLimit)
}

// await polls check until it returns nil, the server has ended or limit is over.
func (p *process) await(ctx context.Context, limit time.Duration, check func() error) error {
	err := poll(ctx, limit, 10*time.Millisecond, func() error {
		select {
		case <-p.done:
			return errEnded
		default:
			return check()
		}
	})
	if err == nil {
		return nil
	}
	tail, readErr := os.ReadFile(p.log)
	return errors.Join(fmt.Errorf("wait for %s: %w\n%s", p.name, err, tail[max(0, len(tail)-2000):]), readErr)
}

var errEnded = errors.New("it has ended")

// poll calls check every so often until it returns nil.
func poll(ctx context.Context, limit, every time.Duration, check func() error) error {
	deadline := time.Now().Add(limit)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		err := check()
		if err == nil || errors.Is(err, errEnded) {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not within %v: %w", limit, err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// output runs a program to its end and returns what it printed and the
// processor time that it took.
func (b *bench) output(ctx context.Context, dir, path string, args ...string) ([]byte, time.Duration, error) {
	return b.outputWith(ctx, nil, dir, path, args...)
}

// outputWith is output in another environment; nil is this program's own.
func (b *bench) outputWith(ctx context.Context, env []string, dir, path string, args ...string) ([]byte, time.Duration, error) {
	var out, problems bytes.Buffer
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = env, dir, &out, &problems
	b.noteCommand(env, path, args)
	if err := cmd.Run(); err != nil {
		return nil, 0, fmt.Errorf("run %s: %w\n%s", filepath.Base(path), err, problems.String())
	}
	return out.Bytes(), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}

// noteCommand remembers a command line for the report, once, with folders and
// ports taken out.
func (b *bench) noteCommand(env []string, path string, args []string) {
	words := slices.Clone(env)
	words = slices.DeleteFunc(words, func(s string) bool {
		return strings.HasPrefix(s, "PATH=") || strings.HasPrefix(s, "HOME=") || strings.HasPrefix(s, "TMPDIR=")
	})
	name := filepath.Base(path)
	if path == b.self {
		name = "bench"
	}
	words = append(append(words, name), args...)
	line := b.anonymous(strings.Join(words, " "))
	if !slices.Contains(b.commands, line) {
		b.commands = append(b.commands, line)
	}
}

// program finds a server's executable, also where only root has it on PATH.
func program(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin", "/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not installed: run `make deps-full`", name)
}

// freePort is a port that nobody listens on just now.
func freePort() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	_, port, err := net.SplitHostPort(ln.Addr().String())
	return port, errors.Join(err, ln.Close())
}
