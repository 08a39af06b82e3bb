package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"ddkk-stats/counter"
	"ddkk-stats/internal/answers"
	"ddkk-stats/internal/beacon"
	"ddkk-stats/internal/config"
	"ddkk-stats/internal/doctor"
	"ddkk-stats/internal/health"
	"ddkk-stats/internal/logs"
	"ddkk-stats/internal/once"
	"ddkk-stats/internal/options"
	"ddkk-stats/internal/people"
	"ddkk-stats/internal/vault"
	"ddkk-stats/parser"
	"ddkk-stats/queryapi"
	"ddkk-stats/static"
)

// How long a stop may take, piece by piece: together less than ten seconds,
// also when Redis hangs (an exchange that was begun within the grace may take
// counter.Connect's timeout of four seconds more).
const (
	countingGrace = 3 * time.Second
	cronGrace     = time.Second
	httpGrace     = 500 * time.Millisecond
	// drainGrace is how long clients that keep their connection are told at
	// their next answer to come back by another one, before it is closed.
	drainGrace = 500 * time.Millisecond
)

// freshFor is how long a number that was just read is answered again: nobody
// sees the difference, and Redis is spared the same question under load.
const freshFor = 2 * time.Millisecond

// readLife is how long reads use a connection: within it they follow a failover that
// broke none of them.
const readLife = 3 * time.Second

// garbage is GOGC of the daemon, in percent. Nearly all of its memory is tables
// of hashes, in which the collector finds nothing to follow: collecting more often
// than by default costs next to nothing. A backlog of 1.5 million beacons peaked at
// 181 to 214 MB at 100, 131 to 153 at 50 and 134 to 138 at 30.
const garbage = 25

// collectOften sets it, unless the environment does.
func collectOften() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
}

// server is the daemon: what it owns, in the order in which it is opened.
type server struct {
	live     *config.Live
	log      *slog.Logger
	version  string
	reloader *reloader // nil: settings stay as they are
	notify   *notifier
	next     *handover // set when the stop is for an upgrade

	first    bool // DATA_DIR knows of no start before
	lock     *os.File
	embedded *embeddedRedis // nil with a real Redis
	ingestDB redis.UniversalClient
	readDB   redis.UniversalClient
	keys     counter.Keys
	reader   *counter.Reader
	beacon   *beacon.Log
	inputs   []logs.Input
	traces   *traceKeeper
	recalled recalled
	counting *counting
	vault    *vault.Vault
	people   *people.Register
	restores *restores
	voids    *voids
	rules    *ruleKeeper
	verifier *verifier
	mirror   *mirroring
	ranking  *answers.Ranking
	archived archiveRuns
	facts    *answers.Facts
	series   *answers.Series
	reports  *reporter
	traffic  *trafficWatch
	started  time.Time
	// overBudget: the logs were told to be over LOG_BUDGET.
	overBudget atomic.Bool
	secret     []byte   // of the visitor hash; set before counting begins
	logrotate  []string // where its rules are
	monitor    *health.Monitor
	alerter    *alerter
	metrics    *metrics
	listener   net.Listener
	http       *queryapi.Server
}

