package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"time"

	"ddkk-stats/counter"
)

// end ends all faults, has everything counted and compares.
func (w *world) end() error {
	w.store.heal()
	w.index.heal()
	time.Sleep(2 * latency) // an exchange that is under way may kill its daemon still
	w.mu.Lock()
	w.away, w.flushes = time.Time{}, nil
	w.mu.Unlock()
	for _, d := range w.daemons[:2] {
		if d.id == 1 && d.runs == 0 && w.hosts[1].quiet() {
			continue
		}
		if p := d.alive(); p == nil || p.killed.Load() {
			if err := w.startDaemon(d, &step{}); err != nil {
				return err
			}
		}
	}
	if err := (ruling{w}).carryOut(); err != nil {
		w.fail("carry out the rule: %v", err)
		return nil
	}
	if w.sch.Again {
		if err := w.again(); err != nil {
			return err
		}
	}
	want := w.ledger.expect(time.Now())
	wrong, err := w.await(want, patience)
	if len(wrong) > 0 && err == nil && w.allOld(wrong) {
		w.strike("loss of an older day found late")
		wrong, err = w.await(want, longPatience)
	}
	if len(wrong) > 0 && err == nil && w.operated() {
		w.strike("site rebuilt by an operator")
		if err = w.operate(); err == nil {
			wrong, err = w.await(want, patience)
		}
	}
	if err != nil || w.failed() != "" {
		return err
	}
	if len(wrong) > 0 {
		w.fail("Redis differs from the logs:\n    %s", lines(wrong))
		return nil
	}
	time.Sleep(audits + rescan) // it stays so
	w.watch()
	w.awaitFresh()
	if w.sch.Mirror {
		if err := w.endMirror(); err != nil {
			return err
		}
	}
	if w.sch.Archive {
		if err := w.endArchive(); err != nil {
			return err
		}
	}
	w.awaitSpread()
	for _, d := range w.daemons {
		p, err := d.reap()
		if err != nil {
			w.fail("stop daemon %d: %v", d.id, err)
		}
		if p == nil || p.killed.Load() || p.ingester() == nil {
			continue
		}
		if b := p.ingester().Stats().Books; b.Read != b.Outcomes() {
			w.fail("the books of daemon %d do not close: %d lines read, %d booked: %+v", d.id, b.Read, b.Outcomes(), b)
		}
	}
	if wrong := w.differ(want); len(wrong) > 0 {
		w.fail("Redis was right, and differs from the logs after a while:\n    %s", lines(wrong))
	}
	return nil
}

// endArchive has all archived, and compares.
func (w *world) endArchive() error {
	for _, h := range w.hosts {
		for _, l := range h.logs {
			if _, err := l.rotate(); err != nil {
				return err
			}
		}
	}
	time.Sleep(quiet + time.Second)
	for _, d := range w.daemons[:2] {
		p := d.alive()
		if p == nil || p.keeper == nil {
			continue
		}
		if err := p.keeper.cycle(context.Background(), d.host, nil); err != nil {
			w.fail("archive of daemon %d: %v", d.id, err)
			return nil
		}
	}
	got, err := w.readSQL()
	if err != nil {
		return err
	}
	if wrong := w.ledger.unlikeSQL(w.sch, got); len(wrong) > 0 {
		w.fail("the archive differs from the logs:\n    %s", lines(wrong))
	}
	return nil
}

// again has everything that was asked for asked for once more, by somebody else:
// what is only noticed at a key's next change is noticed.
func (w *world) again() error {
	time.Sleep(audits)
	done := map[string]bool{}
	var views, calls []hit
	for _, h := range w.ledger.hits {
		if time.Since(h.at) > remembered { // its day's keys may be dead
			continue
		}
		h.ip, h.id = "198.51.100.9", ""
		// Not the very time: a log that begins with the moment of one that is gone is taken
		// for that one, edited (tailer, sameTime).
		if at := h.at.Add(time.Millisecond); at.In(w.ledger.loc).Format("200601021504") == h.at.In(w.ledger.loc).Format("200601021504") {
			h.at = at
		}
		k := fmt.Sprint(h.site, h.page, h.event, h.bot, h.ref, h.mobile, h.skipped, h.at.In(w.ledger.loc).Format("20060102"))
		if w.sch.Window > 0 && h.event == nil && !h.skipped { // all are of one address
			k = fmt.Sprint(h.site, h.page, time.Since(h.at) > w.window(""))
		}
		if h.call != nil {
			calls = append(calls, h)
		} else if !done[k] {
			done[k] = true
			views = append(views, h)
		}
	}
	for i, all := range [][]hit{views, calls} {
		// The latest first: a new log does not begin seconds before the last line of the one
		// before it, and is taken for that one, edited, if it does.
		slices.SortStableFunc(all, func(a, b hit) int { return b.at.Compare(a.at) })
		l := w.hosts[0].logs[i]
		if err := l.open(); err != nil {
			return err
		}
		if err := l.write(l.live, all, false); err != nil {
			return err
		}
	}
	return nil
}

