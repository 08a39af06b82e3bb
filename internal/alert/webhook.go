package alert

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"
)

// Limits of posting.
const (
	postTimeout = 10 * time.Second
	minWait     = 5 * time.Second // between two tries of what failed; doubles
	maxWait     = 5 * time.Minute
	// maxQueue bounds what waits to be posted. Of one alert only the latest word
	// waits, so this is many alerts of many sites.
	maxQueue = 1000
)

// Outbox keeps messages until they are taken, in order, and tries again what failed. What
// it sends to may hold a secret: it is never logged, nor what a library says that may hold
// it. It is not safe for concurrent use.
type Outbox struct {
	log   *slog.Logger
	host  string
	where string // the setting that says where messages go

	queue []Message
	wait  time.Duration // 0: the last one went well
	next  time.Time     // not before

	Sent, Failed atomic.Int64 // for any goroutine
}

// NewOutbox sends in the name of a host to where a setting says.
func NewOutbox(host, where string, log *slog.Logger) *Outbox {
	return &Outbox{log: log, host: host, where: where}
}

// Webhook posts messages to an address.
type Webhook struct {
	*Outbox
	client *http.Client
}

// NewWebhook posts in the name of a host.
func NewWebhook(host string, log *slog.Logger) *Webhook {
	return &Webhook{Outbox: NewOutbox(host, "ALERT_URL", log), client: &http.Client{
		Timeout: postTimeout,
		// Following would hand the message to an address that nobody has set.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Sign has a message say all of it in a line, in the name of a host.
func (m *Message) Sign(host string) {
	m.Host = host
	m.Text = m.text()
}

// Add queues messages. One about an alert that is still in the queue takes its
// place: only the latest word is worth sending.
func (h *Outbox) Add(messages ...Message) {
	for _, m := range messages {
		m.Sign(h.host)
		kept := h.queue[:0]
		for _, q := range h.queue {
			if q.Name != m.Name || q.Site != m.Site {
				kept = append(kept, q)
			}
		}
		if h.queue = append(kept, m); len(h.queue) > maxQueue {
			h.queue = h.queue[1:]
		}
	}
}

// text is the message for people.
func (m *Message) text() string {
	return fmt.Sprintf("%s: %s, since %s", m.Headline(), m.Summary, m.Since.Format(time.RFC3339))
}

// Headline is what a message is about.
func (m *Message) Headline() string {
	word := m.Severity
	if m.Resolved {
		word = "resolved"
	}
	about := m.Host
	if m.Site != "" {
		about = m.Site + " on " + m.Host
	}
	return fmt.Sprintf("[%s] %s (%s)", word, m.Name, about)
}

// Post posts what waits, if it is time to. An empty address drops it.
func (h *Webhook) Post(ctx context.Context, now time.Time, to Target) {
	if to.URL == "" {
		h.Drop()
		return
	}
	h.Flush(ctx, now, func(ctx context.Context, m *Message) error { return h.post(ctx, now, to, m) })
}

// Drop forgets what waits.
func (h *Outbox) Drop() { h.queue, h.wait, h.next = nil, 0, time.Time{} }

// Flush sends what waits, if it is time to.
func (h *Outbox) Flush(ctx context.Context, now time.Time, send func(context.Context, *Message) error) {
	if now.Before(h.next) {
		return
	}
	for len(h.queue) > 0 && ctx.Err() == nil {
		if err := send(ctx, &h.queue[0]); err != nil {
			h.Failed.Add(1)
			if h.wait == 0 {
				h.log.Error("cannot post an alert to "+h.where+"; will retry", "alert", h.queue[0].Name, "err", err)
			}
			h.wait = min(max(2*h.wait, minWait), maxWait)
			h.next = now.Add(h.wait)
			return
		}
		h.Sent.Add(1)
		if h.wait > 0 {
			h.log.Info("alerts are posted again")
		}
		h.wait = 0
		h.queue = h.queue[1:]
	}
}

// Try posts one message now and says how that went.
func (h *Webhook) Try(ctx context.Context, now time.Time, to Target, m Message) error {
	m.Sign(h.host)
	return h.post(ctx, now, to, &m)
}

// answerLimit is how much of an answer is read.
const answerLimit = 64 << 10

func (h *Webhook) post(ctx context.Context, now time.Time, to Target, m *Message) error {
	address, body, err := to.render(m, now)
	if err != nil {
		return err
	}
	return h.send(ctx, to, address, body)
}

// Hand posts a text of several lines now, or the value where the receiver takes JSON.
func (h *Webhook) Hand(ctx context.Context, now time.Time, to Target, text string, value any) error {
	address, body, err := to.wrap(text, value, now)
	if err != nil {
		return err
	}
	return h.send(ctx, to, address, body)
}

func (h *Webhook) send(ctx context.Context, to Target, address string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return errors.New("it is no address") // what is wrong would show it
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "ddkk-stats")
	resp, err := h.client.Do(req)
	if err != nil {
		return quiet(err)
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return quiet(err)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("it answers with status %d", resp.StatusCode)
	}
	return to.refused(answer)
}

// quiet takes the address out of an error of net/http.
func quiet(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
