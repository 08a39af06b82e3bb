package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// wrkResult is what wrk measured: closed loop, every connection asks again as
// soon as it is answered.
type wrkResult struct {
	requests       float64
	perSecond      float64
	p50, p99, p999 time.Duration
}

// wrkScript makes wrk POST the bodies in turn and print what wrkReport reads.
func wrkScript(path string, bodies []string) string {
	var s strings.Builder
	s.WriteString("local bodies = {\n")
	for _, body := range bodies {
		fmt.Fprintf(&s, "%s,\n", strconv.Quote(body))
	}
	fmt.Fprintf(&s, `}
local requests, n = {}, 0
function init(args)
  for i, body in ipairs(bodies) do
    requests[i] = wrk.format("POST", %q, {["Content-Type"] = "application/json", ["Host"] = "count.example.net"}, body)
  end
end
function request()
  n = n %% #requests + 1
  return requests[n]
end
%s`, path, wrkReport)
	return s.String()
}

// wrkReport prints requests, duration and latencies, all in microseconds, and
// how many answers were errors.
const wrkReport = `
function done(s, latency)
  local e = s.errors
  io.write(string.format("report %d %d %d %d %d %d\n", s.requests, s.duration,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
    e.connect + e.read + e.write + e.status + e.timeout))
end
`

// wrk loads a URL with so many connections for so many seconds.
func (b *bench) wrk(ctx context.Context, connections, seconds int, script, url string) (wrkResult, error) {
	path, err := program("wrk")
	if err != nil {
		return wrkResult{}, err
	}
	out, _, err := b.output(ctx, b.dir, path, "-t1", "-c"+strconv.Itoa(connections), "-d"+strconv.Itoa(seconds)+"s", "-s", script, url)
	if err != nil {
		return wrkResult{}, err
	}
	_, report, ok := strings.Cut(string(out), "report ")
	if !ok {
		return wrkResult{}, fmt.Errorf("wrk printed no report: %s", out)
	}
	var n, us, p50, p99, p999, failed int64
	if _, err := fmt.Sscan(report, &n, &us, &p50, &p99, &p999, &failed); err != nil {
		return wrkResult{}, fmt.Errorf("read wrk's report: %w", err)
	}
	if failed > 0 || n == 0 {
		return wrkResult{}, fmt.Errorf("%d of %d requests failed", failed, n)
	}
	us2 := func(v int64) time.Duration { return time.Duration(v) * time.Microsecond }
	return wrkResult{requests: float64(n), perSecond: float64(n) / us2(us).Seconds(), p50: us2(p50), p99: us2(p99), p999: us2(p999)}, nil
}
