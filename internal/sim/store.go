package sim

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
)

// store is the simulated Redis: miniredis, asked without a socket, and what can
// happen to a Redis. Its connections (conn.go) run a command on the goroutine of
// the client that waits for the answer, so nothing here needs one of its own.
type store struct {
	mini  *miniredis.Miniredis
	lua   *scripting
	admin *link      // the simulation's own, which no fault meets
	inner *link      // what scripts call goes through it
	turn  sync.Mutex // held while a command or a script runs: one does at a time

	mu      sync.Mutex // never held while something sleeps or runs
	scripts map[string]string
	conns   map[*conn]bool
	dead    map[int]bool // processes that were killed: no connection of theirs works
	armed   []*fault
	outage  string // what befalls every exchange until then
	until   time.Time
	asked   int       // exchanges so far
	ticked  time.Time // up to when keys have died
	struck  func(kind string)
	kill    func(owner int) // ends a process at once
	script  scriptRun
	hearing sync.Mutex                                  // while tap hears of a command
	tap     func(c *conn, args []string, answer string) // nil: nobody listens
}

// scriptRun is the script that runs right now: miniredis sends what it calls
// through the hook, as it does with a client's commands.
type scriptRun struct {
	running bool
	made    int        // writes of it
	kept    bool       // writes are kept for a replay
	writes  [][]string // of it, if they are kept
	limit   int        // writes after it are not applied; < 0: all are
	state   string     // of a Redis that refuses its first write; empty: none
	refused bool       // it did
	journal [][]string // writes of the last one that wrote, for a later restart
}

// link is one client of miniredis: what it is answered is gathered in out.
type link struct {
	peer *server.Peer
	w    *bufio.Writer
	out  bytes.Buffer

	multi bool // a transaction is being queued
}

func newLink() *link {
	l := &link{}
	l.w = bufio.NewWriter(&l.out)
	l.peer = server.NewPeer(l.w)
	return l
}

// newMini makes a miniredis that store may use, one after the other: it is made
// outside of a bubble and has nothing that waits.
func newMini() (*miniredis.Miniredis, error) {
	m := miniredis.NewMiniRedis()
	if err := m.StartAddr("127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("start miniredis: %w", err)
	}
	return m, nil
}

func newStore(m *miniredis.Miniredis, lua *scripting, struck func(string)) *store {
	s := &store{mini: m, lua: lua, admin: newLink(), inner: newLink(), scripts: map[string]string{}, conns: map[*conn]bool{}, dead: map[int]bool{}, struck: struck, ticked: time.Now()}
	s.script.limit = -1
	m.FlushAll()
	m.Server().SetPreHook(s.hook)
	return s
}

// do runs a command for the simulation itself and returns the raw answer.
func (s *store) do(args ...string) string { return s.run(s.admin, args) }

// isDead tells whether a life was killed.
func (s *store) isDead(owner int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dead[owner]
}

// tick is how exactly keys die: to look for those at each command costs as much as
// the commands.
const tick = time.Second

// age lets keys die whose time is over.
func (s *store) age() {
	s.mu.Lock()
	passed := time.Since(s.ticked)
	if passed < tick {
		s.mu.Unlock()
		return
	}
	s.ticked = time.Now()
	s.mu.Unlock()
	s.mini.FastForward(passed)
}

// run executes one command and returns its answer as it goes over the wire.
func (s *store) run(l *link, args []string) string {
	s.age()
	s.turn.Lock()
	defer s.turn.Unlock()
	switch strings.ToUpper(args[0]) {
	case "MULTI":
		l.multi = true
	case "EXEC", "DISCARD":
		l.multi = false
	case "CONFIG":
		return "*2\r\n$16\r\nmaxmemory-policy\r\n$10\r\nnoeviction\r\n"
	case "EVAL":
		s.mu.Lock()
		s.scripts[shaOf(args[1])] = args[1]
		s.mu.Unlock()
		return s.eval(l, args)
	case "EVALSHA":
		s.mu.Lock()
		text, ok := s.scripts[args[1]]
		s.mu.Unlock()
		if !ok {
			return "-NOSCRIPT No matching script. Please use EVAL.\r\n"
		}
		args = slices.Clone(args)
		args[0], args[1] = "EVAL", text
		return s.eval(l, args)
	}
	return s.dispatch(l, args)
}

func (s *store) dispatch(l *link, args []string) string {
	l.out.Reset()
	s.mini.Server().Dispatch(l.peer, args)
	l.peer.Flush()
	return l.out.String()
}

