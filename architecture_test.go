package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// A room is a package with its folder's name, what lives there, and which rooms it may
// import. Tests of a room may import more: they are not looked at.
type room struct {
	path    string
	what    string
	imports string // names of rooms, separated by spaces
}

// rooms is the whole house, in the order of the pipeline: docs/DESIGN.md has the table
// that is made of it.
var rooms = []room{
	{".", "`main.go`: hands over to cli", "internal/cli"},
	{"tailer", "finds a log's segments, reads them, follows the live one; hands out complete lines with offsets", "internal/durable"},
	{"parser", "a line becomes a `Hit`; sites, pages, visitors, bots. Pure", "parser/format"},
	{"parser/format", "formats of logs, compiled into readers of fields: nginx's and Apache's strings, names, W3C", ""},
	{"counter", "batches, scripts, commits, rebuilds; reads", "counter/keys internal/durable parser"},
	{"counter/keys", "every Redis key: its name, life and meaning, in one table", "parser"},
	{"archive", "SQL: raw rows, sums of days, exactly-once load, what a restore reads", "parser"},
	{"queryapi", "HTTP: API, protocols of other counters, built-in pixel, widget, demo, dashboard; asks through small interfaces", "counter internal/durable queryapi/edge"},
	{"queryapi/edge", "between strangers and handlers: connections, limits, origins, guesses, turns", ""},
	{"nginx", "the log format, the configuration's templates, rotation", ""},
	{"static", "the source and build of widget and dashboard, the demo page", ""},
	{"internal/cli", "one file a command: flags, and how its answer is printed", "archive counter internal/alert internal/answers internal/config internal/daemon internal/doctor internal/durable internal/importer internal/jobs internal/logs internal/options internal/people internal/plain internal/remote internal/reports internal/vault internal/verify nginx parser queryapi tailer"},
	{"internal/daemon", "the server: wiring, start and stop, schedule, reload, upgrade, metrics, alerts", "archive counter internal/alert internal/answers internal/beacon internal/config internal/doctor internal/health internal/jobs internal/logs internal/mailer internal/mirror internal/once internal/options internal/people internal/reports internal/traffic internal/vault internal/verify nginx parser queryapi static tailer"},
	{"internal/doctor", "what `check` looks at", "archive counter internal/config internal/health internal/importer internal/logs internal/options internal/plain parser tailer"},
	{"internal/answers", "what the API says, joined from live numbers and the archive", "archive counter internal/config internal/logs internal/vault parser queryapi tailer"},
	{"internal/people", "to whom the owner gave tokens and links, and what each may see", "archive queryapi"},
	{"internal/jobs", "what is done by schedule or by command with logs and archive: archive, verify, delete, flush", "archive counter internal/config internal/logs internal/mirror internal/options internal/vault internal/verify parser tailer"},
	{"internal/vault", "the archive as counting and restoring see it: opened late, learned; the shared secret", "archive counter internal/config internal/durable internal/health internal/options internal/verify parser"},
	{"internal/options", "settings as other rooms take them", "archive counter internal/alert internal/config internal/logs internal/mailer internal/reports queryapi/edge"},
	{"internal/logs", "the logs that are read, and how each is: format, segments", "internal/config parser tailer"},
	{"internal/config", "the table of settings: reading, checking, comparing, the manual", "internal/alert internal/geoip internal/mirror parser"},
	{"internal/geoip", "the countries of addresses, from a table of its own or a database in MaxMind's format", ""},
	{"internal/beacon", "the log that the built-in pixel writes, group-committed", ""},
	{"internal/mirror", "page totals into `page_counts` and a search index", "archive counter"},
	{"internal/verify", "the independent recount", "archive counter internal/plain parser"},
	{"internal/importer", "old access logs and the totals of other counters: reads only", "parser"},
	{"internal/health", "the table of states: what counting waits for, and what an operator should look at", "counter internal/alert parser"},
	{"internal/alert", "edges of what is wrong, posted to a webhook in the words of its receiver", ""},
	{"internal/reports", "what owners are told of a period: figures, text and HTML, to whom, once", "internal/alert internal/mailer internal/once"},
	{"internal/traffic", "when a site falls silent, or rises beyond what its weekday and hour usually have", "internal/once"},
	{"internal/once", "what is told once, though several hosts would and each may be killed", ""},
	{"internal/mailer", "mails to an SMTP server", ""},
	{"internal/remote", "a running daemon's admin API, as commands ask it", "internal/config internal/reports"},
	{"internal/durable", "a file replaced so that a crash leaves the old one or the new one", ""},
	{"internal/plain", "output without what a terminal would obey", ""},
	{"internal/sim", "schedules of faults in virtual time against an oracle of its own", "archive counter internal/mirror internal/vault parser tailer"},
	{"internal/sim/mutants", "breaks the program in one place at a time: does the simulation find it?", ""},
	{"internal/config/configtest", "settings and files for the tests of other rooms", "internal/config"},
	{"internal/geoip/geoiptest", "small databases for the tests of other rooms", ""},
	{"internal/jobs/jobstest", "an archive with lines for the tests of other rooms", "counter internal/config internal/config/configtest internal/jobs internal/vault"},
	{"internal/mailer/mailtest", "an SMTP server for the tests of other rooms", ""},
	{"bench", "measurements with real servers", "counter parser tailer"},
	{"e2e", "tests of the built daemon against real servers, with a ledger as the oracle", ""},
}

