package queryapi

import (
	"encoding/json"
	"math"
	"slices"
	"testing"
)

// The list of sites has the right sums of their days.
func TestSitesWithSparkline(t *testing.T) {
	f := &figures{sites: []SiteFacts{{Site: "a.com", PVToday: 100, Online: 1}, {Site: "b.com", PVToday: 200, Online: 2}}}
	s := newTestServer(t, newBackend(), func(c *Config) { c.Facts, c.AdminToken = f, "t" })
	ctx := ask(s, testPeer, "GET", "/api/admin/sites?sparkline=3", "", "Authorization: Bearer t")
	var got struct {
		Sites []struct {
			Site               string
			Today, Week, Month int64
			Change             *float64
			Days               []int64
		}
		Sum struct {
			Today, Week, Month, Online int64
			Change                     *float64
			Days                       []int64
		}
	}
	if err := json.Unmarshal(ctx.Response.Body(), &got); err != nil || len(got.Sites) != 2 {
		t.Fatalf("%v %s", err, ctx.Response.Body())
	}
	// The fake's site a.com has 0, 1, ... 28 views on the 29 days before today, b.com twice that.
	b, a := got.Sites[0], got.Sites[1]
	week, before, month := int64(28+27+26+25+24+23), int64(22+21+20+19+18+17+16), int64(28*29/2)
	if a.Site != "a.com" || a.Today != 100 || a.Week != week+100 || a.Month != month+100 || !slices.Equal(a.Days, []int64{27, 28, 100}) {
		t.Errorf("%+v", a)
	}
	if want := float64(week+100-before) / float64(before); a.Change == nil || math.Abs(*a.Change-want) > 1e-9 {
		t.Errorf("change %v, want %v", a.Change, want)
	}
	if b.Week != 2*week+200 || b.Month != 2*month+200 {
		t.Errorf("%+v", b)
	}
	sum := got.Sum
	if sum.Today != 300 || sum.Week != 3*week+300 || sum.Month != 3*month+300 || sum.Online != 3 || !slices.Equal(sum.Days, []int64{81, 84, 300}) ||
		sum.Change == nil || math.Abs(*sum.Change-float64(3*week+300-3*before)/float64(3*before)) > 1e-9 {
		t.Errorf("%+v", sum)
	}
	for _, query := range []string{"sparkline=0", "sparkline=61", "sparkline=x", "days=3"} {
		if got := ask(s, testPeer, "GET", "/api/admin/sites?"+query, "", "Authorization: Bearer t").Response.StatusCode(); got != 400 {
			t.Errorf("%s: %d", query, got)
		}
	}
}

// A site without a past has no change, and one whose past is not known only today.
func TestSiteTrend(t *testing.T) {
	fresh := trendOf(make([]int64, 29), 5, 7)
	if fresh.Change != nil || fresh.Week != 5 || !slices.Equal(fresh.Days, []int64{0, 0, 0, 0, 0, 0, 5}) {
		t.Errorf("%+v", fresh)
	}
	unknown := trendOf(nil, 5, 7)
	if unknown.Change != nil || unknown.Month != 5 || !slices.Equal(unknown.Days, []int64{5}) {
		t.Errorf("%+v", unknown)
	}
	past := make([]int64, 29)
	past[22] = 10 // eight days ago is in the week before
	if gone := trendOf(past, 0, 7); gone.Change == nil || *gone.Change != -1 {
		t.Errorf("%+v", gone)
	}
}
