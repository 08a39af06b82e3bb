package counter

import (
	"errors"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// Trouble names what keeps counting waiting, or numbers stale. What each means and what
// to do about it is in the table of internal/health.
type Trouble string

// What there is to wait for.
const (
	RedisDown          Trouble = "redis-down"          // no answer
	RedisLoading       Trouble = "redis-loading"       // it reads its data after a start
	RedisFull          Trouble = "redis-full"          // maxmemory is reached
	RedisReadOnly      Trouble = "redis-read-only"     // a replica, or too few of them
	RedisCannotSave    Trouble = "redis-cannot-save"   // its disk takes no snapshot or append-only file
	RedisBusy          Trouble = "redis-busy"          // a script runs for too long
	RedisRefuses       Trouble = "redis-refuses"       // password, rights, or anything else
	ScriptsUnsupported Trouble = "scripts-unsupported" // it cannot run the scripts
)

// Why numbers of a site are stale while counting waits for nothing.
const (
	Rebuilding Trouble = "rebuilding"  // its keys are made anew, or its lines counted again
	CatchingUp Trouble = "catching-up" // lines that are in the log are not in the numbers yet
	RedisOld   Trouble = "redis-old"   // the Redis that answered has less than was counted
)

// troubles are the names by what Redis says, which is the start of its message.
var troubles = []struct {
	says string
	name Trouble
}{
	{"OOM", RedisFull}, {"MISCONF", RedisCannotSave}, {"READONLY", RedisReadOnly}, {"NOREPLICAS", RedisReadOnly},
	{"LOADING", RedisLoading}, {"BUSY", RedisBusy}, {"UNKILLABLE", RedisBusy},
	{"MASTERDOWN", RedisDown}, {"CLUSTERDOWN", RedisDown}, {"TRYAGAIN", RedisDown}, {"MOVED", RedisDown}, {"ASK", RedisDown},
}

// TroubleOf names what an exchange failed for. An error that is not Redis's own is
// one of the way to it.
func TroubleOf(err error) Trouble {
	if err == nil {
		return ""
	}
	var re redis.Error
	if !errors.As(err, &re) {
		return RedisDown
	}
	if unsupported(re) {
		return ScriptsUnsupported
	}
	for _, t := range troubles {
		if redis.HasErrorPrefix(err, t.says) {
			return t.name
		}
	}
	return RedisRefuses
}

// unsupported tells the answers of servers that cannot run the scripts: those that do
// not know the line #!lua, and those without EVAL.
func unsupported(err error) bool {
	text := strings.ToLower(err.Error())
	return strings.Contains(text, "compiling script") || strings.Contains(text, "unknown command") && strings.Contains(text, "eval") ||
		strings.Contains(text, "could not find engine") || strings.Contains(text, "unexpected engine") || strings.Contains(text, "undeclared key")
}

// ofKeys are the errors that a key's content causes, wherever they stand in the
// message: a script that met one wraps it.
var ofKeys = []string{
	"WRONGTYPE", "value is not an integer or out of range", "hash value is not an integer", "value is not a valid float",
	"increment or decrement would overflow", "resulting score is not a number", "string exceeds maximum allowed size",
}

// passing tells the errors that go away by themselves, or by an operator's
// hand, from those that say that a key is not what it must be: the same batch is
// sent again after these, and reading waits meanwhile. Whatever Redis says that is
// not about a key is passing, as what is done about damage deletes keys. Any
// network error is passing as well: whether the script ran is told by the checkpoint.
func passing(err error) bool {
	var de *damagedError
	var ne *strconv.NumError // a counter that holds no number
	if err == nil || errors.As(err, &de) || errors.As(err, &ne) ||
		errors.Is(err, errPending) || errors.Is(err, errOpened) || errors.Is(err, errLockLost) || isNil(err) {
		return false
	}
	var re redis.Error
	if !errors.As(err, &re) {
		return true
	}
	for _, text := range ofKeys {
		if strings.Contains(re.Error(), text) {
			return false
		}
	}
	return true
}

// isNil tells "there is no such key" from an error.
func isNil(err error) bool { return errors.Is(err, redis.Nil) }

// damagedError says that a key of a site is not what it must be.
type damagedError struct{ site, what string }

func (e *damagedError) Error() string { return "keys of " + e.site + " are damaged: " + e.what }

// asker is who asks Redis: each has its own word on how that goes, since one may
// wait for room to write while another reads without trouble.
type asker int

const (
	byLoop asker = iota
	byCommitter
	byRebuild
	askers
)

// waiting is what each asker waits for. The zero value is that all goes well.
type waiting struct {
	mu    sync.Mutex
	err   [askers]error
	long  [askers]bool // it waits for so long that readers must know
	heard bool         // Redis has answered at least once
}

// longTry is the try from which on a wait is long: the first three may meet a
// connection that was cut.
const longTry = 3

// note takes how a try went; it tells whether readers must know of a wait that was
// not there before, or that there is none any more.
func (w *waiting) note(who asker, try int, err error) (changed, long bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	was := w.isLong()
	w.err[who], w.long[who] = err, err != nil && try >= longTry
	w.heard = w.heard || err == nil
	return w.isLong() != was, w.isLong()
}

func (w *waiting) isLong() bool {
	for _, l := range w.long {
		if l {
			return true
		}
	}
	return false
}

// well tells that the last exchange of everybody went well, and that there was one.
func (w *waiting) well() bool { return w.first() == nil && w.answered() }

func (w *waiting) answered() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.heard
}

// first is what somebody waits for, nil for nothing.
func (w *waiting) first() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, err := range w.err {
		if err != nil {
			return err
		}
	}
	return nil
}

// MinRedis is the oldest version that runs the scripts: they begin with #!lua,
// so that a full Redis refuses one before it starts.
const MinRedis = "7.0"

// Trouble names what counting waits for; "" for nothing. Any goroutine.
func (in *Ingester) Trouble() Trouble { return TroubleOf(in.waiting.first()) }
