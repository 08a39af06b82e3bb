package alert

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestWatchTellsEdges(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	w := NewWatch()
	lag := Finding{Name: "Lag", Severity: Warning, Summary: "61 s behind", For: time.Minute}
	gap := Finding{Name: "Gap", Severity: Critical, Summary: "a segment is gone"}
	f := func(after time.Duration, findings []Finding, want ...string) {
		t.Helper()
		now = now.Add(after)
		var got []string
		for _, m := range w.Look(now, time.Hour, findings) {
			got = append(got, fmt.Sprintf("%s %s %v %v", m.Name, m.Site, m.Resolved, now.Sub(m.Since)))
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(0, nil)
	f(0, []Finding{lag, gap}, "Gap  false 0s")
	f(59*time.Second, []Finding{lag, gap})
	f(time.Second, []Finding{lag, gap}, "Lag  false 1m0s")
	f(time.Second, []Finding{gap}, "Lag  true 1m1s")
	f(time.Second, []Finding{lag, gap}) // anew: it has to last again
	f(59*time.Second, []Finding{gap})   // it did not, so nothing is to be taken back
	f(57*time.Minute, []Finding{gap})
	f(time.Minute, []Finding{gap}, "Gap  false 1h0m1s")
	f(time.Minute, []Finding{gap})
	a, b := gap, gap
	a.Site, b.Site = "a.example", "b.example"
	f(0, []Finding{b, a}, "Gap  true 1h1m1s", "Gap a.example false 0s", "Gap b.example false 0s")
	f(time.Second, []Finding{b}, "Gap a.example true 1s")
}

// receiver is the other end, which may be out of order.
type receiver struct {
	*httptest.Server
	status int
	got    []Message
}

func startReceiver(t *testing.T) *receiver {
	r := &receiver{status: http.StatusOK}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		var m Message
		if err == nil {
			err = json.Unmarshal(body, &m)
		}
		if err != nil || req.Method != "POST" || req.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %q: %v", req.Method, body, err)
		}
		if r.status == http.StatusFound {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(r.status)
		if r.status == http.StatusOK {
			r.got = append(r.got, m)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func TestWebhook(t *testing.T) {
	r := startReceiver(t)
	var log bytes.Buffer
	h := NewWebhook("host1", slog.New(slog.NewTextHandler(&log, nil)))
	now := time.Unix(1_700_000_000, 0)
	address := Target{URL: r.URL + "/hook?token=hush"}
	m := Message{Name: "Lag", Severity: Warning, Site: "a.example", Summary: "61 s behind", Since: now.UTC()}
	h.Add(m)
	h.Post(t.Context(), now, address)
	want := m
	want.Host, want.Text = "host1", "[warning] Lag (a.example on host1): 61 s behind, since 2023-11-14T22:13:20Z"
	if len(r.got) != 1 || r.got[0] != want {
		t.Fatalf("got %+v, want %+v", r.got, want)
	}

	// What fails is tried again, later and later; the latest word counts.
	wait := minWait
	for _, status := range []int{500, 404, http.StatusFound} {
		r.status = status
		h.Add(m)
		h.Post(t.Context(), now, address)
		if h.wait != wait {
			t.Errorf("status %d: waits %v, want %v", status, h.wait, wait)
		}
		h.Post(t.Context(), now.Add(wait-1), address) // not yet
		if h.wait != wait {
			t.Error("tried too soon")
		}
		now = now.Add(wait)
		wait *= 2
	}
	r.status = 200
	m.Resolved = true
	h.Add(m, Message{Name: "Other"})
	h.Post(t.Context(), now, address)
	if len(r.got) != 3 || !r.got[1].Resolved || !strings.HasPrefix(r.got[1].Text, "[resolved]") || r.got[2].Name != "Other" {
		t.Errorf("got %+v", r.got)
	}

	// Nobody listens; the secret of the address stays out of the log.
	r.Close()
	h.Add(m)
	h.Post(t.Context(), now, address)
	h.Post(t.Context(), now.Add(time.Hour), Target{URL: "http://[::1]:namedport/hush"})
	if h.Sent.Load() != 3 || h.Failed.Load() != 5 {
		t.Errorf("%d sent, %d failed", h.Sent.Load(), h.Failed.Load())
	}
	if s := log.String(); strings.Contains(s, "hush") || strings.Contains(s, "127.0.0.1") && strings.Contains(s, "/hook") || !strings.Contains(s, "posted again") {
		t.Errorf("the log has:\n%s", s)
	}
	h.Post(t.Context(), now, Target{})
	if len(h.queue) != 0 {
		t.Error("without an address the queue stays")
	}
}

func TestWebhookQueueIsBounded(t *testing.T) {
	h := NewWebhook("host1", slog.New(slog.DiscardHandler))
	for i := range maxQueue + 100 {
		h.Add(Message{Name: "Gap", Site: fmt.Sprint(i)})
	}
	if len(h.queue) != maxQueue || h.queue[maxQueue-1].Site != fmt.Sprint(maxQueue+99) {
		t.Errorf("%d wait", len(h.queue))
	}
}
