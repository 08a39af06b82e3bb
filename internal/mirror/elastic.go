package mirror

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"ddkk-stats/counter"
)

// ElasticOptions of an Elastic. Client, Logger and Pause are required.
type ElasticOptions struct {
	URL, Index     string
	ID             string // with {site} and {page}
	Views, Bots    string // fields; Bots "": left out
	Upsert         bool   // documents that do not exist are made
	User, Password string
	APIKey         string // in place of a user
	Client         *http.Client
	Logger         *slog.Logger
	// Pause waits, or ends with ctx and returns its error.
	Pause func(ctx context.Context, d time.Duration) error
}

// Elastic writes page totals into an index of Elasticsearch or OpenSearch, by
// partial updates through _bulk, so that other fields of a document stay as they
// are. Make one with NewElastic.
type Elastic struct {
	opt    ElasticOptions
	naming naming

	mu       sync.Mutex
	named    map[string]bool // documents that were refused and said so
	rejected int64
}

// NewElastic makes an Elastic; it asks nothing yet.
func NewElastic(opt ElasticOptions) *Elastic {
	return &Elastic{opt: opt, naming: newNaming(opt.ID), named: map[string]bool{}}
}

// Rejected is how many updates were refused for good. Any goroutine.
func (e *Elastic) Rejected() int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.rejected
}

// A request that fails for a reason that passes is sent again so often, with
// pauses that double. What is left then stays due, and comes with the next run.
const (
	sendTries = 5
	sendPause = 500 * time.Millisecond
	maxPause  = 30 * time.Second
)

// passingError is an answer that another try may change.
type passingError struct {
	err   error
	after time.Duration // asked for by the server; 0: not
}

func (e *passingError) Error() string { return e.err.Error() }
func (e *passingError) Unwrap() error { return e.err }

// Send implements Sink.
func (e *Elastic) Send(ctx context.Context, site string, pages []counter.PageTotal) (done []counter.PageTotal, err error) {
	wait := sendPause
	for try := 1; ; try++ {
		var some []counter.PageTotal
		some, pages, err = e.split(ctx, site, pages)
		done = append(done, some...)
		var passing *passingError
		if err == nil || !errors.As(err, &passing) || try == sendTries {
			return done, err
		}
		if perr := e.opt.Pause(ctx, min(max(wait, passing.after), maxPause)); perr != nil {
			return done, errors.Join(err, perr)
		}
		wait *= 2
	}
}

// errTooLarge is status 413.
var errTooLarge = errors.New("the request is too large")

// split sends pages, in halves where the server says that they are too many for
// one request.
func (e *Elastic) split(ctx context.Context, site string, pages []counter.PageTotal) (done, left []counter.PageTotal, err error) {
	done, left, err = e.bulk(ctx, site, pages)
	if !errors.Is(err, errTooLarge) || len(pages) == 1 {
		return done, left, err
	}
	half := len(pages) / 2
	done, left, err = e.split(ctx, site, pages[:half])
	if err != nil {
		return done, append(left, pages[half:]...), err
	}
	more, left, err := e.split(ctx, site, pages[half:])
	return append(done, more...), left, err
}

// bulk sends pages once. An error says why some are left.
func (e *Elastic) bulk(ctx context.Context, site string, pages []counter.PageTotal) (done, left []counter.PageTotal, err error) {
	body, ids, err := e.body(site, pages)
	if err != nil {
		return nil, pages, err
	}
	items, err := e.post(ctx, body)
	if err != nil {
		return nil, pages, err
	}
	if len(items) != len(pages) {
		return nil, pages, &passingError{err: fmt.Errorf("%d documents were sent and %d answered", len(pages), len(items))}
	}
	for i := range items {
		it := items[i].Update
		switch {
		case it.Status >= 200 && it.Status < 300:
			done = append(done, pages[i])
		case it.Status == http.StatusNotFound && !e.opt.Upsert && it.Error.Type == "document_missing_exception":
			done = append(done, pages[i]) // no article of that name
		case it.Status == http.StatusTooManyRequests, it.Status == http.StatusConflict, it.Status >= 500, it.Status == 0:
			left = append(left, pages[i])
			err = &passingError{err: fmt.Errorf("document %q: status %d: %s: %s", ids[i], it.Status, it.Error.Type, it.Error.Reason)}
		default:
			done = append(done, pages[i])
			e.refused(ids[i], it)
		}
	}
	return done, left, err
}

