package counter

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/parser"
)

// replyLoser is a hook that loses the replies to scripts: the server runs them.
type replyLoser struct{ left atomic.Int64 }

var errReplyLost = errors.New("the reply was lost")

func (l *replyLoser) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (l *replyLoser) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if cmd.Name() == "evalsha" && err == nil && l.left.Add(-1) >= 0 {
			cmd.SetErr(errReplyLost)
			return errReplyLost
		}
		return err
	}
}

func (l *replyLoser) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		if cmds[0].Name() == "evalsha" && err == nil && l.left.Add(-1) >= 0 {
			for _, c := range cmds {
				c.SetErr(errReplyLost)
			}
			return errReplyLost
		}
		return err
	}
}

// A key that is gone is found by a commit whose reply never comes. The repetition
// is a duplicate, and has to say it again.
func TestLostSurvivesItsAnswer(t *testing.T) {
	t.Parallel()
	s := startReadServer(t)
	r := newRig(t, readClient(t, s.addr()))
	r.opt.Audit = time.Hour // only the commit's answer tells
	loser := &replyLoser{}
	r.rdb.AddHook(loser)
	hits := randomHits(rand.New(rand.NewPCG(31, 32)), 600, 20)
	r.start()
	r.log.write("a", lines(hits)...)
	r.await()
	eventually(t, func() bool { return maps.Equal(tallyUp(hits), dump(t, r.rdb)) }, func() { r.check(hits) })

	h := testHit{at: time.Now().UTC().Truncate(time.Second), site: hits[0].site, page: hits[0].page, agent: "Mozilla/5.0 (X11; Linux x86_64; rv:1.0) Firefox/140.0"}
	hits = append(hits, h)
	key := "ddkk:page:pv:" + h.site + ":" + h.page
	loser.left.Store(1)
	if n := r.rdb.Del(t.Context(), key).Val(); n != 1 {
		t.Fatalf("%s is not there", key)
	}
	r.log.write("a", h.line())
	eventually(t, func() bool { return maps.Equal(tallyUp(hits), dump(t, r.rdb)) }, func() { r.check(hits) })
	r.stop()
	if st := r.in.Stats(); st.Duplicates == 0 || st.Rebuilds != 1 {
		t.Errorf("%d duplicates, %d rebuilds; want one rebuild for what a duplicate said", st.Duplicates, st.Rebuilds)
	}
	if v := r.rdb.HGet(t.Context(), "ddkk:ckpt:"+h.site, fieldLost).Val(); v != "" {
		t.Errorf("after the rebuild the checkpoint still says that %s keys are lost", v)
	}
}

// The daemon that found a loss dies before it hears of it: the next one does.
func TestLostSurvivesTheDaemon(t *testing.T) {
	t.Parallel()
	s := startReadServer(t)
	r := newRig(t, readClient(t, s.addr()))
	hits := randomHits(rand.New(rand.NewPCG(33, 34)), 600, 20)
	r.start()
	r.log.write("a", lines(hits)...)
	r.await()
	r.stop()
	name := hits[0].site
	r.rdb.Del(t.Context(), "ddkk:page:pv:"+name+":"+hits[0].page)
	r.rdb.HSet(t.Context(), "ddkk:ckpt:"+name, fieldLost, 1) // as the commit that finds it does
	r.start()
	eventually(t, func() bool { return maps.Equal(tallyUp(hits), dump(t, r.rdb)) }, func() { r.check(hits) })
	r.stop()
}

// A loss that cannot be made good is known from then on: the site counts on, its
// checkpoint says so, and it is rebuilt when what was lacking is archived.
func TestLostIsMadeGoodLater(t *testing.T) {
	t.Parallel()
	s := startReadServer(t)
	r := newRig(t, readClient(t, s.addr()))
	vault := &coverAll{}
	r.opt.Archive = vault
	hits := randomHits(rand.New(rand.NewPCG(35, 36)), 600, 20)
	name := hits[0].site
	r.start()
	r.log.write("a", lines(hits)...)
	r.await()
	r.rdb.HSet(t.Context(), "ddkk:ckpt:"+name, "elsewhere", 100) // nobody has this segment any more
	r.rdb.HSet(t.Context(), "ddkk:ckpt:"+name, fieldLost, 1)
	epoch := r.rdb.HGet(t.Context(), "ddkk:ckpt:"+name, fieldEpoch).Val()
	more := testHit{at: hits[0].at, site: name, page: "/more", agent: hits[0].agent}
	for range 3 {
		r.log.write("a", more.line())
		hits = append(hits, more)
		r.await()
	}
	eventually(t, func() bool { return maps.Equal(tallyUp(hits), dump(t, r.rdb)) }, func() { r.check(hits) })
	have := r.rdb.HMGet(t.Context(), "ddkk:ckpt:"+name, fieldEpoch, fieldLost).Val()
	if have[0] != epoch || have[1] != "1" || r.in.Stats().Parked != 0 {
		t.Fatalf("epoch and lost are %q, were %q and 1; %+v", have, epoch, r.in.Stats())
	}
	vault.covers.Store(true)
	eventually(t, func() bool { return r.in.Stats().Rebuilds == 1 }, func() { t.Fatal("it is not made good although the archive has all") })
	eventually(t, func() bool { return maps.Equal(tallyUp(hits), dump(t, r.rdb)) }, func() { r.check(hits) })
	r.stop()
}

