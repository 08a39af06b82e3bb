package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ddkk-stats/internal/cli"
	"ddkk-stats/internal/config"
	"ddkk-stats/internal/config/configtest"
	"ddkk-stats/parser"
)

//go:generate go test -count 1 -run ^(TestConfigurationManual|TestRooms|TestStatesManual)$ . -args -write

var writeGenerated = flag.Bool("write", false, "write the tables of settings, of rooms and of states into docs")

// Marks around what is generated in the manual.
const (
	manualFile  = "docs/CONFIGURATION.md"
	manualBegin = "<!-- settings: written by go generate -->\n"
	manualEnd   = "<!-- end of settings -->\n"
)

// TestConfigurationManual fails when the manual is not what the code's own
// table says; `go generate .` brings it up to date.
func TestConfigurationManual(t *testing.T) {
	var table bytes.Buffer
	if err := config.WriteMarkdown(&table); err != nil {
		t.Fatal(err)
	}
	generated(t, manualFile, manualBegin, manualEnd, "\n"+table.String()+"\n")
}

// generated compares what stands between two marks of a file with what the code says;
// with -write it puts it there.
func generated(t *testing.T, file, begin, end, table string) {
	t.Helper()
	text := readDoc(t, file)
	before, rest, ok := strings.Cut(text, begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has lost its marks", file)
	}
	want := before + begin + table + end + after
	if *writeGenerated {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if text != want {
		t.Errorf("%s is not up to date: run `go generate .`", file)
	}
}

func readDoc(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var (
	fence    = regexp.MustCompile("(?s)```([a-z]*)\n(.*?)```")
	heading  = regexp.MustCompile(`(?m)^#+ `)
	tableRow = regexp.MustCompile(`(?m)^\|`)
	link     = regexp.MustCompile(`\]\(([^)]+)\)`)
	// setting names in prose and code, such as `REDIS_ADDR` or LISTEN=
	settingName = regexp.MustCompile("`([A-Z][A-Z0-9_]+)(?:=[^`]*)?`")
	command     = regexp.MustCompile(`(?:\./|ddkk-stats: |)ddkk-stats ([a-z][a-z-]+)`)
)

// outside is the text without its code blocks.
func outside(text string) string { return fence.ReplaceAllString(text, "") }

// The two READMEs are one text in two languages: the same headings, tables,
// code and links.
func TestReadmesAreEqualInStructure(t *testing.T) {
	en, zh := readDoc(t, "README.md"), readDoc(t, "README.zh-CN.md")
	f := func(what string, find func(string) []string) {
		t.Helper()
		a, b := find(en), find(zh)
		for i := range max(len(a), len(b)) {
			switch {
			case i >= len(a), i >= len(b):
				t.Errorf("%s: %d in README.md, %d in README.zh-CN.md", what, len(a), len(b))
				return
			case a[i] != b[i]:
				t.Errorf("%s %d: %q in README.md, %q in README.zh-CN.md", what, i+1, a[i], b[i])
			}
		}
	}
	f("heading", func(s string) []string { return heading.FindAllString(outside(s), -1) })
	f("table row", func(s string) []string { return tableRow.FindAllString(outside(s), -1) })
	f("code block", func(s string) []string {
		var all []string
		for _, m := range fence.FindAllStringSubmatch(s, -1) {
			code := m[2]
			if m[1] == "text" || m[1] == "html" { // words for people: only that it is there
				code = ""
			}
			all = append(all, m[1]+"\n"+code)
		}
		return all
	})
	f("link", func(s string) []string {
		var all []string
		for _, m := range link.FindAllStringSubmatch(outside(s), -1) {
			if !strings.HasPrefix(m[1], "README") { // each names the other
				all = append(all, m[1])
			}
		}
		return all
	})
}

func docFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	design, err := filepath.Glob("docs/design/*.md")
	if err != nil {
		t.Fatal(err)
	}
	return append(append(files, design...), "README.md", "README.zh-CN.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "PRIVACY.md")
}

func TestLinksOfTheDocumentsLeadSomewhere(t *testing.T) {
	for _, file := range docFiles(t) {
		for _, m := range link.FindAllStringSubmatch(outside(readDoc(t, file)), -1) {
			target, _, _ := strings.Cut(m[1], "#")
			if target == "" || strings.Contains(target, "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), target)); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
}

// What the documents name in capitals is a setting, or one of a few words.
func TestSettingsOfTheDocumentsExist(t *testing.T) {
	words := []string{"CONFIG", "CREDENTIALS_DIRECTORY", "DDKK_TOKEN", "ATTACK_MINUTES", "SIGTERM", "SIGHUP", "SIGKILL", "USR1", "LOG", "GET", "ZSET", "KEEP_DAYS", "KEEP_LEAST"}
	for i := range config.Settings {
		words = append(words, config.Settings[i].Name, config.Settings[i].Name+"_FILE")
	}
	for _, file := range docFiles(t) {
		for _, m := range settingName.FindAllStringSubmatch(outside(readDoc(t, file)), -1) {
			if strings.ContainsAny(m[1], "_") && !slices.Contains(words, m[1]) {
				t.Errorf("%s names %s, which is no setting", file, m[1])
			}
		}
	}
}

// Every command that a document tells to run exists.
func TestCommandsOfTheDocumentsExist(t *testing.T) {
	known := map[string]bool{"help": true}
	for _, c := range cli.RootCommand("test").Commands() {
		known[c.Name()] = true
	}
	for _, file := range docFiles(t) {
		for _, m := range fence.FindAllStringSubmatch(readDoc(t, file), -1) {
			if m[1] != "sh" {
				continue
			}
			for _, c := range command.FindAllStringSubmatch(m[2], -1) {
				if !known[c[1]] {
					t.Errorf("%s runs ddkk-stats %s, which does not exist", file, c[1])
				}
			}
		}
	}
}

// Every example of a configuration file is one that the daemon takes.
func TestConfigurationsOfTheDocumentsLoad(t *testing.T) {
	for _, file := range docFiles(t) {
		text := readDoc(t, file)
		for _, m := range fence.FindAllStringSubmatch(text, -1) {
			if m[1] == "yaml" {
				configtest.Load(t, nil, m[2])
			}
		}
		for _, m := range regexp.MustCompile(`(?s)<<'YAML'\n(.*?)\nYAML\n`).FindAllStringSubmatch(text, -1) {
			configtest.Load(t, nil, m[1])
		}
	}
}

// Every metric that a document names is one that /metrics has: whatever a file of
// the daemon registers.
func TestMetricsOfTheDocumentsExist(t *testing.T) {
	sources, err := filepath.Glob("internal/daemon/*.go")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, file := range sources {
		for _, m := range regexp.MustCompile(`(?:desc\("|Name:\s+"ddkk_|NewDesc\("ddkk_)([a-z0-9_]+)"`).FindAllStringSubmatch(readDoc(t, file), -1) {
			known[m[1]] = true
		}
	}
	if len(known) < 25 {
		t.Fatalf("only %d metrics are found in the source", len(known))
	}
	for _, file := range append(docFiles(t), "deploy/prometheus/alerts.yml", "deploy/grafana/ddkk-stats.json") {
		for _, m := range regexp.MustCompile(`\bddkk_([a-z_]+)\b`).FindAllStringSubmatch(readDoc(t, file), -1) {
			name := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(m[1], "_bucket"), "_count"), "_sum")
			if known[name] || known[m[1]] || notMetric.MatchString(m[1]) {
				continue
			}
			t.Errorf("%s names the metric ddkk_%s, which does not exist", file, m[1])
		}
	}
}

// notMetric are other names of ours that begin like metrics: of elements, log
// formats, accounts and tables; and what a grep looks for.
var notMetric = regexp.MustCompile(`^(value_|hot_pages|container_|v1$|schema$|backup$|log_lines$|.*_$)`)

// TestFormatsOfTheDocumentsCompile: each format that MIGRATION gives is one, and names
// as well as texts are among them.
func TestFormatsOfTheDocumentsCompile(t *testing.T) {
	given := regexp.MustCompile(`(?:SITE_LOG_FORMAT|--format)=('[^'\n]+'|[a-z0-9-]+)`)
	names, texts := 0, 0
	for _, m := range given.FindAllStringSubmatch(readDoc(t, "docs/MIGRATION.md"), -1) {
		text := strings.Trim(m[1], "'")
		switch {
		case text != m[1]:
			texts++
		case text == parser.FormatW3C:
			continue // by the file
		default:
			names++
		}
		if _, err := parser.ParseFormat(text); err != nil {
			t.Errorf("%s: %v", m[0], err)
		}
	}
	if names < 15 || texts < 4 {
		t.Errorf("only %d names and %d texts of formats were found", names, texts)
	}
}
