package daemon

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ddkk-stats/internal/jobs"
	"ddkk-stats/internal/mirror"
)

// mirroring keeps page_counts and, where there is one, the search index up to
// date. Make one with newMirroring.
type mirroring struct {
	s       *server
	flusher *mirror.Flusher
	sender  *mirror.Sender  // nil: there is no search index
	elastic *mirror.Elastic // the sender's
}

// elasticTimeout bounds one request.
const elasticTimeout = 30 * time.Second

func newMirroring(s *server) (*mirroring, error) {
	f, m, err := jobs.NewFlusher(s.vault, s.ingestDB, s.embedded != nil, s.reader.Stale)
	if err != nil {
		return nil, err
	}
	all := &mirroring{s: s, flusher: f}
	es := s.cfg().Elastic
	if es.URL == "" {
		return all, nil
	}
	all.elastic = mirror.NewElastic(mirror.ElasticOptions{
		URL: es.URL, Index: es.Index, ID: es.ID, Views: es.ViewsField, Bots: es.BotsField, Upsert: es.Upsert,
		User: es.User, Password: string(es.Password), APIKey: string(es.Key),
		Client: &http.Client{Timeout: elasticTimeout}, Logger: s.log, Pause: wait,
	})
	all.sender = mirror.NewSender(m, all.elastic, s.reader.Stale, time.Now)
	return all, nil
}

// wait waits, or ends with ctx.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// flush brings page_counts up to date.
func (m *mirroring) flush(ctx context.Context) {
	if _, err := m.s.counting.get(ctx); err != nil {
		return // the stop came first
	}
	m.refresh(ctx) // so that lists are known to be right until the flush begins
	if err := m.flusher.Flush(ctx); err != nil && ctx.Err() == nil {
		m.s.log.Error("cannot update page_counts; will retry at the next flush", "err", err)
	}
	m.refresh(ctx)
}

// lag is how much later than FLUSH_CRON says page_counts was brought up to date last.
func (m *mirroring) lag(now time.Time) time.Duration {
	cfg := m.s.cfg()
	if !cfg.FlushCron.On() {
		return 0
	}
	last := m.flusher.Stats().LastSuccess
	if last.IsZero() {
		last = m.s.started
	}
	return max(0, now.Sub(cfg.FlushCron.Next(last.In(cfg.Timezone))))
}

// refresh renews the lists of pages. Where that fails those who ask for one
// learn why.
func (m *mirroring) refresh(ctx context.Context) {
	if err := m.s.ranking.Refresh(ctx); err != nil && ctx.Err() == nil {
		m.s.log.Warn("lists of pages are not renewed; they are when somebody asks for them", "err", err)
	}
}

// send sends what changed to the search index.
func (m *mirroring) send(ctx context.Context) {
	if _, err := m.s.counting.get(ctx); err != nil {
		return
	}
	if err := m.sender.Send(ctx); err != nil && !errors.Is(err, context.Canceled) {
		m.s.log.Error("page totals are not sent to ES_URL; it is tried again at its next time", "err", err)
	}
}

var (
	descFlushes      = desc("mirror_flushes_total", "Transactions that brought page_counts up to date.")
	descFlushRows    = desc("mirror_rows_total", "Rows of page_counts that were written.")
	descFlushPages   = desc("mirror_pages_total", "Changed pages that were looked at.")
	descFlushSeconds = desc("mirror_flush_seconds_total", "Time that bringing page_counts up to date took.")
	descFlushFails   = desc("mirror_failures_total", "Runs that failed; what they left is done by the next one.")
	descFlushRefills = desc("mirror_refills_total", "Times the mirror of a site was begun anew.")
	descFlushSuccess = desc("mirror_last_success_timestamp_seconds", "When page_counts was last brought up to date; 0: not since the start.")
	descFlushLag     = desc("mirror_lag_seconds", "How much later than FLUSH_CRON says page_counts was brought up to date last; 0: it is on time, or off.")
	descSinkDocs     = desc("sink_documents_total", "Documents that the search index took or refused.", "result")
	descSinkFails    = desc("sink_failures_total", "Runs that left documents for the next one.")
	descSinkSeconds  = desc("sink_seconds_total", "Time that sending documents took.")
	descSinkSuccess  = desc("sink_last_success_timestamp_seconds", "When all that was due was last sent; 0: not since the start.")
)

// Describe implements prometheus.Collector.
func (m *mirroring) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(m, ch) }

// Collect implements prometheus.Collector.
func (m *mirroring) Collect(ch chan<- prometheus.Metric) {
	s := m.flusher.Stats()
	count(ch, descFlushes, s.Flushes)
	count(ch, descFlushRows, s.Rows)
	count(ch, descFlushPages, s.Pages)
	seconds(ch, descFlushSeconds, s.Took)
	count(ch, descFlushFails, s.Failures)
	count(ch, descFlushRefills, s.Refills)
	gauge(ch, descFlushSuccess, unixOrZero(s.LastSuccess))
	gauge(ch, descFlushLag, m.lag(time.Now()).Seconds())
	var x mirror.SendStats // zeros where there is no search index
	var rejected int64
	if m.sender != nil {
		x, rejected = m.sender.Stats(), m.elastic.Rejected()
	}
	count(ch, descSinkDocs, max(0, x.Sent-rejected), "taken")
	count(ch, descSinkDocs, rejected, "refused")
	count(ch, descSinkFails, x.Failures)
	seconds(ch, descSinkSeconds, x.Took)
	gauge(ch, descSinkSuccess, unixOrZero(x.LastSuccess))
}

func seconds(ch chan<- prometheus.Metric, d *prometheus.Desc, took time.Duration) {
	ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, took.Seconds())
}

func unixOrZero(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.Unix())
}