// coverAll is an archive that has nothing of the test's segments and, when it is
// told so, all others.
type coverAll struct{ covers atomic.Bool }

func (c *coverAll) Sites() []string       { return nil }
func (c *coverAll) Knows(string) bool     { return false }
func (c *coverAll) Visitors(string) int64 { return 0 }
func (c *coverAll) Covers(s string) bool  { return c.covers.Load() }
func (c *coverAll) Restore(context.Context, string) (map[string]int64, error) {
	return nil, nil
}

func TestDecide(t *testing.T) {
	for _, x := range []struct {
		f    finding
		want action
	}{
		{finding{verdict: applied}, accept},
		{finding{verdict: duplicate}, relearn},
		{finding{verdict: applied, gone: 1}, rebuild},
		{finding{verdict: duplicate, gone: 1}, rebuild},
		{finding{verdict: moved}, merge},
		{finding{verdict: gap}, relearn},
		{finding{verdict: noEpoch, other: true}, relearn},
		{finding{verdict: noEpoch}, rebuild},
		{finding{verdict: lost, expired: true}, relearn},
		{finding{verdict: lost}, rebuild},
		{finding{verdict: damaged}, rebuild},
		{finding{verdict: "unheard of"}, rebuild},
	} {
		if got := decide(x.f); got != x.want {
			t.Errorf("%+v: %d, want %d", x.f, got, x.want)
		}
	}
}

func TestTreat(t *testing.T) {
	for _, x := range []struct {
		p    patient
		want treatment
	}{
		{patient{}, remake},
		{patient{health: healing}, remake},
		{patient{health: wounded}, remake},
		{patient{health: parked}, remake},
		{patient{health: remaking}, leave},
		{patient{health: postponed, wait: 1}, leave},
		{patient{wait: 1, other: true, lacking: 1}, postpone},
		{patient{other: true, lacking: 1}, adopt},
		{patient{lacking: 1}, goOn},
	} {
		if got := treat(x.p); got != x.want {
			t.Errorf("%+v: %d, want %d", x.p, got, x.want)
		}
	}
}

// Rebuilds that do not help come later and later, and at once after a while of health.
func TestRebuildsBackOff(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	c := &care{}
	want := []time.Duration{0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300}
	for i, w := range want {
		if got := c.wait(now); got != w*time.Second {
			t.Errorf("rebuild %d waits %v, want %v", i, got, w*time.Second)
		}
		c.rebuilds, c.ended, c.well = c.rebuilds+1, now, time.Time{}
	}
	if got := c.wait(now.Add(299 * time.Second)); got != time.Second {
		t.Errorf("a second before its end it waits %v", got)
	}
	c.well = now
	if got := c.wait(now.Add(wellFor - 1)); got == 0 {
		t.Error("it counts as helped too soon")
	}
	if got := c.wait(now.Add(wellFor)); got != 0 || c.rebuilds != 0 {
		t.Errorf("after a while of health it waits %v", got)
	}
}

