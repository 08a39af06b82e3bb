package sim

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// What can befall an exchange. An exchange is what a client sends until it waits
// for an answer: a command, or a whole pipeline.
const (
	slow      = "slow answer"
	hang      = "no answer, not executed"
	hangAfter = "no answer, executed"
	cutBefore = "cut before it was executed"
	cutAfter  = "cut after it was executed"
	cutHalf   = "cut in the middle of a pipeline"
	busy      = "BUSY"
	loading   = "LOADING"
	full      = "OOM"
	readOnly  = "READONLY"
	misconf   = "MISCONF"
	noScript  = "scripts forgotten"
	part      = "transaction applied in part"
	killFirst = "daemon killed before an exchange"
	killAfter = "daemon killed after an exchange"
	down      = "connection refused" // an outage only
)

// errorOf is how Redis words what it refuses; writes tells that reads are fine.
var errorOf = map[string]struct {
	text   string
	writes bool
}{
	busy:     {"BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.", false},
	loading:  {"LOADING Redis is loading the dataset in memory", false},
	full:     {"OOM command not allowed when used memory > 'maxmemory'.", true},
	readOnly: {"READONLY You can't write against a read only replica.", true},
	misconf:  {"MISCONF Errors writing to the AOF file: No space left on device", true},
}

// frees are write commands that a full Redis takes all the same.
var frees = map[string]bool{"DEL": true, "UNLINK": true, "EXPIRE": true, "EXPIREAT": true, "SREM": true, "HDEL": true, "LTRIM": true, "PERSIST": true, "ZREMRANGEBYSCORE": true, "SPOP": true}

// fault is something that waits for its exchange.
type fault struct {
	kind    string
	owner   int // of the exchange; -1: anybody's
	skip    int // exchanges that go well before
	scripts bool
	n       int // how much of it
}

const (
	// timeout is counter.Connect's, of a read.
	timeout = 4 * time.Second
	latency = 300 * time.Microsecond
)

// conn is one connection of a process to the store.
type conn struct {
	s      *store
	owner  int
	link   *link
	in     []byte
	out    bytes.Buffer
	closed bool // guarded by store.mu
	multi  bool // a transaction is being queued
	dirty  bool // and something of it was refused
}

// dial connects a process.
func (s *store) dial(ctx context.Context, owner int) (net.Conn, error) {
	time.Sleep(latency)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead[owner] || s.fate() == down {
		if !s.dead[owner] {
			s.struck(down)
		}
		return nil, &net.OpError{Op: "dial", Net: "sim", Err: syscall.ECONNREFUSED}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c := &conn{s: s, owner: owner, link: newLink()}
	s.conns[c] = true
	return c, nil
}

// fate is the outage of now; store.mu is held.
func (s *store) fate() string {
	if s.outage != "" && !time.Now().Before(s.until) {
		s.outage = ""
	}
	return s.outage
}

func reset() error { return &net.OpError{Op: "read", Net: "sim", Err: syscall.ECONNRESET} }

func (c *conn) isClosed() bool {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.closed
}

func (c *conn) Write(p []byte) (int, error) {
	if c.isClosed() {
		return 0, reset()
	}
	c.in = append(c.in, p...)
	return len(p), nil
}

// Read returns what the store answers; asking for it is what makes an exchange.
func (c *conn) Read(p []byte) (int, error) {
	if c.out.Len() == 0 {
		if c.isClosed() {
			return 0, io.EOF
		}
		if err := c.exchange(); err != nil {
			return 0, err
		}
	}
	return c.out.Read(p)
}

func (c *conn) Close() error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.closed = true
	delete(c.s.conns, c)
	return nil
}

func (c *conn) LocalAddr() net.Addr              { return addr{} }
func (c *conn) RemoteAddr() net.Addr             { return addr{} }
func (c *conn) SetDeadline(time.Time) error      { return nil } // see timeout
func (c *conn) SetReadDeadline(time.Time) error  { return nil }
func (c *conn) SetWriteDeadline(time.Time) error { return nil }

type addr struct{}

func (addr) Network() string { return "sim" }
func (addr) String() string  { return "127.0.0.1:6379" }

// exchange executes what was sent, as far as it is to be.
func (c *conn) exchange() error {
	cmds, err := commands(c.in)
	if err != nil {
		return err
	}
	c.in = c.in[:0]
	if len(cmds) == 0 {
		time.Sleep(timeout)
		return os.ErrDeadlineExceeded
	}
	f := c.s.next(c.owner, cmds)
	wait := latency
	if f.kind == slow {
		wait = time.Duration(1+f.n%900) * time.Millisecond
	}
	time.Sleep(wait)
	if c.isClosed() {
		return reset()
	}
	switch f.kind {
	case hang:
		time.Sleep(timeout)
		return os.ErrDeadlineExceeded
	case cutBefore, down:
		return c.cut()
	case killFirst:
		c.s.kill(c.owner)
		return c.cut()
	case noScript:
		c.s.mu.Lock()
		clear(c.s.scripts)
		c.s.mu.Unlock()
	}
	executed := len(cmds)
	if f.kind == cutHalf {
		executed = f.n % len(cmds)
	}
	for _, args := range cmds[:executed] {
		if f.kind == part && isScript(args) {
			c.s.limit(f.n)
			c.s.run(c.link, args)
			c.s.limit(-1)
			c.s.restart()
			return reset()
		}
		c.answer(f, args)
	}
	switch f.kind {
	case hangAfter:
		c.out.Reset()
		time.Sleep(timeout)
		return os.ErrDeadlineExceeded
	case cutAfter:
		return c.cut()
	case killAfter:
		c.s.kill(c.owner)
		return c.cut()
	case cutHalf:
		if c.out.Len() == 0 {
			return c.cut()
		}
		c.s.drop(c) // what was answered arrives
	}
	return nil
}

