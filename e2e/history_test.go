package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// oldDay is so many days ago that Redis keeps nothing of it but totals.
const oldDay = 120

// TestHistory: past days are what was written, before they are archived and
// after it, from Redis, from SQL and from both; a restore under traffic ends
// exact.
func TestHistory(t *testing.T) { eachArchive(t, rigOptions{}, history) }

func history(r *rig) {
	t := r.t
	r.daemon.Start()
	today := time.Now().UTC().Truncate(24 * time.Hour)
	r.writeDays(today, 300, 1, 2)
	r.rotate()
	r.writeDays(today, 300, 2, 1, 0)
	r.exact()
	span := func(days int) (from, to time.Time) { return today.AddDate(0, 0, -days), today }
	check := func(what string, days int) {
		t.Helper()
		from, to := span(days)
		for _, site := range r.ledger.Sites() {
			r.wantHistory(what, site, from, to)
			r.wantEvents(what, site, "", from, to)
			r.wantEvents(what, site, "download.pdf", from, to)
		}
	}
	check("before the archive", 29)

	r.archiveRotated()
	check("with an archived segment", 29)

	// Views that are older than what Redis keeps by day are in SQL alone.
	r.writeDays(today, 200, oldDay)
	r.rotate()
	r.writeDays(today, 50, 0)
	r.archiveRotated()
	check("beyond what Redis keeps", oldDay+5)

	for round := range 2 {
		stop := r.feed()
		r.more(500)
		site := r.ledger.Sites()[round]
		answer := r.restore(site)
		r.more(500)
		stop()
		if !answer.Success || answer.Stats.SitePV == 0 || answer.Stats.Pages == 0 || answer.Stats.HotPages == 0 || answer.Stats.Days == 0 {
			t.Errorf("restore of %s: %+v", site, answer)
		}
		waitTotals(t, r.daemon, r.ledger)
		check("after a restore under traffic", oldDay+5)
	}
	var last struct {
		Running, Success bool
		Rows             int64
	}
	body, err := r.daemon.Get("/api/restore")
	must(t, err)
	must(t, json.Unmarshal(body, &last))
	if last.Running || !last.Success || last.Rows == 0 {
		t.Errorf("the last restore: %s", body)
	}
	if body, err := r.daemon.Post("/api/restore", `{"source":"mysql","site":"nobody.example"}`); err == nil || !strings.Contains(err.Error(), "status 404") {
		t.Errorf("restore of an unknown site: %s, %v", body, err)
	}

	// Without Redis, SQL answers what it has and says that it is not all.
	r.proxy.Refuse(true)
	r.proxy.Drop()
	from := today.AddDate(0, 0, -oldDay)
	r.wantHistory("without Redis", r.ledger.Sites()[0], from, from)
	answer := r.history(r.ledger.Sites()[0], from, today, "day")
	if !answer.Stale {
		t.Error("without Redis the history claims to be current")
	}
	r.proxy.Refuse(false)
}

// writeDays writes n lines of traffic on each of the days so many before
// today, between one and two o'clock at night: none is from the future, unless
// it is earlier than that now.
func (r *rig) writeDays(today time.Time, n int, ago ...int) {
	r.t.Helper()
	for _, days := range ago {
		at := today.AddDate(0, 0, -days)
		if days > 0 {
			at = at.Add(time.Hour)
		}
		for range n {
			at = at.Add(time.Millisecond)
			next := r.traffic.Next()
			next.Time = at
			r.writer.Write(0, next)
		}
	}
}

// archiveRotated archives the one segment that was rotated, and not the live
// log.
func (r *rig) archiveRotated() {
	r.t.Helper()
	r.quieten()
	if out := r.command("archive"); !strings.HasPrefix(out, "1 segments") {
		r.t.Errorf("not one segment was archived: %s", out)
	}
}

// pastAnswer is what GET /api/history answers.
type pastAnswer struct {
	Site    string
	History []pastPoint
	Stale   bool
}

type pastPoint struct {
	Date   string
	PV, UV int64
}

func (r *rig) history(site string, from, to time.Time, interval string) pastAnswer {
	r.t.Helper()
	q := url.Values{"site": {site}, "from": {from.Format(time.DateOnly)}, "to": {to.Format(time.DateOnly)}, "interval": {interval}}
	body, err := r.daemon.Get("/api/history?" + q.Encode())
	must(r.t, err)
	var answer pastAnswer
	must(r.t, json.Unmarshal(body, &answer))
	return answer
}

