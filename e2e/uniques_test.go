package e2e

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

// TestUniques counts visitors of the week and the month through a Redis that loses
// everything while a part of the log is in the archive alone, and through a restart: each
// visitor is one, and the API, Redis and the archive agree.
func TestUniques(t *testing.T) {
	eachArchive(t, rigOptions{env: map[string]string{"UNIQUES": "month"}}, func(r *rig) {
		r.ledger.uniques = true
		r.daemon.Start()
		r.write(400)
		r.exact()
		r.archive()
		r.deleteSegments()
		r.write(300)
		r.exact()
		r.forget()
		r.verified()
		r.shows()
		r.daemon.Terminate()
		r.write(200)
		r.daemon.Start()
		r.verified()
		r.shows()
	})
}

// shows asks the API for the visitors of the week and the month.
func (r *rig) shows() {
	r.t.Helper()
	now := time.Now().In(r.ledger.loc)
	y, w := now.ISOWeek()
	for site, book := range r.ledger.sites { // nobody writes
		week, month := book.terms[fmt.Sprintf("%04dW%02d", y, w)], book.terms[now.Format("200601")]
		if week == nil || month == nil {
			continue // a week or month has just begun
		}
		for page := range book.pages {
			body, err := r.daemon.Post("/api/stats", fmt.Sprintf(`{"site":%q,"page":%q,"fields":["site_uv_week","site_uv_month","page_uv_week","page_uv_month"]}`, site, page))
			must(r.t, err)
			var got struct {
				SiteWeek  *int64 `json:"site_uv_week"`
				SiteMonth *int64 `json:"site_uv_month"`
				PageWeek  *int64 `json:"page_uv_week"`
				PageMonth *int64 `json:"page_uv_month"`
			}
			must(r.t, json.Unmarshal(body, &got))
			for _, x := range []struct {
				got  *int64
				want int64
			}{{got.SiteWeek, week.visitors["s"]}, {got.SiteMonth, month.visitors["s"]}, {got.PageWeek, week.visitors["p"+page]}, {got.PageMonth, month.visitors["p"+page]}} {
				if x.got == nil || *x.got != x.want {
					r.t.Fatalf("%s%s: %s, want %d of the site and %d of the page in the week, %d and %d in the month", site, page, body,
						week.visitors["s"], week.visitors["p"+page], month.visitors["s"], month.visitors["p"+page])
				}
			}
			break // one page of each site
		}
	}
}