// await waits until the store has what it must, and tells what it has not.
func (w *world) await(want numbers, patience time.Duration) (wrong []string, err error) {
	for began := time.Now(); time.Since(began) < patience; {
		time.Sleep(lookAgain)
		w.watch()
		if w.failed() != "" {
			return nil, nil
		}
		if wrong = w.differ(want); len(wrong) == 0 {
			break
		}
	}
	return wrong, nil
}

// longPatience is for keys of days before yesterday: the scrub looks for them in each
// twentieth of its rounds.
const longPatience = 11 * time.Minute

var dayOfKey = regexp.MustCompile(`:(20\d{6})(?:\d\d)? `)

// allOld tells whether all that is wrong is of days before yesterday.
func (w *world) allOld(wrong []string) bool {
	yesterday := time.Now().In(w.ledger.loc).AddDate(0, 0, -1).Format("20060102")
	for _, s := range wrong {
		if at := dayOfKey.FindStringSubmatch(s); at == nil || at[1] >= yesterday {
			return false
		}
	}
	return true
}

// awaitFresh waits until no daemon tells the readers of a site that its numbers are less
// than they will be.
func (w *world) awaitFresh() {
	for began := time.Now(); ; time.Sleep(lookAgain) {
		site := w.staleSite()
		if site == "" || w.failed() != "" {
			return
		}
		if time.Since(began) >= patience {
			w.fail("the numbers of %s are right, and are told to be stale", site)
			return
		}
		w.watch()
	}
}

// awaitSpread waits until what was committed last is spread over the keys that it is of: a
// key of another type may have been found just now, and its site been counted again.
func (w *world) awaitSpread() {
	for began := time.Now(); w.failed() == ""; time.Sleep(lookAgain) {
		left := slices.IndexFunc(w.store.keys(), func(k string) bool {
			return strings.HasPrefix(k, prefix+"pending:") || strings.HasPrefix(k, prefix+"facets:")
		})
		if left < 0 {
			return
		}
		if time.Since(began) >= patience {
			w.fail("changes are committed and never spread: %s", w.store.keys()[left])
			return
		}
		w.watch()
	}
}

func (w *world) staleSite() string {
	for _, d := range w.daemons {
		p := d.alive()
		if p == nil || p.killed.Load() {
			continue
		}
		for _, site := range sites {
			if p.isStale(site) {
				return site
			}
		}
	}
	return ""
}

// damages are what a daemon does not always mend alone where a site is counted by two hosts:
// the other one's log is not on this disk, and it may have come too late to say that it has it.
// It says so, and an operator has the site rebuilt. That is seldom.
var damages = []string{part, "beginning of a transaction applied again", "one key lost", "key of another type"}

func (w *world) operated() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, kind := range damages {
		if w.strikes[kind] > 0 && w.daemons[1].runs > 0 {
			return true
		}
	}
	return false
}

// operate is what "verify --repair" and "restore-from-mysql" do to each site.
func (w *world) operate() error {
	rdb := counter.Connect(counter.ConnectOptions{Addrs: []string{"127.0.0.1:6379"}, PoolSize: 32, Buffer: 4096,
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) { return w.store.dial(ctx, operator) }})
	r := counter.Rebuilder{Redis: rdb, Keys: counter.NewKeys(counter.DefaultPrefix, false), Logger: w.log}
	k := newKeeper(w, w.hosts[0], rdb)
	if w.sch.Archive {
		r.Restore, r.Ready = k.Restore, k.Reachable
	}
	_, err := r.Rebuild(context.Background(), sorted(w.ledger.names()))
	return errors.Join(err, k.close(), rdb.Close())
}

// operator owns the connections of commands.
const operator = 9 * livesOf

func lines(all []string) string {
	var b bytes.Buffer
	for i, s := range all {
		if i > 0 {
			b.WriteString("\n    ")
		}
		b.WriteString(s)
	}
	return b.String()
}

func (h *host) quiet() bool {
	for _, l := range h.logs {
		if len(l.rotated) > 0 {
			return false
		}
		if l.live != nil {
			if fi, err := l.live.f.Stat(); err != nil || fi.Size() > 0 {
				return false
			}
		}
	}
	return true
}