// newServer opens everything that can be wrong, so that a mistake is told at
// the start; it starts nothing. Redis may be away: that is waited for.
func newServer(cfg *config.Config, version string, log *slog.Logger) (_ *server, err error) {
	s := &server{version: version, live: config.NewLive(cfg), log: log, keys: counter.NewKeys(cfg.RedisPrefix, cfg.Redis.IsCluster()), counting: newCounting(), notify: newNotifier(log), monitor: health.NewMonitor(), logrotate: doctor.LogrotateFiles, started: time.Now()}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if err := os.MkdirAll(filepath.Dir(cfg.BeaconLog()), 0o750); err != nil {
		return nil, fmt.Errorf("make DATA_DIR: %w", err)
	}
	if s.lock, err = lockFolder(cfg.DataDir); err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(cfg.DataDir, "progress.json")); errors.Is(err, os.ErrNotExist) {
		s.first = true
	}
	if s.listener, err = listen(cfg.Address(), log); err != nil {
		return nil, err
	}
	if err := s.openRedis(); err != nil {
		return nil, err
	}
	if s.beacon, err = beacon.OpenLog(cfg.BeaconLog(), beacon.Options{SegmentID: parser.SegmentID, Logger: log}); err != nil {
		return nil, err
	}
	s.traces = newTraceKeeper(s.ingestDB, s.keys, log)
	if err := s.openLogs(s.counting.resume); err != nil {
		return nil, err
	}
	s.vault = vault.New(s.live, s.ingestDB, s.keys, log)
	if err := s.vault.RecallRules(); err != nil {
		return nil, err
	}
	host, err := s.vault.HostID()
	if err != nil {
		return nil, err
	}
	teller := once.NewTeller(host, time.Now)
	s.rules = newRuleKeeper(s)
	s.vault.Ruled = s.rules.take
	s.series = answers.NewSeries(s.reader, s.vault.Opened).WithBases(s.vault.BasesUntil)
	s.facts = answers.NewFacts(s.series, s.cfg, time.Now)
	s.reports = &reporter{cfg: s.cfg, vault: s.vault, ready: s.counting.ready, figures: figures{s.facts, s.series}, teller: teller, log: log}
	if s.traffic, err = newTrafficWatch(s, teller); err != nil {
		return nil, err
	}
	s.people = people.NewRegister(s.vault.Opened, time.Now, log)
	s.restores = newRestores(s.vault)
	s.voids = newVoids(s.vault)
	s.verifier = newVerifier(s)
	s.vault.Verified = s.verifier.take
	s.ranking = answers.NewRanking(s.vault, time.Now)
	if s.mirror, err = newMirroring(s); err != nil {
		return nil, err
	}
	if s.alerter, err = newAlerter(s); err != nil {
		return nil, err
	}
	s.metrics = newMetrics(s)
	s.vault.Statements = s.metrics.sql.ended
	s.metrics.measure(s.ingestDB, "counting")
	s.metrics.measure(s.readDB, "reads")
	s.http, err = queryapi.New(s.apiConfig())
	return s, err
}

func (s *server) openRedis() error {
	opt := options.Redis(s.cfg())
	if len(s.cfg().Redis.Addrs) == 0 {
		var err error
		if s.embedded, err = startEmbeddedRedis(); err != nil {
			return err
		}
		opt = s.embedded.options()
	}
	s.ingestDB = counter.Connect(opt)
	opt.Timeout, opt.PoolSize, opt.Life = time.Second, 64, readLife
	s.readDB = counter.Connect(opt)
	var err error
	s.reader, err = counter.NewReader(s.readDB, s.keys, counter.ReaderOptions{Location: s.cfg().Timezone, FreshFor: freshFor, Uniques: s.cfg().Uniques})
	return err
}

// cfg is the configuration in force.
func (s *server) cfg() *config.Config { return s.live.Get() }

func (s *server) apiConfig() queryapi.Config {
	last := answers.NewLastViews(s.inputs, s.cfg)
	titles := answers.NewTitles(s.inputs, s.cfg, time.Now, s.log)
	return queryapi.Config{
		Reader: s.reader, Beacon: beaconLog{s.beacon}, Waiter: s.counting, TermFields: counter.TermFieldsOf(s.cfg().Uniques),
		NormalizePage: func(site string, raw []byte) string { return s.cfg().PageOf(site, raw) },
		NormalizeSite: func(raw string) (string, bool) { return s.cfg().SiteOf(raw) },
		RefererCheck:  func() bool { return s.cfg().RefererCheck },
		EventKey:      parser.EventKey, Location: s.cfg().Timezone,
		Series: s.series, Ranking: s.ranking, Restorer: s.restores, QuietHosts: quietHosts(s.cfg), Calls: s.calls(), Requests: s.requests(),
		Facts: s.facts, Views: last, Title: titles.Title, Explorer: answers.NewExplorer(s.series, last), Report: s.report,
		Baselines: answers.NewBaselines(s.vault), Voider: s.voids, People: s.people, Verifier: s.verifier,
		Static: static.Files, Logger: s.log,
		Ready: s.ready, Health: s.healthy, StaleReason: s.staleReason,
		Metrics: s.metrics.handler(), Observe: s.metrics.observe,
		EndedSessions: filepath.Join(s.cfg().DataDir, "sessions.json"),
		Access:        options.Access(s.cfg()), PublicSites: s.cfg().PublicSites, Concurrency: s.cfg().MaxConnections,
	}
}