// cut ends the connection; nothing that was answered arrives.
func (c *conn) cut() error {
	c.out.Reset()
	c.s.drop(c)
	return reset()
}

func (s *store) drop(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.closed = true
	delete(s.conns, c)
}

// limit has the next script's writes end after some; < 0: all are applied.
func (s *store) limit(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script.limit = n
}

// answer runs a command, unless it is refused, and gathers the answer.
func (c *conn) answer(f fault, args []string) {
	name := strings.ToUpper(args[0])
	if e, refuses := errorOf[f.kind]; refuses && e.writes && isScript(args) && !c.multi {
		c.out.WriteString(c.s.evalIn(f.kind, c.link, args))
		return
	}
	if e, refuses := errorOf[f.kind]; refuses && refused(f.kind, name, e.writes) {
		if name == "EXEC" || name == "DISCARD" {
			c.s.heard(c, []string{"DISCARD"})
			c.multi = false
		}
		c.dirty = c.dirty || c.multi
		fmt.Fprintf(&c.out, "-%s\r\n", e.text)
		return
	}
	switch name {
	case "MULTI":
		c.multi, c.dirty = true, false
	case "EXEC":
		if c.multi && c.dirty {
			c.multi = false
			c.s.heard(c, []string{"DISCARD"})
			c.out.WriteString("-EXECABORT Transaction discarded because of previous errors.\r\n")
			return
		}
		c.multi = false
	}
	c.out.WriteString(c.s.heard(c, args))
}

// heard runs a command; who listens hears of all of them in their order.
func (s *store) heard(c *conn, args []string) string {
	if s.tap == nil {
		return s.run(c.link, args)
	}
	s.hearing.Lock()
	defer s.hearing.Unlock()
	answer := s.run(c.link, args)
	s.tap(c, args, answer)
	return answer
}

// refused tells whether a command is refused by a Redis in a state.
func refused(kind, name string, writesOnly bool) bool {
	switch name {
	case "HELLO", "CLIENT", "CONFIG", "SELECT", "MULTI":
		return kind == loading && name == "CONFIG"
	case "PING":
		return kind == loading || kind == busy || kind == misconf
	}
	if !writesOnly {
		return true
	}
	if _, writes := writeCommands[name]; writes {
		return kind != full || !frees[name]
	}
	return name == "EVAL" || name == "EVALSHA"
}

func isScript(args []string) bool {
	name := strings.ToUpper(args[0])
	return name == "EVAL" || name == "EVALSHA"
}

// next tells what befalls an exchange.
func (s *store) next(owner int, cmds [][]string) fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	scripts := false
	for _, args := range cmds {
		scripts = scripts || isScript(args)
	}
	hit := fault{}
	kept := s.armed[:0]
	for _, f := range s.armed {
		switch {
		case f.owner >= 0 && f.owner != owner, f.scripts && !scripts:
		case f.skip > 0:
			f.skip--
		case hit.kind == "":
			hit = *f
			continue
		}
		kept = append(kept, f)
	}
	s.armed = kept
	if hit.kind == "" {
		hit.kind = s.fate()
		if e, refuses := errorOf[hit.kind]; refuses && e.writes && !anyRefused(hit.kind, cmds) {
			return fault{}
		}
	}
	if hit.kind != "" {
		s.struck(hit.kind)
	}
	return hit
}

func anyRefused(kind string, cmds [][]string) bool {
	for _, args := range cmds {
		if refused(kind, strings.ToUpper(args[0]), true) {
			return true
		}
	}
	return false
}

// arm has a fault wait for its exchange.
func (s *store) arm(f fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.armed = append(s.armed, &f)
}

// commands takes apart what a client sent.
func commands(sent []byte) ([][]string, error) {
	var all [][]string
	for b := string(sent); b != ""; {
		n, rest, err := number(b, '*')
		if err != nil {
			return nil, err
		}
		b = rest
		args := make([]string, n)
		for i := range args {
			size, rest, err := number(b, '$')
			if err != nil {
				return nil, err
			}
			args[i], b = rest[:size], rest[size+2:]
		}
		args[0] = upper(args[0]) // once, and not by each who looks at it
		all = append(all, args)
	}
	return all, nil
}

func number(b string, mark byte) (n int, rest string, err error) {
	if b == "" || b[0] != mark {
		return 0, "", fmt.Errorf("read a command: %.40q", b)
	}
	for i := range len(b) - 1 {
		c := b[i+1]
		switch {
		case c >= '0' && c <= '9':
			n = 10*n + int(c-'0')
			continue
		case c == '\r' && i > 0 && len(b) > i+2 && b[i+2] == '\n':
			return n, b[i+3:], nil
		}
		break
	}
	return 0, "", fmt.Errorf("read a command: %.40q", b)
}

// upper is the name of a command: those that are common as they are.
func upper(name string) string {
	if s, ok := uppers[name]; ok {
		return s
	}
	return strings.ToUpper(name)
}

var uppers = func() map[string]string {
	all := map[string]string{}
	for _, s := range strings.Fields("HMGET HGET HGETALL HSCAN ZSCAN MULTI EXEC EXISTS GET MGET TIME LLEN LRANGE SCARD SMEMBERS SISMEMBER HEXISTS TYPE EVAL EVALSHA PING HELLO CLIENT GETRANGE ZRANGE HKEYS STRLEN UNLINK DEL SET") {
		all[strings.ToLower(s)] = s
	}
	return all
}()