// maxNamed bounds the memory of documents that were refused.
const maxNamed = 10_000

// refused counts a document that the server does not take, and names it once. It
// is sent again when its page changes.
func (e *Elastic) refused(id string, it bulkResult) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.rejected++
	if e.named[id] || len(e.named) >= maxNamed {
		return
	}
	e.named[id] = true
	e.opt.Logger.Error("the search index refuses a document; look at its mapping", "index", e.opt.Index, "id", id,
		"status", it.Status, "type", it.Error.Type, "reason", it.Error.Reason)
}

type bulkAction struct {
	Update struct {
		ID    string `json:"_id"`
		Index string `json:"_index"`
		Retry int    `json:"retry_on_conflict"`
	} `json:"update"`
}

// body is the request: an action and a document for each page, a line each.
func (e *Elastic) body(site string, pages []counter.PageTotal) (body []byte, ids []string, err error) {
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false)
	for i := range pages {
		p := &pages[i]
		var a bulkAction
		a.Update.ID, a.Update.Index, a.Update.Retry = e.naming.id(site, p.Page), e.opt.Index, 3
		fields := map[string]any{e.opt.Views: p.PV}
		if e.opt.Bots != "" {
			fields[e.opt.Bots] = p.Bots
		}
		doc := map[string]any{"doc": fields}
		if e.opt.Upsert {
			made := map[string]any{"site": site, "page": validText(p.Page)}
			for k, v := range fields {
				made[k] = v
			}
			doc["upsert"] = made
		}
		if err := errors.Join(out.Encode(&a), out.Encode(doc)); err != nil {
			return nil, nil, fmt.Errorf("write bulk request: %w", err)
		}
		ids = append(ids, a.Update.ID)
	}
	return b.Bytes(), ids, nil
}

// maxAnswer bounds what is read of an answer: a server lists every document.
const maxAnswer = 64 << 20

type bulkResult struct {
	Status int `json:"status"`
	Error  struct {
		Type   string `json:"type"`
		Reason string `json:"reason"`
	} `json:"error"`
}

type bulkItem struct {
	Update bulkResult `json:"update"`
}

func (e *Elastic) post(ctx context.Context, body []byte) (items []bulkItem, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.opt.URL+"/_bulk", bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make bulk request: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	switch {
	case e.opt.APIKey != "":
		req.Header.Set("Authorization", "ApiKey "+e.opt.APIKey)
	case e.opt.User != "":
		req.SetBasicAuth(e.opt.User, e.opt.Password)
	}
	resp, err := e.opt.Client.Do(req)
	if err != nil {
		return nil, &passingError{err: fmt.Errorf("send documents: %w", err)}
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, &passingError{err: fmt.Errorf("read answer: %w", err)}
	}
	if err := refusal(resp, text); err != nil {
		return nil, err
	}
	var answer struct {
		Items []bulkItem `json:"items"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return nil, &passingError{err: fmt.Errorf("read answer: %w", err)}
	}
	return answer.Items, nil
}

// refusal is what the status of a whole request means; nil for success.
func refusal(resp *http.Response, text []byte) error {
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return nil
	}
	err := fmt.Errorf("status %d: %.200s", resp.StatusCode, text)
	switch code := resp.StatusCode; {
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return fmt.Errorf("%w; are ES_USER and ES_PASSWORD, or ES_API_KEY, right, and may they write into ES_INDEX?", err)
	case code == http.StatusRequestEntityTooLarge:
		return fmt.Errorf("%w: %w", errTooLarge, err)
	case code == http.StatusTooManyRequests || code == http.StatusRequestTimeout || code >= 500:
		seconds, perr := strconv.Atoi(resp.Header.Get("Retry-After"))
		if perr != nil {
			seconds = 0 // a date, or nothing: our own pause will do
		}
		return &passingError{err: err, after: time.Duration(seconds) * time.Second}
	}
	return err
}