// evalIn runs a script in a Redis that refuses writes. One with a "#!lua" line is
// refused before it starts, any other at its first write.
func (s *store) evalIn(state string, l *link, args []string) string {
	s.mu.Lock()
	text := args[1]
	if strings.EqualFold(args[0], "EVALSHA") {
		text = s.scripts[args[1]]
	}
	refusal := "-" + errorOf[state].text + "\r\n"
	if strings.HasPrefix(text, "#!") {
		s.mu.Unlock()
		return refusal
	}
	s.script.state, s.script.refused = state, false
	s.mu.Unlock()
	answer := s.run(l, args)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script.state = ""
	if s.script.refused {
		return refusal
	}
	return answer
}

// interpret runs a script, or queues it: then miniredis runs it when its turn comes.
func (s *store) interpret(l *link, args []string) string {
	if l.multi {
		return s.dispatch(l, args)
	}
	l.out.Reset()
	s.lua.run(l.peer, args[1:], func(args []string) string { return s.dispatch(s.inner, args) })
	l.peer.Flush()
	return l.out.String()
}

// eval runs a script. miniredis knows no "#!lua" line; what it means, conn.go and
// evalIn do.
func (s *store) eval(l *link, args []string) string {
	if strings.HasPrefix(args[1], "#!") {
		args = slices.Clone(args)
		_, args[1], _ = strings.Cut(args[1], "\n")
	}
	s.mu.Lock()
	s.script.running, s.script.made, s.script.writes = true, 0, nil
	s.mu.Unlock()
	answer := s.interpret(l, args)
	s.mu.Lock()
	s.script.running = false
	if len(s.script.writes) > 0 {
		s.script.journal = s.script.writes
	}
	s.mu.Unlock()
	return answer
}

func shaOf(text string) string {
	sum := sha1.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

// writeCommands are those that scripts and clients of ours change Redis with, and
// what a script is answered that is not to have its way.
var writeCommands = map[string]func(*server.Peer){
	"INCRBY": one, "HINCRBY": one, "SADD": one, "APPEND": one, "ZADD": one, "ZINCRBY": func(p *server.Peer) { p.WriteBulk("1") },
	"HSET": one, "DEL": one, "UNLINK": one, "EXPIRE": one, "EXPIREAT": one, "RPUSH": one, "LPUSH": one, "LTRIM": fine,
	"SPOP": func(p *server.Peer) { p.WriteLen(0) }, "ZREMRANGEBYSCORE": one, "HDEL": one, "SREM": one, "SET": fine, "SETNX": one,
	"PERSIST": one, "FLUSHALL": fine,
}

func one(p *server.Peer)  { p.WriteInt(1) }
func fine(p *server.Peer) { p.WriteOK() }

// hook sees each command that miniredis is about to run, those of a script too.
func (s *store) hook(p *server.Peer, cmd string, args ...string) bool {
	answer, writes := writeCommands[cmd]
	if !writes {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &s.script
	if !r.running {
		return false
	}
	// Only the first write is looked at: what has begun is not stopped half way.
	if r.state != "" && r.made == 0 && refused(r.state, cmd, true) {
		r.refused = true
		p.WriteError(errorOf[r.state].text)
		return true
	}
	if r.limit >= 0 && r.made >= r.limit {
		answer(p)
		return true
	}
	r.made++
	if r.kept {
		r.writes = append(r.writes, append([]string{cmd}, args...))
	}
	return false
}

// cutAll ends every connection, as a restart does.
func (s *store) cutAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.closed = true
	}
	clear(s.conns)
}

// restart is what a Redis forgets when it starts again: connections and scripts.
func (s *store) restart() {
	s.cutAll()
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.scripts)
}

// replay is a restart with an append-only file that had been cut within a
// transaction: its first writes come again on top of what came since.
func (s *store) replay(n int) bool {
	s.mu.Lock()
	writes := s.script.journal
	s.mu.Unlock()
	if len(writes) < 2 {
		return false
	}
	for _, w := range writes[:1+n%(len(writes)-1)] {
		s.do(w...)
	}
	s.restart()
	return true
}

// heal ends whatever befell the store and what still was to.
func (s *store) heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.armed, s.outage = nil, ""
}

// befall has something befall every exchange for a while.
func (s *store) befall(kind string, d time.Duration) {
	s.mu.Lock()
	s.outage, s.until = kind, time.Now().Add(d)
	s.mu.Unlock()
	if kind == down {
		s.cutAll()
	}
}

// keys are the names of all keys but those that only locks have, in order.
func (s *store) keys() []string {
	all := s.mini.Keys()
	slices.Sort(all)
	return all
}
