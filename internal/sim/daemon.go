package sim

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/counter"
	"ddkk-stats/parser"
	"ddkk-stats/tailer"
)

// daemon is one process that counts: the real tailer, parser and counter, wired
// as the server wires them. A process that is killed is one whose connections and
// files do nothing any more from that moment on; its goroutines end later.
type daemon struct {
	w    *world
	host *host
	id   int
	data string // DATA_DIR, a link that a kill takes away: see kill
	real string

	older [][]byte    // progress files that there were
	kept  fs.FileInfo // the last of them
	torn  bool        // the progress file was cut

	mu      sync.Mutex
	running *process
	runs    int
}

// process is one life of a daemon.
type process struct {
	owner  int
	cancel context.CancelFunc
	done   chan struct{} // closed at its end
	err    error         // why it ended; set before
	killed atomic.Bool
	obeys  atomic.Int64 // version of the rules that it counts by

	keeper *keeper // nil: there is no archive
	mu     sync.Mutex
	in     *counter.Ingester
	stale  map[string]bool // sites whose numbers are told to be less than they will be
}

func (p *process) ingester() *counter.Ingester {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.in
}

func (p *process) markStale(site string, on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stale[site] = on
}

func (p *process) isStale(site string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stale[site]
}

// owners of connections: each life of a daemon has one of its own.
const livesOf = 1000

func (d *daemon) alive() *process {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.running
}

// start starts a life.
func (d *daemon) start() error {
	if err := os.Remove(d.data); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Symlink(d.real, d.data); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	d.mu.Lock()
	defer d.mu.Unlock()
	d.runs++
	p := &process{owner: d.id*livesOf + d.runs%livesOf, cancel: cancel, done: make(chan struct{}), stale: map[string]bool{}}
	d.running = p
	go func() {
		defer close(p.done)
		p.err = d.live(ctx, p)
	}()
	return nil
}

// kill ends the running life at once: what it still does reaches nobody.
func (d *daemon) kill() {
	d.mu.Lock()
	p := d.running
	if p == nil || p.killed.Load() {
		d.mu.Unlock()
		return
	}
	p.killed.Store(true)
	d.mu.Unlock()
	s := d.w.store
	s.mu.Lock()
	s.dead[p.owner] = true
	for c := range s.conns {
		if c.owner == p.owner {
			c.closed = true
			delete(s.conns, c)
		}
	}
	s.mu.Unlock()
	if err := os.Remove(d.data); err != nil {
		d.w.fail("kill daemon: %v", err)
	}
	p.cancel()
}

// reap waits for the end of a life that was killed, or ends it, and tells how it
// went.
func (d *daemon) reap() (*process, error) {
	p := d.alive()
	if p == nil {
		return nil, nil
	}
	p.cancel()
	<-p.done
	d.mu.Lock()
	defer d.mu.Unlock()
	d.running = nil
	if p.killed.Load() {
		return p, nil
	}
	return p, p.err
}

// ended tells that a life ended by itself.
func (d *daemon) ended() bool {
	p := d.alive()
	if p == nil {
		return false
	}
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// secret is that of the visitor hash.
const secret = "0123456789abcdef0123456789abcdef"

// Counting looks at files less often than in use: a look that finds nothing costs
// time and shows nothing.
const (
	looks  = 300 * time.Millisecond
	quiet  = 2 * time.Second
	rescan = time.Second
	audits = 2 * time.Second
	grace  = time.Second
)

// live is what the daemon does from its start to its end.
func (d *daemon) live(ctx context.Context, p *process) error {
	rdb := counter.Connect(counter.ConnectOptions{Addrs: []string{"127.0.0.1:6379"}, PoolSize: 32, Buffer: 4096,
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) { return d.w.store.dial(ctx, p.owner) }})
	if !d.w.sch.Archive {
		err := d.count(ctx, p, rdb)
		return errors.Join(err, rdb.Close())
	}
	k := newKeeper(d.w, d.host, rdb)
	p.mu.Lock()
	p.keeper = k
	p.mu.Unlock()
	learning, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { k.keepLearning(learning) })
	if d.w.sch.Mirror {
		m := newMirroring(d, p, rdb, k)
		wg.Go(func() { m.keep(learning) })
	}
	err := d.count(ctx, p, rdb)
	stop()
	wg.Wait()
	return errors.Join(err, k.close(), rdb.Close())
}

