package sim

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/archive"
	"ddkk-stats/counter"
	"ddkk-stats/internal/mirror"
)

// mirroring keeps page_counts and the search index up to date for a life of a daemon, with
// the parts that the server uses and wired as it does.
type mirroring struct {
	flusher *mirror.Flusher
	sender  *mirror.Sender
	say     func(what string, err error)
}

func newMirroring(d *daemon, p *process, rdb redis.UniversalClient, k *keeper) *mirroring {
	w := d.w
	m := &mirroring{say: func(what string, err error) { w.log.Info(what, "daemon", d.id, "err", err) }}
	part := counter.NewMirror(rdb, k.keys, fmt.Sprintf("host%d", d.id), false)
	dead := func() bool { return w.store.isDead(p.owner) }
	m.flusher = mirror.New(mirror.Options{Counters: part, Slot: d.id, Sink: true, Logger: w.log, Now: d.host.now, Stale: p.isStale,
		Store: func(ctx context.Context) (mirror.Store, error) {
			a, err := k.open(ctx)
			if err != nil {
				return nil, err
			}
			return flushStore{a, w, dead}, nil
		}})
	elastic := mirror.NewElastic(mirror.ElasticOptions{URL: "http://index", Index: "pages", ID: "{site}{page}", Views: "views", Bots: "bots", Upsert: true,
		Client: &http.Client{Transport: indexLink{w.index, dead}, Timeout: indexTimeout}, Logger: w.log, Pause: pause})
	m.sender = mirror.NewSender(part, elastic, p.isStale, d.host.now)
	return m
}

// pause waits, or ends with ctx and returns its error.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// flushes is FLUSH_CRON.
const flushes = 2 * time.Second

// keep flushes and sends until ctx ends; the two do not wait for each other.
func (m *mirroring) keep(ctx context.Context) {
	var wg sync.WaitGroup
	for what, do := range map[string]func(context.Context) error{"page_counts is not brought up to date": m.flusher.Flush, "page totals are not sent": m.sender.Send} {
		wg.Go(func() {
			for pause(ctx, flushes) == nil {
				if err := do(ctx); err != nil && ctx.Err() == nil {
					m.say(what, err)
				}
			}
		})
	}
	wg.Wait()
}

// What can befall a transaction of the mirror.
const (
	flushBefore = "page_counts: connection lost before the commit"
	flushAfter  = "page_counts: connection lost after the commit"
)

var flushKinds = []string{flushBefore, flushAfter}

// flushStore is page_counts, as a daemon reaches it that may be killed.
type flushStore struct {
	*archive.Archive
	w    *world
	dead func() bool
}

// do runs a transaction, and whatever was to befall the next one.
func (s flushStore) do(transact func() error) error {
	if s.dead() {
		return errAway
	}
	kind := s.w.nextFlush()
	if kind == flushBefore {
		return errAway
	}
	if err := transact(); err != nil {
		return err
	}
	if kind == flushAfter {
		return errAway
	}
	return nil
}

// ApplyFlush implements mirror.Store, as does BeginLife.
func (s flushStore) ApplyFlush(ctx context.Context, f *archive.Flush) (rows int, err error) {
	err = s.do(func() (err error) {
		rows, err = s.Archive.ApplyFlush(ctx, f)
		return err
	})
	if err == nil && rows > 0 {
		s.w.strike("page_counts written")
	}
	return rows, err
}

func (s flushStore) BeginLife(ctx context.Context, site, life string) error {
	return s.do(func() error { return s.Archive.BeginLife(ctx, site, life) })
}

// nextFlush is what befalls the next transaction of the mirror.
func (w *world) nextFlush() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.flushes) == 0 {
		return ""
	}
	kind := w.flushes[0]
	w.flushes = w.flushes[1:]
	w.strikes[kind]++
	return kind
}

// mirrorPatience is longer than a life that was left half filled keeps others out.
const mirrorPatience = 2 * time.Minute

// endMirror waits until page_counts and the search index have what they must.
func (w *world) endMirror() error {
	counts, docs := w.ledger.mirrored()
	k := w.keeper()
	if k == nil {
		return errors.New("no daemon has the archive")
	}
	var wrong []string
	for began := time.Now(); time.Since(began) < mirrorPatience; time.Sleep(flushes) {
		w.watch()
		if w.failed() != "" {
			return nil
		}
		if wrong = differences(docs, w.index.read(), 12); len(wrong) > 0 {
			continue
		}
		got, err := w.readCounts(k)
		if err != nil {
			return err
		}
		if wrong = differences(counts, got, 12); len(wrong) == 0 {
			return nil
		}
	}
	w.fail("the mirror differs from the logs:\n    %s", lines(wrong))
	return nil
}

// keeper is that of a daemon that runs.
func (w *world) keeper() *keeper {
	for _, d := range w.daemons {
		if p := d.alive(); p != nil && !p.killed.Load() && p.keeper != nil {
			return p.keeper
		}
	}
	return nil
}

// readCounts is what page_counts has, by the names of ledger.mirrored.
func (w *world) readCounts(k *keeper) (numbers, error) {
	a, err := k.open(context.Background())
	if err != nil {
		return nil, err
	}
	n := numbers{}
	for _, site := range sites {
		for c, err := range a.Read().PageCounts(context.Background(), site) {
			if err != nil {
				return nil, err
			}
			if c.PV != 0 {
				n["page_counts "+site+c.Page] = c.PV
			}
			if c.Bots != 0 {
				n["page_counts "+site+c.Page+" bots"] = c.Bots
			}
		}
	}
	return n, nil
}

// mirrored is what page_counts and the search index must have of all that was told.
func (l *ledger) mirrored() (counts, docs numbers) {
	counts, docs = numbers{}, numbers{}
	put := func(name string, v int64) { counts["page_counts "+name], docs["document "+name] = v, v }
	for name, v := range l.tally().n {
		key, page, _ := strings.Cut(name, " ")
		if site, ok := strings.CutPrefix(key, "hot:"); ok && strings.HasSuffix(site, ":all") {
			put(strings.TrimSuffix(site, ":all")+page, v)
		}
		if site, ok := strings.CutPrefix(key, "page:bot:"); ok && !strings.Contains(site, ":") {
			put(site+page+" bots", v)
		}
	}
	return counts, docs
}
