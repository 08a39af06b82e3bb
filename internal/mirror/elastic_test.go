package mirror

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"ddkk-stats/counter"
)

// index is a server that speaks _bulk and fails as it is told to.
type index struct {
	mu    sync.Mutex
	docs  map[string]float64 // id -> views
	fails []string           // what the next requests meet; "": nothing
	waits []time.Duration    // pauses of the client
	auth  string
	sizes []int // documents of each request
}

func (x *index) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.auth = r.Header.Get("Authorization")
	fail := ""
	if len(x.fails) > 0 {
		fail, x.fails = x.fails[0], x.fails[1:]
	}
	switch fail {
	case "429":
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusTooManyRequests)
		return
	case "503":
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case "401":
		w.WriteHeader(http.StatusUnauthorized)
		return
	case "hang":
		// The server notices that the client left only once the body is read.
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			<-r.Context().Done()
		}
		return
	}
	var items []string
	lines := bufio.NewScanner(r.Body)
	for lines.Scan() {
		var action bulkAction
		var doc struct{ Doc map[string]float64 }
		if json.Unmarshal(lines.Bytes(), &action) != nil || !lines.Scan() || json.Unmarshal(lines.Bytes(), &doc) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		id := action.Update.ID
		if fail == "413" {
			items = append(items, "")
			continue
		}
		switch {
		case fail == "429 items" && len(items)%2 == 1:
			items = append(items, fmt.Sprintf(`{"update":{"_id":%q,"status":429,"error":{"type":"es_rejected_execution_exception"}}}`, id))
		case strings.HasSuffix(id, "/bad"):
			items = append(items, fmt.Sprintf(`{"update":{"_id":%q,"status":400,"error":{"type":"mapper_parsing_exception","reason":"x"}}}`, id))
		default:
			x.docs[id] = doc.Doc["views"]
			items = append(items, fmt.Sprintf(`{"update":{"_id":%q,"status":200}}`, id))
		}
	}
	x.sizes = append(x.sizes, len(items))
	if fail == "413" {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	answer := `{"took":1,"errors":true,"items":[` + strings.Join(items, ",") + `]}`
	if fail == "half" {
		answer = answer[:len(answer)/2]
	}
	fmt.Fprint(w, answer)
}

func newIndex(t *testing.T, log *slog.Logger) (*index, *Elastic) {
	t.Helper()
	x := &index{docs: map[string]float64{}}
	server := httptest.NewServer(x)
	t.Cleanup(server.Close)
	return x, NewElastic(ElasticOptions{URL: server.URL, Index: "pages", ID: "{site}{page}", Views: "views", Bots: "bot_views", Upsert: true,
		User: "u", Password: "p", Client: &http.Client{Timeout: 300 * time.Millisecond}, Logger: log,
		Pause: func(_ context.Context, d time.Duration) error { x.waits = append(x.waits, d); return nil }})
}

func TestElasticFailures(t *testing.T) {
	pages := []counter.PageTotal{{Page: "/a", PV: 3}, {Page: "/b", PV: 2, Bots: 1}, {Page: "/c", PV: 1}}
	f := func(done int, pauses string, fails ...string) {
		t.Helper()
		x, e := newIndex(t, slog.New(slog.DiscardHandler))
		x.fails = fails
		got, err := e.Send(t.Context(), "s", pages)
		if len(got) != done || (err == nil) != (done == len(pages)) {
			t.Errorf("%q: %d pages are done, error %v; want %d", fails, len(got), err, done)
		}
		if fmt.Sprint(x.waits) != pauses {
			t.Errorf("%q: it waited %v, want %s", fails, x.waits, pauses)
		}
		if done == len(pages) && (len(x.docs) != 3 || x.docs["s/a"] != 3 || x.auth != "Basic dTpw") {
			t.Errorf("%q: the index has %v", fails, x.docs)
		}
	}
	f(3, "[]")
	f(3, "[7s]", "429")
	f(3, "[500ms 1s]", "503", "503")
	f(3, "[500ms]", "429 items")
	f(3, "[500ms]", "half")
	f(3, "[500ms]", "hang")
	f(3, "[]", "413")
	f(0, "[]", "401")
	f(0, "[500ms 1s 2s 4s]", "503", "503", "503", "503", "503")
	f(2, "[500ms 1s 2s 4s]", "429 items", "503", "503", "503", "503")
}

func TestElasticRefusedDocument(t *testing.T) {
	var said strings.Builder
	_, e := newIndex(t, slog.New(slog.NewTextHandler(&said, nil)))
	for range 3 {
		done, err := e.Send(t.Context(), "s", []counter.PageTotal{{Page: "/a", PV: 1}, {Page: "/bad", PV: 2}})
		if len(done) != 2 || err != nil {
			t.Errorf("%v, %v", done, err)
		}
	}
	if n := strings.Count(said.String(), "s/bad"); n != 1 || e.Rejected() != 3 {
		t.Errorf("named %d times and counted %d: %s", n, e.Rejected(), said.String())
	}
}

// TestSenderResumes: what the index did not acknowledge stays due, and so does
// a page that was seen again meanwhile.
func TestSenderResumes(t *testing.T) {
	w := newWorld(t, 1)
	flusher := w.flusher("a", 0)
	w.view("/a", 3, 1)
	w.view("/b", 1, 0)
	check(t, flusher.Flush(t.Context()))
	x, e := newIndex(t, slog.New(slog.DiscardHandler))
	m := counter.NewMirror(w.rdb, w.keys, "a", true)
	send := func(ok bool) {
		t.Helper()
		s := NewSender(m, e, func(string) bool { return false }, time.Now)
		if err := s.Send(t.Context()); (err == nil) != ok {
			t.Fatalf("send: %v", err)
		}
	}
	x.fails = []string{"401"}
	send(false)
	w.view("/a", 2, 0)
	send(true)
	if x.docs["a.example/a"] != 5 || x.docs["a.example/b"] != 1 {
		t.Errorf("the index has %v", x.docs)
	}
	if s, err := m.State(t.Context(), worldSite); err != nil || s.Sink != 0 {
		t.Errorf("%d pages are due, %v", s.Sink, err)
	}
	left, err := m.SinkDone(t.Context(), worldSite, []counter.PageTotal{{Page: "/a", PV: 3, Bots: 1}})
	if s, serr := m.State(t.Context(), worldSite); err != nil || serr != nil || left != 1 || s.Sink != 1 {
		t.Errorf("an old total is taken as acknowledged: %d left, %d due, %v, %v", left, s.Sink, err, serr)
	}
}
