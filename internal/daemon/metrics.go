package daemon

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/redis/go-redis/v9"

	"ddkk-stats/counter"
	"ddkk-stats/internal/health"
	"ddkk-stats/internal/logs"
	"ddkk-stats/parser"
)

// metrics is what /metrics tells. Core packages know nothing of Prometheus:
// the pipeline's figures are read when somebody asks.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	sql      *sqlMetrics
	cycles   *cycles
	trips    *prometheus.HistogramVec
	lost     *prometheus.CounterVec // exchanges with Redis that had no answer

	beacons, beaconsFailed, answers, answersFailed atomic.Int64
}

func newMetrics(s *server) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "ddkk_http_request_duration_seconds",
			Help:    "Time from a request's arrival to its answer.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1, 5},
		}, []string{"route", "status"}),
	}
	m.sql, m.cycles = newSQLMetrics(s.vault), newCycles()
	m.trips, m.lost = newTrips()
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "ddkk_build_info", Help: "Always 1; the label is the running version.",
	}, []string{"version"})
	info.WithLabelValues(s.version).Set(1)
	m.registry.MustRegister(m.requests, m.sql, m.cycles.took, m.trips, m.lost, info, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), &pipelineMetrics{s}, s.verifier, s.mirror,
		&siteMetrics{sites: s.facts.Sites, most: func() int { return s.cfg().MetricsSites }, log: s.log})
	if s.embedded == nil {
		m.registry.MustRegister(&redisMetrics{s.readDB})
	}
	return m
}

// measure has the exchanges of a client measured.
func (m *metrics) measure(db redis.UniversalClient, by string) {
	db.AddHook(trips{m.trips.WithLabelValues(by), m.lost.WithLabelValues(by)})
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

func (m *metrics) observe(route string, status int, took time.Duration) {
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Observe(took.Seconds())
	all, failed := &m.answers, &m.answersFailed
	if route == "/event.png" {
		all, failed = &m.beacons, &m.beaconsFailed
	} else if route == "/readyz" || route == "/healthz" {
		return // they fail to tell of something else
	}
	all.Add(1)
	if status >= 500 {
		failed.Add(1)
	}
}

// answered are the built-in beacon's answers and all others, and those of each that
// were an error of ours.
func (m *metrics) answered() (beacons, beaconsFailed, answers, answersFailed int64) {
	return m.beacons.Load(), m.beaconsFailed.Load(), m.answers.Load(), m.answersFailed.Load()
}

// pipelineMetrics collects the books and the state of the logs.
type pipelineMetrics struct{ s *server }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("ddkk_"+name, help, labels, nil)
}

