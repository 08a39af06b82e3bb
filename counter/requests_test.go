package counter

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"ddkk-stats/counter/keys"
	"ddkk-stats/parser"
)

// logLine is a line of a site's own log, and what it counts.
type logLine struct {
	text string
	sums map[string]int64 // key and field, behind the site
}

const (
	agentOfGoogle = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
	agentOfMany   = "Feedbin feed-id:1 - %d subscribers"
	agentOfFox    = "Mozilla/5.0 (X11; Linux x86_64; rv:%d.0) Gecko/20100101 Firefox/140.0"
)

// randomLog makes lines of one day and site, with what they must come to. Readers are
// told by their number alone.
func randomLog(rng *rand.Rand, n int, at time.Time) []logLine {
	lines := make([]logLine, n)
	day := at.Format("20060102")
	for i := range lines {
		who := rng.IntN(5)
		agent, path, status, ref := fmt.Sprintf(agentOfFox, 100+who), "/a", 200, "-"
		plain, names := "requests:a.example:"+day+" ", "requests:names:a.example:"+day+" "
		sums := map[string]int64{plain + "request:count:all": 1}
		kind, people := "page", "people"
		switch rng.IntN(7) {
		case 0:
			path, kind = "/style.css", "asset"
		case 1:
			status, path, ref, kind = 404, "/gone", "https://a.example/from", "notfound"
			sums[plain+"notfound:count:/gone /from"] = 1
		case 2:
			path, kind = "/book.pdf", "download"
			sums[plain+"download:count:/book.pdf"], sums[plain+"download:bytes:/book.pdf"] = 1, 43
		case 3:
			path, kind, agent, people = "/feed.xml", "feed", fmt.Sprintf(agentOfMany, who), "crawlers"
			sums[names+fmt.Sprintf("feed:count:Feedbin#1=%d /feed.xml", who)] = 1
			sums[plain+"crawler:2xx:Feedbin"], sums[plain+"crawler:bytes:Feedbin"] = 1, 43
		case 4:
			path, kind, agent, people = "/robots.txt", "asset", agentOfGoogle, "crawlers"
			sums[plain+"crawler:2xx:Googlebot"], sums[plain+"crawler:bytes:Googlebot"], sums[plain+"crawler:robots:Googlebot"] = 1, 43, 1
		default:
			path = fmt.Sprintf("/page/%d", rng.IntN(2))
			sums[names+fmt.Sprintf("reader %d", who)], sums[names+fmt.Sprintf("reading %d %s", who, path)] = 1, 1
		}
		sums[plain+"request:"+people+":"+kind], sums[plain+"request:bytes:"+kind] = 1, 43
		lines[i] = logLine{strings.Join([]string{"v1", fmt.Sprintf("%d.000", at.Unix()), fmt.Sprintf("%032x", lineNumber.Add(1)), "192.0.2.7", "a.example", "GET",
			fmt.Sprint(status), path, ref, agent, "-", "-", "-", "0.010", "43", "end"}, "\t"), sums}
	}
	return lines
}

func (r *ingestRig) wantRequests(lines []logLine) {
	r.t.Helper()
	want := map[string]int64{}
	var readers []int64
	seen := map[string]int64{}
	for _, l := range lines {
		for k, n := range l.sums {
			if strings.Contains(k, " reader ") || strings.Contains(k, " reading ") {
				seen[k] += n
			} else {
				want[k] += n
			}
		}
	}
	for _, n := range seen {
		readers = append(readers, n)
	}
	got := map[string]int64{}
	var had []int64
	found, err := r.rdb.Keys(r.t.Context(), "ddkk:requests:*").Result()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, key := range found {
		for f, v := range r.rdb.HGetAll(r.t.Context(), key).Val() {
			var n int64
			if _, err := fmt.Sscan(v, &n); err != nil {
				r.t.Fatal(err)
			}
			if strings.HasPrefix(f, "reader:count:") || strings.HasPrefix(f, "reading:count:") && strings.Contains(f, " /page/") {
				had = append(had, n)
			} else {
				got[strings.TrimPrefix(key, "ddkk:")+" "+f] = n
			}
		}
	}
	slices.Sort(readers)
	slices.Sort(had)
	if !maps.Equal(got, want) || !slices.Equal(readers, had) {
		r.t.Fatalf("got  %v %v\nwant %v %v", got, had, want, readers)
	}
}

