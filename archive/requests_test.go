package archive

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"ddkk-stats/parser"
)

// siteLine is a line of a site's own log by somebody.
func siteLine(at time.Time, n int, addr, path string, status int, agent string) string {
	return strings.Join([]string{"v1", fmt.Sprintf("%d.000", at.Unix()), fmt.Sprintf("%032x", n), addr, "ddkk.com", "GET", fmt.Sprint(status), path, "-", agent, "-", "-", "-", "0.010", "43", "end"}, "\t") + "\n"
}

func requestsIn(t *testing.T, a *Archive, s parser.RequestSeries, d parser.Day) map[string]int64 {
	t.Helper()
	all := map[string]int64{}
	for r, err := range a.Read().Requests(t.Context(), "ddkk.com", s, d, d) {
		check(t, err)
		all[r.Name] = r.N
	}
	return all
}

// A day of requests into the archive, and what stays of its names when they are old. Of
// five readers three send a beacon.
func TestRequestsAreArchived(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		for _, back := range []int{2, 40} {
			a := open(t, at)
			day := now.AddDate(0, 0, -back)
			d := parser.DayOf(day.UTC())
			var b strings.Builder
			var views []view
			for i := range 5 {
				addr := fmt.Sprintf("203.0.113.%d", i+1)
				b.WriteString(siteLine(day, 2*i, addr, "/a", 200, "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"))
				b.WriteString(siteLine(day, 2*i+1, addr, "/feed.xml", 200, fmt.Sprintf("Feedbin - %d subscribers", 10+i)))
				if i < 3 {
					views = append(views, view{at: day, site: "ddkk.com", addr: addr, agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"})
				}
			}
			b.WriteString(siteLine(day, 89, "203.0.113.5", "/b", 200, "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"))
			b.WriteString(siteLine(day, 90, "203.0.113.9", "/gone", 404, "Mozilla/5.0 (compatible; Googlebot/2.1)"))
			text := []byte(b.String())
			half := strings.Index(b.String()[len(text)/2:], "\n") + len(text)/2 + 1
			run(t, a, segmentOf(fmt.Sprint("views", back), views...))
			_, err := a.Run(t.Context(), callSet{parser: parser.Config{Secret: []byte("secret"), Calls: &parser.CallRules{}}}.source(t, &memory{id: fmt.Sprint("api-1-", back), data: text[:half]}, &memory{id: fmt.Sprint("api-2-", back), data: text[half:]}))
			check(t, err)
			if got, want := requestsIn(t, a, parser.RequestsByKind, d), map[string]int64{"count:all": 12, "people:page": 6, "bytes:page": 258, "crawlers:feed": 5, "bytes:feed": 215, "crawlers:notfound": 1, "bytes:notfound": 43}; !maps.Equal(got, want) {
				t.Errorf("kinds: %v, want %v", got, want)
			}
			if got, want := requestsIn(t, a, parser.RequestsByCrawler, d), map[string]int64{"2xx:Feedbin": 5, "bytes:Feedbin": 215, "4xx:Googlebot": 1, "bytes:Googlebot": 43}; !maps.Equal(got, want) {
				t.Errorf("crawlers: %v, want %v", got, want)
			}
			feeds := requestsIn(t, a, parser.RequestsOfFeeds, d)
			want := map[string]int64{"readers:/feed.xml": 0, "subscribers:/feed.xml": 14}
			if back == 2 {
				want = map[string]int64{}
				for i := range 5 {
					want[fmt.Sprintf("count:Feedbin=%d /feed.xml", 10+i)] = 1
				}
			}
			if !maps.Equal(feeds, want) {
				t.Errorf("feeds of %d days ago: %v, want %v", back, feeds, want)
			}
			if names := requestsIn(t, a, parser.RequestsOfReaders, d); len(names) != map[int]int{2: 5, 40: 2}[back] {
				t.Errorf("readers of %d days ago: %v", back, names)
			}
			readers, blocked, there, err := a.Read().Blocked(t.Context(), "ddkk.com", d)
			check(t, err)
			if readers != 5 || blocked != 2 || !there {
				t.Errorf("%d days ago: %d readers, %d blocked, %v; want 5 and 2", back, readers, blocked, there)
			}
			pages, there, err := a.Read().BlockedPages(t.Context(), "ddkk.com", d)
			check(t, err)
			if want := map[string]parser.Readership{"/a": {Readers: 5, Blocked: 2}, "/b": {Readers: 1, Blocked: 1}}; !maps.Equal(pages, want) || !there {
				t.Errorf("%d days ago: by page %v, %v; want %v", back, pages, there, want)
			}
			if names, want := requestsIn(t, a, parser.RequestsOfPages, d), map[int]int{2: 6, 40: 4}[back]; len(names) != want {
				t.Errorf("readings of %d days ago: %v, want %d", back, names, want)
			}
			if _, _, there, err := a.Read().Blocked(t.Context(), "ddkk.com", d.Next()); there || err != nil {
				t.Errorf("a day without readers: %v, %v", there, err)
			}
			found, err := a.Read().CheckCallDay(t.Context(), "ddkk.com", d)
			check(t, err)
			if back == 2 && len(found) > 0 {
				t.Errorf("sums and periods differ: %+v", found)
			}
		}
	})
}

// A recount gives the requests of a day by the rules of now.
func TestRecountRequests(t *testing.T) {
	eachPlace(t, func(t *testing.T, at place) {
		day := now.AddDate(0, 0, -2)
		d := parser.DayOf(day.UTC())
		seg := &memory{id: "api-1", data: []byte(siteLine(day, 1, "203.0.113.1", "/x.epub", 200, "Mozilla/5.0") + siteLine(day, 2, "203.0.113.1", "/x.pdf", 200, "Mozilla/5.0"))}
		old := callSet{parser: parser.Config{Calls: &parser.CallRules{Downloads: []string{"pdf"}}}}
		a := old.archived(t, at, seg)
		if got := requestsIn(t, a, parser.RequestsDownloaded, d); len(got) != 2 || got["count:/x.pdf"] != 1 {
			t.Errorf("before: %v", got)
		}
		new := callSet{parser: parser.Config{Calls: &parser.CallRules{Downloads: []string{"epub"}}}}
		b, _ := new.recounted(t, at, new.recounting(t, d, d, seg))
		if got := requestsIn(t, b, parser.RequestsDownloaded, d); len(got) != 2 || got["count:/x.epub"] != 1 {
			t.Errorf("after: %v", got)
		}
	})
}