// The answers of scripts that find a loss, on their own: each says it again until
// the site is rebuilt.
func TestScriptsKeepWhatTheyFound(t *testing.T) {
	s := startReadServer(t)
	r := newRig(t, readClient(t, s.addr()))
	in, err := New(r.opt)
	if err != nil {
		t.Fatal(err)
	}
	site := in.heal.newSite("s.example", checkpoint{})
	b := newBatch(1, 0)
	p := b.part(site, "seg")
	page := &page{name: "/a", seenPV: true}
	d := in.load.newDayLoad(site, parser.DayOf(time.Now().UTC()))
	p.day(d.day).view(page, 1)
	p.pv, p.from, p.to, p.epoch = 1, none, 10, "life"
	commit := func() answer {
		t.Helper()
		a, err := in.commit.enc.part(p).run(t.Context(), r.rdb, in.commit.script)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	if a := commit(); a.verdict != applied || a.lost != 1 {
		t.Fatalf("the commit: %+v", a)
	}
	for range 2 {
		if a := commit(); a.verdict != duplicate || a.lost != 1 {
			t.Fatalf("the same again: %+v", a)
		}
	}
	p.from, p.to, p.expect = 10, 20, "life"
	if a := commit(); a.verdict != applied || a.lost != 1 {
		t.Fatalf("the next commit: %+v", a)
	}
	r.rdb.RPush(t.Context(), "ddkk:pending:s.example", pendingOf("/a"))
	done, err := in.commit.spread.foldOnce(t.Context(), pendingPages, "s.example", "life")
	if err != nil || done.left != 0 || done.lost != 1 {
		t.Fatalf("a fold: %+v, %v", done, err)
	}
}

func pendingOf(page string) string {
	b := []byte{0, 0, 0, 0}
	day := uint32(parser.DayOf(time.Now().UTC()))
	for i := range b {
		b[i] = byte(day >> (8 * i))
	}
	return string(appendPending(b, page, 1, 1))
}

func (*coverAll) Lacking(context.Context, []Stand, map[string]bool) ([]string, error) {
	return nil, nil
}

func (*coverAll) Reachable(context.Context) error { return nil }

// An end of a rebuild whose answer is lost is tried again: what was counted since
// must stay. And who had the lock taken from it leaves the site alone.
func TestRebuildOpensOnce(t *testing.T) {
	s := startReadServer(t)
	rdb, keys := readClient(t, s.addr()), NewKeys(DefaultPrefix, false)
	r := &Rebuilder{Redis: rdb, Keys: keys, Logger: slog.New(slog.DiscardHandler)}
	held := r.hold("mine", "s.example")
	if _, err := r.Rebuild(t.Context(), []string{"s.example"}); err != nil {
		t.Fatal(err)
	}
	if err := r.release(t.Context(), "s.example", held, nil); !errors.Is(err, errLockLost) {
		t.Errorf("a site that is open, or another's, was opened: %v", err)
	}
	ckpt := keys.Checkpoint("s.example")
	rdb.HSet(t.Context(), ckpt, "epoch", rebuilding+"mine")
	lose := &replyLoser{}
	rdb.AddHook(openAgain{rdb, ckpt, lose})
	lose.left.Store(1)
	if err := r.release(t.Context(), "s.example", held, map[string]int64{"seg": 5}); err != nil {
		t.Fatal(err)
	}
	if v := rdb.HGet(t.Context(), ckpt, "seg").Val(); v != "77" {
		t.Errorf("the segment is counted up to %s, want 77: the second try opened the site again", v)
	}
	if !held.renew(t.Context()) {
		t.Error("a lock that was let go is missed")
	}
}

// openAgain loses the answer that a site was opened, after somebody counted into it.
type openAgain struct {
	rdb  redis.UniversalClient
	ckpt string
	lose *replyLoser
}

func (o openAgain) DialHook(next redis.DialHook) redis.DialHook { return next }
func (o openAgain) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
func (o openAgain) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if cmd.Name() == "eval" && err == nil && o.lose.left.Add(-1) == 0 {
			o.rdb.HSet(ctx, o.ckpt, "seg", 77)
			cmd.SetErr(errReplyLost)
			return errReplyLost
		}
		return err
	}
}

// A lock whose answer was lost is ours all the same; another's is waited for until it
// has rebuilt the site, not just until it is asked.
func TestRebuildLocks(t *testing.T) {
	s := startReadServer(t)
	rdb, keys := readClient(t, s.addr()), NewKeys(DefaultPrefix, false)
	r := &Rebuilder{Redis: rdb, Keys: keys, Logger: slog.New(slog.DiscardHandler), Expect: map[string]string{"s.example": "old"}}
	ckpt, lock := keys.Checkpoint("s.example"), keys.Rebuild("s.example")
	rdb.HSet(t.Context(), ckpt, "epoch", "old")
	rdb.Set(t.Context(), lock, "mine", time.Minute)
	if ok, err := r.lockOrAwait(t.Context(), "s.example", "mine"); !ok || err != nil {
		t.Errorf("our own lock: %v, %v", ok, err)
	}
	rdb.Set(t.Context(), lock, "theirs", time.Minute)
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if ok, err := r.lockOrAwait(short, "s.example", "mine"); err == nil {
		t.Errorf("theirs, and the site is not fenced yet: %v", ok)
	}
	for _, other := range []func() error{
		func() error { return rdb.Set(t.Context(), ckpt, "x", 0).Err() },
		func() error { return rdb.Del(t.Context(), ckpt).Err() },
	} {
		if err := other(); err != nil {
			t.Fatal(err)
		}
		short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if ok, err := r.lockOrAwait(short, "s.example", "mine"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("theirs, and the checkpoint is gone or no hash: %v, %v", ok, err)
		}
	}
	rdb.HSet(t.Context(), ckpt, "epoch", "new")
	if ok, err := r.lockOrAwait(t.Context(), "s.example", "mine"); ok || err != nil {
		t.Errorf("they have rebuilt it: %v, %v", ok, err)
	}
}

