package e2e

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// realLog is a real server's log (Apache, combined), see the README beside it.
const realLog = "../parser/testdata/apache_combined.log.gz"

// realSite is the site that the log is imported as.
const realSite = "semicomplete.example"

// readReal returns the real log, its four days moved to the two before today:
// then Redis keeps their hot lists, too.
func readReal(t *testing.T) string {
	t.Helper()
	f, err := os.Open(realLog)
	must(t, err)
	defer f.Close()
	zr, err := gzip.NewReader(f)
	must(t, err)
	data, err := io.ReadAll(zr)
	must(t, err)
	text := string(data)
	for i := range 4 {
		from := time.Date(2015, 5, 17+i, 0, 0, 0, 0, time.UTC)
		to := time.Now().UTC().AddDate(0, 0, i/2-2)
		text = strings.ReplaceAll(text, from.Format("[02/Jan/2006:"), to.Format("[02/Jan/2006:"))
	}
	return text
}

var (
	combinedLine = regexp.MustCompile(`^(\S+) \S+ .+? \[([^]]+)\] "(\S+) (.*?)(?: HTTP/[0-9.]+)?" (\d+) \S+ "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)"`)
	assetPath    = regexp.MustCompile(`(?i)\.(png|css|ico|jpe?g|js|txt|gif|jar|ttf|pdf|xml|log|svg|xsl|conf|exe|gz|deb|woff|swf|patch|diff|docx?|zip|bz2|rpm|tgz|json|mp3|mp4|rss|eot)$`)
	manySlashes  = regexp.MustCompile(`/+`)
)

// crawlers are the patterns of bots, each by itself.
func crawlers(t *testing.T) func(agent string) bool {
	t.Helper()
	var all []*regexp.Regexp
	for _, name := range []string{"crawlers.txt", "monitors.txt"} {
		data, err := os.ReadFile("../parser/data/" + name)
		must(t, err)
		for line := range strings.Lines(string(data)) {
			if line = strings.TrimSuffix(line, "\n"); line != "" && line[0] != '#' {
				all = append(all, regexp.MustCompile(line))
			}
		}
	}
	known := map[string]bool{}
	return func(agent string) bool {
		bot, ok := known[agent]
		if !ok {
			bot = agent == "" || agent == "-" || slices.ContainsFunc(all, func(re *regexp.Regexp) bool { return re.MatchString(agent) })
			known[agent] = bot
		}
		return bot
	}
}

// record tells the ledger what the lines of a combined log are, by the rule as
// the manual has it, and returns how many views that is, with those of bots.
func record(t *testing.T, ledger *Ledger, text string) (views int) {
	t.Helper()
	return recordAs(t, ledger, realSite, text)
}

// recordAs is record for another site.
func recordAs(t *testing.T, ledger *Ledger, site, text string) (views int) {
	t.Helper()
	isBot := crawlers(t)
	for line := range strings.Lines(text) {
		m := combinedLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		path, _, _ := strings.Cut(m[4], "?")
		path, _, _ = strings.Cut(path, "#")
		if m[3] != "GET" || m[5] != "200" && m[5] != "304" || assetPath.MatchString(path) {
			continue
		}
		at, err := time.Parse("02/Jan/2006:15:04:05 -0700", m[2])
		must(t, err)
		if plain, err := url.PathUnescape(path); err == nil {
			path = plain
		}
		views++
		ledger.Record(Beacon{Site: site, Page: manySlashes.ReplaceAllString(path, "/"), Time: at.UTC(),
			IP: m[1], UA: m[7], Bot: isBot(m[7]), Ref: refererHost(m[6])})
	}
	return views
}

// refererHost is the site that a Referer names, empty where it names none.
func refererHost(referer string) string {
	u, err := url.Parse(referer)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	return strings.TrimPrefix(strings.TrimSuffix(strings.ToLower(u.Hostname()), "."), "www.")
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	must(t, os.WriteFile(name, []byte(text), 0o640))
	return name
}

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	_, err := io.WriteString(zw, text)
	must(t, err)
	must(t, zw.Close())
	return b.String()
}

