package e2e

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// explanation is the answer of `explain --json`.
type explanation struct {
	Site    string
	Date    string
	Log     []explainTerm
	Counted []explainTerm
	LeftOut []explainTerm `json:"left_out"`
	Closes  bool
	Open    int64
	Why     string
	Others  []explainTerm

	byName map[string]int64
}

type explainTerm struct {
	Name     string
	Value    int64
	Sentence string
}

func (r *rig) explain(args ...string) explanation {
	r.t.Helper()
	var e explanation
	must(r.t, json.Unmarshal([]byte(r.command(append([]string{"explain", "--json"}, args...)...)), &e))
	e.byName = map[string]int64{}
	for _, terms := range [][]explainTerm{e.Log, e.Counted, e.LeftOut, e.Others} {
		for _, x := range terms {
			if e.byName[x.Name] = x.Value; x.Sentence == "" {
				r.t.Errorf("%s has no sentence", x.Name)
			}
		}
	}
	return e
}

// TestExplain: the terms of a day's equation are what was written, each line is accounted for,
// and where lines are missing the answer says how many and why.
func TestExplain(t *testing.T) {
	r := startRig(t, rigOptions{env: map[string]string{"BLOCK_IPS": "192.0.2.99"}})
	counts := NewLedger(r.ledger.loc)
	r.ledger.Follow(counts, func(b Beacon) (Beacon, bool) { return b, b.IP != "192.0.2.99" })
	r.ledger = counts
	blocked := NewTraffic(r.rand.Uint64(), "192.0.2.99", 5)
	written, blockedLines := int64(0), int64(0)
	for range 400 {
		x := r.traffic.Next()
		if x.Beacon.Site == "ddkk.com" {
			written++
		}
		r.writer.Write(0, x)
		y := blocked.Next()
		if y.Beacon.Site == "ddkk.com" {
			written, blockedLines = written+1, blockedLines+1
		}
		r.writer.Write(0, y)
	}
	r.exact()
	e := r.explain("--site", "www.ddkk.com")
	if !e.Closes || e.Site != "ddkk.com" || e.Date != time.Now().UTC().Format(time.DateOnly) || e.byName["views"] != counts.PV("ddkk.com") || e.byName["visitors"] != counts.UV("ddkk.com") ||
		e.byName["lines"] != written || e.byName["blocked"] != blockedLines || e.byName["with_bots"] != e.byName["views"]+e.byName["bots"] || e.byName["bots"] == 0 {
		t.Errorf("%+v; %d lines were written, %d blocked", e, written, blockedLines)
	}
	sum := int64(0)
	for _, x := range append(e.Counted, e.LeftOut...) {
		if x.Name != "visitors" {
			sum += x.Value
		}
	}
	if sum != written {
		t.Errorf("the terms come to %d, %d lines were written", sum, written)
	}
	r.archive()
	r.exact()
	if e = r.explain("--site", "ddkk.com"); !e.Closes {
		t.Errorf("archived: %+v", e)
	}
	r.deleteSegments()
	if e = r.explain("--site", "ddkk.com"); e.Closes || e.Open >= 0 || !strings.Contains(e.Why, "deleted") {
		t.Errorf("without the log: %+v", e)
	}
	if out := r.command("explain", "--site", "ddkk.com"); !strings.Contains(out, "What was left out") || !strings.Contains(out, "does not add up here") {
		t.Errorf("explain said:\n%s", out)
	}
}
