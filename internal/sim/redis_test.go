package sim

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// realRedis starts a Redis of the test's own, on a socket.
func realRedis(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("no redis-server here")
	}
	path := filepath.Join(t.TempDir(), "redis.sock")
	cmd := exec.Command("redis-server", "--port", "0", "--unixsocket", path, "--save", "", "--appendonly", "no", "--dir", filepath.Dir(path))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait() // killed
	})
	for range 500 {
		if c, err := net.Dial("unix", path); err == nil {
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			return path
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("redis-server does not listen")
	return ""
}

// realLink is a connection to it.
type realLink struct {
	c      net.Conn
	r      *bufio.Reader
	queued [][]string // since MULTI
}

func dialReal(t *testing.T, path string) *realLink {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return &realLink{c: c, r: bufio.NewReader(c)}
}

func (l *realLink) do(t *testing.T, args ...string) any {
	t.Helper()
	var b bytes.Buffer
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(a), a)
	}
	if _, err := l.c.Write(b.Bytes()); err != nil {
		t.Fatal(err)
	}
	v, err := reply(l.r)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// reply reads an answer: text, a number, a list, nil, or an error of which the first
// word matters.
func reply(r *bufio.Reader) (any, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	line = strings.TrimSuffix(line, "\r\n")
	if line == "" {
		return nil, errors.New("an empty answer")
	}
	n, _ := strconv.Atoi(line[1:])
	switch line[0] {
	case '+':
		return line[1:], nil
	case '-':
		word, _, _ := strings.Cut(line[1:], " ")
		return fmt.Errorf("%s", word), nil
	case ':':
		return n, nil
	case '$':
		if n < 0 {
			return nil, nil
		}
		b := make([]byte, n+2)
		_, err := io.ReadFull(r, b)
		return string(b[:n]), err
	case '*':
		if n < 0 {
			return nil, nil
		}
		all := make([]any, n)
		for i := range all {
			if all[i], err = reply(r); err != nil {
				return nil, err
			}
		}
		return all, nil
	}
	return nil, fmt.Errorf("an answer that begins with %q", line[0])
}

// unordered are commands whose answers come in any order, in groups of so many.
var unordered = map[string]int{"SMEMBERS": 1, "HKEYS": 1, "HGETALL": 2, "HSCAN": 2, "ZSCAN": 2, "SCAN": 1, "SSCAN": 1}

// same compares two answers to a command.
func same(args []string, a, b any) bool {
	name := strings.ToUpper(args[0])
	if group := unordered[name]; group > 0 {
		return shown(grouped(a, name, group)) == shown(grouped(b, name, group))
	}
	if name == "TIME" { // each has a clock of its own
		return clockShape(a) == clockShape(b)
	}
	return shown(a) == shown(b)
}

// sameAll compares what a transaction said of each of its commands.
func sameAll(queued [][]string, a, b any) bool {
	x, ok := a.([]any)
	y, ok2 := b.([]any)
	if !ok || !ok2 || len(x) != len(y) || len(x) != len(queued) {
		return shown(a) == shown(b)
	}
	for i, args := range queued {
		if !same(args, x[i], y[i]) {
			return false
		}
	}
	return true
}

// clockShape is how a clock was told: of each number its type, and whether it is one.
func clockShape(v any) string {
	list, _ := v.([]any)
	shape := fmt.Sprintf("%T of %d", v, len(list))
	for _, n := range list {
		_, err := strconv.ParseInt(fmt.Sprint(n), 10, 64)
		shape += fmt.Sprintf(" %T %t", n, err == nil)
	}
	return shape
}

func shown(v any) string { return fmt.Sprintf("%T %v", v, v) }