func TestRequestsAreCountedExactly(t *testing.T) {
	t.Parallel()
	rdb := readClient(t, startReadServer(t).addr())
	r := newCallRig(t, rdb)
	now := time.Now().UTC()
	lines := randomLog(rand.New(rand.NewPCG(1, 1)), 600, now)
	write := func(some []logLine) {
		for _, l := range some {
			r.log.write("a", l.text)
		}
	}
	r.start()
	write(lines[:200])
	r.await()
	r.stop()
	r.start() // what it remembers is read from Redis now
	write(lines[200:400])
	r.await()
	r.wantRequests(lines[:400])
	reader, err := NewReader(rdb, r.opt.Keys, ReaderOptions{Location: time.UTC})
	if err != nil {
		t.Fatal(err)
	}
	days, stale := reader.Requests(t.Context(), "a.example", parser.RequestsByKind, []parser.Day{parser.DayOf(now), 20200101})
	if stale || days[0]["count:all"] != 400 || days[0]["people:page"] == 0 || days[1] != nil {
		t.Errorf("read: %v %v", days, stale)
	}
	// A key that is lost is found by the next commit, and all is counted again.
	key := r.opt.Keys.Requests("a.example", parser.DayOf(now))
	if err := rdb.Del(t.Context(), key).Err(); err != nil {
		t.Fatal(err)
	}
	write(lines[400:])
	for deadline := time.Now().Add(20 * time.Second); ; {
		r.await()
		if n, err := rdb.HGet(t.Context(), key, "request:count:all").Int64(); err == nil && n == 600 {
			break
		}
		if time.Now().After(deadline) {
			break
		}
	}
	r.wantRequests(lines)
	for _, x := range []struct {
		key string
		ttl time.Duration
	}{{key, keys.RequestTTL}, {r.opt.Keys.RequestNames("a.example", parser.DayOf(now)), keys.RequestNamesTTL}} {
		if left := rdb.TTL(t.Context(), x.key).Val(); left > x.ttl+24*time.Hour || left < x.ttl {
			t.Errorf("%s lives for %v", x.key, left)
		}
	}
	r.stop()
}

// Names over the cap are counted under one, as soon and after a restart.
func TestRequestSubjectsAreCapped(t *testing.T) {
	rdb := readClient(t, startReadServer(t).addr())
	r := newCallRig(t, rdb)
	limit := parser.RequestsDownloaded.Spec().Cap
	now := time.Now().UTC()
	line := func(i int) string {
		return strings.Join([]string{"v1", fmt.Sprintf("%d.000", now.Unix()), fmt.Sprintf("%032x", lineNumber.Add(1)), "192.0.2.7", "a.example", "GET",
			"200", fmt.Sprintf("/file-%d.pdf", i), "-", fmt.Sprintf(agentOfFox, 1), "-", "-", "-", "0.010", "43", "end"}, "\t")
	}
	r.start()
	for i := range limit {
		r.log.write("a", line(i))
	}
	r.await()
	r.stop()
	r.start()
	r.log.write("a", line(0), line(limit), line(limit+1))
	r.await()
	r.stop()
	key := r.opt.Keys.Requests("a.example", parser.DayOf(now))
	all := rdb.HGetAll(t.Context(), key).Val()
	if all["download:count:"+parser.OtherPage] != "2" || all["download:count:/file-0.pdf"] != "2" || all["download:bytes:"+parser.OtherPage] != "86" || all[fmt.Sprintf("download:count:/file-%d.pdf", limit)] != "" {
		t.Errorf("%s of the rest, %s of the first", all["download:count:"+parser.OtherPage], all["download:count:/file-0.pdf"])
	}
}

// The readers of a day who sent no beacon, of a known few.
func TestBlockedOfRedis(t *testing.T) {
	rdb := readClient(t, startReadServer(t).addr())
	k := NewKeys(DefaultPrefix, false)
	reader, err := NewReader(rdb, k, ReaderOptions{Location: time.UTC})
	if err != nil {
		t.Fatal(err)
	}
	day := parser.Day(20261130)
	if _, _, there, _ := reader.Blocked(t.Context(), "a.example", day); there {
		t.Error("a day without anything")
	}
	for i := range 10 {
		v := parser.Visitor{byte(i + 1)}
		if err := rdb.HSet(t.Context(), k.RequestNames("a.example", day), "reader:count:"+v.String(), 3).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := rdb.HSet(t.Context(), k.RequestNames("a.example", day), "reader:count:"+parser.OtherPage, 3, "feed:count:x /feed", 1).Err(); err != nil {
		t.Fatal(err)
	}
	if _, _, there, _ := reader.Blocked(t.Context(), "a.example", day); there {
		t.Error("a day without beacons")
	}
	for i := range 7 { // and one whom the log did not see
		v := parser.Visitor{byte(i + 5)}
		if err := rdb.SAdd(t.Context(), k.Visitors("a.example", day), string(v[:])).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 10 { // all of them read one page, every third another one as well
		v := parser.Visitor{byte(i + 1)}
		fields := []any{"reading:count:" + v.String() + " /a", 2}
		if i%3 == 0 {
			fields = append(fields, "reading:count:"+v.String()+" /b c", 1)
		}
		if err := rdb.HSet(t.Context(), k.RequestNames("a.example", day), fields...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := rdb.HSet(t.Context(), k.RequestNames("a.example", day), "reading:count:"+parser.OtherPage, 3).Err(); err != nil {
		t.Fatal(err)
	}
	pages, there, stale := reader.BlockedPages(t.Context(), "a.example", day)
	if want := map[string]parser.Readership{"/a": {Readers: 10, Blocked: 4}, "/b c": {Readers: 4, Blocked: 2}}; !maps.Equal(pages, want) || !there || stale {
		t.Errorf("by page %v, %v, %v; want %v", pages, there, stale, want)
	}
	if pages, there, _ := reader.BlockedPages(t.Context(), "a.example", day.Next()); there || len(pages) > 0 {
		t.Errorf("a day without anything by page: %v", pages)
	}
	readers, blocked, there, stale := reader.Blocked(t.Context(), "a.example", day)
	if readers != 10 || blocked != 4 || !there || stale {
		t.Errorf("%d readers, %d blocked, %v, %v; want 10 and 4", readers, blocked, there, stale)
	}
}
