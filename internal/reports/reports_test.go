package reports

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/html"

	"ddkk-stats/archive"
	"ddkk-stats/internal/alert"
	"ddkk-stats/internal/mailer"
	"ddkk-stats/internal/mailer/mailtest"
	"ddkk-stats/internal/once"
)

func TestLast(t *testing.T) {
	f := func(period, now, key, from, to, before, till string) {
		t.Helper()
		at, err := time.Parse("2006-01-02 15:04", now)
		if err != nil {
			t.Fatal(err)
		}
		s := Last(period, at)
		got := []string{s.Key, s.From.Format(time.DateOnly), s.To.Format(time.DateOnly), s.Before.Format(time.DateOnly), s.Till.Format(time.DateOnly)}
		if strings.Join(got, " ") != strings.Join([]string{key, from, to, before, till}, " ") {
			t.Errorf("%s at %s: %v", period, now, got)
		}
	}
	f("day", "2026-12-01 00:00", "20261130", "2026-11-30", "2026-11-30", "2026-11-29", "2026-11-29")
	f("week", "2026-11-30 08:00", "2026W48", "2026-11-23", "2026-11-29", "2026-11-16", "2026-11-22") // a Monday
	f("week", "2026-11-29 23:59", "2026W47", "2026-11-16", "2026-11-22", "2026-11-09", "2026-11-15") // a Sunday
	f("week", "2027-01-04 08:00", "2026W53", "2026-12-28", "2027-01-03", "2026-12-21", "2026-12-27")
	f("month", "2026-12-31 12:00", "202611", "2026-11-01", "2026-11-30", "2026-10-01", "2026-10-31")
	f("month", "2027-01-01 00:00", "202612", "2026-12-01", "2026-12-31", "2026-11-01", "2026-11-30")
	f("month", "2027-03-31 00:00", "202702", "2027-02-01", "2027-02-28", "2027-01-01", "2027-01-31")
}

// hostile is what a stranger may have a page called.
const hostile = "/<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u202e\x1b[2J\nSubject: x&amp;"

// fake has made-up numbers: 10 views a day, 7 visitors; the week before half of it.
type fake struct{ stale bool }

func (f *fake) err() error {
	if f.stale {
		return ErrStale
	}
	return nil
}

func (f *fake) Sites(context.Context) ([]string, error) {
	return []string{"a.example", "b.example", "c.example"}, f.err()
}

func (f *fake) Sums(_ context.Context, site string, from, to time.Time) (Sums, error) {
	n := int64(to.Sub(from)/(24*time.Hour)) + 1
	if from.Before(time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)) {
		n /= 2
	}
	switch site {
	case "b.example":
		n *= 100
	case "c.example":
		n = 0
	}
	return Sums{10 * n, 7 * n}, f.err()
}

func (f *fake) Days(_ context.Context, _ string, from, _ time.Time) ([]Day, error) {
	return []Day{{from.AddDate(0, 0, 1), Sums{1234567, 7}}}, f.err() // the others have none
}

func (f *fake) Pages(context.Context, string, time.Time, time.Time, int) ([]Row, error) {
	uv := int64(5)
	return []Row{{hostile, 40, &uv}, {"/b", 30, nil}}, f.err()
}

func (f *fake) Facet(_ context.Context, _, facet string, _, _ time.Time, _ int) ([]Row, error) {
	if facet == "country" {
		return []Row{{"DE", 3, nil}, {"", 2, nil}}, f.err()
	}
	return nil, f.err()
}

var monday = time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC)

