package counter

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"sync"

	"github.com/redis/go-redis/v9"
)

//go:embed lua/prelude.lua
var preludeLua string

//go:embed lua/commit.lua
var commitLua string

//go:embed lua/layout.lua
var layoutLua string

//go:embed lua/fold.lua
var foldLua string

// scripts are those that write counters. With the shebang a full Redis
// refuses a script before it starts and a cluster rejects keys of another
// slot; miniredis does not parse that line, so the embedded server goes
// without it.
type scripts struct {
	commit, fold, layout *redis.Script
	mirror               mirrorScripts
}

func newScripts(shebang bool) scripts {
	if shebang {
		return withShebang()
	}
	return withoutShebang()
}

// Their hashes are worked out once.
var (
	withShebang    = sync.OnceValue(func() scripts { return headedScripts("#!lua\n") })
	withoutShebang = sync.OnceValue(func() scripts { return headedScripts("") })
)

func headedScripts(head string) scripts {
	return scripts{
		commit: redis.NewScript(head + fmt.Sprintf("local newLayout = '%d'\n", layout) + preludeLua + commitLua),
		fold:   redis.NewScript(head + preludeLua + foldLua),
		layout: redis.NewScript(head + preludeLua + layoutLua),
		mirror: newMirrorScripts(head + preludeLua),
	}
}

// call collects the keys and arguments of one run of a script in the order in
// which the script consumes them.
type call struct {
	keys []string
	args []any
}

func (c *call) key(k ...string) { c.keys = append(c.keys, k...) }
func (c *call) arg(v ...any)    { c.args = append(c.args, v...) }

// queue adds the call to a pipeline by the script's hash. A pipelined EVALSHA
// cannot fall back on NOSCRIPT by itself: run does that.
func (c *call) queue(ctx context.Context, p redis.Pipeliner, s *redis.Script) *redis.Cmd {
	return p.EvalSha(ctx, s.Hash(), c.keys, c.args...)
}

// run executes the call, loading the script when the server does not know it.
func (c *call) run(ctx context.Context, rdb redis.UniversalClient, s *redis.Script) (answer, error) {
	cmd := rdb.EvalSha(ctx, s.Hash(), c.keys, c.args...)
	if err := cmd.Err(); err != nil && redis.HasErrorPrefix(err, "NOSCRIPT") {
		cmd = s.Eval(ctx, rdb, c.keys, c.args...)
	}
	return parseAnswer(cmd)
}

// verdict is the first word of a script's answer.
type verdict string

const (
	applied   verdict = "ok"
	duplicate verdict = "dup"
	gap       verdict = "gap"
	noEpoch   verdict = "epoch"
	moved     verdict = "moved"
	lost      verdict = "lost"
	damaged   verdict = "damaged"
)

// answer is what a script said.
type answer struct {
	verdict verdict
	text    string // gap: the stored offset; epoch: the stored epoch; damaged: what is wrong
	// lost are the keys of the site that were known to exist and came up new, in this
	// commit or in one before (ok, dup, and moved of a fold); of lost and of a
	// commit's moved it is the check that failed, counted from one.
	lost  int64
	cards []int64 // ok: the checked keys' cardinalities afterwards, and last the scripts that have run
}

func parseAnswer(cmd *redis.Cmd) (answer, error) {
	v, err := cmd.Slice()
	if err != nil {
		return answer{}, err
	}
	if len(v) == 0 {
		return answer{}, errors.New("read script's answer: it is empty")
	}
	word, ok := v[0].(string)
	if !ok {
		return answer{}, fmt.Errorf("read script's answer: %v is not a word", v[0])
	}
	a := answer{verdict: verdict(word)}
	for i, x := range v[1:] {
		switch x := x.(type) {
		case string:
			a.text = x
		case int64:
			if i == 0 {
				a.lost = x
			} else {
				a.cards = append(a.cards, x)
			}
		}
	}
	return a, nil
}
