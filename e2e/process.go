package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// stopLimit is how long a server may take to stop when asked kindly.
const stopLimit = 20 * time.Second

// logTail is how much of a log is shown when a test failed, in bytes.
const logTail = 16 << 10

// process is one program that can be killed and started again, always with
// the same arguments. Its output goes to one file, which is shown when the
// test fails. It lives in a process group of its own, so that stopping it
// stops its children and nobody else.
type process struct {
	t    testing.TB
	name string
	path string
	args []string
	env  []string // nil: the test's own
	dir  string
	log  string              // file of stdout and stderr
	user *syscall.Credential // nil: the test's own
	pass []*os.File          // descriptors from 3 on

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{} // closed when cmd has ended
	end  error         // how it ended, valid after done
}

// newProcess prepares a program; nothing runs until start. The cleanup kills
// what still runs and shows the log of a failed test.
func newProcess(t testing.TB, name, path string, args ...string) *process {
	t.Helper()
	p := &process{t: t, name: name, path: path, args: args, log: filepath.Join(TempDir(t), name+".log")}
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("log of %s:\n%s", name, p.tail())
		}
	})
	return p
}

// program finds a server's executable, also where only root has it on PATH.
func program(t testing.TB, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin", "/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path
		}
	}
	t.Fatalf("%s is not installed: run `make deps-full`", name)
	return ""
}

// start runs the program; it must not be running.
func (p *process) start() {
	p.t.Helper()
	if err := p.tryStart(); err != nil {
		p.t.Fatalf("start %s: %v", p.name, err)
	}
}

func (p *process) tryStart() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running() {
		return errors.New("runs already")
	}
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := exec.Command(p.path, p.args...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = p.env, p.dir, out, out
	cmd.SysProcAttr, cmd.ExtraFiles = ownGroup(), p.pass
	cmd.SysProcAttr.Credential = p.user
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan struct{})
	p.cmd, p.done = cmd, done
	go func() {
		p.end = cmd.Wait()
		close(done)
	}()
	return nil
}

// running needs mu.
func (p *process) running() bool {
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// PID is the process id, 0 when the program does not run.
func (p *process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.running() {
		return 0
	}
	return p.cmd.Process.Pid
}

// kill sends SIGKILL to the whole group and waits. Killing what does not run
// is fine.
func (p *process) kill() {
	pid := p.PID()
	if pid == 0 {
		return
	}
	if err := syscall.Kill(-pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		p.t.Errorf("kill %s: %v", p.name, err)
	}
	<-p.done
}

// signal sends a signal to the program itself, not to its children.
func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	pid := p.PID()
	if pid == 0 {
		p.t.Fatalf("signal %s: it does not run", p.name)
	}
	if err := syscall.Kill(pid, s); err != nil {
		p.t.Fatalf("signal %s: %v", p.name, err)
	}
}

// terminate sends s and waits until the program has ended. It returns how long
// that took and how it ended.
func (p *process) terminate(s syscall.Signal, limit time.Duration) (time.Duration, error) {
	p.t.Helper()
	began := time.Now()
	p.signal(s)
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.done:
		return time.Since(began), p.end
	case <-timer.C:
		p.t.Fatalf("%s still runs %v after %v", p.name, limit, s)
		return 0, nil
	}
}

// waitReady polls check. A program that has ended will never be ready.
func (p *process) waitReady(limit time.Duration, check func() error) {
	p.t.Helper()
	var last error
	err := poll(limit, func() error {
		if p.PID() == 0 {
			last = fmt.Errorf("it has ended: %v", p.end)
			return nil
		}
		last = check()
		return last
	})
	if err != nil || last != nil {
		p.t.Fatalf("%s is not ready: %v\n%s", p.name, last, p.tail())
	}
}

// output is everything that the program has printed.
func (p *process) output() string {
	data, err := os.ReadFile(p.log)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		p.t.Errorf("read the log of %s: %v", p.name, err)
	}
	return string(data)
}

// tail is the end of output, from a line's beginning.
func (p *process) tail() string {
	s := p.output()
	if len(s) <= logTail {
		return s
	}
	s = s[len(s)-logTail:]
	return "...\n" + s[strings.IndexByte(s, '\n')+1:]
}
