package sim

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"
)

// What can befall a request to the search index.
const (
	indexDown    = "search index: connection refused"
	indexBefore  = "search index: cut before it was executed"
	indexAfter   = "search index: cut after it was executed"
	indexTorn    = "search index: answer cut in the middle"
	indexHang    = "search index: no answer, not executed"
	indexBusy    = "search index: 503"
	indexLarge   = "search index: request too large"
	indexInPart  = "search index: some documents refused for now"
	indexTimeout = 4 * time.Second // of a client
)

var indexKinds = []string{indexDown, indexBefore, indexAfter, indexTorn, indexHang, indexBusy, indexLarge, indexInPart}

// index is a search index in memory: it knows partial updates through _bulk and nothing else.
type index struct {
	struck func(kind string)

	mu    sync.Mutex
	docs  map[string]document
	armed []string // what befalls the next requests, one each
}

// document is what the index has of a page.
type document struct {
	Views, Bots int64
}

func newIndex(struck func(string)) *index { return &index{struck: struck, docs: map[string]document{}} }

// arm has something befall the request after those that something befalls already.
func (x *index) arm(kind string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.armed = append(x.armed, kind)
}

func (x *index) heal() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.armed = nil
}

func (x *index) next() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.armed) == 0 {
		return ""
	}
	kind := x.armed[0]
	x.armed = x.armed[1:]
	return kind
}

// indexLink is the way of a life of a daemon to the index.
type indexLink struct {
	index *index
	dead  func() bool // it was killed
}

// RoundTrip implements http.RoundTripper.
func (l indexLink) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if err := r.Body.Close(); err != nil {
		return nil, err
	}
	time.Sleep(latency)
	x, kind := l.index, ""
	if !l.dead() {
		if kind = x.next(); kind != "" {
			x.struck(kind)
		}
	}
	switch {
	case l.dead(), kind == indexDown:
		return nil, syscall.ECONNREFUSED
	case kind == indexBefore:
		return nil, syscall.ECONNRESET
	case kind == indexHang:
		<-r.Context().Done()
		return nil, r.Context().Err()
	case kind == indexBusy:
		return said(r, http.StatusServiceUnavailable, "busy"), nil
	case kind == indexLarge && bytes.Count(body, []byte("\n")) > 2:
		return said(r, http.StatusRequestEntityTooLarge, "too large"), nil
	}
	answer, err := x.update(body, kind == indexInPart)
	switch {
	case err != nil:
		return nil, err
	case kind == indexAfter:
		return nil, syscall.ECONNRESET
	case kind == indexTorn:
		answer = answer[:len(answer)/2]
	}
	return said(r, http.StatusOK, answer), nil
}

func said(r *http.Request, status int, text string) *http.Response {
	return &http.Response{Status: http.StatusText(status), StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text)), ContentLength: int64(len(text)), Request: r}
}

// update does what a bulk request asks for; of one that is refused in part every other
// document.
func (x *index) update(body []byte, inPart bool) (answer string, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	var items []string
	lines := bufio.NewScanner(bytes.NewReader(body))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var action struct {
			Update struct {
				ID string `json:"_id"`
			} `json:"update"`
		}
		var change struct {
			Doc    document `json:"doc"`
			Upsert document `json:"upsert"`
		}
		if err := json.Unmarshal(lines.Bytes(), &action); err != nil {
			return "", err
		}
		if !lines.Scan() {
			return "", fmt.Errorf("bulk request ends behind the action of %q", action.Update.ID)
		}
		if err := json.Unmarshal(lines.Bytes(), &change); err != nil {
			return "", err
		}
		if change.Doc != change.Upsert {
			return "", fmt.Errorf("document %q is made with %+v and changed to %+v", action.Update.ID, change.Upsert, change.Doc)
		}
		if inPart && len(items)%2 == 0 {
			items = append(items, `{"update":{"status":429,"error":{"type":"rejected","reason":"busy"}}}`)
			continue
		}
		x.docs[action.Update.ID] = change.Doc
		items = append(items, `{"update":{"status":200}}`)
	}
	return `{"items":[` + strings.Join(items, ",") + `]}`, lines.Err()
}

// read is what the index has, by the names of ledger.mirrored.
func (x *index) read() numbers {
	x.mu.Lock()
	defer x.mu.Unlock()
	n := numbers{}
	for id, d := range x.docs {
		if d.Views != 0 {
			n["document "+id] = d.Views
		}
		if d.Bots != 0 {
			n["document "+id+" bots"] = d.Bots
		}
	}
	return n
}