// Nothing is deleted while the archive cannot be read.
func TestRebuildWaitsForTheArchive(t *testing.T) {
	s := startReadServer(t)
	rdb, keys := readClient(t, s.addr()), NewKeys(DefaultPrefix, false)
	rdb.Set(t.Context(), keys.SitePV("s.example"), 5, 0)
	away, tries := errors.New("the archive is away"), 0
	r := &Rebuilder{Redis: rdb, Keys: keys, Logger: slog.New(slog.DiscardHandler),
		Ready: func(context.Context) error {
			if v := rdb.Get(t.Context(), keys.SitePV("s.example")).Val(); v != "5" {
				t.Errorf("before try %d the site has %q views", tries, v)
			}
			if tries++; tries < 4 {
				return away
			}
			return nil
		},
		Restore: func(context.Context, string) (map[string]int64, error) {
			return nil, rdb.Set(t.Context(), keys.SitePV("s.example"), 7, 0).Err()
		}}
	if _, err := r.Rebuild(t.Context(), []string{"s.example"}); err != nil {
		t.Fatal(err)
	}
	if v := rdb.Get(t.Context(), keys.SitePV("s.example")).Val(); v != "7" || tries != 4 {
		t.Errorf("%q views after %d tries", v, tries)
	}
}

// A fold writes a page's key anew that was lost, whoever knew of it: its total is
// then less than the page's score in the list of all pages.
func TestFoldFindsLostKeys(t *testing.T) {
	s := startReadServer(t)
	r := newRig(t, readClient(t, s.addr()))
	in, err := New(r.opt)
	if err != nil {
		t.Fatal(err)
	}
	r.rdb.HSet(t.Context(), "ddkk:ckpt:s.example", fieldEpoch, "life")
	fold := func(want int64) {
		t.Helper()
		r.rdb.RPush(t.Context(), "ddkk:pending:s.example", pendingOf("/a"), pendingOf("/b"))
		done, err := in.commit.spread.foldOnce(t.Context(), pendingPages, "s.example", "life")
		if err != nil || done.left != 0 || done.lost != want {
			t.Fatalf("%+v, %v; want %d lost", done, err, want)
		}
	}
	fold(0)
	fold(0)
	r.rdb.Del(t.Context(), "ddkk:page:pv:s.example:/b")
	fold(1)
	fold(2) // it is still wrong
}

// Pages of a backlog are put off; once their changes are folded their keys must be
// there, and one that is gone is found by the page's next view.
func TestPutOffPagesAreKnown(t *testing.T) {
	t.Parallel()
	s := startReadServer(t)
	r := newRig(t, readClient(t, s.addr()))
	r.opt.Audit, r.opt.BatchSize = time.Hour, 300
	hits := randomHits(rand.New(rand.NewPCG(37, 38)), 5000, 400)
	r.log.write("a", lines(hits)...)
	r.start()
	r.await()
	eventually(t, func() bool { return maps.Equal(tallyUp(hits), dump(t, r.rdb)) }, func() { r.check(hits) })
	if r.in.Stats().Folds == 0 {
		t.Fatal("nothing was put off")
	}
	var h testHit
	for _, x := range hits {
		if x.at.Day() == time.Now().UTC().Day() && x.category == "" && x.id == "" && !strings.Contains(x.agent, "bot") {
			h = testHit{at: x.at, site: x.site, page: x.page, agent: "Mozilla/5.0 (X11; Linux x86_64; rv:1.0) Firefox/140.0"}
		}
	}
	if n := r.rdb.Del(t.Context(), "ddkk:page:pv:"+h.site+":"+h.page).Val(); n != 1 {
		t.Fatalf("%s of %s has no views", h.page, h.site)
	}
	hits = append(hits, h)
	r.log.write("a", h.line())
	eventually(t, func() bool { return maps.Equal(tallyUp(hits), dump(t, r.rdb)) }, func() { r.check(hits) })
	r.stop()
}
