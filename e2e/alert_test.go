package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// webhook is the other end of ALERT_URL: it keeps what it took, and refuses
// while it is out of order.
type webhook struct {
	*httptest.Server
	mu      sync.Mutex
	status  int
	refused int
	got     []alertMessage
}

// alertMessage is what is posted, as docs/OPERATIONS.md says.
type alertMessage struct {
	Name, Severity, Site, Summary, Host, Text string
	Since                                     time.Time
	Resolved                                  bool
}

func startWebhook(t *testing.T) *webhook {
	t.Helper()
	w := &webhook{status: http.StatusNoContent}
	w.Server = httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, req *http.Request) {
		w.mu.Lock()
		defer w.mu.Unlock()
		var m alertMessage
		decoder := json.NewDecoder(req.Body)
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&m); err != nil || req.Method != http.MethodPost || req.URL.String() != "/hook?token=hush" {
			t.Errorf("%s %s: %v", req.Method, req.URL, err)
		}
		if out.WriteHeader(w.status); w.status == http.StatusNoContent {
			w.got = append(w.got, m)
		} else {
			w.refused++
		}
	}))
	t.Cleanup(w.Close)
	return w
}

func (w *webhook) answer(status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status = status
}

// seen is what was taken, in order, and how often it was refused.
func (w *webhook) seen() (all []string, refused int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range w.got {
		all = append(all, fmt.Sprintf("%s %s %v", m.Name, m.Severity, m.Resolved))
	}
	return all, w.refused
}

// await waits until exactly these were taken.
func (w *webhook) await(t *testing.T, want ...string) {
	t.Helper()
	Eventually(t, 3*time.Minute, "alerts arrive", func() error {
		got, _ := w.seen()
		if !slices.Equal(got, want) {
			return fmt.Errorf("%q, want %q", got, want)
		}
		return nil
	})
}

// TestAlertWebhook: Redis is killed under load. A webhook that fails is tried
// again and that is said; the alert arrives once, and once that it is over; so
// does one about a log that was cut. Every line counts.
func TestAlertWebhook(t *testing.T) {
	r := newRig(t, rigOptions{})
	hook := startWebhook(t)
	r.daemon.Env["ALERT_URL"] = hook.URL + "/hook?token=hush"
	r.daemon.Start()
	stop := r.feed()
	r.more(500)
	hook.answer(http.StatusBadGateway)
	r.redis.Kill()
	Eventually(t, 3*time.Minute, "the webhook is tried again", func() error {
		if got, refused := hook.seen(); refused < 2 || len(got) > 0 {
			return fmt.Errorf("refused %d times, took %q", refused, got)
		}
		return nil
	})
	r.wantLogged("cannot post an alert to ALERT_URL; will retry")
	r.wantLogged("status 502")
	hook.answer(http.StatusNoContent)
	hook.await(t, "DdkkRedisDown critical false")
	r.wantLogged("alerts are posted again")
	r.redis.Start()
	hook.await(t, "DdkkRedisDown critical false", "DdkkRedisDown critical true")
	stop()
	r.exact()

	// Another one, which lasts: it is told once.
	name := r.rotate()
	r.exact()
	must(t, os.Truncate(name, 100))
	hook.await(t, "DdkkRedisDown critical false", "DdkkRedisDown critical true", "DdkkSegmentAlarm critical false")
	looks := time.NewTimer(40 * time.Second) // two more looks
	defer looks.Stop()
	select {
	case <-looks.C:
	case <-t.Context().Done():
	}
	hook.await(t, "DdkkRedisDown critical false", "DdkkRedisDown critical true", "DdkkSegmentAlarm critical false")
	m := hook.got[0]
	if m.Host == "" || m.Summary == "" || time.Since(m.Since) > 10*time.Minute || !strings.HasPrefix(m.Text, "[critical] DdkkRedisDown ("+m.Host+"): ") {
		t.Errorf("%+v", m)
	}
	if n := strings.Count(r.daemon.Log(), "cannot post an alert"); n != 1 {
		t.Errorf("the log says %d times that alerts cannot be posted", n)
	}
	if strings.Contains(r.daemon.Log(), "hush") {
		t.Error("the log has the address")
	}
}