const (
	designFile  = "docs/DESIGN.md"
	designBegin = "<!-- rooms: written by go generate -->\n"
	designEnd   = "<!-- end of rooms -->\n"
	module      = "ddkk-stats/"
)

// TestRooms: a package imports only what its room may, and every arrow of the list is
// one that is there. The table in docs/DESIGN.md is made of the same list.
func TestRooms(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	may := map[string]string{}
	for _, r := range rooms {
		may[r.path] = r.imports
	}
	for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); {
		var pkg struct {
			ImportPath string
			Imports    []string
		}
		if err := d.Decode(&pkg); err != nil {
			t.Fatal(err)
		}
		path := roomOf(pkg.ImportPath)
		if strings.Contains(path, "/internal/") { // a room's own
			continue
		}
		allowed, ok := may[path]
		if !ok {
			t.Errorf("%s is no room: add it to the list, with what it may import", path)
			continue
		}
		delete(may, path)
		unused := strings.Fields(allowed)
		for _, im := range pkg.Imports {
			if !strings.HasPrefix(im, module) || path != "." && strings.HasPrefix(im, pkg.ImportPath+"/internal/") {
				continue
			}
			to := roomOf(im)
			i := slices.Index(unused, to)
			if i < 0 {
				t.Errorf("%s imports %s, which it may not know", path, to)
				continue
			}
			unused = slices.Delete(unused, i, i+1)
		}
		for _, to := range unused {
			t.Errorf("%s may import %s, and does not: take it off the list", path, to)
		}
	}
	for path := range may {
		t.Errorf("the list has a room %s that does not exist", path)
	}

	generated(t, designFile, designBegin, designEnd, roomTable())
}

func roomOf(importPath string) string {
	if importPath+"/" == module {
		return "."
	}
	return strings.TrimPrefix(importPath, module)
}

func roomTable() string {
	var b strings.Builder
	b.WriteString("\n| room | what lives there | may import |\n| --- | --- | --- |\n")
	for _, r := range rooms {
		imports := strings.ReplaceAll(r.imports, "internal/", "")
		name := fmt.Sprintf("[%s](../%s)", r.path, r.path)
		if r.path == "." {
			name = "[main](../main.go)"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name, r.what, cmp.Or(strings.ReplaceAll(imports, " ", ", "), "nothing of ours"))
	}
	b.WriteString("\n")
	return b.String()
}
