package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// numbers are all numbers that Redis has of all sites, in one order. What is no number (where
// counting is, what the mirror did) is left out.
func (r *rig) numbers() []string {
	r.t.Helper()
	ctx := r.t.Context()
	keys, err := r.client.Keys(ctx, prefix+"*").Result()
	must(r.t, err)
	var all []string
	for _, k := range keys {
		name := strings.TrimPrefix(k, prefix)
		kind, _, _ := strings.Cut(name, ":")
		if !slices.Contains([]string{"site", "page", "hot", "event", "facet", "base", "api"}, kind) {
			continue
		}
		var text string
		switch of, err := r.client.Type(ctx, k).Result(); {
		case err != nil:
			r.t.Fatal(err)
		case strings.HasPrefix(name, "page:pairs:"): // in any order
			n, err := r.client.StrLen(ctx, k).Result()
			must(r.t, err)
			text = fmt.Sprint(n)
		case of == "string":
			text, err = r.client.Get(ctx, k).Result()
			must(r.t, err)
		case of == "hash":
			m, err := r.client.HGetAll(ctx, k).Result()
			must(r.t, err)
			text = fmt.Sprint(m)
		case of == "set":
			m, err := r.client.SMembers(ctx, k).Result()
			must(r.t, err)
			slices.Sort(m)
			text = fmt.Sprintf("%q", m)
		case of == "zset":
			m, err := r.client.ZRangeWithScores(ctx, k, 0, -1).Result()
			must(r.t, err)
			text = fmt.Sprint(m)
		}
		all = append(all, name+" "+text)
	}
	slices.Sort(all)
	return all
}

// wantNumbers waits until Redis has these numbers.
func (r *rig) wantNumbers(what string, want []string) {
	r.t.Helper()
	Eventually(r.t, settleLimit, what, func() error {
		got := r.numbers()
		for i := range max(len(got), len(want)) {
			switch {
			case i >= len(got):
				return fmt.Errorf("%.200s is lacking", want[i])
			case i >= len(want):
				return fmt.Errorf("%.200s is too much", got[i])
			case got[i] != want[i]:
				return fmt.Errorf("there is %.200s, want %.200s", got[i], want[i])
			}
		}
		return nil
	})
}

// TestVoid takes a wave of spam out of days of which the log is there, is gone and is still
// written, while a daemon counts, and puts it back: all numbers are what they were.
func TestVoid(t *testing.T) {
	eachArchive(t, rigOptions{}, func(r *rig) {
		const spam = "192.0.2.66"
		all, without := r.ledger, NewLedger(r.ledger.loc)
		r.ledger.Follow(without, func(b Beacon) (Beacon, bool) { return b, b.Site != "ddkk.com" || b.IP != spam })
		r.daemon.Start()
		wave := NewTraffic(r.rand.Uint64(), spam, 20)
		noon := time.Now().In(r.ledger.loc).Truncate(24 * time.Hour).Add(-36 * time.Hour)
		for day := range 2 {
			for i := range 300 {
				x := r.traffic.Next()
				if i%3 == 0 {
					x = wave.Next()
				}
				x.Time = noon.AddDate(0, 0, day).Add(time.Duration(i) * time.Second)
				r.writer.Write(0, x)
			}
			r.archive()
			if day == 0 {
				r.exact()
				r.deleteSegments()
			}
		}
		for range 100 {
			r.writer.Write(0, wave.Next())
			r.write(2)
		}
		r.exact()
		before := r.numbers()
		args := []string{"void", "--site", "www.ddkk.com", "--ip", spam, "--from", noon.AddDate(0, 0, -1).Format(time.DateOnly), "--to", time.Now().AddDate(0, 0, 1).Format(time.DateOnly)}
		if out := r.command(append(args, "--dry-run")...); !strings.Contains(out, "nothing was changed") {
			r.t.Errorf("dry run:\n%s", out)
		}
		r.exact()
		if out := r.command(args...); !strings.Contains(out, "void --undo 1") {
			r.t.Errorf("void said:\n%s", out)
		}
		r.ledger = without
		r.verified()
		r.forget()
		r.verified()
		if out := r.command("void", "--list"); !strings.Contains(out, spam) {
			r.t.Errorf("void --list:\n%s", out)
		}
		r.command("void", "--undo", "1")
		r.ledger = all
		r.verified()
		r.wantNumbers("all numbers are what they were", before)
	})
}

// TestVoidHTTP does so by HTTP, by what views can be explored by: archived ones and those of the live log. The
// dry run tells how many there are.
func TestVoidHTTP(t *testing.T) {
	eachArchive(t, rigOptions{}, func(r *rig) {
		all, without := r.ledger, NewLedger(r.ledger.loc)
		r.ledger.Follow(without, func(b Beacon) (Beacon, bool) {
			return b, b.Site != "ddkk.com" || !strings.HasPrefix(b.Page, "/文章/")
		})
		r.daemon.Start()
		r.write(300)
		r.archive()
		r.write(200)
		r.exact()
		before := r.numbers()
		ask := func(method, body string) string {
			r.t.Helper()
			req, err := http.NewRequestWithContext(r.t.Context(), method, r.daemon.URL("/api/admin/void"), strings.NewReader(body))
			must(r.t, err)
			answer, err := http.DefaultClient.Do(req)
			must(r.t, err)
			text, err := io.ReadAll(answer.Body)
			must(r.t, errors.Join(err, answer.Body.Close()))
			if answer.StatusCode/100 != 2 {
				r.t.Fatalf("%s %s: %d %s", method, body, answer.StatusCode, text)
			}
			return string(text)
		}
		now := time.Now().In(r.ledger.loc)
		wave := fmt.Sprintf(`"site":"ddkk.com","from":%q,"to":%q,"where":"page:/文章/*"`, now.AddDate(0, 0, -1).Format(time.DateOnly), now.AddDate(0, 0, 1).Format(time.DateOnly))
		var found struct{ PV int64 }
		must(r.t, json.Unmarshal([]byte(ask("POST", `{`+wave+`,"dry_run":true}`)), &found))
		if want := all.PV("ddkk.com") - without.PV("ddkk.com"); found.PV != want || want == 0 {
			r.t.Errorf("the dry run finds %d views, want %d", found.PV, want)
		}
		r.exact()
		if got := strings.TrimSpace(ask("POST", `{`+wave+`}`)); got != `{"num":1}` {
			r.t.Errorf("void: %s", got)
		}
		r.ledger = without
		r.verified()
		r.forget()
		r.verified()
		if out := r.command("void", "--list"); !strings.Contains(out, "owner") || !strings.Contains(out, "page:/") {
			r.t.Errorf("void --list:\n%s", out)
		}
		ask("DELETE", `{"site":"ddkk.com","num":1}`)
		r.ledger = all
		r.verified()
		r.wantNumbers("all numbers are what they were", before)
	})
}