func grouped(v any, name string, n int) any {
	list, ok := v.([]any)
	if !ok {
		return v
	}
	if strings.HasSuffix(name, "SCAN") && len(list) == 2 { // the cursor is the server's own
		list, _ = list[1].([]any)
	}
	var all []string
	for g := range slices.Chunk(list, n) {
		if n == 2 && g[0] == "at" { // the mirror's moment: each has a clock of its own
			g = g[:1]
		}
		all = append(all, shown(g))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// exchanged is a command and what the simulated Redis said.
type exchanged struct {
	conn   *conn
	args   []string
	answer string
}

// spoken are commands about the connection and the server itself.
var spoken = map[string]bool{"HELLO": true, "CLIENT": true, "CONFIG": true}

// TestRedisTellsTheTruth has a real Redis do what the simulated one was asked in some
// schedules: the answers must be the same, those of all scripts included.
func TestRedisTellsTheTruth(t *testing.T) {
	path := realRedis(t)
	r := startRig(t)
	r.epoch = time.Now().UTC().Truncate(24 * time.Hour) // the real one's keys live by the real clock
	without := map[string]bool{
		// These change the store without a command, or leave locks that only time opens.
		string(doGoBack): true, string(doPromote): true, string(doLoseAll): true, string(doLoseKey): true, string(doRetype): true,
		string(doReplay): true, part: true, string(doKill): true, killFirst: true, killAfter: true, archiveKill: true, noScript: true,
	}
	scripts, opened, commands := 0, 0, map[string]int{}
	for seed := range uint64(12) {
		var all []exchanged
		r.tap = func(c *conn, args []string, answer string) { all = append(all, exchanged{c, args, answer}) }
		if out := play(t, r, newSchedule(500+seed, without), slog.New(slog.DiscardHandler)); out.failure != "" {
			t.Fatalf("seed %d: %s", 500+seed, out.failure)
		}
		links := map[*conn]*realLink{}
		admin := dialReal(t, path)
		admin.do(t, "FLUSHALL")
		admin.do(t, "SCRIPT", "FLUSH")
		for i, x := range all {
			name := strings.ToUpper(x.args[0])
			if spoken[name] {
				continue
			}
			l := links[x.conn]
			if l == nil {
				l = dialReal(t, path)
				links[x.conn] = l
			}
			ours, err := reply(bufio.NewReader(strings.NewReader(x.answer)))
			if err != nil {
				t.Fatal(err)
			}
			theirs := l.do(t, x.args...)
			equal := same(x.args, ours, theirs)
			switch name {
			case "MULTI", "DISCARD":
				l.queued = nil
			case "EXEC":
				equal = sameAll(l.queued, ours, theirs)
				l.queued = nil
			default:
				l.queued = append(l.queued, x.args) // cleared by MULTI, if this is within none
			}
			if !equal && shown(theirs) == shown([]any{"busy"}) && strings.Contains(strings.Join(x.args, " "), ":mirror:state:") {
				opened++ // the simulation's time has opened the lock of a flush that was cut
				break
			}
			if !equal {
				t.Fatalf("seed %d, command %d: %.300q\nsimulated: %.600s\nreal:      %.600s", 500+seed, i, x.args, shown(ours), shown(theirs))
			}
			commands[name]++
			if isScript(x.args) {
				scripts++
			}
		}
	}
	if opened > 4 {
		t.Errorf("%d of 12 schedules could not be compared to their end", opened)
	}
	if scripts < 50 {
		t.Errorf("only %d scripts were compared", scripts)
	}
	t.Logf("compared: %v", commands)
}

// TestRefusalsTellTheTruth brings a real Redis into the states that exchanges meet,
// and compares what it refuses with what the simulated one does.
func TestRefusalsTellTheTruth(t *testing.T) {
	path := realRedis(t)
	admin := dialReal(t, path)
	const plain, declared = "return redis.call('SET', KEYS[1], ARGV[1])", "#!lua\nreturn redis.call('SET', KEYS[1], ARGV[1])"
	const frees = "redis.call('DEL', KEYS[1]) redis.call('HSET', KEYS[1], 'a', 'b') return 1"
	const reads = "return redis.call('GET', KEYS[1])"
	questions := [][]string{
		{"PING"}, {"GET", "k"}, {"SET", "k", "v"}, {"SETNX", "n", "v"}, {"DEL", "k"}, {"UNLINK", "k"}, {"HSET", "h", "f", "v"}, {"SADD", "s", "m"},
		{"EXPIRE", "k", "10"}, {"SCARD", "s"}, {"SCAN", "0"},
		{"EVAL", plain, "1", "k", "v"}, {"EVAL", declared, "1", "k", "v"}, {"EVAL", frees, "1", "x"}, {"EVAL", reads, "1", "k"},
	}
	for _, state := range []struct {
		kind        string
		enter, exit [][]string
	}{
		{full, [][]string{{"CONFIG", "SET", "maxmemory", "1"}}, [][]string{{"CONFIG", "SET", "maxmemory", "0"}}},
		{readOnly, [][]string{{"CONFIG", "SET", "replica-serve-stale-data", "yes"}, {"REPLICAOF", "127.0.0.1", "1"}}, [][]string{{"REPLICAOF", "NO", "ONE"}}},
	} {
		t.Run(state.kind, func(t *testing.T) {
			r := startRig(t)
			s := newStore(r.mini, r.lua, func(string) {})
			for _, args := range state.enter {
				admin.do(t, args...)
			}
			for _, args := range questions {
				c := &conn{s: s, link: newLink()}
				c.answer(fault{kind: state.kind}, args)
				ours, err := reply(bufio.NewReader(&c.out))
				if err != nil {
					t.Fatal(err)
				}
				theirs := admin.do(t, args...)
				_, weRefuse := ours.(error)
				_, theyRefuse := theirs.(error)
				if weRefuse != theyRefuse || weRefuse && shown(ours) != shown(theirs) {
					t.Errorf("%q: simulated %s, real %s", args, shown(ours), shown(theirs))
				}
			}
			for _, args := range state.exit {
				admin.do(t, args...)
			}
		})
	}
}