// TestImportLive imports a real log while the daemon counts: every number is
// live and history together. Again, renamed, plain or compressed it changes
// nothing, and neither does a dry run.
func TestImportLive(t *testing.T) {
	eachArchive(t, rigOptions{}, func(r *rig) {
		text := readReal(r.t)
		dir := TempDir(r.t)
		log := writeFile(r.t, filepath.Join(dir, "access.log.gz"), gzipped(r.t, text))
		r.daemon.Start()
		r.write(500)
		r.archive() // retention has passed by: its floor is set
		r.write(500)
		r.exact()
		before := r.command("import", "--site", realSite, "--dry-run", log)
		if !strings.Contains(before, "dry run: nothing was changed") {
			r.t.Errorf("a dry run said:\n%s", before)
		}
		r.verified()

		views := record(r.t, r.ledger, text)
		if views < 3000 {
			r.t.Fatalf("the real log has %d views", views)
		}
		stop := r.feed()
		r.more(300)
		out := r.command("import", "--site", realSite, log)
		r.more(300)
		stop()
		if !strings.Contains(out, "10000 lines") {
			r.t.Errorf("the import said:\n%s", out)
		}
		r.verified()

		twin := writeFile(r.t, filepath.Join(dir, "old"), text)
		for _, name := range []string{log, twin} {
			out := r.command("import", "--site", realSite, name)
			if !strings.Contains(out, "imported already") {
				r.t.Errorf("again, it said:\n%s", out)
			}
		}
		r.verified()

		r.forget() // and a restore brings the history back
		r.write(100)
		r.verified()
	})
}

// TestImportServers: logs of several servers that begin with the same health check
// are all imported, for one site or two, in one run or one after the other; each
// again, or grown, is what it was; an empty file stops nobody; a copy that was
// edited is refused.
func TestImportServers(t *testing.T) {
	eachArchive(t, rigOptions{}, func(r *rig) {
		dir := TempDir(r.t)
		day := time.Now().UTC().AddDate(0, 0, -1)
		probe := "10.0.0.9 - - [" + day.Format("02/Jan/2006") + `:00:00:00 +0000] "GET /healthz HTTP/1.1" 200 2 "-" "kube-probe/1.30"` + "\n"
		line := func(second int, path string) string {
			return "203.0.113.7 - - [" + day.Format("02/Jan/2006") + ":10:00:" + time.Unix(int64(second), 0).UTC().Format("05") + ` +0000] "GET ` + path + ` HTTP/1.1" 200 512 "-" "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"` + "\n"
		}
		file := func(name, text string) string { return writeFile(r.t, filepath.Join(dir, name), text) }
		one, two := probe+line(1, "/web1")+line(2, "/x"), probe+line(1, "/web2")+line(3, "/x")
		three, four := probe+line(4, "/web3"), probe+line(5, "/web4")
		for _, text := range []string{one, two, three} {
			record(r.t, r.ledger, text)
		}
		recordAs(r.t, r.ledger, "web4.example", four)
		r.daemon.Start()
		out := r.command("import", "--site", realSite, file("web1.log", one), file("empty.log", ""), file("web2.log", two))
		if !strings.Contains(out, "empty.log is empty: nothing to import; passed over") || strings.Count(out, "2 views, 1 views of bots") != 2 {
			r.t.Errorf("it said:\n%s", out)
		}
		r.command("import", "--site", realSite, file("web3.log", three))
		r.command("import", "--site", "web4.example", file("web4.log.gz", gzipped(r.t, four)))
		r.write(50)
		r.exact()
		r.verified()

		more := line(20, "/more")
		record(r.t, r.ledger, more)
		out = r.command("import", "--site", realSite, file("web2.log", two+more), file("web3.log.gz", gzipped(r.t, three)))
		if !strings.Contains(out, "goes on at byte") || !strings.Contains(out, "imported already as") {
			r.t.Errorf("one grew, one did not:\n%s", out)
		}
		edited := strings.ReplaceAll(one, "203.0.113.7", "203.0.113.0")
		if out, err := Run(r.t, r.daemon.Env, "import", "--site", realSite, file("edited.log", edited)); err == nil || !strings.Contains(out, "filtered or edited") || !strings.Contains(out, "--no-copies") {
			r.t.Errorf("an edited copy: %v\n%s", err, out)
		}
		if out, err := Run(r.t, r.daemon.Env, "import", "--site", realSite, file("e1", ""), file("e2", "")); err == nil || !strings.Contains(out, "nothing was imported") {
			r.t.Errorf("nothing but empty files: %v\n%s", err, out)
		}
		r.verified()
		r.exact()
	})
}

