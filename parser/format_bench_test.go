//go:build linux

package parser

import (
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// benchFormats write the requests of the real log as servers would, by format.
var benchFormats = []struct {
	name   string
	format Format
	write  func(h *Hit, at time.Time, request, ref, agent string) string
}{
	{"combined", FormatCombined, func(h *Hit, at time.Time, request, ref, agent string) string {
		return fmt.Sprintf(`%s - - [%s] "%s" %d %d "%s" "%s"`, h.Addr, at.Format("02/Jan/2006:15:04:05 -0700"), request, h.Status, h.BytesSent, ref, agent)
	}},
	{"nginx-main", `$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" "$http_x_forwarded_for"`, func(h *Hit, at time.Time, request, ref, agent string) string {
		return fmt.Sprintf(`%s - - [%s] "%s" %d %d "%s" "%s" "-"`, h.Addr, at.Format("02/Jan/2006:15:04:05 -0700"), request, h.Status, h.BytesSent, ref, agent)
	}},
	{"nginx-json", `escape=json {"time":"$time_iso8601","addr":"$remote_addr","req":"$request","status":$status,"bytes":$body_bytes_sent,"took":$request_time,"ref":"$http_referer","ua":"$http_user_agent","host":"$host"}`, func(h *Hit, at time.Time, request, ref, agent string) string {
		return fmt.Sprintf(`{"time":"%s","addr":"%s","req":"%s","status":%d,"bytes":%d,"took":0.003,"ref":"%s","ua":"%s","host":"ddkk.com"}`, at.Format("2006-01-02T15:04:05-07:00"), h.Addr, request, h.Status, h.BytesSent, ref, agent)
	}},
	{"common", "common", func(h *Hit, at time.Time, request, _, _ string) string {
		return fmt.Sprintf(`%s - - [%s] "%s" %d %d`, h.Addr, at.Format("02/Jan/2006:15:04:05 -0700"), request, h.Status, h.BytesSent)
	}},
	{"vcombined", "vcombined", func(h *Hit, at time.Time, request, ref, agent string) string {
		return fmt.Sprintf(`ddkk.com:443 %s - - [%s] "%s" %d %d "%s" "%s"`, h.Addr, at.Format("02/Jan/2006:15:04:05 -0700"), request, h.Status, h.BytesSent, ref, agent)
	}},
	{"apache-ms", "apache-ms", func(h *Hit, at time.Time, request, ref, agent string) string {
		return fmt.Sprintf(`%s - - [%s] "%s" %d %d "%s" "%s"`, h.Addr, at.Format("02/Jan/2006:15:04:05.000 -0700"), request, h.Status, h.BytesSent, ref, agent)
	}},
	{"ingress-nginx", "ingress-nginx", func(h *Hit, at time.Time, request, ref, agent string) string {
		return fmt.Sprintf(`%s - - [%s] "%s" %d %d "%s" "%s" 200 0.001 [default-web-80] [] 10.0.0.1:80, 10.0.0.2:80 0, 5 0.000, 0.001 502, 200 %032x`, h.Addr, at.Format("02/Jan/2006:15:04:05 -0700"), request, h.Status, h.BytesSent, ref, agent, h.Time)
	}},
	{"haproxy", "haproxy", func(h *Hit, at time.Time, request, _, _ string) string {
		return fmt.Sprintf(`Feb  6 12:14:14 lb haproxy[14389]: %s:33317 [%s] http-in static/srv1 10/0/30/69/109 %d %d - - ---- 1/1/1/1/0 0/0 {ddkk.com} {} "%s"`, h.Addr, at.Format("02/Jan/2006:15:04:05.000"), h.Status, h.BytesSent, request)
	}},
	{"iis", "iis", func(h *Hit, at time.Time, request, ref, agent string) string {
		return fmt.Sprintf("%s 10.0.0.4 %s %s - 443 - %s %s %s %d 0 0 31", at.UTC().Format("2006-01-02 15:04:05"), h.Method, h.URI, h.Addr, strings.ReplaceAll(agent, " ", "+"), ref, h.Status)
	}},
	{"alb", "alb", func(h *Hit, at time.Time, request, _, agent string) string {
		return fmt.Sprintf(`https %s app/lb/50dc6c495c0c9188 %s:2817 10.0.0.1:80 0.000 0.001 0.000 %d 200 34 %d "GET https://ddkk.com:443%s HTTP/1.1" "%s" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws:x "Root=1-58337262" "-" "-" 0 2018-07-02T22:22:48.364000Z "forward" "-" "-" "10.0.0.1:80" "200" "-" "-"`, at.UTC().Format("2006-01-02T15:04:05.000000Z"), h.Addr, h.Status, h.BytesSent, h.URI, agent)
	}},
	{"json", FormatJSON, func(h *Hit, at time.Time, request, ref, agent string) string {
		return fmt.Sprintf(`{"time":"%s","remote_addr":"%s","request":"%s","status":%d,"bytes":%d,"request_time":0.003,"http_referer":"%s","http_user_agent":"%s","host":"ddkk.com"}`, at.Format("2006-01-02T15:04:05-07:00"), h.Addr, request, h.Status, h.BytesSent, ref, agent)
	}},
	{"traefik-json", "traefik-json", func(h *Hit, at time.Time, _, ref, agent string) string {
		return fmt.Sprintf(`{"ClientAddr":"%[1]s:47132","ClientHost":"%[1]s","ClientPort":"47132","ClientUsername":"-","DownstreamContentSize":%[2]d,"DownstreamStatus":%[3]d,"Duration":12345678,"OriginContentSize":1234,"OriginDuration":12000000,"OriginStatus":200,"Overhead":345678,"RequestAddr":"ddkk.com","RequestContentSize":0,"RequestCount":17,"RequestHost":"ddkk.com","RequestMethod":"%[4]s","RequestPath":"%[5]s","RequestPort":"-","RequestProtocol":"HTTP/2.0","RequestScheme":"https","RetryAttempts":0,"RouterName":"web@docker","StartLocal":"%[6]s","StartUTC":"%[6]s","entryPointName":"websecure","level":"info","msg":"","request_User-Agent":"%[7]s","request_Referer":"%[8]s","time":"2026-11-20T10:00:00Z"}`,
			h.Addr, h.BytesSent, h.Status, h.Method, h.URI, at.UTC().Format("2006-01-02T15:04:05.000000000Z"), agent, ref)
	}},
	{"caddy", "caddy", func(h *Hit, at time.Time, _, ref, agent string) string {
		return fmt.Sprintf(`{"level":"info","ts":%d.5241024,"logger":"http.log.access","msg":"handled request","request":{"remote_ip":"%s","remote_port":"41342","client_ip":"%[2]s","proto":"HTTP/2.0","method":"%s","host":"ddkk.com","uri":"%s","headers":{"User-Agent":["%s"],"Referer":["%s"],"Accept":["*/*"],"Accept-Encoding":["gzip, deflate, br"]},"tls":{"resumed":false,"version":772,"cipher_suite":4865,"proto":"h2","server_name":"ddkk.com"}},"bytes_read":0,"user_id":"","duration":0.000929675,"size":%d,"status":%d,"resp_headers":{"Server":["Caddy"],"Content-Encoding":["gzip"],"Content-Type":["text/html; charset=utf-8"],"Vary":["Accept-Encoding"]}}`,
			at.Unix(), h.Addr, h.Method, h.URI, agent, ref, h.BytesSent, h.Status)
	}},
}

// BenchmarkFormats reads the real log's requests as each server writes them. Only the
// reading is measured, as v1's is: not what import makes of it.
func BenchmarkFormats(b *testing.B) {
	for _, f := range benchFormats {
		b.Run(f.name, func(b *testing.B) {
			lines := formatLines(b, f.write)
			p, err := New(Config{Format: f.format, Secret: []byte("0123456789abcdef")})
			if err != nil {
				b.Fatal(err)
			}
			var h Hit
			i := 0
			b.ReportAllocs()
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			began := threadTime(b)
			for b.Loop() {
				if p.Parse(lines[i], &h); h.Kind == Malformed {
					b.Fatalf("%v: %s", h.Reason, lines[i])
				}
				if i++; i == len(lines) {
					i = 0
				}
			}
			took := (threadTime(b) - began).Seconds()
			b.ReportMetric(took*1e9/float64(b.N), "cpu-ns/line")
			b.ReportMetric(float64(b.N)/took, "lines/cpu-s")
		})
	}
}

// threadTime is the time that this thread had a processor: what else the machine does
// disturbs it least.
func threadTime(t testing.TB) time.Duration {
	const thread = 1 // RUSAGE_THREAD
	var u syscall.Rusage
	if err := syscall.Getrusage(thread, &u); err != nil {
		t.Skip(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// formatLines are the requests of the real log that need no escapes.
func formatLines(t testing.TB, write func(h *Hit, at time.Time, request, ref, agent string) string) (lines [][]byte) {
	p, err := New(Config{Format: FormatCombined})
	if err != nil {
		t.Fatal(err)
	}
	dash := func(b []byte) string {
		if len(b) == 0 {
			return "-"
		}
		return string(b)
	}
	for _, line := range gzLines(t, realLog) {
		var h Hit
		p.Parse([]byte(line), &h)
		if h.Kind == Malformed || strings.ContainsAny(line, `\`) || strings.ContainsAny(string(h.Referer)+string(h.URI), " ") || strings.Count(line, `"`) != 6 {
			continue
		}
		lines = append(lines, []byte(write(&h, time.UnixMilli(h.Time).UTC(), fmt.Sprintf("%s %s HTTP/1.1", h.Method, h.URI), dash(h.Referer), dash(h.UserAgent))))
	}
	return lines
}
