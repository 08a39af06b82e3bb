package counter

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// A mirror of page totals elsewhere, in SQL, has a part here: which pages
// changed, and what of their totals was taken already. Commits only add the
// pages that they change to a set; a take computes the changes from the totals
// themselves, so that nothing can be forgotten or counted twice between the two.
//
// A take is numbered. It lies in Redis, named in the state, until it is known
// to be in SQL, where its number and its nonce are kept. Who finds a number
// there with another nonce, or a number that Redis has not given away yet,
// knows that Redis went back in time; then the mirror begins a new life, in
// which what SQL has is the beginning (see Begin).

var (
	//go:embed lua/mirror_take.lua
	mirrorTakeLua string
	//go:embed lua/mirror_begin.lua
	mirrorBeginLua string
	//go:embed lua/mirror_fill.lua
	mirrorFillLua string
	//go:embed lua/mirror_done.lua
	mirrorDoneLua string
	//go:embed lua/mirror_sent.lua
	mirrorSentLua string
)

type mirrorScripts struct{ take, begin, fill, done, sent *redis.Script }

func newMirrorScripts(head string) mirrorScripts {
	return mirrorScripts{
		take: redis.NewScript(head + mirrorTakeLua), begin: redis.NewScript(head + mirrorBeginLua),
		fill: redis.NewScript(head + mirrorFillLua), done: redis.NewScript(head + mirrorDoneLua),
		sent: redis.NewScript(head + mirrorSentLua),
	}
}

// Mirror is the mirror's part in Redis. Any goroutine, any number of hosts.
type Mirror struct {
	rdb     redis.UniversalClient
	owner   string
	keys    Keys
	scripts mirrorScripts
}

// NewMirror makes a Mirror. owner is a short name of who takes, which begins the
// nonces of its takes; embedded: the in-process server, which knows no shebang
// in scripts.
func NewMirror(rdb redis.UniversalClient, keys Keys, owner string, embedded bool) *Mirror {
	return &Mirror{rdb: rdb, keys: keys, owner: owner, scripts: newScripts(!embedded).mirror}
}

// Mine tells whether a take is this Mirror's, by its nonce.
func (m *Mirror) Mine(nonce string) bool { return strings.HasPrefix(nonce, m.owner+".") }

// MirrorState is how a site's mirror stands.
type MirrorState struct {
	Life    string           // "": there is none
	Open    bool             // takes can be had; else somebody is filling it
	Current bool             // it is of the site's present counters
	Lost    bool             // Redis lost one of its keys
	Closed  bool             // the site has no counters, or they are being rebuilt
	Seq     int64            // number of the last take
	Takes   map[int64]string // number -> nonce of those that may not be in SQL
	Due     int64            // pages that changed since they were taken
	Sink    int64            // pages that the sink has not acknowledged
	Named   bool             // all pages were due to the sink since documents have their present ids
}

// Sites are the names of all sites that ever counted.
func (m *Mirror) Sites(ctx context.Context) ([]string, error) {
	return NewDump(m.rdb, m.keys).Sites(ctx)
}

// State reads how a site's mirror stands.
func (m *Mirror) State(ctx context.Context, site string) (MirrorState, error) {
	k := m.keys
	pipe := m.rdb.TxPipeline()
	epoch := pipe.HGet(ctx, k.Checkpoint(site), fieldEpoch)
	fields := pipe.HGetAll(ctx, k.MirrorState(site))
	due, sink := pipe.SCard(ctx, k.MirrorDue(site)), pipe.SCard(ctx, k.MirrorSink(site))
	dueHeld, sinkHeld := pipe.SIsMember(ctx, k.MirrorDue(site), ""), pipe.SIsMember(ctx, k.MirrorSink(site), "")
	pvHeld, botsHeld := pipe.HExists(ctx, k.MirrorPV(site), ""), pipe.HExists(ctx, k.MirrorBots(site), "")
	if _, err := pipe.Exec(ctx); err != nil && !isNil(err) {
		return MirrorState{}, fmt.Errorf("read mirror of %s: %w", site, err)
	}
	f := fields.Val()
	s := MirrorState{Life: f["life"], Open: f["phase"] == "open", Due: due.Val() - one(dueHeld.Val()), Sink: sink.Val() - one(sinkHeld.Val()), Takes: map[int64]string{},
		Lost:   f["life"] != "" && !(dueHeld.Val() && pvHeld.Val() && botsHeld.Val()),
		Closed: epoch.Val() == "" || strings.HasPrefix(epoch.Val(), rebuilding), Current: f["epoch"] == epoch.Val(), Named: f["ids"] == sinkIDs && sinkHeld.Val()}
	for name, v := range f {
		number, isTake := strings.CutPrefix(name, "open:")
		if name != "seq" && !isTake {
			continue
		}
		if !isTake {
			number = v
		}
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return s, fmt.Errorf("read mirror of %s: %w", site, err)
		}
		if isTake {
			s.Takes[n] = v
		} else {
			s.Seq = n
		}
	}
	return s, nil
}