var (
	descRead       = desc("log_lines_read_total", "Lines of the log that were dealt with, each once. Equals the sum of ddkk_log_lines_total.", "log")
	descLines      = desc("log_lines_total", "Lines by what became of them.", "log", "result", "reason")
	descReread     = desc("log_lines_reread_total", "Lines that were read again after a rewind; they are in no other count.")
	descCommits    = desc("commits_total", "Batches of one site and segment by what Redis said.", "result")
	descRewinds    = desc("rewinds_total", "Times a segment was set back to be read again.")
	descRebuilds   = desc("rebuilds_total", "Sites rebuilt because their keys were gone or damaged.")
	descUnhelped   = desc("rebuilds_unhelped_total", "Rebuilds that were put off because the one before had not helped.")
	descIncomplete = desc("sites_incomplete", "Sites that lost keys which can be made good neither from the archive nor from the log: they count on from what is left.")
	descScrubs     = desc("scrub_rounds_total", "Times all numbers of all sites were compared with each other.")
	descScrubKeys  = desc("scrub_keys_total", "Keys and lists that were looked at for that, about.")
	descScrubDiffs = desc("scrub_differences_total", "Numbers that did not agree: Redis lost keys. Their site is rebuilt.")
	descScrubbed   = desc("scrub_last_round_timestamp_seconds", "When the last of these rounds ended; 0: none has since the start.")
	descWaits      = desc("counting_waits", "1 while counting waits for what the label says.", "for")
	descState      = desc("state", "1 while the daemon is in this state; the manual has a table of them.", "state", "effect")
	descAlertsSent = desc("alerts_total", "Alerts to ALERT_URL: those that were taken, and tries that failed.", "result")
	descRestoreErr = desc("restore_failures_total", "Restores that failed: by the daemon, which tries again, or by request.", "by")
	descRetries    = desc("redis_retries_total", "Exchanges with Redis that were tried again.")
	descFolds      = desc("folds_total", "Times pending page changes were spread over their keys.")
	descParked     = desc("sites_parked", "Sites that wait for an operator: their keys are damaged and their log is not complete.")
	descFull       = desc("full_tables", "Tables of names that have no room: pages or events of a site and day, sites. The daemon's log names them.")
	descGaps       = desc("log_gaps_total", "Segments that were gone before they were read.")
	descGapBytes   = desc("log_gap_bytes_total", "Bytes known to be in them, at least.")
	descCut        = desc("segments_cut", "Segments that are shorter than what was counted of them.")
	descRedisUp    = desc("redis_up", "1 if the last exchange of the counter with Redis went well.")
	descArchived   = desc("archive_last_success_timestamp_seconds", "When this host was last archived, also before a restart or by hand; 0: never.")
	descLate       = desc("archive_late_after_seconds", "How old the last success may be by ARCHIVE_CRON; 0: it is off.")
	descClock      = desc("clock_doubtful", "1 if the last archive cycle found the clock wrong or jumped: what is too old by it is not deleted.")
	descSize       = desc("segment_size_bytes", "Size of a segment's content.", "log", "segment")
	descOffset     = desc("segment_offset_bytes", "How far a segment is handed out.", "log", "segment")
	descCounted    = desc("segment_counted_bytes", "Up to where a segment is counted for every site: the checkpoint.", "log", "segment")
	descLag        = desc("tail_lag_bytes", "Bytes of a log that are not read yet.", "log")
	descLagSeconds = desc("tail_lag_seconds", "Time since the oldest segment that is not read to its end was last written; 0 when all is read.", "log")
	descLogBytes   = desc("logs_bytes", "What the files of all logs take on the disk.")
	descLogBudget  = desc("logs_budget_bytes", "LOG_BUDGET; 0: none.")
	descTorn       = desc("segments_torn", "Closed segments whose last line is unfinished.", "log")
	descGrew       = desc("segments_grew_after_close", "Segments that were written to after they were closed: a worker did not reopen its log.", "log")
	descReloadOK   = desc("config_last_reload_successful", "1 unless the settings could not be reloaded the last time; those before are in force then.")
	descReloaded   = desc("config_last_reload_success_timestamp_seconds", "When settings were last reloaded; 0: not since the start.")
	descConns      = desc("http_connections", "Connections that are open.")
	descRefused    = desc("http_refused_total", "Requests and connections that were refused: over a limit, too large, too slow, or no HTTP.", "reason")
	descAccept     = desc("http_accept_errors_total", "Connections that could not be taken, as without free file descriptors.")
	descAlarms     = desc("segments_alarm", "Segments that an operator must look at: cut, truncated or replaced.", "log")
)

// Describe implements prometheus.Collector.
func (p *pipelineMetrics) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(p, ch) }

// Collect implements prometheus.Collector.
func (p *pipelineMetrics) Collect(ch chan<- prometheus.Metric) {
	p.collectCounting(ch)
	counted := p.s.counting.floors()
	for _, in := range p.s.inputs {
		p.collectLog(ch, in, counted)
	}
}

func count(ch chan<- prometheus.Metric, d *prometheus.Desc, n int64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
}