func (d *daemon) count(ctx context.Context, p *process, rdb redis.UniversalClient) (err error) {
	keys := counter.NewKeys(counter.DefaultPrefix, false)
	if err := d.await(ctx, p, rdb, keys); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	var resume func(string) int64
	var inputs []counter.Input
	for _, l := range d.w.readings(d.host) {
		at, perr := parser.LineTime(d.w.rules(l))
		if perr != nil {
			return fmt.Errorf("read times: %w", perr)
		}
		t, terr := tailer.Open(tailer.Options{Path: l.path, Time: at, Identify: identify(l), Resume: func(s string) int64 { return resume(s) },
			Now: d.host.now, Poll: looks, Quiet: quiet, Rescan: rescan, BlockSize: 4096, MaxLine: 2048, Logger: d.w.log})
		if terr != nil {
			return fmt.Errorf("open log: %w", terr)
		}
		defer func() { err = errors.Join(err, t.Close()) }()
		ps, perr := parser.New(d.w.rules(l))
		if perr != nil {
			return fmt.Errorf("make parser: %w", perr)
		}
		inputs = append(inputs, counter.Input{Source: source{t}, Parser: ps})
	}
	opt := counter.Options{
		Redis: rdb, Keys: keys, Now: d.host.now, Location: d.w.ledger.loc, Logger: d.w.log.With("daemon", d.id),
		BatchSize: d.w.sch.Batch, MaxPages: d.w.sch.caps(), MaxEvents: d.w.sch.caps(), Progress: filepath.Join(d.data, "progress.json"),
		Sync: d.w.sch.Sync, DedupeWindow: d.w.window, Grace: grace, Audit: audits, Uniques: d.w.sch.Uniques,
	}
	opt.FacetCaps[parser.Referrer] = d.w.sch.caps()
	if p.keeper != nil {
		opt.Archive = p.keeper
	}
	opt.Stale = p.markStale
	in, err := counter.New(opt, inputs...)
	if err != nil {
		return err
	}
	resume = in.Resume
	p.mu.Lock()
	p.in = in
	p.mu.Unlock()
	if err := d.obey(p); err != nil { // rules that were made meanwhile
		return err
	}
	if err := in.Run(ctx); err != nil {
		return fmt.Errorf("count: %w", err)
	}
	return nil
}

// await waits for what the server waits for before it counts: Redis, one that takes
// writes, and the archive where Redis knows no site.
func (d *daemon) await(ctx context.Context, p *process, rdb redis.UniversalClient, keys counter.Keys) error {
	for {
		err := d.try(ctx, p, rdb, keys)
		if err == nil || counter.Evicts(err) || counter.TroubleOf(err) == counter.ScriptsUnsupported {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

func (d *daemon) try(ctx context.Context, p *process, rdb redis.UniversalClient, keys counter.Keys) error {
	if err := rdb.Ping(ctx).Err(); err != nil {
		return err
	}
	if err := counter.CheckScripts(ctx, rdb, false); err != nil {
		return err
	}
	if _, err := counter.CheckEviction(ctx, rdb); err != nil {
		return err
	}
	if p.keeper != nil {
		if err := p.keeper.learn(ctx); err != nil {
			if known, rerr := rdb.SCard(ctx, keys.Sites()).Result(); rerr != nil || known == 0 {
				return err
			}
		}
	}
	_, err := counter.ShareSecret(ctx, rdb, keys, secret)
	return err
}

func identify(l reading) func([]byte) string {
	switch {
	case l.views:
		return func(line []byte) string { return "view-" + parser.SegmentID(line) }
	case l.calls:
		return func(line []byte) string { return "api-" + parser.SegmentID(line) }
	}
	return parser.SegmentID
}

// source makes a tailer a source of the counter, as the server does.
type source struct{ *tailer.Tailer }

var kinds = map[tailer.Kind]counter.BlockKind{
	tailer.Lines: counter.Lines, tailer.Oversize: counter.Oversize, tailer.Torn: counter.Torn, tailer.Closed: counter.Closed,
}

func (s source) Next(ctx context.Context) (counter.Block, error) {
	b, err := s.Tailer.Next(ctx)
	if err != nil {
		return counter.Block{}, err
	}
	return counter.Block{Segment: b.Segment, Kind: kinds[b.Kind], Start: b.Start, End: b.End, Data: b.Data, Live: b.Live, Release: b.Release}, nil
}

func (s source) Segments() []counter.SegmentInfo {
	var out []counter.SegmentInfo
	for _, x := range s.Tailer.Segments() {
		if !x.Deleted || x.Offset < x.Size {
			out = append(out, counter.SegmentInfo{ID: x.ID, Name: x.Name, Size: x.Size, Read: x.Offset, Looked: x.Looked, Whole: !x.Compressed})
		}
	}
	return out
}