// run starts everything and returns when ctx ends and all of it has stopped,
// or when a part fails that the others cannot do without. First clients are
// served to the end, with counting still at work; then what sends is stopped
// before what receives: reading, counting, cron, HTTP, connections.
func (s *server) run(ctx context.Context, told *signals) error {
	stopped, stop := context.WithCancel(ctx)
	defer stop()
	g, failed := errgroup.WithContext(stopped)
	ctx, stopWork := context.WithCancel(context.WithoutCancel(ctx)) // outlives the stop until clients are served
	defer stopWork()
	g.Go(func() error {
		<-failed.Done()
		if s.next == nil { // an upgrade stays in this process
			s.notify.stopping()
		}
		s.http.Drain(context.WithoutCancel(failed), drainGrace)
		stopWork()
		return nil
	})
	jobs := s.newTimetable()
	jobsEnded := make(chan struct{})
	if s.embedded != nil {
		g.Go(func() error { s.embedded.tick(ctx); return nil })
	}
	g.Go(func() error { return s.http.Serve(s.listener) })
	g.Go(func() error { return s.count(ctx) })
	g.Go(func() error { s.vault.KeepLearning(ctx); return nil })
	if s.embedded == nil {
		g.Go(func() error { s.traces.run(ctx); return nil })
	}
	g.Go(func() error { s.people.Run(ctx); return nil })
	g.Go(func() error { s.restores.run(ctx); return nil })
	g.Go(func() error { s.voids.run(ctx); return nil })
	g.Go(func() error { s.rules.run(ctx); return nil })
	g.Go(func() error { s.vault.KeepRules(ctx, s.rules.version); return nil })
	g.Go(func() error { s.verifier.run(ctx); return nil })
	g.Go(func() error { s.alerter.run(ctx); return nil })
	g.Go(func() error { s.traffic.run(ctx); return nil })
	g.Go(func() error { s.checkup(failed); return nil })
	go func() { // waited for below, for a while
		defer close(jobsEnded)
		jobs.run(ctx)
	}()
	if s.reloader != nil {
		s.reloader.jobs = jobs
		g.Go(func() error { s.reloader.run(ctx, told.hup); return nil })
		g.Go(func() error { s.awaitUpgrade(ctx, told.usr2, stop); return nil })
	}
	if os.Getenv("NOTIFY_SOCKET") != "" {
		g.Go(func() error { s.supervise(ctx); return nil })
	}
	g.Go(func() error {
		<-ctx.Done()
		s.counting.wait()
		select {
		case <-jobsEnded:
		case <-time.After(cronGrace):
			s.log.Warn("stopped while a scheduled job was running; it goes on at its next time")
		}
		deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), httpGrace)
		defer cancel()
		return s.http.Shutdown(deadline)
	})
	err := g.Wait()
	return errors.Join(err, s.close())
}