func gauge(ch chan<- prometheus.Metric, d *prometheus.Desc, v float64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func (p *pipelineMetrics) collectCounting(ch chan<- prometheus.Metric) {
	s := p.s.counting.stats()
	p.collectBooks(ch, s.Inputs)
	count(ch, descReread, s.Reread)
	count(ch, descCommits, s.Commits, "applied")
	count(ch, descCommits, s.Duplicates, "duplicate")
	count(ch, descCommits, s.Gaps, "gap")
	count(ch, descRewinds, s.Rewinds)
	count(ch, descRebuilds, s.Rebuilds)
	count(ch, descUnhelped, s.Unhelped)
	gauge(ch, descIncomplete, float64(s.Incomplete))
	count(ch, descScrubs, s.ScrubRounds)
	count(ch, descScrubKeys, s.ScrubKeys)
	count(ch, descScrubDiffs, s.ScrubDifferences)
	ended := 0.0
	if !s.ScrubEnded.IsZero() {
		ended = float64(s.ScrubEnded.Unix())
	}
	gauge(ch, descScrubbed, ended)
	if name := p.s.counting.trouble(); name != "" {
		gauge(ch, descWaits, 1, string(name))
	}
	p.collectStates(ch)
	count(ch, descAlertsSent, p.s.alerter.hook.Sent.Load(), "sent")
	count(ch, descAlertsSent, p.s.alerter.hook.Failed.Load(), "failed")
	count(ch, descRestoreErr, s.Unrebuilt, "daemon")
	if p.s.restores != nil {
		count(ch, descRestoreErr, p.s.restores.failures.Load(), "request")
	}
	count(ch, descRetries, s.Retries)
	count(ch, descFolds, s.Folds)
	count(ch, descGaps, s.Missing)
	count(ch, descGapBytes, s.MissingBytes)
	gauge(ch, descFull, float64(s.Full))
	gauge(ch, descParked, float64(s.Parked))
	gauge(ch, descCut, float64(s.Cut))
	archived := 0.0
	if at := p.s.lastArchived(); !at.IsZero() {
		archived = float64(at.Unix())
	}
	gauge(ch, descArchived, archived)
	usage := p.s.logUsage()
	gauge(ch, descLogBytes, float64(usage.Bytes))
	gauge(ch, descLogBudget, float64(usage.Budget))
	gauge(ch, descLate, p.s.archiveLimit(time.Now()).Seconds())
	if p.s.vault != nil {
		gauge(ch, descClock, one(p.s.vault.ClockTrouble() != ""))
	}
	up := 0.0
	if s.Redis {
		up = 1
	}
	gauge(ch, descRedisUp, up)
	if p.s.http != nil {
		l := p.s.http.Limits()
		gauge(ch, descConns, float64(l.Connections))
		count(ch, descAccept, l.AcceptErrors)
		for reason, n := range l.Refused {
			count(ch, descRefused, n, reason)
		}
	}
	if r := p.s.reloader; r != nil {
		gauge(ch, descReloadOK, one(!r.failed.Load()))
		gauge(ch, descReloaded, float64(r.done.Load()))
	}
}

// collectStates tells of each state in the table whether the daemon is in it.
func (p *pipelineMetrics) collectStates(ch chan<- prometheus.Metric) {
	on := map[health.Name]bool{}
	for _, f := range p.s.findings(time.Now()) {
		on[f.Name] = true
	}
	for i := range health.Table {
		r := &health.Table[i]
		gauge(ch, descState, one(on[r.Name]), string(r.Name), string(r.Effect))
	}
}

// collectBooks tells what became of the lines of each log.
func (p *pipelineMetrics) collectBooks(ch chan<- prometheus.Metric, books []counter.Tally) {
	for i, in := range p.s.inputs {
		var b counter.Tally // nothing of the log was counted yet
		if i < len(books) {
			b = books[i]
		}
		count(ch, descRead, b.Read, in.Name())
		for result, n := range map[string]int64{"human": b.Human, "bot": b.Bot, "call": b.Calls, "deduplicated": b.Dedup, "before": b.Before, "torn": b.Torn} {
			count(ch, descLines, n, in.Name(), result, "")
		}
		for r := parser.Reason(1); r < parser.NumReasons; r++ {
			if r.Malformed() {
				count(ch, descLines, b.Malformed[r], in.Name(), "malformed", r.String())
			} else {
				count(ch, descLines, b.Skipped[r], in.Name(), "skipped", r.String())
			}
		}
	}
}

func (p *pipelineMetrics) collectLog(ch chan<- prometheus.Metric, in logs.Input, counted map[string]int64) {
	lag, seconds := lagOf(in.Tail.Segments())
	var torn, grew, alarms float64
	for _, x := range in.Tail.Segments() {
		torn += one(x.Torn)
		grew += one(x.GrewAfterClose)
		alarms += one(x.Alarm != "")
		if !x.Closed && !x.Refused {
			gauge(ch, descSize, float64(x.Size), in.Name(), x.ID)
			gauge(ch, descOffset, float64(x.Offset), in.Name(), x.ID)
			gauge(ch, descCounted, float64(counted[x.ID]), in.Name(), x.ID)
		}
	}
	gauge(ch, descLag, float64(lag), in.Name())
	gauge(ch, descLagSeconds, seconds, in.Name())
	gauge(ch, descTorn, torn, in.Name())
	gauge(ch, descGrew, grew, in.Name())
	gauge(ch, descAlarms, alarms, in.Name())
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