func one(is bool) int64 {
	if is {
		return 1
	}
	return 0
}

// Verdict of the mirror's scripts.
type Verdict string

// What a script of the mirror says.
const (
	MirrorOK     Verdict = "ok"
	MirrorStale  Verdict = "stale"  // another life, or none that is open
	MirrorMoved  Verdict = "moved"  // somebody else took meanwhile
	MirrorLost   Verdict = "lost"   // Redis lost one of its keys
	MirrorBusy   Verdict = "busy"   // somebody is filling it
	MirrorClosed Verdict = "closed" // the site is being rebuilt
)

func (m *Mirror) run(ctx context.Context, what, site string, s *redis.Script, c *call) (Verdict, answer, error) {
	a, err := c.run(ctx, m.rdb, s)
	if err == nil && a.verdict == damaged {
		err = &damagedError{site: site, what: a.text}
	}
	if err != nil {
		return "", a, fmt.Errorf("%s of %s: %w", what, site, err)
	}
	return Verdict(a.verdict), a, nil
}

// MaxTake is how many pages one take may have: a script of a few milliseconds,
// and one transaction of SQL.
const MaxTake = 1000

// Take takes the changes of up to MaxTake due pages, and notes it in s: Seq is
// one more and among the Takes, unless the pages have the totals that they had.
// It tells how many pages were looked at; none: nothing is due.
func (m *Mirror) Take(ctx context.Context, site string, s *MirrorState) (pages int64, v Verdict, err error) {
	k, c := m.keys, &call{}
	nonce := m.owner + "." + newNonce()
	c.key(k.Checkpoint(site), k.MirrorState(site), k.MirrorDue(site), k.MirrorPV(site), k.MirrorBots(site),
		k.HotAll(site), k.PageBots(site), k.MirrorTake(site, s.Seq+1))
	c.arg(s.Life, s.Seq, nonce, MaxTake)
	v, a, err := m.run(ctx, "take changed pages", site, m.scripts.take, c)
	if err == nil && v == MirrorOK && len(a.cards) > 0 && a.cards[0] > 0 {
		s.Seq++
		s.Takes[s.Seq] = nonce
	}
	return a.lost, v, err
}

func newNonce() string {
	var b [8]byte
	rand.Read(b[:]) // never fails, by its documentation
	return hex.EncodeToString(b[:])
}

// PageChange is how much a page's views have grown; negative where counters
// were corrected.
type PageChange struct {
	Page string
	Bots bool // the views of bots
	By   int64
}

// Changes reads a take; none if somebody has ended it, or Redis lost it: no take is empty.
func (m *Mirror) Changes(ctx context.Context, site string, seq int64) ([]PageChange, error) {
	fields, err := m.rdb.HGetAll(ctx, m.keys.MirrorTake(site, seq)).Result()
	if err != nil {
		return nil, fmt.Errorf("read taken changes of %s: %w", site, err)
	}
	all := make([]PageChange, 0, len(fields))
	for f, v := range fields {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || f == "" {
			return nil, fmt.Errorf("read taken changes of %s: %q has %q: %w", site, f, v, err)
		}
		all = append(all, PageChange{Page: f[1:], Bots: f[0] == '1', By: n})
	}
	return all, nil
}