// wantHistory waits until a site's history is the ledger's, by day, week and
// month: SQL follows at once, counting a moment later.
func (r *rig) wantHistory(what, site string, from, to time.Time) {
	r.t.Helper()
	for _, interval := range []string{"day", "week", "month"} {
		want := r.ledger.points(site, from, to, interval)
		Eventually(r.t, settleLimit, what+": the history of "+site+" by "+interval, func() error {
			got := r.history(site, from, to, interval)
			if !slices.Equal(got.History, want) || got.Stale {
				return fmt.Errorf("stale %v\n got %v\nwant %v", got.Stale, got.History, want)
			}
			return nil
		})
	}
}

// points are what the history of a site must be.
func (l *Ledger) points(site string, from, to time.Time, interval string) []pastPoint {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []pastPoint
	for d := from; !d.After(to); d = d.AddDate(0, 0, 1) {
		name := d.Format(time.DateOnly)
		switch interval {
		case "week":
			year, week := d.ISOWeek()
			name = strconv.Itoa(year) + fmt.Sprintf("-W%02d", week)
		case "month":
			name = name[:7]
		}
		if len(all) == 0 || all[len(all)-1].Date != name {
			all = append(all, pastPoint{Date: name})
		}
		if day := l.sites[site].days[d.Format("20060102")]; day != nil {
			all[len(all)-1].PV += day.views.pv
			all[len(all)-1].UV += day.views.uv
		}
	}
	return all
}

// wantEvents waits until the events of a site are the ledger's: those of a key,
// above it and below it, or all.
func (r *rig) wantEvents(what, site, key string, from, to time.Time) {
	r.t.Helper()
	q := url.Values{"site": {site}, "from": {from.Format(time.DateOnly)}, "to": {to.Format(time.DateOnly)}}
	for i, level := range strings.Split(key, ".") {
		q.Set([]string{"category", "action", "label", "value"}[i], level)
	}
	want := r.ledger.eventRows(site, key, from, to)
	Eventually(r.t, settleLimit, what+": the events "+key+" of "+site, func() error {
		body, err := r.daemon.Get("/api/events?" + q.Encode())
		if err != nil {
			return err
		}
		var rows []struct {
			EventDate, EventKey string
			EventData           struct{ PV, UV int64 }
		}
		if err := json.Unmarshal(body, &rows); err != nil {
			return fmt.Errorf("%w in %s", err, body)
		}
		got := map[string]string{}
		for _, e := range rows {
			got[e.EventDate+" "+e.EventKey] = fmt.Sprint(e.EventData.PV, " ", e.EventData.UV)
		}
		if !maps.Equal(got, want) || len(rows) != len(want) {
			return fmt.Errorf("got %v\nwant %v", got, want)
		}
		return nil
	})
}

// eventRows are the events that belong to a key: date and key -> PV and UV.
func (l *Ledger) eventRows(site, key string, from, to time.Time) map[string]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	rows := map[string]string{}
	for d := from; !d.After(to); d = d.AddDate(0, 0, 1) {
		day := l.sites[site].days[d.Format("20060102")]
		if day == nil {
			continue
		}
		for name, t := range day.events {
			if key == "" || strings.HasPrefix(name+".", key+".") || strings.HasPrefix(key+".", name+".") {
				rows[d.Format(time.DateOnly)+" "+name] = fmt.Sprint(t.pv, " ", t.uv)
			}
		}
	}
	return rows
}

// restoreAnswer is what POST /api/restore answers.
type restoreAnswer struct {
	Success bool
	Message string
	Stats   struct {
		SitePV   int64 `json:"site_pv"`
		Pages    int64 `json:"pages_restored"`
		HotPages int64 `json:"hot_pages_restored"`
		Days     int64 `json:"daily_stats_restored"`
	}
}

func (r *rig) restore(site string) restoreAnswer {
	r.t.Helper()
	body, err := r.daemon.Post("/api/restore", fmt.Sprintf(`{"source":"mysql","site":%q}`, site))
	must(r.t, err)
	var answer restoreAnswer
	must(r.t, json.Unmarshal(body, &answer))
	return answer
}
