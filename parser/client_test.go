package parser

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// agentsFile has user agents as they came from real browsers, with what each is: browser,
// system, device, and pc or mobile, with TABs between them and before it. "-" is not known.
const agentsFile = "testdata/agents.txt"

func TestClients(t *testing.T) {
	file, err := os.ReadFile(agentsFile)
	if err != nil {
		t.Fatal(err)
	}
	table, err := clients()
	if err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	n := 0
	for line := range strings.Lines(string(file)) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		agent := fields[len(fields)-1]
		c := table.client([]byte(agent))
		got := strings.Join([]string{or(c.browser), or(c.os), or(c.kind), c.device.String(), agent}, "\t")
		if want := strings.TrimSuffix(line, "\n"); got != want && !*update {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
		again.WriteString(got + "\n")
		n++
		// The two rules for devices do not contradict each other.
		switch {
		case c.kind == deviceDesktop && c.device != PC, (c.kind == devicePhone || c.kind == deviceTablet) && c.device != Mobile:
			t.Errorf("%s is a %s and counts as %s", agent, c.kind, c.device)
		}
	}
	if n < 300 {
		t.Errorf("%d user agents", n)
	}
	if *update {
		if err := os.WriteFile(agentsFile, again.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func or(name string) string {
	if name == "" {
		return "-"
	}
	return name
}

// TestClientNames: names fit their columns, and no text of the tables is empty.
func TestClientNames(t *testing.T) {
	for f, rules := range map[Facet][]clientRule{Browser: browserRules, OS: osRules, DeviceType: deviceRules} {
		for _, r := range rules {
			if r.mark == "" || r.name == "" || len(r.name) > f.Spec().Width {
				t.Errorf("%s: %+v", f.Spec().Name, r)
			}
		}
	}
	table, err := clients()
	if err != nil {
		t.Fatal(err)
	}
	if n := len(table.ids); n > maxTexts {
		t.Errorf("%d texts, %d fit", n, maxTexts)
	}
}

// TestClientCost: what is not remembered, such as a flood of long user agents, costs no
// memory.
func TestClientCost(t *testing.T) {
	p, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	agent := []byte("Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/131.0.0.0 Mobile Safari/537.36 " + strings.Repeat("x", maxCachedAgent))
	p.classify(agent)
	if n := testing.AllocsPerRun(100, func() { p.classify(agent) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
