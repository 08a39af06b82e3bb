package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// past writes a rotated segment with calls of a day before today, and records
// them in a ledger by the rules that the rig begins with.
func (r *callRig) past(suffix string, days, n int, ledger map[string]int64) {
	r.t.Helper()
	noon := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -days).Add(12 * time.Hour)
	var b strings.Builder
	var at time.Time
	line := func(uri string, status int, user string) {
		at = noon.Add(time.Duration(b.Len()) * time.Millisecond)
		fmt.Fprintf(&b, "v1\t%d.%03d\t%032x\t192.0.2.7\t%s\tGET\t%d\t%s\t-\tcurl/8\t-\t-\t%s\t0.0%02d\t43\tend\n",
			at.Unix(), at.Nanosecond()/1e6, at.UnixNano(), callSite, status, uri, user, status%90)
	}
	for i := range n {
		line(fmt.Sprintf("/users/%d", i), 200, "amy")
		line("/nowhere/77/", 404, "-")
	}
	writeFile(r.t, r.log+suffix, b.String())
	must(r.t, os.Chtimes(r.log+suffix, at, at))
	ledger["total"] += int64(2 * n)
	for _, f := range []string{"endpoint:GET /users/:id", "status:200", "user:amy", "endpoint:GET /nowhere/:id", "status:404"} {
		ledger[f] += int64(n)
	}
}

// byNewRoutes makes the ledger that of the rules that callRules set.
func (r *callRig) byNewRoutes() {
	r.calls["endpoint:GET /users/*"] = r.calls["endpoint:GET /users/:id"]
	delete(r.calls, "endpoint:GET /users/:id")
	for _, e := range []string{"GET /nowhere/:id", "GET /ready-for-tests"} {
		r.calls["failed"] += r.calls["endpoint:"+e]
		r.calls["failed:"+e] += r.calls["endpoint:"+e]
	}
}

var callRules = map[string]string{"API_ROUTES": "/users/*", "API_FAILED_FROM": "400"}

// TestCallsRecount changes API_ROUTES and counts again: days whose segments are
// there, archived or not, are as the new rules have them, a day whose segment is
// gone stays as it was and is named. A second time changes nothing.
func TestCallsRecount(t *testing.T) {
	r := newCallRig(t)
	kept := map[string]int64{}
	r.past(".23", 5, 30, kept)
	r.past(".22", 2, 30, r.calls)
	r.past(".21", 1, 20, r.calls)
	r.daemon.Start()
	r.call(10)
	r.rotate(".1")
	r.call(5)
	old := time.Now().Add(-time.Hour)
	must(t, os.Chtimes(r.log+".1", old, old))
	Eventually(t, settleLimit, "all is counted", func() error {
		return r.differs(merged(r.calls, kept))
	})
	r.command("archive")
	must(t, os.Remove(r.log+".23"))
	r.call(5)
	r.daemon.Terminate()
	for name, value := range callRules {
		r.daemon.Env[name] = value
	}
	r.daemon.Start()

	if out := r.command("recount", "--days", "7", "--dry-run"); !strings.Contains(out, "nothing was changed") || !strings.Contains(out, ".23 is gone") {
		t.Errorf("dry run:\n%s", out)
	}
	out := r.recount()
	t.Log(out)
	for _, want := range []string{"API calls:", ".23 is gone", "the log that is not archived yet"} {
		if !strings.Contains(out, want) {
			t.Errorf("recount does not say %q:\n%s", want, out)
		}
	}
	r.byNewRoutes()
	r.calls = merged(r.calls, kept)
	r.exact()
	r.recount()
	r.exact()
	if out := r.command("verify"); !strings.Contains(out, " 0 differences, 0 problems") {
		t.Errorf("verify:\n%s", out)
	}
	for days, want := range map[int]string{5: "GET /users/:id", 1: "GET /users/*"} {
		r.reported(days, want)
	}
}

// recount counts again while calls come in, so that the daemon notices at once.
func (r *callRig) recount() string {
	r.t.Helper()
	p := newProcess(r.t, "recount", Binary(r.t), "recount", "--days", "7")
	p.env, p.dir = environment(r.daemon.Env), TempDir(r.t)
	p.start()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-p.done:
			if p.end != nil {
				r.t.Fatalf("recount: %v\n%s", p.end, p.output())
			}
			return p.output()
		case <-tick.C:
			r.get("/fail", "GET /fail", 503, "")
		}
	}
}

func merged(a, b map[string]int64) map[string]int64 {
	sum := map[string]int64{}
	for _, m := range []map[string]int64{a, b} {
		for f, n := range m {
			sum[f] += n
		}
	}
	return sum
}

// reported waits until the report of a day has an endpoint.
func (r *callRig) reported(days int, endpoint string) {
	r.t.Helper()
	date := time.Now().UTC().AddDate(0, 0, -days).Format(time.DateOnly)
	Eventually(r.t, settleLimit, "the report of "+date, func() error {
		body, err := r.daemon.Get("/api/admin/reports/daily?site=" + callSite + "&date=" + date)
		if err != nil {
			return err
		}
		var report struct{ Endpoints []struct{ Endpoint string } }
		if err := json.Unmarshal(body, &report); err != nil {
			return err
		}
		for _, e := range report.Endpoints {
			if e.Endpoint == endpoint {
				return nil
			}
		}
		return fmt.Errorf("no %s in %s", endpoint, body)
	})
}