// Done forgets a take that is in SQL. sink: its pages are to be sent to the sink: it gets none
// that SQL does not know, so that SQL can tell later what it may have.
func (m *Mirror) Done(ctx context.Context, site, life string, seq int64, nonce string, sink bool) error {
	k, c := m.keys, &call{}
	c.key(k.Checkpoint(site), k.MirrorState(site), k.MirrorTake(site, seq), k.MirrorSink(site))
	c.arg(life, seq, nonce, flag(sink))
	_, _, err := m.run(ctx, "end a take", site, m.scripts.done, c)
	return err
}

// fillPatience is for how long, in seconds, a life that is being filled belongs
// to whoever began it, after its last step.
const fillPatience = 60

// AnyLife ends whichever life there is.
const AnyLife = "*"

// Begin ends a life of a site's mirror and begins a new one, which must be
// filled with what SQL has by then. Takes of the old life must not go into SQL
// any more.
func (m *Mirror) Begin(ctx context.Context, site, old string) (life string, v Verdict, err error) {
	k, c := m.keys, &call{}
	life = newNonce()
	c.key(k.Checkpoint(site), k.MirrorState(site), k.MirrorDue(site), k.MirrorPV(site), k.MirrorBots(site))
	c.arg(old, life, fillPatience, k.MirrorTakes(site))
	v, _, err = m.run(ctx, "begin mirror", site, m.scripts.begin, c)
	return life, v, err
}

// PageTotal are what SQL has of a page.
type PageTotal struct {
	Page     string
	PV, Bots int64
}

// Fill writes what SQL has of pages into a life that was begun.
func (m *Mirror) Fill(ctx context.Context, site, life string, sums []PageTotal) (Verdict, error) {
	args := make([]any, 0, 3*len(sums))
	for _, p := range sums {
		args = append(args, p.Page, p.PV, p.Bots)
	}
	return m.fill(ctx, site, life, false, args)
}

func (m *Mirror) fill(ctx context.Context, site, life string, open bool, pages []any) (Verdict, error) {
	k, c := m.keys, &call{}
	c.key(k.Checkpoint(site), k.MirrorState(site), k.MirrorDue(site), k.MirrorPV(site), k.MirrorBots(site))
	c.arg(life, flag(open), len(pages)/3)
	c.arg(pages...)
	v, _, err := m.run(ctx, "fill mirror", site, m.scripts.fill, c)
	return v, err
}

// Open makes all pages of the site due and opens a life that was filled.
// Pages that are new meanwhile are due by themselves.
func (m *Mirror) Open(ctx context.Context, site, life string) (Verdict, error) {
	due := func(scan func(cursor uint64) ([]string, uint64, error)) (Verdict, error) {
		for cursor := uint64(0); ; {
			pairs, next, err := scan(cursor)
			if err != nil {
				return "", fmt.Errorf("list pages of %s: %w", site, err)
			}
			args := make([]any, 0, 3*len(pairs)/2)
			for i := 0; i < len(pairs); i += 2 {
				args = append(args, pairs[i], "", "")
			}
			if v, err := m.fill(ctx, site, life, false, args); err != nil || v != MirrorOK {
				return v, err
			}
			if cursor = next; cursor == 0 {
				return MirrorOK, nil
			}
		}
	}
	v, err := due(func(at uint64) ([]string, uint64, error) {
		return m.rdb.ZScan(ctx, m.keys.HotAll(site), at, "", MaxTake).Result()
	})
	if err != nil || v != MirrorOK {
		return v, err
	}
	v, err = due(func(at uint64) ([]string, uint64, error) {
		return m.rdb.HScan(ctx, m.keys.PageBots(site), at, "", MaxTake).Result()
	})
	if err != nil || v != MirrorOK {
		return v, err
	}
	return m.fill(ctx, site, life, true, nil)
}

// Drop ends a site's mirror: changes are noted no longer. SQL keeps what it has.
func (m *Mirror) Drop(ctx context.Context, site string) error {
	s, err := m.State(ctx, site)
	if err != nil {
		return err
	}
	k := m.keys
	keys := []string{k.MirrorState(site), k.MirrorDue(site), k.MirrorPV(site), k.MirrorBots(site), k.MirrorSink(site)}
	for seq := range s.Takes {
		keys = append(keys, k.MirrorTake(site, seq))
	}
	if err := m.rdb.Unlink(ctx, keys...).Err(); err != nil {
		return fmt.Errorf("end mirror of %s: %w", site, err)
	}
	return nil
}
