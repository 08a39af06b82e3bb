package sim

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/alicebob/miniredis/v2/server"
	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"
)

// scripting runs scripts for all schedules, one after the other: miniredis makes an
// interpreter for each run, which takes longer than what the script does. What it answers
// is held against a real Redis by redis_test.go.
type scripting struct {
	state *lua.LState
	made  map[string]*lua.LFunction  // by text
	ask   func(args []string) string // a command of a script; set for each run
}

// newScripting makes an interpreter with the libraries that scripts of ours use. They have
// no globals of their own, as in Redis.
func newScripting() (*scripting, error) {
	x := &scripting{state: lua.NewState(lua.Options{SkipOpenLibs: true}), made: map[string]*lua.LFunction{}}
	l := x.state
	for name, open := range map[string]lua.LGFunction{lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable, lua.StringLibName: lua.OpenString, lua.MathLibName: lua.OpenMath} {
		if err := l.CallByParam(lua.P{Fn: l.NewFunction(open), Protect: true}, lua.LString(name)); err != nil {
			return nil, fmt.Errorf("open library %q of scripts: %w", name, err)
		}
	}
	redis := l.NewTable()
	redis.RawSetString("call", l.NewFunction(func(l *lua.LState) int { return x.call(l, true) }))
	redis.RawSetString("pcall", l.NewFunction(func(l *lua.LState) int { return x.call(l, false) }))
	l.G.Global.RawSetString("redis", redis)
	guard := l.NewTable()
	guard.RawSetString("__newindex", l.NewFunction(func(l *lua.LState) int {
		l.RaiseError("ERR script attempted to make the global variable %q", l.ToString(2))
		return 0
	}))
	l.G.Global.Metatable = guard
	return x, nil
}

func (x *scripting) close() { x.state.Close() }

// function is a script, made once.
func (x *scripting) function(text string) (*lua.LFunction, error) {
	if f := x.made[text]; f != nil {
		return f, nil
	}
	chunk, err := parse.Parse(strings.NewReader(text), "user_script")
	if err != nil {
		return nil, err
	}
	proto, err := lua.Compile(chunk, "user_script")
	if err != nil {
		return nil, err
	}
	f := x.state.NewFunctionFromProto(proto)
	x.made[text] = f
	return f, nil
}

// run runs a script: text, number of keys, keys, arguments. peer gets the answer.
func (x *scripting) run(peer *server.Peer, args []string, ask func([]string) string) {
	n, err := strconv.Atoi(args[1])
	if err != nil || n < 0 || 2+n > len(args) {
		peer.WriteError("ERR Number of keys can't be greater than number of args")
		return
	}
	f, err := x.function(args[0])
	if err != nil {
		peer.WriteError("ERR Error compiling script: " + err.Error())
		return
	}
	x.ask = ask
	x.state.G.Global.RawSetString("KEYS", x.list(args[2:2+n]))
	x.state.G.Global.RawSetString("ARGV", x.list(args[2+n:]))
	x.state.Push(f)
	if err := x.state.PCall(0, 1, nil); err != nil {
		peer.WriteError(raised(err))
		return
	}
	v := x.state.Get(-1)
	x.state.Pop(1)
	tell(peer, v)
}

func (x *scripting) list(texts []string) *lua.LTable {
	t := x.state.CreateTable(len(texts), 0)
	for i, s := range texts {
		t.RawSetInt(i+1, lua.LString(s))
	}
	return t
}

// raised is what a client is told of an error that a script did not catch.
func raised(err error) string {
	text := err.Error()
	if e, ok := err.(*lua.ApiError); ok && e.Object != lua.LNil {
		text = e.Object.String()
	}
	text, _, _ = strings.Cut(text, "\n")
	return text
}

// call is redis.call, and redis.pcall, which returns errors.
func (x *scripting) call(l *lua.LState, raise bool) int {
	args := make([]string, l.GetTop())
	for i := range args {
		switch a := l.Get(i + 1).(type) {
		case lua.LString:
			args[i] = string(a)
		case lua.LNumber:
			args[i] = a.String()
		default:
			l.Error(lua.LString("ERR Lua redis lib command arguments must be strings or integers"), 0)
		}
	}
	v, _ := x.value(x.ask(args))
	if t, ok := v.(*lua.LTable); ok && raise {
		if text, ok := t.RawGetString("err").(lua.LString); ok {
			l.Error(text, 0)
		}
	}
	l.Push(v)
	return 1
}

// value reads an answer, and returns what is behind it.
func (x *scripting) value(answer string) (v lua.LValue, rest string) {
	line, rest, _ := strings.Cut(answer, "\r\n")
	mark, line := line[0], line[1:]
	word := func(field string) lua.LValue {
		t := x.state.CreateTable(0, 1)
		t.RawSetString(field, lua.LString(line))
		return t
	}
	switch mark {
	case '+':
		return word("ok"), rest
	case '-':
		return word("err"), rest
	}
	n, err := strconv.ParseInt(line, 10, 64)
	switch {
	case err != nil:
		panic(fmt.Sprintf("an answer that no script understands: %q", answer))
	case mark == ':':
		return lua.LNumber(n), rest
	case n < 0:
		return lua.LFalse, rest
	case mark == '$':
		return lua.LString(rest[:n]), rest[n+2:]
	case mark != '*':
		panic(fmt.Sprintf("an answer that no script understands: %q", answer))
	}
	t := x.state.CreateTable(int(n), 0)
	for range n {
		var e lua.LValue
		e, rest = x.value(rest)
		t.Append(e)
	}
	return t, rest
}

// tell answers a client with what a script returned.
func tell(peer *server.Peer, v lua.LValue) {
	switch v := v.(type) {
	case lua.LNumber:
		peer.WriteInt(int(v))
	case lua.LString:
		peer.WriteBulk(string(v))
	case lua.LBool:
		if v {
			peer.WriteInt(1)
		} else {
			peer.WriteNull()
		}
	case *lua.LTable:
		if text, ok := v.RawGetString("err").(lua.LString); ok {
			peer.WriteError(string(text))
			return
		}
		if text, ok := v.RawGetString("ok").(lua.LString); ok {
			peer.WriteInline(string(text))
			return
		}
		n := 0
		for v.RawGetInt(n+1) != lua.LNil {
			n++
		}
		peer.WriteLen(n)
		for i := range n {
			tell(peer, v.RawGetInt(i+1))
		}
	default:
		peer.WriteNull()
	}
}
