package daemon

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ddkk-stats/archive"
	"ddkk-stats/internal/vault"
)

// sqlMetrics is what is known of the exchanges with SQL. Any goroutine.
type sqlMetrics struct {
	vault *vault.Vault
	took  *prometheus.HistogramVec
	slow  *prometheus.CounterVec
	fails *prometheus.CounterVec

	statements, nanos, slowTotal atomic.Int64
}

func newSQLMetrics(v *vault.Vault) *sqlMetrics {
	m := &sqlMetrics{
		vault: v,
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ddkk_sql_statement_duration_seconds", Help: "Time from a statement to its result, or to the first row of it, by what it is for.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"kind"}),
		slow:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "ddkk_sql_slow_statements_total", Help: "Statements that took two seconds or longer; the daemon's log has some of them."}, []string{"kind"}),
		fails: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "ddkk_sql_statement_errors_total", Help: "Statements that failed; most are run again."}, []string{"kind"}),
	}
	for _, kind := range archive.Kinds { // so that each is there from the start
		m.took.WithLabelValues(kind)
		m.slow.WithLabelValues(kind)
		m.fails.WithLabelValues(kind)
	}
	return m
}

// ended is told of each statement.
func (m *sqlMetrics) ended(s archive.Statement) {
	m.took.WithLabelValues(s.Kind).Observe(s.Took.Seconds())
	m.statements.Add(1)
	m.nanos.Add(int64(s.Took))
	if s.Slow {
		m.slow.WithLabelValues(s.Kind).Inc()
		m.slowTotal.Add(1)
	}
	if s.Err != nil {
		m.fails.WithLabelValues(s.Kind).Inc()
	}
}

// mean is how many statements there were and how long one took.
func (m *sqlMetrics) mean() (n int64, ms float64) {
	if n = m.statements.Load(); n > 0 {
		ms = float64(m.nanos.Load()) / float64(n) / float64(time.Millisecond)
	}
	return n, ms
}

// pool is how connections are used; false: the archive is not open.
func (m *sqlMetrics) pool() (archive.Pool, bool) {
	a, err := m.vault.Opened()
	if err != nil {
		return archive.Pool{}, false
	}
	return a.Pool(), true
}

var (
	descSQLUp     = desc("sql_up", "1 if the archive could be asked the last time.")
	descSQLMost   = desc("sql_connections_max", "Connections to SQL that may be open.")
	descSQLOpen   = desc("sql_connections", "Connections to SQL that are open, by whether they are in use.", "state")
	descSQLWaits  = desc("sql_connection_waits_total", "Times that a free connection was waited for.")
	descSQLWaited = desc("sql_connection_wait_seconds_total", "Time that this took.")
)

// Describe implements prometheus.Collector.
func (m *sqlMetrics) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(m, ch) }

// Collect implements prometheus.Collector.
func (m *sqlMetrics) Collect(ch chan<- prometheus.Metric) {
	m.took.Collect(ch)
	m.slow.Collect(ch)
	m.fails.Collect(ch)
	p, open := m.pool()
	gauge(ch, descSQLUp, one(open && !m.vault.Away()))
	gauge(ch, descSQLMost, float64(p.Most))
	gauge(ch, descSQLOpen, float64(p.Idle), "idle")
	gauge(ch, descSQLOpen, float64(p.InUse), "used")
	count(ch, descSQLWaits, p.Waits)
	seconds(ch, descSQLWaited, p.Waited)
}

// cycles is how archive cycles went.
type cycles struct {
	well, failed atomic.Int64
	took         *prometheus.HistogramVec
}

func newCycles() *cycles {
	c := &cycles{took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "ddkk_archive_cycle_duration_seconds", Help: "Time that archive cycles took, by how they went.",
		Buckets: []float64{.1, .5, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600},
	}, []string{"result"})}
	c.took.WithLabelValues("ok")
	c.took.WithLabelValues("failed")
	return c
}

func (c *cycles) ended(took time.Duration, err error) {
	result, n := "ok", &c.well
	if err != nil {
		result, n = "failed", &c.failed
	}
	n.Add(1)
	c.took.WithLabelValues(result).Observe(took.Seconds())
}
