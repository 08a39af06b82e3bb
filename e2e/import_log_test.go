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
	data, err := os.ReadFile("../parser/data/crawlers.txt")
	must(t, err)
	var all []*regexp.Regexp
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSuffix(line, "\n"); line != "" && line[0] != '#' {
			all = append(all, regexp.MustCompile(line))
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
		ledger.Record(Beacon{Site: realSite, Page: manySlashes.ReplaceAllString(path, "/"), Time: at.UTC(),
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
