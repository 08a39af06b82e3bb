package keys

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of keys into docs/design/redis.md")

// docs/design/redis.md shows the table of families as it is:
// go test ./counter/keys -update
func TestTableInDesign(t *testing.T) {
	const file, begin, end = "../../docs/design/redis.md", "| key | type | life | meaning |\n", "\n\n"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(text), begin)
	have, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no table of keys", file)
	}
	var want strings.Builder
	want.WriteString("| --- | --- | --- | --- |")
	for _, s := range Table {
		fmt.Fprintf(&want, "\n| `ddkk:%s` | %s | %s | %s |", s.Pattern, s.Type, s.Life, s.Meaning)
	}
	if have == want.String() {
		return
	}
	if !*update {
		t.Fatalf("%s shows another table of keys: run go test ./counter/keys -update", file)
	}
	if err := os.WriteFile(file, []byte(head+begin+want.String()+end+tail), 0o644); err != nil {
		t.Fatal(err)
	}
}