func gather(t *testing.T, site string) *Report {
	t.Helper()
	r, err := Gather(t.Context(), &fake{}, site, Last("week", monday), monday)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestText(t *testing.T) {
	one, all := gather(t, "a.example"), gather(t, "")
	if got := one.Subject("en"); got != "a.example: 2026-11-23 to 2026-11-29" {
		t.Error(got)
	}
	if got := all.Subject("zh"); got != "3 个站点：2026-11-23 至 2026-11-29" {
		t.Error(got)
	}
	text := one.Text("en")
	for _, want := range []string{"Views: 70 (Before: 30, +133%)", "Visitors: 49 (Before: 21, +133%)", "1 234 567", "2026-11-24", "2026-11-29", "Top pages", "(none)", "DE", "Made 2026-11-30 08:00 UTC"} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "Referrers") || strings.Contains(text, "== ") {
		t.Errorf("has what there is not:\n%s", text)
	}
	if strings.ContainsAny(text, "\x1b\u202e") || strings.Contains(text, "\nSubject: x") {
		t.Errorf("a page's name breaks out:\n%s", text)
	}
	text = all.Text("zh")
	for _, want := range []string{"浏览量：", "== b.example ==", "== a.example ==", "热门页面"} {
		if !strings.Contains(strings.ReplaceAll(text, ": ", "："), want) {
			t.Errorf("lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "== c.example ==") || strings.Index(text, "b.example") > strings.Index(text, "a.example") {
		t.Errorf("not the busiest first, or a site without views:\n%s", text)
	}
}

// TestHTML: the page is whole and has no element, attribute or address by a stranger.
func TestHTML(t *testing.T) {
	for _, lang := range []string{"en", "zh"} {
		for _, site := range []string{"", "a.example"} {
			page, err := gather(t, site).HTML(lang)
			if err != nil {
				t.Fatal(err)
			}
			root, err := html.Parse(strings.NewReader(page))
			if err != nil {
				t.Fatal(err)
			}
			shown := false
			for n := range root.Descendants() {
				switch n.Type {
				case html.TextNode:
					shown = shown || strings.Contains(n.Data, "<script>alert(1)</script>")
				case html.ElementNode:
					if strings.Contains(" script img link iframe a form object style ", " "+n.Data+" ") {
						t.Errorf("%s %s: an element %s", lang, site, n.Data)
					}
					for _, a := range n.Attr {
						if strings.HasPrefix(a.Key, "on") || a.Key == "src" || a.Key == "href" || strings.Contains(a.Val, "url(") {
							t.Errorf("%s %s: %s has %s=%q", lang, site, n.Data, a.Key, a.Val)
						}
					}
				}
			}
			if !shown || strings.ContainsAny(page, "\x1b\u202e") {
				t.Errorf("%s %s: the page's name is not shown as it is, or turns the text", lang, site)
			}
			if strings.Contains(page, "ZgotmplZ") || !strings.Contains(page, `lang="`+lang+`"`) || !strings.Contains(page, "1\u00a0234\u00a0567") {
				t.Errorf("%s %s: %s", lang, site, page)
			}
		}
	}
}

func TestStaleIsNotSent(t *testing.T) {
	if _, err := Gather(t.Context(), &fake{stale: true}, "", Last("week", monday), monday); !errors.Is(err, ErrStale) {
		t.Errorf("%v", err)
	}
}

// office is a host with what it takes to send, over an archive that hosts share.
type office struct {
	round  Round
	source *fake
}

func newOffice(t *testing.T, db *archive.Archive, host string, post *Postman, now func() time.Time) *office {
	t.Helper()
	o := &office{source: &fake{}}
	o.round = Round{Source: o.source, Ledger: db, Teller: once.NewTeller(host, now), Send: post.Send, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	return o
}

// TestOncePerPeriod sends by real SMTP and HTTP over a real archive: many hosts at once,
// restarts, a server that refuses, stale numbers, kills.
func TestOncePerPeriod(t *testing.T) {
	db, err := archive.Open(t.Context(), "", filepath.Join(t.TempDir(), "archive.db"), archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	var refuse func() string
	smtp := mailtest.Start(t, mailtest.Options{Refuse: func(mailtest.Mail) string { return refuse() }})
	var mu sync.Mutex
	var posts []map[string]any
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var got map[string]any
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		posts = append(posts, got)
	}))
	defer hook.Close()
	now := monday
	clock := func() time.Time { return now }
	post := &Postman{Mailer: &mailer.Server{Host: "127.0.0.1", Port: smtp.Port(), Off: true, From: "s@a.example"}, Hook: alert.NewWebhook("", slog.New(slog.DiscardHandler)), To: alert.Target{URL: hook.URL}, Lang: "en", Now: clock}
	targets := []Target{{Mail: "all@a.example", Period: "week"}, {Site: "a.example", Mail: "anna@a.example", Period: "week"}, {Period: "week"}, {Site: "a.example", Mail: "m@a.example", Period: "month"}}
	count := func(what string, mails, hooks int) {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		if len(smtp.Mails()) != mails || len(posts) != hooks {
			t.Errorf("%s: %d mails and %d posts, want %d and %d", what, len(smtp.Mails()), len(posts), mails, hooks)
		}
	}

	refuse = func() string { return "451 not now" }
	first := newOffice(t, db, "host1", post, clock)
	if err := first.round.Run(t.Context(), targets, now); err == nil {
		t.Error("a server that refuses is no error")
	}
	count("refused", 0, 1)
	refuse = func() string { return "" }
	first.source.stale = true
	if err := first.round.Run(t.Context(), targets, now); !errors.Is(err, ErrStale) {
		t.Errorf("stale: %v", err)
	}
	count("stale", 0, 1)
	first.source.stale = false
	for range 3 { // again, and after restarts
		if err := newOffice(t, db, "host1", post, clock).round.Run(t.Context(), targets, now); err != nil {
			t.Error(err)
		}
	}
	count("sent", 3, 1)
	ids := map[string]bool{}
	for _, m := range smtp.Mails() {
		_, id, _ := strings.Cut(m.Data, "Message-ID: ")
		id, _, _ = strings.Cut(id, "\n")
		ids[id] = true
	}
	if len(ids) != 3 || ids[""] {
		t.Errorf("ids %v", ids)
	}
	if posts[0]["kind"] != "report" || posts[0]["period"] != "2026W48" || posts[0]["total_sites"] != 3.0 {
		t.Errorf("posted %v", posts[0])
	}

	now = now.AddDate(0, 0, 7) // the next week, of the same month's report; six hosts
	var all sync.WaitGroup
	for _, host := range []string{"1", "2", "3", "4", "5", "6"} {
		o := newOffice(t, db, "host"+host, post, clock)
		all.Go(func() {
			for {
				err := o.round.Run(t.Context(), targets, clock())
				if err == nil {
					return
				}
				if !errors.Is(err, ErrElsewhere) {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	count("six hosts", 3+2+1, 2) // December's Monday has November's month as well

	// Killed between the server's answer and the note: it is sent again, as the same mail.
	now = now.AddDate(0, 0, 7)
	dying, cancel := context.WithCancel(t.Context())
	o := newOffice(t, db, "host1", post, clock)
	o.round.Ledger = &mortal{db, cancel}
	if err := o.round.Run(dying, targets[:1], now); err == nil {
		t.Error("a note that is lost is no error")
	}
	count("killed", 7, 2)
	if err := newOffice(t, db, "host1", post, clock).round.Run(t.Context(), targets[:1], now); err != nil {
		t.Error(err)
	}
	count("again", 8, 2)
	mails := smtp.Mails()
	id := func(m mailtest.Mail) string {
		_, id, _ := strings.Cut(m.Data, "Message-ID: ")
		id, _, _ = strings.Cut(id, "\n")
		return id
	}
	if id(mails[6]) != id(mails[7]) || id(mails[6]) == id(mails[0]) {
		t.Errorf("ids %q and %q", id(mails[6]), id(mails[7]))
	}
}

// mortal is a ledger whose second note is lost.
type mortal struct {
	once.Ledger
	die context.CancelFunc
}

func (m *mortal) SwapSharedNote(ctx context.Context, name, was, is string) (bool, error) {
	if strings.Contains(is, `"what"`) {
		return m.Ledger.SwapSharedNote(ctx, name, was, is)
	}
	m.die()
	return false, context.Canceled
}