// count waits for Redis and then counts until ctx ends.
func (s *server) count(ctx context.Context) error {
	defer s.counting.end()
	in, rules, err := s.newIngester(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	if err := s.beginCounting(in, rules); err != nil {
		return err
	}
	if err := in.Run(ctx); err != nil {
		return fmt.Errorf("count: %w", err)
	}
	return nil
}

// newIngester asks Redis what has to be known before the first line: that it
// keeps what it is given, and the secret of the visitor hash. It returns the
// configuration whose rules the ingester has as well.
func (s *server) newIngester(ctx context.Context) (*counter.Ingester, *config.Config, error) {
	for _, try := range []func(context.Context) error{s.startRedis, s.startArchive, s.startSecret, s.startSegments, s.startLogViews} {
		if err := s.awaitStart(ctx, try); err != nil {
			return nil, nil, err
		}
	}
	s.reader.Wait(false)
	cfg := s.cfg()
	parsers, err := s.parsers(cfg)
	if err != nil {
		return nil, nil, err
	}
	var inputs []counter.Input
	for i, in := range s.inputs {
		inputs = append(inputs, counter.Input{Source: logSource{in.Tail}, Parser: parsers[i]})
	}
	in, err := counter.New(s.countingOptions(cfg), inputs...)
	return in, cfg, err
}

// parsers read the inputs by the rules of a configuration.
func (s *server) parsers(cfg *config.Config) ([]*parser.Parser, error) {
	var all []*parser.Parser
	for _, in := range s.inputs {
		p, err := parser.New(logs.ParserOf(cfg, in, s.secret))
		if err != nil {
			return nil, fmt.Errorf("make parser: %w", err)
		}
		all = append(all, p)
	}
	return all, nil
}

func (s *server) countingOptions(cfg *config.Config) counter.Options {
	return counter.Options{
		Redis: s.ingestDB, Keys: s.keys, Embedded: s.embedded != nil,
		Location: cfg.Timezone, Logger: s.log,
		BatchSize: cfg.BatchSize, BatchInterval: cfg.BatchInterval,
		MaxPages: cfg.MaxPagesPerSite, MaxPagesEver: cfg.MaxPagesEver, MaxSites: cfg.MaxSites,
		MaxEndpoints: cfg.APIMaxEndpoints, MaxUsers: cfg.APIMaxUsers,
		UVSetTTL: cfg.UVSetTTL, Uniques: cfg.Uniques, DedupeWindow: cfg.Dedupe.For,
		Forgotten: deletedSites(cfg.Rules, parser.Rules{}),
		Progress:  filepath.Join(cfg.DataDir, "progress.json"),
		Sync:      cfg.LogSync, Grace: countingGrace,
		Stale: s.reader.MarkStale, Committed: s.reader.Committed, Waits: s.reader.Wait, Reading: s.reader.Busy, Archive: s.vault,
	}
}

// close gives back what newServer opened.
func (s *server) close() error {
	var errs []error
	for _, in := range s.inputs {
		errs = append(errs, in.Tail.Close())
	}
	if s.traces != nil && s.embedded == nil {
		s.traces.close()
	}
	if s.beacon != nil {
		errs = append(errs, s.beacon.Close())
	}
	if s.ranking != nil {
		s.ranking.Close()
	}
	if s.vault != nil {
		errs = append(errs, s.vault.Close())
	}
	for _, db := range []redis.UniversalClient{s.ingestDB, s.readDB} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if s.embedded != nil {
		s.embedded.server.Close()
	}
	if s.listener != nil && s.http == nil {
		errs = append(errs, s.listener.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

// beaconLog makes the built-in log what the API writes its views into.
type beaconLog struct{ log *beacon.Log }

func (b beaconLog) Append(_ context.Context, r *queryapi.Record) (string, int64, error) {
	pos, err := b.log.Append(beacon.Record{
		Time: r.Time, Addr: r.Addr, Host: hostOf(r.Host), Method: []byte(r.Method), Status: r.Status, URI: r.URI,
		Referer: r.Referer, UserAgent: r.UserAgent, SecPurpose: r.SecPurpose, SecGPC: r.SecGPC, Language: r.Language,
		RequestTime: r.RequestTime, BytesSent: int64(r.BodyBytes),
	})
	return pos.Segment, pos.End, err
}

// hostOf is a Host header as nginx's $host has it: lower case, without port.
func hostOf(header []byte) []byte {
	h := string(header)
	if ap, err := netip.ParseAddrPort(h); err == nil {
		h = ap.Addr().String()
	} else if host, _, err := net.SplitHostPort(h); err == nil {
		h = host
	}
	return []byte(strings.ToLower(h))
}
