//go:build attack

package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// attackMinutes is how long strangers do their best: ATTACK_MINUTES, or half a minute.
func attackMinutes(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("ATTACK_MINUTES")
	if text == "" {
		return 30 * time.Second
	}
	minutes, err := strconv.ParseFloat(text, 64)
	if err != nil || minutes <= 0 {
		t.Fatalf("ATTACK_MINUTES=%q: not a number of minutes", text)
	}
	return time.Duration(minutes * float64(time.Minute))
}

// TestAttackLoad measures what others wait for while strangers do their best, each as
// fast as the limits of its address let it. Others are readers and a page's views,
// paced. Rounds take turns: quiet, the same number of ordinary requests from the same
// strangers, hostile ones. What is held against twice is hostile against ordinary: the
// strangers of this test and what they attack share one machine, and the
// work of sending is not the daemon's.
func TestAttackLoad(t *testing.T) {
	const strangers, rounds = 24, 3
	r := startAttack(t, map[string]string{"PUBLIC_SITES": "ddkk.com"})
	for i := range 50 {
		r.stranger(i).beacon("ddkk.com", fmt.Sprintf("/%d", i), "&category=shop&action=buy")
	}
	padding := strings.Repeat("<", 180)
	for n := range 10 { // prepared answers, as long as they can be
		s := r.stranger(256*n + 300)
		for i := range 100 {
			s.beacon("victim.example", "/", fmt.Sprintf("&category=%d%s&action=%d%s", n, padding, i, padding))
		}
	}
	r.counted(50 + 1000)
	window := attackMinutes(t) / (3 * rounds)
	kinds := []string{"quiet", "ordinary", "hostile"}
	took := map[string][]time.Duration{}
	var sent, answered, refused [3]atomic.Int64
	serial := atomic.Int64{}
	for range rounds {
		for k, kind := range kinds {
			var work sync.WaitGroup
			end := time.Now().Add(window)
			if kind != "quiet" {
				for n := range strangers {
					s := newStranger(t, r.nginx.Addr, 256*n+5)
					work.Go(func() {
						defer s.close()
						for time.Now().Before(end) {
							method, target, headers, body := ordinary(serial.Add(1))
							if kind == "hostile" {
								method, target, headers, body = worst(serial.Add(1), padding)
							}
							a, err := s.send(method, target, headers, body)
							sent[k].Add(1)
							switch {
							case err != nil:
								s.close()
							case a.status == http.StatusTooManyRequests:
								refused[k].Add(1)
								pause(t, 20*time.Millisecond)
							default:
								answered[k].Add(1)
							}
						}
					})
				}
			}
			took[kind] = append(took[kind], others(t, r, end)...)
			work.Wait()
		}
	}
	p99 := map[string]time.Duration{}
	for k, kind := range kinds {
		all := took[kind]
		slices.Sort(all)
		p99[kind] = all[len(all)*99/100]
		t.Logf("%-8s: others p50 %7v, p99 %7v of %d requests; strangers sent %d, answered %d, refused %d", kind, all[len(all)/2].Round(10*time.Microsecond),
			p99[kind].Round(10*time.Microsecond), len(all), sent[k].Load(), answered[k].Load(), refused[k].Load())
	}
	if p99["hostile"] > 2*max(p99["ordinary"], 5*time.Millisecond) {
		t.Errorf("strangers raised others' p99 from %v to %v, more than twice", p99["ordinary"], p99["hostile"])
	}
	r.counted(0)
	if b, err := r.books(); err != nil || b.sum("process_resident_memory_bytes") > 500<<20 && os.Getenv("DDKK_E2E_RACE") == "0" {
		t.Errorf("the daemon uses %.0f MB, %v", b.sum("process_resident_memory_bytes")/(1<<20), err)
	}
}

// others are readers of numbers and of lists, and a view now and then, at a pace.
func others(t *testing.T, r *attackRig, end time.Time) (took []time.Duration) {
	var mu sync.Mutex
	var work sync.WaitGroup
	for n := range 4 {
		s := newStranger(t, r.nginx.Addr, 256*(200+n)+9)
		work.Go(func() {
			defer s.close()
			for i := 0; time.Now().Before(end); i++ {
				method, target, headers, body := ordinary(int64(i))
				a, err := s.send(method, target, headers, body)
				if err != nil || a.status != http.StatusOK {
					t.Errorf("others: %s %s: %d %v", method, target, a.status, err)
					return
				}
				mu.Lock()
				took = append(took, a.took)
				mu.Unlock()
				pause(t, 15*time.Millisecond)
			}
		})
	}
	work.Wait()
	return took
}

// ordinary requests are those of pages.
func ordinary(n int64) (method, target, headers, body string) {
	switch n % 4 {
	case 0:
		return "GET", fmt.Sprintf("/event.png?site=ddkk.com&page=/%d", n%50), attackAgent, ""
	case 1:
		return "GET", "/api/hot?site=ddkk.com&limit=10", "", ""
	}
	return "POST", "/api/stats", "Content-Type: application/json\r\n", fmt.Sprintf(`{"site":"ddkk.com","page":"/%d","fields":["site_pv","site_uv","page_pv"]}`, n%50)
}

// worst requests are what we know to cost most.
func worst(n int64, padding string) (method, target, headers, body string) {
	junk := url.QueryEscape(fmt.Sprintf("%d%s", n, padding))
	switch n % 10 {
	case 0:
		return "GET", "/event.png?site=ddkk.com&page=/" + junk, attackAgent + fmt.Sprintf("X-A: %s\r\n", padding), ""
	case 1:
		return "GET", fmt.Sprintf("/event.png?site=s%d.example&page=/", n), fmt.Sprintf("User-Agent: Mozilla/5.0 Firefox/%d.0\r\n", n), ""
	case 2:
		return "GET", "/event.png?site=ddkk.com&page=/&category=" + junk + "&action=" + junk + "&label=" + junk, attackAgent, ""
	case 3:
		return "GET", "/event.png?site=ddkk.com&page=/&ref=https://" + fmt.Sprint(n) + ".example/", attackAgent, ""
	case 4:
		return "GET", "/api/events?site=victim.example&limit=10000", "", ""
	case 5:
		return "GET", "/api/hot?site=ddkk.com&limit=1000&period=all", "", ""
	case 6:
		return "GET", fmt.Sprintf("/api/history?site=ddkk.com&from=%d-01-01&to=2026-12-31&page=/%s", 2000+n%26, junk), "", ""
	case 7:
		return "GET", "/api/admin/sites", fmt.Sprintf("Authorization: Bearer wrong%d\r\n", n), ""
	case 8:
		return "GET", fmt.Sprintf("/badge/ddkk.com.svg?x=%d", n), "", ""
	}
	pages := make([]string, 100)
	for i := range pages {
		pages[i] = fmt.Sprintf(`"/%d-%d"`, n, i)
	}
	return "POST", "/api/batch", "Content-Type: application/json\r\n", `{"site":"ddkk.com","pages":[` + strings.Join(pages, ",") + `]}`
}