// TestImportSiteLog: what the site's own log had before, and has, is imported for its
// views although it is counted for its calls; a last line without a newline is one.
func TestImportSiteLog(t *testing.T) {
	log := filepath.Join(TempDir(t), "site.log")
	r := newRig(t, rigOptions{env: map[string]string{"SITE_LOG": log, "SITE_LOG_FORMAT": "combined", "API_SITE": realSite}})
	lines := slices.Collect(strings.Lines(readReal(t)))
	rotated := writeFile(t, log+".1", strings.TrimSuffix(strings.Join(lines[:1000], ""), "\n"))
	old := time.Now().Add(-time.Hour)
	must(t, os.Chtimes(rotated, old, old))
	writeFile(t, log, strings.Join(lines[1000:1500], ""))
	record(t, r.ledger, strings.Join(lines[:1500], ""))
	r.daemon.Start()
	r.write(50)
	out := r.command("import", rotated, log)
	if !strings.Contains(out, "  1000 lines in") || !strings.Contains(out, "  500 lines in") {
		t.Errorf("it said:\n%s", out)
	}
	r.verified()
}

// TestImportGrowing imports today's log while it is written: complete lines
// only, each once.
func TestImportGrowing(t *testing.T) {
	eachArchive(t, rigOptions{}, func(r *rig) {
		text := readReal(r.t)
		lines := slices.Collect(strings.Lines(text))
		name := filepath.Join(TempDir(r.t), "access.log")
		f, err := os.Create(name)
		must(r.t, err)
		defer f.Close()
		out := bufio.NewWriter(f)
		r.daemon.Start()
		r.write(50)
		for from := 0; from < 3000; from += 1000 {
			part := strings.Join(lines[from:from+1000], "")
			next := lines[from+1000]
			if from > 0 {
				part = part[10:] // its first ten bytes are there already
			}
			_, err := out.WriteString(part + next[:10])
			must(r.t, err)
			must(r.t, out.Flush())
			record(r.t, r.ledger, strings.Join(lines[from:from+1000], ""))
			said := r.command("import", "--site", realSite, name)
			if !strings.Contains(said, "the last line has no end yet") || !strings.Contains(said, "1000 lines") {
				r.t.Errorf("it said:\n%s", said)
			}
			r.exact()
		}
		must(r.t, os.Rename(name, name+".1")) // rotated meanwhile
		must(r.t, f.Truncate(int64(len(strings.Join(lines[:3000], "")))))
		r.command("import", "--site", realSite, name+".1")
		r.verified()
	})
}

// TestImportKilled kills imports anywhere; the same command again makes it
// whole.
func TestImportKilled(t *testing.T) {
	eachArchive(t, rigOptions{}, func(r *rig) {
		text := readReal(r.t)
		log := writeFile(r.t, filepath.Join(TempDir(r.t), "access.log"), text)
		r.daemon.Start()
		r.write(200)
		for range 6 {
			p := newProcess(r.t, "import", Binary(r.t), "import", "--site", realSite, log)
			p.env, p.dir = environment(r.daemon.Env), TempDir(r.t)
			p.start()
			at := time.NewTimer(time.Duration(r.rand.IntN(700)) * time.Millisecond)
			select {
			case <-at.C:
				p.kill()
			case <-p.done:
			}
			at.Stop()
		}
		record(r.t, r.ledger, text)
		r.command("import", "--site", realSite, log)
		r.verified()
	})
}
